//! `probes`: the answers while loading, in an outage, and when nobody polls the pipeline.

use std::net::SocketAddr;

use axum::{body::Body, http::Request};
use k8s_openapi::api::core::v1::Pod;
use kube_weir::{
    prelude::*,
    testing::{ApiServer, Fault, On},
};
use tokio::time::sleep;
use tower::ServiceExt;

use super::{Running, example};
use crate::http::request;

#[allow(dead_code, reason = "a program, of which only the routes are called")]
#[path = "../../../examples/probes/main.rs"]
mod program;

/// Returns the statuses of `/readyz` and `/livez`.
async fn statuses(pods: &Store<Pod>) -> [u16; 2] {
    let status = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        program::probes(pods.clone()).oneshot(request).await.unwrap().status().as_u16()
    };
    [status("/readyz").await, status("/livez").await]
}

#[tokio::test(start_paused = true)]
async fn an_outage_changes_neither_answer() {
    let server = ApiServer::new();
    let pods = watch(Api::<Pod>::all(server.client())).index(());
    let store = pods.store();
    let running = pods.spawn();
    assert_eq!(statuses(&store).await, [503, 200], "loading");
    store.synced().await.unwrap();
    assert_eq!(statuses(&store).await, [200, 200], "synced");

    server.fault(On::any(), 1_000_000, Fault::Refused);
    server.disconnect();
    sleep(Duration::from_secs(900)).await;
    assert!(store.status().failing.is_some());
    assert_eq!(statuses(&store).await, [200, 200], "without a server");

    running.stop();
    assert!(running.await.unwrap_err().is_ended());
    assert_eq!(statuses(&store).await, [200, 503], "after the end of the pipeline");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_nobody_polls_is_not_alive() {
    let mut pods = watch(Api::<Pod>::all(ApiServer::new().client())).index(());
    let store = pods.store();
    pods.first_synced().await.unwrap();
    sleep(Duration::from_secs(590)).await;
    assert_eq!(statuses(&store).await, [200, 200]);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(statuses(&store).await, [200, 503]);
}

#[tokio::test]
async fn the_program_gets_ready() {
    let mut command = example("probes");
    command.args(["--port", "0"]);
    let mut running = Running::start(command);
    let line = running.line().await;
    let address: SocketAddr = line.strip_prefix("http://").unwrap().parse().unwrap();
    let get = async |path: &str| request(address, "localhost", "GET", path, "").await.unwrap();

    let (status, report) = get("/readyz").await;
    assert_eq!(status, 503, "{report}");
    assert!(report.contains("\"state\": \"loading\""), "{report}");
    assert_eq!(get("/livez").await.0, 200);
    assert_eq!(running.line().await, "2 pods");
    let (status, report) = get("/readyz").await;
    assert_eq!(status, 200, "{report}");
    assert!(report.contains("\"objects\": 2"), "{report}");
    assert_eq!(get("/livez").await.0, 200);
    running.interrupt().await;
    let (code, logged) = running.end().await;
    assert_eq!(code, 0, "{logged}");
}
