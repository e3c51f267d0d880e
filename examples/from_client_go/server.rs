//! Objects of the demo, and what changes there.

#[path = "../support/mod.rs"]
mod support;

use kube_weir::{prelude::*, testing::ApiServer};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Creates two Services, of which one gets another address, and the other is deleted.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    for (service, address) in [("blog", "10.0.0.1"), ("shop", "10.0.1.1")] {
        let metadata = json!({ "namespace": "default", "name": service });
        put(&server, &json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata }));
        put(&server, &slice(service, "a", address));
    }
    async move {
        let pause = Duration::from_millis(300);
        sleep(pause).await;
        println!("(shop scales)");
        put(&server, &slice("shop", "b", "10.0.1.2"));
        sleep(pause).await;
        println!("(blog is deleted)");
        server.delete("services", "default", "blog").expect("it is there");
        sleep(pause).await;
    }
}

fn slice(service: &str, name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": format!("{service}-{name}"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [address] }],
    })
}

fn put(server: &ApiServer, object: &Value) {
    server.apply(object).expect("a valid object");
}
