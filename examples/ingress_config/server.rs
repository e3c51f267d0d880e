//! Objects of the demo, and what changes there.

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use kube_weir::testing::ApiServer;
use serde_json::{Value, json};
use tokio::time::sleep;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Creates three shops of three Services each; returns a future that changes them.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    put(
        &server,
        &json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "ingress", "name": "haproxy" },
            "data": { "maxconn": "4000" },
        }),
    );
    for shop in ["books", "music", "tea"] {
        for service in ["api", "cart", "web"] {
            put(
                &server,
                &json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": { "namespace": shop, "name": service },
                    "spec": { "ports": [{ "name": "http", "port": 80 }] },
                }),
            );
            endpoints(&server, shop, service, &["10.0.0.1", "10.0.0.2"]);
        }
        put(&server, &ingress(shop, &[("/", "web"), ("/api", "api"), ("/cart", "cart")]));
    }
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(600);
    sleep(pause).await;
    endpoints(&server, "tea", "api", &["10.0.0.2", "10.0.0.3"]);
    sleep(pause).await;
    put(&server, &ingress("music", &[("/", "web"), ("/api", "api")]));
    sleep(pause).await;
    println!("        (a roll-out: 30 writes in 300 ms, the first goes out at once)");
    for last in 1..=30 {
        endpoints(&server, "books", "web", &["10.0.1.1", &format!("10.0.2.{last}")]);
        sleep(Duration::from_millis(10)).await;
    }
    sleep(pause).await;
    server.delete("services", "books", "cart").expect("it is there");
    sleep(pause).await;
}

fn ingress(shop: &str, routes: &[(&str, &str)]) -> Value {
    let path = |(path, service): &(&str, &str)| {
        let service = json!({ "name": service, "port": { "number": 80 } });
        json!({ "path": path, "pathType": "Prefix", "backend": { "service": service } })
    };
    let paths: Vec<_> = routes.iter().map(path).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": shop, "name": "shop" },
        "spec": { "rules": [{ "host": format!("{shop}.example.com"), "http": { "paths": paths } }] },
    })
}

fn endpoints(server: &ApiServer, shop: &str, service: &str, addresses: &[&str]) {
    let endpoint =
        |address: &&str| json!({ "addresses": [address], "conditions": { "ready": true } });
    put(
        server,
        &json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "namespace": shop, "name": format!("{service}-1"),
                "labels": { "kubernetes.io/service-name": service },
            },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": 8080 }],
            "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
        }),
    );
}

fn put(server: &ApiServer, object: &Value) {
    server.apply(object).expect("a valid object");
}
