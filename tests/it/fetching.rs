//! Objects fetched on demand, in virtual time.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::join_all, poll};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    runtime::{reflector::ObjectRef, watcher::Event},
};
use kube_weir::{
    Document, Error, EventStreamExt, FetchConfig, Fetching, FieldFilter, Gvr, Index, ObjectKey,
    Store, SyncPolicy, Write,
    adapters::Spawned,
    testing::{Answer, ApiServer, Fault, On, Verb},
    watch,
};
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep, timeout};

use crate::{
    keys::secret,
    random::Random,
    support::{Feed, feed},
    wire::status,
};

const SECOND: Duration = Duration::from_secs(1);

/// Returns an index that is the order of the objects, and costs nothing.
fn namespace() -> Index<Document> {
    Index::path("metadata.namespace").expect("a path")
}

/// A server, a store of the keys of its Secrets, and a `Fetching` of them.
struct World {
    server: ApiServer,
    secrets: Fetching<Secret>,
    _driving: Spawned,
}

impl World {
    /// Starts with these Secrets, whose values are their names.
    async fn of<'n>(identities: impl IntoIterator<Item = &'n str>, config: FetchConfig) -> Self {
        let server = ApiServer::new();
        for identity in identities {
            server.apply(&secret(identity, "shop", &base64(identity))).expect("a Secret");
        }
        let api = Api::<Secret>::all(server.client());
        let keys = watch(api.clone()).index_keys(namespace()).expect("paths");
        let secrets = keys.store().fetching(api, config);
        let driving = keys.spawn();
        secrets.store().synced().await.expect("synced");
        server.take_requests();
        Self { server, secrets, _driving: driving }
    }

    /// Returns `count` Secrets in namespace `a`.
    async fn of_many(count: usize, config: FetchConfig) -> Self {
        let identities: Vec<_> = (0..count).map(|number| format!("a/s{number:03}")).collect();
        Self::of(identities.iter().map(String::as_str), config).await
    }

    async fn value(&self, identity: &str) -> Result<Option<String>, Error> {
        let (namespace, name) = identity.split_once('/').expect("namespace/name");
        Ok(self.secrets.get((namespace, name)).await?.map(|secret| value(&secret)))
    }

    async fn all_in(&self, own: &str) -> Result<Vec<Result<Arc<Secret>, Error>>, Error> {
        self.secrets.by(&namespace()).get(own).await
    }

    /// Changes a Secret, and waits until the watch has seen it.
    async fn set(&self, identity: &str, value: &str) {
        let written = self.server.apply(&secret(identity, "shop", &base64(value)));
        let version = written.expect("a Secret")["metadata"]["resourceVersion"].clone();
        let (namespace, name) = identity.split_once('/').expect("namespace/name");
        let version = version.as_str().expect("a version");
        let seen = self.secrets.store().wait_for(Write::of((namespace, name), version)).await;
        seen.expect("the watch runs");
    }

    /// Returns the requests since the last call, except those of the watch.
    fn asked(&self) -> Vec<String> {
        let requests = self.server.take_requests();
        requests.into_iter().filter(|request| !request.contains("watch")).collect()
    }
}

fn base64(text: &str) -> String {
    let value = serde_json::to_value(k8s_openapi::ByteString(text.into())).expect("text");
    value.as_str().expect("text").to_owned()
}

fn value(secret: &Secret) -> String {
    String::from_utf8(secret.data.as_ref().expect("data")["key"].0.clone()).expect("text")
}

/// A store of `ConfigMap`s that a test feeds by hand, and a `Fetching` from a server.
struct ByHand {
    server: ApiServer,
    feed: Feed,
    configs: Fetching<ConfigMap, ConfigMap>,
    store: Store<ConfigMap>,
    _driving: Spawned,
}

impl ByHand {
    async fn new(config: FetchConfig) -> Self {
        let server = ApiServer::new();
        let (feed, events) = feed();
        let configs = events.index(());
        let store = configs.store();
        let fetching = store.fetching(Api::all(server.client()), config);
        let driving = configs.spawn();
        feed.list([]);
        store.synced().await.expect("synced");
        Self { server, feed, configs: fetching, store, _driving: driving }
    }

    /// Writes an object that the watch doesn't see.
    fn write(&self, name: &str, value: &str) -> ConfigMap {
        let written = self.server.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "a", "name": name }, "data": { "value": value },
        }));
        serde_json::from_value(written.expect("a ConfigMap")).expect("a ConfigMap")
    }

    /// Lets the watch see an event.
    async fn see(&self, event: Event<ConfigMap>) {
        self.feed.send(event);
        tokio::task::yield_now().await;
    }

    async fn value(&self, name: &str) -> Result<Option<String>, Error> {
        let found = self.configs.get(("a", name)).await?;
        Ok(found.map(|config| config.data.as_ref().expect("data")["value"].clone()))
    }
}

/// Returns the virtual time that a future takes.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    (future.await, begun.elapsed())
}

fn source(error: &Error) -> &Error {
    let source = std::error::Error::source(error).expect("a cause");
    source.downcast_ref().expect("one of ours")
}

