//! The handle of the server.

use std::{
    fmt,
    sync::{Arc, MutexGuard},
};

use kube::{Client, core::ApiResource, discovery::Scope};
use serde::Serialize;
use serde_json::Value;

use crate::testing::server::{
    error::Error,
    history::{Happening, Key},
    object::Part,
    resource::Resource,
    shared::{Shared, State},
    store::{Deleted, Store, WriteOptions},
};

/// An in-process API server: a cheap handle, whose clones are the same server.
///
/// It is a [`tower::Service`], so [`client`](Self::client) returns a real, unmodified [`kube::Client`].
/// The methods of the handle are for the script of a test: they do not
/// wait, and they need no client.
///
/// Resources are named by text: `"ingresses"`, `"ingresses.networking.k8s.io"`, or
/// `"networking.k8s.io/v1/ingresses"`. The namespace of a cluster-scoped object is `""`.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::ApiServer};
/// use serde_json::json;
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let configs = watch(Api::<ConfigMap>::all(server.client()));
/// let mut changes = pin!(configs.index(()).log_errors());
/// assert!(changes.first_synced().await?.is_empty());
///
/// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
/// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
/// assert_eq!(batch.stats().created, 1);
/// # Ok(()) });
/// ```
#[doc(alias("fake client", "NewClientset", "fake.NewSimpleClientset", "mock"))]
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

