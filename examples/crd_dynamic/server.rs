//! Objects of the demo, and what changes there.

#[path = "../support/mod.rs"]
mod support;

use kube::{
    core::{ApiResource, GroupVersionKind},
    discovery::Scope,
};
use kube_weir::{prelude::*, testing::ApiServer};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

async fn script(server: ApiServer) {
    let pause = Duration::from_millis(700);
    let put = |object: Value| server.apply(&object).expect("a valid CronTab");
    let kind = GroupVersionKind::gvk("stable.example.com", "v1", "CronTab");
    sleep(pause).await;
    println!("(it is installed)");
    server.install(&ApiResource::from_gvk(&kind), &Scope::Namespaced);
    put(crontab("backup", "0 3 * * *", 1, "Idle"));
    // After the answer that the kind doesn't exist, the watch retries after some seconds.
    while !server.requests().iter().any(|request| request.contains("/crontabs?watch")) {
        sleep(pause).await;
    }
    put(crontab("report", "*/5 * * * *", 2, "Idle"));
    sleep(pause).await;
    put(crontab("report", "*/5 * * * *", 2, "Running"));
    sleep(pause).await;
    put(crontab("report", "*/5 * * * *", 3, "Running"));
    sleep(pause).await;
    server.delete("crontabs", "default", "backup").expect("it is there");
    sleep(pause).await;
}

fn crontab(name: &str, schedule: &str, replicas: u32, status: &str) -> Value {
    json!({
        "apiVersion": "stable.example.com/v1",
        "kind": "CronTab",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "cronSpec": schedule, "image": format!("{name}:1.4"), "replicas": replicas },
        "status": { "state": status },
    })
}
