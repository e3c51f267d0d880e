use std::sync::Arc;

use super::instrument::{Counter, Family, Labels, Share, Shares};
use crate::origin::Origin;

/// Metrics of a store, measured by its writer.
pub(crate) struct Store {
    pub(crate) applied: Counter,
    pub(crate) deleted: Counter,
    pub(crate) listed: Counter,
    /// Objects that were listed in the version that is stored.
    pub(crate) kept: Counter,
    errors: Family,
    publishes: Counter,
    alive: Share,
    synced: Share,
    objects: Share,
    stale: Share,
    entries: Shares,
}

impl Store {
    pub(crate) fn new(origin: &Origin, indexes: impl Iterator<Item = Arc<str>>) -> Self {
        let labels = Labels::of(origin);
        let events =
            |kind: &'static str| Counter::new("kube_weir_events_total", &labels.with("type", kind));
        let share = |name| Share::new(name, &labels);
        let mut store = Self {
            applied: events("apply"),
            deleted: events("delete"),
            listed: events("listed"),
            kept: events("kept"),
            errors: Family::new("kube_weir_errors_total", &labels),
            publishes: Counter::new("kube_weir_store_publishes_total", &labels),
            alive: share("kube_weir_stores"),
            synced: share("kube_weir_stores_synced"),
            objects: share("kube_weir_store_objects"),
            stale: share("kube_weir_store_stale_objects"),
            entries: Shares::new("kube_weir_store_index_entries", &labels, "index", indexes),
        };
        store.alive.set(1);
        store
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.errors.count("reason", reason);
    }

    pub(crate) fn status(&mut self, synced: bool, stale: usize) {
        self.synced.set(usize::from(synced));
        self.stale(stale);
    }

    pub(crate) fn stale(&mut self, objects: usize) {
        self.stale.set(objects);
    }

    pub(crate) fn published(&mut self, objects: usize, entries: impl Iterator<Item = usize>) {
        self.publishes.add(1);
        self.objects.set(objects);
        self.entries.set(entries);
    }
}
