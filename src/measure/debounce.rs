use tokio::time::Instant;

use super::instrument::{Counter, Histogram, Labels};
use crate::origin::Origin;

/// Metrics of a debounce.
pub(crate) struct Debounce {
    received: Counter,
    delivered: Counter,
    delay: Histogram,
}

impl Debounce {
    pub(crate) fn new(origin: &Origin) -> Self {
        let labels = Labels::of(origin);
        Self {
            received: Counter::new("kube_weir_debounce_received_total", &labels),
            delivered: Counter::new("kube_weir_debounce_delivered_total", &labels),
            delay: Histogram::new("kube_weir_debounce_delay_seconds", &labels),
        }
    }

    pub(crate) fn received(&self) {
        self.received.add(1);
    }

    /// Records the delivery of a change, the first part of which came in at `first`.
    pub(crate) fn delivered(&self, first: Instant) {
        self.delivered.add(1);
        self.delay.since(first);
    }
}
