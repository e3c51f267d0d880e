//! Entries of an index: the objects under their keys.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use kube::runtime::reflector::Lookup;
use triomphe::ThinArc;

use super::{
    heap::{Heap, Slot},
    identity::by_identity,
    tree::Tree,
};
use crate::{
    index::{Index, Key, TooManyKeys},
    namespaced_name::identity,
};

/// The objects under their keys.
#[derive(Clone, Default)]
pub(super) struct Entries {
    /// By (key, namespace, name).
    pub(super) tree: Tree<Entry>,
    /// The keys of each object, by its slot; empty for an identity index, which stores no keys.
    keys: Heap<Keys>,
    /// Number of objects without a key in this index.
    pub(super) absent: usize,
    /// Number of objects that have too many keys; `absent` includes them.
    pub(super) overflowing: usize,
    /// Number of keys put in or taken out since these entries were created.
    pub(super) moved: usize,
}

/// An object under one of its keys.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) slot: Slot,
}

/// The keys that an object has in an index, in order, as they were when it was put in.
#[derive(Clone)]
enum Keys {
    None,
    /// There are too many of them.
    TooMany,
    One(Key),
    Several(ThinArc<(), Key>),
}

impl Entries {
    pub(super) fn of<K: Lookup>(index: &Index<K>, heap: &Heap<Arc<K>>, slots: &[Slot]) -> Self {
        let mut own = Self::default();
        if index.is_identity() {
            let objects = slots.iter().map(|slot| heap.at(*slot));
            own.absent = objects.filter(|object| is_unnamespaced(object)).count();
            return own;
        }
        let mut entries = Vec::with_capacity(slots.len());
        let mut keys = vec![Keys::None; slots.len()];
        for slot in slots {
            let Ok(come) = index.keys(heap.at(*slot)) else {
                keys[slot.index()] = Keys::TooMany;
                own.overflowing += 1;
                own.absent += 1;
                continue;
            };
            own.absent += usize::from(come.is_empty());
            entries.extend(come.into_iter().map(|key| Entry { key, slot: *slot }));
        }
        // A stable sort: the objects are in order already.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        // Equal keys share one text.
        for at in 1..entries.len() {
            if entries[at].key == entries[at - 1].key {
                entries[at].key = entries[at - 1].key.clone();
            }
        }
        let mut several: HashMap<usize, Vec<Key>> = HashMap::new();
        for Entry { key, slot } in &entries {
            match &mut keys[slot.index()] {
                none @ Keys::None => *none = Keys::One(key.clone()),
                first => {
                    let first = || first.as_slice().to_vec();
                    several.entry(slot.index()).or_insert_with(first).push(key.clone());
                }
            }
        }
        for (slot, several) in several {
            keys[slot] = several.into();
        }
        own.keys = keys.into_iter().collect();
        own.tree = Tree::from_sorted(entries);
        own
    }

    /// Adds the entries of a new object.
    pub(super) fn push<K: Lookup>(&mut self, index: &Index<K>, heap: &Heap<Arc<K>>, slot: Slot) {
        let object = heap.at(slot);
        if index.is_identity() {
            self.absent += usize::from(is_unnamespaced(object));
            return;
        }
        self.keys.push(Keys::None);
        self.absent += 1;
        self.replace(heap, slot, index.keys(object));
    }

    /// Returns whether an object has exactly these keys.
    pub(super) fn are(&self, slot: Slot, keys: &Result<Vec<Key>, TooManyKeys>) -> bool {
        // An identity index stores no keys.
        if self.keys.len() == 0 {
            return true;
        }
        match (self.keys.at(slot), keys) {
            (Keys::TooMany, Err(_)) => true,
            (Keys::TooMany, Ok(_)) | (_, Err(_)) => false,
            (own, Ok(keys)) => own.as_slice() == keys,
        }
    }

    /// Returns whether an object has more keys than the index allows.
    pub(super) fn overflows(&self, slot: Slot) -> bool {
        self.overflowing > 0 && matches!(self.keys.at(slot), Keys::TooMany)
    }

    /// Replaces the entries of an object with those of its new version.
    pub(super) fn replace<K: Lookup>(
        &mut self,
        heap: &Heap<Arc<K>>,
        slot: Slot,
        come: Result<Vec<Key>, TooManyKeys>,
    ) {
        let overflows = come.is_err();
        // Both lists are sorted.
        let mut come = come.unwrap_or_default();
        let object = heap.at(slot);
        let gone = self.keys.at(slot).clone();
        self.moved += gone.as_slice().len() + come.len();
        for key in gone.as_slice().iter().filter(|key| come.binary_search(key).is_err()) {
            self.tree.remove(by_entry(heap, key, &**object));
        }
        for key in come.iter_mut().filter(|key| gone.as_slice().binary_search(key).is_err()) {
            // Equal keys share one text.
            if let Some(entry) = self.tree.get(|entry| entry.key.cmp(key)) {
                *key = entry.key.clone();
            }
            self.tree.insert(Entry { key: key.clone(), slot }, by_entry(heap, key, &**object));
        }
        self.absent += usize::from(come.is_empty());
        self.uncount(&gone);
        self.overflowing += usize::from(overflows);
        self.keys.replace(slot, if overflows { Keys::TooMany } else { come.into() });
    }

    /// Takes an object out, and moves the last one into its slot.
    pub(super) fn take<K: Lookup>(&mut self, index: &Index<K>, heap: &Heap<Arc<K>>, slot: Slot) {
        let object = heap.at(slot);
        if index.is_identity() {
            self.absent -= usize::from(is_unnamespaced(object));
            return;
        }
        let gone = self.keys.at(slot).clone();
        self.moved += gone.as_slice().len();
        for key in gone.as_slice() {
            self.tree.remove(by_entry(heap, key, &**object));
        }
        if let Some(last) = self.keys.last().filter(|last| *last != slot) {
            self.moved += self.keys.at(last).as_slice().len();
            for key in self.keys.at(last).as_slice() {
                let entry = Entry { key: key.clone(), slot };
                self.tree.insert(entry, by_entry(heap, key, &**heap.at(last)));
            }
        }
        self.keys.take(slot);
        self.uncount(&gone);
    }

    /// Corrects the counts after an object lost these keys.
    fn uncount(&mut self, gone: &Keys) {
        self.absent -= usize::from(gone.as_slice().is_empty());
        self.overflowing -= usize::from(matches!(gone, Keys::TooMany));
    }
}

impl Keys {
    fn as_slice(&self) -> &[Key] {
        match self {
            Self::None | Self::TooMany => &[],
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => &keys.slice,
        }
    }
}

impl From<Vec<Key>> for Keys {
    fn from(mut keys: Vec<Key>) -> Self {
        match (keys.pop(), keys.is_empty()) {
            (None, _) => Self::None,
            (Some(one), true) => Self::One(one),
            (Some(last), false) => {
                keys.push(last);
                Self::Several(ThinArc::from_header_and_iter((), keys.into_iter()))
            }
        }
    }
}

/// Returns whether an object has no namespace, and so no key in an identity index.
fn is_unnamespaced<K: Lookup>(object: &Arc<K>) -> bool {
    identity(&**object).0.is_empty()
}

/// Returns a function that orders an entry relative to an object under a key.
fn by_entry<K: Lookup>(heap: &Heap<Arc<K>>, key: &Key, object: &K) -> impl Fn(&Entry) -> Ordering {
    let by_identity = by_identity(heap, object);
    move |entry| entry.key.cmp(key).then_with(|| by_identity(&entry.slot))
}
