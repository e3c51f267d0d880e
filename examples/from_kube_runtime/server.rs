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

/// Creates two Ingresses of one host; then one of them moves, and the other is deleted.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    put(&server, "blog", "example.com");
    put(&server, "shop", "example.com");
    async move {
        let pause = Duration::from_millis(300);
        sleep(pause).await;
        println!("(shop moves)");
        put(&server, "shop", "shop.example.com");
        sleep(pause).await;
        println!("(blog is deleted)");
        server.delete("ingresses", "default", "blog").expect("it is there");
        sleep(pause).await;
    }
}

fn put(server: &ApiServer, name: &str, host: &str) {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "rules": [{ "host": host }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
