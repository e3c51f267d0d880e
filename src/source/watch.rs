//! A watch: its settings, and the stream.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt, stream::FusedStream};
use kube::{Client, runtime::reflector::Lookup};

use super::{
    Backoff, Gvr, Namespaces,
    collections::Collections,
    own_namespace,
    query::{Query, Stored},
    read::Decode,
    request::Endpoint,
    resolve::Resolver,
};
use crate::{
    document::Document,
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
/// Made by [`watch`](crate::watch) and [`watch_resource`](crate::watch_resource). The setters say what
/// to watch; polling begins it, and what is set later is ignored.
///
/// # Failures
///
/// A failure is an item that names the request, and the namespace if it is about one. After any of
/// them the watch goes on by itself, each namespace for itself:
///
/// | failure | what follows |
/// |---|---|
/// | a connection that breaks or ends after the watch held for a second or delivered something | it is resumed at once, without an item |
/// | no connection, no answer, 429, 503 | the same request, after a [delay](Backoff) that grows; a list after 5 minutes without anything else |
/// | 410 | a list, after a delay that grows |
/// | any other answer, three times in a row at one version | a list; the delay between such lists grows up to 5 minutes |
/// | a `resourceVersion` that went back, as after etcd was restored from a backup | a list that replaces all that was seen |
///
/// The delay is not shorter than the server's `Retry-After`, which counts up to 5 minutes. It is reset
/// by progress only. The stream never ends, but for a [namespace](Watch::namespaces) or a resource
/// that can't be.
///
/// An answer that doesn't begin in time is a failure: of a list, and of each of its objects, after the
/// [patience](Watch::list_patience) for lists; of a watch, after its [timeout](Watch::watch_timeout)
/// and 5 seconds. So is a watch that is silent, or sends anything but events, for as long.
///
/// kube's client, as `Client::try_default` makes it, repeats requests that are answered 429, 503 and
/// 504 by itself. Those of a watch it sends once, so the answers are items here.
///
/// If the code that decodes an object panics, the last item is an [error](Error::is_panic) that says so.
///
/// # Restored backups
///
/// A version that goes back shows a lost history. After an outage of 3 seconds, and when a watch stays
/// silent to its end where bookmarks came before, the object that was written or deleted last is asked
/// for (a list with `limit=1`): its version and that of the list show whether the history is another
/// one. A watch that is [indexed](Watch::index) directly goes on to the next newest object if that one
/// was written since. Nothing shows it if all of these are in the same state in both histories, and the
/// server is past the last bookmark when the watch comes back; `etcdutl snapshot restore
/// --bump-revision --mark-compacted` avoids that. Nor does anything show it if a proxy hides the whole
/// outage.
///
/// Most go on with [`index`](Watch::index). As it is, it is what any stage takes:
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{WatchEvent, prelude::*, testing::{ApiServer, Fault, Verb}};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let server = ApiServer::new();
/// server.fault(Verb::List, 1, Fault::status(503));
///
/// let mut events = watch(Api::<ConfigMap>::all(server.client()));
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Scope(_)))));
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Restarted { .. }))));
/// assert!(events.next().await.is_some_and(|item| item.is_err()), "an item, not the end");
/// assert!(matches!(events.next().await, Some(Ok(WatchEvent::ListComplete { .. }))));
/// # Ok(()) }
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

    /// Only objects with these labels, selected by the API server: text, a [`LabelSelector`], or one of
    /// kube's or of an object. May be given several times: all must match. The requirements are in the
    /// table of [`LabelSelector::parse`].
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
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).labels("app in (web, api)")?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].contains("labelSelector=app+in+%28web%2C+api%29"));
    ///
    /// let error = watch(Api::<Pod>::all(server.client())).labels("app in web").unwrap_err();
    /// assert!(error.is_selector());
    /// # Ok(()) }
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

    /// Only objects with these fields (text or a [`FieldSelector`]), selected by the API server, which
    /// knows few fields of each kind; for any other use [`matching`](Watch::matching). May be given several times: all must
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
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).fields("spec.nodeName=node-1")?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].contains("fieldSelector=spec.nodeName%3Dnode-1"));
    /// # Ok(()) }
    /// ```
    pub fn fields(
        self,
        selector: impl TryInto<FieldSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Ok(self.selecting(&given(selector)?))
    }

    /// Only objects that match, selected here by text or a [`FieldSelector`]. One that begins to match
    /// is created for those downstream, one that ceases to is deleted. May be given several times: all
    /// must match. A condition of another kind is a closure, by [`matching_with`](Watch::matching_with).
    ///
    /// The object is looked at as it was received, so a field may be selected on and dropped. The
    /// API server sends all objects nevertheless: where it can select, by [`labels`](Watch::labels)
    /// or [`fields`](Watch::fields), that is cheaper.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the text is no selector.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::watch_resource;
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
    /// let ours = watch_resource(server.client(), "networking.k8s.io/v1/ingresses")?
    ///     .matching("spec.ingressClassName=haproxy")?
    ///     .filter_fields("spec.ingressClassName")?;
    /// let snapshot = ours.index(()).first_synced().await?;
    /// assert!(snapshot.get(("default", "a")).is_some());
    /// assert!(snapshot.get(("default", "b")).is_none(), "of another class");
    /// # Ok(()) }
    /// ```
    #[doc(alias("predicate", "predicate_filter", "WithEventFilter"))]
    pub fn matching(
        mut self,
        selector: impl TryInto<FieldSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        self.query.matching.push(given(selector)?);
        Ok(self)
    }

    /// Only objects that a closure selects, as [`matching`](Watch::matching) does. The name says in
    /// [`Scope::selectors`](crate::Scope::selectors), and wherever that is shown, what it selects.
    ///
    /// The closure sees the object as it is stored, without the fields that
    /// [`filter_fields`](Watch::filter_fields) drops. For the same object it must always say the same:
    /// an object that is listed again unchanged isn't asked about. If it panics, so does the
    /// [stream](Watch#failures).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::watch;
    /// # use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # for (name, restarts) in [("a", 0), ("b", 7)] {
    /// #     server.apply(&json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
    /// #         "status": { "containerStatuses": [{ "name": "main", "image": "x", "imageID": "x",
    /// #             "ready": true, "restartCount": restarts }] } }))?;
    /// # }
    /// let restarting = watch(Api::<Pod>::all(server.client())).matching_with("restarting", |pod| {
    ///     let containers = pod.status.iter().flat_map(|own| own.container_statuses.iter().flatten());
    ///     containers.map(|own| own.restart_count).sum::<i32>() > 5
    /// });
    /// let snapshot = restarting.index(()).first_synced().await?;
    /// assert!(snapshot.get(("default", "a")).is_none());
    /// assert!(snapshot.get(("default", "b")).is_some());
    /// # Ok(()) }
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
    /// several in an array or with commas between them, or a [`FieldFilter`]. May be given several
    /// times. The API server sends them nevertheless.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if one is no path, or of a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::watch;
    /// # use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # server.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap",
    /// #     "metadata": { "name": "a" }, "data": { "level": "debug", "dump": "..." } }))?;
    /// let configs = watch(Api::<ConfigMap>::all(server.client()))
    ///     .filter_fields(["data.dump", "metadata.managedFields"])?;
    /// let snapshot = configs.index(()).first_synced().await?;
    /// let data = snapshot.get(("default", "a")).and_then(|own| own.data.as_ref()).unwrap();
    /// assert!(data.contains_key("level") && !data.contains_key("dump"));
    /// # Ok(()) }
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
        self.query.filter = self.query.filter.and(filter);
        self
    }

    /// Watches one namespace, instead of those of the `Api`: [`namespaces`](Watch::namespaces) with
    /// one name.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).namespace("web");
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/web/pods?"));
    /// # Ok(()) }
    /// ```
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.namespaces([namespace])
    }

    /// Watches several namespaces as one stream. Replaces the namespaces of the `Api`, and those given
    /// before. A role in each of them is enough.
    ///
    /// Each namespace has a list, a watch, a resume point and a delay of its own: one that can't be
    /// listed delays none of the others. The stream is synced when all of them are, or by a
    /// [`SyncPolicy`](crate::SyncPolicy) without those that can't be. A [`Namespaces`] can change
    /// while the watch runs.
    ///
    /// An empty list is no namespace, and never all of them: there is nothing to see. A name that
    /// no namespace can have gives an [`is_namespace`](Error::is_namespace) item, and nothing else.
    ///
    /// ```
    /// use kube_weir::watch_resource;
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
    /// let pods = watch_resource(server.client(), "v1/pods")?.namespaces(["a", "b"]);
    /// let snapshot = pods.index(()).first_synced().await?;
    /// assert_eq!(snapshot.len(), 2);
    /// assert!(snapshot.in_namespace("c").next().is_none());
    /// # Ok(()) }
    /// ```
    pub fn namespaces(mut self, namespaces: impl Into<Namespaces>) -> Self {
        self.query.namespaces = namespaces.into();
        self
    }

    /// Watches the namespaces that have these labels, as they come and go. That needs `list` and
    /// `watch` on `namespaces` too.
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    /// # Ok(()) }
    /// ```
    pub fn namespaces_labelled(
        mut self,
        selector: impl TryInto<LabelSelector, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        self.query.namespaces = Namespaces::labelled(given(selector)?);
        Ok(self)
    }

    /// Watches the namespace that this program runs in: that of the pod's [service
    /// account](https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/), or of the
    /// kubeconfig's context.
    ///
    /// It is the namespace of `client.default_namespace()` wherever that is known. kube's client says
    /// `default` as well where a context or a pod names none; here that is an error, so that a program
    /// without a namespace doesn't watch another one's.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if it is unknown. It never means all namespaces.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let client = server.client_in("team-a");
    /// let pods = watch(Api::<Pod>::all(client)).own_namespace()?;
    /// pods.index(()).first_synced().await?;
    /// assert!(server.requests()[0].starts_with("GET /api/v1/namespaces/team-a/pods?"));
    /// # Ok(()) }
    /// ```
    pub fn own_namespace(self) -> Result<Self, Error> {
        let own = own_namespace(self.query.endpoint.client.default_namespace())?;
        Ok(self.namespace(own))
    }

    /// How many objects the server puts into one
    /// [page](https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks)
    /// of a list, at least one. Default: 500, as in client-go. A page is decoded while it arrives
    /// and never held as a whole, so smaller ones save the server memory, and cost requests.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).page_size(50);
    /// pods.index(()).first_synced().await?;
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
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).streaming_list(true);
    /// pods.index(()).first_synced().await?;
    /// assert_eq!(server.requests().len(), 1);
    /// assert!(server.requests()[0].contains("sendInitialEvents=true"));
    /// # Ok(()) }
    /// ```
    pub fn streaming_list(mut self, streaming: bool) -> Self {
        self.query.streaming_list = streaming;
        self
    }

    /// Sets how long a watch lasts at least before the server ends it, and it is resumed. Each is
    /// asked to last between once and twice as long, as client-go does, so that a fleet doesn't
    /// reconnect at once. Default: 150 seconds; whole seconds, from one to a day.
    ///
    /// A connection that broke without a word is noticed 5 seconds after the watch should have ended,
    /// or after [`max_silence`](Watch::max_silence).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let pods = watch(Api::<Pod>::all(server.client())).watch_timeout(Duration::from_secs(60));
    /// let mut changes = pods.index(());
    /// changes.first_synced().await?;
    /// let _ = tokio::time::timeout(Duration::from_secs(1), changes.next()).await;
    /// let requests = server.requests();
    /// let (_, asked) = requests[1].split_once("timeoutSeconds=").unwrap();
    /// let asked: u64 = asked.split('&').next().unwrap().parse()?;
    /// assert!((60..=120).contains(&asked));
    /// # Ok(()) }
    /// ```
    pub fn watch_timeout(mut self, timeout: Duration) -> Self {
        self.query.watch_timeout = Duration::from_secs(timeout.as_secs().clamp(1, DAY));
        self
    }

    /// Takes a connection for dead on which there was neither an event nor a bookmark for so long.
    /// Default: none, so that only the end of the watch counts.
    ///
    /// The API server sends a
    /// [bookmark](https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks) about
    /// each minute, which serves as a heartbeat: 90 seconds are a good choice. It counts only once a
    /// bookmark has come, since not every server sends them.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    /// # Ok(()) }
    /// ```
    pub fn max_silence(mut self, silence: Duration) -> Self {
        self.query.max_silence = Some(silence);
        self
    }

    /// Sets how long a list may take to begin, and then for each object. Default: 60 seconds.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::Stall { after_events: 0 });
    /// let pods = watch(Api::<Pod>::all(server.client())).list_patience(Duration::from_secs(5));
    /// let mut changes = pods.index(());
    /// let begun = tokio::time::Instant::now();
    /// assert!(changes.next().await.unwrap().unwrap_err().is_timeout());
    /// assert_eq!(begun.elapsed().as_secs(), 5);
    /// # Ok(()) }
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).poll(Duration::from_secs(30));
    /// let mut changes = configs.index(()).log_errors();
    /// assert!(changes.first_synced().await?.is_empty());
    ///
    /// server.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } }))?;
    /// assert_eq!(changes.next().await.unwrap().batch().unwrap().stats().created, 1);
    /// assert!(server.requests().iter().all(|request| !request.contains("watch=true")));
    /// # Ok(()) }
    /// ```
    pub fn poll(mut self, interval: Duration) -> Self {
        self.query.poll = Some(interval.max(Duration::from_secs(1)));
        self
    }

    /// Lets the watch look up which objects the store that it feeds has.
    pub(crate) fn feed(&mut self, store: Arc<dyn Stored>) {
        self.query.stored = Some(store);
    }

    /// Returns the identity of the pipeline, before anything was asked.
    pub(crate) fn context(&self) -> Arc<Context<K>> {
        Arc::new(self.query.context())
    }

    /// Returns the watch of the objects of this name only, selected by the API server.
    pub(crate) fn only(self, name: &str) -> Self {
        let mut only = self.selecting(&FieldSelector::of_name(name));
        only.query.name = Some(name.into());
        only
    }

    /// Returns the watch of the same objects, of each of which it keeps only what tells which one it is,
    /// in which version, and what these paths look at. Where they lie in the metadata, no more is asked
    /// for.
    pub(crate) fn keys_only(self, paths: &[FieldPath]) -> Watch<Document> {
        let metadata = FieldPath::of_names(&["metadata"]);
        let selected = self.query.matching.iter().flat_map(FieldSelector::paths);
        let is_in_metadata = paths.iter().chain(selected).all(|path| path.is_within(&metadata));
        let metadata_only = self.query.endpoint.metadata_only || is_in_metadata;
        let decode = if metadata_only { Decode::KEYS } else { Decode::DOCUMENT };
        let mut query = self.query.decoding(decode);
        query.endpoint.metadata_only = metadata_only;
        query.filter = FieldFilter::keeping(paths, !metadata_only);
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
    /// Returns the watch of a resource that needs no Rust type.
    pub(crate) fn of_resource(client: Client, resource: Gvr) -> Self {
        let endpoint = Endpoint::new(client, resource);
        Self::new(Query::new(endpoint, Resolver::asking(), Decode::DOCUMENT))
    }
}

impl<K: Lookup + Send + 'static> Stream for Watch<K> {
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { query, running, ended } = &mut *self;
        if *ended {
            return Poll::Ready(None);
        }
        let running =
            running.get_or_insert_with(|| Box::new(Collections::new(Arc::new(query.measured()))));
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
