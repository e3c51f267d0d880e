use tokio::time::Instant;

use super::instrument::{Counter, Family, Histogram, Labels, Share};

/// Metrics of a candidate for a Lease.
pub(crate) struct Leader {
    leading: Share,
    terms: Counter,
    losses: Counter,
    failures: Family,
    duration: Histogram,
}

impl Leader {
    pub(crate) fn new(namespace: &str, lease: &str) -> Self {
        let labels = Labels::lease(namespace, lease);
        Self {
            leading: Share::new("kube_weir_leader", &labels),
            terms: Counter::new("kube_weir_leader_terms_total", &labels),
            losses: Counter::new("kube_weir_leader_losses_total", &labels),
            failures: Family::new("kube_weir_leader_renew_failures_total", &labels),
            duration: Histogram::new("kube_weir_leader_renew_duration_seconds", &labels),
        }
    }

    pub(crate) fn elected(&mut self) {
        self.leading.set(1);
        self.terms.add(1);
    }

    pub(crate) fn lost(&mut self) {
        self.resigned();
        self.losses.add(1);
    }

    pub(crate) fn resigned(&mut self) {
        self.leading.set(0);
    }

    /// Records the end of a renewal that was sent at `sent`, with a reason if it failed.
    pub(crate) fn renewed(&self, sent: Instant, failure: Option<&'static str>) {
        self.duration.since(sent);
        if let Some(reason) = failure {
            self.failures.count("reason", reason);
        }
    }
}
