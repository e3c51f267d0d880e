use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;

fn main() {}

fn run(pods: Api<Pod>) {
    let _ = watch(pods).index("spec.nodeName");
}
