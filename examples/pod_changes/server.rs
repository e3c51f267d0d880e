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
    put(&server, "web-0", "Running", true);
    put(&server, "web-1", "Running", true);
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(700);
    let delete = |name| server.delete("pods", "default", name).expect("it is there");
    sleep(pause).await;
    put(&server, "web-2", "Pending", false);
    sleep(pause).await;
    println!("(it is scheduled, starts, and gets ready)");
    put(&server, "web-2", "Pending", false);
    put(&server, "web-2", "Running", false);
    put(&server, "web-2", "Running", true);
    sleep(pause).await;
    println!("(a job comes and goes, and web-0 is replaced)");
    put(&server, "job", "Pending", false);
    delete("web-0");
    put(&server, "web-0", "Pending", false);
    delete("job");
    sleep(pause).await;
    delete("web-2");
    sleep(pause).await;
}

fn put(server: &ApiServer, name: &str, phase: &str, ready: bool) {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": "default", "name": name },
        "status": { "phase": phase, "containerStatuses": [{ "name": "main", "ready": ready }] },
    });
    server.apply(&pod).expect("a valid Pod");
}
