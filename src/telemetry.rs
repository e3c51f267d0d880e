//! Metrics of pipelines (feature `metrics`).
//!
//! The library reports to the [`metrics`](https://docs.rs/metrics) facade, so any exporter for it works;
//! [`METRICS`] is the table of all metrics. Install the exporter before the pipelines are made: each
//! pipeline looks its metrics up once. Then an event costs a few atomic additions, and data from the API
//! server costs a look at the clock. Without the feature nothing of this is compiled. The example
//! `opentelemetry` has an exporter for OpenTelemetry.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube_weir::{prelude::*, telemetry};
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//!
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let prometheus = PrometheusBuilder::new()
//!     .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), telemetry::SECONDS)?
//!     .install_recorder()?;
//!
//! let mut configs = watch(Api::<ConfigMap>::all(client)).index(());
//! configs.first_synced().await?;
//! let page = prometheus.render();
//! assert!(page.contains(r#"kube_weir_stores_synced{resource="v1/configmaps"} 1"#), "{page}");
//! # Ok(()) });
//! ```
//!
//! # Labels
//!
//! Labels have few values, whatever the cluster does: no object, namespace or message is a value.
//!
//! | label | value |
//! |---|---|
//! | `resource` | the watched resource, such as `networking.k8s.io/v1/ingresses`; for a stream that isn't a watch of this crate the Rust type, such as `Ingress`; for a [`World`](crate::World) `world` |
//! | `name` | the name given to [`Watch::named`](crate::Watch::named), if any |
//! | `type` | `apply`, `delete`, `listed`, or `kept` for an object that was listed in the version that the store has |
//! | `reason` | [`Error::reason`](crate::Error::reason), or a value in the table of metrics |
//! | `verb`, `code` | `get`, `list` or `watch`; the HTTP status, or `none` if there was no answer |
//! | `index` | the [name](crate::Index::name) of an index |
//! | `result` | `hit`, `miss`, or `joined` for a miss that waited for the fetch of another reader |
//! | `lease` | `namespace/name` |
//!
//! Gauges are sums: if several pipelines of a program have the same labels, their values add up, and the
//! value of a pipeline is removed with it. A timestamp is that of the last event of any of them. To
//! distinguish several watches of one resource, [name](crate::Watch::named) them.
//!
//! # Is it stuck?
//!
//! * `kube_weir_last_contact_timestamp_seconds` is the time at which the API server last sent a part of
//!   a successful answer: a list, an event, a bookmark, or the start of a watch. An idle watch gets a
//!   bookmark about each minute, and ends after 300 seconds at most. So `time() -` this metric is above 5
//!   minutes only if the watch is broken or isn't polled. For several namespaces it is the time of the
//!   most recent contact. Before the first contact it is 0.
//! * `kube_weir_stores - kube_weir_stores_synced` is the number of stores that wait for their first list.
//! * `kube_weir_errors_total` counts failures by reason. Some are normal: a list follows `Desynced`, and a
//!   retry follows `Connection`.
//!
//! A dashboard for Grafana and alerts for Prometheus are in
//! [`docs/`](https://github.com/kube-weir/kube-weir/tree/main/docs).

/// A metric in [`METRICS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, in Prometheus' convention.
    pub name: &'static str,
    /// The type: counter, gauge or histogram.
    pub kind: MetricKind,
    /// The unit.
    pub unit: MetricUnit,
    /// The labels besides `name`, in order.
    pub labels: &'static [&'static str],
    /// The description.
    pub help: &'static str,
}

/// The type of a [`Metric`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A counter only goes up.
    Counter,
    /// A gauge goes up and down.
    Gauge,
    /// Durations, in buckets or quantiles.
    Histogram,
}

/// The unit of a [`Metric`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricUnit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds; for a timestamp, the seconds since 1970.
    Seconds,
}

/// Buckets for all histograms here: from a millisecond, the time of a fast answer, to five minutes, the
/// time of a large list. The dashboard requires these buckets.
pub const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10., 30., 60., 300.];

