//! A watch: its settings, and the stream.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt, stream::FusedStream};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, runtime::reflector::Lookup};

use super::{
    Backoff, Gvr, Namespaces,
    collections::Collections,
    own_namespace,
    query::{Query, Stored},
    request::Endpoint,
    resolve::Resolver,
};
use crate::{
    document::{Document, Documents},
    error::{Error, caught},
    event::{Context, WatchEvent},
    filter::{FieldFilter, FieldSelector, LabelSelector},
    path::FieldPath,
    stages::Named,
    text::given,
};

/// The longest timeout of a watch, in seconds.
const DAY: u64 = 86_400;

/// A stream of [`WatchEvent`]s that lists, watches and recovers by itself.
///
/// [`watch`](crate::watch) and [`watch_resource`](crate::watch_resource) make it. The setters select what
/// to watch; the first poll starts the watch, and later settings are ignored.
///
/// # Failures
///
/// A failure is an item that names the request, and the namespace if the request was for one. The watch
/// goes on by itself after each failure, and each namespace goes on independently:
///
/// | failure | next step |
/// |---|---|
/// | a connection that breaks or ends after the watch held for a second or delivered something | a resume at once, without an item |
/// | no connection, no answer, 429, 503 | a retry of the request, after a growing [delay](Backoff); a list after 5 minutes without any other answer |
/// | 410 | a list, after a growing delay |
/// | any other answer, three times in a row at one version | a list; the delay between such lists grows up to 5 minutes |
/// | a `resourceVersion` that went back, for instance after etcd was restored from a backup | a list that replaces everything seen so far |
///
/// The delay is at least the server's `Retry-After`, up to 5 minutes. Only progress resets it. The stream
/// never ends, except for an invalid [namespace](Watch::namespaces) or resource.
///
/// An answer that doesn't begin in time is a failure: for a list, and for each of its objects, after the
/// [patience](Watch::list_patience) for lists; for a watch, after its [timeout](Watch::watch_timeout) and 5
/// seconds. A watch that is silent, or sends anything but events, for that long is a failure, too.
///
/// kube's client, as made by `Client::try_default`, repeats requests that are answered 429, 503 and 504 by
/// itself. It sends the requests of a watch only once, so these answers are items here.
///
/// If the code that decodes an object panics, the last item is an [error](Error::is_panic) that reports it.
///
/// # Restored backups
///
/// A version that goes back shows a lost history. After an outage of 3 seconds, and if a watch stays silent
/// to its end although bookmarks came before, the watch requests the object that was written or deleted
/// last (a list with `limit=1`): the versions of the object and of the list show whether the history is
/// another one. A watch that is [indexed](Watch::index) directly goes on to the next newest object if the
/// first was written since. Nothing shows a lost history if all of these objects are in the same state in
/// both histories, and the server is past the last bookmark when the watch comes back;
/// `etcdutl snapshot restore --bump-revision --mark-compacted` avoids that. Nor does anything show it if a
/// proxy hides the whole outage.
///
/// Most pipelines continue with [`index`](Watch::index). The stream itself is input for any stage:
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{WatchEvent, prelude::*, testing::{ApiServer, Fault, Verb}};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// server.fault(Verb::List, 1, Fault::status(503));
///
/// let mut events = watch(Api::<ConfigMap>::all(server.client()));
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Scope(_)))));
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Restarted { .. }))));
/// assert!(events.next().await.is_some_and(|item| item.is_err()), "an item, not the end");
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::ListComplete { .. }))));
/// # Ok(()) });
/// ```
#[doc(alias("informer", "ListWatch", "ListerWatcher", "relist", "watcher"))]
#[must_use = "streams do nothing unless polled"]
pub struct Watch<K> {
    pub(super) query: Query<K>,
    running: Option<Box<Collections<K>>>,
    ended: bool,
}

