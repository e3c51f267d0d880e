//! Many readers beside a writer: each read shows one complete state, which never changes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{Batch, Change, EventStreamExt, Index, Snapshot};
use tokio::runtime::Builder;

use crate::{
    random::Random,
    support::{Feed, Poller, deltas, feed, labelled, name, state, versioned},
};

const ROUNDS: u32 = 400;
const OBJECTS: usize = 60;
const TIERS: [&str; 3] = ["front", "middle", "back"];

/// An object that is written in every round, with the round's number as its version.
const CLOCK: &str = "a/clock";

/// The expected state of each round, recorded before it is published.
type Ledger = RwLock<BTreeMap<u32, Vec<String>>>;

/// The expected objects.
struct World {
    random: Random,
    objects: BTreeMap<String, ConfigMap>,
}

impl World {
    /// Writes a round: some events, or a list of all current objects.
    fn write(&mut self, round: u32, ledger: &Ledger, feed: &Feed) {
        let mut events = Vec::new();
        for _ in 0..=self.random.below(20) {
            let namespace = *self.random.pick(&["a", "b", "c"]);
            let identity = format!("{namespace}/{:02}", self.random.below(OBJECTS));
            if self.random.below(3) > 0 {
                let tier = *self.random.pick(&TIERS);
                let object = labelled(&identity, round, "tier", tier);
                self.objects.insert(identity, object.clone());
                events.push(Event::Apply(object));
            } else if let Some(object) = self.objects.remove(&identity) {
                events.push(Event::Delete(object));
            }
        }
        let clock = labelled(CLOCK, round, "tier", "front");
        self.objects.insert(CLOCK.to_owned(), clock.clone());
        events.push(Event::Apply(clock));
        let told = self.objects.values().map(versioned).collect();
        ledger.write().unwrap().insert(round, told);
        // The first round completes the load; later lists mostly contain stored objects.
        if round == 0 || self.random.below(5) == 0 {
            feed.list(self.objects.values().cloned());
        } else {
            for event in events {
                feed.send(event);
            }
        }
    }
}

/// Returns the round of a snapshot, after checking that it is complete and consistent.
fn check(snapshot: &Snapshot<ConfigMap>, ledger: &Ledger) -> u32 {
    let clock = snapshot.get(("a", "clock")).expect("a clock");
    let round = clock.metadata.resource_version.as_ref().unwrap().parse().unwrap();
    let told = state(snapshot);
    assert_eq!(Some(&told), ledger.read().unwrap().get(&round), "round {round}");
    assert_eq!((snapshot.len(), snapshot.is_empty()), (told.len(), false));
    let mut tiers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for object in snapshot {
        let tier = &object.metadata.labels.as_ref().unwrap()["tier"];
        tiers.entry(tier).or_default().push(Arc::as_ptr(object));
        let (namespace, name) = (&object.metadata.namespace, &object.metadata.name);
        let (namespace, name) = (namespace.as_deref().unwrap(), name.as_deref().unwrap());
        assert!(Arc::ptr_eq(object, snapshot.get((namespace, name)).unwrap()));
        assert!(Arc::ptr_eq(
            object,
            snapshot.by(&identity()).get_one([namespace, name]).unwrap().unwrap()
        ));
    }
    let by_tier = tier();
    for tier in TIERS {
        let found = snapshot.by(&by_tier).get(tier).map(Arc::as_ptr);
        assert_eq!(found.collect::<Vec<_>>(), tiers.remove(tier).unwrap_or_default(), "{tier}");
    }
    assert!(snapshot.iter().map(|object| name(object)).is_sorted());
    round
}

/// The latest round read so far; rounds must not go back.
#[derive(Default)]
struct Reading {
    last: u32,
    read: usize,
    /// Held snapshots, with their expected objects.
    held: Vec<(Snapshot<ConfigMap>, u32)>,
}

impl Reading {
    fn take(&mut self, snapshot: Snapshot<ConfigMap>, ledger: &Ledger) {
        let round = check(&snapshot, ledger);
        assert!(round >= self.last, "round {round} after {}", self.last);
        if self.held.last().is_none_or(|(_, held)| *held + 10 < round) {
            self.held.push((snapshot, round));
        }
        self.last = round;
        self.read += 1;
    }

