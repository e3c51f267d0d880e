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
    put(&server, "blog", 80);
    put(&server, "shop", 8080);
    async move {
        sleep(Duration::from_millis(600)).await;
        put(&server, "wiki", 8000);
        sleep(Duration::from_millis(600)).await;
    }
}

fn put(server: &ApiServer, name: &str, port: u16) {
    let backend = json!({ "service": { "name": name, "port": { "number": port } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": "web", "name": name },
        "spec": { "rules": [{ "host": format!("{name}.example"), "http": { "paths": [path] } }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
