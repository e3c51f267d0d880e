//! The library against a real kube-apiserver, in real time.
//!
//! Every wait has a deadline and is for something that must happen; the few waits for something that must
//! not happen are marked. The server behavior on which the tests rely is tested in `apiserver/selftest.rs`.

mod consumer;
mod listed;
mod requests;
mod wire;

mod churn;
mod conversion;
pub(crate) mod custom;
mod granted;
mod gzip;
mod idle;
mod keys;
mod leader;
mod one;
mod outage;
mod restores;
mod retries;
mod rights;
mod selectors;
mod streaming;
mod sync;
mod versions;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube_weir::{EventStreamExt, Gvr, Index};
use serde_json::{Value, json};
use tokio::time::timeout;

use consumer::Consumer;
use listed::assert_equal_to_list;
use requests::Requests;
use wire::Wire;

/// Longest wait for expected events.
const SOON: Duration = Duration::from_secs(40);

/// Number of concurrent connections if many objects are written.
const WRITERS: usize = 8;

/// Waits for an expected event.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: not in {SOON:?}"))
}

/// Writes to the real stderr: libtest captures what `eprint!` writes.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn config_maps() -> Gvr {
    Gvr::parse("v1/configmaps").unwrap()
}

/// Returns the collection of a namespace, for [`assert_equal_to_list`].
fn path_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

/// Returns a `ConfigMap` with `data.value` and a label `tier`.
fn config_map(name: &str, tier: &str, value: &str) -> ConfigMap {
    let metadata = json!({ "name": name, "labels": { "tier": tier } });
    serde_json::from_value(json!({ "metadata": metadata, "data": { "value": value } })).unwrap()
}

async fn create(api: &Api<ConfigMap>, name: &str) -> ConfigMap {
    create_in(api, name, "none").await
}

async fn create_in(api: &Api<ConfigMap>, name: &str, tier: &str) -> ConfigMap {
    let object = config_map(name, tier, "first");
    soon("a create", api.create(&PostParams::default(), &object)).await.unwrap()
}

/// Creates `prefix-0000` and following, over several connections.
async fn create_many(api: &Api<ConfigMap>, prefix: &str, count: usize) {
    let objects = (0..count).map(|i| config_map(&format!("{prefix}-{i:04}"), "none", "first"));
    let params = PostParams::default();
    let creates = stream::iter(objects.map(|object| {
        let params = &params;
        async move { api.create(params, &object).await.map(drop) }
    }));
    let all = creates.buffer_unordered(WRITERS).try_collect::<()>();
    timeout(4 * SOON, all).await.expect("the creates in time").unwrap();
}

async fn patch(api: &Api<ConfigMap>, name: &str, patch: Value) -> ConfigMap {
    let patch = Patch::Merge(patch);
    soon("a patch", api.patch(name, &PatchParams::default(), &patch)).await.unwrap()
}

async fn set_value(api: &Api<ConfigMap>, name: &str, value: &str) -> ConfigMap {
    patch(api, name, json!({ "data": { "value": value } })).await
}

async fn set_tier(api: &Api<ConfigMap>, name: &str, tier: &str) -> ConfigMap {
    patch(api, name, json!({ "metadata": { "labels": { "tier": tier } } })).await
}

async fn delete(api: &Api<ConfigMap>, name: &str) {
    soon("a delete", api.delete(name, &DeleteParams::default())).await.unwrap();
}
