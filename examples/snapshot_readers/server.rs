//! Objects of the demo, and what changes there.

#[path = "../support/mod.rs"]
mod support;

use kube_weir::{prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::time::sleep;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Creates 60 Pods on three nodes, and drains one node: its Pods are deleted, and created on the others.
fn script(server: ApiServer) -> impl Future<Output = ()> + Send {
    for number in 0..60 {
        put(&server, number, number % 3);
    }
    async move {
        sleep(Duration::from_millis(500)).await;
        for number in (0..60).step_by(3) {
            server.delete("pods", "default", &name(number)).expect("it is there");
            put(&server, number + 60, 1 + number % 2);
            sleep(Duration::from_millis(60)).await;
        }
        for number in [1, 2] {
            server.delete("pods", "default", &name(number)).expect("it is there");
        }
        sleep(Duration::from_millis(500)).await;
    }
}

fn name(number: u32) -> String {
    format!("web-{number}")
}

fn put(server: &ApiServer, number: u32, node: u32) {
    server
        .apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name(number) },
            "spec": { "nodeName": format!("node-{node}"), "containers": [] },
        }))
        .expect("a valid Pod");
}
