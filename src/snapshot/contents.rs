//! Objects and their indexes, as one persistent value.

use std::{
    borrow::Cow,
    cmp::Ordering,
    hash::{BuildHasher, Hash, Hasher},
    sync::{Arc, LazyLock},
};

use kube::runtime::reflector::Lookup;

use super::{
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
};

/// What a snapshot holds. A clone shares everything, and costs more only as one of the two changes.
pub(crate) struct Contents<K> {
    objects: Objects<K>,
    /// The same objects, for the exact look-up.
    identities: Trie<ByIdentity<K>>,
    indexes: Arc<[(Arc<str>, Index<K>)]>,
    /// What the indexes hold, one for one.
    entries: Vec<Entries<K>>,
}

/// Objects alone, in (namespace, name) order.
pub(crate) struct Objects<K>(Tree<Arc<K>>);

struct Entries<K> {
    /// By (key, namespace, name).
    tree: Tree<Entry<K>>,
    /// How many objects have no key here.
    absent: usize,
}

/// An object under one of its keys.
pub(crate) struct Entry<K> {
    pub(crate) key: Key,
    pub(crate) object: Arc<K>,
}

impl<K> Contents<K> {
    pub(crate) fn new(by: IndexBy<K>) -> Self {
        let indexes = by.into_indexes();
        let entries = indexes.iter().map(|_| Entries::default()).collect();
        Self { objects: Objects::default(), identities: Trie::default(), indexes, entries }
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(crate) fn iter(&self) -> Iter<'_, K> {
        Iter(self.objects.0.iter())
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|(own, _)| **own == *name)
    }

    pub(super) fn spec(&self, index: usize) -> &Index<K> {
        &self.indexes[index].1
    }

    pub(super) fn entries(&self, index: usize) -> &Tree<Entry<K>> {
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
}

impl<K: Lookup> Contents<K> {
    pub(crate) fn object(&self, namespace: &str, name: &str) -> Option<&Arc<K>> {
        let found = self.identities.get(hash(namespace, name), |other| {
            order(&*other.0, namespace, name) == Ordering::Equal
        });
        found.map(|found| &found.0)
    }

    /// The objects of a namespace, or the one of a namespace and name. Without any part, all that
    /// have a namespace: others have no such key.
    pub(super) fn of_identity(&self, parts: &[&str]) -> iter::Iter<'_, Arc<K>> {
        self.objects.0.range(|object| {
            let (namespace, name) = identity(&**object);
            match *parts {
                [] if namespace.is_empty() => Ordering::Less,
                [] => Ordering::Equal,
                [own, ..] if namespace.is_empty() && own.is_empty() => Ordering::Less,
                [own] => (*namespace).cmp(own),
                [own, own_name, ..] => (*namespace).cmp(own).then_with(|| (*name).cmp(own_name)),
            }
        })
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

    /// Puts an object in the place of its predecessor.
    pub(crate) fn put(&mut self, object: &Arc<K>) {
        self.identities.insert(ByIdentity(Arc::clone(object)));
        let old = self.objects.put(object);
        for ((_, index), entries) in self.indexes.iter().zip(&mut self.entries) {
            entries.replace(index, old.as_ref(), Some(object));
        }
    }

    /// Takes the object of this one's identity out, in whatever version it is there.
    pub(crate) fn take(&mut self, object: &K) -> Option<Arc<K>> {
        let old = self.objects.take(object)?;
        let (namespace, name) = identity(object);
        self.identities.remove(hash(&namespace, &name), |other| Arc::ptr_eq(&other.0, &old));
        for ((_, index), entries) in self.indexes.iter().zip(&mut self.entries) {
            entries.replace(index, Some(&old), None);
        }
        Some(old)
    }

    /// Takes over all objects, in bulk, in the place of those that are there.
    pub(crate) fn load(&mut self, objects: Objects<K>) {
        let entries = self.indexes.iter().map(|(_, index)| Entries::of(index, &objects.0));
        self.entries = entries.collect();
        self.identities = objects.0.iter().cloned().map(ByIdentity).collect();
        self.objects = objects;
    }

    pub(crate) fn objects(&self) -> &Objects<K> {
        &self.objects
    }
}

impl<K> Objects<K> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Lookup> Objects<K> {
    pub(crate) fn put(&mut self, object: &Arc<K>) -> Option<Arc<K>> {
        self.0.insert(Arc::clone(object), by_identity)
    }

    /// Takes the object of this one's identity out, in whatever version it is there.
    pub(crate) fn take(&mut self, object: &K) -> Option<Arc<K>> {
        let (namespace, name) = identity(object);
        self.0.remove(|other| order(&**other, &namespace, &name))
    }

    /// Visits what differs from an `earlier` state, in order, as the old and the new object. The
    /// same version again is no difference.
    pub(crate) fn since<'a>(
        &'a self,
        earlier: &'a Self,
        mut visit: impl FnMut(Option<&'a Arc<K>>, Option<&'a Arc<K>>),
    ) {
        let visit = |old: Option<&'a Arc<K>>, new: Option<&'a Arc<K>>| match (old, new) {
            (Some(old), Some(new)) if is_same_version(&**old, &**new) => {}
            (old, new) => visit(old, new),
        };
        self.0.since(&earlier.0, Arc::ptr_eq, by_identity, visit);
    }
}

