use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;

fn main() {}

fn run(pods: &Snapshot<Pod>, by_node: &Index<Pod>, pod: &Pod) {
    let _ = pods.by(by_node).get(&pod.metadata.name);
    let _ = pods.get(["web", "shop"]);
    let _ = Index::with(|pod: &Pod| pod.metadata.labels.clone());
    let _ = Index::with(|pod: &Pod| pod.metadata.deletion_grace_period_seconds.map(|own| vec![own]));
}
