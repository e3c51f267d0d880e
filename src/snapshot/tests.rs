//! Contents compared with maps: objects, indexes and differences.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;
use proptest::prelude::*;

use super::Contents;
use crate::index::{Index, IndexSet, Key};

type Model = BTreeMap<(String, String), Arc<ConfigMap>>;
type Delta = (Option<*const ConfigMap>, Option<*const ConfigMap>);

/// Returns object `id` in a version, with a label or without. Two of three objects have a namespace.
fn object(id: u16, label: Option<u8>, version: usize) -> Arc<ConfigMap> {
    let metadata = ObjectMeta {
        name: Some(format!("o{}", id / 3)),
        namespace: (!id.is_multiple_of(3)).then(|| format!("n{}", id % 3)),
        labels: label.map(|label| [("app".to_owned(), format!("v{label}"))].into()),
        resource_version: Some(version.to_string()),
        ..ObjectMeta::default()
    };
    Arc::new(ConfigMap { metadata, ..ConfigMap::default() })
}

fn identity(object: &ConfigMap) -> (String, String) {
    let ObjectMeta { namespace, name, .. } = &object.metadata;
    (namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default())
}

fn empty() -> Contents<ConfigMap> {
    let app = Index::path("metadata.labels.app").unwrap();
    // The label is the number of keys; two are allowed.
    let many = Index::with(|object| 0..number(object)).max_keys(2);
    Contents::new(IndexSet::of((app, many)), Arc::default())
}

fn number(object: &ConfigMap) -> usize {
    let label = object.metadata.labels.as_ref().and_then(|labels| labels.get("app"));
    label.map_or(0, |label| label[1..].parse().unwrap())
}

fn check(contents: &Contents<ConfigMap>, model: &Model, ids: u16) {
    assert_eq!(contents.len(), model.len());
    assert!(contents.iter().map(Arc::as_ptr).eq(model.values().map(Arc::as_ptr)));
    for id in 0..ids {
        let key = identity(&object(id, None, 0));
        let found = contents.get(&key);
        assert_eq!(found.map(Arc::as_ptr), model.get(&key).map(Arc::as_ptr));
    }
    let mut labels: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for object in model.values() {
        if let Some(label) = object.metadata.labels.as_ref().and_then(|labels| labels.get("app")) {
            labels.entry(label.clone()).or_default().push(Arc::as_ptr(object));
        }
    }
    let entries = contents.entries(0).iter();
    let entries = entries.map(|entry| (&entry.key, Some(Arc::as_ptr(contents.at(entry.slot)))));
    let wanted = labels.iter().flat_map(|(label, objects)| {
        objects.iter().map(move |object| (Key::new([label]), Some(*object)))
    });
    assert!(entries.map(|(key, object)| (key.clone(), object)).eq(wanted));
    let absent = model.len() - labels.values().map(Vec::len).sum::<usize>();
    assert_eq!(contents.indexes().next().unwrap().absent, absent);
    let many = contents.indexes().nth(1).unwrap();
    let numbers = || model.values().map(|object| number(object));
    assert_eq!(many.overflowing, numbers().filter(|number| *number > 2).count());
    assert_eq!(many.absent, numbers().filter(|number| *number == 0 || *number > 2).count());
    assert_eq!(many.entries, numbers().filter(|number| *number <= 2).sum::<usize>());
    for object in model.values() {
        let names: Vec<_> = contents.overflowing(object).collect();
        assert_eq!(names.is_empty(), number(object) <= 2, "{names:?}");
    }
}

fn differences(old: &Model, new: &Model) -> Vec<Delta> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let pairs = keys.into_iter().map(|key| (old.get(key), new.get(key)));
    let version = |object: &Arc<ConfigMap>| object.metadata.resource_version.clone();
    pairs
        .filter(|(old, new)| old.map(version) != new.map(version))
        .map(|(old, new)| (old.map(Arc::as_ptr), new.map(Arc::as_ptr)))
        .collect()
}

#[derive(Clone, Debug)]
enum Op {
    Put(u16, Option<u8>),
    /// Puts the stored version again.
    Again(u16),
    Take(u16),
    /// Takes objects out in one order and puts them in in another, so that identities change their slots.
    Shuffle(Vec<u16>, Vec<u16>),
    Keep,
    Sweep(u16, u16),
    List(BTreeSet<u16>),
}

const IDS: u16 = 400;

fn op() -> impl Strategy<Value = Op> {
    let ids = || prop::collection::vec(0..IDS, 0..12);
    let label = || prop::option::of(0..4_u8);
    prop_oneof![
        10 => (0..IDS, label()).prop_map(|(id, label)| Op::Put(id, label)),
        1 => (0..IDS).prop_map(Op::Again),
        4 => (0..IDS).prop_map(Op::Take),
        3 => (ids(), ids()).prop_map(|(gone, come)| Op::Shuffle(gone, come)),
        2 => Just(Op::Keep),
        1 => (0..IDS, 0..IDS).prop_map(|(from, to)| Op::Sweep(from, to)),
        1 => prop::collection::btree_set(0..IDS, 0..60).prop_map(Op::List),
    ]
}

