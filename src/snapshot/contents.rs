//! Objects and their indexes, as one persistent value.

use std::{cmp::Ordering, sync::Arc};

use kube::runtime::reflector::Lookup;

use super::{
    entries::{Entries, Entry},
    heap::{Heap, Slot},
    identity::{Seed, by_identity, is, is_same_version, is_version},
    iter,
    tree::Tree,
    trie::Trie,
};
use crate::{
    document::ObjectMetaRef,
    error::{Error, ErrorKind},
    event::Context,
    index::{Index, IndexReport, IndexSet, Inspect, Key},
    namespaced_name::identity,
    object_key::AsObjectKey,
};

/// Contents of a snapshot. A clone shares everything, and costs more only as one of the two changes.
///
/// The objects are in the heap; everything else refers to them by slot. A new version with the index keys of
/// the old one changes only the heap.
pub(crate) struct Contents<K> {
    pub(super) heap: Heap<Arc<K>>,
    /// By the hash of (namespace, name).
    identities: Trie<Slot>,
    seed: Seed,
    sorted: Arc<Sorted<K>>,
    /// The newest resourceVersion seen; 0 for none.
    pub(crate) version: u64,
    /// Number of times that an object replaced another one of the same version.
    pub(super) histories: u64,
    /// Deleted objects, if the pipeline keeps them for a while.
    pub(crate) deleted: Option<Arc<Self>>,
}

/// The ordered parts. Most new versions leave them unchanged, so they are shared as one.
struct Sorted<K> {
    /// By (namespace, name).
    order: Tree<Slot>,
    indexes: Arc<[(Arc<str>, Index<K>)]>,
    /// Entries of each index, at the same position as in `indexes`.
    entries: Vec<Entries>,
    context: Arc<Context<K>>,
    inspect: Option<Inspect<K>>,
}

impl<K> Contents<K> {
    pub(crate) fn new(indexes: IndexSet<K>, context: Arc<Context<K>>) -> Self {
        let inspect = indexes.inspect();
        let indexes = indexes.into_named();
        let entries = indexes.iter().map(|_| Entries::default()).collect();
        let sorted =
            Arc::new(Sorted { order: Tree::default(), indexes, entries, context, inspect });
        let (heap, identities, seed) = (Heap::default(), Trie::default(), Seed::default());
        Self { heap, identities, seed, sorted, version: 0, histories: 0, deleted: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> Objects<'_, K> {
        self.in_order(self.sorted.order.iter())
    }

    pub(crate) fn set_context(&mut self, context: Arc<Context<K>>) {
        Arc::make_mut(&mut self.sorted).context = context;
    }

    /// Returns the context of the pipeline that the objects come from.
    pub(crate) fn context(&self) -> &Arc<Context<K>> {
        &self.sorted.context
    }

    pub(super) fn at(&self, slot: Slot) -> &Arc<K> {
        self.heap.at(slot)
    }

    pub(super) fn index_named(&self, name: &str) -> Option<usize> {
        self.sorted.indexes.iter().position(|(own, _)| **own == *name)
    }

    /// Returns the position of a handle's index.
    pub(super) fn index_of(&self, handle: &Index<K>) -> Option<usize> {
        self.sorted.indexes.iter().position(|(_, own)| own == handle)
    }

    pub(super) fn index_at(&self, index: usize) -> &Index<K> {
        &self.sorted.indexes[index].1
    }

    pub(super) fn index_name(&self, index: usize) -> &Arc<str> {
        &self.sorted.indexes[index].0
    }

    pub(super) fn entries(&self, index: usize) -> &Tree<Entry> {
        &self.sorted.entries[index].tree
    }

    pub(crate) fn index_names(&self) -> impl Iterator<Item = Arc<str>> {
        self.sorted.indexes.iter().map(|(name, _)| Arc::clone(name))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn named_indexes(&self) -> &[(Arc<str>, Index<K>)] {
        &self.sorted.indexes
    }

    /// Returns the number of (key, object) pairs of each index.
    pub(crate) fn index_entries(&self) -> impl Iterator<Item = usize> {
        let Sorted { indexes, entries, .. } = &*self.sorted;
        indexes.iter().zip(entries).map(|((_, index), entries)| {
            if index.is_identity() { self.len() - entries.absent } else { entries.tree.len() }
        })
    }

    /// Returns the number of keys put into indexes or taken out since the last bulk load: a measure of work.
    pub(crate) fn keys_moved(&self) -> usize {
        self.sorted.entries.iter().map(|own| own.moved).sum()
    }

    /// Returns the memory that the objects take, if it can be measured. O(n).
    pub(crate) fn bytes(&self) -> Option<usize> {
        let bytes = self.sorted.inspect?.bytes?;
        Some(self.iter().map(|object| bytes(object)).sum())
    }

    fn in_order<'a>(&'a self, slots: iter::Iter<'a, Slot>) -> Objects<'a, K> {
        Objects { heap: &self.heap, slots }
    }
}

/// Counts the distinct items of a sorted iterator.
fn distinct<T: PartialEq>(sorted: impl Iterator<Item = T>) -> usize {
    let (mut count, mut last) = (0, None);
    for next in sorted {
        count += usize::from(last.as_ref() != Some(&next));
        last = Some(next);
    }
    count
}

/// A run of objects in order.
pub(crate) struct Objects<'a, K> {
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
    pub(crate) fn get(&self, key: impl AsObjectKey) -> Option<&Arc<K>> {
        let (namespace, name) = key.as_object_key();
        let slot = self.slot(self.seed.hash(namespace, name), namespace, name)?;
        Some(self.heap.at(slot))
    }

    #[inline]
    fn slot(&self, hash: u64, namespace: &str, name: &str) -> Option<Slot> {
        let is_sought = |slot: &Slot| is(&**self.heap.at(*slot), namespace, name);
        self.identities.get(hash, is_sought).copied()
    }

    /// Returns the objects of a namespace, or all objects, in order.
    pub(crate) fn objects_in(&self, namespace: Option<&str>) -> Objects<'_, K> {
        match namespace {
            Some(namespace) => self.in_order(
                self.sorted
                    .order
                    .range(|slot| (*identity(&**self.heap.at(*slot)).0).cmp(namespace)),
            ),
            None => self.in_order(self.sorted.order.iter()),
        }
    }

