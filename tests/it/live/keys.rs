//! Keys only, and objects fetched on demand.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Request;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Secret;
use kube::{Client, client::Body};
use kube_weir::{Document, FetchConfig, Fetching, watch};
use tokio::time::Instant;

use super::*;
use crate::apiserver::{ADMIN, exclusive, server};

/// A client, and the number of bytes of its answers.
fn counting(client: Client) -> (Client, Arc<AtomicUsize>) {
    let received = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&received);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, count) = (client.clone(), Arc::clone(&count));
        async move {
            let response = client.send(request).await?;
            Ok::<_, kube::Error>(response.map(|body| {
                body.map_frame(move |frame| {
                    let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
                    count.fetch_add(bytes, Ordering::Relaxed);
                    frame
                })
            }))
        }
    });
    (Client::new(service, "default"), received)
}

fn tier() -> Index<Document> {
    Index::path("metadata.labels.tier").unwrap()
}

/// Returns an index that is the order of the objects, and costs nothing.
fn in_namespace() -> Index<Document> {
    Index::path("metadata.namespace").unwrap()
}

/// The payload is not even received.
///
/// SEMANTICS: C1, C7
#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_sends_metadata_alone() {
    const PAYLOAD: usize = 100_000;
    const OBJECTS: usize = 20;
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("keys").await;
    let writing: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    let payload = "x".repeat(PAYLOAD);
    for number in 0..OBJECTS {
        let config = config_map(&format!("c{number:02}"), "front", &payload);
        writing.create(&PostParams::default(), &config).await.unwrap();
    }
    for streaming in [false, true] {
        let (client, received) = counting(cluster.client().await);
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        let keys = watch(api.clone())
            .streaming_list(streaming)
            .index_keys((tier(), in_namespace()))
            .unwrap();
        let configs = keys.store().fetching(api, FetchConfig::default());
        let mut keys = Consumer::of(keys);
        keys.synced().await;
        let snapshot = configs.store().snapshot();
        assert_eq!(snapshot.by(&tier()).get("front").count(), OBJECTS);
        let first = snapshot.iter().next().unwrap().to_value();
        assert_eq!(first["metadata"]["labels"], json!({ "tier": "front" }));
        assert_eq!(first.as_object().unwrap().len(), 1, "{first}");
        assert_eq!(first["metadata"].as_object().unwrap().len(), 5, "{first}");

        // Events have no more fields than lists.
        let logged = keys.seen().log.len();
        let other = if streaming { "back" } else { "side" };
        set_tier(&writing, "c00", other).await;
        keys.until("the change", |seen| seen.log.len() > logged).await;
        assert_eq!(configs.store().snapshot().by(&tier()).get(other).count(), 1);
        let bytes = received.load(Ordering::Relaxed);
        assert!(bytes < OBJECTS * 2000, "{bytes} bytes were received");
        say(&format!("keys: {OBJECTS} objects of {PAYLOAD} bytes took {bytes} bytes to watch"));

        let whole = configs.get((&namespace, "c00")).await.unwrap().expect("it is there");
        assert_eq!(whole.data.as_ref().unwrap()["value"].len(), PAYLOAD);
        assert!(received.load(Ordering::Relaxed) - bytes >= PAYLOAD);
        let all = configs.by(&in_namespace()).get(&namespace).await.unwrap();
        assert_eq!(all.iter().filter(|found| found.is_ok()).count(), OBJECTS);
        assert_eq!((configs.report().gets, configs.report().lists), (1, 1));
        set_tier(&writing, "c00", "front").await;
    }
}

/// SEMANTICS: C1, I12
#[tokio::test(flavor = "multi_thread")]
async fn fields_outside_of_metadata_are_received_and_dropped() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("strained").await;
    let client = cluster.client().await;
    let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    for name in ["a", "b"] {
        let secret = json!({ "metadata": { "name": name }, "stringData": { "key": "secret" } });
        let secret = serde_json::from_value(secret).unwrap();
        api.create(&PostParams::default(), &secret).await.unwrap();
    }
    let of_type = Index::path("type").unwrap();
    let keys = watch(api.clone()).index_keys(&of_type).unwrap();
    let gvr = Gvr::parse("v1/secrets").unwrap();
    let secrets = keys.store().fetching_resource(client, gvr, FetchConfig::default()).unwrap();
    let _driving = keys.spawn().stop_on_drop();
    let found = soon("both", secrets.by(&of_type).get("Opaque")).await.unwrap();
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].to_value()["data"]["key"], "c2VjcmV0");
    let key = secrets.store().get((&namespace, "a")).expect("its key").to_value();
    assert_eq!((&key["type"], &key["data"]), (&json!("Opaque"), &Value::Null));
}