/// SEMANTICS: C3
#[tokio::test(start_paused = true)]
async fn eight_who_miss_one_object_ask_for_it_once() {
    let world = World::of(["a/x", "a/y"], FetchConfig::default()).await;
    world.server.fault(Verb::Get, 1, Fault::Delay(SECOND));
    let (values, took) = timed(join_all((0..8).map(|_| world.value("a/x")))).await;
    assert!(values.into_iter().all(|value| value.unwrap().as_deref() == Some("a/x")));
    assert_eq!(world.asked(), ["GET /api/v1/namespaces/a/secrets/x"]);
    assert_eq!(took, SECOND);
    let report = world.secrets.report();
    assert_eq!((report.hits, report.misses, report.joined, report.gets), (0, 8, 7, 1));
    assert_eq!((report.objects, report.in_flight), (1, 0));
    // Later reads take no time.
    assert_eq!(world.value("a/x").await.unwrap().as_deref(), Some("a/x"));
    assert!(world.asked().is_empty());
    assert_eq!(world.secrets.report().hits, 1);
}

/// SEMANTICS: C3
#[tokio::test(start_paused = true)]
async fn the_first_caller_may_leave() {
    let world = World::of(["a/x"], FetchConfig::default()).await;
    world.server.fault(Verb::Get, 1, Fault::Delay(SECOND));
    let mut first = Box::pin(world.value("a/x"));
    assert!(poll!(&mut first).is_pending());
    let mut second = pin!(world.value("a/x"));
    assert!(poll!(&mut second).is_pending());
    advance(SECOND / 2).await;
    drop(first);
    assert_eq!(second.await.unwrap().as_deref(), Some("a/x"));
    assert_eq!(world.asked().len(), 1);

    // All callers are gone: the fetch ends, and the next one starts again.
    world.set("a/x", "new").await;
    world.server.fault(Verb::Get, 1, Fault::Delay(SECOND));
    let mut only = Box::pin(world.value("a/x"));
    assert!(timeout(SECOND / 2, &mut only).await.is_err());
    assert_eq!(world.secrets.report().in_flight, 1);
    drop(only);
    assert_eq!(world.secrets.report().in_flight, 0);
    assert_eq!(world.value("a/x").await.unwrap().as_deref(), Some("new"));
    assert_eq!(world.asked().len(), 2);
}

/// SEMANTICS: C2
#[tokio::test(start_paused = true)]
async fn it_is_kept_for_a_while_from_the_fetch_on() {
    let world = World::of(["a/x"], FetchConfig::default()).await;
    for _ in 0..13 {
        world.value("a/x").await.unwrap();
        advance(10 * SECOND).await;
    }
    assert_eq!(world.asked().len(), 1);
    assert_eq!(world.secrets.report().objects, 0);
    world.value("a/x").await.unwrap();
    assert_eq!(world.asked().len(), 1);
    let report = world.secrets.report();
    assert_eq!((report.expired, report.hits, report.gets), (1, 12, 2));
}

/// SEMANTICS: C1, C2
#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_may_be() {
    let world = World::of_many(30, FetchConfig::default().max_objects(10)).await;
    assert_eq!(world.all_in("a").await.unwrap().len(), 30);
    let report = world.secrets.report();
    assert_eq!((report.objects, report.evicted), (10, 20));

    let bytes = report.bytes / 10;
    let world = World::of_many(30, FetchConfig::default().max_bytes(5 * bytes)).await;
    assert_eq!(world.all_in("a").await.unwrap().len(), 30);
    let report = world.secrets.report();
    assert_eq!((report.objects, report.evicted), (5, 25));
    assert!(report.bytes <= 5 * bytes);
}

