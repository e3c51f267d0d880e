//! Watching: our own list and watch on kube's client.

mod backoff;
mod fetch;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod gvr;
mod incoming;
mod list_watch;
mod namespace;
mod page;
mod query;
mod request;
mod trace;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{
    Stream, StreamExt,
    stream::{BoxStream, FusedStream},
};
use kube::{
    Api, Client, Resource,
    runtime::{reflector::Lookup, watcher::Event},
};
use serde::de::DeserializeOwned;

pub use self::gvr::Gvr;
pub(crate) use self::{
    backoff::Backoff,
    fetch::{Fetched, Fetcher},
    namespace::own as own_namespace,
};
use self::{
    list_watch::list_watch,
    query::{Decode, Query},
    request::Endpoint,
};
use crate::{
    document::{Document, ObjectMetaRef},
    error::Error,
    filter::{FieldFilter, FieldSelector, LabelSelector},
    origin::Origin,
    path::FieldPath,
    strain::Strainer,
};

/// Watches a kind that has a Rust type, in the namespaces that the `Api` covers.
///
/// Nothing is requested before the stream is polled. The role needs the verbs `list` and `watch`.
/// Where memory matters, [`watch_resource`] keeps the same objects in a more compact form.
///
/// ```
/// use k8s_openapi::api::networking::v1::Ingress;
/// use kube_weir::{FieldFilter, IndexBy, prelude::*, watch};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
/// # let client = kube_weir::testing::ApiServer::new().client();
/// let ingresses = watch(Api::<Ingress>::all(client))
///     .labels("app=web")?
///     .filter_fields(FieldFilter::new(["metadata.managedFields"])?)
///     .index(IndexBy::paths(["metadata.namespace", "metadata.name"])?);
/// let store = ingresses.store();
/// let mut changes = pin!(ingresses.debounce(Duration::from_millis(500)).log_errors());
///
/// changes.first_synced().await?;
/// assert_eq!(store.snapshot().len(), 0);
/// # Ok(()) }
/// ```
pub fn watch<K>(api: Api<K>) -> Watch<K>
where
    K: Resource + DeserializeOwned,
{
    let (resource, namespace) = request::resource_of(api.resource_url());
    let namespaces = namespace.map(|namespace| vec![namespace]);
    let endpoint = Endpoint::new(api.into_client(), resource);
    let endpoint = Endpoint { metadata_only: K::metadata_api(), ..endpoint };
    let decode = Decode {
        whole: |filter, json, _| filter.deserialize(json),
        first: |filter, bytes, _| filter.deserialize_first(bytes),
        // More than most objects have.
        enough: 16 << 10,
    };
    Watch::new(endpoint, namespaces, decode)
}

/// Watches a resource that needs no Rust type, in all namespaces.
///
/// One request of discovery tells a kind or a singular from a plural; it is waited for at most 5
/// seconds, and a failure of it is no error. A resource that is not installed yet is none either:
/// the stream says [`is_not_installed`](Error::is_not_installed) and begins by itself once it is.
///
/// # Errors
///
/// [`is_resource`](Error::is_resource) if the API group has no such plural, but a kind, a singular
/// or a short name like this; the message says which plural is meant.
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
///
/// # Examples
///
/// ```
/// use kube_weir::{Gvr, IndexBy, prelude::*, watch_resource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
/// # let client = kube_weir::testing::ApiServer::new().client();
/// let ingresses = Gvr::parse("networking.k8s.io/v1/ingresses")?;
/// let ingresses = watch_resource(client.clone(), ingresses).await?;
/// let mut changes = pin!(ingresses.index(IndexBy::path("metadata.namespace")?).log_errors());
/// assert!(changes.first_synced().await?.is_empty());
///
/// let error = watch_resource(client, Gvr::parse("networking.k8s.io/v1/ing")?).await.unwrap_err();
/// assert!(error.to_string().contains("networking.k8s.io/v1/ingresses is meant"));
/// # Ok(()) }
/// ```
pub async fn watch_resource(client: Client, resource: Gvr) -> Result<Watch<Document>, Error> {
    let mut watch = Watch::of_resource(client, resource);
    watch.query.endpoint.discover().await?;
    Ok(watch)
}

