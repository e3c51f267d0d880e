use tokio::time::Instant;

use super::instrument::{Counter, Family, Histogram, Labels, Share, Timestamp};
use crate::origin::Origin;

/// Metrics of the requests for one resource. The default measures nothing.
#[derive(Clone, Default)]
pub(crate) struct Requests {
    labels: Option<Labels>,
    contact: Timestamp,
}

impl Requests {
    /// Makes the metrics of a watch.
    pub(crate) fn of_watch(origin: &Origin) -> Self {
        let labels = Labels::of(origin);
        let contact = Timestamp::new("kube_weir_last_contact_timestamp_seconds", &labels);
        Self { labels: Some(labels), contact }
    }

    /// Makes the metrics of other requests, whose answers don't count as contact of a watch.
    pub(crate) fn of_fetch(origin: &Origin) -> Self {
        Self { labels: Some(Labels::of(origin)), contact: Timestamp::default() }
    }

    /// Begins to measure a request that is sent now.
    pub(crate) fn begin(&self, verb: &'static str) -> Request {
        Request {
            labels: self.labels.as_ref().map(|labels| labels.with("verb", verb)),
            begun: Instant::now(),
            contact: self.contact.clone(),
            bytes: Counter::default(),
            watches: self
                .labels
                .as_ref()
                .filter(|_| verb == "watch")
                .map(|labels| Share::new("kube_weir_watches", labels)),
        }
    }
}

/// Metrics of a request and, until it is read, of its answer.
pub(crate) struct Request {
    labels: Option<Labels>,
    begun: Instant,
    contact: Timestamp,
    bytes: Counter,
    watches: Option<Share>,
}

impl Request {
    /// Records the start of the answer with its HTTP status, or `None` if no answer came.
    pub(crate) fn answered(&mut self, status: Option<http::StatusCode>) {
        let Some(labels) = &self.labels else { return };
        Histogram::new("kube_weir_request_duration_seconds", labels).since(self.begun);
        let code = status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
        Family::new("kube_weir_requests_total", labels).count("code", code);
        if status.is_some_and(|status| status.is_success()) {
            self.bytes = Counter::new("kube_weir_received_bytes_total", labels);
            self.contact.now();
            self.watches.iter_mut().for_each(|watches| watches.set(1));
        } else {
            self.contact = Timestamp::default();
        }
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes.add(bytes);
        self.contact.now();
    }
}

/// Metrics of the lists of a watch.
pub(crate) struct Lists {
    begun: Family,
    duration: Histogram,
}

impl Lists {
    pub(crate) fn new(origin: &Origin) -> Self {
        let labels = Labels::of(origin);
        Self {
            begun: Family::new("kube_weir_lists_total", &labels),
            duration: Histogram::new("kube_weir_list_duration_seconds", &labels),
        }
    }

    pub(crate) fn begin(&self, reason: &'static str) {
        self.begun.count("reason", reason);
    }

    pub(crate) fn complete(&self, begun: Instant) {
        self.duration.since(begun);
    }
}