/// SEMANTICS: C4
#[tokio::test(start_paused = true)]
async fn objects_that_the_watch_sees_change_are_fetched_again() {
    let world = World::of(["a/x", "a/y"], FetchConfig::default()).await;
    for identity in ["a/x", "a/y"] {
        assert_eq!(world.value(identity).await.unwrap().as_deref(), Some(identity));
    }
    world.asked();
    world.set("a/x", "second").await;
    assert_eq!(world.value("a/x").await.unwrap().as_deref(), Some("second"));
    assert_eq!(world.value("a/y").await.unwrap().as_deref(), Some("a/y"));
    assert_eq!(world.asked(), ["GET /api/v1/namespaces/a/secrets/x"]);
    assert_eq!(world.secrets.report().outdated, 1);
    // A deleted object is absent, without a request.
    let deleted = world.server.delete("secrets", "a", "x").expect("it is there");
    let version = deleted["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    world.server.bookmark();
    world.secrets.store().wait_for(Write::of(("a", "x"), &version)).await.expect("seen");
    sleep(SECOND).await;
    assert_eq!(world.value("a/x").await.unwrap(), None);
    assert!(world.asked().is_empty());
    assert_eq!(world.secrets.report().objects, 1);
}

/// SEMANTICS: C4
#[tokio::test(start_paused = true)]
async fn an_answer_from_before_what_was_watched_is_asked_for_again() {
    let world = World::of(["a/x"], FetchConfig::default()).await;
    world.set("a/x", "second").await;
    world.server.fault(Verb::Get, 1, Fault::Rewind { changes: 1 });
    let (answer, took) = timed(world.value("a/x")).await;
    assert_eq!((answer.unwrap().as_deref(), took), (Some("second"), Duration::ZERO));
    let asked = world.asked();
    let version = world.secrets.store().get(("a", "x")).expect("it is there");
    let version = version.resource_version().expect("a version");
    // A server that lags gets the minimum version in the request.
    let again = format!("GET /api/v1/namespaces/a/secrets/x?resourceVersion={version}");
    assert_eq!(asked, ["GET /api/v1/namespaces/a/secrets/x", &again]);
    assert_eq!(world.secrets.report().stale, 1);

    // An older object is never returned: the fetch times out.
    world.set("a/x", "third").await;
    world.server.fault(Verb::Get, 100, Fault::Rewind { changes: 1 });
    let (answer, took) = timed(world.value("a/x")).await;
    let error = answer.unwrap_err();
    assert!(error.is_timeout() && error.object() == Some(("a", "x")), "{error:?}");
    assert!(source(&error).is_desynced());
    assert!(took <= 30 * SECOND, "{took:?}");
    assert_eq!(world.secrets.report().objects, 0);
    world.server.clear_faults();
    assert_eq!(world.value("a/x").await.unwrap().as_deref(), Some("third"));
}

/// A fetch may be ahead of the watch; later reads must not go back behind it.
/// SEMANTICS: C4
#[tokio::test(start_paused = true)]
async fn an_answer_from_after_what_was_watched_is_good() {
    let world = ByHand::new(FetchConfig::default()).await;
    world.see(Event::Apply(world.write("x", "first"))).await;
    let second = world.write("x", "second");
    assert_eq!(world.value("x").await.unwrap().as_deref(), Some("second"));
    world.see(Event::Apply(second)).await;
    assert_eq!(world.value("x").await.unwrap().as_deref(), Some("second"));
    assert_eq!(world.server.requests().len(), 1);
}

/// Callers in several threads, with concurrent changes and cancellations.
/// SEMANTICS: B3
#[tokio::test(start_paused = true)]
async fn many_that_are_in_the_cache_let_others_run() {
    let world = World::of_many(300, FetchConfig::default()).await;
    world.all_in("a").await.unwrap();
    world.asked();
    tokio::task::yield_now().await;
    let mut all = pin!(world.all_in("a"));
    let mut turns = 0;
    let found = poll_fn(|cx| {
        turns += 1;
        all.as_mut().poll(cx)
    });
    assert_eq!(found.await.unwrap().len(), 300);
    assert!((3..=4).contains(&turns), "{turns}");
    assert!(world.asked().is_empty());
}

/// SEMANTICS: C3, C4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_older_than_what_its_reader_knew() {
    const READERS: u64 = 6;
    let world = Arc::new(World::of_many(6, FetchConfig::default().concurrency(3)).await);
    let reading = Arc::new(AtomicBool::new(true));
    let read = |seed| {
        let (world, reading) = (Arc::clone(&world), Arc::clone(&reading));
        let mut random = Random::new(seed);
        tokio::spawn(async move {
            let mut read = 0;
            while reading.load(Ordering::Relaxed) {
                let name = format!("s{:03}", random.below(6));
                let known = world.secrets.store().get(("a", &name)).expect("none is deleted");
                let known: u64 = known.resource_version().unwrap().parse().unwrap();
                let mut wanted = Box::pin(world.secrets.get(("a", &name)));
                if random.below(3) == 0 {
                    // Cancel in the middle of the fetch, if it isn't complete.
                    let _ = poll!(&mut wanted);
                    tokio::task::yield_now().await;
                    continue;
                }
                let found = wanted.await.unwrap().expect("none is deleted");
                let version = found.metadata.resource_version.as_ref().unwrap();
                assert!(version.parse::<u64>().unwrap() >= known);
                read += 1;
            }
            read
        })
    };
    let readers: Vec<_> = (0..READERS).map(read).collect();
    for number in 0..400 {
        world.set(&format!("a/s{:03}", number % 6), &number.to_string()).await;
    }
    reading.store(false, Ordering::Relaxed);
    let read: usize = join_all(readers).await.into_iter().map(Result::unwrap).sum();
    let report = world.secrets.report();
    assert!(read > 400 && report.outdated > 50, "{read} {report:?}");
    assert_eq!((report.in_flight, report.failures), (0, 0));
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn a_failure_does_not_affect_the_others() {
    let config = FetchConfig::default().concurrency(1);
    let world = World::of(["a/x", "a/y", "a/z"], config).await;
    world.server.fault(On::verb(Verb::Get).skip(1), 1, Fault::status(403));
    let found = world.all_in("a").await.unwrap();
    let lines: Vec<_> = found
        .iter()
        .map(|found| match found {
            Ok(secret) => value(secret),
            Err(error) => format!("{} {:?} {error}", error.reason(), error.object()),
        })
        .collect();
    let failure = r#"Forbidden Some(("a", "y")) object a/y can't be fetched"#;
    assert_eq!(lines, ["a/x", failure, "a/z"]);
    assert!(found[1].as_ref().unwrap_err().is_refusal());
    // Collecting into a `Result` fails at the first error.
    let all: Result<Vec<_>, _> = found.into_iter().collect();
    assert!(all.unwrap_err().is_forbidden());
    assert_eq!(world.secrets.report().failures, 1);
    // The failure is not cached.
    assert_eq!(world.value("a/y").await.unwrap().as_deref(), Some("a/y"));
}

/// SEMANTICS: C5, W7
#[tokio::test(start_paused = true)]
async fn an_undecodable_object_is_named_and_not_quoted() {
    let world = World::of(["a/x", "a/y"], FetchConfig::default()).await;
    world.server.fault(Verb::Get, 9, Fault::Garble { name: "y".into() });
    let found = world.all_in("a").await.unwrap();
    let error = found[1].as_ref().unwrap_err();
    assert!(found[0].is_ok() && error.is_undecodable());
    assert_eq!(error.object(), Some(("a", "y")));
    let told = format!("{error} {error:?} {:?}", world.secrets);
    assert!(!told.contains(&base64("a/y")) && !told.contains("a/y\""), "{told}");
    // A retry would fail in the same way.
    assert_eq!(world.asked().len(), 2);
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn failures_that_pass_are_waited_for() {
    let world = World::of(["a/x"], FetchConfig::default()).await;
    for fault in [Fault::Refused, Fault::status(500), Fault::Lost, Fault::status(504)] {
        world.server.fault(Verb::Get, 1, fault);
    }
    assert_eq!(world.value("a/x").await.unwrap().as_deref(), Some("a/x"));
    assert_eq!(world.secrets.report().retries, 4);
    // The requested delay is kept, if the time limit allows it.
    world.set("a/x", "second").await;
    world.server.fault(Verb::Get, 1, Fault::too_many_requests(20 * SECOND));
    let (answer, took) = timed(world.value("a/x")).await;
    assert_eq!(answer.unwrap().as_deref(), Some("second"));
    assert!(took >= 20 * SECOND && took < 21 * SECOND, "{took:?}");
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn an_outage_is_an_error_and_never_an_absence() {
    let world = World::of_many(12, FetchConfig::default()).await;
    assert_eq!(world.value("a/s000").await.unwrap().as_deref(), Some("a/s000"));
    world.server.fault(On::any(), 100_000, Fault::Refused);
    world.server.disconnect();
    let (found, took) = timed(world.all_in("a")).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 12, "each is there, or why it isn't");
    assert!(took <= 30 * SECOND, "{took:?}");
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 1, "the one that is kept");
    for (number, error) in
        found.iter().enumerate().filter_map(|(n, found)| Some((n, found.as_ref().err()?)))
    {
        assert_eq!(error.object(), Some(("a", &*format!("s{number:03}"))));
        assert!(error.is_timeout() && source(error).is_connection(), "{error:?}");
    }
    world.server.clear_faults();
    let found = world.all_in("a").await.unwrap();
    assert!(found.len() == 12 && found.iter().all(Result::is_ok));
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn a_call_has_a_deadline_of_its_own() {
    let world = World::of(["a/x"], FetchConfig::default().deadline(5 * SECOND)).await;
    world.server.fault(Verb::Get, 1, Fault::Delay(3600 * SECOND));
    let mut first = pin!(world.value("a/x"));
    assert!(poll!(&mut first).is_pending());
    advance(4 * SECOND).await;
    // It waits for the fetch of the first one, which ends earlier, and then for its own.
    let second = timed(world.value("a/x"));
    let (first, (second, took)) = futures::join!(first, second);
    let error = first.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), "object a/x was not fetched in time");
    assert_eq!((second.unwrap().as_deref(), took), (Some("a/x"), SECOND));
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn after_its_deadline_a_call_asks_for_nothing() {
    let world =
        World::of_many(20, FetchConfig::default().concurrency(2).deadline(5 * SECOND)).await;
    world.server.fault(Verb::List, 1, Fault::status(403));
    world.server.fault(Verb::Get, 100, Fault::Delay(3600 * SECOND));
    let (found, took) = timed(world.all_in("a")).await;
    let timeouts =
        found.unwrap().iter().filter(|found| found.as_ref().unwrap_err().is_timeout()).count();
    assert_eq!((timeouts, took), (20, 5 * SECOND));
    assert_eq!(world.secrets.report().gets, 2, "those that had a turn");
}

/// SEMANTICS: C4, C5
#[tokio::test(start_paused = true)]
async fn listed_objects_are_checked_against_the_watch_too() {
    let world = ByHand::new(FetchConfig::default()).await;
    for number in 0..9 {
        let mut config = world.write(&format!("c{number}"), "x");
        if number == 4 {
            // The list is then older, like that of a server that lags.
            config.metadata.resource_version = Some("1000000".into());
        }
        world.see(Event::Apply(config)).await;
    }
    let found = world.configs.fetch(&world.store.snapshot()).await;
    for (number, found) in found.iter().enumerate() {
        assert_eq!(found.as_ref().is_err_and(|error| source(error).is_desynced()), number == 4);
    }
    let report = world.configs.report();
    assert_eq!((report.lists, report.objects, report.failures), (1, 8, 1));
}

/// An object of another kind may have the requested name.
///
/// SEMANTICS: B6
#[tokio::test(start_paused = true)]
async fn an_object_of_another_kind_is_rejected() {
    let server = ApiServer::new();
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "a", "name": "x" },
    });
    server.apply(&config).expect("a ConfigMap");
    let (api, gvr) = (Api::<ConfigMap>::all(server.client()), Gvr::parse("v1/configmaps").unwrap());
    let keys = watch(api.clone()).index_keys(namespace()).expect("paths");
    let config = FetchConfig::default().deadline(2 * SECOND);
    let typed = keys.store().fetching(api, config.clone());
    let untyped = keys.store().fetching_resource(server.client(), gvr, config).unwrap();
    let _driving = keys.spawn();
    let mut other = secret("a/x", "shop", "");
    other["metadata"]["resourceVersion"] = "1000".into();
    for is_other in [true, false] {
        if is_other {
            server.fault(Verb::Get, usize::MAX, Fault::Answer(Answer::json(200, &other)));
        } else {
            server.clear_faults();
        }
        let typed = typed.get(("a", "x")).await.map(|found| found.is_some());
        let untyped = untyped.get(("a", "x")).await.map(|found| found.is_some());
        for found in [typed, untyped] {
            assert_eq!(found.is_err(), is_other, "{found:?}");
            assert!(found.unwrap_or(true));
        }
    }
}

