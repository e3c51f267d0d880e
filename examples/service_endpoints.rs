//! The ready addresses of Services, from their `EndpointSlices`, which an index on their label
//! finds. After a change only the touched Services are computed again.
//!
//! ```sh
//! cargo run --example service_endpoints                 # an API server in this process
//! cargo run --example service_endpoints -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! It needs `list` and `watch` on `endpointslices.discovery.k8s.io`, in all namespaces.

#[path = "support/mod.rs"]
mod support;

use std::{collections::BTreeSet, net::SocketAddr};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube_weir::{Hits, prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script).await?;
    let service =
        Index::paths(["metadata.namespace", "metadata.labels['kubernetes.io/service-name']"])?;
    let changes = watch(Api::<EndpointSlice>::all(client))
        .filter_fields(["metadata.managedFields", "metadata.annotations"])?
        .index(&service)
        .debounce(Duration::from_millis(500))
        .log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        match change {
            Change::InitialSync(_) => {} // only `with_progress()`
            Change::Synced(slices) => {
                let services = slices.by(&service).keys();
                println!("{} services in {} slices", services.len(), slices.len());
            }
            Change::Live(batch) => {
                // The Services of the changed slices, before and after.
                for key in batch.touched(&service) {
                    println!("{key}: {:?}", addresses(batch.after().by(&service).get(&key)));
                }
            }
        }
    }
    Ok(())
}

/// Returns the ready addresses in all slices of a Service.
fn addresses(slices: Hits<'_, EndpointSlice>) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for slice in slices {
        for port in slice.ports.iter().flatten().filter_map(|port| port.port?.try_into().ok()) {
            for endpoint in &slice.endpoints {
                let conditions = endpoint.conditions.as_ref();
                // Unknown means ready.
                if conditions.and_then(|conditions| conditions.ready) != Some(false) {
                    let addresses = endpoint.addresses.iter().filter_map(|ip| ip.parse().ok());
                    found.extend(addresses.map(|ip| SocketAddr::new(ip, port)));
                }
            }
        }
    }
    found
}

fn script(server: ApiServer) -> impl Future<Output = ()> {
    for number in 1..=200 {
        put(&server, &format!("shop-{number}"), "a", &[("10.0.0.1", true)]);
    }
    run(server)
}

async fn run(server: ApiServer) {
    let pause = Duration::from_millis(700);
    sleep(pause).await;
    put(&server, "shop-7", "b", &[("10.0.0.2", true), ("10.0.0.3", true)]);
    sleep(pause).await;
    put(&server, "shop-7", "b", &[("10.0.0.2", false), ("10.0.0.3", true)]);
    sleep(pause).await;
    println!("(a roll-out: 20 writes)");
    for last in 1..=20 {
        let addresses = [("10.0.1.1", last > 10), (&format!("10.0.2.{last}"), true)];
        put(&server, "shop-42", "a", &addresses);
    }
    sleep(pause).await;
    for slice in ["shop-7-a", "shop-7-b"] {
        server.delete("endpointslices", "default", slice).expect("it is there");
    }
    sleep(pause).await;
}

fn put(server: &ApiServer, service: &str, slice: &str, addresses: &[(&str, bool)]) {
    let endpoint = |(address, ready): &(&str, bool)| json!({ "addresses": [address], "conditions": { "ready": ready } });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default",
            "name": format!("{service}-{slice}"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "http", "port": 8080 }],
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
    });
    server.apply(&slice).expect("a valid EndpointSlice");
}
