//! Objects of the demo, and what changes there, without end.

#[path = "../support/mod.rs"]
mod support;

use kube_weir::{
    prelude::*,
    testing::{ApiServer, Fault, On, Verb},
};
use serde_json::{Value, json};
use tokio::{signal::ctrl_c, time::sleep};

const BEAT: Duration = Duration::from_millis(500);

/// Number of Pods of each Deployment.
const REPLICAS: u32 = 4;

/// Connects to a server with these objects, or with `--cluster` to yours.
pub(crate) async fn connect() -> support::Connected {
    support::connect(script).await
}

/// Creates two Deployments with their Services, and rolls one out repeatedly: a new Pod is created and
/// starts, then an old one is deleted. Now and then watches of Pods fail for a moment.
fn script(server: ApiServer) -> impl Future<Output = ()> + Send {
    for (app, address) in [("cart", "10.0.0.1"), ("web", "10.0.0.2")] {
        let spec = json!({ "type": "ClusterIP", "clusterIP": address, "ports": [{ "port": 80 }] });
        put(&server, "v1", "Service", &json!({ "metadata": { "name": app }, "spec": spec }));
        for number in 0..REPLICAS {
            put_pod(&server, app, number, "Running");
        }
    }
    // Markup in an object must be shown as text.
    put_deployment(&server, "cart", "cart:<b>1</b>", REPLICAS);
    put_deployment(&server, "web", "web:1.0", REPLICAS);
    async move {
        tokio::select! {
            () = roll_out(&server) => {}
            _ = ctrl_c() => {}
        }
    }
}

async fn roll_out(server: &ApiServer) {
    for next in REPLICAS.. {
        let image = format!("web:1.{}", next / REPLICAS);
        put_deployment(server, "web", &image, REPLICAS);
        put_pod(server, "web", next, "Pending");
        sleep(BEAT).await;
        put_pod(server, "web", next, "Running");
        server.delete("pods", "default", &pod("web", next - REPLICAS)).expect("it is there");
        put_deployment(server, "web", &image, REPLICAS - 1);
        sleep(BEAT).await;
        if next % 20 == 10 {
            server.fault(On::verb(Verb::Watch).resource("pods"), 3, Fault::status(503));
            server.disconnect();
        }
    }
}

fn pod(app: &str, number: u32) -> String {
    format!("{app}-{number:04}")
}

fn put_pod(server: &ApiServer, app: &str, number: u32, phase: &str) {
    let pod = json!({
        "metadata": { "name": pod(app, number), "labels": { "app": app } },
        "spec": { "nodeName": format!("node-{}", number % 3), "containers": [] },
        "status": { "phase": phase },
    });
    put(server, "v1", "Pod", &pod);
}

fn put_deployment(server: &ApiServer, app: &str, image: &str, ready: u32) {
    let template = json!({ "spec": { "containers": [{ "image": image }] } });
    let deployment = json!({
        "metadata": { "name": app },
        "spec": { "replicas": REPLICAS, "template": template },
        "status": { "readyReplicas": ready },
    });
    put(server, "apps/v1", "Deployment", &deployment);
}

fn put(server: &ApiServer, api_version: &str, kind: &str, object: &Value) {
    let mut object = object.clone();
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    server.apply(&object).expect("a valid object");
}
