//! Recently deleted objects.

use std::{sync::Arc, time::Duration};

use futures::stream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{
    EventStreamExt, Index, KeepDeleted, Snapshot, Store, prelude::*, testing::ApiServer,
};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{Feed, Poller, feed, labelled, object, reborn, state};

const SECOND: Duration = Duration::from_secs(1);

fn deleted(store: &Store<ConfigMap>) -> Vec<String> {
    state(&store.snapshot().deleted())
}

/// A synced pipeline over a feed, driven by a task.
async fn kept(
    keep: impl Into<KeepDeleted>,
    objects: impl IntoIterator<Item = ConfigMap>,
) -> (Feed, Store<ConfigMap>) {
    let (feed, events) = feed();
    feed.list(objects);
    let changes = events.index(app()).keep_deleted(keep);
    let store = changes.store();
    changes.spawn();
    store.synced().await.expect("a list");
    (feed, store)
}

fn app() -> Index<ConfigMap> {
    Index::path("metadata.labels.app").expect("a path")
}

/// Lets the pipeline process the fed events.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn deleted_objects_are_found_for_a_while() {
    let shop = labelled("web/a", 1, "app", "shop");
    let (feed, store) = kept(60 * SECOND, [shop, object("web/b", 2), object("c", 3)]).await;
    assert!(deleted(&store).is_empty());

    feed.delete("web/a", 4);
    feed.delete("c", 5);
    settle().await;
    let snapshot = store.snapshot();
    assert_eq!(state(&snapshot), ["web/b@2"]);
    // The last stored version is found by name and by the indexes of the pipeline.
    assert_eq!(deleted(&store), ["c@3", "web/a@1"]);
    assert!(snapshot.deleted().get("web/a").is_some() && snapshot.deleted().get("c").is_some());
    assert_eq!(snapshot.deleted().by(&app()).get("shop").len(), 1);
    assert_eq!(snapshot.by(&app()).get("shop").len(), 0);
    assert_eq!(store.report().deleted, 2);

    sleep(30 * SECOND).await;
    feed.delete("web/b", 6);
    sleep(29 * SECOND).await;
    assert_eq!(deleted(&store), ["c@3", "web/a@1", "web/b@2"]);
    // Without events, deleted objects expire, too.
    sleep(2 * SECOND).await;
    assert_eq!(deleted(&store), ["web/b@2"]);
    sleep(30 * SECOND).await;
    assert_eq!((deleted(&store).len(), store.report().deleted), (0, 0));
    // A snapshot never changes.
    assert_eq!(state(&snapshot.deleted()), ["c@3", "web/a@1"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_another_one_replaced_is_gone_too() {
    let (feed, store) = kept(60 * SECOND, [object("web/a", 1), object("web/b", 1)]).await;
    feed.send(Event::Apply(reborn("web/a", 5, "2")));
    // A new version is no deletion.
    feed.apply("web/b", 6);
    settle().await;
    assert_eq!(state(&store.snapshot()), ["web/a@5", "web/b@6"]);
    assert_eq!(deleted(&store), ["web/a@1"]);
    // The later deletion replaces the earlier one of its name, and is kept for the full time.
    sleep(50 * SECOND).await;
    feed.send(Event::Delete(reborn("web/a", 7, "2")));
    settle().await;
    assert_eq!(deleted(&store), ["web/a@5"]);
    sleep(30 * SECOND).await;
    assert_eq!(deleted(&store), ["web/a@5"], "the time of the first one is over, not that of this");
    sleep(31 * SECOND).await;
    assert!(deleted(&store).is_empty());
}

#[tokio::test(start_paused = true)]
async fn objects_missing_in_a_relist_and_short_lived_objects_are_kept() {
    let (feed, store) = kept(60 * SECOND, [object("a", 1), object("b", 2)]).await;
    feed.list([object("b", 2), reborn("c", 3, "1")]);
    // In one run: readers never saw the object, but its logs exist.
    feed.apply("d", 4);
    feed.delete("d", 5);
    settle().await;
    assert_eq!(state(&store.snapshot()), ["b@2", "c@3"]);
    assert_eq!(deleted(&store), ["a@1", "d@4"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_kept_than_asked_for() {
    let all: Vec<_> = (0..20).map(|at| object(&format!("n{at:02}"), at + 1)).collect();
    let (feed, store) = kept(KeepDeleted::time(Duration::MAX).max_objects(3), all.clone()).await;
    for (at, object) in all.into_iter().enumerate() {
        feed.send(Event::Delete(object));
        settle().await;
        assert_eq!(deleted(&store).len(), (at + 1).min(3));
    }
    assert_eq!(deleted(&store), ["n17@18", "n18@19", "n19@20"]);
    sleep(1_000_000 * SECOND).await;
    assert_eq!(deleted(&store).len(), 3, "for ever");

    for keep in [KeepDeleted::time(Duration::ZERO), KeepDeleted::time(SECOND).max_objects(0)] {
        let (feed, store) = kept(keep, [object("a", 1)]).await;
        feed.delete("a", 2);
        settle().await;
        assert!(store.snapshot().is_empty() && deleted(&store).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn without_it_nothing_is_kept_and_nothing_is_published_for_it() {
    let (feed, events) = feed();
    feed.list([object("a", 1)]);
    let mut changes = Poller::new(events.index(()));
    let store = changes.stream.store();
    assert_eq!(changes.drain().len(), 1);
    feed.delete("a", 2);
    assert_eq!(changes.drain().len(), 1);
    let deleted: Snapshot<ConfigMap> = store.snapshot().deleted();
    assert!(deleted.is_empty() && deleted.get("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_of_keys_keeps_keys() {
    let server = ApiServer::new();
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "web", "name": "a", "labels": { "app": "shop" } }, "data": { "key": "value" },
    });
    server.apply(&config).unwrap();
    let app = Index::path("metadata.labels.app").unwrap();
    let keys = watch(Api::<ConfigMap>::all(server.client())).index_keys(&app).unwrap();
    let keys = keys.keep_deleted(60 * SECOND);
    let store = keys.store();
    keys.spawn();
    store.synced().await.unwrap();
    server.delete("configmaps", "web", "a").unwrap();
    sleep(SECOND).await;
    let snapshot = store.snapshot();
    assert!(snapshot.is_empty());
    assert_eq!(snapshot.deleted().by(&app).get("shop").len(), 1);
}

/// A deleted object that another replaced is no longer found, so it doesn't count for the limit, nor take
/// memory.
#[tokio::test(start_paused = true)]
async fn a_name_that_comes_and_goes_counts_once() {
    let keep = KeepDeleted::time(60 * SECOND).max_objects(2);
    let (feed, store) = kept(keep, [object("web/a", 1), object("web/b", 2)]).await;
    feed.delete("web/a", 3);
    let mut lives = Vec::new();
    for life in 0..100 {
        feed.send(Event::Apply(reborn("web/b", life + 10, &life.to_string())));
        settle().await;
        lives.push(Arc::downgrade(store.snapshot().get("web/b").expect("it was applied")));
    }
    let kept = format!("web/b@{}", 10 + 98);
    assert_eq!(deleted(&store), ["web/a@1", &kept]);
    let alive = lives.iter().filter(|life| life.strong_count() > 0).count();
    assert!(alive < 30, "{alive} are in memory");

    feed.delete("web/b", 1000);
    feed.apply("c", 1001);
    feed.delete("c", 1002);
    settle().await;
    assert_eq!(deleted(&store), ["c@1001", "web/b@109"], "the oldest made room");
    sleep(61 * SECOND).await;
    assert!(deleted(&store).is_empty());
    assert!(lives.iter().all(|life| life.strong_count() == 0));
}

/// An object may be selected again, or its namespace watched again.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_there_again_is_not_gone() {
    let (feed, store) = kept(60 * SECOND, [object("web/a", 1), object("web/b", 2)]).await;
    for relist in [false, true] {
        feed.delete("web/a", 3);
        feed.delete("web/b", 4); // goes by the name
        settle().await;
        assert_eq!(deleted(&store).len(), 2);
        // The first has the same uid, the second another one.
        let (version, life) = if relist { (6, "3") } else { (5, "2") };
        let again = [object("web/a", 1), reborn("web/b", version, life)];
        if relist {
            feed.list(again);
        } else {
            for object in again {
                feed.send(Event::Apply(object));
            }
        }
        settle().await;
        assert_eq!(state(&store.snapshot()), ["web/a@1", &format!("web/b@{version}")]);
        assert_eq!(deleted(&store), [if relist { "web/b@5" } else { "web/b@2" }]);
    }
    // It is deleted again, and kept for the full time.
    sleep(30 * SECOND).await;
    feed.delete("web/a", 7);
    sleep(40 * SECOND).await;
    assert_eq!(deleted(&store), ["web/a@1"]);
}

#[tokio::test(start_paused = true)]
async fn they_go_while_more_and_more_comes() {
    let listed = [Event::Init, Event::InitApply(object("a", 1)), Event::InitDone];
    let deleted_at_once = [Event::Delete(object("a", 2))];
    let endless = (3..).map(|version| Event::Apply(object("b", version)));
    let events = stream::iter(listed.into_iter().chain(deleted_at_once).chain(endless));
    let mut changes = events.index(()).keep_deleted(60 * SECOND);
    let store = changes.store();
    changes.first_synced().await.unwrap();
    for _ in 0..59 {
        changes.next().await.unwrap().unwrap();
        assert_eq!(deleted(&store), ["a@1"]);
        tokio::time::advance(SECOND).await;
    }
    for _ in 0..3 {
        changes.next().await.unwrap().unwrap();
        tokio::time::advance(SECOND).await;
    }
    assert!(deleted(&store).is_empty(), "it never waits for events");
}
