//! Metrics of a pipeline, for Prometheus:
//!
//! ```sh
//! cargo run --example metrics_prometheus                                # one page, after three seconds
//! cargo run --example metrics_prometheus -- --serve 127.0.0.1:9000      # at /metrics, until ctrl-c
//! ```
//!
//! The `ConfigMap`s come from an in-process API server with some failures. With
//! `--cluster` they are those of your current kube context; that needs `list` and `watch` on
//! `configmaps` of all namespaces, and writes nothing.
//!
//! In your own program, enable the feature `metrics` and install any exporter of the `metrics`
//! facade before the pipelines are created. docs/grafana.json and docs/alerts.yaml use these metrics.

mod server;

use std::future::pending;

use axum::{Router, routing::get};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::{prelude::*, telemetry};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, time::sleep};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Install the exporter first, so that the pipelines find it. The dashboard needs buckets.
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), telemetry::SECONDS)?
        .install_recorder()?;

    let (client, end) = server::connect().await?;
    let configs = watch(Api::<ConfigMap>::all(client))
        .filter_fields("metadata.managedFields")?
        .index(Index::path("data.level")?.named("by-level"));
    let changes = configs.debounce(Duration::from_millis(200)).log_errors();
    let mut work = pin!(changes.for_each(|_change| async { /* a controller's work */ }));

    tokio::select! {
        () = &mut work => {}
        () = end => {}
        served = serve(prometheus.clone()) => served?,
    }
    // Render before the pipeline is dropped, which removes its objects from the gauges.
    print!("{}", prometheus.render());
    Ok(())
}

/// Serves the page, if an address was given.
async fn serve(prometheus: PrometheusHandle) -> std::io::Result<()> {
    let Some(address) = address() else { return pending().await };
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/metrics", listener.local_addr()?);
    let page = prometheus.clone();
    let routes = Router::new().route("/metrics", get(async move || page.render()));
    // Durations go into their buckets when the page is rendered, or here if nobody requests it.
    let upkeep = async {
        loop {
            sleep(Duration::from_secs(5)).await;
            prometheus.run_upkeep();
        }
    };
    tokio::select! {
        served = async { axum::serve(listener, routes).await } => served,
        () = upkeep => Ok(()),
    }
}

fn address() -> Option<String> {
    std::env::args().skip_while(|argument| argument != "--serve").nth(1)
}
