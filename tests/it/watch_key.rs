//! Waits until the objects under a key of an index change.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::join_all, poll};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{Error, EventStreamExt, Index, ObjectKey, Snapshot, Store, adapters::Indexed};
use tokio::{task::yield_now, time::timeout};

use crate::support::{
    Events, Feed, Poller, feed, forbidden, labelled, name, object, reborn, state, versioned,
};

const HOUR: Duration = Duration::from_secs(3600);

fn app() -> Index<ConfigMap> {
    Index::path("metadata.labels.app").unwrap()
}

fn place() -> Index<ConfigMap> {
    Index::paths(["metadata.labels.app", "metadata.namespace"]).unwrap()
}

fn identity() -> Index<ConfigMap> {
    Index::paths(["metadata.namespace", "metadata.name"]).unwrap()
}

fn of(app: &str, identity: &str, version: u32) -> ConfigMap {
    labelled(identity, version, "app", app)
}

/// A pipeline that a test feeds and polls by hand.
struct World {
    feed: Feed,
    poller: Poller<Indexed<Events, ConfigMap>>,
    store: Store<ConfigMap>,
}

impl World {
    fn of(objects: impl IntoIterator<Item = ConfigMap>) -> Self {
        let (feed, events) = feed();
        let poller = Poller::new(events.index((app(), place(), identity())));
        let store = poller.stream.store();
        let mut world = Self { feed, poller, store };
        world.feed.list(objects);
        world.poller.drain();
        world
    }

    fn see(&mut self, event: Event<ConfigMap>) {
        self.feed.send(event);
        self.poller.drain();
    }

    fn web(&self) -> impl Future<Output = Result<Snapshot<ConfigMap>, Error>> + use<> {
        self.store.watch_key(&app(), "web")
    }
}

/// Returns the objects under `web` in the snapshot of a wait, which must be over.
fn found(waiting: impl Future<Output = Result<Snapshot<ConfigMap>, Error>>) -> Vec<String> {
    let snapshot = waiting.now_or_never().expect("it is over").unwrap();
    snapshot.by(&app()).get("web").map(|object| versioned(object)).collect()
}

/// SEMANTICS: I3
#[tokio::test(start_paused = true)]
async fn it_ends_when_an_object_comes_to_the_key_changes_or_leaves_it() {
    let none: [&str; 0] = [];
    let mut world = World::of([of("db", "a/x", 1)]);
    let waiting = world.web();
    world.see(Event::Apply(of("web", "a/y", 2)));
    assert_eq!(found(waiting), ["a/y@2"], "created");

    let waiting = world.web();
    world.see(Event::Apply(of("web", "a/y", 3)));
    assert_eq!(found(waiting), ["a/y@3"], "modified");

    let waiting = world.web();
    world.see(Event::Apply(of("web", "a/x", 4)));
    assert_eq!(found(waiting), ["a/x@4", "a/y@3"], "came from another key");

    let waiting = world.web();
    world.see(Event::Apply(of("db", "a/x", 5)));
    assert_eq!(found(waiting), ["a/y@3"], "left for another key");

    let waiting = world.web();
    world.see(Event::Apply(object("a/y", 6)));
    assert_eq!(found(waiting), none, "has no key any more");

    world.see(Event::Apply(of("web", "a/y", 7)));
    let waiting = world.web();
    world.see(Event::Delete(of("web", "a/y", 8)));
    assert_eq!(found(waiting), none, "deleted");

    // The number of objects stays, but another object is among them.
    world.see(Event::Apply(of("web", "a/y", 9)));
    let waiting = world.web();
    world.feed.send(Event::Delete(of("web", "a/y", 10)));
    world.see(Event::Apply(of("web", "a/z", 11)));
    assert_eq!(found(waiting), ["a/z@11"], "another one");

    // Name and version stay, but the object is another.
    let waiting = world.web();
    let mut other = reborn("a/z", 11, "other");
    other.metadata.labels = of("web", "a/z", 11).metadata.labels;
    world.feed.list([of("db", "a/x", 5), other]);
    world.poller.drain();
    assert_eq!(found(waiting), ["a/z@11"], "born anew");
}

