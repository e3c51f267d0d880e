//! The collections of a watch, as the writer of its store sees them.

use std::time::Instant;

use kube::runtime::reflector::Lookup;

use super::{CollectionStatus, list::List};
use crate::{error::Error, event::Collection, resource_version::is_before};

/// The state of one collection.
pub(super) struct Part<K> {
    pub(super) collection: Collection,
    /// The list that is coming in, until it is complete.
    pub(super) list: Option<List<K>>,
    pub(super) status: CollectionStatus,
    /// Since when the API server has said that the kind is not installed.
    pub(super) missing_since: Option<Instant>,
    /// How many objects the longest of the lists so far had.
    furthest: usize,
    /// Set if something came since the stores were last informed.
    pub(super) is_heard: bool,
    is_changed: bool,
}

impl<K: Lookup> Part<K> {
    /// Takes note that one more object of the initial list came, and returns whether that is progress:
    /// a list may fail again and again after so many objects.
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
            is_heard: false,
            is_changed: false,
        }
    }

    /// Moves the position on to the version of an event.
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
    /// Set once the stream says which collections it has. Until then it has those that it names.
    is_scoped: bool,
    /// True if all collections are known.
    pub(super) is_settled: bool,
    /// The collections that changed since the stores were last informed.
    changed: Vec<usize>,
    /// Set if collections came or went since then.
    are_others: bool,
}

/// The collections that changed.
pub(super) struct Changed<'p, K> {
    pub(super) parts: Vec<&'p Part<K>>,
    /// True if these are all that there are, and others may be gone.
    pub(super) are_all: bool,
}

/// The difference that a new scope makes.
pub(super) struct Left {
    /// The collections that are gone.
    pub(super) collections: Vec<Collection>,
}

impl<K: Lookup> Parts<K> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            is_scoped: false,
            is_settled: true,
            changed: Vec::new(),
            are_others: false,
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

    /// Returns the place of the collection that an object of a namespace belongs to.
    #[inline]
    pub(super) fn of(&mut self, namespace: &str) -> Option<usize> {
        if self.all.is_empty() && !self.is_scoped {
            return self.named(&Collection::cluster());
        }
        // The whole cluster comes first, and is alone.
        if self.all.first().is_some_and(|part| part.collection.has(namespace)) {
            return Some(0);
        }
        self.find(Some(namespace)).ok()
    }

    /// Returns the place of a collection. One that nobody announced is added where that can be.
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

    /// Returns the place of the collection whose list or watch failed, if it was that of one.
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

    /// Takes over the collections of a scope, which come in order.
    pub(super) fn follow(&mut self, collections: &[Collection], is_settled: bool) -> Left {
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
        Left { collections: left }
    }

    fn all_changed(&mut self) {
        self.are_others = true;
        self.changed = (0..self.all.len()).collect();
        self.all.iter_mut().for_each(|part| part.is_changed = true);
    }

    /// Returns the collections that changed since this was last asked.
    pub(super) fn take_changed(&mut self, now: Instant) -> Changed<'_, K> {
        let changed = std::mem::take(&mut self.changed);
        for at in &changed {
            let part = &mut self.all[*at];
            part.is_changed = false;
            if std::mem::take(&mut part.is_heard) {
                part.status.last_word = Some(now);
            }
        }
        let parts = changed.into_iter().map(|at| &self.all[at]).collect();
        Changed { parts, are_all: std::mem::take(&mut self.are_others) }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_settled && self.all.iter().all(|part| part.status.is_complete)
    }

    /// Returns the failure that goes on for the longest time.
    pub(super) fn failing(&self) -> Option<(Error, Instant)> {
        let failing = self.all.iter().filter_map(|part| part.status.failing.as_ref());
        failing.min_by_key(|(_, since)| *since).cloned()
    }

    /// Returns since when all collections are connected, if they are.
    pub(super) fn connected(&self) -> Option<Instant> {
        let all = self.all.iter().map(|part| part.status.connected);
        all.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other))).flatten()
    }

    /// Returns how many objects are set aside in lists.
    pub(super) fn pending(&self) -> usize {
        self.all.iter().filter_map(|part| part.list.as_ref()).map(List::len).sum()
    }

    pub(super) fn is_listing(&self) -> bool {
        self.all.iter().any(|part| part.list.is_some())
    }
}