impl<K> Watch<K> {
    /// Sets the name that logs, [`report`](crate::Store::report) and metrics show beside the resource, for
    /// several watches of one resource. Default: nothing.
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.query.origin.name = Some(name.into());
        self
    }

    /// Selects objects by labels, in the API server: text, a [`LabelSelector`], or a selector of kube's or
    /// of an object. Can be called several times: all selectors must match. The table of
    /// [`LabelSelector::parse`] has the requirements.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)
    /// is invalid or empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).labels("app in (web, api)")?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].contains("labelSelector=app+in+%28web%2C+api%29"));
    ///
    /// let error = watch(Api::<Pod>::all(server.client())).labels("app in web").unwrap_err();
    /// assert!(error.is_selector());
    /// # Ok(()) });
    /// ```
    pub fn labels(
        mut self,
        selector: impl TryInto<LabelSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let own = given(selector)?;
        let others = self.query.labels.take();
        self.query.labels = Some(others.map_or(own.clone(), |others| others.and(&own)));
        Ok(self)
    }

    /// Selects objects by fields (text or a [`FieldSelector`]), in the API server, which knows few fields
    /// of each kind; for any other field use [`matching`](Watch::matching). Can be called several times:
    /// all selectors must match.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the
    /// [selector](https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/)
    /// is invalid or empty. The server rejects fields that it doesn't know with a 400, which
    /// [is an item](Error::is_refusal) of the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).fields("spec.nodeName=node-1")?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].contains("fieldSelector=spec.nodeName%3Dnode-1"));
    /// # Ok(()) });
    /// ```
    pub fn fields(
        self,
        selector: impl TryInto<FieldSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Ok(self.selecting(&given(selector)?))
    }

    /// Selects objects in this process, by text or a [`FieldSelector`]. An object that begins to match is
    /// created for the stages downstream, and an object that ceases to match is deleted. Can be called
    /// several times: all selectors must match. For conditions of any other kind, use a closure with
    /// [`matching_with`](Watch::matching_with).
    ///
    /// The selector reads the object as it was received, so a field can be selected on and then dropped.
    /// The API server still sends all objects: if it can select them, by [`labels`](Watch::labels) or
    /// [`fields`](Watch::fields), that is cheaper.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the text is not a selector.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let ours = watch_resource(client, "networking.k8s.io/v1/ingresses")?
    ///     .matching("spec.ingressClassName=haproxy")?
    ///     .filter_fields("spec.ingressClassName")?;
    /// let snapshot = ours.index(()).first_synced().await?;
    /// assert!(snapshot.get("web/shop").is_some());
    /// assert!(snapshot.get("web/blog").is_none(), "of another class");
    /// # Ok(()) });
    /// ```
    #[doc(alias("predicate", "predicate_filter", "WithEventFilter"))]
    pub fn matching(
        mut self,
        selector: impl TryInto<FieldSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        self.query.matching.push(given(selector)?);
        Ok(self)
    }

    /// Selects objects by a closure, otherwise like [`matching`](Watch::matching).
    /// [`Scope::selectors`](crate::Scope::selectors) and reports show the name, which describes the
    /// condition.
    ///
    /// The closure gets the object as it is stored, without the fields that
    /// [`filter_fields`](Watch::filter_fields) drops. For equal objects it must always return the same: it
    /// isn't called for an object that is listed again unchanged. If it panics, so does the
    /// [stream](Watch#failures).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let restarting = watch(Api::<Pod>::all(client)).matching_with("restarting", |pod| {
    ///     let containers = pod.status.iter().flat_map(|own| own.container_statuses.iter().flatten());
    ///     containers.map(|own| own.restart_count).sum::<i32>() > 5
    /// });
    /// let snapshot = restarting.index(()).first_synced().await?;
    /// assert!(snapshot.get("web/shop-1").is_none());
    /// assert!(snapshot.get("web/blog-1").is_some());
    /// # Ok(()) });
    /// ```
    pub fn matching_with(
        mut self,
        name: impl Into<Arc<str>>,
        holds: impl Fn(&K) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.query.closures.push(Named::new(name, holds));
        self
    }

    /// Drops these fields of every object while it is decoded: they are never built. One path as text,
    /// several in an array or separated by commas, or a [`FieldFilter`]. Can be called several times. The
    /// API server still sends the fields.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a path is invalid or names a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::networking::v1::Ingress;
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let ingresses = watch(Api::<Ingress>::all(client))
    ///     .filter_fields(["spec.rules", "metadata.managedFields"])?;
    /// let snapshot = ingresses.index(()).first_synced().await?;
    /// let spec = snapshot.get("web/shop").and_then(|own| own.spec.as_ref()).unwrap();
    /// assert!(spec.ingress_class_name.is_some() && spec.rules.is_none());
    /// # Ok(()) });
    /// ```
    #[doc(alias("transform", "SetTransform", "TransformFunc"))]
    pub fn filter_fields(
        self,
        filter: impl TryInto<FieldFilter, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Ok(self.without(given(filter)?))
    }

    /// Drops the fields of a filter.
    pub(crate) fn without(mut self, filter: FieldFilter) -> Self {
        self.query.decoder = self.query.decoder.and(filter);
        self
    }

    /// Watches one namespace, instead of the namespaces of the `Api`: [`namespaces`](Watch::namespaces)
    /// with one name.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).namespace("web");
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/web/pods?"));
    /// # Ok(()) });
    /// ```
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.namespaces([namespace])
    }

    /// Watches several namespaces as one stream, instead of the namespaces of the `Api` and any set before.
    /// A role in each of them suffices.
    ///
    /// Each namespace has its own list, watch, resume point and delay: a namespace that can't be listed
    /// doesn't delay the others. The stream is synced when all namespaces are, or with a
    /// [`SyncPolicy`](crate::SyncPolicy) without the namespaces that can't be. A [`Namespaces`] can change
    /// while the watch runs.
    ///
    /// An empty list means no namespace, never all of them: the store is empty. An invalid name yields an
    /// [`is_namespace`](Error::is_namespace) item, and nothing else.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::fixture::object};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// for namespace in ["a", "b", "c"] {
    ///     server.apply(&object::<Pod>(namespace, "shop"))?;
    /// }
    /// let pods = watch_resource(server.client(), "v1/pods")?.namespaces(["a", "b"]);
    /// let snapshot = pods.index(()).first_synced().await?;
    /// assert_eq!(snapshot.len(), 2);
    /// assert!(snapshot.in_namespace("c").next().is_none());
    /// # Ok(()) });
    /// ```
    pub fn namespaces(mut self, namespaces: impl Into<Namespaces>) -> Self {
        self.query.namespaces = namespaces.into();
        self
    }

    /// Watches the namespaces that have these labels, as they come and go. The role also needs `list` and
    /// `watch` on `namespaces`.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the selector is not valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// for (name, team) in [("a", "web"), ("b", "data")] {
    ///     server.apply(&json!({ "apiVersion": "v1", "kind": "Namespace",
    ///         "metadata": { "name": name, "labels": { "team": team } } }))?;
    ///     server.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap",
    ///         "metadata": { "namespace": name, "name": "settings" } }))?;
    /// }
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).namespaces_labelled("team=web")?;
    /// let mut changes = configs.index(()).log_errors();
    /// assert_eq!(changes.first_synced().await?.len(), 1);
    ///
    /// server.apply(&json!({ "apiVersion": "v1", "kind": "Namespace",
    ///     "metadata": { "name": "b", "labels": { "team": "web" } } }))?;
    /// assert_eq!(changes.next().await.unwrap().batch().unwrap().stats().created, 1);
    /// # Ok(()) });
    /// ```
    pub fn namespaces_labelled(
        mut self,
        selector: impl TryInto<LabelSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        self.query.namespaces = Namespaces::labelled(given(selector)?);
        Ok(self)
    }

    /// Watches the namespace that this program runs in: the namespace of the pod's [service
    /// account](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/), or of the
    /// kubeconfig's context.
    ///
    /// It is `client.default_namespace()` if that is known. kube's client also returns `default` for a
    /// context or a pod without a namespace; here that is an error, so that a program without a namespace
    /// doesn't watch another program's.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if the namespace is unknown. Unknown never means all
    /// namespaces.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let client = server.client_in("team-a");
    /// let pods = watch(Api::<Pod>::all(client)).own_namespace()?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/team-a/pods?"));
    /// # Ok(()) });
    /// ```
    pub fn own_namespace(self) -> Result<Self, Error> {
        let own = own_namespace(self.query.endpoint.client.default_namespace())?;
        Ok(self.namespace(own))
    }

    /// Sets how many objects the server puts into one
    /// [page](https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks)
    /// of a list, at least one. Default: 500, as in client-go. A page is decoded while it arrives and never
    /// held as a whole, so smaller pages save the server memory, and cost requests.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).page_size(50);
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].contains("limit=50"));
    /// # Ok(()) });
    /// ```
    pub fn page_size(mut self, objects: u32) -> Self {
        self.query.page_size = objects.max(1);
        self
    }

    /// Requests the initial state by a [streaming
    /// list](https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists)
    /// ([KEP-3157](https://kep.k8s.io/3157)) instead of pages: one connection that continues as the watch.
    /// A server without streaming lists gets a paged list. Default: false.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).streaming_list(true);
    /// pods.index(()).first_synced().await?;
    /// assert_eq!(server.requests().len(), 1);
    /// assert!(server.requests()[0].contains("sendInitialEvents=true"));
    /// # Ok(()) });
    /// ```
    pub fn streaming_list(mut self, streaming: bool) -> Self {
        self.query.streaming_list = streaming;
        self
    }

    /// Sets how long a watch lasts at least before the server ends it and it is resumed. Each watch
    /// requests between once and twice this time, as in client-go, so that a fleet doesn't reconnect at
    /// once. Default: 150 seconds; whole seconds, from one to a day.
    ///
    /// A connection that broke silently is noticed 5 seconds after the watch should have ended, or after
    /// [`max_silence`](Watch::max_silence).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).watch_timeout(Duration::from_secs(60));
    /// let mut changes = pods.index(());
    /// changes.first_synced().await?;
    /// let _ = tokio::time::timeout(Duration::from_secs(1), changes.next()).await;
    /// let requests = server.requests();
    /// let (_, asked) = requests[1].split_once("timeoutSeconds=").unwrap();
    /// let asked: u64 = asked.split('&').next().unwrap().parse()?;
    /// assert!((60..=120).contains(&asked));
    /// # Ok(()) });
    /// ```
    pub fn watch_timeout(mut self, timeout: Duration) -> Self {
        self.query.watch_timeout = Duration::from_secs(timeout.as_secs().clamp(1, DAY));
        self
    }

    /// Treats a connection as dead if it had neither an event nor a bookmark for this long. Default: none,
    /// so that only the end of the watch counts.
    ///
    /// The API server sends a
    /// [bookmark](https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks) about each
    /// minute, which serves as a heartbeat: 90 seconds are a good choice. The setting takes effect only
    /// after the first bookmark, since not every server sends them.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).max_silence(Duration::from_secs(90));
    /// let mut changes = pods.index(());
    /// changes.first_synced().await?;
    /// let _ = tokio::time::timeout(Duration::from_secs(61), changes.next()).await; // a bookmark
    ///
    /// server.fault(Verb::Watch, 1, Fault::Stall { after_events: 0 });
    /// server.disconnect();
    /// let begun = tokio::time::Instant::now();
    /// assert!(changes.next().await.unwrap().unwrap_err().is_timeout());
    /// assert_eq!(begun.elapsed().as_secs(), 90);
    /// # Ok(()) });
    /// ```
    pub fn max_silence(mut self, silence: Duration) -> Self {
        self.query.max_silence = Some(silence);
        self
    }

    /// Sets how long a list may take to begin, and then to deliver each object. Default: 60 seconds.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::Stall { after_events: 0 });
    /// let pods = watch(Api::<Pod>::all(server.client())).list_patience(Duration::from_secs(5));
    /// let mut changes = pods.index(());
    /// let begun = tokio::time::Instant::now();
    /// assert!(changes.next().await.unwrap().unwrap_err().is_timeout());
    /// assert_eq!(begun.elapsed().as_secs(), 5);
    /// # Ok(()) });
    /// ```
    pub fn list_patience(mut self, patience: Duration) -> Self {
        self.query.list_patience = patience;
        self
    }

    /// Sets the delays between tries. [`Backoff`] has the defaults and an example.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.query.backoff = backoff;
        self
    }

    /// Lists at intervals instead of watching: for a kind that the API server can't watch, such as
    /// `metrics.k8s.io/v1beta1/pods`. The lists of such a kind need no `resourceVersion`. Only the
    /// difference between two lists is a change. The interval is a second at least.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).poll(Duration::from_secs(30));
    /// let mut changes = configs.index(()).log_errors();
    /// assert!(changes.first_synced().await?.is_empty());
    ///
    /// server.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } }))?;
    /// assert_eq!(changes.next().await.unwrap().batch().unwrap().stats().created, 1);
    /// assert!(server.requests().iter().all(|request| !request.contains("watch=true")));
    /// # Ok(()) });
    /// ```
    pub fn poll(mut self, interval: Duration) -> Self {
        self.query.poll = Some(interval.max(Duration::from_secs(1)));
        self
    }

    /// Lets the watch look up the objects of the store that it feeds.
    pub(crate) fn feed(&mut self, store: Arc<dyn Stored>) {
        self.query.stored = Some(store);
    }

    /// Returns the identity of the pipeline, before any request.
    pub(crate) fn context(&self) -> Arc<Context<K>> {
        Arc::new(self.query.context())
    }

    /// Returns a watch of the objects of this name only, selected by the API server.
    pub(crate) fn only(self, name: &str) -> Self {
        let mut only = self.selecting(&FieldSelector::of_name(name));
        only.query.name = Some(name.into());
        only
    }

    /// Returns a watch of these objects that keeps only their identity, their version, and the fields of
    /// these paths. If all paths lie in the metadata, only metadata is requested.
    pub(crate) fn keys_only(self, paths: &[FieldPath]) -> Watch<Document> {
        let metadata = FieldPath::of_names(&["metadata"]);
        let selected = self.query.matching.iter().flat_map(FieldSelector::paths);
        let is_in_metadata = paths.iter().chain(selected).all(|path| path.is_within(&metadata));
        let metadata_only = self.query.endpoint.metadata_only || is_in_metadata;
        let keys = Documents::new(FieldFilter::keeping(paths, !metadata_only));
        let mut query = self.query.decoding(Arc::new(keys));
        query.endpoint.metadata_only = metadata_only;
        Watch::new(query)
    }

    /// Returns the name of a closure that selects objects, if there is one.
    pub(crate) fn closure(&self) -> Option<&str> {
        self.query.closures.first().map(Named::name)
    }

    fn selecting(mut self, own: &FieldSelector) -> Self {
        let others = self.query.field_selector.take();
        self.query.field_selector = Some(others.map_or(own.clone(), |others| others.and(own)));
        self
    }

    pub(super) fn new(query: Query<K>) -> Self {
        Self { query, running: None, ended: false }
    }
}

