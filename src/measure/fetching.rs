use tokio::time::Instant;

use super::instrument::{Counter, Family, Histogram, Labels, Share};
use crate::origin::Origin;

/// A counter whose value can also be read without metrics.
#[derive(Default)]
pub(crate) struct Tally {
    count: u64,
    counter: Counter,
}

impl Tally {
    fn new(name: &'static str, labels: &Labels) -> Self {
        Self { count: 0, counter: Counter::new(name, labels) }
    }

    pub(crate) fn add_one(&mut self) {
        self.count += 1;
        self.counter.add(1);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// Metrics of fetching objects.
pub(crate) struct Fetching {
    pub(crate) hits: Tally,
    /// Misses, except those that joined the fetch of another reader.
    pub(crate) misses: Tally,
    pub(crate) joined: Tally,
    pub(crate) retries: Tally,
    pub(crate) gets: u64,
    pub(crate) lists: u64,
    pub(crate) stale: u64,
    failures: u64,
    failed: Family,
    duration: Histogram,
}

impl Fetching {
    pub(crate) fn new(origin: &Origin) -> Self {
        let labels = Labels::of(origin);
        let reads = |result: &'static str| {
            Tally::new("kube_weir_fetch_reads_total", &labels.with("result", result))
        };
        Self {
            hits: reads("hit"),
            misses: reads("miss"),
            joined: reads("joined"),
            retries: Tally::new("kube_weir_fetch_retries_total", &labels),
            gets: 0,
            lists: 0,
            stale: 0,
            failures: 0,
            failed: Family::new("kube_weir_fetch_failures_total", &labels),
            duration: Histogram::new("kube_weir_fetch_duration_seconds", &labels),
        }
    }

    /// Records the end of an object's fetch, with a reason if it failed.
    pub(crate) fn ended(&mut self, begun: Instant, failure: Option<&'static str>) {
        self.duration.since(begun);
        if let Some(reason) = failure {
            self.failures += 1;
            self.failed.count("reason", reason);
        }
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures
    }
}

/// Metrics of the cache of fetched objects. The default only counts, without metrics.
#[derive(Default)]
pub(crate) struct Cached {
    pub(crate) evicted: Tally,
    pub(crate) expired: Tally,
    pub(crate) outdated: Tally,
    objects: Share,
    bytes: Share,
}

impl Cached {
    pub(crate) fn new(origin: &Origin) -> Self {
        let labels = Labels::of(origin);
        let dropped = |reason: &'static str| {
            Tally::new("kube_weir_fetch_dropped_total", &labels.with("reason", reason))
        };
        Self {
            evicted: dropped("evicted"),
            expired: dropped("expired"),
            outdated: dropped("outdated"),
            objects: Share::new("kube_weir_fetch_cached_objects", &labels),
            bytes: Share::new("kube_weir_fetch_cached_bytes", &labels),
        }
    }

    pub(crate) fn size(&mut self, objects: usize, bytes: usize) {
        self.objects.set(objects);
        self.bytes.set(bytes);
    }
}
