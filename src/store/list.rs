//! A list on its way in.

use std::{cmp::Ordering, collections::BTreeSet, mem, sync::Arc};

use kube::runtime::reflector::Lookup;

use crate::{
    namespaced_name::owned_identity,
    snapshot::{against, order},
};

/// How many objects a list may have before it is looked at for repetitions.
const FIRST_LIMIT: usize = 1024;

/// A list that is set aside until it is complete, so that one that is cut, or begun again, leaves
/// nothing behind.
pub(super) struct List<K> {
    /// Objects and deletions as they came. The last one of an identity counts.
    entries: Vec<Entry<K>>,
    /// How long `entries` may become before it is settled.
    limit: usize,
    /// Objects that are listed, but in a version that would not decode.
    undecodable: BTreeSet<(String, String)>,
    /// How many items are none that has a name.
    nameless: usize,
}

enum Entry<K> {
    There(Arc<K>),
    /// The namespace and name of an object that is gone.
    Gone((String, String)),
}

/// The objects of a list that is complete.
pub(super) struct Listed<K> {
    /// In order, each identity once.
    pub(super) objects: Vec<Arc<K>>,
    pub(super) undecodable: BTreeSet<(String, String)>,
    pub(super) is_all_named: bool,
}

impl<K: Lookup> List<K> {
    pub(super) fn new() -> Self {
        let (entries, undecodable) = (Vec::new(), BTreeSet::new());
        Self { entries, limit: FIRST_LIMIT, undecodable, nameless: 0 }
    }

    /// Returns how much came, since the list was last settled.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether no object came.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.iter().all(|entry| matches!(entry, Entry::Gone(_)))
    }

    /// Adds an object in the place of those of its identity.
    pub(super) fn put(&mut self, object: Arc<K>) {
        if !self.undecodable.is_empty() {
            self.undecodable.remove(&owned_identity(&*object));
        }
        self.push(Entry::There(object));
    }

    /// Takes the objects of an identity away.
    pub(super) fn remove(&mut self, identity: (String, String)) {
        self.undecodable.remove(&identity);
        self.push(Entry::Gone(identity));
    }

    fn push(&mut self, entry: Entry<K>) {
        if self.entries.len() == self.limit {
            // It must not grow with the number of events.
            self.settle();
            self.limit = self.limit.max(2 * self.entries.len());
        }
        self.entries.push(entry);
    }

    /// Takes note of an item that can't be decoded.
    pub(super) fn failed(&mut self, object: Option<(String, String)>) {
        match object {
            Some(object) => drop(self.undecodable.insert(object)),
            None => self.nameless += 1,
        }
    }

    pub(super) fn complete(mut self) -> Listed<K> {
        self.settle();
        Listed {
            objects: self.entries.into_iter().filter_map(Entry::there).collect(),
            undecodable: self.undecodable,
            is_all_named: self.nameless == 0,
        }
    }

    /// Leaves the objects that are there, in order, each identity once.
    fn settle(&mut self) {
        // Stable, and fast for what is in order already, as the API server lists it.
        self.entries.sort_by(Entry::order);
        self.entries.dedup_by(|later, earlier| {
            let same = later.order(earlier).is_eq();
            if same {
                mem::swap(later, earlier);
            }
            same
        });
        self.entries.retain(|entry| matches!(entry, Entry::There(_)));
    }
}

impl<K: Lookup> Entry<K> {
    fn there(self) -> Option<Arc<K>> {
        match self {
            Self::There(object) => Some(object),
            Self::Gone(_) => None,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::There(one), Self::There(other)) => order(&**one, &**other),
            (Self::There(one), Self::Gone((namespace, name))) => against(&**one, namespace, name),
            (Self::Gone(_), Self::There(_)) => other.order(self).reverse(),
            (Self::Gone(one), Self::Gone(other)) => one.cmp(other),
        }
    }
}