/// An answer that is not the requested object is never accepted, whoever sends it.
/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_the_object_is_rejected() {
    let whole = json!({ "namespace": "a", "name": "x", "resourceVersion": "5" });
    let object = |metadata: &Value| json!({ "metadata": metadata }).to_string();
    let without = |field: &str| {
        let mut metadata = whole.clone();
        metadata.as_object_mut().expect("fields").remove(field);
        object(&metadata)
    };
    let with = |field: &str, value: &str| {
        let mut metadata = whole.clone();
        metadata[field] = value.into();
        object(&metadata)
    };
    for (answer, good) in [
        (object(&whole), true),
        (with("name", "y"), false),
        (with("namespace", "b"), false),
        (with("resourceVersion", "4"), false),
        (without("name"), false),
        (without("namespace"), false),
        (without("resourceVersion"), false),
        (object(&whole)[..20].to_owned(), false),
        ("{}".to_owned(), false),
        ("null".to_owned(), false),
        (String::new(), false),
        ("<html>Please log in</html>".to_owned(), false),
    ] {
        let text = answer.clone();
        let service = tower::service_fn(move |_: http::Request<kube::client::Body>| {
            let answer = text.clone();
            async { Ok::<_, std::convert::Infallible>(http::Response::new(answer)) }
        });
        let client = kube::Client::new(service, "default");
        let (feed, events) = feed();
        let configs = events.index(());
        let config = || FetchConfig::default().deadline(2 * SECOND);
        let gvr = Gvr::parse("v1/configmaps").unwrap();
        let store = configs.store();
        let typed = store.fetching::<ConfigMap>(Api::all(client.clone()), config());
        let untyped = store.fetching_resource(client, gvr, config()).unwrap();
        let _driving = configs.spawn();
        feed.list([crate::support::object("a/x", 5)]);
        let typed = typed.get(("a", "x")).await.map(|found| found.map(drop));
        let untyped = untyped.get(("a", "x")).await.map(|found| found.map(drop));
        for found in [typed, untyped] {
            match found {
                Ok(found) => assert!(good && found.is_some(), "{answer}"),
                Err(error) => {
                    assert!(!good && error.is_timeout(), "{answer} {error:?}");
                    assert_eq!(error.object(), Some(("a", "x")));
                }
            }
        }
    }
}

