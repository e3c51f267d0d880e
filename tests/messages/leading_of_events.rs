use k8s_openapi::api::core::v1::Pod;
use kube_weir::{LeadershipWatch, prelude::*};

fn main() {}

fn run(pods: Api<Pod>, leadership: &LeadershipWatch) {
    let _ = watch(pods).while_leading(leadership);
}
