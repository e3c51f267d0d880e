//! Objects and their indexes, as one persistent value.

use std::{cmp::Ordering, ops::ControlFlow, sync::Arc};

use kube::runtime::reflector::Lookup;
use triomphe::ThinArc;

use super::{
    heap::{Heap, Slot},
    identity::{Seed, identity, is, is_same_version, is_version, order},
    iter,
    lookup::Iter,
    tree::Tree,
    trie::Trie,
};
use crate::{
    document::Identity,
    explain::ExplainIndex,
    index_by::{About, Index, IndexBy},
    key::Key,
    origin::Origin,
    strain::Strainer,
};

/// What a snapshot holds. A clone shares everything, and costs more only as one of the two changes.
///
/// The objects lie in the heap; all else names them by their slot. A new version under the keys of
/// the old one changes the heap alone.
pub(crate) struct Contents<K> {
    heap: Heap<Arc<K>>,
    /// By the hash of (namespace, name).
    identities: Trie<Slot>,
    seed: Seed,
    sorted: Arc<Sorted<K>>,
    /// The newest resourceVersion that is taken account of; 0 for none.
    pub(crate) version: u64,
}

/// What has an order. Most new versions leave it as it is, so it is shared as one.
struct Sorted<K> {
    /// By (namespace, name).
    order: Tree<Slot>,
    indexes: Arc<[(Arc<str>, Index<K>)]>,
    /// What the indexes hold, one for one.
    entries: Vec<Entries>,
    strainer: Arc<Strainer<K>>,
    about: Arc<About<K>>,
}

/// The objects under their keys.
#[derive(Clone, Default)]
struct Entries {
    /// By (key, namespace, name).
    tree: Tree<Entry>,
    /// Those of each object, by its slot; empty for an identity index, which has no keys of its own.
    keys: Heap<Keys>,
    /// How many objects have no key here.
    absent: usize,
}

/// An object under one of its keys.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) slot: Slot,
}

/// The keys that an object has in an index, as they were when it was put in.
#[derive(Clone)]
enum Keys {
    None,
    One(Key),
    Several(ThinArc<(), Key>),
}

/// What differs about an identity: the object before, and the one after.
pub(crate) type Pair<'a, K> = (Option<&'a Arc<K>>, Option<&'a Arc<K>>);

impl<K> Contents<K> {
    pub(crate) fn new(by: IndexBy<K>) -> Self {
        let (strainer, about) = (by.strainer(), by.about());
        let indexes = by.into_indexes();
        let entries = indexes.iter().map(|_| Entries::default()).collect();
        let sorted = Arc::new(Sorted { order: Tree::default(), indexes, entries, strainer, about });
        let (heap, identities, seed) = (Heap::default(), Trie::default(), Seed::default());
        Self { heap, identities, seed, sorted, version: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> Iter<'_, K> {
        Iter(self.in_order(self.sorted.order.iter()))
    }

    /// What the objects went through before they came here.
    pub(super) fn strainer(&self) -> &Arc<Strainer<K>> {
        &self.sorted.strainer
    }

    pub(super) fn at(&self, slot: Slot) -> &Arc<K> {
        self.heap.at(slot)
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.sorted.indexes.iter().position(|(own, _)| **own == *name)
    }

    pub(super) fn spec(&self, index: usize) -> &Index<K> {
        &self.sorted.indexes[index].1
    }

    pub(super) fn entries(&self, index: usize) -> &Tree<Entry> {
        &self.sorted.entries[index].tree
    }

    pub(crate) fn index_names(&self) -> impl Iterator<Item = Arc<str>> {
        self.sorted.indexes.iter().map(|(name, _)| Arc::clone(name))
    }

    /// How many (key, object) pairs each index has.
    pub(crate) fn index_entries(&self) -> impl Iterator<Item = usize> {
        let Sorted { indexes, entries, .. } = &*self.sorted;
        indexes.iter().zip(entries).map(|((_, index), entries)| {
            if index.is_identity() { self.len() - entries.absent } else { entries.tree.len() }
        })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.sorted.about.origin
    }

    /// How much memory the objects take, where that can be told. O(n).
    pub(crate) fn bytes(&self) -> Option<usize> {
        let bytes = self.sorted.about.bytes?;
        Some(self.iter().map(|object| bytes(object)).sum())
    }

    fn in_order<'a>(&'a self, slots: iter::Iter<'a, Slot>) -> Objects<'a, K> {
        Objects { heap: &self.heap, slots }
    }
}

/// How many different ones there are, of what is in order.
fn distinct<T: PartialEq>(sorted: impl Iterator<Item = T>) -> usize {
    let (mut count, mut last) = (0, None);
    for next in sorted {
        count += usize::from(last.as_ref() != Some(&next));
        last = Some(next);
    }
    count
}

/// A run of objects in order.
pub(super) struct Objects<'a, K> {
    heap: &'a Heap<Arc<K>>,
    slots: iter::Iter<'a, Slot>,
}