/// SEMANTICS: C6
#[tokio::test(start_paused = true)]
async fn gone_is_what_the_watch_says_is_gone() {
    let world = ByHand::new(FetchConfig::default()).await;
    let (x, y) = (world.write("x", "1"), world.write("y", "1"));
    world.see(Event::Apply(x.clone())).await;
    world.see(Event::Apply(y)).await;
    for name in ["x", "y"] {
        world.server.delete("configmaps", "a", name).expect("it is there");
    }
    // The watch lags a little.
    let both = world.store.snapshot();
    let mut reading = pin!(world.configs.fetch(&both));
    assert!(poll!(&mut reading).is_pending());
    sleep(SECOND).await;
    world.see(Event::Delete(x)).await;
    let found = reading.await;
    assert_eq!(found.len(), 1, "x is left out");
    let error = found[0].as_ref().unwrap_err();
    assert!(error.is_not_found() && !error.is_refusal(), "{error:?}");
    assert_eq!(error.object(), Some(("a", "y")));
    // The fetch waited for the watch, and no longer.
    let (answer, took) = timed(world.value("y")).await;
    assert!(answer.unwrap_err().is_not_found());
    assert_eq!(took, 5 * SECOND);
    // Another resource is not accepted as an object.
    world.server.fault(Verb::Get, 1, Fault::status(404));
    let (answer, took) = timed(world.value("y")).await;
    assert!(answer.unwrap_err().is_not_installed() && took < SECOND);
    // Another object is not accepted either.
    let mut missing = status(404, "NotFound", "not found");
    missing["details"] = json!({ "name": "shop", "kind": "namespaces" });
    world.server.fault(Verb::Get, 1, Fault::Answer(Answer::json(404, &missing)));
    let (answer, took) = timed(world.value("y")).await;
    assert!(answer.unwrap_err().is_not_installed() && took < SECOND);
}