impl<K: Lookup> Entries<K> {
    fn of(index: &Index<K>, objects: &Tree<Arc<K>>) -> Self {
        let mut own = Self::default();
        let mut entries = Vec::new();
        for object in objects.iter() {
            let keys = index.keys(object);
            own.absent += usize::from(is_absent(index, object, &keys));
            entries.extend(keys.into_iter().map(|key| Entry { key, object: Arc::clone(object) }));
        }
        // Stable: the objects come in order already.
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        own.tree = Tree::from_sorted(entries);
        own
    }

    /// Puts a new version in the place of the old one, under the keys that each of them has.
    fn replace(&mut self, index: &Index<K>, old: Option<&Arc<K>>, new: Option<&Arc<K>>) {
        let keys =
            |object: Option<&Arc<K>>| object.map(|object| index.keys(object)).unwrap_or_default();
        let (gone, come) = (keys(old), keys(new));
        let absent = |object: Option<&Arc<K>>, keys: &[Key]| {
            object.is_some_and(|object| is_absent(index, object, keys))
        };
        self.absent += usize::from(absent(new, &come));
        self.absent = self.absent.saturating_sub(usize::from(absent(old, &gone)));
        if let Some(old) = old {
            for key in gone.into_iter().filter(|key| !come.contains(key)) {
                let entry = Entry { key, object: Arc::clone(old) };
                if self.tree.remove(|other| other.order(&entry)).is_none() {
                    self.sweep(old);
                }
            }
        }
        if let Some(new) = new {
            for key in come {
                // Those who share a key share its text.
                let shared =
                    self.tree.get(|entry| entry.key.cmp(&key)).map(|entry| entry.key.clone());
                let entry = Entry { key: shared.unwrap_or(key), object: Arc::clone(new) };
                self.tree.insert(entry, Entry::order);
            }
        }
    }

    /// A closure gave an object other keys than before, which it must not do. Rather than leave an
    /// entry behind for ever, look at all of them.
    #[cold]
    fn sweep(&mut self, object: &Arc<K>) {
        tracing::error!(
            "an index closure gave one object different keys; it must depend on the object alone"
        );
        let kept =
            self.tree.iter().filter(|entry| !Arc::ptr_eq(&entry.object, object)).cloned().collect();
        self.tree = Tree::from_sorted(kept);
    }
}

/// Whether an object has no key in an index.
fn is_absent<K: Lookup>(index: &Index<K>, object: &Arc<K>, keys: &[Key]) -> bool {
    if index.is_identity() { identity(&**object).0.is_empty() } else { keys.is_empty() }
}

impl<K: Lookup> Entry<K> {
    fn order(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then_with(|| by_identity(&self.object, &other.object))
    }
}

/// Both parts of an object's identity; the namespace of a cluster-scoped object is `""`.
fn identity<K: Lookup>(object: &K) -> (Cow<'_, str>, Cow<'_, str>) {
    (object.namespace().unwrap_or_default(), object.name().unwrap_or_default())
}

pub(super) fn by_identity<K: Lookup>(a: &Arc<K>, b: &Arc<K>) -> Ordering {
    let (namespace, name) = identity(&**b);
    order(&**a, &namespace, &name)
}

fn order<K: Lookup>(object: &K, namespace: &str, name: &str) -> Ordering {
    let (own_namespace, own_name) = identity(object);
    (*own_namespace).cmp(namespace).then_with(|| (*own_name).cmp(name))
}

fn is_same_version<K: Lookup>(a: &K, b: &K) -> bool {
    is_version(a, b.resource_version().as_deref(), b.uid().as_deref())
}

/// Without a resourceVersion nothing can be said to be the same.
fn is_version<K: Lookup>(object: &K, resource_version: Option<&str>, uid: Option<&str>) -> bool {
    resource_version.is_some_and(|version| !version.is_empty())
        && object.resource_version().as_deref() == resource_version
        && object.uid().as_deref() == uid
}

/// An object as the trie sees it.
struct ByIdentity<K>(Arc<K>);

impl<K: Lookup> Hashed for ByIdentity<K> {
    fn hash(&self) -> u64 {
        let (namespace, name) = identity(&*self.0);
        hash(&namespace, &name)
    }

    fn same(&self, other: &Self) -> bool {
        by_identity(&self.0, &other.0) == Ordering::Equal
    }
}

/// Seeded anew in every process, so that nobody can choose names that collide.
fn hash(namespace: &str, name: &str) -> u64 {
    static STATE: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
    let mut hasher = STATE.build_hasher();
    namespace.hash(&mut hasher);
    name.hash(&mut hasher);
    hasher.finish()
}

impl<K> Clone for Contents<K> {
    fn clone(&self) -> Self {
        Self {
            objects: self.objects.clone(),
            identities: self.identities.clone(),
            indexes: Arc::clone(&self.indexes),
            entries: self.entries.clone(),
        }
    }
}

impl<K> Clone for Objects<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self(Tree::default())
    }
}

impl<K> Clone for Entries<K> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone(), absent: self.absent }
    }
}

impl<K> Default for Entries<K> {
    fn default() -> Self {
        Self { tree: Tree::default(), absent: 0 }
    }
}

impl<K> Clone for Entry<K> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), object: Arc::clone(&self.object) }
    }
}

impl<K> Clone for ByIdentity<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
