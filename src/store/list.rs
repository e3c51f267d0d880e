//! A list on its way in.

use std::{collections::BTreeSet, mem, sync::Arc};

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
    /// The objects that came, and whether they are there. Of several with one identity the last
    /// counts.
    objects: Vec<(Arc<K>, bool)>,
    /// How long `objects` may become before it is settled.
    limit: usize,
    /// Objects that are listed, but in a version that would not decode.
    undecodable: BTreeSet<(String, String)>,
    /// How many items are none that has a name.
    nameless: usize,
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
        let (objects, undecodable) = (Vec::new(), BTreeSet::new());
        Self { objects, limit: FIRST_LIMIT, undecodable, nameless: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Adds an object in the place of those of its identity, or takes it away.
    pub(super) fn note(&mut self, object: Arc<K>, is_there: bool) {
        if !self.undecodable.is_empty() {
            self.undecodable.remove(&owned_identity(&*object));
        }
        if self.objects.len() == self.limit {
            // It must not grow with the number of events.
            self.settle();
            self.limit = self.limit.max(2 * self.objects.len());
        }
        self.objects.push((object, is_there));
    }

    /// Takes an object away of which only the identity is known.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        self.undecodable.remove(&(namespace.to_owned(), name.to_owned()));
        self.settle();
        let found = self.objects.binary_search_by(|(own, _)| against(&**own, namespace, name));
        if let Ok(at) = found {
            self.objects.remove(at);
        }
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
            objects: self.objects.into_iter().map(|(object, _)| object).collect(),
            undecodable: self.undecodable,
            is_all_named: self.nameless == 0,
        }
    }

    /// Leaves the objects that are there, in order, each identity once.
    fn settle(&mut self) {
        // Stable, and fast for what is in order already, as the API server lists it.
        self.objects.sort_by(|(a, _), (b, _)| order(&**a, &**b));
        self.objects.dedup_by(|later, earlier| {
            let same = order(&*later.0, &*earlier.0).is_eq();
            if same {
                mem::swap(later, earlier);
            }
            same
        });
        self.objects.retain(|(_, is_there)| *is_there);
    }
}