/// SEMANTICS: C6
#[tokio::test(start_paused = true)]
async fn a_recreated_object_is_fetched() {
    let world = ByHand::new(FetchConfig::default()).await;
    world.see(Event::Apply(world.write("x", "1"))).await;
    world.server.delete("configmaps", "a", "x").expect("it is there");
    let mut reading = pin!(world.value("x"));
    assert!(poll!(&mut reading).is_pending());
    sleep(SECOND).await;
    assert!(poll!(&mut reading).is_pending());
    world.see(Event::Apply(world.write("x", "2"))).await;
    assert_eq!(reading.await.unwrap().as_deref(), Some("2"));
    // An object that the server has, but whose deletion the watch saw, counts as deleted.
    let x = world.write("x", "3");
    world.see(Event::Delete(x)).await;
    assert_eq!(world.value("x").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn most_of_a_namespace_is_listed() {
    let world = World::of_many(20, FetchConfig::default()).await;
    world.server.apply(&secret("b/other", "shop", "")).expect("a Secret");
    let all = |found: Vec<Result<Arc<Secret>, Error>>| {
        found.into_iter().map(|found| value(&found.unwrap())).collect::<Vec<_>>()
    };
    // Eight callers cause a single request.
    let found = join_all((0..8).map(|_| world.all_in("a"))).await;
    let names: Vec<_> = (0..20).map(|number| format!("a/s{number:03}")).collect();
    assert!(found.into_iter().all(|found| all(found.unwrap()) == names));
    assert_eq!(world.asked(), ["GET /api/v1/namespaces/a/secrets?limit=40"]);
    let report = world.secrets.report();
    assert_eq!((report.lists, report.gets, report.objects), (1, 0, 20));

    // A few missing objects are fetched one by one.
    for number in 0..9 {
        world.set(&format!("a/s{number:03}"), "new").await;
    }
    assert_eq!(
        all(world.all_in("a").await.unwrap())[..10],
        [["new"; 9].as_slice(), &["a/s009"]].concat()
    );
    assert_eq!(world.asked().len(), 9);
    // Without the right to list, objects are fetched one by one.
    for number in 0..20 {
        world.set(&format!("a/s{number:03}"), "newer").await;
    }
    world.server.fault(On::verb(Verb::List), 1, Fault::status(403));
    assert_eq!(all(world.all_in("a").await.unwrap()), ["newer"; 20]);
    assert_eq!(world.asked().len(), 21);
}

/// The store may have few of the existing objects.
#[tokio::test(start_paused = true)]
async fn no_list_goes_on_for_long_among_others() {
    let server = ApiServer::new();
    for number in 0..200 {
        let app = if number % 20 == 19 { "shop" } else { "blog" };
        server.apply(&secret(&format!("a/s{number:03}"), app, "")).expect("a Secret");
    }
    let api = Api::<Secret>::all(server.client());
    let keys = watch(api.clone()).labels("app=shop").unwrap().index_keys(namespace()).unwrap();
    let secrets = keys.store().fetching(api, FetchConfig::default());
    let _driving = keys.spawn();
    let found = secrets.by(&namespace()).get("a").await.unwrap();
    assert_eq!(found.iter().filter(|found| found.is_ok()).count(), 10);
    // The list of 20 has a single wanted object, so the others are read one by one.
    let report = secrets.report();
    assert_eq!((report.lists, report.gets), (1, 9));
    let lists = server.requests().iter().filter(|request| request.contains("limit=20")).count();
    assert_eq!(lists, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_on_their_way_than_may_be() {
    let world = World::of_many(7, FetchConfig::default().concurrency(2)).await;
    world.server.fault(Verb::Get, 14, Fault::Delay(SECOND));
    let (found, took) = timed(world.all_in("a")).await;
    assert_eq!((found.unwrap().len(), took), (7, 4 * SECOND));
    // The limit is shared by all calls.
    for number in 0..6 {
        world.set(&format!("a/s{number:03}"), "new").await;
    }
    let names: Vec<_> = (0..6).map(|number| format!("a/s{number:03}")).collect();
    let (found, took) = timed(join_all(names.iter().map(|name| world.value(name)))).await;
    assert!(found.iter().all(Result::is_ok) && took == 3 * SECOND, "{took:?}");
}

/// SEMANTICS: C5
#[tokio::test(start_paused = true)]
async fn before_the_sync_nothing_is_absent() {
    let server = ApiServer::new();
    server.apply(&secret("a/x", "shop", &base64("x"))).expect("a Secret");
    server.fault(Verb::List, 2, Fault::status(503));
    let api = Api::<Secret>::all(server.client());
    let keys = watch(api.clone()).index_keys(namespace()).unwrap();
    let secrets = keys.store().fetching(api.clone(), FetchConfig::default());
    let driving = keys.spawn();
    assert_eq!(secrets.get(("a", "x")).await.unwrap().map(|x| value(&x)).as_deref(), Some("x"));
    driving.stop();
    // A failed sync is returned with its cause.
    server.fault(Verb::List, 100, Fault::status(403));
    let keys = watch(api.clone()).index_keys(namespace()).unwrap();
    let keys = keys.sync_policy(SyncPolicy::default().fail_fast(true));
    let secrets = keys.store().fetching(api, FetchConfig::default());
    let _driving = keys.spawn();
    assert!(secrets.get(("a", "x")).await.unwrap_err().is_forbidden());
    assert!(secrets.by(&namespace()).get("a").await.unwrap_err().is_forbidden());
    assert!(secrets.by(&namespace()).get_one("a").await.unwrap_err().is_forbidden());
}

#[tokio::test(start_paused = true)]
async fn objects_need_no_type_and_may_be_strained() {
    let server = ApiServer::new();
    server.apply(&secret("a/x", "shop", &base64("x"))).expect("a Secret");
    let client = server.client();
    let keys = watch(Api::<Secret>::all(client.clone())).index_keys(namespace()).unwrap();
    let filter = FieldFilter::new(["metadata.annotations"]).unwrap();
    let config = FetchConfig::default().filter_fields(filter).unwrap();
    let gvr = Gvr::parse("v1/secrets").unwrap();
    let documents = keys.store().fetching_resource(client.clone(), gvr, config.clone()).unwrap();
    let typed = keys.store().fetching(Api::<Secret>::namespaced(client, "elsewhere"), config);
    let _driving = keys.spawn();
    let document = documents.get(("a", "x")).await.unwrap().expect("it is there").to_value();
    assert_eq!(
        (&document["kind"], &document["data"]["key"]),
        (&json!("Secret"), &json!(base64("x")))
    );
    let typed = typed.get(("a", "x")).await.unwrap().expect("it is there");
    assert_eq!(value(&typed), "x");
    assert_eq!(
        (&document["metadata"]["annotations"], &typed.metadata.annotations),
        (&Value::Null, &None)
    );
}

/// A cluster-scoped kind has no namespaces to list; its namespace is `""`.
#[tokio::test(start_paused = true)]
async fn kinds_without_namespaces_are_fetched() {
    let server = ApiServer::new();
    for number in 0..9 {
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": format!("n{number}") } });
        server.apply(&node).expect("a Node");
    }
    let api = Api::<k8s_openapi::api::core::v1::Node>::all(server.client());
    let keys = watch(api.clone()).index_keys(()).unwrap();
    let nodes = keys.store().fetching(api, FetchConfig::default());
    let mut keys = pin!(keys.log_errors());
    let snapshot = keys.next().await.expect("synced");
    let snapshot = snapshot.snapshot();
    assert!(nodes.get(("", "n3")).now_or_never().is_none());
    assert!(nodes.get(("", "n3")).await.unwrap().is_some());
    assert_eq!(nodes.fetch(snapshot).await.iter().filter(|node| node.is_ok()).count(), 9);
    let requests = server.requests();
    assert!(requests.contains(&"GET /api/v1/nodes/n3".to_owned()), "{requests:?}");
    assert!(requests.contains(&"GET /api/v1/nodes?limit=16".to_owned()), "{requests:?}");
}

/// Objects under a key of the store's index are fetched.
///
/// SEMANTICS: C5, I2, I3
#[tokio::test(start_paused = true)]
async fn objects_are_fetched_by_an_index_of_their_keys() {
    let server = ApiServer::new();
    for (identity, app) in [("a/x", "shop"), ("a/y", "blog"), ("b/x", "shop")] {
        server.apply(&secret(identity, app, &base64(identity))).expect("a Secret");
    }
    let app = Index::path("metadata.labels.app").expect("a path");
    let place = Index::paths(["metadata.labels.app", "metadata.namespace"]).expect("paths");
    let api = Api::<Secret>::all(server.client());
    let keys = watch(api.clone()).index_keys((&app, &place)).expect("paths");
    let secrets = keys.store().fetching(api, FetchConfig::default());
    let _driving = keys.spawn();
    let all = |found: Vec<Result<Arc<Secret>, Error>>| -> Vec<String> {
        found.into_iter().map(|found| value(&found.unwrap())).collect()
    };
    // The call waits for the sync.
    assert_eq!(all(secrets.by(&app).get("shop").await.unwrap()), ["a/x", "b/x"]);
    assert_eq!(all(secrets.by(&place).get(("shop", "b")).await.unwrap()), ["b/x"]);
    assert_eq!(all(secrets.by(&place).get("shop").await.unwrap()), ["a/x", "b/x"]);
    assert_eq!(all(secrets.by(&app).get(()).await.unwrap()), ["a/x", "a/y", "b/x"]);
    assert!(secrets.by(&app).get("none").await.unwrap().is_empty());

    let one = secrets.by(&app).get_one("blog").await.unwrap();
    assert_eq!(one.map(|one| value(&one)).as_deref(), Some("a/y"));
    assert!(secrets.by(&app).get_one("none").await.unwrap().is_none());
    let error = secrets.by(&app).get_one("shop").await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");

    // All types that name an object find it; a missing object causes no request.
    server.take_requests();
    let key = ObjectKey::new("a", "x");
    let reference = ObjectRef::<Secret>::new("x").within("a");
    for found in [
        secrets.get(("a", "x")).await,
        secrets.get("a/x").await,
        secrets.get(&key).await,
        secrets.get(&reference).await,
    ] {
        assert_eq!(found.unwrap().map(|one| value(&one)).as_deref(), Some("a/x"));
    }
    for missing in ["x", "b/y", "a/x/"] {
        assert!(secrets.get(missing).await.unwrap().is_none(), "{missing}");
    }
    assert!(server.take_requests().iter().all(|request| request.contains("watch")));

    // A mistake in the program.
    let other = Index::path("type").expect("a path");
    let unknown = std::panic::catch_unwind(AssertUnwindSafe(|| drop(secrets.by(&other))));
    let too_many = AssertUnwindSafe(secrets.by(&app).get(("shop", "a"))).catch_unwind().await;
    let one = AssertUnwindSafe(secrets.by(&app).get_one(("shop", "a"))).catch_unwind().await;
    assert!(unknown.is_err() && too_many.is_err() && one.is_err());
    // Other callers are not affected.
    assert_eq!(all(secrets.by(&app).get("blog").await.unwrap()), ["a/y"]);
}

/// Both sides return the same for all queries.
/// SEMANTICS: I12, I2, I3, I7
#[tokio::test(start_paused = true)]
async fn a_store_in_memory_and_one_of_keys_give_the_same() {
    const IDENTITY: [&str; 2] = ["metadata.namespace", "metadata.name"];
    const APP: &str = "metadata.labels.app";
    let server = ApiServer::new();
    let api = Api::<Secret>::all(server.client());
    let own = (Index::paths(IDENTITY).expect("paths"), Index::path(APP).expect("a path"));
    let (by_identity, by_app) =
        (Index::paths(IDENTITY).expect("paths"), Index::path(APP).expect("a path"));
    let memory = watch(api.clone()).index((&own.0, &own.1));
    let keys = watch(api.clone()).index_keys((&by_identity, &by_app)).unwrap();
    let config = FetchConfig::default().max_objects(7).ttl(20 * SECOND);
    let (memory_store, cached) = (memory.store(), keys.store().fetching(api, config));
    let _driving = (memory.spawn(), keys.spawn());
    memory_store.synced().await.unwrap();

    let mut random = Random::new(7);
    for round in 0..300 {
        let identity = format!("{}/s{}", ["a", "b"][random.below(2)], random.below(12));
        let (namespace, name) = identity.split_once('/').unwrap();
        if random.below(4) == 0 {
            let _ = server.delete("secrets", namespace, name);
        } else {
            let app = ["shop", "blog"][random.below(2)];
            server.apply(&secret(&identity, app, &base64(&round.to_string()))).expect("a Secret");
        }
        advance(SECOND / 2).await;
        server.bookmark();
        // Both have seen everything.
        let version = server.resource_version().to_string();
        memory_store.wait_for(Write::of(("a", "none"), &version)).await.unwrap();
        cached.store().wait_for(Write::of(("a", "none"), &version)).await.unwrap();

        let (memory, snapshot) = (memory_store.snapshot(), cached.store().snapshot());
        assert_eq!((memory.len(), memory.is_empty()), (snapshot.len(), snapshot.is_empty()));
        let whole = |found: Vec<Result<Arc<Secret>, Error>>| -> Vec<Secret> {
            found.into_iter().map(|found| (*found.unwrap()).clone()).collect()
        };
        let plain = |found: Vec<&Arc<Secret>>| -> Vec<Secret> {
            found.into_iter().map(|found| (**found).clone()).collect()
        };
        for prefix in [&[][..], &["a"], &["b"], &["c"], &["a", "s1"], &["b", "s2"]] {
            let expected = plain(memory.by(&own.0).get(prefix).collect());
            assert_eq!(whole(cached.by(&by_identity).get(prefix).await.unwrap()), expected);
        }
        for app in ["shop", "blog", "none"] {
            let expected = plain(memory.by(&own.1).get(app).collect());
            assert_eq!(whole(cached.by(&by_app).get(app).await.unwrap()), expected);
            assert_eq!(whole(cached.fetch(snapshot.by(&by_app).get(app)).await), expected);
            assert_eq!(snapshot.by(&by_app).keys(), memory.by(&own.1).keys());
        }
        for key in [["a", "s1"], ["b", "s1"], ["c", "s1"]] {
            let expected = memory.by(&own.0).get_one(key).unwrap().map(|found| (**found).clone());
            let found = cached.by(&by_identity).get_one(key).await.unwrap();
            assert_eq!(found.map(|found| (*found).clone()), expected);
            let [namespace, name] = key;
            assert_eq!(memory.get((namespace, name)).map(|found| (**found).clone()), expected);
            let found = cached.get((namespace, name)).await.unwrap();
            assert_eq!(found.map(|found| (*found).clone()), expected);
        }
        let expected = memory.by(&own.0).get_one("a").err().map(|error| error.reason());
        let found = cached.by(&by_identity).get_one("a").await;
        assert_eq!(found.err().map(|error| error.reason()), expected);
    }
    let report = cached.report();
    assert!(report.objects <= 7 && report.hits > 100 && report.evicted > 100, "{report:?}");
    assert_eq!((report.failures, report.in_flight), (0, 0));
}