struct Subject {
    contents: Contents<ConfigMap>,
    model: Model,
    version: usize,
}

impl Subject {
    fn put(&mut self, id: u16, label: Option<u8>) {
        self.version += 1;
        let object = object(id, label, self.version);
        assert!(self.contents.put(&object));
        self.model.insert(identity(&object), object);
    }

    fn take(&mut self, id: u16) {
        let object = object(id, None, 0);
        let gone = self.contents.take(&object);
        let wanted = self.model.remove(&identity(&object));
        assert_eq!(gone.as_ref().map(Arc::as_ptr), wanted.as_ref().map(Arc::as_ptr));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SEMANTICS: I4, I5, I8, I9, D4, S7
    #[test]
    fn contents_are_what_maps_would_be_and_batches_their_difference(
        start in 0..IDS, ops in prop::collection::vec(op(), 1..80)
    ) {
        let mut subject = Subject { contents: empty(), model: Model::new(), version: 0 };
        let first = (0..start).map(|id| object(id, Some(3), 0));
        subject.model = first.map(|object| (identity(&object), object)).collect();
        subject.contents.load(subject.model.values().cloned().collect());
        let mut kept = vec![(subject.contents.clone(), subject.model.clone())];
        for op in ops {
            match op {
                Op::Put(id, label) => subject.put(id, label),
                Op::Again(id) => {
                    let key = identity(&object(id, None, 0));
                    if let Some(stored) = subject.model.get(&key) {
                        prop_assert!(!subject.contents.put(&Arc::new(ConfigMap::clone(stored))));
                    }
                }
                Op::Take(id) => subject.take(id),
                Op::Shuffle(gone, come) => {
                    for id in &gone {
                        subject.take(*id);
                    }
                    for id in come.iter().chain(&gone) {
                        subject.put(*id, Some(1));
                    }
                }
                Op::Keep => kept.push((subject.contents.clone(), subject.model.clone())),
                Op::Sweep(from, to) => (from..to).for_each(|id| subject.take(id)),
                Op::List(ids) => {
                    // Every second listed object is the stored one.
                    let listed = ids.into_iter().map(|id| object(id, Some(2), subject.version + 1));
                    let listed: Model = listed
                        .enumerate()
                        .map(|(n, object)| (n, identity(&object), object))
                        .map(|(n, key, object)| {
                            let stored = subject.model.get(&key).filter(|_| n % 2 == 0).cloned();
                            (key, stored.unwrap_or(object))
                        })
                        .collect();
                    subject.version += 1;
                    let objects: Vec<_> = listed.values().cloned().collect();
                    let (come, gone) = subject.contents.until(None, &objects);
                    let is_stored = |object: &Arc<ConfigMap>| {
                        subject.model.values().any(|stored| Arc::ptr_eq(object, stored))
                    };
                    prop_assert!(!come.iter().any(|object| is_stored(object)));
                    for object in come {
                        prop_assert!(subject.contents.put(object));
                    }
                    for object in &gone {
                        prop_assert!(subject.contents.take(object).is_some());
                    }
                    subject.model = listed;
                }
            }
        }
        kept.push((subject.contents, subject.model));
        for (contents, model) in &kept {
            check(contents, model, IDS);
        }
        for (i, (old, was)) in kept.iter().enumerate() {
            for (new, is) in &kept[i..] {
                let seen = new.since(old).into_iter();
                let seen = seen.map(|(old, new)| (old.map(Arc::as_ptr), new.map(Arc::as_ptr)));
                prop_assert_eq!(seen.collect::<Vec<_>>(), differences(was, is));
            }
        }
    }
}

/// SEMANTICS: D4
#[test]
fn an_identity_that_changes_its_slot_is_modified() {
    let mut contents = empty();
    let [a, b] = [0, 3].map(|id| object(id, None, 1));
    contents.put(&a);
    contents.put(&b);
    let before = contents.clone();
    contents.take(&a);
    contents.take(&b);
    // Now `b` gets the slot that `a` had.
    let [a, b] = [0, 3].map(|id| object(id, None, 2));
    contents.put(&b);
    contents.put(&a);
    let pairs = contents.since(&before);
    let versions = pairs.iter().map(|(old, new)| {
        [old, new].map(|object| object.and_then(|object| object.metadata.resource_version.clone()))
    });
    let modified = [Some("1".to_owned()), Some("2".to_owned())];
    assert_eq!(versions.collect::<Vec<_>>(), [modified.clone(), modified]);
}