/// A watch: a stream of kube's [`Event`]s that lists, watches and recovers by itself.
///
/// Made by [`watch`] and [`watch_resource`]. The setters say what to watch; polling begins it, and
/// what is set later is ignored.
///
/// Failures are items. After any of them it goes on by itself: it retries with a growing delay (0.8
/// seconds, on a refusal 3, then twice as long each time, up to 30; jittered down to half of that;
/// not before the server's `Retry-After`), resumes where it was if it can, and lists again if the
/// server has forgotten that (410). The delay is reset by progress only. It never ends, but for
/// [namespaces](Watch::namespaces) that can't be.
///
/// An answer that doesn't begin within 60 seconds is a failure, and so is a list that pauses for as
/// long, and a watch that is silent for longer than its [timeout](Watch::watch_timeout) and 5
/// seconds.
///
/// Most go on with [`index`](Watch::index). As it is, it is what any stage takes:
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::Event;
/// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}, watch};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let server = ApiServer::new();
/// server.fault(Verb::List, 1, Fault::status(503));
///
/// let mut events = watch(Api::<ConfigMap>::all(server.client()));
/// assert!(matches!(events.next().await, Some(Ok(Event::Init))));
/// assert!(events.next().await.is_some_and(|item| item.is_err()), "an item, not the end");
/// assert!(matches!(events.next().await, Some(Ok(Event::InitDone))));
/// # Ok(()) }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Watch<K> {
    query: Query<K>,
    running: Option<BoxStream<'static, Result<Event<K>, Error>>>,
    ended: bool,
}

/// The store that a watch feeds, as the watch sees it.
pub(crate) trait Downstream: Send + Sync {
    /// Whether nothing is stored, as in the initial load: then nothing need be asked.
    fn is_empty(&self) -> bool;

    /// Whether this very version of an object is stored. Then the store takes it for listed, and
    /// it need not be decoded again.
    fn has(&self, meta: &ObjectMetaRef<'_>) -> bool;

    /// With what comes next, if anything, the store has seen everything in a namespace (`""` is all
    /// of them) up to this resourceVersion.
    fn reached(&self, namespace: &str, version: &str);
}

impl<K> Watch<K> {
    /// What logs, [`explain`](crate::Store::explain) and metrics call it, beside its resource: to tell
    /// apart several watches of one resource. Default: nothing.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.query.origin.name = Some(name.into());
        self
    }

