//! Abilities that API servers have or lack.

use crate::testing::server::{
    api_server::{ApiServer, named},
    error::Error,
    verb::Verb,
};

impl ApiServer {
    /// Allows watches that start with initial events and a bookmark that ends them: a [streaming
    /// list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists).
    /// Default: yes. Otherwise the server behaves like one from before streaming lists: it ignores
    /// `sendInitialEvents`, and answers 422 to the `resourceVersionMatch` sent with it.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.set_streaming_lists(false);
    /// let pods = watch(Api::<Pod>::all(server.client())).streaming_list(true);
    /// pods.index(()).first_synced().await?;
    /// let requests = server.requests();
    /// assert!(requests[0].contains("sendInitialEvents=true"));
    /// assert_eq!(requests[1], "GET /api/v1/pods?limit=500", "refused, so it lists in pages");
    /// # Ok(()) });
    /// ```
    pub fn set_streaming_lists(&self, enabled: bool) {
        self.state().streaming_lists = enabled;
    }

    /// Allows answers in gzip. Default: no. If allowed and accepted by the client, a list is
    /// one gzip member, and each event of a watch is a separate member that is sent at once, as
    /// since Kubernetes 1.37.
    ///
    /// A real server encodes only lists of at least 128 KiB; this server encodes all, so that tests
    /// need not be large. A client that reads only one member sees the first event of a watch and
    /// then its end.
    ///
    /// ```
    /// use http::Request;
    /// use http_body_util::BodyExt;
    /// use kube::client::Body;
    /// use kube_weir::testing::ApiServer;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.set_gzip(true);
    /// let request = Request::get("/api/v1/pods").header("accept-encoding", "gzip");
    /// let answer = server.client().send(request.body(Body::empty())?).await?;
    /// assert_eq!(answer.headers()["content-encoding"], "gzip");
    /// let bytes = answer.into_body().collect().await?.to_bytes();
    /// assert!(bytes.starts_with(&[0x1f, 0x8b]));
    /// # Ok(()) });
    /// ```
    pub fn set_gzip(&self, enabled: bool) {
        self.state().gzip = enabled;
    }

    /// Sets the verbs of a resource, in all of its versions. Default: all verbs. Requests with
    /// another verb are answered 405, and discovery leaves the verb out, in both of its forms.
    ///
    /// This imitates aggregated API servers, which often can list but not watch: `metrics.k8s.io` has only
    /// `get` and `list`. The `Status` of a watch has the reason `MethodNotAllowed`. The verbs
    /// stay set when a `CustomResourceDefinition` is applied again.
    ///
    /// # Errors
    ///
    /// If the resource is not installed.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::WatchParams};
    /// use kube_weir::testing::{ApiServer, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.set_verbs("configmaps", &[Verb::Get, Verb::List])?;
    ///
    /// let api = Api::<ConfigMap>::all(server.client());
    /// assert!(api.list(&Default::default()).await.is_ok());
    /// let refused = api.watch(&WatchParams::default(), "0").await.map(drop);
    /// let Err(kube::Error::Api(status)) = refused else { panic!() };
    /// assert_eq!((status.code, status.reason.as_str()), (405, "MethodNotAllowed"));
    /// # Ok(()) });
    /// ```
    pub fn set_verbs(&self, resource: &str, verbs: &[Verb]) -> Result<(), Error> {
        self.change(|store| {
            let storage = named(store, resource)?.storage.clone();
            store.registry.set_verbs(&storage, verbs);
            Ok(())
        })
    }

    /// Sets whether the objects of a resource are sent with resourceVersions and uids. Default: yes.
    ///
    /// Without them, the resource behaves as if its objects were not stored but computed for each request,
    /// like those of `metrics.k8s.io`: the `metadata` of a list is empty, and a list ignores `limit` and
    /// `resourceVersion`.
    ///
    /// # Errors
    ///
    /// If the resource is not installed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube::{Api, api::DynamicObject, core::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// use kube_weir::testing::{ApiServer, Verb};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    /// let metrics = ApiResource::from_gvk_with_plural(&kind, "pods");
    /// server.install(&metrics, &Scope::Namespaced);
    /// server.set_verbs("pods.metrics.k8s.io", &[Verb::Get, Verb::List])?;
    /// server.set_versions("pods.metrics.k8s.io", false)?;
    /// server.apply(&json!({
    ///     "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
    ///     "metadata": {"name": "web"}, "containers": [],
    /// }))?;
    ///
    /// let api = Api::<DynamicObject>::all_with(server.client(), &metrics);
    /// let list = api.list(&Default::default()).await?;
    /// assert_eq!(list.metadata.resource_version, None);
    /// assert_eq!(list.items[0].metadata.uid, None);
    /// # Ok(()) });
    /// ```
    pub fn set_versions(&self, resource: &str, enabled: bool) -> Result<(), Error> {
        self.change(|store| {
            let storage = named(store, resource)?.storage.clone();
            store.registry.set_versioned(&storage, enabled);
            Ok(())
        })
    }
}
