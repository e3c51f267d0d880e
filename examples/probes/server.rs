//! Objects of the demo, and the failures of their server.

#[path = "../support/mod.rs"]
mod support;

use kube_weir::{
    prelude::*,
    testing::{ApiServer, Fault, On, Verb},
};
use serde_json::json;
use tokio::{signal::ctrl_c, time::sleep};

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Creates two Pods that can't be listed at first; later the server is away now and then, until ctrl-c.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    for name in ["web-0", "web-1"] {
        let metadata = json!({ "namespace": "default", "name": name });
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata });
        server.apply(&pod).expect("a valid Pod");
    }
    server.fault(On::verb(Verb::List).resource("pods"), 3, Fault::status(503));
    async move {
        tokio::select! {
            () = outages(&server) => {}
            _ = ctrl_c() => {}
        }
    }
}

async fn outages(server: &ApiServer) {
    loop {
        sleep(Duration::from_secs(20)).await;
        server.fault(On::any(), 4, Fault::Refused);
        server.disconnect();
    }
}
