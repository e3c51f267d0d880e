//! Fixtures for tests and doc tests: sample objects, a server that has some, and a paused clock.
//!
//! A doc test that hides its first and its last line shows only what it is about:
//!
//! ```
//! use k8s_openapi::api::core::v1::Secret;
//! use kube_weir::{prelude::*, testing::fixture};
//!
//! fixture::with_client(async |client| {
//!     let mut secrets = watch(Api::<Secret>::all(client)).index(());
//!     let snapshot = secrets.first_synced().await?;
//!     assert!(snapshot.get("web/tls").is_some());
//!     Ok(())
//! });
//! ```
//!
//! Tests with their own runtime, such as `#[tokio::test(start_paused = true)]`, call [`server`] instead.
//!
//! All sample objects are in the namespace `web`, except those of [`config_map`], which have none.

use std::error::Error;

use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};
use kube::Client;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::testing::ApiServer;

type Tested = Result<(), Box<dyn Error>>;

/// Runs an asynchronous test to its end on this thread. Tokio's clock is paused: waiting takes
/// no time.
///
/// ```
/// use kube_weir::testing::fixture;
/// use std::time::Duration;
/// use tokio::time::{Instant, sleep};
///
/// fixture::run(async {
///     let begun = Instant::now();
///     sleep(Duration::from_secs(3600)).await;
///     assert_eq!(begun.elapsed().as_secs(), 3600);
///     Ok(())
/// });
/// ```
///
/// # Panics
///
/// If the test fails, or within another runtime.
#[track_caller]
pub fn run(test: impl Future<Output = Tested>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    if let Err(error) = runtime.expect("a runtime can be built").block_on(test) {
        panic!("{error:?}");
    }
}

/// [Runs](run) a test with the [sample server](server).
///
/// ```
/// use kube_weir::testing::fixture;
///
/// fixture::with_server(async |server| {
///     server.delete("secrets", "web", "tls")?;
///     assert_eq!(server.objects("secrets")?.len(), 1);
///     Ok(())
/// });
/// ```
///
/// # Panics
///
/// If the test fails, or within another runtime.
#[track_caller]
pub fn with_server(test: impl AsyncFnOnce(ApiServer) -> Tested) {
    run(async { test(server()).await });
}

/// [Runs](run) a test with a client of the [sample server](server).
///
/// ```
/// use kube_weir::testing::fixture;
///
/// fixture::with_client(async |client| {
///     assert_eq!(client.apiserver_version().await?.major, "1");
///     Ok(())
/// });
/// ```
///
/// # Panics
///
/// If the test fails, or within another runtime.
#[track_caller]
pub fn with_client(test: impl AsyncFnOnce(Client) -> Tested) {
    with_server(async |server| test(server.client()).await);
}

/// Returns a server with the namespace `web`, which has the label `team=shop`, and these objects in it:
///
/// | kind | name | content |
/// |---|---|---|
/// | `ConfigMap` | `settings` | [`settings("debug")`](settings) |
/// | `Ingress` | `blog`, `shop` | hosts `blog.example` and `shop.example`, classes `nginx` and `haproxy` |
/// | `Pod` | `blog-1`, `shop-1` | containers that were restarted 7 times and never |
/// | `Secret` | `token`, `tls` | `key` is `secret` |
/// | `Service` | `shop` | port 80 |
///
/// The first of two objects has the label `app=blog`, and the second `app=shop`.
///
/// ```
/// use kube_weir::testing::fixture;
///
/// let server = fixture::server();
/// assert_eq!(server.get("configmaps", "web", "settings")?["data"]["level"], "debug");
/// # Ok::<(), kube_weir::testing::Error>(())
/// ```
pub fn server() -> ApiServer {
    let server = ApiServer::new();
    let mut objects = vec![json!(settings("debug"))];
    let mut add = |api_version: &str, kind: &str, name: &str, mut object: Value| {
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["namespace"] = "web".into();
        object["metadata"]["name"] = name.into();
        objects.push(object);
    };
    add("v1", "Namespace", "web", json!({ "metadata": { "labels": { "team": "shop" } } }));
    add("v1", "Service", "shop", json!({ "spec": { "ports": [{ "port": 80 }] } }));
    for (app, secret, class, restarts) in
        [("blog", "token", "nginx", 7), ("shop", "tls", "haproxy", 0)]
    {
        let metadata = json!({ "labels": { "app": app } });
        let data = json!({ "key": "c2VjcmV0" });
        add("v1", "Secret", secret, json!({ "metadata": metadata, "data": data }));
        let mut rule = json!(ingress(app, &format!("{app}.example")));
        rule["metadata"]["labels"]["app"] = app.into();
        rule["spec"]["ingressClassName"] = class.into();
        add("networking.k8s.io/v1", "Ingress", app, rule);
        let container = json!({
            "name": app, "image": app, "imageID": app, "ready": true, "restartCount": restarts,
        });
        let status = json!({ "containerStatuses": [container] });
        add("v1", "Pod", &format!("{app}-1"), json!({ "metadata": metadata, "status": status }));
    }
    for object in objects {
        if let Err(error) = server.apply(&object) {
            unreachable!("a sample is refused: {error:?}");
        }
    }
    server
}

/// Returns an object that has only a name and, unless it is empty, a namespace.
///
/// ```
/// use k8s_openapi::api::core::v1::{Node, Service};
/// use kube_weir::{Document, ObjectKey, testing::fixture::object};
///
/// assert_eq!(ObjectKey::of(&object::<Service>("web", "shop")), ObjectKey::new("web", "shop"));
/// assert_eq!(object::<Node>("", "node-1").metadata.namespace, None);
/// assert_eq!(object::<Document>("web", "shop").name(), "shop");
/// ```
///
/// # Panics
///
/// If objects of this type have other required fields.
pub fn object<K: DeserializeOwned>(namespace: &str, name: &str) -> K {
    let mut metadata = json!({ "name": name });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    typed(json!({ "metadata": metadata }))
}

/// Returns a `ConfigMap` with a name and a resourceVersion, without a namespace: for [streams of
/// events](crate::testing::Events).
///
/// ```
/// use kube_weir::testing::fixture::config_map;
///
/// assert_eq!(config_map("a", 7).metadata.resource_version.as_deref(), Some("7"));
/// ```
pub fn config_map(name: &str, version: u32) -> ConfigMap {
    typed(json!({ "metadata": { "name": name, "resourceVersion": version.to_string() } }))
}

/// Returns the `ConfigMap` `web/settings` with a `level`.
///
/// ```
/// use kube_weir::testing::fixture::settings;
///
/// assert_eq!(settings("debug").data.unwrap()["level"], "debug");
/// ```
pub fn settings(level: &str) -> ConfigMap {
    typed(
        json!({ "metadata": { "namespace": "web", "name": "settings" }, "data": { "level": level } }),
    )
}

/// Returns an `Ingress` in the namespace `web` with a rule for a host.
///
/// ```
/// use kube_weir::testing::fixture::ingress;
///
/// let rules = ingress("shop", "shop.example").spec.unwrap().rules.unwrap();
/// assert_eq!(rules[0].host.as_deref(), Some("shop.example"));
/// ```
pub fn ingress(name: &str, host: &str) -> Ingress {
    let spec = json!({ "rules": [{ "host": host }] });
    typed(json!({ "metadata": { "namespace": "web", "name": name }, "spec": spec }))
}

fn typed<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("the type has all required fields")
}
