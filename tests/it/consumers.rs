//! Several consumers of one watch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt, future::join_all};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Change, Debounce, Delta, Error, EventStreamExt, Store, testing::ApiServer, watch, watch_one,
};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    random::Random,
    support::{feed, forbidden, lines, name, object, reborn},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Returns the identities and versions of all objects.
type State = BTreeMap<String, String>;

fn version(object: &ConfigMap) -> String {
    object.metadata.resource_version.clone().expect("a version")
}

fn state_of(store: &Store<ConfigMap>) -> State {
    store.snapshot().iter().map(|object| (name(object), version(object))).collect()
}

/// The final state of a consumer.
#[derive(Default)]
struct Seen {
    state: State,
    items: usize,
    deltas: usize,
    /// The largest number of objects in an item: that many old versions were held for it.
    most: usize,
}

/// Follows the changes to the end, and pauses after each item.
async fn consume(
    changes: impl Stream<Item = Result<Change<ConfigMap>, Error>>,
    mut stall: impl FnMut() -> Duration,
) -> Seen {
    let mut changes = std::pin::pin!(changes);
    let mut seen = Seen::default();
    while let Some(change) = changes.next().await {
        match change.expect("no errors here") {
            Change::Synced(snapshot) => {
                assert_eq!(seen.items, 0, "`Synced` comes first, and once");
                seen.state = snapshot.iter().map(|own| (name(own), version(own))).collect();
            }
            Change::Live(batch) => {
                for delta in batch.deltas() {
                    let old = match delta {
                        Delta::Created(new) | Delta::Modified { after: new, .. } => {
                            seen.state.insert(name(new), version(new))
                        }
                        Delta::Deleted(old) => seen.state.remove(&name(old)),
                    };
                    assert_eq!(old, delta.before().map(|old| version(old)), "exactly what follows");
                }
                seen.deltas += batch.deltas().len();
                seen.most = seen.most.max(batch.deltas().len());
            }
            Change::InitialSync(_) => unreachable!("nobody asked for it"),
        }
        seen.items += 1;
        sleep(stall()).await;
    }
    seen
}

/// SEMANTICS: S9, D7, I8
#[tokio::test(start_paused = true)]
async fn a_hundred_consumers_with_stalls_end_at_the_same_state() {
    const CONSUMERS: usize = 100;
    const IDENTITIES: usize = 50;
    const EVENTS: u32 = 15_000;
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let driving = pipeline.spawn();
    feed.list([]);
    store.synced().await.unwrap();

    let begun = Instant::now();
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|number| {
            let store = store.clone();
            let mut random = Random::new(number as u64);
            tokio::spawn(async move {
                // Every second consumer starts late.
                let late = if number % 2 == 0 { Duration::ZERO } else { random.up_to(20 * SECOND) };
                sleep(late).await;
                let changes = store.changes();
                let debounce = match number % 3 {
                    0 => None,
                    1 => Some(Debounce::interval(random.up_to(2 * SECOND))),
                    _ => Some(Debounce::quiet(random.up_to(SECOND / 10)).max_wait(SECOND).into()),
                };
                // From consumers that hardly pause to one that pauses until the end.
                let longest = *random.pick(&[10 * MS, 100 * MS, SECOND, 10 * SECOND]);
                let stall = move || {
                    if number == 0 { 120 * SECOND } else { random.up_to(longest) }
                };
                match debounce {
                    None => consume(changes, stall).await,
                    Some(debounce) => consume(changes.debounce(debounce), stall).await,
                }
            })
        })
        .collect();

    let mut random = Random::new(7);
    let mut versions: Vec<Weak<ConfigMap>> = Vec::new();
    let mut lives = [1; IDENTITIES];
    let mut most = 0;
    for version in 1..=EVENTS {
        let number = random.below(IDENTITIES);
        let identity = format!("n{}/o{number}", number % 3);
        let object = reborn(&identity, version, &lives[number].to_string());
        if random.below(10) == 0 {
            lives[number] += 1;
            feed.send(Event::Delete(object));
        } else {
            feed.send(Event::Apply(object));
        }
        sleep_until(begun + version * MS).await;
        // The watch continues, regardless of slow consumers.
        let namespace = format!("n{}", number % 3);
        let stored = store.snapshot().get((&namespace, &format!("o{number}"))).cloned();
        if let Some(stored) = stored {
            assert_eq!(self::version(&stored), version.to_string());
            versions.push(Arc::downgrade(&stored));
        }
        if version % 100 == 0 {
            versions.retain(|version| version.strong_count() > 0);
            most = most.max(versions.len());
        }
    }
    drop(feed);
    driving.await.unwrap();
    let seen: Vec<_> = join_all(consumers).await.into_iter().map(Result::unwrap).collect();

    let end = state_of(&store);
    assert!(seen.iter().all(|seen| seen.state == end));
    let items: usize = seen.iter().map(|seen| seen.items).sum();
    let deltas: usize = seen.iter().map(|seen| seen.deltas).sum();
    let held = seen.iter().map(|seen| seen.most).max().unwrap_or_default();
    println!(
        "{EVENTS} events of {IDENTITIES} objects, {CONSUMERS} consumers: {items} items, {deltas} \
         deltas; one consumer held at most {held} old versions, all together and the store \
         {most} versions at the peak",
    );
    assert!(held <= IDENTITIES, "{held}");
    assert!(most <= IDENTITIES * (CONSUMERS + 1), "{most}");
    versions.retain(|version| version.strong_count() > 0);
    assert_eq!(versions.len(), end.len(), "nothing is left of what was held");
}

