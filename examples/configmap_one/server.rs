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

async fn script(server: ApiServer) {
    let pause = Duration::from_millis(300);
    let states = [
        json!({ "level": "debug" }),
        json!({ "level": "debug", "workers": "many" }),
        json!({ "level": "debug", "workers": "8" }),
    ];
    for data in states {
        sleep(pause).await;
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "namespace": "default", "name": "weir-settings" },
            "data": data,
        });
        server.apply(&map).expect("a valid ConfigMap");
    }
    sleep(pause).await;
    server.delete("configmaps", "default", "weir-settings").expect("it is there");
    sleep(pause).await;
}