impl<'a, K> Iterator for Objects<'a, K> {
    type Item = &'a Arc<K>;

    #[inline]
    fn next(&mut self) -> Option<&'a Arc<K>> {
        self.slots.next().map(|slot| self.heap.at(*slot))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl<K> ExactSizeIterator for Objects<'_, K> {}

impl<K: Lookup> Contents<K> {
    #[inline]
    pub(crate) fn object(&self, namespace: &str, name: &str) -> Option<&Arc<K>> {
        let slot = self.slot(self.seed.hash(namespace, name), namespace, name)?;
        Some(self.heap.at(slot))
    }

    #[inline]
    fn slot(&self, hash: u64, namespace: &str, name: &str) -> Option<Slot> {
        let is_sought = |slot: &Slot| is(&**self.heap.at(*slot), namespace, name);
        self.identities.get(hash, is_sought).copied()
    }

    /// How many objects a namespace has.
    pub(crate) fn count_in(&self, namespace: &str) -> usize {
        self.of_identity(&[namespace]).count()
    }

    /// The objects of a namespace, or the one of a namespace and name. Without any part, all that
    /// have a namespace: others have no such key.
    pub(super) fn of_identity(&self, parts: &[&str]) -> Objects<'_, K> {
        self.in_order(self.sorted.order.range(|slot| {
            let (namespace, name) = identity(&**self.heap.at(*slot));
            match *parts {
                [] if namespace.is_empty() => Ordering::Less,
                [] => Ordering::Equal,
                [own, ..] if namespace.is_empty() && own.is_empty() => Ordering::Less,
                [own] => (*namespace).cmp(own),
                [own, own_name, ..] => (*namespace).cmp(own).then_with(|| (*name).cmp(own_name)),
            }
        }))
    }

    /// What each index holds. O(n).
    pub(crate) fn indexes(&self) -> impl Iterator<Item = ExplainIndex> {
        let Sorted { indexes, entries, .. } = &*self.sorted;
        indexes.iter().zip(entries).zip(self.index_entries()).map(
            |(((name, index), own), entries)| ExplainIndex {
                name: Arc::clone(name),
                entries,
                keys: match index.width {
                    _ if !index.is_identity() => distinct(own.tree.iter().map(|entry| &entry.key)),
                    1 => distinct(self.of_identity(&[]).map(|object| identity(&**object).0)),
                    _ => entries,
                },
                absent: own.absent,
            },
        )
    }

    /// The stored object, if it is the same version of the same object.
    pub(crate) fn same_version(&self, object: &K) -> Option<&Arc<K>> {
        let (namespace, name) = identity(object);
        self.object(&namespace, &name).filter(|stored| is_same_version(&***stored, object))
    }

    /// The same for an object of which only the identity is read.
    pub(crate) fn at_version(&self, identity: &Identity<'_>) -> Option<&Arc<K>> {
        let stored = self.object(identity.namespace.unwrap_or_default(), identity.name);
        stored.filter(|stored| is_version(&***stored, identity.resource_version, identity.uid))
    }

