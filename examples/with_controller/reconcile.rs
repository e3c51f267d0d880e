//! A reconciliation.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Client, Resource,
    api::{Patch, PatchParams},
    runtime::controller::Action,
};
use kube_weir::{Error, prelude::*};
use serde_json::json;

/// The stores that a reconciliation reads, and a client to write.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) service: Index<EndpointSlice>,
    pub(crate) slices: Store<EndpointSlice>,
    pub(crate) written: Store<ConfigMap>,
}

/// Writes the ready addresses of a Service, if they changed.
pub(crate) async fn reconcile(
    service: Arc<Service>,
    context: Arc<Context>,
) -> Result<Action, Error> {
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
