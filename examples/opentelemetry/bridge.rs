//! From the `metrics` facade to OpenTelemetry: each value goes on to an instrument of a meter.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use kube_weir::telemetry;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use opentelemetry::{KeyValue, metrics::Meter};

/// A recorder that has a meter for its instruments.
pub(crate) struct Bridge {
    meter: Meter,
    descriptions: Mutex<HashMap<KeyName, (Option<Unit>, SharedString)>>,
    // Pipelines of one resource share a value.
    counters: Mutex<HashMap<String, Counter>>,
    gauges: Mutex<HashMap<String, Gauge>>,
}

impl Bridge {
    pub(crate) fn new(meter: Meter) -> Self {
        let descriptions = Mutex::default();
        Self { meter, descriptions, counters: Mutex::default(), gauges: Mutex::default() }
    }

    fn describe(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        lock(&self.descriptions).insert(name, (unit, text));
    }

    /// Returns the unit, as OpenTelemetry abbreviates it, and the description.
    fn description(&self, key: &Key) -> (&'static str, String) {
        let descriptions = lock(&self.descriptions);
        let Some((unit, text)) = descriptions.get(key.name()) else { return Default::default() };
        let unit = match unit {
            Some(Unit::Seconds) => "s",
            Some(Unit::Bytes) => "By",
            _ => "",
        };
        (unit, text.to_string())
    }
}

impl Recorder for Bridge {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(name, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let make = || {
            let (unit, text) = self.description(key);
            let counter = self.meter.u64_counter(key.name().to_owned());
            let counter = counter.with_unit(unit).with_description(text).build();
            let labels = labels(key);
            counter.add(0, &labels); // exported from now on
            Counter::from_arc(Arc::new(Total { counter, labels, counted: AtomicU64::new(0) }))
        };
        lock(&self.counters).entry(key.to_string()).or_insert_with(make).clone()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let make = || {
            let (unit, text) = self.description(key);
            let gauge = self.meter.f64_gauge(key.name().to_owned());
            let gauge = gauge.with_unit(unit).with_description(text).build();
            let labels = labels(key);
            gauge.record(0., &labels);
            Gauge::from_arc(Arc::new(Level { gauge, labels, value: Mutex::new(0.) }))
        };
        lock(&self.gauges).entry(key.to_string()).or_insert_with(make).clone()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let (unit, text) = self.description(key);
        let mut histogram = self.meter.f64_histogram(key.name().to_owned());
        if unit == "s" {
            histogram = histogram.with_boundaries(telemetry::SECONDS.to_vec());
        }
        let histogram = histogram.with_unit(unit).with_description(text).build();
        Histogram::from_arc(Arc::new(Values { histogram, labels: labels(key) }))
    }
}

struct Total {
    counter: opentelemetry::metrics::Counter<u64>,
    labels: Vec<KeyValue>,
    counted: AtomicU64,
}

impl CounterFn for Total {
    fn increment(&self, value: u64) {
        self.counted.fetch_add(value, Ordering::Relaxed);
        self.counter.add(value, &self.labels);
    }

    fn absolute(&self, value: u64) {
        let before = self.counted.fetch_max(value, Ordering::Relaxed);
        self.counter.add(value.saturating_sub(before), &self.labels);
    }
}

struct Level {
    gauge: opentelemetry::metrics::Gauge<f64>,
    labels: Vec<KeyValue>,
    value: Mutex<f64>,
}

impl Level {
    fn change(&self, to: impl FnOnce(f64) -> f64) {
        // Recorded under the lock, so that the last value is recorded last.
        let mut value = lock(&self.value);
        *value = to(*value);
        self.gauge.record(*value, &self.labels);
    }
}

impl GaugeFn for Level {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }

    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

struct Values {
    histogram: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.histogram.record(value, &self.labels);
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    let labels = key.labels();
    labels.map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned())).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
