//! The server as a test holds it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{Client, core::ApiResource, discovery::Scope};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::testing::{
    error::Error,
    fault::{Fault, On, Script},
    history::{Happening, Key},
    object::Part,
    resource::Resource,
    store::{Deleted, Manner, Store},
};

/// How many requests the log keeps.
const LOGGED: usize = 10_000;

/// An API server in this process: a cheap handle, whose clones are the same server.
///
/// It is a [`tower::Service`], so that [`client`](Self::client) gives a real [`kube::Client`], with
/// nothing of kube replaced. The methods of the handle are for the script of a test: they do not
/// wait, and they need no client.
///
/// Resources are named as people write them: `"ingresses"`, `"ingresses.networking.k8s.io"`, or
/// `"networking.k8s.io/v1/ingresses"`. The namespace of a cluster-scoped object is `""`.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Change, IndexBy, prelude::*, testing::ApiServer, watch};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = ApiServer::new();
/// let configs = watch(Api::<ConfigMap>::all(server.client()));
/// let mut changes = pin!(configs.index(IndexBy::path("metadata.name")?).log_errors());
/// assert!(changes.first_synced().await?.is_empty());
///
/// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
/// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
/// assert_eq!(batch.stats().created, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

/// What requests and the handle share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Tells the watches that there is something to read.
    wake: watch::Sender<()>,
}

/// Everything that changes.
pub(super) struct State {
    pub(super) store: Store,
    pub(super) script: Script,
    pub(super) log: VecDeque<String>,
    pub(super) streaming_lists: bool,
}