impl Watch<Document> {
    /// Returns the watch of a resource without a Rust type.
    pub(crate) fn of_resource(client: Client, resource: Gvr) -> Self {
        let endpoint = Endpoint::new(client, resource);
        Self::new(Query::new(endpoint, Resolver::asking(), Arc::new(Documents::default())))
    }
}

impl<K: Lookup + Send + 'static> Stream for Watch<K> {
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { query, running, ended } = &mut *self;
        if *ended {
            return Poll::Ready(None);
        }
        let running = running.get_or_insert_with(|| {
            let labelled = labelled_namespaces(query).map(StreamExt::boxed);
            Box::new(Collections::new(Arc::new(query.measured()), labelled))
        });
        let polled = caught(|| running.poll_next_unpin(cx));
        let is_over = polled.as_ref().map_or(true, |item| matches!(item, Poll::Ready(None)));
        if is_over {
            *ended = true;
            drop(caught(|| self.running = None));
        }
        polled.unwrap_or_else(|error| Poll::Ready(Some(Err(error))))
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
            .field("selectors", &self.query.context().stages.selectors())
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

/// Returns a watch of the namespaces that a query selects by their labels.
fn labelled_namespaces<K>(query: &Query<K>) -> Option<Watch<Document>> {
    let selector = query.namespaces.selector()?;
    let namespaces = Gvr::known("", "v1", "namespaces");
    let mut watch = Watch::of_resource(query.endpoint.client.clone(), namespaces);
    watch.query.resolver = Resolver::of_type::<Namespace>();
    watch.query.labels = Some(selector.clone());
    watch.query.backoff = query.backoff;
    Some(watch.keys_only(&[]))
}