    /// Puts an object in the place of its predecessor. Tells whether that makes a difference: the
    /// same version again makes none.
    pub(crate) fn put(&mut self, object: &Arc<K>) -> bool {
        let (namespace, name) = identity(&**object);
        let hash = self.seed.hash(&namespace, &name);
        if let Some(slot) = self.slot(hash, &namespace, &name) {
            if is_same_version(&**self.heap.at(slot), &**object) {
                return false;
            }
            self.heap.replace(slot, Arc::clone(object));
            for at in 0..self.sorted.indexes.len() {
                let Sorted { indexes, entries, .. } = &*self.sorted;
                let keys = indexes[at].1.keys(object);
                if !entries[at].are(slot, &keys) {
                    let sorted = Arc::make_mut(&mut self.sorted);
                    sorted.entries[at].replace(&self.heap, slot, keys);
                }
            }
        } else {
            let slot = self.heap.push(Arc::clone(object));
            self.identities.insert(hash, slot, &hash_of(&self.seed, &self.heap));
            let Sorted { order, indexes, entries, .. } = Arc::make_mut(&mut self.sorted);
            order.insert(slot, by_identity(&self.heap, &**object));
            for ((_, index), entries) in indexes.iter().zip(entries) {
                entries.push(index, &self.heap, slot);
            }
        }
        true
    }

    /// Takes the object of this one's identity out, in whatever version it is there.
    pub(crate) fn take(&mut self, object: &K) -> Option<Arc<K>> {
        let (namespace, name) = identity(object);
        let hash = self.seed.hash(&namespace, &name);
        let slot = self.slot(hash, &namespace, &name)?;
        let Sorted { order, indexes, entries, .. } = Arc::make_mut(&mut self.sorted);
        for ((_, index), entries) in indexes.iter().zip(entries) {
            entries.take(index, &self.heap, slot);
        }
        order.remove(by_identity(&self.heap, object));
        self.identities.remove(hash, |other| *other == slot, &hash_of(&self.seed, &self.heap));
        if let Some(last) = self.heap.last().filter(|last| *last != slot) {
            let moved = self.heap.at(last);
            self.identities.replace(self.seed.of(&**moved), |other| *other == last, slot);
            order.insert(slot, by_identity(&self.heap, &**moved));
        }
        self.heap.take(slot)
    }

    /// Takes over all objects, in bulk, in the place of those that are there. They come in order,
    /// each identity once.
    pub(crate) fn load(&mut self, objects: Vec<Arc<K>>) {
        self.heap = objects.into_iter().collect();
        let slots: Vec<Slot> = self.heap.slots().collect();
        let hash_of = hash_of(&self.seed, &self.heap);
        self.identities = Trie::load(slots.iter().map(|slot| (hash_of(slot), *slot)), &hash_of);
        let indexes = Arc::clone(&self.sorted.indexes);
        let entries = indexes.iter().map(|(_, index)| Entries::of(index, &self.heap, &slots));
        let entries = entries.collect();
        let strainer = Arc::clone(&self.sorted.strainer);
        let about = Arc::clone(&self.sorted.about);
        self.sorted =
            Arc::new(Sorted { order: Tree::from_sorted(slots), indexes, entries, strainer, about });
    }

