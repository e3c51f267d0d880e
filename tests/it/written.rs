//! Waiting until a store has seen a write, in virtual time.

use std::{future::Future, time::Duration};

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::watcher::Event,
};
use kube_weir::{
    Error, EventStreamExt, Index, Snapshot, Store, SyncPolicy, Write,
    testing::{ApiServer, Fault, Verb},
    watch, watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Poller, feed, forbidden, object, state};

const SECOND: Duration = Duration::from_secs(1);

fn config(identity: &str, label: &str) -> Value {
    let (namespace, name) = identity.split_once('/').expect("namespace/name");
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": namespace, "name": name, "labels": { "l": label } },
    })
}

/// Returns the written object, as the server answered.
fn written(answer: Value) -> ConfigMap {
    serde_json::from_value(answer).expect("a ConfigMap")
}

/// Returns the result of a wait if it is already over.
fn now<K>(wait: impl Future<Output = Result<Snapshot<K>, Error>>) -> Option<Snapshot<K>> {
    wait.now_or_never().map(Result::unwrap)
}

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_once_the_store_is_there_or_beyond() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    let wait = |identity, version| now(store.wait_for(&object(identity, version)));
    assert!(wait("a/x", 5).is_none());
    feed.list([object("a/x", 4), object("a/y", 9)]);
    poller.lines();
    // Another object's version says nothing about an existing one.
    assert!(wait("a/x", 5).is_none());
    assert!(wait("a/x", 4).is_some());
    feed.apply("a/x", 10);
    // The object was received, but is not visible yet.
    assert!(wait("a/x", 5).is_none());
    poller.lines();
    assert_eq!(state(&wait("a/x", 5).unwrap()), ["a/x@10", "a/y@9"]);
    assert!(wait("a/x", 10).is_some());
    assert!(wait("a/x", 11).is_none());

    // A deleted object counts as seen from the version of its deletion on.
    feed.delete("a/x", 12);
    poller.lines();
    assert_eq!(state(&wait("a/x", 11).unwrap()), ["a/y@9"]);
    assert!(wait("a/x", 12).is_some());
    assert!(wait("a/x", 13).is_none());
    // An object that was created and deleted unseen counts as seen after any later event.
    assert!(wait("b/z", 13).is_none());
    feed.apply("a/y", 100);
    poller.lines();
    assert!(wait("b/z", 13).is_some());
    assert!(wait("a/x", 99).is_some());
    assert_eq!(store.report().resource_version.as_deref(), Some("100"));

    // A list is at least as late as its items, and never earlier than the events before it.
    feed.list([object("a/y", 100)]);
    poller.lines();
    assert!(wait("a/x", 100).is_some());
    feed.list([object("a/y", 100), object("a/w", 120)]);
    poller.lines();
    assert!(wait("a/x", 120).is_some());
    assert!(wait("a/x", 121).is_none());
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_wake() {
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let _driving = pipeline.spawn();
    let waits: Vec<_> = (1..=100)
        .map(|version| {
            let store = store.clone();
            tokio::spawn(async move {
                store.wait_for(&object("a/x", version)).await.map(|at| at.iter().count())
            })
        })
        .collect();
    feed.list([]);
    for version in 1..=100 {
        sleep(SECOND / 100).await;
        feed.apply("a/x", version);
    }
    for wait in waits {
        assert_eq!(wait.await.unwrap().unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn versions_that_are_no_numbers_are_seen_while_they_are_the_same() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    let at = |version: &str| {
        let mut own = object("a/x", 0);
        own.metadata.resource_version = Some(version.to_owned());
        own
    };
    feed.list([at("b")]);
    poller.lines();
    for (version, seen) in [("b", true), ("a", false), ("1", false)] {
        assert_eq!(now(store.wait_for(&at(version))).is_some(), seen, "{version}");
    }
    // Numbers may be of any size.
    let huge = "340282366920938463463374607431768211456";
    feed.send(Event::Apply(at(huge)));
    poller.lines();
    for version in ["18446744073709551616", huge, "9"] {
        assert!(now(store.wait_for(&at(version))).is_some(), "{version}");
    }
    assert!(now(store.wait_for(&at(&format!("{huge}0")))).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_leads_nowhere_ends_with_the_cause() {
    let (feed, events) = feed();
    let pipeline = events.index(()).sync_policy(SyncPolicy::default().deadline(SECOND));
    let store = pipeline.store();
    let driving = pipeline.spawn();
    feed.list([object("a/x", 4)]);
    store.synced().await.unwrap();
    let begun = Instant::now();
    let error = store.wait_for(&object("a/x", 5)).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.to_string(), "a/x at resourceVersion 5 was not seen within 1s");
    assert_eq!(begun.elapsed(), SECOND);
    // Other objects that arrive don't extend the wait.
    let wait = async {
        let begun = Instant::now();
        assert!(store.wait_for(&object("a/x", 500)).await.unwrap_err().is_timeout());
        assert_eq!(begun.elapsed(), SECOND);
    };
    let others = async {
        for version in 10..20 {
            feed.apply("a/y", version);
            sleep(SECOND / 5).await;
        }
    };
    tokio::join!(wait, others);
    feed.fail(forbidden());
    assert!(store.wait_for(&object("a/x", 5)).await.unwrap_err().is_forbidden());
    // With a shorter timeout, it ends earlier.
    assert!(timeout(SECOND / 2, store.wait_for(&object("a/x", 5))).await.is_err());

    let mut nameless = object("a/x", 5);
    nameless.metadata.resource_version = None;
    assert!(store.wait_for(&nameless).await.is_err());
    driving.stop();
    let error = store.wait_for(&object("a/x", 5)).await.unwrap_err();
    assert!(error.is_ended(), "{error:?}");
    assert!(store.wait_for(&object("a/x", 4)).await.is_ok(), "that it ended takes nothing back");
}

fn typed(server: &ApiServer) -> kube_weir::Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

async fn seen(store: &Store<ConfigMap>, written: &ConfigMap) -> Vec<String> {
    let snapshot = store.wait_for(written).await.unwrap();
    let line = |own: &ConfigMap| own.metadata.labels.as_ref().map(|all| all["l"].clone());
    snapshot.iter().filter_map(|own| line(own)).collect()
}

#[tokio::test(start_paused = true)]
async fn writes_of_another_client_are_read() {
    let server = ApiServer::new();
    let pipeline = typed(&server).index(());
    let store = pipeline.store();
    let documents = watch_resource(server.client(), "v1/configmaps").unwrap();
    let documents = documents.streaming_list(true).index(Index::path("kind").unwrap());
    let document_store = documents.store();
    let (_driving, _documents) = (pipeline.spawn(), documents.spawn());
    let api: Api<ConfigMap> = Api::namespaced(server.client(), "a");
    let new = written(config("a/x", "1"));
    let label = |value: &str| Patch::Merge(json!({ "metadata": { "labels": { "l": value } } }));

    let created = api.create(&PostParams::default(), &new).await.unwrap();
    assert_eq!(seen(&store, &created).await, ["1"]);
    let updated = api.patch("x", &PatchParams::default(), &label("2")).await.unwrap();
    assert_eq!(seen(&store, &updated).await, ["2"]);
    // A write also counts as seen in later states.
    assert_eq!(seen(&store, &created).await, ["2"]);
    let last = api.patch("x", &PatchParams::default(), &label("3")).await.unwrap();
    api.delete("x", &DeleteParams::default()).await.unwrap();
    assert!(seen(&store, &updated).await.len() <= 1);
    sleep(SECOND).await;
    assert!(seen(&store, &last).await.is_empty());
    // The store may have another type than the written object.
    assert!(document_store.wait_for(&last).await.unwrap().is_empty());
    let again = api.create(&PostParams::default(), &new).await.unwrap();
    let version = again.metadata.resource_version.clone().unwrap();
    let snapshot = document_store.wait_for(Write::of(("a", "x"), &version)).await.unwrap();
    assert_eq!(snapshot.get(("a", "x")).unwrap().resource_version(), Some(version.as_str()));
    assert_eq!(store.report().resource_version, Some(version));
}

#[tokio::test(start_paused = true)]
async fn changes_while_the_watch_was_down_are_seen_in_the_list() {
    let server = ApiServer::new();
    let pipeline = typed(&server).index(());
    let store = pipeline.store();
    let _driving = pipeline.spawn();
    assert_eq!(store.synced().await.unwrap().len(), 0);
    server.fault(Verb::List, 3, Fault::status(500));
    server.compact();
    server.disconnect();
    let created = written(server.apply(&config("a/x", "1")).unwrap());
    server.delete("v1/configmaps", "a", "x").unwrap();
    server.compact();
    // The list is empty: its own version shows that it is late enough.
    assert!(seen(&store, &created).await.is_empty());
    assert_eq!(store.report().resource_version, Some(server.resource_version().to_string()));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_show_that_what_is_not_selected_was_seen() {
    let server = ApiServer::new();
    let pipeline = typed(&server).labels("l=1").unwrap().index(());
    let store = pipeline.store();
    let _driving = pipeline.spawn();
    store.synced().await.unwrap();
    let unselected = written(server.apply(&config("a/x", "2")).unwrap());
    assert!(timeout(SECOND, store.wait_for(&unselected)).await.is_err());
    server.bookmark();
    assert!(seen(&store, &unselected).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_namespace_is_as_far_as_its_own_watch() {
    let server = ApiServer::new();
    let pipeline = typed(&server).namespaces(["a", "b"]).index(());
    let store = pipeline.store();
    let mut changes = pipeline;
    changes.first_synced().await.unwrap();
    let (a, b, c) = ("a/x", "b/x", "c/x");
    let [a, b, c] =
        [a, b, c].map(|identity| written(server.apply(&config(identity, "1")).unwrap()));
    server.delete("v1/configmaps", "a", "x").unwrap();
    server.delete("v1/configmaps", "b", "x").unwrap();
    let deleted = server.resource_version();
    let just_before = (deleted - 1).to_string();
    while store.report().resource_version != Some(deleted.to_string()) {
        let far = |namespace: &str| {
            now(store.wait_for(Write::of((namespace, "none"), &just_before))).is_some()
        };
        // A deletion in one namespace says nothing about another.
        assert!(!(far("b") && store.snapshot().get(("b", "x")).is_some()));
        assert!(!(far("a") && store.snapshot().get(("a", "x")).is_some()));
        if let Ok(item) = timeout(SECOND, changes.next()).await {
            item.unwrap().unwrap();
        } else {
            server.bookmark();
        }
    }
    assert!(now(store.wait_for(&a)).is_some() && now(store.wait_for(&b)).is_some());
    assert!(now(store.wait_for(&c)).is_none(), "a namespace that nobody watches");
}

/// SEMANTICS: W6
#[tokio::test(start_paused = true)]
async fn an_object_that_does_not_decode_is_not_taken_for_gone() {
    let server = ApiServer::new();
    let pipeline = typed(&server).index(());
    let store = pipeline.store();
    let _driving = pipeline.spawn();
    store.synced().await.unwrap();
    let mut broken = config("a/x", "1");
    broken["data"] = json!(7);
    let answer = server.apply(&broken).unwrap();
    let version = answer["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let other = written(server.apply(&config("a/y", "1")).unwrap());
    store.wait_for(&other).await.unwrap();
    assert_eq!(store.report().stale, ["a/x"]);
    let wait = store.wait_for(Write::of(("a", "x"), &version));
    assert!(timeout(SECOND, wait).await.is_err());
    server.apply(&config("a/x", "2")).unwrap();
    let snapshot = store.wait_for(Write::of(("a", "x"), &version)).await.unwrap();
    assert!(snapshot.get(("a", "x")).is_some());
}

/// SEMANTICS: S8
#[tokio::test(start_paused = true)]
async fn a_version_alone_is_seen_once_every_namespace_is_past_it() {
    let server = ApiServer::new();
    let mut changes = typed(&server).namespaces(["a", "b"]).index(());
    let store = changes.store();
    changes.first_synced().await.unwrap();
    server.apply(&config("a/x", "1")).unwrap();
    let version = server.resource_version().to_string();
    let seen = || now(store.wait_for(Write::up_to(&version)));
    while store.snapshot().is_empty() {
        assert!(seen().is_none());
        changes.next().await.unwrap().unwrap();
    }
    // Namespace `b` may lag.
    assert!(seen().is_none());
    server.bookmark();
    assert!(timeout(SECOND, changes.next()).await.is_err(), "bookmarks change nothing");
    assert_eq!(seen().unwrap().len(), 1);
}

/// SEMANTICS: S8
#[tokio::test(start_paused = true)]
async fn a_deletion_of_ones_own_is_seen_once_this_object_is_gone() {
    let server = ApiServer::new();
    let mut changes = typed(&server).index(());
    let store = changes.store();
    changes.first_synced().await.unwrap();
    let gone = |object: &ConfigMap| now(store.wait_for(Write::deletion(object)));
    let first = written(server.apply(&config("a/x", "1")).unwrap());
    assert!(gone(&first).is_none(), "it may come yet");
    changes.next().await.unwrap().unwrap();
    assert!(gone(&first).is_none(), "it is there");
    server.delete("v1/configmaps", "a", "x").unwrap();
    let again = written(server.apply(&config("a/x", "2")).unwrap());
    assert!(gone(&first).is_none(), "nobody has seen that");
    while gone(&first).is_none() {
        changes.next().await.unwrap().unwrap();
    }
    // An object of the same name with another uid is a different object.
    assert_ne!(first.metadata.uid, again.metadata.uid);
    if store.snapshot().is_empty() {
        changes.next().await.unwrap().unwrap();
    }
    assert!(gone(&again).is_none());
    server.delete("v1/configmaps", "a", "x").unwrap();
    changes.next().await.unwrap().unwrap();
    assert!(gone(&again).unwrap().is_empty());
    let nameless = ConfigMap::default();
    assert!(store.wait_for(Write::deletion(&nameless)).await.is_err());
}
