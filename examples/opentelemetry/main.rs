//! Traces and metrics of a controller, exported by OpenTelemetry:
//!
//! ```sh
//! cargo run --example opentelemetry
//! cargo run --example opentelemetry -- --cluster     # your current kube context, until ctrl-c
//! ```
//!
//! * Traces: the controller has a span for each reconciliation. kube's client adds a span for each request.
//! * Metrics: those of the library, with its feature `metrics`. They pass through `bridge.rs`, which you
//!   can copy.
//!
//! The exporters print; those of `opentelemetry-otlp` send to a collector. The controller writes the hosts
//! of all Ingresses of its namespace to the `ConfigMap` `hosts`. It needs `list` and `watch` on
//! `ingresses.networking.k8s.io`, and `patch` on `configmaps`.

mod bridge;
mod server;

use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};
use kube::api::{Patch, PatchParams};
use kube_weir::prelude::*;
use opentelemetry::{metrics::MeterProvider, trace::TracerProvider};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use opentelemetry_stdout::{MetricExporter, SpanExporter};
use serde_json::json;
use tracing::{Instrument, info_span, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let resource = Resource::builder().with_service_name("hosts-controller").build();
    let traces = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(SpanExporter::default())
        .build();
    // The requests of kube's client are spans of the level DEBUG.
    let spans = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("kube_client", LevelFilter::DEBUG);
    let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer("hosts-controller"));
    let log = fmt::layer().with_writer(std::io::stderr).with_filter(LevelFilter::WARN);
    tracing_subscriber::registry().with(layer.with_filter(spans)).with(log).init();

    let meters = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(MetricExporter::default()) // each minute, and at the end
        .build();
    // Before the pipelines are made: each looks its metrics up once.
    metrics::set_global_recorder(bridge::Bridge::new(meters.meter("kube_weir")))?;

    let (client, end) = server::connect().await?;
    let configs = Api::<ConfigMap>::default_namespaced(client.clone());
    let host = Index::path("spec.rules[*].host")?;
    let ingresses = watch(Api::<Ingress>::default_namespaced(client)).index(&host);
    let changes = ingresses.debounce(Duration::from_millis(300)).log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        let hosts = change.snapshot().by(&host).keys();
        let span = info_span!("reconcile", hosts = hosts.len());
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        let reconcile = async {
            match write(&configs, &hosts.join("\n")).await {
                Ok(_) => tracing::info!("written"),
                Err(error) => tracing::error!(%error, "not written"), // the span has failed
            }
        };
        reconcile.instrument(span).await;
    }
    traces.shutdown()?;
    meters.shutdown()?; // before the pipeline is dropped, which removes its objects from the gauges
    Ok(())
}

async fn write(configs: &Api<ConfigMap>, hosts: &str) -> kube::Result<ConfigMap> {
    let metadata = json!({ "name": "hosts" });
    let wanted = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "hosts": hosts },
    });
    let params = PatchParams::apply("kube-weir-example").force();
    configs.patch("hosts", &params, &Patch::Apply(&wanted)).await
}