/// SEMANTICS: I3, I9
#[tokio::test(start_paused = true)]
async fn it_goes_on_when_what_is_under_the_key_stays() {
    let mut world = World::of([of("web", "a/x", 1), of("db", "a/y", 1)]);
    let mut waiting = pin!(world.web());
    let mut missing = pin!(world.store.watch_key(&app(), "we"));
    for event in [
        Event::Apply(of("db", "a/y", 2)),    // under another key
        Event::Apply(of("web-1", "a/y", 3)), // that begins with this one
        Event::Apply(of("", "a/y", 4)),
        Event::Apply(object("a/y", 5)), // under none
        Event::Delete(object("a/y", 6)),
        Event::Apply(of("web", "a/x", 1)), // the same version again
    ] {
        world.see(event);
        assert!(poll!(&mut waiting).is_pending() && poll!(&mut missing).is_pending());
    }
    // A list without changes, one that breaks off, and failures.
    world.feed.list([of("web", "a/x", 1)]);
    world.see(Event::Init);
    world.feed.send(Event::InitApply(of("web", "a/other", 7)));
    world.feed.fail(forbidden());
    world.poller.drain();
    assert!(poll!(&mut waiting).is_pending() && poll!(&mut missing).is_pending());
    // The wait doesn't end later either.
    assert!(timeout(HOUR, &mut waiting).await.is_err());

    world.feed.list([of("web", "a/x", 8)]);
    world.poller.drain();
    assert_eq!(found(waiting), ["a/x@8"]);
}

/// A change after the call ends the wait, even if it is polled much later; an earlier change doesn't.
///
/// SEMANTICS: I3, I8
#[tokio::test(start_paused = true)]
async fn it_is_about_what_was_there_when_it_was_called() {
    let mut world = World::of([of("web", "a/x", 1)]);
    world.see(Event::Apply(of("web", "a/x", 2)));
    let mut waiting = pin!(world.web());
    let looked_up = state(&world.store.snapshot());
    assert!(poll!(&mut waiting).is_pending(), "2 was there");
    assert_eq!(looked_up, ["a/x@2"]);

    let late = world.web();
    world.see(Event::Apply(of("web", "a/x", 3)));
    assert_eq!(found(late), ["a/x@3"], "it was not polled before");
    assert_eq!(found(waiting), ["a/x@3"]);

    // The snapshot is the newest one, with all changes meanwhile.
    let late = world.web();
    world.see(Event::Apply(of("web", "a/x", 4)));
    world.see(Event::Apply(of("web", "a/y", 5)));
    assert_eq!(found(late), ["a/x@4", "a/y@5"]);

    // A change that was undone is no change.
    let late = world.web();
    let both = [of("web", "a/x", 4), of("web", "a/y", 5)];
    world.see(Event::Apply(of("web", "a/z", 6)));
    world.see(Event::Delete(of("web", "a/z", 7)));
    assert!(late.now_or_never().is_none());
    assert_eq!(state(&world.store.snapshot()), both.each_ref().map(versioned));

    // Before the sync, the sync is the change.
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    let waiting = poller.stream.store().watch_key(&app(), "web");
    feed.list([of("web", "a/x", 1)]);
    poller.drain();
    assert_eq!(found(waiting), ["a/x@1"]);
}

