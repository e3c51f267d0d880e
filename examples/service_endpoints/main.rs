//! The ready addresses of Services, from their `EndpointSlices`, which an index on their label
//! finds. After a change only the touched Services are computed again.
//!
//! ```sh
//! cargo run --example service_endpoints                 # an API server in this process
//! cargo run --example service_endpoints -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! It needs `list` and `watch` on `endpointslices.discovery.k8s.io`, in all namespaces.

mod server;

use std::{collections::BTreeSet, net::SocketAddr};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube_weir::{Hits, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
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