    /// Returns the number of objects in a namespace.
    pub(crate) fn count_in(&self, namespace: &str) -> usize {
        self.objects_in(Some(namespace)).count()
    }

    /// Returns the objects of a namespace, or the object of a namespace and name. Without any part, returns
    /// all objects that have a namespace: the others have no key in an identity index.
    pub(super) fn of_identity(&self, parts: &[&str]) -> Objects<'_, K> {
        self.namespaced(|namespace, name| match *parts {
            [] => Ordering::Equal,
            [own] => namespace.cmp(own),
            [own, own_name, ..] => namespace.cmp(own).then_with(|| name.cmp(own_name)),
        })
    }

    /// Returns the objects in a range of an identity index whose keys have `width` parts.
    pub(super) fn in_identity(
        &self,
        width: usize,
        within: impl Fn(&Key) -> Ordering,
    ) -> Objects<'_, K> {
        self.namespaced(|namespace, name| {
            let parts = [namespace, name];
            within(&Key::new(&parts[..width.min(parts.len())]))
        })
    }

    /// Returns the objects that have a namespace and are in a range.
    fn namespaced(&self, within: impl Fn(&str, &str) -> Ordering) -> Objects<'_, K> {
        self.in_order(self.sorted.order.range(|slot| {
            let (namespace, name) = identity(&**self.heap.at(*slot));
            if namespace.is_empty() { Ordering::Less } else { within(&namespace, &name) }
        }))
    }

    /// Returns a report of each index. O(n).
    pub(crate) fn indexes(&self) -> impl Iterator<Item = IndexReport> {
        let Sorted { indexes, entries, .. } = &*self.sorted;
        indexes.iter().zip(entries).zip(self.index_entries()).map(
            |(((name, index), own), entries)| IndexReport {
                name: Arc::clone(name),
                entries,
                keys: match index.width() {
                    _ if !index.is_identity() => distinct(own.tree.iter().map(|entry| &entry.key)),
                    1 => distinct(self.of_identity(&[]).map(|object| identity(&**object).0)),
                    _ => entries,
                },
                absent: own.absent,
                overflowing: own.overflowing,
            },
        )
    }

    /// Returns whether any object has more keys than an index allows.
    pub(crate) fn overflows(&self) -> bool {
        self.sorted.entries.iter().any(|own| own.overflowing > 0)
    }

    /// Returns an error for each index in which an object has more keys than the index allows.
    pub(crate) fn overflowing(&self, object: &K) -> impl Iterator<Item = Error> {
        let (namespace, name) = identity(object);
        let slot = self.slot(self.seed.hash(&namespace, &name), &namespace, &name);
        let Sorted { indexes, entries, .. } = &*self.sorted;
        let own = indexes.iter().zip(entries);
        let own = own.filter(move |(_, own)| slot.is_some_and(|slot| own.overflows(slot)));
        own.map(move |((index_name, index), _)| {
            let what = format!(
                "has more than {} keys in index `{index_name}`, or too long ones, and so none",
                index.most()
            );
            Error::of_object(ErrorKind::TooManyKeys, (&namespace, &name), &what, None)
        })
    }

    /// Returns the stored object, if it is the same version of the same object.
    pub(crate) fn same_version(&self, object: &K) -> Option<&Arc<K>> {
        let (namespace, name) = identity(object);
        self.get((&namespace, &name)).filter(|stored| is_same_version(&***stored, object))
    }

    /// Returns the stored object, if it has the identity and version in `meta`.
    pub(crate) fn at_version(&self, meta: &ObjectMetaRef<'_>) -> Option<&Arc<K>> {
        let stored = self.get((meta.namespace.unwrap_or_default(), meta.name));
        stored.filter(|stored| is_version(&***stored, meta.resource_version, meta.uid))
    }

    /// Returns the stored object of this namespace and name, if its uid differs from this object's.
    pub(crate) fn replaced_by(&self, object: &K) -> Option<&Arc<K>> {
        let uid = object.uid()?;
        let stored = self.get(identity(object))?;
        stored.uid().is_some_and(|own| own != uid).then_some(stored)
    }

    /// Adds an object or replaces its predecessor. Returns false, without a change, if this version is
    /// already stored.
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

    /// Returns whether two objects are known to have the same content.
    pub(crate) fn is_equal(&self, one: &K, other: &K) -> bool {
        self.sorted.inspect.is_some_and(|inspect| (inspect.is_equal)(one, other))
    }

    /// Adds an object or replaces its predecessor, even if both have the same version.
    pub(crate) fn put_anew(&mut self, object: &Arc<K>) {
        self.histories += u64::from(self.same_version(object).is_some());
        self.take(object);
        self.put(object);
    }

    /// Removes the object of this identity, whatever its version, and returns it.
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

    /// Returns contents without objects, with the same indexes.
    pub(super) fn emptied(&self) -> Self {
        let mut contents = Self { deleted: None, ..self.clone() };
        contents.load(Vec::new());
        contents
    }

    /// Returns the deleted objects that are kept.
    pub(super) fn deleted(&self) -> Self {
        let Some(deleted) = &self.deleted else { return self.emptied() };
        let mut contents = Self { version: self.version, ..(**deleted).clone() };
        if !Arc::ptr_eq(contents.context(), self.context()) {
            contents.set_context(Arc::clone(self.context()));
        }
        contents
    }

    /// Adds an object to the deleted ones; it replaces an earlier one of its namespace and name.
    pub(crate) fn bury(&mut self, object: &Arc<K>) {
        let mut deleted = match self.deleted.take() {
            Some(deleted) => deleted,
            None => Arc::new(self.emptied()),
        };
        let contents = Arc::make_mut(&mut deleted);
        contents.take(object);
        contents.put(object);
        self.deleted = Some(deleted);
    }

    /// Removes this deleted object, unless a later one of its namespace and name has replaced it. Returns
    /// whether it was removed.
    pub(crate) fn forget(&mut self, object: &Arc<K>) -> bool {
        let is_buried = self.is_buried(object);
        if let Some(deleted) = self.deleted.as_mut().filter(|_| is_buried) {
            Arc::make_mut(deleted).take(object);
        }
        is_buried
    }

    /// Returns whether this object is among the deleted ones.
    pub(crate) fn is_buried(&self, object: &Arc<K>) -> bool {
        let kept = self.deleted.as_ref().and_then(|deleted| deleted.get(identity(&**object)));
        kept.is_some_and(|kept| Arc::ptr_eq(kept, object))
    }

    /// Returns the number of deleted objects.
    pub(crate) fn buried(&self) -> usize {
        self.deleted.as_ref().map_or(0, |deleted| deleted.len())
    }

    /// Removes a deleted object that exists again, with the same uid.
    pub(crate) fn unbury(&mut self, object: &K) {
        let Some(deleted) = &mut self.deleted else { return };
        let kept = deleted.get(identity(object)).and_then(|kept| kept.uid());
        if kept.is_some() && kept == object.uid() {
            Arc::make_mut(deleted).take(object);
        }
    }

    /// Replaces all objects in bulk. `objects` must be sorted, each identity once.
    pub(crate) fn load(&mut self, objects: Vec<Arc<K>>) {
        self.heap = objects.into_iter().collect();
        let slots: Vec<Slot> = self.heap.slots().collect();
        let hash_of = hash_of(&self.seed, &self.heap);
        self.identities = Trie::load(slots.iter().map(|slot| (hash_of(slot), *slot)), &hash_of);
        let indexes = Arc::clone(&self.sorted.indexes);
        let entries = indexes.iter().map(|(_, index)| Entries::of(index, &self.heap, &slots));
        let entries = entries.collect();
        let context = Arc::clone(&self.sorted.context);
        let (order, inspect) = (Tree::from_sorted(slots), self.sorted.inspect);
        self.sorted = Arc::new(Sorted { order, indexes, entries, context, inspect });
    }
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
            context: Arc::clone(&self.context),
            inspect: self.inspect,
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
            histories: self.histories,
            deleted: self.deleted.clone(),
        }
    }
}
