//! Instruments that report to the `metrics` facade.

use std::{sync::Arc, time::SystemTime};

use metrics::{Label, SharedString, Unit};
use tokio::time::Instant;

use crate::{
    origin::Origin,
    telemetry::{METRICS, MetricKind, MetricUnit},
};

/// The labels that all metrics of one thing share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels(Vec<Label>);

impl Labels {
    pub(crate) fn of(origin: &Origin) -> Self {
        let resource = Label::new("resource", Arc::clone(&origin.resource));
        let name = origin.name.as_ref().map(|name| Label::new("name", Arc::clone(name)));
        Self([resource].into_iter().chain(name).collect())
    }

    pub(crate) fn lease(namespace: &str, name: &str) -> Self {
        Self(vec![Label::new("lease", format!("{namespace}/{name}"))])
    }

    pub(crate) fn with(&self, key: &'static str, value: impl Into<SharedString>) -> Self {
        Self(self.0.iter().cloned().chain([Label::new(key, value)]).collect())
    }
}

/// Describes a metric, for exporters that show descriptions. These keep a description that they already
/// have.
fn describe(name: &'static str) {
    let Some(metric) = METRICS.iter().find(|metric| metric.name == name) else { return };
    let unit = match metric.unit {
        MetricUnit::Count => Unit::Count,
        MetricUnit::Bytes => Unit::Bytes,
        MetricUnit::Seconds => Unit::Seconds,
    };
    match metric.kind {
        MetricKind::Counter => metrics::describe_counter!(name, unit, metric.help),
        MetricKind::Gauge => metrics::describe_gauge!(name, unit, metric.help),
        MetricKind::Histogram => metrics::describe_histogram!(name, unit, metric.help),
    }
}

/// A counter.
#[derive(Clone)]
pub(crate) struct Counter(metrics::Counter);

impl Counter {
    pub(crate) fn new(name: &'static str, labels: &Labels) -> Self {
        describe(name);
        Self(metrics::counter!(name, labels.0.clone()))
    }

    #[inline]
    pub(crate) fn add(&self, count: usize) {
        self.0.increment(count as u64);
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self(metrics::Counter::noop())
    }
}

/// A counter with a label whose value is known only at the time of counting. The counter is looked up
/// each time.
#[derive(Clone, Default)]
pub(crate) struct Family(Option<(&'static str, Labels)>);

impl Family {
    pub(crate) fn new(name: &'static str, labels: &Labels) -> Self {
        describe(name);
        Self(Some((name, labels.clone())))
    }

    pub(crate) fn count(&self, key: &'static str, value: impl Into<SharedString>) {
        if let Some((name, labels)) = &self.0 {
            metrics::counter!(*name, labels.with(key, value).0).increment(1);
        }
    }
}

/// The owner's part of a gauge, which is removed on drop.
pub(crate) struct Share {
    gauge: metrics::Gauge,
    part: usize,
}

impl Share {
    pub(crate) fn new(name: &'static str, labels: &Labels) -> Self {
        describe(name);
        Self { gauge: metrics::gauge!(name, labels.0.clone()), part: 0 }
    }

    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 things")]
    pub(crate) fn set(&mut self, part: usize) {
        if part > self.part {
            self.gauge.increment((part - self.part) as f64);
        } else if part < self.part {
            self.gauge.decrement((self.part - part) as f64);
        }
        self.part = part;
    }
}

impl Default for Share {
    fn default() -> Self {
        Self { gauge: metrics::Gauge::noop(), part: 0 }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The owner's parts of a gauge, one for each value of a label.
#[derive(Default)]
pub(crate) struct Shares(Vec<Share>);

impl Shares {
    pub(crate) fn new<V: Into<SharedString>>(
        name: &'static str,
        labels: &Labels,
        key: &'static str,
        values: impl Iterator<Item = V>,
    ) -> Self {
        Self(values.map(|value| Share::new(name, &labels.with(key, value))).collect())
    }

    /// Sets the parts, in the order of the values.
    pub(crate) fn set(&mut self, parts: impl Iterator<Item = usize>) {
        self.0.iter_mut().zip(parts).for_each(|(share, part)| share.set(part));
    }
}

/// A gauge for the time of the last event.
#[derive(Clone)]
pub(crate) struct Timestamp(metrics::Gauge);

impl Timestamp {
    pub(crate) fn new(name: &'static str, labels: &Labels) -> Self {
        describe(name);
        Self(metrics::gauge!(name, labels.0.clone()))
    }

    pub(crate) fn now(&self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.0.set(since.unwrap_or_default().as_secs_f64());
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self(metrics::Gauge::noop())
    }
}

/// A histogram of durations.
#[derive(Clone)]
pub(crate) struct Histogram(metrics::Histogram);

impl Histogram {
    pub(crate) fn new(name: &'static str, labels: &Labels) -> Self {
        describe(name);
        Self(metrics::histogram!(name, labels.0.clone()))
    }

    pub(crate) fn since(&self, begun: Instant) {
        self.0.record(begun.elapsed().as_secs_f64());
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(metrics::Histogram::noop())
    }
}
