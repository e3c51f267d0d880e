//! Objects and their indexes, as one persistent value.

use std::{
    borrow::Cow,
    cmp::Ordering,
    hash::{BuildHasher, Hash, Hasher},
    ops::ControlFlow,
    sync::{Arc, LazyLock},
};

use kube::runtime::reflector::Lookup;
use triomphe::ThinArc;

use super::{
    heap::{Heap, Slot},
    iter,
    lookup::Iter,
    tree::Tree,
    trie::{Hashed, Trie},
};
use crate::{
    document::Identity,
    explain::ExplainIndex,
    index_by::{Index, IndexBy},
    key::Key,
    strain::Strainer,
};

/// What a snapshot holds. A clone shares everything, and costs more only as one of the two changes.
///
/// The objects lie in the heap; all else names them by their slot. A new version under the keys of
/// the old one changes the heap alone.
pub(crate) struct Contents<K> {
    heap: Heap<Arc<K>>,
    /// In (namespace, name) order.
    order: Tree<Slot>,
    /// For the exact look-up.
    identities: Trie<Spot>,
    indexes: Arc<[(Arc<str>, Index<K>)]>,
    /// What the indexes hold, one for one.
    entries: Vec<Entries>,
    strainer: Arc<Strainer<K>>,
    /// The newest resourceVersion that is taken account of; 0 for none.
    pub(crate) version: u64,
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

/// An object by its hash.
#[derive(Clone, Copy)]
struct Spot {
    hash: u32,
    slot: Slot,
}

/// What differs about an identity: the object before, and the one after.
pub(crate) type Pair<'a, K> = (Option<&'a Arc<K>>, Option<&'a Arc<K>>);

impl<K> Contents<K> {
    pub(crate) fn new(by: IndexBy<K>) -> Self {
        let strainer = by.strainer();
        let indexes = by.into_indexes();
        let entries = indexes.iter().map(|_| Entries::default()).collect();
        let (heap, order, identities) = (Heap::default(), Tree::default(), Trie::default());
        Self { heap, order, identities, indexes, entries, strainer, version: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> Iter<'_, K> {
        Iter(self.in_order(self.order.iter()))
    }

    /// What the objects went through before they came here.
    pub(super) fn strainer(&self) -> &Arc<Strainer<K>> {
        &self.strainer
    }

    pub(super) fn at(&self, slot: Slot) -> &Arc<K> {
        self.heap.at(slot)
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|(own, _)| **own == *name)
    }

    pub(super) fn spec(&self, index: usize) -> &Index<K> {
        &self.indexes[index].1
    }

    pub(super) fn entries(&self, index: usize) -> &Tree<Entry> {
        &self.entries[index].tree
    }

    pub(crate) fn indexes(&self) -> impl Iterator<Item = ExplainIndex> {
        self.indexes.iter().zip(&self.entries).map(|((name, index), entries)| ExplainIndex {
            name: Arc::clone(name),
            entries: if index.is_identity() {
                self.len() - entries.absent
            } else {
                entries.tree.len()
            },
            absent: entries.absent,
        })
    }

    fn in_order<'a>(&'a self, slots: iter::Iter<'a, Slot>) -> Objects<'a, K> {
        Objects { heap: &self.heap, slots }
    }
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
    pub(crate) fn object(&self, namespace: &str, name: &str) -> Option<&Arc<K>> {
        self.slot(hash(namespace, name), namespace, name).map(|slot| self.heap.at(slot))
    }

    #[inline]
    fn slot(&self, hash: u32, namespace: &str, name: &str) -> Option<Slot> {
        let is_sought =
            |spot: &Spot| spot.hash == hash && is(&**self.heap.at(spot.slot), namespace, name);
        self.identities.get(spread(hash), is_sought).map(|spot| spot.slot)
    }

