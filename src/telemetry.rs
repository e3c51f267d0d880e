//! What pipelines do, in figures (feature `metrics`).
//!
//! They are told to the [`metrics`](https://docs.rs/metrics) facade, so any of its exporters shows
//! them; [`METRICS`] is the table of all. Install the exporter before the pipelines are made: each
//! looks its metrics up once, so that an event costs some atomic additions, and what arrives from the API
//! server a look at the clock. Without the feature nothing of this is compiled in.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube_weir::{telemetry, prelude::*, testing::ApiServer};
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let prometheus = PrometheusBuilder::new()
//!     .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), telemetry::SECONDS)?
//!     .install_recorder()?;
//!
//! # let client = ApiServer::new().client();
//! let mut configs = watch(Api::<ConfigMap>::all(client)).index(());
//! configs.first_synced().await?;
//! let page = prometheus.render();
//! assert!(page.contains(r#"kube_weir_stores_synced{resource="v1/configmaps"} 1"#), "{page}");
//! # Ok(()) }
//! ```
//!
//! # Labels
//!
//! Their values are few, whatever the cluster does: no object, namespace or message is one.
//!
//! | label | value |
//! |---|---|
//! | `resource` | what is watched, such as `networking.k8s.io/v1/ingresses`; of a stream that isn't our own watch the Rust type, such as `Ingress`; of a [`World`](crate::World) `world` |
//! | `name` | what [`Watch::named`](crate::Watch::named) says, where it was called |
//! | `type` | `apply`, `delete`, `listed`, or `kept` for what was listed in the version that the store has |
//! | `reason` | [`Error::reason`](crate::Error::reason), or what the table says |
//! | `verb`, `code` | `get`, `list` or `watch`; the HTTP status, or `none` without an answer |
//! | `index` | the [name](crate::Index::name) of an index |
//! | `result` | `hit`, `miss`, or `joined` for a miss that waited for the fetch of another |
//! | `lease` | `namespace/name` |
//!
//! Gauges are sums: where several pipelines of a program have the same labels, they add up, and what
//! a pipeline had goes with it. A time is that of the one that was last. To tell several watches of
//! one resource apart, [name](crate::Watch::named) them.
//!
//! # Is it stuck?
//!
//! * `kube_weir_last_contact_timestamp_seconds` is when the API server last sent something good: a
//!   list, an event, a bookmark, or the beginning of a watch. An idle watch has a bookmark each
//!   minute or so, and ends after 290 seconds, so `time() -` it is above 5 minutes only if the watch
//!   is broken or isn't polled. Of several namespaces it is that of any. Before the first word it is 0.
//! * `kube_weir_stores - kube_weir_stores_synced` are those that wait for their first list.
//! * `kube_weir_errors_total` says what goes wrong. Some of it is life: `Desynced` is followed by a
//!   list, `Connection` by a retry.
//!
//! A dashboard for Grafana and alerts for Prometheus are in
//! [`docs/`](https://github.com/kube-weir/kube-weir/tree/main/docs).

/// A metric, as [`METRICS`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, as Prometheus wants it.
    pub name: &'static str,
    /// Whether it only goes up, goes up and down, or has buckets.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: MetricUnit,
    /// The labels it has besides `name`, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// The type of a [`Metric`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only goes up.
    Counter,
    /// It goes up and down.
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
    /// Seconds; of a time those since 1970.
    Seconds,
}

/// Buckets for all histograms here: from a millisecond, what an answer takes, to five minutes, what a
/// large list may take. The dashboard wants them.
pub const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10., 30., 60., 300.];

macro_rules! metrics {
    ($($kind:ident $name:literal $unit:ident [$($label:literal)*] $help:literal;)*) => {
        /// All metrics there are.
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
        "those of them that are complete";
    Gauge "kube_weir_store_objects" Count ["resource"]
        "objects in the store, as its readers see it";
    Gauge "kube_weir_store_stale_objects" Count ["resource"]
        "objects whose newest version could not be decoded";
    Gauge "kube_weir_store_index_entries" Count ["resource" "index"]
        "(key, object) pairs in an index";
    Counter "kube_weir_store_publishes_total" Count ["resource"]
        "snapshots that were made visible to readers";
    Counter "kube_weir_events_total" Count ["resource" "type"]
        "events that a store took in";
    Counter "kube_weir_errors_total" Count ["resource" "reason"]
        "failures that a stream told its store of";
    Counter "kube_weir_lists_total" Count ["resource" "reason"]
        "lists that a watch began; the reason is `Initial`, or that of the failure before";
    Histogram "kube_weir_list_duration_seconds" Seconds ["resource"]
        "time from the beginning of a list, with its retries, until the last object is in; counts the lists that were completed";
    Gauge "kube_weir_watches" Count ["resource"]
        "connections on which the API server sends events";
    Gauge "kube_weir_last_contact_timestamp_seconds" Seconds ["resource"]
        "when the API server last sent something good to a watch or a list, in seconds since 1970; 0 before the first";
    Counter "kube_weir_requests_total" Count ["resource" "verb" "code"]
        "requests to the API server, when their answer began or failed to come";
    Histogram "kube_weir_request_duration_seconds" Seconds ["resource" "verb"]
        "time until the answer of the API server begins";
    Counter "kube_weir_received_bytes_total" Bytes ["resource" "verb"]
        "bytes of good answers, as they are after decompression";
    Counter "kube_weir_debounce_received_total" Count ["resource"]
        "changes that a debounce took in";
    Counter "kube_weir_debounce_delivered_total" Count ["resource"]
        "changes that it let out, each the net of those that came in meanwhile";
    Histogram "kube_weir_debounce_delay_seconds" Seconds ["resource"]
        "how long the first of the changes in a delivered one was held back, by the debounce or because nobody asked for it";
    Counter "kube_weir_fetch_reads_total" Count ["resource" "result"]
        "objects that were read through a `Fetching`";
    Counter "kube_weir_fetch_failures_total" Count ["resource" "reason"]
        "objects that could not be fetched";
    Counter "kube_weir_fetch_retries_total" Count ["resource"]
        "requests for an object that were sent again after a failure";
    Histogram "kube_weir_fetch_duration_seconds" Seconds ["resource"]
        "time to fetch one object, with its retries, whether that succeeds or fails";
    Gauge "kube_weir_fetch_cached_objects" Count ["resource"]
        "objects that are kept for the next read";
    Gauge "kube_weir_fetch_cached_bytes" Bytes ["resource"]
        "their bytes, in the JSON that they came as";
    Counter "kube_weir_fetch_dropped_total" Count ["resource" "reason"]
        "objects that are kept no more: `evicted` for lack of room, `expired` by time, `outdated` by the watch";
    Gauge "kube_weir_leader" Count ["lease"]
        "1 while this replica leads, as of the last time that its campaign was polled";
    Counter "kube_weir_leader_terms_total" Count ["lease"]
        "terms that this replica won";
    Counter "kube_weir_leader_losses_total" Count ["lease"]
        "terms that it lost, rather than gave back";
    Counter "kube_weir_leader_renew_failures_total" Count ["lease" "reason"]
        "renewals of the Lease that failed";
    Histogram "kube_weir_leader_renew_duration_seconds" Seconds ["lease"]
        "time that a renewal of the Lease took, whether it succeeded or failed";
}
