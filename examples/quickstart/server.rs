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

/// Creates 36 Ingresses and one that the label selector excludes; returns a future that changes them.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    for number in 1..=12 {
        for namespace in ["blog", "docs", "shop"] {
            let host = format!("{namespace}.example.com");
            put(&server, "public", namespace, &format!("web-{number:02}"), &host);
        }
    }
    put(&server, "internal", "docs", "admin", "admin.example.com");
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(600);
    sleep(pause).await;
    put(&server, "public", "blog", "feed", "feed.example.com");
    sleep(pause).await;
    put(&server, "public", "blog", "feed", "news.example.com");
    sleep(pause).await;
    server.delete("ingresses", "blog", "feed").expect("it is there");
    sleep(pause).await;

    println!("        (30 writes in 300 ms: the first goes out at once, the others as one)");
    for number in 1..=30 {
        let (name, host) = (format!("sale-{}", number % 3), format!("s{number}.example.com"));
        put(&server, "public", "shop", &name, &host);
        sleep(Duration::from_millis(10)).await;
    }
    sleep(pause).await;
}

fn put(server: &ApiServer, label: &str, namespace: &str, name: &str, host: &str) {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name, "labels": { label: "" } },
        "spec": { "rules": [{ "host": host }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
