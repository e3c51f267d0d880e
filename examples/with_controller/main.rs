//! kube's `Controller` over this library's watches, with reconciliations that read its indexes.
//!
//! ```sh
//! cargo run --example with_controller
//! cargo run --example with_controller -- --cluster
//! ```
//!
//! For each Service with the label `example: with-controller` it maintains a `ConfigMap`, `NAME-ready`,
//! with the list of ready addresses. There are three ways into a `Controller`:
//!
//! * `for_stream` for the Services. kube passes objects from its own store, so this kind
//!   is stored twice: `into_events()` and `reflect(writer)` fill that store.
//! * `owns_stream` for the `ConfigMaps`, because they have owner references.
//! * `reconcile_on` for the `EndpointSlices`, which may have none. The keys that a batch `touched` name the
//!   Services, including the previous one of a slice; kube's `watches_stream` would see only the new one.
//!
//! All three need kube's feature `unstable-runtime`. On a cluster it writes those `ConfigMaps`, and
//! needs `list` and `watch` on services, endpointslices and configmaps, and `patch` on configmaps.

mod reconcile;
mod server;

use std::sync::Arc;

use futures::stream;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::runtime::{
    Controller, WatchStreamExt,
    controller::Action,
    reflector::{self, ObjectRef},
};
use kube_weir::{Batch, prelude::*};

use reconcile::{Context, reconcile};

const OURS: &str = "example=with-controller";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let service =
        Index::paths(["metadata.namespace", "metadata.labels['kubernetes.io/service-name']"])?;
    let services = watch(Api::<Service>::all(client.clone())).labels(OURS)?.index(());
    let slices = watch(Api::<EndpointSlice>::all(client.clone())).index(&service);
    let written = watch(Api::<ConfigMap>::all(client.clone())).labels(OURS)?.index(());

    let context = Context {
        client,
        service: service.clone(),
        slices: slices.store(),
        written: written.store(),
    };
    let known = services.store();
    let (reader, writer) = reflector::store();
    let touched =
        slices.debounce(Duration::from_millis(100)).log_errors().flat_map(move |change| {
            // The first reconciliations wait for the initial slices.
            let owners = change.batch().map(|batch| owners(batch, &service, &known));
            stream::iter(owners.unwrap_or_default())
        });
    // The controller polls the pipelines, so there is nothing to spawn.
    let reconciled = Controller::for_stream(
        services.log_errors().into_events().reflect(writer).applied_objects(),
        reader,
    )
    .owns_stream(written.log_errors().into_events().touched_objects())
    .reconcile_on(touched)
    .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(5)), Arc::new(context));

    let mut reconciled = pin!(reconciled.take_until(end));
    while let Some(result) = reconciled.next().await {
        if let Err(error) = result {
            eprintln!("{error}");
        }
    }
    Ok(())
}

/// Returns our Services whose slices changed.
fn owners(
    batch: &Batch<EndpointSlice>,
    service: &Index<EndpointSlice>,
    known: &Store<Service>,
) -> Vec<ObjectRef<Service>> {
    let keys = batch.touched(service).into_iter();
    keys.filter_map(|key| Some(ObjectRef::from_obj(&*known.get(&key.object_key()?)?))).collect()
}
