//! Watching: our own list and watch on kube's client.

mod backoff;
mod fetch;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod incoming;
mod list_watch;
mod namespace;
mod page;
mod request;
mod spec;
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

pub(crate) use self::{
    backoff::Backoff,
    fetch::{Fetch, Fetched},
    namespace::{is_valid as is_namespace, own as own_namespace},
};
use self::{
    list_watch::list_watch,
    request::Endpoint,
    spec::{Decode, Spec},
};
use crate::{
    document::{Document, Identity},
    error::Error,
    labels::LabelSelector,
    origin::Origin,
    path::{FieldFilter, FieldPath, FieldSelector},
    resource::Gvr,
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
    watch.spec.endpoint.discover().await?;
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
    spec: Spec<K>,
    running: Option<BoxStream<'static, Result<Event<K>, Error>>>,
}

/// The store that a watch feeds, as the watch sees it.
pub(crate) trait Known: Send + Sync {
    /// Whether nothing is stored, as in the initial load: then nothing need be asked.
    fn is_empty(&self) -> bool;

    /// Whether this very version of an object is stored. Then the store takes it for listed, and
    /// it need not be decoded again.
    fn keeps(&self, identity: &Identity<'_>) -> bool;

    /// With what comes next, if anything, the store has seen everything in a namespace (`""` is all
    /// of them) up to this resourceVersion.
    fn reached(&self, namespace: &str, version: &str);
}

impl Watch<Document> {
    /// A resource that needs no Rust type, about which the API server was not asked.
    pub(crate) fn of_resource(client: Client, resource: Gvr) -> Self {
        Self::new(Endpoint::new(client, resource), None, Decode::DOCUMENT)
    }
}

impl<K> Watch<K> {
    pub(crate) fn feed(&mut self, store: Arc<dyn Known>) {
        self.spec.known = Some(store);
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.spec.origin
    }

    /// What it does to an object, and what the API server is asked to do.
    pub(crate) fn strainer(&self) -> Strainer<K> {
        let Spec { namespaces, labels, fields, selectors, filter, decode, .. } = &self.spec;
        let mut strainer = Strainer::default();
        if let Some(names) = namespaces {
            strainer = strainer.namespaces(names.clone());
        }
        if let Some(selector) = labels.as_deref().map(LabelSelector::parse).and_then(Result::ok) {
            strainer = strainer.labels(selector);
        }
        if let Some(selector) = fields.as_deref().map(FieldSelector::parse).and_then(Result::ok) {
            strainer = strainer.fields(selector);
        }
        strainer = selectors.iter().cloned().fold(strainer, Strainer::fields);
        strainer.without(filter.clone(), decode.whole)
    }

    /// Only the objects of this name, selected by the API server.
    pub(crate) fn only(mut self, name: &str) -> Self {
        let name = name.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
        let own = format!("metadata.name={name}");
        let others = self.spec.fields.take();
        self.spec.fields = Some(others.map_or(own.clone(), |others| format!("{others},{own}")));
        self
    }

    /// The same objects, but of each only what tells which one it is, in which version, and what
    /// these paths look at. Where they lie in the metadata, no more is asked for.
    pub(crate) fn keeping(self, paths: &[FieldPath]) -> Result<Watch<Document>, Error> {
        let Spec { endpoint, namespaces, labels, fields, selectors, .. } = self.spec;
        let Spec { page_size, streaming, timeout, origin, .. } = self.spec;
        let metadata = FieldPath::parse("metadata")?;
        let selected = selectors.iter().flat_map(FieldSelector::paths);
        let is_in_metadata = paths.iter().chain(selected).all(|path| path.is_within(&metadata));
        let endpoint =
            Endpoint { metadata_only: endpoint.metadata_only || is_in_metadata, ..endpoint };
        let decode = if endpoint.metadata_only { Decode::KEYS } else { Decode::DOCUMENT };
        let filter = FieldFilter::keeping(paths, !endpoint.metadata_only);
        let spec = Spec {
            origin,
            labels,
            fields,
            filter,
            selectors,
            page_size,
            streaming,
            timeout,
            ..Watch::new(endpoint, namespaces, decode).spec
        };
        Ok(Watch { spec, running: None })
    }

    fn new(endpoint: Endpoint, namespaces: Option<Vec<String>>, decode: Decode<K>) -> Self {
        let spec = Spec {
            origin: Origin::new(endpoint.resource.to_string()),
            endpoint,
            namespaces,
            labels: None,
            fields: None,
            filter: FieldFilter::default(),
            selectors: Vec::new(),
            page_size: 500,
            streaming: false,
            timeout: Duration::from_secs(290),
            decode,
            known: None,
        };
        Self { spec, running: None }
    }

    /// What logs, [`explain`](crate::Store::explain) and metrics call it, beside its resource: to tell
    /// apart several watches of one resource. Default: nothing.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.spec.origin.name = Some(name.into());
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
        LabelSelector::parse(selector).map_err(Error::invalid_selector)?;
        self.spec.labels = Some(selector.to_owned());
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
        FieldSelector::parse(selector).map_err(Error::invalid_selector)?;
        self.spec.fields = Some(selector.to_owned());
        Ok(self)
    }

    /// Only objects that match, selected here. One that begins to match is created for those
    /// downstream, one that ceases to is deleted. May be given several times: all must match.
    ///
    /// The object is looked at as it was received, so a field may be selected on and dropped.
    pub fn matching(mut self, selector: FieldSelector) -> Self {
        self.spec.selectors.push(selector);
        self
    }

    /// Drops these fields of every object while it is decoded. May be given several times.
    pub fn filter_fields(mut self, filter: FieldFilter) -> Self {
        self.spec.filter = self.spec.filter.and(filter);
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
        self.spec.namespaces = Some(names);
        self
    }

    /// Watches the namespace that this program runs in: that of the pod's service account, or of
    /// the kubeconfig's context.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if it is unknown. It never means all namespaces.
    pub fn own_namespace(self) -> Result<Self, Error> {
        let own = namespace::own(self.spec.endpoint.client.default_namespace())?;
        Ok(self.namespace(own))
    }

    /// How many objects the server puts into one page of a list. Default: 500, as in client-go.
    pub fn page_size(mut self, objects: u32) -> Self {
        self.spec.page_size = objects.max(1);
        self
    }

    /// Asks for the initial state by a
    /// [streaming list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists)
    /// instead of pages. A server that has none gets a paged list. Default: false.
    pub fn streaming_list(mut self, streaming: bool) -> Self {
        self.spec.streaming = streaming;
        self
    }

    /// After how long the server ends a watch, which is then resumed. A connection that is silent
    /// for 5 seconds longer is taken for dead. Default: 290 seconds; whole seconds, at least one.
    pub fn watch_timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = Duration::from_secs(timeout.as_secs().max(1));
        self
    }
}

impl<K: Lookup + Send + 'static> Stream for Watch<K> {
    type Item = Result<Event<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { spec, running } = &mut *self;
        let running = running.get_or_insert_with(|| list_watch(Arc::new(spec.measured())).boxed());
        running.poll_next_unpin(cx)
    }
}

impl<K> Unpin for Watch<K> {}

impl<K> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("resource", &self.spec.endpoint.resource)
            .field("namespaces", &self.spec.namespaces)
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
