//! User code that panics while a pipeline runs it.

use std::{borrow::Cow, collections::BTreeMap, panic::panic_any, pin::pin, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Resource, api::ObjectMeta};
use kube_weir::{
    Change, Debounce, Election, Error, EventStreamExt, FetchConfig, FieldFilter, FieldSelector,
    Index, LeaseRef, Store, Write,
    testing::{ApiServer, Events},
    watch, world,
};
use serde::{Deserialize, Serialize, ser::Error as _};
use tokio::time::sleep;

use crate::wire::{MINUTE, config, configs, server_with};

/// A `ConfigMap` whose code panics if its content requests it.
#[derive(Clone, Default, Deserialize)]
struct Bomb {
    metadata: ObjectMeta,
    #[serde(default)]
    data: Data,
}

#[derive(Default)]
struct Data(BTreeMap<String, String>);

impl Data {
    fn explode(&self, place: &str) {
        let armed = self.0.get("key").is_some_and(|key| key == place);
        assert!(!armed || std::thread::panicking(), "{place}");
    }
}

impl Clone for Data {
    fn clone(&self) -> Self {
        self.explode("clone");
        Self(self.0.clone())
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let data = Self(BTreeMap::deserialize(deserializer)?);
        data.explode("deserialize");
        Ok(data)
    }
}

impl Serialize for Bomb {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.explode("serialize");
        let value = serde_json::json!({ "metadata": self.metadata, "data": self.data.0 });
        value.serialize(serializer).map_err(S::Error::custom)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.data.explode("drop");
    }
}

impl Resource for Bomb {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ConfigMap".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "configmaps".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn indexes() -> [Index<Bomb>; 2] {
    let closure = Index::with(|bomb: &Bomb| {
        bomb.data.explode("index");
        ["one"]
    });
    [Index::path("data.key").unwrap(), closure.named("closure")]
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_panic_is_one_error_and_the_end_and_the_snapshot_before_stays() {
    for place in ["deserialize", "serialize", "index", "drop"] {
        for is_between in [false, true] {
            let server = server_with(&["a/x"]);
            let bombs = watch(Api::<Bomb>::all(server.client()));
            let (store, mut changes) = if is_between {
                let changes = bombs.inspect(|_| {}).index(indexes());
                (changes.store(), changes.boxed())
            } else {
                let changes = bombs.index(indexes());
                (changes.store(), changes.boxed())
            };
            assert!(matches!(changes.next().await, Some(Ok(Change::Synced(_)))), "{place}");
            let late = store.changes();
            let before = store.snapshot();
            server.apply(&config("a/y", place)).unwrap();
            if place == "drop" {
                // Both arrive in one run, so only the pipeline has the first.
                server.apply(&config("a/y", "harmless")).unwrap();
            }
            let items: Vec<_> = changes.by_ref().take_until(sleep(MINUTE)).collect().await;
            let errors: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
            assert_eq!(errors.len(), 1, "{place} {is_between}: {errors:?}");
            assert!(errors[0].is_panic() && !errors[0].to_string().contains(place), "{place}");
            assert!(items.last().is_some_and(Result::is_err), "{place}: it is the last");
            assert!(changes.next().await.is_none(), "{place}");
            ends(&store, place).await;
            assert_eq!(store.snapshot().len(), before.len(), "{place}");
            assert_eq!(
                store.snapshot().by_name("closure").unwrap().get("one").count(),
                store.snapshot().len()
            );
            let late: Vec<_> = late.collect().await;
            assert!(late.iter().flatten().all(|change| change.snapshot().len() < 3), "{place}");
        }
    }
}

async fn ends(store: &Store<Bomb>, place: &str) {
    let waiting = store.wait_for(Write::of(("a", "z"), "1000")).await;
    let error = waiting.map(drop).unwrap_err();
    assert!(error.is_ended(), "{place}: {error}");
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<Error>());
    assert!(cause.is_some_and(Error::is_panic), "{place}: {cause:?}");
    assert_eq!(store.report().state, "ended", "{place}");
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_watch_and_a_task_say_that_they_panicked() {
    let server = server_with(&["a/x"]);
    server.apply(&config("a/y", "deserialize")).unwrap();
    let items: Vec<_> = watch(Api::<Bomb>::all(server.client())).collect().await;
    let panics = items.iter().filter(|item| item.as_ref().is_err_and(Error::is_panic)).count();
    assert!(panics == 1 && items.last().is_some_and(Result::is_err));

    let task = watch(Api::<Bomb>::all(server.client())).index(indexes()).spawn();
    assert!(task.await.unwrap_err().is_panic());
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_first_list_ends_all_waiting() {
    let server = ApiServer::new();
    server.apply(&config("a/x", "index")).unwrap();
    let changes = watch(Api::<Bomb>::all(server.client())).index(indexes());
    let store = changes.store();
    let task = changes.spawn();
    let waiting = [store.clone(), store.clone()]
        .map(|store| tokio::spawn(async move { store.synced().await.map(drop) }));
    for waiting in waiting {
        let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap();
        assert!(ended.unwrap().unwrap_err().is_ended());
    }
    assert!(task.await.unwrap_err().is_panic());
    assert!(store.snapshot().is_empty());
    // Other objects are unchanged.
    let driven = crate::wire::drive(configs(&server));
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);
}

/// All callers that wait for an object get the error, and none of them panics.
///
/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn an_object_that_panics_when_it_is_fetched_is_an_error_for_all() {
    let server = ApiServer::new();
    server.apply(&config("a/x", "deserialize")).unwrap();
    let namespace = Index::path("metadata.namespace").unwrap();
    let keys = configs(&server).index_keys(&namespace).unwrap();
    let fetching = keys.store().fetching(Api::<Bomb>::all(server.client()), FetchConfig::default());
    let _driven = keys.spawn();
    let (one, other) = futures::join!(fetching.get(("a", "x")), fetching.get(("a", "x")));
    for found in [one, other] {
        let error = found.map(drop).unwrap_err();
        assert!(error.is_panic(), "{error}");
    }
    let many = fetching.by(&namespace).get("a").await.unwrap();
    assert_eq!(many.len(), 1);
    assert!(many.iter().all(|found| found.as_ref().is_err_and(Error::is_panic)));
    server.apply(&config("a/x", "good")).unwrap();
    fetching
        .store()
        .wait_for(Write::of(("a", "x"), server.resource_version().to_string()))
        .await
        .unwrap();
    assert!(fetching.get(("a", "x")).await.unwrap().is_some());
}

fn bomb(place: &str, version: u32) -> Bomb {
    let data = Data([("key".to_owned(), place.to_owned())].into());
    let metadata = ObjectMeta {
        name: Some("x".to_owned()),
        resource_version: Some(version.to_string()),
        ..ObjectMeta::default()
    };
    Bomb { metadata, data }
}

/// Applies an object, and replaces it once the stages behind the index have seen it.
fn replaced(place: &str) -> Events<Bomb> {
    Events::listed([])
        .wait(Duration::from_secs(1))
        .apply(bomb(place, 1))
        .wait(Duration::from_secs(1))
        .apply(bomb("harmless", 2))
        .wait(Duration::from_secs(1))
        .apply(bomb("harmless", 3))
}

/// Returns the end of the stream: the error must be the last item.
async fn outcome<T, E>(stream: impl Stream<Item = Result<T, E>>) -> Vec<Result<(), E>> {
    // A panic of the stream itself fails the test. Panics of items are caught.
    let mut stream = pin!(stream);
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item.map(drop));
    }
    assert!(stream.next().await.is_none());
    items
}

