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

/// Creates three Services, then changes their slices and one of the `ConfigMaps`.
async fn script(server: ApiServer) {
    for (number, service) in ["blog", "docs", "shop"].into_iter().enumerate() {
        let metadata = json!({ "name": service, "labels": { "example": "with-controller" } });
        put(&server, &json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata }));
        slice(&server, &format!("{service}-1"), service, &[&format!("10.0.{number}.1")]);
    }
    sleep(Duration::from_millis(500)).await;
    println!("(shop scales)");
    slice(&server, "shop-1", "shop", &["10.0.2.1", "10.0.2.2"]);
    sleep(Duration::from_millis(500)).await;
    println!("(a slice of docs goes to blog)");
    slice(&server, "docs-1", "blog", &["10.0.1.1"]);
    sleep(Duration::from_millis(500)).await;
    println!("(somebody deletes what is there for shop)");
    server.delete("configmaps", "default", "shop-ready").expect("it was written");
    sleep(Duration::from_millis(500)).await;
}

fn slice(server: &ApiServer, name: &str, service: &str, addresses: &[&str]) {
    let metadata = json!({ "name": name, "labels": { "kubernetes.io/service-name": service } });
    let ready = json!({ "ready": true });
    let endpoints = addresses.iter().map(|own| json!({ "addresses": [own], "conditions": ready }));
    put(
        server,
        &json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "endpoints": endpoints.collect::<Vec<_>>(),
        }),
    );
}

fn put(server: &ApiServer, object: &serde_json::Value) {
    server.apply(object).expect("a valid object");
}
