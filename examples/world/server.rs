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
    for name in ["cart", "old-cart", "web"] {
        service(&server, name);
    }
    ingress(&server, &["web", "cart"]);
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(700);
    sleep(pause).await;
    println!("(the Ingress routes to a new Service, which is created a moment later)");
    ingress(&server, &["web", "new-cart"]);
    service(&server, "new-cart");
    sleep(pause).await;
    server.delete("services", "default", "web").expect("it is there");
    sleep(pause).await;
}

fn service(server: &ApiServer, name: &str) {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "namespace": "default", "name": name },
    });
    server.apply(&service).expect("a valid Service");
}

fn ingress(server: &ApiServer, services: &[&str]) {
    let path = |name| json!({ "backend": { "service": { "name": name } } });
    let paths: Vec<_> = services.iter().map(path).collect();
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": "default", "name": "shop" },
        "spec": { "rules": [{ "http": { "paths": paths } }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
