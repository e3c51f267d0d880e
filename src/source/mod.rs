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
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt, stream::BoxStream};
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
/// Nothing is requested before the stream is polled.
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
/// A resource that is not installed yet is no error: the stream says
/// [`is_not_installed`](Error::is_not_installed) and begins by itself once it is.
///
/// ```
/// use kube_weir::{Gvr, IndexBy, prelude::*, watch_resource};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
/// # let client = kube_weir::testing::ApiServer::new().client();
/// let ingresses = watch_resource(client, Gvr::parse("networking.k8s.io/v1/ingresses")?).await?;
/// let mut changes = pin!(ingresses.index(IndexBy::path("metadata.namespace")?).log_errors());
/// assert!(changes.first_synced().await?.is_empty());
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`is_resource`](Error::is_resource) if the API group has no such plural, but a kind or a
/// singular of this name; the message says which plural is meant.
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
/// Failures are items. After any of them it goes on by itself: it retries with a growing, jittered
/// delay (0.8 to 30 seconds; from 3 seconds on a refusal; as long as the server asks for with
/// `Retry-After`), resumes where it was if it can, and lists again if the server has forgotten that
/// (410). The delay is reset by progress only.
#[must_use = "streams do nothing unless polled"]
pub struct Watch<K> {
    query: Query<K>,
    running: Option<BoxStream<'static, Result<Event<K>, Error>>>,
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

    /// Only objects with these labels, selected by the API server.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)
    /// is not valid. An empty one is not.
    pub fn labels(mut self, selector: &str) -> Result<Self, Error> {
        let selector = LabelSelector::parse(selector).map_err(Error::invalid_selector)?;
        self.query.labels = Some(selector);
        Ok(self)
    }

    /// Only objects with these fields, selected by the API server, which knows few fields of each
    /// kind; for any other use [`matching`](Watch::matching).
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/)
    /// is not valid. An empty one is not.
    pub fn fields(mut self, selector: &str) -> Result<Self, Error> {
        let selector = FieldSelector::parse(selector).map_err(Error::invalid_selector)?;
        self.query.field_selector = Some(selector);
        Ok(self)
    }

    /// Only objects that match, selected here. One that begins to match is created for those
    /// downstream, one that ceases to is deleted. May be given several times: all must match.
    ///
    /// The object is looked at as it was received, so a field may be selected on and dropped.
    pub fn matching(mut self, selector: FieldSelector) -> Self {
        self.query.matching.push(selector);
        self
    }

    /// Drops these fields of every object while it is decoded. May be given several times.
    pub fn filter_fields(mut self, filter: FieldFilter) -> Self {
        self.query.filter = self.query.filter.and(filter);
        self
    }

    /// Watches one namespace.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.namespaces([namespace])
    }

    /// Watches several namespaces as one stream, which is synced when all of them are.
    ///
    /// Of no namespace there is nothing to see: an empty list never means all of them. A name that
    /// no namespace can have gives an [`is_namespace`](Error::is_namespace) item, and nothing else.
    ///
    /// If the history of one namespace's watch is lost (410), all of them are listed again.
    pub fn namespaces(mut self, namespaces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut names: Vec<String> = namespaces.into_iter().map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        self.query.namespaces = Some(names);
        self
    }

    /// Watches the namespace that this program runs in: that of the pod's service account, or of
    /// the kubeconfig's context.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if it is unknown. It never means all namespaces.
    pub fn own_namespace(self) -> Result<Self, Error> {
        let own = namespace::own(self.query.endpoint.client.default_namespace())?;
        Ok(self.namespace(own))
    }

    /// How many objects the server puts into one page of a list. Default: 500, as in client-go.
    pub fn page_size(mut self, objects: u32) -> Self {
        self.query.page_size = objects.max(1);
        self
    }

    /// Asks for the initial state by a
    /// [streaming list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists)
    /// instead of pages. A server that has none gets a paged list. Default: false.
    pub fn streaming_list(mut self, streaming: bool) -> Self {
        self.query.streaming_list = streaming;
        self
    }

    /// After how long the server ends a watch, which is then resumed. A connection that is silent
    /// for 5 seconds longer is taken for dead. Default: 290 seconds; whole seconds, at least one.
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
    pub(crate) fn only(mut self, name: &str) -> Self {
        let own = FieldSelector::of_name(name);
        let others = self.query.field_selector.take();
        self.query.field_selector = Some(others.map_or(own.clone(), |others| others.and(&own)));
        self
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
        Watch { query, running: None }
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
        Self { query, running: None }
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
        let Self { query, running } = &mut *self;
        let running = running.get_or_insert_with(|| list_watch(Arc::new(query.measured())).boxed());
        running.poll_next_unpin(cx)
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
