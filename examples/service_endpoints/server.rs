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

fn script(server: ApiServer) -> impl Future<Output = ()> {
    for number in 1..=200 {
        put(&server, &format!("shop-{number}"), "a", &[("10.0.0.1", true)]);
    }
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(700);
    sleep(pause).await;
    put(&server, "shop-7", "b", &[("10.0.0.2", true), ("10.0.0.3", true)]);
    sleep(pause).await;
    put(&server, "shop-7", "b", &[("10.0.0.2", false), ("10.0.0.3", true)]);
    sleep(pause).await;
    println!("(a roll-out: 20 writes)");
    for last in 1..=20 {
        let addresses = [("10.0.1.1", last > 10), (&format!("10.0.2.{last}"), true)];
        put(&server, "shop-42", "a", &addresses);
    }
    sleep(pause).await;
    for slice in ["shop-7-a", "shop-7-b"] {
        server.delete("endpointslices", "default", slice).expect("it is there");
    }
    sleep(pause).await;
}

fn put(server: &ApiServer, service: &str, slice: &str, addresses: &[(&str, bool)]) {
    let endpoint = |(address, ready): &(&str, bool)| json!({ "addresses": [address], "conditions": { "ready": ready } });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": format!("{service}-{slice}"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 8080 }],
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
    });
    server.apply(&slice).expect("a valid EndpointSlice");
}
