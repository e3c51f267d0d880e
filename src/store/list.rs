//! A list that is being received.

use std::{cmp::Ordering, collections::BTreeSet, mem, sync::Arc};

use kube::runtime::reflector::Lookup;

use crate::{
    namespaced_name::owned_identity,
    snapshot::{against, order},
};

/// Number of entries at which a list is first checked for repeated objects.
const FIRST_LIMIT: usize = 1024;

/// A list that is kept apart from the state until it is complete, so that an interrupted or restarted list
/// has no effect.
pub(super) struct List<K> {
    /// Objects and deletions in the order of arrival. The last entry of an identity counts.
    entries: Vec<Entry<K>>,
    /// Length of `entries` at which repetitions are removed.
    limit: usize,
    /// Objects that are listed, but in a version that can't be decoded.
    undecodable: BTreeSet<(String, String)>,
    /// Number of undecodable items without a known name.
    nameless: usize,
}

enum Entry<K> {
    Object(Arc<K>),
    /// The namespace and name of a deleted object.
    Deleted((String, String)),
}

/// The objects of a complete list.
pub(super) struct Listed<K> {
    /// The objects in order, each identity once.
    pub(super) objects: Vec<Arc<K>>,
    pub(super) undecodable: BTreeSet<(String, String)>,
    pub(super) is_all_named: bool,
}

impl<K: Lookup> List<K> {
    pub(super) fn new() -> Self {
        let (entries, undecodable) = (Vec::new(), BTreeSet::new());
        Self { entries, limit: FIRST_LIMIT, undecodable, nameless: 0 }
    }

    /// Returns the number of entries, including those not yet deduplicated.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is no object.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| matches!(entry, Entry::Deleted(_)))
    }

    /// Adds an object; it replaces earlier ones of its identity.
    pub(super) fn put(&mut self, object: Arc<K>) {
        if !self.undecodable.is_empty() {
            self.undecodable.remove(&owned_identity(&*object));
        }
        self.push(Entry::Object(object));
    }

    /// Removes the objects of an identity.
    pub(super) fn remove(&mut self, identity: (String, String)) {
        self.undecodable.remove(&identity);
        self.push(Entry::Deleted(identity));
    }

    fn push(&mut self, entry: Entry<K>) {
        if self.entries.len() == self.limit {
            // The list must not grow with the number of events.
            self.settle();
            self.limit = self.limit.max(2 * self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Records an item that can't be decoded.
    pub(super) fn failed(&mut self, object: Option<(String, String)>) {
        match object {
            Some(object) => drop(self.undecodable.insert(object)),
            None => self.nameless += 1,
        }
    }

    pub(super) fn complete(mut self) -> Listed<K> {
        self.settle();
        Listed {
            objects: self.entries.into_iter().filter_map(Entry::into_object).collect(),
            undecodable: self.undecodable,
            is_all_named: self.nameless == 0,
        }
    }

    /// Sorts the entries, and keeps the last object of each identity that is not deleted.
    fn settle(&mut self) {
        // The sort is stable, and fast for sorted entries, as the API server lists them.
        self.entries.sort_by(Entry::order);
        self.entries.dedup_by(|later, earlier| {
            let same = later.order(earlier).is_eq();
            if same {
                mem::swap(later, earlier);
            }
            same
        });
        self.entries.retain(|entry| matches!(entry, Entry::Object(_)));
    }
}

impl<K: Lookup> Entry<K> {
    fn into_object(self) -> Option<Arc<K>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Deleted(_) => None,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Object(one), Self::Object(other)) => order(&**one, &**other),
            (Self::Object(one), Self::Deleted((namespace, name))) => {
                against(&**one, namespace, name)
            }
            (Self::Deleted(_), Self::Object(_)) => other.order(self).reverse(),
            (Self::Deleted(one), Self::Deleted(other)) => one.cmp(other),
        }
    }
}