/// SEMANTICS: I2
#[tokio::test(start_paused = true)]
async fn it_takes_every_kind_of_key() {
    let mut world = World::of([of("web", "a/x", 1)]);
    let (store, place, identity) = (world.store.clone(), place(), identity());
    let key = ObjectKey::new("b", "y");
    let hit = [
        store.watch_key(&place, "web").boxed(),
        store.watch_key(&place, ("web", "b")).boxed(),
        store.watch_key(&place, ()).boxed(),
        store.watch_key(&identity, &key).boxed(),
        store.watch_key(&identity, "b").boxed(),
        store.watch_key(&identity, vec!["b".to_owned(), "y".to_owned()]).boxed(),
    ];
    let missed = [
        store.watch_key(&place, ("web", "a")).boxed(),
        store.watch_key(&identity, ("a", "x")).boxed(),
        store.watch_key(&identity, ("b", "x")).boxed(),
        store.watch_key(&identity, "a").boxed(),
    ];
    world.see(Event::Apply(of("web", "b/y", 2)));
    for waiting in hit {
        assert_eq!(state(&waiting.now_or_never().expect("it is over").unwrap()).len(), 2);
    }
    for waiting in missed {
        assert!(waiting.now_or_never().is_none());
    }
}

/// SEMANTICS: I2
#[tokio::test(start_paused = true)]
#[should_panic(expected = "no index `data.key`; there are: metadata.labels.app")]
async fn an_index_that_is_not_there_is_a_panic_of_the_call() {
    let world = World::of([]);
    drop(world.store.watch_key(&Index::path("data.key").unwrap(), "x"));
}

/// SEMANTICS: I2
#[tokio::test(start_paused = true)]
#[should_panic(expected = "index `metadata.labels.app` has 1 key part, not 2")]
async fn too_many_parts_are_a_panic_of_the_call() {
    let world = World::of([]);
    drop(world.store.watch_key(&app(), ("web", "front")));
}

#[tokio::test(start_paused = true)]
async fn it_is_an_error_when_the_stream_ends() {
    let World { feed, mut poller, store } = World::of([of("web", "a/x", 1)]);
    let waiting = store.watch_key(&app(), "web");
    let (late, other) = (store.watch_key(&app(), "web"), store.watch_key(&app(), "db"));
    let mut waiting = pin!(waiting);
    assert!(poll!(&mut waiting).is_pending());
    // Changes before the end are seen first.
    feed.send(Event::Apply(of("db", "a/y", 2)));
    drop(feed);
    poller.drain();
    drop(poller);
    for waiting in [waiting.await, late.await] {
        let error = waiting.map(drop).unwrap_err();
        assert!(error.is_ended(), "{error}");
        assert!(
            error.to_string().contains("a key of index `metadata.labels.app` changed"),
            "{error}"
        );
    }
    let snapshot = other.await.unwrap();
    assert_eq!(snapshot.by(&app()).get("db").map(|own| name(own)).collect::<Vec<_>>(), ["a/y"]);
    // Nothing more can change.
    assert!(store.watch_key(&app(), "db").await.unwrap_err().is_ended());
}

/// Many tasks wait: each is woken only by the change of its key.
///
/// SEMANTICS: I8
#[tokio::test(start_paused = true)]
async fn many_may_wait() {
    let (feed, events) = feed();
    let pipeline = events.index(app());
    let store = pipeline.store();
    let driving = tokio::spawn(pipeline.for_each(|_| async {}));
    feed.list([]);
    store.synced().await.unwrap();
    let app = Arc::new(app());
    let wait = |key: usize| {
        let waiting = store.watch_key(&app, key);
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let snapshot = waiting.await?;
            Ok::<_, Error>(snapshot.by(&app).get(key).count())
        })
    };
    let all: Vec<_> = (0..100).map(|number| wait(number % 10)).collect();
    yield_now().await;
    for key in 0..9 {
        feed.send(Event::Apply(of(&key.to_string(), &format!("a/{key}"), key + 1)));
        for _ in 0..5 {
            yield_now().await;
        }
        let over = all.iter().filter(|waiting| waiting.is_finished()).count();
        assert_eq!(over, 10 * (key as usize + 1));
    }
    // A cancelled wait does not affect the others.
    all[9].abort();
    drop(feed);
    let outcomes = join_all(all).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(Ok(count)) => assert!(count == 1 && number % 10 < 9),
            Ok(Err(error)) => assert!(error.is_ended() && number % 10 == 9),
            Err(error) => assert!(error.is_cancelled() && number == 9),
        }
    }
    driving.await.unwrap();
}
