use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;

fn main() {}

fn run(pods: Api<Pod>, by_node: Index<Pod>) {
    let settled = Debounce::interval(Duration::from_secs(1)).max_wait(Duration::from_secs(5));
    let _ = watch(pods).index(by_node).debounce(settled);
}
