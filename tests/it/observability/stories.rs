//! Scenarios of pipelines, in virtual time, that cause every metric and log line.

use std::{pin::pin, time::Duration};

use futures::{FutureExt, Stream, StreamExt, future::join, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube_weir::{
    Change, Election, Error, EventStreamExt, FetchConfig, Index, Kinds, Leadership, LeaseRef,
    Watch, Write,
    adapters::Indexed,
    testing::{ApiServer, Fault, Verb},
    watch, watch_resource, world,
};
use serde_json::{Value, json};
use tokio::time::{advance, sleep, timeout};

use crate::{keys::secret, support::feed};

pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn config(name: &str, level: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "a", "name": name }, "data": { "level": level },
    })
}

pub(super) fn server_with(names: &[&str]) -> ApiServer {
    let server = ApiServer::new();
    for name in names {
        server.apply(&config(name, "info")).expect("a ConfigMap");
    }
    server
}

pub(super) type Configs = Indexed<Watch<ConfigMap>, ConfigMap>;

/// Returns the order of the objects as an index.
fn identity<K: serde::Serialize + 'static>() -> Index<K> {
    Index::paths(["metadata.namespace", "metadata.name"]).expect("paths").named("identity")
}

pub(super) fn configs(server: &ApiServer) -> Configs {
    let level = Index::path("data.level").expect("a path").named("level");
    watch(Api::<ConfigMap>::all(server.client())).named("settings").index((identity(), level))
}

/// Polls for a while without expecting an item.
pub(super) async fn silence<S: Stream<Item: std::fmt::Debug> + Unpin>(
    stream: &mut S,
    time: Duration,
) {
    let item = timeout(time, stream.next()).await;
    assert!(item.is_err(), "not silent: {item:?}");
}

/// Returns the next item, or the reason of its error.
pub(super) async fn next<S, T>(stream: &mut S) -> Result<T, &'static str>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    let item = timeout(SECOND * 120, stream.next()).await.expect("in time").expect("no end");
    item.map_err(|error| error.reason())
}

/// A list of two objects, then three changes, one of each kind.
pub(super) async fn live(server: &ApiServer, configs: &mut Configs) {
    assert_eq!(configs.first_synced().await.expect("synced").len(), 2);
    silence(configs, SECOND).await;
    server.apply(&config("x", "debug")).expect("a ConfigMap");
    assert!(matches!(next(configs).await, Ok(Change::Live(_))));
    server.apply(&config("z", "info")).expect("a ConfigMap");
    assert!(matches!(next(configs).await, Ok(Change::Live(_))));
    server.delete("configmaps", "a", "y").expect("it is there");
    assert!(matches!(next(configs).await, Ok(Change::Live(_))));
}

/// The watch ends, and the history is gone when it resumes.
pub(super) async fn relisted(server: &ApiServer, configs: &mut Configs) {
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.disconnect();
    assert_eq!(next(configs).await.err(), Some("Desynced"));
    silence(configs, SECOND * 5).await;
}

/// An undecodable object arrives, and later a decodable version.
pub(super) async fn undecodable(server: &ApiServer, configs: &mut Configs) {
    server.fault(Verb::Watch, 1, Fault::Garble { name: "x".into() });
    server.disconnect();
    silence(configs, SECOND * 5).await;
    server.apply(&config("x", "error")).expect("a ConfigMap");
    assert_eq!(next(configs).await.err(), Some("Undecodable"));
}

/// The server refuses to list, is then unreachable, then answers.
pub(super) async fn refused(server: &ApiServer, configs: &mut Configs) {
    server.fault(Verb::List, 1, Fault::status(403));
    server.fault(Verb::List, 1, Fault::Refused);
    assert_eq!(next(configs).await.err(), Some("Forbidden"));
    assert_eq!(next(configs).await.err(), Some("Connection"));
    assert!(matches!(next(configs).await, Ok(Change::Synced(_))));
}

/// A streaming list on a server without support; then the server ends a watch, which is resumed.
pub(super) async fn streaming(server: &ApiServer) {
    server.set_streaming_lists(false);
    let watch = watch(Api::<ConfigMap>::all(server.client()));
    let mut configs = watch.streaming_list(true).watch_timeout(SECOND * 30).index(());
    configs.first_synced().await.expect("synced");
    silence(&mut configs, SECOND * 40).await;
}

/// A change that is delivered at once, and three that are merged.
pub(super) async fn debounced() {
    let (feed, events) = feed();
    let mut changes = events.index(()).debounce(SECOND);
    feed.list([]);
    assert!(matches!(next(&mut changes).await, Ok(Change::Synced(_))));
    feed.apply("a/x", 1);
    assert!(matches!(next(&mut changes).await, Ok(Change::Live(_))));
    for version in 2..5 {
        feed.apply("a/x", version);
        silence(&mut changes, SECOND / 10).await;
    }
    assert!(matches!(next(&mut changes).await, Ok(Change::Live(_))));
}

/// Two kinds as one world, one of them not installed, and a third that is added.
pub(super) async fn worlds(server: &ApiServer) {
    let of = |plural: &str| {
        let watch = watch_resource(server.client(), format!("v1/{plural}")).unwrap();
        watch.index(())
    };
    let kinds = Kinds::new().add("configs", of("configmaps"));
    let kinds = kinds.add("widgets", of("widgets").optional());
    let handle = kinds.handle();
    let mut worlds = pin!(world(kinds).log_errors());
    worlds.first_synced().await.expect("synced");
    handle.add("secrets", of("secrets"));
    let _ = timeout(SECOND * 5, worlds.next()).await;
    server.fault(Verb::Watch, 1, Fault::status(500));
    server.disconnect();
    let _ = timeout(SECOND * 5, worlds.next()).await;
}

