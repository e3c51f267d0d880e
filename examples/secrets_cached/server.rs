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
    for number in 1..=1000 {
        put(&server, &format!("other-{number}"), &format!("app-{number}"), "c2VjcmV0");
    }
    put(&server, "shop-tls", "shop", "c2VjcmV0");
    put(&server, "shop-token", "shop", "c2VjcmV0");
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(700);
    sleep(pause).await;
    println!("(one of shop's is renewed)");
    put(&server, "shop-tls", "shop", "YSBsb25nZXIgc2VjcmV0");
    sleep(pause).await;
    println!("(one of another app is)");
    put(&server, "other-1", "app-1", "YSBsb25nZXIgc2VjcmV0");
    sleep(pause).await;
    println!("(one of shop's is deleted)");
    server.delete("secrets", "default", "shop-token").expect("it is there");
    sleep(pause).await;
}

fn put(server: &ApiServer, name: &str, app: &str, data: &str) {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "namespace": "default", "name": name, "labels": { "app": app } },
        "data": { "key": data },
    });
    server.apply(&secret).expect("a valid Secret");
}
