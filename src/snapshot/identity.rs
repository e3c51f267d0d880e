//! Identity of objects, which is (namespace, name), their order, and their version, which is uid and
//! resourceVersion.

use std::{
    cmp::Ordering,
    hash::{BuildHasher, Hasher},
    sync::Arc,
};

use foldhash::fast::RandomState;
use kube::runtime::reflector::Lookup;

use super::heap::{Heap, Slot};
use crate::namespaced_name::identity;

/// Compares two objects by (namespace, name).
pub(crate) fn order<K: Lookup>(a: &K, b: &K) -> Ordering {
    let (namespace, name) = identity(b);
    against(a, &namespace, &name)
}

/// Compares an object with an identity.
#[inline]
pub(crate) fn against<K: Lookup>(object: &K, namespace: &str, name: &str) -> Ordering {
    let (own_namespace, own_name) = identity(object);
    (*own_namespace).cmp(namespace).then_with(|| (*own_name).cmp(name))
}

/// Returns a function that orders a slot relative to an object.
pub(super) fn by_identity<K: Lookup>(
    heap: &Heap<Arc<K>>,
    object: &K,
) -> impl Fn(&Slot) -> Ordering {
    let (namespace, name) = identity(object);
    move |slot| {
        let (other_namespace, other_name) = identity(&**heap.at(*slot));
        (*other_namespace).cmp(&namespace).then_with(|| (*other_name).cmp(&name))
    }
}

/// Returns whether an object has this namespace and name.
#[inline]
pub(super) fn is<K: Lookup>(object: &K, namespace: &str, name: &str) -> bool {
    let (own_namespace, own_name) = identity(object);
    own_name == name && own_namespace == namespace
}

/// Hash seed, random for each store, so that nobody can choose names that collide.
#[derive(Clone, Default)]
pub(super) struct Seed(RandomState);

impl Seed {
    #[inline]
    pub(super) fn hash(&self, namespace: &str, name: &str) -> u64 {
        // The hasher includes the length of each part, so no separator is needed.
        let mut hasher = self.0.build_hasher();
        hasher.write(namespace.as_bytes());
        hasher.write(name.as_bytes());
        hasher.finish()
    }

    #[inline]
    pub(super) fn of<K: Lookup>(&self, object: &K) -> u64 {
        let (namespace, name) = identity(object);
        self.hash(&namespace, &name)
    }
}

/// Returns whether two objects of one identity are the same version.
pub(super) fn is_same_version<K: Lookup>(a: &K, b: &K) -> bool {
    is_version(a, b.resource_version().as_deref(), b.uid().as_deref())
}

/// Returns whether an object has this version; false without a resourceVersion.
pub(super) fn is_version<K: Lookup>(
    object: &K,
    resource_version: Option<&str>,
    uid: Option<&str>,
) -> bool {
    resource_version.is_some_and(|version| !version.is_empty())
        && object.resource_version().as_deref() == resource_version
        && object.uid().as_deref() == uid
}