/// SEMANTICS: C6
#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_distinguishes_missing_objects_from_unserved_kinds() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("gone").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&api, "a").await;
    // A store that never receives the deletion.
    let listed = kube::runtime::watcher::Event::<Document>::InitApply(
        Document::from_json(&serde_json::to_string(&api.get("a").await.unwrap()).unwrap()).unwrap(),
    );
    let events = stream::iter([kube::runtime::watcher::Event::Init, listed]);
    let done = stream::iter([kube::runtime::watcher::Event::InitDone]);
    let keys = events.chain(done).chain(stream::pending()).index(());
    let config = FetchConfig::default().deadline(Duration::from_secs(2));
    let configs: Fetching<ConfigMap> = keys.store().fetching(api.clone(), config.clone());
    let elsewhere = Gvr::parse("example.com/v1/things").unwrap();
    let things = keys.store().fetching_resource(client.clone(), elsewhere, config.clone()).unwrap();
    let core =
        keys.store().fetching_resource(client, Gvr::parse("v1/things").unwrap(), config).unwrap();
    let _driving = keys.spawn().stop_on_drop();
    assert!(configs.get((&namespace, "a")).await.unwrap().is_some());
    delete(&api, "a").await;
    // The store still has the key, because the watch has not seen the deletion.
    assert!(configs.get((&namespace, "a")).await.unwrap().is_some());
    let fresh: Fetching<ConfigMap> =
        configs.store().fetching(api, FetchConfig::default().deadline(Duration::from_secs(2)));
    let error = fresh.get((&namespace, "a")).await.unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    for unserved in [things, core] {
        let error = unserved.get((&namespace, "a")).await.unwrap_err();
        assert!(error.is_not_installed(), "{error:?}");
    }
}

/// SEMANTICS: C5
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_hides_nothing_and_makes_nothing_up() {
    const OUTAGE: Duration = Duration::from_secs(30);
    const DEADLINE: Duration = Duration::from_secs(4);
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("fetch-outage").await;
    let mut config = cluster.config(ADMIN).await;
    config.default_retry = false; // no retries but ours
    let client = kube::Client::try_from(config).unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    for number in 0..12 {
        create(&api, &format!("c{number:02}")).await;
    }
    let keys = watch(api.clone()).index_keys((tier(), in_namespace())).unwrap();
    let configs = keys.store().fetching(api.clone(), FetchConfig::default().deadline(DEADLINE));
    let _driving = keys.spawn().stop_on_drop();
    let by_namespace = in_namespace();
    let read = async |name: &str| configs.get((&namespace, name)).await;
    let read_all = async || configs.by(&by_namespace).get(&namespace).await;
    assert!(read("c00").await.unwrap().is_some());

    cluster.stop_apiserver().await;
    let begun = Instant::now();
    let (mut kept, mut failed, mut longest) = (0, 0, Duration::ZERO);
    while begun.elapsed() < OUTAGE {
        let asked = Instant::now();
        let (one, all) = tokio::join!(read("c00"), read_all());
        assert!(one.unwrap().is_some());
        kept += 1;
        let all = all.unwrap();
        assert_eq!(all.len(), 12, "all are there, or why they aren't");
        for (number, found) in all.iter().enumerate().skip(1) {
            let error = found.as_ref().unwrap_err();
            let name = format!("c{number:02}");
            assert_eq!(error.object(), Some((&*namespace, &*name)), "{error:?}");
            assert!(error.is_timeout(), "{error:?}");
            failed += 1;
        }
        longest = longest.max(asked.elapsed());
    }
    assert!(longest < DEADLINE + Duration::from_secs(1), "{longest:?}");
    cluster.start_apiserver().await;
    let begun = Instant::now();
    let all = soon("all of them", async {
        loop {
            let all = read_all().await.unwrap();
            if all.iter().all(Result::is_ok) {
                return all;
            }
        }
    });
    assert_eq!(all.await.len(), 12);
    let took = begun.elapsed();
    // Later changes are seen, too.
    let changed = set_value(&api, "c00", "second").await;
    soon("the change", configs.store().wait_for(&changed)).await.unwrap();
    let read = read("c00").await.unwrap().expect("it is there");
    assert_eq!(read.data.as_ref().unwrap()["value"], "second");
    say(&format!(
        "fetching: in {OUTAGE:?} without a server {kept} reads of what was kept and {failed} failures, \
         the longest call {longest:.1?}; all was there again {took:.1?} after the restart"
    ));
}