    /// Checks that no held snapshot has changed.
    fn end(self, ledger: &Ledger) {
        assert!(self.read > 0);
        for (snapshot, round) in self.held {
            assert_eq!(check(&snapshot, ledger), round);
        }
    }
}

/// SEMANTICS: I3, I7, I8
#[test]
fn each_concurrent_read_is_one_state_and_stays() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((identity(), tier())));
    let store = poller.stream.store();
    let (ledger, done) = (Ledger::default(), AtomicBool::new(false));
    let mut world = World { random: Random::new(7), objects: BTreeMap::new() };
    world.write(0, &ledger, &feed);
    poller.drain();
    std::thread::scope(|scope| {
        let read = || {
            let mut reading = Reading::default();
            while !done.load(Ordering::Acquire) || reading.last < ROUNDS {
                reading.take(store.snapshot(), &ledger);
            }
            reading.end(&ledger);
        };
        let readers = [scope.spawn(read), scope.spawn(read), scope.spawn(read)];
        for round in 1..=ROUNDS {
            world.write(round, &ledger, &feed);
            assert_eq!(poller.drain().len(), 1, "one run of events is one change");
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// Consumers run in separate threads, some slowly: a slow consumer gets one batch for everything it
/// missed, and every batch continues the previous one.
///
/// SEMANTICS: I8, S9
#[test]
fn every_batch_follows_on_the_one_before() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((identity(), tier())));
    let store = poller.stream.store();
    let ledger = Ledger::default();
    let mut world = World { random: Random::new(11), objects: BTreeMap::new() };
    std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..3)
            .map(|slowness| {
                let (changes, ledger) = (store.changes(), &ledger);
                scope.spawn(move || {
                    let runtime = Builder::new_current_thread().build().unwrap();
                    let mut changes = changes.boxed();
                    let mut reading = Reading::default();
                    let mut last = None::<Snapshot<ConfigMap>>;
                    while let Some(item) = runtime.block_on(changes.next()) {
                        let change = item.unwrap();
                        if let Some(batch) = change.batch() {
                            let last = last.take().expect("a sync before");
                            assert_eq!(addresses(batch.before()), addresses(&last));
                            replay(batch);
                        } else {
                            assert!(matches!(change, Change::Synced(_)) && last.is_none());
                        }
                        last = Some(change.snapshot().clone());
                        for _ in 0..=slowness * 3 {
                            reading.take(change.snapshot().clone(), ledger);
                        }
                    }
                    assert_eq!(reading.last, ROUNDS);
                    reading.end(ledger);
                })
            })
            .collect();
        for round in 0..=ROUNDS {
            world.write(round, &ledger, &feed);
            poller.drain();
        }
        drop(feed);
        poller.drain();
        for consumer in consumers {
            consumer.join().unwrap();
        }
    });
}

fn identity() -> Index<ConfigMap> {
    Index::paths(["metadata.namespace", "metadata.name"]).unwrap()
}

fn tier() -> Index<ConfigMap> {
    Index::path("metadata.labels.tier").unwrap()
}

fn addresses(snapshot: &Snapshot<ConfigMap>) -> Vec<*const ConfigMap> {
    snapshot.iter().map(Arc::as_ptr).collect()
}

/// A batch is exactly the difference of its two snapshots.
fn replay(batch: &Batch<ConfigMap>) {
    let by_name = |snapshot: &Snapshot<ConfigMap>| -> BTreeMap<String, *const ConfigMap> {
        snapshot.iter().map(|object| (name(object), Arc::as_ptr(object))).collect()
    };
    let mut replayed = by_name(batch.before());
    for delta in batch.deltas() {
        let identity = name(delta.object());
        let old = match delta.after() {
            Some(new) => replayed.insert(identity, Arc::as_ptr(new)),
            None => replayed.remove(&identity),
        };
        assert_eq!(old, delta.before().map(Arc::as_ptr), "{}", deltas(batch).join(" "));
    }
    assert_eq!(replayed, by_name(batch.after()));
}