impl ApiServer {
    /// A server without objects, with the usual kinds: those of the core group that controllers
    /// read most, `apps`, `batch` jobs, Ingresses, `EndpointSlices`, Leases and
    /// `CustomResourceDefinitions`.
    ///
    /// Namespaces need not exist. Time is [`tokio::time`], so make it where the clock of the test
    /// runs. The first write has the resourceVersion 2. With a clock that is paused all that the
    /// server makes up is the same in every run: uids, times, generated names.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// assert!(server.objects("ingresses")?.is_empty());
    /// assert_eq!(server.resource_version(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            store: Store::new(),
            script: Script::default(),
            log: VecDeque::new(),
            streaming_lists: true,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), wake: watch::Sender::new(()) }) }
    }

    /// A client of this server whose default namespace is `default`.
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ApiServer::new().client();
    /// assert_eq!(client.default_namespace(), "default");
    /// assert!(client.apiserver_version().await.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn client(&self) -> Client {
        self.client_in("default")
    }

    /// A client of this server with another default namespace, as that of a program that runs
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
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let client = ApiServer::new().client_in("team-a");
    /// assert_eq!(client.default_namespace(), "team-a");
    /// # }
    /// ```
    pub fn client_in(&self, namespace: &str) -> Client {
        Client::new(self.clone(), namespace)
    }

    /// Adds a custom resource, with `/status`, without a `CustomResourceDefinition`. One that is
    /// there already is replaced; its objects stay.
    ///
    /// [Applying](Self::apply) a `CustomResourceDefinition` adds its resource as well, and deleting
    /// it takes that away again.
    ///
    /// ```
    /// use kube::{core::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// let widget = json!({"apiVersion": "a.b/v1", "kind": "Widget", "metadata": {"name": "a"}});
    /// assert!(server.apply(&widget).unwrap_err().is_unknown_resource());
    ///
    /// let kind = GroupVersionKind::gvk("a.b", "v1", "Widget");
    /// server.install(&ApiResource::from_gvk(&kind), &Scope::Namespaced);
    /// server.apply(&widget)?;
    /// assert_eq!(server.objects("widgets")?.len(), 1);
    /// # Ok(()) }
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

    /// Creates an object, or replaces it whole, `status` included. It must have `apiVersion` and
    /// `kind`; without a namespace it goes where `kubectl` would put it, into `default`. Gives the
    /// object as stored.
    ///
    /// An object that is the same already makes no event, as on a real server. A `resourceVersion`
    /// in it is ignored: nothing conflicts. No fault meets it.
    ///
    /// # Errors
    ///
    /// If the object can't be written as JSON, is of a kind that is not installed, or has no valid name.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// let server = ApiServer::new();
    /// let stored = server.apply(&json!({
    ///     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "blue"},
    /// }))?;
    /// assert_eq!(stored["metadata"]["namespace"], "default");
    /// assert_eq!(server.get("configmaps", "default", "settings")?, stored);
    /// # Ok(())
    /// # }
    /// ```
    pub fn apply(&self, object: &impl Serialize) -> Result<Value, Error> {
        let mut object = serde_json::to_value(object).map_err(Error::serialize)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let manner = Manner { part: Part::Everything, dry_run: false };
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
                store.update(&resource, &key, object, manner)?
            } else {
                store.create(&resource, &key.namespace, object, manner)?
            };
            Ok((*stored).clone())
        })
    }

    /// Deletes an object, and gives it as it was last. One with finalizers is only marked, as on a
    /// real server.
    ///
    /// # Errors
    ///
    /// If the resource is not installed, or the object is not there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// server.apply(&json!({
    ///     "apiVersion": "v1", "kind": "ConfigMap",
    ///     "metadata": {"name": "held", "finalizers": ["example.com/hold"]},
    /// }))?;
    /// let held = server.delete("configmaps", "default", "held")?;
    /// assert!(held["metadata"]["deletionTimestamp"].is_string());
    /// assert!(server.get("configmaps", "default", "held").is_ok(), "by its finalizer");
    /// # Ok(()) }
    /// ```
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, Error> {
        self.change(|store| {
            let resource = named(store, resource)?;
            let (Deleted::Gone(object) | Deleted::Held(object)) =
                store.delete(&resource, &key(namespace, name), false)?;
            Ok((*object).clone())
        })
    }

    /// An object as stored.
    ///
    /// # Errors
    ///
    /// If the resource is not installed, or the object is not there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))?;
    /// assert_eq!(server.get("nodes", "", "n1")?["metadata"]["resourceVersion"], "2");
    /// assert!(server.get("nodes", "", "n2").unwrap_err().is_not_found());
    /// # Ok(()) }
    /// ```
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Result<Value, Error> {
        let state = self.shared.lock();
        let resource = named(&state.store, resource)?;
        let object = state.store.get(&resource, &key(namespace, name))?;
        Ok((*object).clone())
    }

    /// All objects of a resource, by namespace and name.
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
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// for name in ["b", "a"] {
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}))?;
    /// }
    /// let pods = server.objects("pods")?;
    /// let names: Vec<_> = pods.iter().map(|pod| &pod["metadata"]["name"]).collect();
    /// assert_eq!(names, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    pub fn objects(&self, resource: &str) -> Result<Vec<Value>, Error> {
        let state = self.shared.lock();
        let resource = named(&state.store, resource)?;
        let objects = state.store.objects(&resource);
        Ok(objects.map(|(_, object)| (**object).clone()).collect())
    }

    /// The newest resourceVersion. All resources share one count, which every write raises by one.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # fn main() -> Result<(), kube_weir::testing::Error> {
    /// let server = ApiServer::new();
    /// let before = server.resource_version();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// assert_eq!(server.resource_version(), before + 1);
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// assert_eq!(server.resource_version(), before + 1, "the same, so no write");
    /// # Ok(()) }
    /// ```
    pub fn resource_version(&self) -> u64 {
        self.shared.lock().store.revision()
    }

    /// Forgets the past for new requests: lists, pages and watches from an older resourceVersion
    /// than the newest are answered 410. Watches that are open go on.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(IndexBy::path("metadata.name")?);
    /// changes.first_synced().await?;
    ///
    /// // What the watch has not seen yet is forgotten before it asks.
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// server.compact();
    /// assert!(changes.next().await.unwrap().unwrap_err().is_desynced());
    /// assert_eq!(changes.next().await.unwrap()?.snapshot().len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn compact(&self) {
        let mut state = self.shared.lock();
        let revision = state.store.revision();
        state.store.history.compact(revision);
    }

    /// Limits how many changes are remembered. Default: 100,000. What is older is answered 410,
    /// also to an open watch that has not read it yet.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # use kube::{Api, api::{WatchEvent, WatchParams}};
    /// # use futures::StreamExt;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.set_history_limit(1);
    /// for name in ["a", "b", "c"] {
    ///     let metadata = json!({"name": name});
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    /// }
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// let Some(Ok(WatchEvent::Error(gone))) = events.next().await else { panic!() };
    /// assert_eq!(gone.code, 410);
    /// # Ok(()) }
    /// ```
    pub fn set_history_limit(&self, changes: usize) {
        self.shared.lock().store.history.set_limit(changes);
    }

    /// Sends a
    /// [bookmark](https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks) to
    /// every open watch that allows them, behind all changes made so far. Without it, there is one
    /// every 60 seconds.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # use kube::{Api, api::{WatchEvent, WatchParams}};
    /// # use futures::StreamExt;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// // It tells that the watch is beyond this Node, which is not its business.
    /// server.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))?;
    /// server.bookmark();
    /// let Some(Ok(WatchEvent::Bookmark(bookmark))) = events.next().await else { panic!() };
    /// assert_eq!(bookmark.metadata.resource_version, "2");
    /// # Ok(()) }
    /// ```
    pub fn bookmark(&self) {
        self.signal(Happening::Bookmark);
    }

    /// Ends every open watch, without an error, when it has sent all changes made so far: a server
    /// that shuts down. For a connection that breaks, see [`Fault`].
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # use kube::{Api, api::{WatchEvent, WatchParams}};
    /// # use futures::StreamExt;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// server.disconnect();
    /// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
    /// assert!(events.next().await.is_none());
    /// # Ok(()) }
    /// ```
    pub fn disconnect(&self) {
        self.signal(Happening::Disconnect);
    }

    /// Whether watches can start with initial events and a bookmark that ends them: a [streaming
    /// list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists).
    /// Default: yes. Without, the server is one from before streaming lists: it ignores
    /// `sendInitialEvents`, and answers 422 to the `resourceVersionMatch` that goes with it.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.set_streaming_lists(false);
    /// let pods = watch(Api::<Pod>::all(server.client())).streaming_list(true);
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// let requests = server.requests();
    /// assert!(requests[0].contains("sendInitialEvents=true"));
    /// assert_eq!(requests[1], "GET /api/v1/pods?limit=500", "refused, so it lists in pages");
    /// # Ok(()) }
    /// ```
    pub fn set_streaming_lists(&self, enabled: bool) {
        self.shared.lock().streaming_lists = enabled;
    }

    /// Makes something go wrong with the next requests that match: so many times, and then no more.
    /// The fault that was added first comes first; a request meets one at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 2, Fault::status(503));
    /// server.fault(On::verb(Verb::Watch).resource("pods"), 1, Fault::Disconnect { after_events: 3 });
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// for _ in 0..2 {
    ///     assert!(pods.list(&Default::default()).await.is_err());
    /// }
    /// assert!(pods.list(&Default::default()).await.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn fault(&self, on: impl Into<On>, times: usize, fault: Fault) {
        self.shared.lock().script.add(on.into(), times, fault);
    }

    /// Takes back every fault that has not happened yet. One that goes on, such as
    /// [`Stall`](Fault::Stall), does.
    ///
    /// ```
    /// use kube_weir::testing::{ApiServer, Fault, On};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(On::any(), 1000, Fault::Refused);
    /// assert!(server.client().apiserver_version().await.is_err());
    /// server.clear_faults();
    /// assert!(server.client().apiserver_version().await.is_ok());
    /// # Ok(()) }
    /// ```
    pub fn clear_faults(&self) {
        self.shared.lock().script.clear();
    }

    /// The requests so far, oldest first, as `GET /api/v1/pods?limit=500`; the last 10,000 are
    /// kept. Those that met a fault are among them; what the handle does is not.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.client().apiserver_version().await?;
    /// assert_eq!(server.requests(), ["GET /version"]);
    /// # Ok(()) }
    /// ```
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().log.iter().cloned().collect()
    }

    /// The requests so far, of which the server then keeps none: for what a later step asks.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.client().apiserver_version().await?;
    /// assert_eq!(server.take_requests().len(), 1);
    /// assert!(server.requests().is_empty());
    /// # Ok(()) }
    /// ```
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().log).into()
    }

    /// The resource of a kind, as other methods take it.
    pub(super) fn resource_of(&self, api_version: &str, kind: &str) -> Option<String> {
        let resource = self.shared.lock().store.registry.by_kind(api_version, kind)?;
        Some(format!("{api_version}/{}", resource.plural))
    }

    /// How many times faults were to happen that have not happened.
    pub(super) fn unmet_faults(&self) -> usize {
        self.shared.lock().script.left()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> Result<T, Error>) -> Result<T, Error> {
        let changed = change(&mut self.shared.lock().store);
        self.shared.wake();
        changed
    }

    fn signal(&self, what: Happening) {
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

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panics elsewhere must not hide behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.wake.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}

impl State {
    pub(super) fn log(&mut self, request: String) {
        if self.log.len() == LOGGED {
            self.log.pop_front();
        }
        self.log.push_back(request);
    }
}

fn named(store: &Store, resource: &str) -> Result<Arc<Resource>, Error> {
    store.registry.by_name(resource).ok_or_else(|| Error::unknown_resource(resource))
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}
