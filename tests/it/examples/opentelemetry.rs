//! `opentelemetry`: what the exporters get.

use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::{
    prelude::*,
    telemetry::{METRICS, MetricUnit, SECONDS},
    testing::ApiServer,
};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, GaugeDataPoint, Metric, MetricData, ResourceMetrics, ScopeMetrics},
};
use serde_json::json;

use super::{example, output, text};

#[path = "../../../examples/opentelemetry/bridge.rs"]
mod bridge;

#[tokio::test]
async fn spans_and_metrics_are_printed() {
    let ended = output(example("opentelemetry")).await;
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    let lines: Vec<_> = stdout.lines().map(str::trim).collect();
    for expected in [
        "Name         : reconcile",
        "->  hosts: String(Owned(\"2\"))",
        "->  hosts: String(Owned(\"3\"))",
        "->  service.name=String(Static(\"hosts-controller\"))",
        "Name         : kube_weir_store_objects",
        "Description  : objects in the store, as its readers see it",
        "Value        : 3.0",
        "->  resource: networking.k8s.io/v1/ingresses",
    ] {
        assert!(lines.contains(&expected), "no {expected} in {stdout}");
    }
}

/// Exports now, and returns all metrics.
fn exported(meters: &SdkMeterProvider, exporter: &InMemoryMetricExporter) -> Vec<ResourceMetrics> {
    exporter.reset();
    meters.force_flush().unwrap();
    exporter.get_finished_metrics().unwrap()
}

/// Returns the metrics of one export.
fn metrics(exported: &[ResourceMetrics]) -> Vec<&Metric> {
    let scopes = exported.iter().flat_map(ResourceMetrics::scope_metrics);
    scopes.flat_map(ScopeMetrics::metrics).collect()
}

/// Returns the sum of the values of a metric.
fn value(exported: &[ResourceMetrics], name: &str) -> f64 {
    let metrics = metrics(exported);
    let metric = metrics.iter().find(|metric| metric.name() == name);
    match metric.unwrap_or_else(|| panic!("no {name}")).data() {
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            gauge.data_points().map(GaugeDataPoint::value).sum()
        }
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic(), "{name}");
            let values = sum.data_points().map(|point| u32::try_from(point.value()).unwrap());
            values.map(f64::from).sum()
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_bridge_passes_everything_on() {
    let exporter = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let bridge = bridge::Bridge::new(meters.meter("kube_weir"));
    let _guard = ::metrics::set_default_local_recorder(&bridge);

    let server = ApiServer::new();
    for name in ["a", "b"] {
        let metadata = json!({ "namespace": "default", "name": name });
        let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
        server.apply(&config).unwrap();
    }
    let pipeline = || watch(Api::<ConfigMap>::all(server.client())).index(());
    let (mut one, mut other) = (pipeline(), pipeline());
    one.first_synced().await.unwrap();
    other.first_synced().await.unwrap();
    let is = |name: &str, expected: f64| {
        let found = exported(&meters, &exporter);
        let value = value(&found, name);
        assert!((value - expected).abs() < 1e-9, "{name} is {value}, not {expected}");
    };
    is("kube_weir_store_objects", 4.);
    is("kube_weir_events_total", 4.);
    drop(other);
    is("kube_weir_store_objects", 2.);
    is("kube_weir_events_total", 4.);

    let found = exported(&meters, &exporter);
    for metric in metrics(&found) {
        let known = METRICS.iter().find(|known| known.name == metric.name()).unwrap();
        let unit = match known.unit {
            MetricUnit::Seconds => "s",
            MetricUnit::Bytes => "By",
            _ => "",
        };
        assert_eq!((metric.description(), metric.unit()), (known.help, unit), "{}", known.name);
        if let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() {
            for point in histogram.data_points() {
                assert!(point.bounds().eq(SECONDS.iter().copied()), "{}", known.name);
                assert!(point.count() > 0, "{}", known.name);
            }
        }
    }
    let resource = |metric: &&Metric| format!("{:?}", metric.data()).contains("v1/configmaps");
    assert!(metrics(&found).iter().all(resource));
}