/// SEMANTICS: S9
#[tokio::test(start_paused = true)]
async fn one_watch_serves_any_number_of_consumers() {
    let server = ApiServer::new();
    let config = |name: &str| {
        let metadata = json!({ "namespace": "a", "name": name });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata })
    };
    let pipeline = watch(Api::<ConfigMap>::all(server.client())).index(());
    let store = pipeline.store();
    let driving = pipeline.spawn();
    let mut early: Vec<_> = (0..10).map(|_| store.changes()).collect();
    for changes in &mut early {
        assert!(matches!(changes.next().await, Some(Ok(Change::Synced(_)))));
    }
    server.apply(&config("x")).unwrap();
    let mut late = store.changes().debounce(SECOND);
    assert!(matches!(late.next().await, Some(Ok(Change::Synced(_)))));
    for changes in &mut early {
        let Some(Ok(Change::Live(batch))) = changes.next().await else { panic!() };
        assert_eq!(batch.stats().created, 1);
    }
    assert_eq!(server.requests().len(), 2, "one list and one watch");

    driving.stop();
    for changes in &mut early {
        assert!(timeout(SECOND, changes.next()).await.unwrap().is_none());
    }
    assert_eq!(store.report().state, "ended");
    server.disconnect();
    sleep(1000 * SECOND).await;
    assert_eq!(server.requests().len(), 2);
}

/// SEMANTICS: D8
#[tokio::test(start_paused = true)]
async fn a_spawned_stream_runs_without_its_handle_until_it_is_stopped() {
    let (feed, events) = feed();
    feed.list([]);
    let configs = events.index(());
    let store = configs.store();
    #[allow(clippy::let_underscore_future)]
    let _ = configs.spawn();
    store.synced().await.unwrap();

    for on_drop in [false, true] {
        let (feed, events) = crate::support::feed();
        let held = Arc::new(());
        let holder = Arc::clone(&held);
        let driving = events
            .inspect(move |_| {
                let _ = &holder;
            })
            .index(())
            .spawn();
        feed.list([]);
        sleep(SECOND).await;
        assert!(!driving.is_finished());
        if on_drop {
            drop(driving.stop_on_drop());
        } else {
            driving.stop();
            assert!(driving.await.unwrap_err().is_ended());
        }
        sleep(SECOND).await;
        assert_eq!(Arc::strong_count(&held), 1, "something still holds the events");
    }
}

/// SEMANTICS: D6, D8
#[tokio::test(start_paused = true)]
async fn the_end_of_a_spawned_stream_is_returned() {
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let mut driving = pipeline.spawn();
    let late = store.changes();
    feed.fail(forbidden());
    feed.list([object("a/x", 1)]);
    assert!((&mut driving).now_or_never().is_none());
    feed.apply("a/x", 2);
    drop(feed);
    driving.await.unwrap();
    assert_eq!(lines(late).await, ["synced a/x@2"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_spawned_stream_is_returned() {
    let (feed, events) = feed();
    let pipeline = events
        .inspect(|event| assert!(!matches!(event, Ok(Event::Apply(_))), "for this test"))
        .index(());
    let store = pipeline.store();
    let driving = pipeline.spawn();
    feed.list([object("a/x", 1)]);
    assert_eq!(store.synced().await.unwrap().len(), 1);
    feed.apply("a/x", 2);
    let error = driving.await.unwrap_err();
    assert!(error.is_panic() && error.reason() == "Panic", "{error:?}");
    // A reader sees the last state, and that the stream has ended.
    assert_eq!(store.report().state, "ended");
    assert_eq!(lines(store.changes()).await, ["synced a/x@1"]);
}

/// A stream that is always ready must not block its thread.
#[tokio::test]
async fn a_spawned_stream_lets_others_run() {
    let busy = futures::stream::repeat_with(|| Ok::<_, Error>(())).spawn();
    tokio::task::yield_now().await;
    assert!(!busy.is_finished());
}

#[tokio::test(start_paused = true)]
async fn any_stream_of_results_can_be_spawned() {
    let server = ApiServer::new();
    let one = watch_one(Api::<ConfigMap>::namespaced(server.client(), "a"), "x");
    let (current, store) = (one.current(), one.store());
    let _driving = one.spawn();
    store.synced().await.unwrap();
    assert_eq!(current.get(), Some(kube_weir::One::Absent));
}
