//! `with_controller`: only touched objects are reconciled, and deleted ones are restored.

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{Running, example, output, text};
use crate::apiserver::{self, ADMIN};

#[tokio::test]
async fn only_what_was_touched_is_written() {
    let ended = output(example("with_controller")).await;
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    let mut stages = vec![Vec::new()];
    for line in stdout.lines() {
        if line.starts_with('(') {
            stages.push(Vec::new());
        }
        stages.last_mut().expect("one").push(line);
    }
    // kube chooses the order of several reconciliations.
    for lines in &mut stages {
        lines.sort_unstable();
    }
    assert_eq!(
        stages,
        [
            &[
                "default/blog-ready = [10.0.0.1]",
                "default/docs-ready = [10.0.1.1]",
                "default/shop-ready = [10.0.2.1]",
            ][..],
            &["(shop scales)", "default/shop-ready = [10.0.2.1, 10.0.2.2]"],
            &[
                "(a slice of docs goes to blog)",
                "default/blog-ready = [10.0.0.1, 10.0.1.1]",
                "default/docs-ready = []",
            ],
            &[
                "(somebody deletes what is there for shop)",
                "default/shop-ready = [10.0.2.1, 10.0.2.2]",
            ],
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reconciles_on_a_real_server() {
    let Some(cluster) = apiserver::server().await else { return };
    let namespace = cluster.namespace("with-controller").await;
    let client = cluster.client().await;
    let mut command = example("with_controller");
    command.arg("--cluster").env("KUBECONFIG", cluster.kubeconfig(ADMIN));
    let mut running = Running::start(command);

    let service = json!({
        "metadata": { "name": "web", "labels": { "example": "with-controller" } },
        "spec": { "ports": [{ "port": 80 }] },
    });
    let service: Service = serde_json::from_value(service).expect("a Service");
    let services = Api::<Service>::namespaced(client.clone(), &namespace);
    let service = services.create(&PostParams::default(), &service).await.expect("created");
    assert_eq!(running.line().await, format!("{namespace}/web-ready = []"));

    let slice = json!({
        "metadata": { "name": "web-1", "labels": { "kubernetes.io/service-name": "web" } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.1.2.3"] }],
    });
    let slice: EndpointSlice = serde_json::from_value(slice).expect("an EndpointSlice");
    let slices = Api::<EndpointSlice>::namespaced(client.clone(), &namespace);
    slices.create(&PostParams::default(), &slice).await.expect("created");
    let written = format!("{namespace}/web-ready = [10.1.2.3]");
    assert_eq!(running.line().await, written);

    let configs = Api::<ConfigMap>::namespaced(client, &namespace);
    let config = configs.get("web-ready").await.expect("it was written");
    let owner = &config.metadata.owner_references.expect("an owner")[0];
    assert_eq!(Some(&owner.uid), service.metadata.uid.as_ref());
    configs.delete("web-ready", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(running.line().await, written);
    let spoilt = Patch::Merge(json!({ "data": { "addresses": "10.6.6.6" } }));
    configs.patch("web-ready", &PatchParams::default(), &spoilt).await.expect("patched");
    assert_eq!(running.line().await, written);

    running.interrupt().await;
    assert_eq!(running.end().await, (0, String::new()));
}
