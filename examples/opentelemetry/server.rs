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

/// Creates two Ingresses, and later a third one.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    put(&server, "blog");
    put(&server, "shop");
    async move {
        sleep(Duration::from_millis(500)).await;
        put(&server, "wiki");
        sleep(Duration::from_millis(500)).await;
    }
}

fn put(server: &ApiServer, name: &str) {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "rules": [{ "host": format!("{name}.example.com") }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
