//! The store compared with a naive model: its objects, indexes and counts equal those of a map and a
//! scan.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{EventStreamExt, Index, Key, Snapshot};
use proptest::prelude::*;

use crate::support::{Poller, feed, name, object, state, versioned};

/// Inputs. Numbers choose objects and labels.
#[derive(Clone, Debug)]
enum Step {
    Apply(u8, Vec<u8>),
    Delete(u8),
    /// A whole list: objects with their labels, and whether stored objects are repeated unchanged.
    List(Vec<(u8, Vec<u8>)>, bool),
    /// A list that never completes.
    Cut(Vec<(u8, Vec<u8>)>),
    /// The consumer polls.
    Poll,
}

fn labels() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..4_u8, 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let objects = || prop::collection::vec((0..12_u8, labels()), 0..8);
    prop_oneof![
        6 => (0..12_u8, labels()).prop_map(|(id, labels)| Step::Apply(id, labels)),
        3 => (0..12_u8).prop_map(Step::Delete),
        1 => (objects(), any::<bool>()).prop_map(|(objects, keep)| Step::List(objects, keep)),
        1 => objects().prop_map(Step::Cut),
        4 => Just(Step::Poll),
    ]
}

/// Returns object `id` with some labels: two of three have a namespace.
fn make(id: u8, labels: &[u8], version: u32) -> ConfigMap {
    let identity = match id % 3 {
        0 => format!("o{id}"),
        namespace => format!("n{namespace}/o{id}"),
    };
    let mut object = object(&identity, version);
    object.metadata.labels =
        Some(labels.iter().map(|label| (format!("l{label}"), format!("v{}", label / 2))).collect());
    object
}

fn indexes() -> [Index<ConfigMap>; 3] {
    [
        Index::paths(["metadata.namespace", "metadata.name"]).unwrap(),
        Index::path("metadata.labels.*").unwrap(),
        Index::paths(["metadata.namespace", "metadata.labels.*"]).unwrap(),
    ]
}

/// Returns the expected keys of an object in each index.
fn keys(object: &ConfigMap) -> [BTreeSet<Vec<String>>; 3] {
    let namespace = object.metadata.namespace.clone();
    let own = object.metadata.name.clone().unwrap();
    let values = || object.metadata.labels.iter().flat_map(BTreeMap::values).cloned();
    [
        namespace.iter().map(|namespace| vec![namespace.clone(), own.clone()]).collect(),
        values().map(|value| vec![value]).collect(),
        namespace
            .iter()
            .flat_map(|namespace| values().map(|value| vec![namespace.clone(), value]))
            .collect(),
    ]
}

fn check(snapshot: &Snapshot<ConfigMap>, model: &BTreeMap<(String, String), ConfigMap>) {
    let wanted: Vec<_> = model.values().map(versioned).collect();
    assert_eq!(state(snapshot), wanted);
    assert_eq!(snapshot.len(), model.len());
    for (at, index) in indexes().iter().enumerate() {
        let view = snapshot.by(index);
        let mut all: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        for object in model.values() {
            for key in keys(object)[at].clone() {
                // Under the key, and under each of its prefixes, once.
                for parts in 0..=key.len() {
                    let hits = all.entry(key[..parts].to_vec()).or_default();
                    if hits.last() != Some(&name(object)) {
                        hits.push(name(object));
                    }
                }
            }
        }
        for (key, wanted) in &all {
            let hits: Vec<_> = view.get(key).map(|object| name(object)).collect();
            assert_eq!(&hits, wanted, "{index} {key:?}");
        }
        let whole: Vec<_> =
            all.keys().filter(|key| key.len() == index.width()).map(Key::new).collect();
        assert_eq!(view.keys(), whole, "{index}");
        assert_eq!(view.get("nothing").count(), 0);
    }
}

proptest! {
    /// SEMANTICS: I2, I3, I4, I5, I6, I7, I9, S7, S8
    #[test]
    fn the_store_is_what_a_map_would_be(
        steps in prop::collection::vec(step(), 0..60),
        progress in any::<bool>(),
    ) {
        let (feed, events) = feed();
        let pipeline = events.index(indexes());
        let mut poller = Poller::new(if progress { pipeline.with_progress() } else { pipeline });
        let store = poller.stream.store();
        let mut model = BTreeMap::new();
        let mut held = Vec::new();
        let identity = |object: &ConfigMap| {
            (object.metadata.namespace.clone().unwrap_or_default(), object.metadata.name.clone().unwrap())
        };
        feed.list([]);
        for (version, step) in (1..).zip(steps) {
            match step {
                Step::Apply(id, labels) => {
                    let object = make(id, &labels, version);
                    model.insert(identity(&object), object.clone());
                    feed.send(Event::Apply(object));
                }
                Step::Delete(id) => {
                    let object = make(id, &[], version);
                    model.remove(&identity(&object));
                    feed.send(Event::Delete(object));
                }
                Step::List(objects, keep) => {
                    let mut listed = BTreeMap::new();
                    if keep {
                        listed.clone_from(&model);
                    }
                    for (id, labels) in objects {
                        let object = make(id, &labels, version);
                        listed.insert(identity(&object), object);
                    }
                    feed.list(listed.values().cloned());
                    model = listed;
                }
                Step::Cut(objects) => {
                    feed.send(Event::Init);
                    for (id, labels) in objects {
                        feed.send(Event::InitApply(make(id, &labels, version)));
                    }
                    // The failure that broke off the list starts a new one.
                    feed.list(model.values().cloned());
                }
                Step::Poll => {
                    poller.drain();
                    check(&store.snapshot(), &model);
                    held.push((store.snapshot(), model.clone()));
                }
            }
        }
        poller.drain();
        check(&store.snapshot(), &model);
        let absent = |at: usize| model.values().filter(|object| keys(object)[at].is_empty()).count();
        let report: Vec<_> = store.report().indexes.iter().map(|index| index.absent).collect();
        prop_assert_eq!(report, vec![absent(0), absent(1), absent(2)]);
        // Held snapshots have not changed.
        for (snapshot, model) in &held {
            check(snapshot, model);
        }
    }
}
