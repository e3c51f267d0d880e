//! What a watch and the writer of its store tell each other beside the events.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use kube::runtime::reflector::Lookup;

use crate::{
    document::ObjectMetaRef,
    resource_version::{Position, has_reached},
    snapshot::Contents,
    source::Downstream,
};

/// What a watch tells beside its events. Only ever locked by the one task that polls watch and
/// writer.
pub(crate) struct Feedback<K> {
    current: Arc<ArcSwap<Contents<K>>>,
    /// What it finds listed in the version that is stored, so that it doesn't decode it again.
    listed: Mutex<Vec<Arc<K>>>,
    /// How far it is, and whether it moved since the stores were last told.
    position: Mutex<(Position, bool)>,
}

impl<K> Feedback<K> {
    pub(super) fn new(current: Arc<ArcSwap<Contents<K>>>) -> Self {
        Self { current, listed: Mutex::default(), position: Mutex::default() }
    }

    pub(super) fn take(&self) -> Vec<Arc<K>> {
        mem::take(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many are kept for the list that comes in.
    pub(super) fn len(&self) -> usize {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn position(&self) -> MutexGuard<'_, (Position, bool)> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a watch that doesn't tell how far it is: at least up to the version of an object that came,
    /// because they come in order.
    pub(super) fn passed(&self, version: &str) {
        let mut position = self.position();
        if !position.0.of("").is_some_and(|own| has_reached(own, version)) {
            position.0.set("", version);
            position.1 = true;
        }
    }
}

impl<K: Lookup + Send + Sync> Downstream for Feedback<K> {
    fn is_empty(&self) -> bool {
        self.current.load().is_empty()
    }

    fn has(&self, meta: &ObjectMetaRef<'_>) -> bool {
        let contents = self.current.load();
        let Some(object) = contents.at_version(meta) else { return false };
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.push(Arc::clone(object));
        true
    }

    fn reached(&self, namespace: &str, version: &str) {
        let mut position = self.position();
        position.0.set(namespace, version);
        position.1 = true;
    }
}