macro_rules! metrics {
    ($($kind:ident $name:literal $unit:ident [$($label:literal)*] $help:literal;)*) => {
        /// All metrics.
        ///
        /// | metric | type | unit | labels | meaning |
        /// |---|---|---|---|---|
        $(#[doc = concat!(
            "| `", $name, "` | ", stringify!($kind), " | ", stringify!($unit), " |",
            $(" `", $label, "`",)* " | ", $help, " |",
        )])*
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: MetricKind::$kind,
            unit: MetricUnit::$unit,
            labels: &[$($label),*],
            help: $help,
        }),*];
    };
}

metrics! {
    Gauge "kube_weir_stores" Count ["resource"]
        "stores that a stream fills";
    Gauge "kube_weir_stores_synced" Count ["resource"]
        "stores that are synced";
    Gauge "kube_weir_store_objects" Count ["resource"]
        "objects in the store, as its readers see it";
    Gauge "kube_weir_store_stale_objects" Count ["resource"]
        "objects whose newest version could not be decoded";
    Gauge "kube_weir_store_index_entries" Count ["resource" "index"]
        "(key, object) pairs in an index";
    Counter "kube_weir_store_publishes_total" Count ["resource"]
        "snapshots that were made visible to readers";
    Counter "kube_weir_events_total" Count ["resource" "type"]
        "events that a store applied";
    Counter "kube_weir_errors_total" Count ["resource" "reason"]
        "failures that a stream reported to its store";
    Counter "kube_weir_lists_total" Count ["resource" "reason"]
        "lists that a watch began; the reason is `Initial`, or that of the preceding failure";
    Histogram "kube_weir_list_duration_seconds" Seconds ["resource"]
        "time from the start of a list, with its retries, until its last object; counts completed lists only";
    Gauge "kube_weir_watches" Count ["resource"]
        "connections on which the API server sends events";
    Gauge "kube_weir_last_contact_timestamp_seconds" Seconds ["resource"]
        "time at which the API server last sent a part of a successful answer to a watch or a list, in seconds since 1970; 0 before the first";
    Counter "kube_weir_requests_total" Count ["resource" "verb" "code"]
        "requests to the API server, counted when the answer begins or fails to come";
    Histogram "kube_weir_request_duration_seconds" Seconds ["resource" "verb"]
        "time until the answer of the API server begins";
    Counter "kube_weir_received_bytes_total" Bytes ["resource" "verb"]
        "bytes of successful answers, after decompression";
    Counter "kube_weir_debounce_received_total" Count ["resource"]
        "changes that a debounce received";
    Counter "kube_weir_debounce_delivered_total" Count ["resource"]
        "changes that a debounce delivered, each the net of the changes received meanwhile";
    Histogram "kube_weir_debounce_delay_seconds" Seconds ["resource"]
        "time from the first of the merged changes to their delivery, including the wait for the stream to be polled";
    Counter "kube_weir_fetch_reads_total" Count ["resource" "result"]
        "objects that were read through a `Fetching`";
    Counter "kube_weir_fetch_failures_total" Count ["resource" "reason"]
        "objects that could not be fetched";
    Counter "kube_weir_fetch_retries_total" Count ["resource"]
        "requests for an object that were sent again after a failure";
    Histogram "kube_weir_fetch_duration_seconds" Seconds ["resource"]
        "time to fetch one object, with its retries, whether that succeeds or fails";
    Gauge "kube_weir_fetch_cached_objects" Count ["resource"]
        "objects in the cache";
    Gauge "kube_weir_fetch_cached_bytes" Bytes ["resource"]
        "bytes of the objects in the cache, as received JSON";
    Counter "kube_weir_fetch_dropped_total" Count ["resource" "reason"]
        "objects dropped from the cache: `evicted` for lack of room, `expired` by time, `outdated` by the watch";
    Gauge "kube_weir_leader" Count ["lease"]
        "1 while this replica leads, as of the last poll of its campaign";
    Counter "kube_weir_leader_terms_total" Count ["lease"]
        "terms that this replica won";
    Counter "kube_weir_leader_losses_total" Count ["lease"]
        "terms that this replica lost, rather than gave back";
    Counter "kube_weir_leader_renew_failures_total" Count ["lease" "reason"]
        "renewals of the Lease that failed";
    Histogram "kube_weir_leader_renew_duration_seconds" Seconds ["lease"]
        "duration of a renewal of the Lease, whether it succeeds or fails";
}