/// Reads of Secrets: uncached, cached, by two callers, after a change, after a failure, with a permanent
/// failure, after a long time, and all together. The cache holds at most two.
pub(super) async fn fetched(server: &ApiServer) {
    for name in ["one", "two", "three"] {
        server.apply(&secret(&format!("a/{name}"), "shop", "c2VjcmV0")).expect("a Secret");
    }
    let api = Api::<Secret>::all(server.client());
    let keys = watch(api.clone()).index_keys(()).expect("paths");
    let secrets = keys.store().fetching(api, FetchConfig::default().max_objects(2));
    let _driving = keys.spawn().stop_on_drop();
    let read = async |name: &str| secrets.get(("a", name)).await.map(|secret| secret.is_some());

    assert!(read("one").await.expect("fetched")); // miss
    assert!(read("one").await.expect("kept")); // hit
    let (first, second) = join(read("two"), read("two")).await; // miss, joined
    assert!(first.expect("fetched") && second.expect("fetched"));
    assert!(read("three").await.expect("fetched")); // miss, and one is evicted
    let changed = server.apply(&secret("a/three", "shop", "bmV3")).expect("a Secret");
    let version = changed["metadata"]["resourceVersion"].as_str().expect("a version");
    secrets.store().wait_for(Write::of(("a", "three"), version)).await.expect("seen");
    server.fault(Verb::Get, 1, Fault::status(500));
    assert!(read("three").await.expect("fetched")); // miss of what is outdated, and a retry
    server.fault(Verb::Get, 1, Fault::status(403));
    assert!(read("one").await.expect_err("refused").is_forbidden()); // miss, and a failure
    advance(SECOND * 131).await;
    assert!(read("two").await.expect("fetched")); // both expired; miss
}

/// All of ten objects are wanted, so they are listed.
pub(super) async fn listed(server: &ApiServer) {
    for name in 0..10 {
        server.apply(&secret(&format!("b/{name}"), "shop", "c2VjcmV0")).expect("a Secret");
    }
    let api = Api::<Secret>::all(server.client());
    let keys = watch(api.clone()).index_keys(identity()).expect("paths");
    let secrets = keys.store().fetching(api, FetchConfig::default());
    let _driving = keys.spawn().stop_on_drop();
    assert_eq!(secrets.by(&identity()).get("b").await.expect("synced").len(), 10);
}

/// A replica is elected, fails to renew once, loses the Lease to an outage, gets it again, and gives it
/// back. Another replica follows.
pub(super) async fn led(server: &ApiServer) {
    let election = |identity: &str| {
        let lease = LeaseRef::new("default", "web");
        Election::new(server.client(), lease, identity).expect("valid")
    };
    let mut campaign = election("me").campaign();
    assert!(matches!(next(&mut campaign).await, Ok(Leadership::Leading(_))));
    let mut other = election("other").campaign();
    let Ok(Leadership::Following { leader }) = next(&mut other).await else { panic!() };
    assert_eq!(leader.as_deref(), Some("me"));
    drop(other);
    silence(&mut campaign, SECOND * 7).await;
    server.fault(Verb::Update, 1, Fault::status(500));
    assert_eq!(next(&mut campaign).await.err(), Some("Other"));
    silence(&mut campaign, SECOND * 7).await;
    server.fault(Verb::Update, 99, Fault::status(500));
    while !matches!(next(&mut campaign).await, Ok(Leadership::Following { .. })) {}
    server.clear_faults();
    let term = loop {
        if let Ok(Leadership::Leading(term)) = next(&mut campaign).await {
            break term;
        }
    };
    // While work is guarded, the Lease is renewed.
    server.fault(Verb::Update, 2, Fault::status(500));
    let work = tokio::spawn(term.guard(tokio::time::sleep(SECOND * 3)));
    tokio::task::yield_now().await;
    let release = campaign.release();
    let faults = async {
        work.await.expect("no panic").expect("in time");
        server.fault(Verb::Update, 1, Fault::status(500));
    };
    join(release, faults).map(|(released, ())| released).await.expect("given back");
}

/// An outage of several failures, and objects that are undecodable for a while.
pub(super) async fn degraded(server: &ApiServer) {
    let configs = watch(Api::<ConfigMap>::all(server.client()));
    let indexed = configs.index(());
    let store = indexed.store();
    let driving = tokio::spawn(indexed.log_errors().for_each(|_| async {}));
    store.synced().await.expect("synced");
    server.fault(Verb::Watch, 2, Fault::Refused);
    server.disconnect();
    sleep(Duration::from_secs(10)).await;
    assert!(store.status().failing.is_none());

    for name in ["bad-1", "bad-2"] {
        server.fault(Verb::Watch, 1, Fault::Garble { name: name.to_owned() });
        server.disconnect();
        server
            .apply(&json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
            }))
            .expect("a valid ConfigMap");
        sleep(Duration::from_secs(10)).await;
    }
    server.disconnect();
    for name in ["bad-1", "bad-2"] {
        server.delete("configmaps", "default", name).expect("it is there");
    }
    sleep(Duration::from_secs(10)).await;
    driving.abort();

    // A failure that no store has logged.
    let failures = stream::iter([Err::<(), _>(kube_weir::Error::from(
        kube::runtime::watcher::Error::NoResourceVersion,
    ))]);
    failures.log_errors().for_each(|()| async {}).await;
}
