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
//! * `reconcile_on` for the `EndpointSlices`, which may have none. The keys that a batch `touched` in an index
//!   name the Services, including the previous Service of a slice; kube's `watches_stream` would
//!   see only the new one. These objects need no store of kube.
//!
//! All three need kube's feature `unstable-runtime`. On a cluster it writes those `ConfigMaps`, and
//! needs `list` and `watch` on services, endpointslices and configmaps, and `patch` on configmaps.

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;

use futures::stream;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Client, Resource,
    api::{Patch, PatchParams},
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        reflector::{self, ObjectRef},
    },
};
use kube_weir::{Batch, Error, prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::time::sleep;

const OURS: &str = "example=with-controller";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script).await?;
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
    let owners = batch.touched(service).into_iter().filter_map(|key| {
        let service = known.get(&key.object_key()?)?;
        Some(ObjectRef::from_obj(&*service))
    });
    owners.collect()
}

struct Context {
    client: Client,
    service: Index<EndpointSlice>,
    slices: Store<EndpointSlice>,
    written: Store<ConfigMap>,
}

async fn reconcile(service: Arc<Service>, context: Arc<Context>) -> Result<Action, Error> {
    context.written.synced().await?;
    let slices = context.slices.synced().await?;

    let key = ObjectKey::of(&*service);
    let endpoints = slices.by(&context.service).get(&key).flat_map(|slice| &slice.endpoints);
    // Unknown means ready.
    let ready = endpoints.filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
    });
    let mut addresses: Vec<_> = ready.flat_map(|endpoint| endpoint.addresses.clone()).collect();
    addresses.sort();
    let data = [("addresses".to_owned(), addresses.join(","))].into();

    let child = ObjectKey::new(key.namespace(), format!("{}-ready", key.name()));
    let current = context.written.get(&child);
    if current.is_some_and(|current| current.data.as_ref() == Some(&data)) {
        return Ok(Action::await_change());
    }
    let wanted = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": child.name(),
            "labels": { "example": "with-controller" },
            "ownerReferences": [service.controller_owner_ref(&())],
        },
        "data": data,
    });
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), child.namespace());
    let params = PatchParams::apply("kube-weir-example").force();
    let answer = api.patch(child.name(), &params, &Patch::Apply(&wanted)).await?;
    println!("{child} = [{}]", addresses.join(", "));
    // The write triggers another reconciliation of the owner, which has nothing to do.
    context.written.wait_for(&answer).await?;
    Ok(Action::await_change())
}

/// Creates three Services, then changes their slices and one of the `ConfigMaps`.
async fn script(server: ApiServer) {
    for (number, service) in ["blog", "docs", "shop"].into_iter().enumerate() {
        let metadata = json!({ "name": service, "labels": { "example": "with-controller" } });
        put(&server, &json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata }));
        slice(&server, &format!("{service}-1"), service, &[&format!("10.0.{number}.1")]);
    }
    sleep(Duration::from_millis(500)).await;
    println!("(shop scales)");
    slice(&server, "shop-1", "shop", &["10.0.2.1", "10.0.2.2"]);
    sleep(Duration::from_millis(500)).await;
    println!("(a slice of docs goes to blog)");
    slice(&server, "docs-1", "blog", &["10.0.1.1"]);
    sleep(Duration::from_millis(500)).await;
    println!("(somebody deletes what is there for shop)");
    server.delete("configmaps", "default", "shop-ready").expect("it was written");
    sleep(Duration::from_millis(500)).await;
}

fn slice(server: &ApiServer, name: &str, service: &str, addresses: &[&str]) {
    let metadata = json!({ "name": name, "labels": { "kubernetes.io/service-name": service } });
    let ready = json!({ "ready": true });
    let endpoints = addresses.iter().map(|own| json!({ "addresses": [own], "conditions": ready }));
    put(
        server,
        &json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "endpoints": endpoints.collect::<Vec<_>>(),
        }),
    );
}

fn put(server: &ApiServer, object: &serde_json::Value) {
    server.apply(object).expect("a valid object");
}
