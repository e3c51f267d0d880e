//! Objects of the demo, and what changes there.

#[path = "../support/mod.rs"]
mod support;

use kube_weir::{
    prelude::*,
    testing::{ApiServer, Fault, Verb},
};
use serde_json::json;
use tokio::time::sleep;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Runs three seconds in which objects change, the connection breaks, and the history is lost. Repeats
/// them if the page is served.
fn script(server: ApiServer) -> impl Future<Output = ()> + Send {
    // Create these before the first list, so that each run counts the same events.
    for number in 0..20 {
        put(&server, number, "info");
    }
    async move { change(&server).await }
}

async fn change(server: &ApiServer) {
    loop {
        sleep(Duration::from_millis(300)).await;
        for round in 0..50 {
            put(server, round % 5, if round % 2 == 0 { "debug" } else { "info" });
            sleep(Duration::from_millis(10)).await;
        }
        server.fault(Verb::Watch, 1, Fault::status(410));
        server.disconnect();
        sleep(Duration::from_millis(2500)).await;
        if !std::env::args().any(|argument| argument == "--serve") {
            return;
        }
    }
}

fn put(server: &ApiServer, number: u32, level: &str) {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": format!("settings-{number}") },
        "data": { "level": level },
    });
    server.apply(&config).expect("a valid ConfigMap");
}