    /// The objects of a namespace, or the one of a namespace and name. Without any part, all that
    /// have a namespace: others have no such key.
    pub(super) fn of_identity(&self, parts: &[&str]) -> Objects<'_, K> {
        self.in_order(self.order.range(|slot| {
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
        let hash = hash(&namespace, &name);
        if let Some(slot) = self.slot(hash, &namespace, &name) {
            if is_same_version(&**self.heap.at(slot), &**object) {
                return false;
            }
            self.heap.replace(slot, Arc::clone(object));
            for ((_, index), entries) in self.indexes.iter().zip(&mut self.entries) {
                entries.replace(index, &self.heap, slot, object);
            }
        } else {
            let slot = self.heap.push(Arc::clone(object));
            self.identities.insert(Spot { hash, slot });
            self.order.insert(slot, by_identity(&self.heap, &**object));
            for ((_, index), entries) in self.indexes.iter().zip(&mut self.entries) {
                entries.push(index, &self.heap, slot, object);
            }
        }
        true
    }

    /// Takes the object of this one's identity out, in whatever version it is there.
    pub(crate) fn take(&mut self, object: &K) -> Option<Arc<K>> {
        let (namespace, name) = identity(object);
        let hash = hash(&namespace, &name);
        let slot = self.slot(hash, &namespace, &name)?;
        for ((_, index), entries) in self.indexes.iter().zip(&mut self.entries) {
            entries.take(index, &self.heap, slot);
        }
        self.order.remove(by_identity(&self.heap, object));
        self.identities.remove(spread(hash), |spot| spot.slot == slot);
        if let Some(last) = self.heap.last().filter(|last| *last != slot) {
            let moved = self.heap.at(last);
            let (namespace, name) = identity(&**moved);
            let hash = self::hash(&namespace, &name);
            self.identities.remove(spread(hash), |spot| spot.slot == last);
            self.identities.insert(Spot { hash, slot });
            self.order.insert(slot, by_identity(&self.heap, &**moved));
        }
        self.heap.take(slot)
    }

    /// Takes over all objects, in bulk, in the place of those that are there. They come in order,
    /// each identity once.
    pub(crate) fn load(&mut self, objects: Vec<Arc<K>>) {
        self.heap = objects.into_iter().collect();
        let slots: Vec<Slot> = self.heap.slots().collect();
        let spot = |slot: &Slot| {
            let (namespace, name) = identity(&**self.heap.at(*slot));
            Spot { hash: hash(&namespace, &name), slot: *slot }
        };
        self.identities = slots.iter().map(spot).collect();
        let entries = self.indexes.iter().map(|(_, index)| Entries::of(index, &self.heap, &slots));
        self.entries = entries.collect();
        self.order = Tree::from_sorted(slots);
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
    fn push<K: Lookup>(
        &mut self,
        index: &Index<K>,
        heap: &Heap<Arc<K>>,
        slot: Slot,
        object: &Arc<K>,
    ) {
        if index.is_identity() {
            self.absent += usize::from(is_unnamespaced(object));
            return;
        }
        self.keys.push(Keys::None);
        self.absent += 1;
        self.replace(index, heap, slot, object);
    }

    /// Brings the entries of an object to those of a new version.
    fn replace<K: Lookup>(
        &mut self,
        index: &Index<K>,
        heap: &Heap<Arc<K>>,
        slot: Slot,
        object: &Arc<K>,
    ) {
        if index.is_identity() {
            return;
        }
        let mut come = index.keys(object);
        if self.keys.at(slot).as_slice() == come {
            return;
        }
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

/// Both parts of an object's identity; the namespace of a cluster-scoped object is `""`.
#[inline]
fn identity<K: Lookup>(object: &K) -> (Cow<'_, str>, Cow<'_, str>) {
    (object.namespace().unwrap_or_default(), object.name().unwrap_or_default())
}

/// The order of everything: (namespace, name).
pub(crate) fn order<K: Lookup>(a: &K, b: &K) -> Ordering {
    let ((namespace, name), (other_namespace, other_name)) = (identity(a), identity(b));
    namespace.cmp(&other_namespace).then_with(|| name.cmp(&other_name))
}

#[inline]
fn is<K: Lookup>(object: &K, namespace: &str, name: &str) -> bool {
    // Names differ more often than namespaces do.
    object.name().as_deref().unwrap_or_default() == name
        && object.namespace().as_deref().unwrap_or_default() == namespace
}

pub(crate) fn is_same_version<K: Lookup>(a: &K, b: &K) -> bool {
    is_version(a, b.resource_version().as_deref(), b.uid().as_deref())
}

/// Without a resourceVersion nothing can be said to be the same.
fn is_version<K: Lookup>(object: &K, resource_version: Option<&str>, uid: Option<&str>) -> bool {
    resource_version.is_some_and(|version| !version.is_empty())
        && object.resource_version().as_deref() == resource_version
        && object.uid().as_deref() == uid
}

impl Hashed for Spot {
    fn hash(&self) -> u64 {
        spread(self.hash)
    }

    fn same(&self, other: &Self) -> bool {
        self.slot == other.slot
    }
}

/// A hash as the trie wants it, which looks at both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

/// Seeded anew in every process, so that nobody can choose names that collide.
fn hash(namespace: &str, name: &str) -> u32 {
    static STATE: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
    let mut hasher = STATE.build_hasher();
    namespace.hash(&mut hasher);
    name.hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl<K> Clone for Contents<K> {
    fn clone(&self) -> Self {
        Self {
            heap: self.heap.clone(),
            order: self.order.clone(),
            identities: self.identities.clone(),
            indexes: Arc::clone(&self.indexes),
            entries: self.entries.clone(),
            strainer: Arc::clone(&self.strainer),
            version: self.version,
        }
    }
}