    /// Whether anything differs from an `earlier` state. Mostly a look at one difference tells.
    pub(crate) fn differs(&self, earlier: &Self) -> bool {
        let told = self.heap.since(&earlier.heap, Arc::ptr_eq, |old, new| match (old, new) {
            (Some(old), Some(new)) if order(&**old, &**new).is_eq() => {
                if is_same_version(&**old, &**new) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(true)
                }
            }
            _ => ControlFlow::Break(false),
        });
        match told {
            ControlFlow::Continue(()) => false,
            ControlFlow::Break(told) => {
                told || self.len() != earlier.len() || !self.since(earlier).is_empty()
            }
        }
    }

    /// What differs from an `earlier` state, in order. The same version again is no difference.
    pub(crate) fn since<'a>(&'a self, earlier: &'a Self) -> Vec<Pair<'a, K>> {
        let mut pairs: Vec<Pair<'a, K>> = Vec::new();
        let _: ControlFlow<()> = self.heap.since(&earlier.heap, Arc::ptr_eq, |old, new| {
            match (old, new) {
                (Some(gone), Some(come)) if order(&**gone, &**come).is_ne() => {
                    pairs.extend([(old, None), (None, new)]);
                }
                pair => pairs.push(pair),
            }
            ControlFlow::Continue(())
        });
        let one = |pair: &Pair<'a, K>| pair.1.or(pair.0);
        let by_identity = |a: &Pair<'a, K>, b: &Pair<'a, K>| match (one(a), one(b)) {
            (Some(a), Some(b)) => order(&**a, &**b),
            _ => Ordering::Equal,
        };
        pairs.sort_by(by_identity);
        // An object that moved from one slot to another went from here and came there.
        pairs.dedup_by(|later, earlier| {
            let same = by_identity(later, earlier).is_eq();
            if same {
                *earlier = (earlier.0.or(later.0), earlier.1.or(later.1));
            }
            same
        });
        pairs.retain(|(old, new)| {
            !matches!((old, new), (Some(old), Some(new))
            if Arc::ptr_eq(old, new) || is_same_version(&***old, &***new))
        });
        pairs
    }

    /// What is to be put and what is to be taken out to get to these objects, which come in order,
    /// each identity once.
    pub(crate) fn until<'a>(&self, objects: &'a [Arc<K>]) -> (Vec<&'a Arc<K>>, Vec<Arc<K>>) {
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        let mut objects = objects.iter().peekable();
        for stored in self.iter() {
            loop {
                let order = objects.peek().map(|next| {
                    let same = Arc::ptr_eq(next, stored);
                    if same { Ordering::Equal } else { order(&***next, &**stored) }
                });
                match order {
                    None | Some(Ordering::Greater) => gone.push(Arc::clone(stored)),
                    Some(Ordering::Less) => {
                        come.extend(objects.next());
                        continue;
                    }
                    Some(Ordering::Equal) => {
                        come.extend(objects.next().filter(|next| !Arc::ptr_eq(next, stored)));
                    }
                }
                break;
            }
        }
        come.extend(objects);
        (come, gone)
    }
}

impl Entries {
    fn of<K: Lookup>(index: &Index<K>, heap: &Heap<Arc<K>>, slots: &[Slot]) -> Self {
        let mut own = Self::default();
        if index.is_identity() {
            let objects = slots.iter().map(|slot| heap.at(*slot));
            own.absent = objects.filter(|object| is_unnamespaced(object)).count();
            return own;
        }
        let mut entries = Vec::with_capacity(slots.len());
        for slot in slots {
            let keys = index.keys(heap.at(*slot));
            own.absent += usize::from(keys.is_empty());
            entries.extend(keys.into_iter().map(|key| Entry { key, slot: *slot }));
        }
        // Stable: the objects come in order already.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        // Those who share a key share its text.
        for at in 1..entries.len() {
            if entries[at].key == entries[at - 1].key {
                entries[at].key = entries[at - 1].key.clone();
            }
        }
        let mut keys = vec![Keys::None; slots.len()];
        for entry in &entries {
            keys[entry.slot.index()].add(entry.key.clone());
        }
        own.keys = keys.into_iter().collect();
        own.tree = Tree::from_sorted(entries);
        own
    }

    /// Puts in an object that was not there.
    fn push<K: Lookup>(&mut self, index: &Index<K>, heap: &Heap<Arc<K>>, slot: Slot) {
        let object = heap.at(slot);
        if index.is_identity() {
            self.absent += usize::from(is_unnamespaced(object));
            return;
        }
        self.keys.push(Keys::None);
        self.absent += 1;
        self.replace(heap, slot, index.keys(object));
    }

    /// Whether these are the keys of an object.
    fn are(&self, slot: Slot, keys: &[Key]) -> bool {
        // Those of an identity index are never asked for.
        self.keys.len() == 0 || self.keys.at(slot).as_slice() == keys
    }