/// A payload that panics again when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the payload");
    }
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_panic_of_its_payload_is_caught_as_well() {
    let by = Index::with(|_: &Bomb| -> Option<String> { panic_any(Payload) });
    let items = outcome(Events::listed([bomb("harmless", 1)]).index(by)).await;
    assert!(matches!(&items[..], [Err(error)] if error.is_panic()), "{items:?}");
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn each_stage_by_itself_ends_with_one_error() {
    let listed = |place| Events::listed([bomb("harmless", 1)]).apply(bomb(place, 2));
    let selector = FieldSelector::parse("data.key=harmless").unwrap();
    let filter = FieldFilter::new(["spec"]).unwrap();
    let lease = LeaseRef::new("default", "lease");
    let campaign = Election::new(ApiServer::new().client(), lease, "replica").unwrap().campaign();
    let never = Events::<Bomb>::new().stay_open();
    let held = Debounce::quiet(MINUTE);
    let stages: [(&str, BoxStream<'_, Result<(), Error>>); 6] = [
        ("matching", listed("serialize").matching(selector).unwrap().map_ok(drop).boxed()),
        ("filter_fields", listed("serialize").filter_fields(filter).unwrap().map_ok(drop).boxed()),
        ("debounce", replaced("drop").index(()).debounce(held).map_ok(drop).boxed()),
        (
            "while_leading",
            replaced("drop").index(()).while_leading(&campaign.watch()).map_ok(drop).boxed(),
        ),
        ("world", world((replaced("drop").index(()),)).debounce(held).map_ok(drop).boxed()),
        (
            "world, while another kind loads",
            world((replaced("drop").index(()), ("other", never.index(())))).map_ok(drop).boxed(),
        ),
    ];
    for (name, stage) in stages {
        let items = outcome(stage).await;
        let errors = items.iter().filter(|item| item.as_ref().is_err_and(Error::is_panic)).count();
        assert_eq!(
            (errors, items.last().map(Result::is_err)),
            (1, Some(true)),
            "{name}: {items:?}"
        );
    }
    let events = listed("clone").index(()).log_errors().into_events();
    let items = outcome(events).await;
    assert!(items.last().is_some_and(Result::is_err), "{items:?}");
}