impl ApiServer {
    /// Returns a server without objects, with the usual kinds: those of the core group that controllers
    /// read most, `apps`, `batch` jobs, Ingresses, `EndpointSlices`, Leases and
    /// `CustomResourceDefinitions`.
    ///
    /// Namespaces need not exist. The clock is [`tokio::time`], so create the server in the runtime of the
    /// test. The first write has the resourceVersion 2. With a paused clock all generated values are the
    /// same in every run: uids, times, names.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// let server = ApiServer::new();
    /// assert!(server.objects("ingresses")?.is_empty());
    /// assert_eq!(server.resource_version(), 1);
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared::new()) }
    }

    /// Returns a client of this server whose default namespace is `default`.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, which [`kube::Client::new`] needs.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let client = ApiServer::new().client();
    /// assert_eq!(client.default_namespace(), "default");
    /// assert!(client.apiserver_version().await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn client(&self) -> Client {
        self.client_in("default")
    }

    /// Returns a client of this server with another default namespace, like a program that runs
    /// there.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, which [`kube::Client::new`] needs.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let client = ApiServer::new().client_in("team-a");
    /// assert_eq!(client.default_namespace(), "team-a");
    /// # Ok(()) });
    /// ```
    pub fn client_in(&self, namespace: &str) -> Client {
        Client::new(self.clone(), namespace)
    }

    /// Adds a custom resource, with `/status`, without a `CustomResourceDefinition`. An installed
    /// resource is replaced; its objects stay.
    ///
    /// [Applying](Self::apply) a `CustomResourceDefinition` also adds its resource, and deleting
    /// the definition removes the resource.
    ///
    /// ```
    /// use kube::{core::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// let widget = json!({"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"name": "a"}});
    /// assert!(server.apply(&widget).unwrap_err().is_unknown_resource());
    ///
    /// let kind = GroupVersionKind::gvk("a.b", "v1", "Widget");
    /// server.install(&ApiResource::from_gvk(&kind), &Scope::Namespaced);
    /// server.apply(&widget)?;
    /// assert_eq!(server.objects("widgets")?.len(), 1);
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn install(&self, resource: &ApiResource, scope: &Scope) {
        let mut installed = Resource::new(
            &resource.group,
            &resource.version,
            &resource.kind,
            &resource.plural,
            *scope == Scope::Namespaced,
        );
        installed.custom = true;
        installed.status = true;
        self.shared.lock().store.registry.install(installed);
    }

    /// Creates an object, or replaces it completely, including `status`. The object must have `apiVersion`
    /// and `kind`; without a namespace it is put into `default`, as by `kubectl`. Returns the object as
    /// stored.
    ///
    /// An unchanged object causes no event, as on a real server. A `resourceVersion`
    /// in the object is ignored: there are no conflicts. Faults don't apply.
    ///
    /// # Errors
    ///
    /// If the object can't be written as JSON, is of a kind that is not installed, or has no valid name.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// let stored = server.apply(&json!({
    ///     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "blue"},
    /// }))?;
    /// assert_eq!(stored["metadata"]["namespace"], "default");
    /// assert_eq!(server.get("configmaps", "default", "settings")?, stored);
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn apply(&self, object: &impl Serialize) -> Result<Value, Error> {
        let mut object = serde_json::to_value(object).map_err(Error::serialize)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let options = WriteOptions { part: Part::Everything, dry_run: false };
        self.change(|store| {
            let resource = store
                .registry
                .by_kind(&api_version, &kind)
                .ok_or_else(|| Error::unknown_resource(&format!("{api_version} {kind}")))?;
            let mut key = Key {
                namespace: text(&object["metadata"]["namespace"]),
                name: text(&object["metadata"]["name"]),
            };
            if !resource.namespaced {
                key.namespace.clear();
            } else if key.namespace.is_empty() {
                "default".clone_into(&mut key.namespace);
            }
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("resourceVersion");
            }
            let stored = if store.get(&resource, &key).is_ok() {
                store.update(&resource, &key, object, options)?
            } else {
                store.create(&resource, &key.namespace, object, options)?
            };
            Ok((*stored).clone())
        })
    }

    /// Deletes an object, and returns its last version. An object with finalizers is only marked, as on a
    /// real server.
    ///
    /// # Errors
    ///
    /// If the resource is not installed, or the object does not exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// server.apply(&json!({
    ///     "apiVersion": "v1", "kind": "ConfigMap",
    ///     "metadata": {"name": "held", "finalizers": ["example.com/hold"]},
    /// }))?;
    /// let held = server.delete("configmaps", "default", "held")?;
    /// assert!(held["metadata"]["deletionTimestamp"].is_string());
    /// assert!(server.get("configmaps", "default", "held").is_ok(), "by its finalizer");
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, Error> {
        self.change(|store| {
            let resource = named(store, resource)?;
            let (Deleted::Gone(object) | Deleted::Held(object)) =
                store.delete(&resource, &key(namespace, name), false)?;
            Ok((*object).clone())
        })
    }

    /// Returns an object as stored.
    ///
    /// # Errors
    ///
    /// If the resource is not installed, or the object does not exist.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))?;
    /// assert_eq!(server.get("nodes", "", "n1")?["metadata"]["resourceVersion"], "2");
    /// assert!(server.get("nodes", "", "n2").unwrap_err().is_not_found());
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, Error> {
        let state = self.shared.lock();
        let resource = named(&state.store, resource)?;
        let object = state.store.get(&resource, &key(namespace, name))?;
        Ok((*object).clone())
    }

    /// Returns all objects of a resource, in the order of namespace and name.
    ///
    /// # Errors
    ///
    /// If the resource is not installed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// for name in ["b", "a"] {
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}))?;
    /// }
    /// let pods = server.objects("pods")?;
    /// let names: Vec<_> = pods.iter().map(|pod| &pod["metadata"]["name"]).collect();
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn objects(&self, resource: &str) -> Result<Vec<Value>, Error> {
        let state = self.shared.lock();
        let resource = named(&state.store, resource)?;
        let objects = state.store.objects(&resource);
        Ok(objects.map(|(_, object)| (**object).clone()).collect())
    }

    /// Returns the newest resourceVersion. All resources share one count, which every write raises by one.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// let before = server.resource_version();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// assert_eq!(server.resource_version(), before + 1);
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// assert_eq!(server.resource_version(), before + 1, "the same, so no write");
    /// # Ok::<(), kube_weir::testing::Error>(())
    /// ```
    pub fn resource_version(&self) -> u64 {
        self.shared.lock().store.revision()
    }

    /// Returns the resource of a kind, for the other methods.
    pub(in crate::testing) fn resource_of(&self, api_version: &str, kind: &str) -> Option<String> {
        let resource = self.shared.lock().store.registry.by_kind(api_version, kind)?;
        Some(format!("{api_version}/{}", resource.plural))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Store) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let changed = change(&mut self.shared.lock().store);
        self.shared.wake();
        changed
    }

    pub(super) fn signal(&self, what: Happening) {
        self.shared.lock().store.signal(what);
        self.shared.wake();
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer")
            .field("resource_version", &self.resource_version())
            .finish_non_exhaustive()
    }
}

pub(super) fn named(store: &Store, resource: &str) -> Result<Arc<Resource>, Error> {
    store.registry.by_name(resource).ok_or_else(|| Error::unknown_resource(resource))
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}