    /// Brings the entries of an object to those of a new version.
    fn replace<K: Lookup>(&mut self, heap: &Heap<Arc<K>>, slot: Slot, mut come: Vec<Key>) {
        let object = heap.at(slot);
        let gone = self.keys.at(slot).clone();
        for key in gone.as_slice().iter().filter(|key| !come.contains(key)) {
            self.tree.remove(by_entry(heap, key, &**object));
        }
        for key in come.iter_mut().filter(|key| !gone.as_slice().contains(key)) {
            // Those who share a key share its text.
            if let Some(entry) = self.tree.get(|entry| entry.key.cmp(key)) {
                *key = entry.key.clone();
            }
            self.tree.insert(Entry { key: key.clone(), slot }, by_entry(heap, key, &**object));
        }
        self.absent += usize::from(come.is_empty());
        self.absent -= usize::from(gone.as_slice().is_empty());
        self.keys.replace(slot, come.into());
    }

    /// Takes an object out, and moves the last one into its slot.
    fn take<K: Lookup>(&mut self, index: &Index<K>, heap: &Heap<Arc<K>>, slot: Slot) {
        let object = heap.at(slot);
        if index.is_identity() {
            self.absent -= usize::from(is_unnamespaced(object));
            return;
        }
        let gone = self.keys.at(slot).clone();
        for key in gone.as_slice() {
            self.tree.remove(by_entry(heap, key, &**object));
        }
        if let Some(last) = self.keys.last().filter(|last| *last != slot) {
            for key in self.keys.at(last).as_slice() {
                let entry = Entry { key: key.clone(), slot };
                self.tree.insert(entry, by_entry(heap, key, &**heap.at(last)));
            }
        }
        self.keys.take(slot);
        self.absent -= usize::from(gone.as_slice().is_empty());
    }
}

impl Keys {
    fn as_slice(&self) -> &[Key] {
        match self {
            Self::None => &[],
            Self::One(key) => std::slice::from_ref(key),
            Self::Several(keys) => &keys.slice,
        }
    }

    fn add(&mut self, key: Key) {
        *self = [self.as_slice(), &[key]].concat().into();
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

/// Whether an object has no key in an identity index.
fn is_unnamespaced<K: Lookup>(object: &Arc<K>) -> bool {
    identity(&**object).0.is_empty()
}

/// How slots are ordered against an object.
fn by_identity<K: Lookup>(heap: &Heap<Arc<K>>, object: &K) -> impl Fn(&Slot) -> Ordering {
    let (namespace, name) = identity(object);
    move |slot| {
        let (other_namespace, other_name) = identity(&**heap.at(*slot));
        (*other_namespace).cmp(&namespace).then_with(|| (*other_name).cmp(&name))
    }
}

/// How entries are ordered against an object under a key.
fn by_entry<K: Lookup>(heap: &Heap<Arc<K>>, key: &Key, object: &K) -> impl Fn(&Entry) -> Ordering {
    let by_identity = by_identity(heap, object);
    move |entry| entry.key.cmp(key).then_with(|| by_identity(&entry.slot))
}

fn hash_of<K: Lookup>(seed: &Seed, heap: &Heap<Arc<K>>) -> impl Fn(&Slot) -> u64 {
    |slot| seed.of(&**heap.at(*slot))
}

impl<K> Clone for Sorted<K> {
    fn clone(&self) -> Self {
        Self {
            order: self.order.clone(),
            indexes: Arc::clone(&self.indexes),
            entries: self.entries.clone(),
            strainer: Arc::clone(&self.strainer),
            about: Arc::clone(&self.about),
        }
    }
}

impl<K> Clone for Contents<K> {
    fn clone(&self) -> Self {
        Self {
            heap: self.heap.clone(),
            identities: self.identities.clone(),
            seed: self.seed.clone(),
            sorted: Arc::clone(&self.sorted),
            version: self.version,
        }
    }
}
