use k8s_openapi::api::core::v1::{Node, Pod};
use kube_weir::prelude::*;

fn main() {}

fn run(pods: Api<Pod>, by_zone: &Index<Node>) {
    let _ = watch(pods).index(by_zone);
}
