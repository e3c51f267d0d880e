//! Probes for the kubelet over HTTP, from the state of a store: `/readyz` and `/livez`.
//!
//! ```sh
//! cargo run --example probes                  # http://127.0.0.1:8378, until ctrl-c
//! cargo run --example probes -- --port 0      # on any free port
//! cargo run --example probes -- --cluster     # your current kube context
//! ```
//!
//! Ready is a program whose store is synced, also during an outage of the API server. Alive is a program
//! whose pipeline runs: a restart helps if the pipeline ended, or nobody polls it, and only then.
//!
//! It needs `list` and `watch` on `pods`, in all namespaces.

mod server;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let pods = watch(Api::<Pod>::all(client)).filter_fields(["metadata.managedFields"])?.index(());
    let probes = probes(pods.store());
    let listener = TcpListener::bind(("127.0.0.1", port()?)).await?;
    println!("http://{}", listener.local_addr()?);

    let changes = pods.debounce(Duration::from_millis(500)).log_errors();
    let work = changes.for_each(async |change| {
        println!("{} pods", change.snapshot().len()); // your controller's work
    });
    tokio::select! {
        served = axum::serve(listener, probes) => served?,
        () = work => {}
        () = end => {}
    }
    Ok(())
}

fn port() -> Result<u16, std::num::ParseIntError> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--port").skip(1);
    arguments.next().map_or(Ok(8378), |port| port.parse())
}

/// Routes for `readinessProbe` and `livenessProbe`, with their defaults.
pub(crate) fn probes(pods: Store<Pod>) -> Router {
    let routes = Router::new().route("/readyz", get(ready)).route("/livez", get(alive));
    routes.with_state(pods)
}

type Answer = (StatusCode, String);

async fn ready(State(pods): State<Store<Pod>>) -> Answer {
    answer(pods.is_synced(), &pods)
}

async fn alive(State(pods): State<Store<Pod>>) -> Answer {
    // Longer than the watch itself takes to notice a dead connection.
    let is_alive = match pods.healthy(Duration::from_secs(600)) {
        Ok(()) => true,
        Err(error) if error.is_ended() => false,
        // The API server is failing, or the program is still loading: a restart would only lose the state.
        Err(_) => pods.status().failing.is_some() || !pods.is_synced(),
    };
    answer(is_alive, &pods)
}

/// Answers with a status for the kubelet, and with the report of the store for people.
fn answer(is_well: bool, pods: &Store<Pod>) -> Answer {
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = serde_json::to_string_pretty(&pods.report()).expect("a report is valid JSON");
    (status, report + "\n")
}
