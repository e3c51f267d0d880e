//! A controller with client-go's informers, lister, indexer and work queue, migrated: the addresses of
//! each Service.
//!
//! ```sh
//! cargo run --example from_client_go                # an API server in this process
//! cargo run --example from_client_go -- --cluster   # your current kube context, until ctrl-c
//! ```
//!
//! | `before.go` | here |
//! |---|---|
//! | `NewSharedInformerFactory`, two informers | `watch(..)` for each kind, both in one `world(..)` |
//! | `WithTransform`, on decoded objects | `.filter_fields(..)?`, never decoded |
//! | `AddIndexers`: a function that returns keys | `Index::paths(..)?` |
//! | `WaitForCacheSync` | the first change, `WorldChange::Synced` |
//! | two `AddEventHandler`, `DeletedFinalStateUnknown` | `batch.kinds()`: deltas, and the keys `touched` in an index |
//! | the work queue: each key once, however many events | `.debounce(..)` and a set of keys |
//! | `Lister.Get`, `NotFound` | `services.get(&key)`, `None` |
//! | `Indexer.ByIndex` | `slices.by(&owner).get(&key)` |
//! | `AddRateLimited` after an error | nothing can fail here; to retry, feed kube's `Controller`: `with_controller` |
//!
//! It needs `list` and `watch` on `services` and `endpointslices.discovery.k8s.io`, in all namespaces.

mod server;

use std::collections::BTreeSet;

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube_weir::{Hits, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let owner =
        Index::paths(["metadata.namespace", "metadata.labels['kubernetes.io/service-name']"])?;
    let services = watch(Api::<Service>::all(client.clone()));
    let slices = watch(Api::<EndpointSlice>::all(client));
    let changes = world((
        services.filter_fields("metadata.managedFields")?.index(()),
        slices.filter_fields("metadata.managedFields")?.index(&owner),
    ));

    let changes = changes.debounce(Duration::from_millis(200)).log_errors();
    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        let (services, slices) = change.world().kinds(); // both at one moment
        let mut keys = BTreeSet::new();
        match change.batch() {
            None => keys.extend(services.iter().map(|service| ObjectKey::of::<Service>(service))),
            Some(batch) => {
                // Each kind with changes has a batch of its own.
                let (services, slices) = batch.kinds();
                let deltas = services.iter().flat_map(kube_weir::Batch::deltas);
                keys.extend(deltas.map(|delta| ObjectKey::of::<Service>(delta.object())));
                let owners = slices.iter().flat_map(|slices| slices.touched(&owner));
                keys.extend(owners.filter_map(|key| key.object_key()));
            }
        }
        for key in keys {
            reconcile(&key, services.get(&key).is_some(), slices.by(&owner).get(&key));
        }
    }
    Ok(())
}

fn reconcile(key: &ObjectKey, exists: bool, slices: Hits<'_, EndpointSlice>) {
    if !exists {
        println!("{key} is gone");
        return;
    }
    let endpoints = slices.flat_map(|slice| &slice.endpoints);
    let addresses: BTreeSet<_> = endpoints.flat_map(|endpoint| &endpoint.addresses).collect();
    let addresses: Vec<_> = addresses.into_iter().map(String::as_str).collect();
    println!("{key} -> {}", addresses.join(", "));
}
