use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;

fn main() {}

fn run(pods: Api<Pod>, by_node: Index<Pod>) {
    let _ = world((watch(pods).index(by_node).debounce(Duration::from_secs(1)),));
}
