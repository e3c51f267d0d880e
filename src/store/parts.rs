//! The collections of a watch, as the writer of the store tracks them.

use std::time::Instant;

use kube::runtime::reflector::Lookup;

use super::{CollectionStatus, list::List};
use crate::{error::Error, event::Collection, resource_version::is_before};

/// The state of one collection.
pub(super) struct Part<K> {
    pub(super) collection: Collection,
    /// The list that is being received, until it is complete.
    pub(super) list: Option<List<K>>,
    pub(super) status: CollectionStatus,
    /// Start of the time for which the API server has answered that the kind is not installed.
    pub(super) missing_since: Option<Instant>,
    /// Number of objects in the longest list so far.
    furthest: usize,
    /// Set if anything was received since the sync state was last published.
    pub(super) is_received: bool,
    is_changed: bool,
}

impl<K: Lookup> Part<K> {
    /// Counts an object of the initial list, and returns whether that is progress: more objects than any
    /// earlier attempt received. A list may fail repeatedly at the same object.
    pub(super) fn advances(&mut self) -> bool {
        let before = self.list.as_ref().map_or(0, List::len);
        let is_progress = !self.status.is_complete && before >= self.furthest;
        if is_progress {
            self.furthest = before + 1;
        }
        is_progress
    }
}

impl<K> Part<K> {
    fn new(collection: Collection) -> Self {
        let status = CollectionStatus::new(collection.clone());
        Self {
            collection,
            list: None,
            status,
            missing_since: None,
            furthest: 0,
            is_received: false,
            is_changed: false,
        }
    }

    /// Advances the resourceVersion to that of an event.
    pub(super) fn reached(&mut self, version: &str) {
        match &mut self.status.resource_version {
            Some(own) if is_before(version, own) => {}
            Some(own) => version.clone_into(own),
            none => *none = Some(version.to_owned()),
        }
    }
}

/// All collections, by namespace.
pub(super) struct Parts<K> {
    all: Vec<Part<K>>,
    /// Set once the stream has sent its scope. Until then collections are added as events name them.
    is_scoped: bool,
    /// True if all collections are known.
    pub(super) is_settled: bool,
    /// The collections that changed since the sync state was last published.
    changed: Vec<usize>,
    /// Set if collections were added or removed since then.
    is_replaced: bool,
}

/// The collections that changed.
pub(super) struct Changed<'p, K> {
    pub(super) parts: Vec<&'p Part<K>>,
    /// True if `parts` are all collections, and others may have been removed.
    pub(super) are_all: bool,
}

/// Effect of a new scope.
pub(super) struct Removed {
    /// The removed collections.
    pub(super) collections: Vec<Collection>,
}

impl<K: Lookup> Parts<K> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            is_scoped: false,
            is_settled: true,
            changed: Vec::new(),
            is_replaced: false,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part<K>> {
        self.all.iter()
    }

    pub(super) fn at(&mut self, at: usize) -> &mut Part<K> {
        if !std::mem::replace(&mut self.all[at].is_changed, true) {
            self.changed.push(at);
        }
        &mut self.all[at]
    }

    /// Returns the position of the collection that has the objects of a namespace.
    #[inline]
    pub(super) fn of(&mut self, namespace: &str) -> Option<usize> {
        if self.all.is_empty() && !self.is_scoped {
            return self.named(&Collection::cluster());
        }
        // A collection of the whole cluster is the first and only one.
        if self.all.first().is_some_and(|part| part.collection.has(namespace)) {
            return Some(0);
        }
        self.find(Some(namespace)).ok()
    }

    /// Returns the position of a collection. Adds an unknown collection if the stream has sent no scope.
    pub(super) fn named(&mut self, collection: &Collection) -> Option<usize> {
        match self.find(collection.namespace()) {
            Ok(at) => Some(at),
            Err(_) if self.is_scoped => None,
            Err(at) => {
                self.all.insert(at, Part::new(collection.clone()));
                self.all_changed();
                Some(at)
            }
        }
    }

    /// Returns the position of the collection whose list or watch failed, if the error belongs to a
    /// collection.
    pub(super) fn of_failure(&mut self, error: &Error) -> Option<usize> {
        match error.namespace() {
            Some(namespace) => self.find(Some(namespace)).ok(),
            None => match error.object() {
                Some((namespace, _)) => self.of(namespace),
                None if self.all.is_empty() && !self.is_scoped => self.of(""),
                None => self.find(None).ok(),
            },
        }
    }

    fn find(&self, namespace: Option<&str>) -> Result<usize, usize> {
        self.all.binary_search_by(|part| part.collection.namespace().cmp(&namespace))
    }

    /// Replaces the collections with those of a scope, which must be sorted.
    pub(super) fn follow(&mut self, collections: &[Collection], is_settled: bool) -> Removed {
        self.is_scoped = true;
        self.is_settled = is_settled;
        let mut before = std::mem::take(&mut self.all).into_iter().peekable();
        let mut left = Vec::new();
        for collection in collections {
            while let Some(gone) = before.next_if(|part| part.collection < *collection) {
                left.push(gone.collection);
            }
            let kept = before.next_if(|part| part.collection == *collection);
            self.all.push(kept.unwrap_or_else(|| Part::new(collection.clone())));
        }
        left.extend(before.map(|part| part.collection));
        self.all_changed();
        Removed { collections: left }
    }

    fn all_changed(&mut self) {
        self.is_replaced = true;
        self.changed = (0..self.all.len()).collect();
        self.all.iter_mut().for_each(|part| part.is_changed = true);
    }

    /// Returns the collections that changed since the last call.
    pub(super) fn take_changed(&mut self, now: Instant) -> Changed<'_, K> {
        let changed = std::mem::take(&mut self.changed);
        for at in &changed {
            let part = &mut self.all[*at];
            part.is_changed = false;
            if std::mem::take(&mut part.is_received) {
                part.status.last_word = Some(now);
            }
        }
        let parts = changed.into_iter().map(|at| &self.all[at]).collect();
        Changed { parts, are_all: std::mem::take(&mut self.is_replaced) }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_settled && self.all.iter().all(|part| part.status.is_complete)
    }

    /// Returns the failure that has lasted longest.
    pub(super) fn failing(&self) -> Option<(Error, Instant)> {
        let failing = self.all.iter().filter_map(|part| part.status.failing.as_ref());
        failing.min_by_key(|(_, since)| *since).cloned()
    }

    /// Returns the time since which all collections are connected, if they are.
    pub(super) fn connected(&self) -> Option<Instant> {
        let all = self.all.iter().map(|part| part.status.connected);
        all.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other))).flatten()
    }

    /// Returns the number of objects in incomplete lists.
    pub(super) fn pending(&self) -> usize {
        self.all.iter().filter_map(|part| part.list.as_ref()).map(List::len).sum()
    }

    pub(super) fn is_listing(&self) -> bool {
        self.all.iter().any(|part| part.list.is_some())
    }
}