    /// Only objects with these labels, selected by the API server. May be given several times: all
    /// must match. What the requirements are is said at [`LabelSelector::parse`].
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)
    /// is not valid. An empty one is not.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).labels("app in (web, api)")?;
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(server.requests()[0].contains("labelSelector=app+in+%28web%2C+api%29"));
    ///
    /// let error = watch(Api::<Pod>::all(server.client())).labels("app in web").unwrap_err();
    /// assert!(error.is_selector());
    /// # Ok(()) }
    /// ```
    pub fn labels(mut self, selector: &str) -> Result<Self, Error> {
        let own = LabelSelector::parse(selector)?;
        let others = self.query.labels.take();
        self.query.labels = Some(others.map_or(own.clone(), |others| others.and(&own)));
        Ok(self)
    }

    /// Only objects with these fields, selected by the API server, which knows few fields of each
    /// kind; for any other use [`matching`](Watch::matching). May be given several times: all must
    /// match.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/)
    /// is not valid. An empty one is not. One of fields that the server doesn't know is a 400,
    /// which [is an item](Error::is_refusal) of the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).fields("spec.nodeName=node-1")?;
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(server.requests()[0].contains("fieldSelector=spec.nodeName%3Dnode-1"));
    /// # Ok(()) }
    /// ```
    pub fn fields(self, selector: &str) -> Result<Self, Error> {
        Ok(self.selecting(&FieldSelector::parse(selector)?))
    }

    /// Only objects that match, selected here. One that begins to match is created for those
    /// downstream, one that ceases to is deleted. May be given several times: all must match.
    ///
    /// The object is looked at as it was received, so a field may be selected on and dropped. The
    /// API server sends all objects nevertheless: where it can select, by [`labels`](Watch::labels)
    /// or [`fields`](Watch::fields), that is cheaper.
    ///
    /// ```
    /// use kube_weir::{FieldFilter, FieldSelector, Gvr, IndexBy, watch_resource};
    /// # use kube_weir::{EventStreamExt, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # for (name, class) in [("a", "haproxy"), ("b", "nginx")] {
    /// #     server.apply(&json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
    /// #         "metadata": { "name": name }, "spec": { "ingressClassName": class } }))?;
    /// # }
    /// let ingresses = Gvr::parse("networking.k8s.io/v1/ingresses")?;
    /// let ours = watch_resource(server.client(), ingresses).await?
    ///     .matching(FieldSelector::parse("spec.ingressClassName=haproxy")?)
    ///     .filter_fields(FieldFilter::new(["spec.ingressClassName"])?);
    /// let snapshot = ours.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(snapshot.object("default", "a").is_some());
    /// assert!(snapshot.object("default", "b").is_none(), "of another class");
    /// # Ok(()) }
    /// ```
    pub fn matching(mut self, selector: FieldSelector) -> Self {
        self.query.matching.push(selector);
        self
    }

    /// Drops these fields of every object while it is decoded: they are never built. May be given
    /// several times. The API server sends them nevertheless.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{FieldFilter, IndexBy, watch};
    /// # use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # server.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap",
    /// #     "metadata": { "name": "a" }, "data": { "level": "debug", "dump": "..." } }))?;
    /// let configs = watch(Api::<ConfigMap>::all(server.client()))
    ///     .filter_fields(FieldFilter::new(["data.dump", "metadata.managedFields"])?);
    /// let snapshot = configs.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// let data = snapshot.object("default", "a").and_then(|own| own.data.as_ref()).unwrap();
    /// assert!(data.contains_key("level") && !data.contains_key("dump"));
    /// # Ok(()) }
    /// ```
    pub fn filter_fields(mut self, filter: FieldFilter) -> Self {
        self.query.filter = self.query.filter.and(filter);
        self
    }

    /// Watches one namespace, instead of those of the `Api`: [`namespaces`](Watch::namespaces) with
    /// one name.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).namespace("web");
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/web/pods?"));
    /// # Ok(()) }
    /// ```
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.namespaces([namespace])
    }

    /// Watches several namespaces as one stream, which is synced when all of them are. Replaces the
    /// namespaces of the `Api`, and those given before. A role in each of them is enough.
    ///
    /// Of no namespace there is nothing to see: an empty list never means all of them. A name that
    /// no namespace can have gives an [`is_namespace`](Error::is_namespace) item, and nothing else.
    ///
    /// Each namespace is a connection of its own, and they are listed one after the other. If the
    /// history of one namespace's watch is lost (410), all of them are listed again.
    ///
    /// ```
    /// use kube_weir::{Gvr, IndexBy, watch_resource};
    /// # use kube_weir::{EventStreamExt, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # for namespace in ["a", "b", "c"] {
    /// #     server.apply(&json!({ "apiVersion": "v1", "kind": "Pod",
    /// #         "metadata": { "namespace": namespace, "name": "web" } }))?;
    /// # }
    /// let pods = watch_resource(server.client(), Gvr::parse("v1/pods")?).await?;
    /// let pods = pods.namespaces(["a", "b"]);
    /// let snapshot = pods.index(IndexBy::path("metadata.namespace")?).first_synced().await?;
    /// assert_eq!(snapshot.len(), 2);
    /// assert!(snapshot.get(["c"])?.next().is_none());
    /// # Ok(()) }
    /// ```
    pub fn namespaces(mut self, namespaces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut names: Vec<String> = namespaces.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        self.query.namespaces = Some(names);
        self
    }

    /// Watches the namespace that this program runs in: that of the pod's [service
    /// account](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/), or of the
    /// kubeconfig's context.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if it is unknown. It never means all namespaces.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let client = server.client_in("team-a");
    /// let pods = watch(Api::<Pod>::all(client)).own_namespace()?;
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/team-a/pods?"));
    /// # Ok(()) }
    /// ```
    pub fn own_namespace(self) -> Result<Self, Error> {
        let own = namespace::own(self.query.endpoint.client.default_namespace())?;
        Ok(self.namespace(own))
    }

    /// How many objects the server puts into one
    /// [page](https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks)
    /// of a list, at least one. Default: 500, as in client-go. A page is decoded while it arrives
    /// and never held as a whole, so smaller ones save the server memory, and cost requests.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).page_size(50);
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert!(server.requests()[0].contains("limit=50"));
    /// # Ok(()) }
    /// ```
    pub fn page_size(mut self, objects: u32) -> Self {
        self.query.page_size = objects.max(1);
        self
    }

    /// Asks for the initial state by a [streaming
    /// list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists)
    /// ([KEP-3157](https://kep.k8s.io/3157)) instead of pages: one connection that goes on as the
    /// watch. A server that has none gets a paged list. Default: false.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).streaming_list(true);
    /// pods.index(IndexBy::path("metadata.name")?).first_synced().await?;
    /// assert_eq!(server.requests().len(), 1);
    /// assert!(server.requests()[0].contains("sendInitialEvents=true"));
    /// # Ok(()) }
    /// ```
    pub fn streaming_list(mut self, streaming: bool) -> Self {
        self.query.streaming_list = streaming;
        self
    }

    /// After how long the server ends a watch, which is then resumed. A connection that is silent
    /// for 5 seconds longer is taken for dead. Default: 290 seconds; whole seconds, at least one.
    ///
    /// An idle kind is silent but for a bookmark a minute, so this is how long a connection that
    /// broke without a word may go unnoticed.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).watch_timeout(Duration::from_secs(60));
    /// let mut changes = pods.index(IndexBy::path("metadata.name")?);
    /// changes.first_synced().await?;
    /// let _ = tokio::time::timeout(Duration::from_secs(1), changes.next()).await;
    /// assert!(server.requests()[1].contains("timeoutSeconds=60"));
    /// # Ok(()) }
    /// ```
    pub fn watch_timeout(mut self, timeout: Duration) -> Self {
        self.query.watch_timeout = Duration::from_secs(timeout.as_secs().max(1));
        self
    }

    pub(crate) fn feed(&mut self, store: Arc<dyn Downstream>) {
        self.query.downstream = Some(store);
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.query.origin
    }

    /// What it does to an object, and what the API server is asked to do.
    pub(crate) fn strainer(&self) -> Strainer<K> {
        let Query { namespaces, labels, field_selector, matching, filter, decode, .. } =
            &self.query;
        let mut strainer = Strainer::default();
        if let Some(names) = namespaces {
            strainer = strainer.namespaces(names.clone());
        }
        if let Some(selector) = labels {
            strainer = strainer.labels(selector.clone());
        }
        let selectors = field_selector.iter().chain(matching).cloned();
        selectors.fold(strainer, Strainer::matching).without(filter.clone(), decode.whole)
    }

    /// Only the objects of this name, selected by the API server.
    pub(crate) fn only(self, name: &str) -> Self {
        self.selecting(&FieldSelector::of_name(name))
    }

    /// The same objects, but of each only what tells which one it is, in which version, and what
    /// these paths look at. Where they lie in the metadata, no more is asked for.
    pub(crate) fn keys_only(self, paths: &[FieldPath]) -> Watch<Document> {
        let Query { endpoint, namespaces, labels, field_selector, matching, .. } = self.query;
        let metadata = FieldPath::of_names(&["metadata"]);
        let selected = matching.iter().flat_map(FieldSelector::paths);
        let is_in_metadata = paths.iter().chain(selected).all(|path| path.is_within(&metadata));
        let metadata_only = endpoint.metadata_only || is_in_metadata;
        let query = Query {
            endpoint: Endpoint { metadata_only, ..endpoint },
            namespaces,
            labels,
            field_selector,
            filter: FieldFilter::keeping(paths, !metadata_only),
            matching,
            page_size: self.query.page_size,
            streaming_list: self.query.streaming_list,
            watch_timeout: self.query.watch_timeout,
            decode: if metadata_only { Decode::KEYS } else { Decode::DOCUMENT },
            downstream: None,
            origin: self.query.origin,
        };
        Watch { query, running: None, ended: false }
    }

    fn selecting(mut self, own: &FieldSelector) -> Self {
        let others = self.query.field_selector.take();
        self.query.field_selector = Some(others.map_or(own.clone(), |others| others.and(own)));
        self
    }

    fn new(endpoint: Endpoint, namespaces: Option<Vec<String>>, decode: Decode<K>) -> Self {
        let query = Query {
            origin: Origin::new(endpoint.resource.to_string()),
            endpoint,
            namespaces,
            labels: None,
            field_selector: None,
            filter: FieldFilter::default(),
            matching: Vec::new(),
            page_size: 500,
            streaming_list: false,
            watch_timeout: Duration::from_secs(290),
            decode,
            downstream: None,
        };
        Self { query, running: None, ended: false }
    }
}

impl Watch<Document> {
    /// A resource that needs no Rust type, about which the API server was not asked.
    pub(crate) fn of_resource(client: Client, resource: Gvr) -> Self {
        Self::new(Endpoint::new(client, resource), None, Decode::DOCUMENT)
    }
}

impl<K: Lookup + Send + 'static> Stream for Watch<K> {
    type Item = Result<Event<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { query, running, ended } = &mut *self;
        if *ended {
            return Poll::Ready(None);
        }
        let running = running.get_or_insert_with(|| list_watch(Arc::new(query.measured())).boxed());
        let item = ready!(running.poll_next_unpin(cx));
        *ended = item.is_none();
        Poll::Ready(item)
    }
}

impl<K: Lookup + Send + 'static> FusedStream for Watch<K> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<K> Unpin for Watch<K> {}

impl<K> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("resource", &self.query.endpoint.resource)
            .field("namespaces", &self.query.namespaces)
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
