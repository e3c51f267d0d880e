//! The error, with a predicate for each kind.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use super::{kind::ErrorKind, path::PathError};
use crate::{
    namespaced_name::NamespacedName,
    printed::{LONGEST_NAME, printed},
};

/// The maximum length of a message in characters.
pub(crate) const LONGEST: usize = 512;

/// An error, at construction or at run time.
///
/// The type is opaque and cheap to clone. Use the `is_*` predicates or match on the
/// [`kind`](Error::kind); the [`reason`](Error::reason) is for logs and metrics, and the cause is the
/// [`source`](std::error::Error::source). No message ever holds the content of an object: an undecodable
/// Secret is named, never quoted.
///
/// An `Err` item in a stream is an observation (the watch is degraded and retrying), never the stream's
/// end. The table shows who has to act:
///
/// | the error is | predicates | retried | who acts |
/// |---|---|---|---|
/// | a mistake in code or configuration, reported before any request to the API server | [`is_path`](Error::is_path), [`is_selector`](Error::is_selector), [`is_resource`](Error::is_resource), [`is_namespace`](Error::is_namespace), [`is_setting`](Error::is_setting), [`is_election`](Error::is_election) | no | you: report it and exit |
/// | a wrong lookup in a store | [`is_index`](Error::is_index), [`is_ambiguous`](Error::is_ambiguous) | no | you |
/// | a [refusal](Error::is_refusal) | [`is_forbidden`](Error::is_forbidden), [`is_unauthorized`](Error::is_unauthorized), [`is_not_installed`](Error::is_not_installed) | by itself, slowly | the operator of the cluster: report it |
/// | an interruption | [`is_connection`](Error::is_connection), [`is_timeout`](Error::is_timeout), [`is_throttled`](Error::is_throttled), [`is_desynced`](Error::is_desynced) | by itself | nobody: log it |
/// | about one object | [`is_undecodable`](Error::is_undecodable), [`is_too_many_keys`](Error::is_too_many_keys), [`is_not_found`](Error::is_not_found) | with its next version | the author of the object or of its Rust type |
/// | an end | [`is_ended`](Error::is_ended), [`is_not_leading`](Error::is_not_leading), [`is_panic`](Error::is_panic) | no | you: stop the work that needs it |
///
/// ```
/// use kube_weir::FieldFilter;
///
/// let error: kube_weir::Error = FieldFilter::new(["metadata."]).unwrap_err().into();
/// assert!(error.is_path());
/// assert_eq!((error.kind(), error.reason()), (kube_weir::ErrorKind::Path, "InvalidPath"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

pub(super) struct Inner {
    pub(super) reason: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    pub(super) status: Option<u16>,
    retry_after: Option<Duration>,
    pub(super) object: Option<(String, String)>,
    /// The namespace whose list or watch failed.
    namespace: Option<Arc<str>>,
    /// True if a store has logged the error.
    is_logged: bool,
    /// True if a watch failed and lists may work: then a complete list doesn't end the failure.
    outlives_lists: bool,
    pub(super) path: Option<PathError>,
    /// The name of the kind of a world that the error is about, and the error without this name.
    of_kind: Option<(Arc<str>, Error)>,
}

impl Error {
    /// Returns whether a path was rejected: it is invalid, or must not be filtered. The path must be
    /// changed; [`path`](Error::path) has the position of the mistake. See the [example](Error).
    pub fn is_path(&self) -> bool {
        self.0.reason == ErrorKind::Path
    }

    /// Returns whether [`Watch::labels`](crate::Watch::labels) or
    /// [`Watch::fields`](crate::Watch::fields) rejected a selector, as in the example there. The
    /// selector must be changed; [`path`](Error::path) has the position of the mistake.
    pub fn is_selector(&self) -> bool {
        self.0.reason == ErrorKind::Selector
    }

    /// Returns whether a resource name was rejected: it is not `group/version/plural`, or has a kind in
    /// place of a plural; the message suggests the right name, as in the example of
    /// [`Gvr::parse`](crate::Gvr::parse). Or a [`World`](crate::World) has no kind of the given name.
    /// The name must be changed.
    pub fn is_resource(&self) -> bool {
        self.0.reason == ErrorKind::Resource
    }

    /// Returns whether a namespace is invalid: the program's own namespace is unknown, a name is not
    /// valid for a namespace, or a namespace was given for a resource that has none. The configuration
    /// of the program must be changed: the watch doesn't retry, and watches nothing instead.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut pods = watch(Api::<Pod>::all(ApiServer::new().client())).namespace("no/namespace");
    /// assert!(pods.next().await.is_some_and(|item| item.is_ok()), "the scope");
    /// let item = pods.next().await.expect("an item");
    /// assert!(item.unwrap_err().is_namespace());
    /// assert!(pods.next().await.is_none());
    /// # Ok(()) });
    /// ```
    pub fn is_namespace(&self) -> bool {
        self.0.reason == ErrorKind::Namespace
    }

    /// Returns whether a setting was rejected, such as the text of a
    /// [`Debounce`](crate::Debounce::parse). The message says which setting, and why.
    pub fn is_setting(&self) -> bool {
        self.0.reason == ErrorKind::Setting
    }

    /// Returns whether the use of an index was wrong: a lookup [by name](crate::Snapshot::by_name) named
    /// no index, or a [key](crate::IndexView::try_get) has more parts than its index, or
    /// [`index_keys`](crate::Watch::index_keys) got an index by a closure, for which it has no objects.
    /// The program has a bug.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::Snapshot;
    ///
    /// let services = Snapshot::<Service>::from_objects((), [])?;
    /// assert!(services.by_name("host").unwrap_err().is_index());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn is_index(&self) -> bool {
        self.0.reason == ErrorKind::Index
    }

    /// Returns whether there is more than one object where one was expected: under the key of
    /// [`IndexView::get_one`](crate::IndexView::get_one), or of the name that
    /// [`watch_one`](crate::watch_one) watches in all namespaces. Take all of the objects, use a longer
    /// key, or choose a namespace.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{Index, Snapshot, testing::fixture::object};
    ///
    /// let namespace = Index::<Service>::path("metadata.namespace")?;
    /// let services = Snapshot::from_objects(&namespace, [object("web", "shop"), object("web", "blog")])?;
    /// assert!(services.by(&namespace).get_one("web").unwrap_err().is_ambiguous());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn is_ambiguous(&self) -> bool {
        self.0.reason == ErrorKind::Ambiguous
    }

    /// Returns whether the API server denied access (403): the
    /// [role](https://kubernetes.io/docs/reference/access-authn-authz/rbac/) lacks a verb, which the
    /// message names. The request is retried, after 3 seconds and then at longer intervals, up to 30;
    /// somebody must grant the right.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{SyncPolicy, prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::status(403));
    /// let secrets = watch(Api::<Secret>::all(server.client()))
    ///     .index(())
    ///     .sync_policy(SyncPolicy::default().fail_fast(true));
    /// let store = secrets.store();
    /// secrets.spawn();
    ///
    /// let error = store.synced().await.unwrap_err();
    /// assert!(error.is_forbidden() && error.is_refusal());
    ///
    /// // Once somebody has granted the right, the store syncs.
    /// while store.synced().await.is_err() {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    /// }
    /// # Ok(()) });
    /// ```
    pub fn is_forbidden(&self) -> bool {
        self.0.reason == ErrorKind::Forbidden
    }

    /// Returns whether the API server rejected the credentials (401): they are missing, wrong or
    /// expired. The request is retried like a [forbidden](Error::is_forbidden) one, with the client's
    /// credentials at that time; somebody must renew them if the client can't.
    pub fn is_unauthorized(&self) -> bool {
        self.0.reason == ErrorKind::Unauthorized
    }

    /// Returns whether the API server doesn't serve the resource (404): its CRD is not installed, or not
    /// in that version. The request is retried like a [forbidden](Error::is_forbidden) one, so the watch
    /// begins once the CRD is installed. If a CRD may be missing, make the kind
    /// [`optional`](crate::adapters::Indexed::optional).
    pub fn is_not_installed(&self) -> bool {
        self.0.reason == ErrorKind::NotInstalled
    }

    /// Returns whether the API server serves the resource, but can't watch it (405, or discovery without
    /// the verb `watch`), as with `metrics.k8s.io`. The request is retried like a
    /// [forbidden](Error::is_forbidden) one. Such a kind can be listed at intervals:
    /// [`Watch::poll`](crate::Watch::poll) has an example.
    pub fn is_not_watchable(&self) -> bool {
        self.0.reason == ErrorKind::NotWatchable
    }

    /// Returns whether the API server has no such object (404) although the watch has not seen a
    /// deletion; from [`Fetching`](crate::Fetching), which first gives the watch 5 seconds to see it.
    /// Try again later. An object that the watch knows to be deleted is `None`, not an error.
    pub fn is_not_found(&self) -> bool {
        self.0.reason == ErrorKind::NotFound
    }

    /// Returns whether something took too long. As an item of a stream, a request got no answer or a
    /// connection was silent; it is retried like any lost [connection](Error::is_connection). From an
    /// awaited method, such as [`Store::synced`](crate::Store::synced), the deadline has passed; the
    /// last failure, if any, is the source. Wait again, or give up; the stream goes on in any case.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::Stall { after_events: 0 });
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let configs = configs.index(());
    /// let store = configs.store();
    /// configs.spawn();
    ///
    /// assert!(store.synced().await.unwrap_err().is_timeout(), "after 30 seconds");
    /// while store.synced().await.is_err() {}
    /// # Ok(()) });
    /// ```
    pub fn is_timeout(&self) -> bool {
        self.0.reason == ErrorKind::Timeout
    }

    /// Returns whether the API server no longer has the resourceVersion from which the watch resumes
    /// (410). The watch [lists
    /// again](https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses) by
    /// itself, and delivers what changed meanwhile; until then, the store keeps its objects. Nobody has
    /// to act. If it happens often, the consumer is slower than the cluster changes.
    ///
    /// If the error is the source of a [timeout](Error::is_timeout) of [`Fetching`](crate::Fetching),
    /// the API server answered with an older version than the watch has seen.
    pub fn is_desynced(&self) -> bool {
        self.0.reason == ErrorKind::Desynced
    }

    /// Returns whether the API server asked to slow down (429). The request is retried by itself, not
    /// before the time in `Retry-After`. If it happens often, the API server is overloaded, or [its flow
    /// control](https://kubernetes.io/docs/concepts/cluster-administration/flow-control/) limits this
    /// client strongly.
    pub fn is_throttled(&self) -> bool {
        self.0.reason == ErrorKind::Throttled
    }

    /// Returns whether an object could not be decoded; all others are unaffected.
    /// [`object`](Error::object) names it. The store keeps the object's last good version until a new
    /// version can be decoded. Somebody must repair the object, or update the Rust type; a
    /// [`Document`](crate::Document) can hold it whatever its schema.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// server.fault(Verb::List, 1, Fault::Garble { name: "settings".into() });
    /// let events = watch(Api::<ConfigMap>::all(server.client())).take(3);
    /// let errors = events.filter_map(async |item| item.err()).collect::<Vec<_>>().await;
    /// assert!(errors[0].is_undecodable());
    /// assert_eq!(errors[0].object(), Some(("web", "settings")));
    /// # Ok(()) });
    /// ```
    pub fn is_undecodable(&self) -> bool {
        self.0.reason == ErrorKind::Undecodable
    }

    /// Returns whether an object has more keys in an index than
    /// [`Index::max_keys`](crate::Index::max_keys) allows, and therefore none in this index;
    /// [`object`](Error::object) names it. It is stored, and in all other indexes. Make the object
    /// smaller, or the limit larger. `max_keys` has an example.
    pub fn is_too_many_keys(&self) -> bool {
        self.0.reason == ErrorKind::TooManyKeys
    }

    /// Returns whether there is no connection to the API server, or the connection broke, or its data is
    /// not an answer of an API server. The request is retried by itself, after a second and then at
    /// longer intervals, up to 30, and a watch resumes at its last position. Nobody has to act, unless
    /// it persists.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 2, Fault::Refused);
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(());
    /// for _ in 0..2 {
    ///     assert!(changes.next().await.unwrap().unwrap_err().is_connection());
    /// }
    /// assert!(changes.first_synced().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub fn is_connection(&self) -> bool {
        self.0.reason == ErrorKind::Connection
    }

    /// Returns whether the stream that feeds a store, or a campaign, ended or was dropped, so that the
    /// awaited event never comes. This is normal in a shutdown; otherwise find out who dropped the
    /// stream. The last failure is the source.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let pipeline = Events::<ConfigMap>::new().index(());
    /// let store = pipeline.store();
    /// drop(pipeline);
    /// assert!(store.synced().await.unwrap_err().is_ended());
    /// # Ok(()) });
    /// ```
    pub fn is_ended(&self) -> bool {
        self.0.reason == ErrorKind::Ended
    }

    /// Returns whether the settings of an [`Election`](crate::Election) are invalid: its durations, the
    /// name of its Lease or its identity. The configuration of the program must be changed; the message
    /// says why, as in the example of [`Election::timing`](crate::Election::timing).
    pub fn is_election(&self) -> bool {
        self.0.reason == ErrorKind::Election
    }

    /// Returns whether the [`Term`](crate::Term) that the work needs is over, or being given back. Leave
    /// the work to the next leader: in this replica's next term,
    /// [`while_leading`](crate::EventStreamExt::while_leading) delivers everything anew. See the example
    /// of [`Term`](crate::Term).
    pub fn is_not_leading(&self) -> bool {
        self.0.reason == ErrorKind::NotLeading
    }

    /// Returns whether code that a stream runs has panicked: your closure, the code that decodes,
    /// compares or drops your types, or a bug in this library. The panic hook has the message. The error
    /// is the last item of a [`Watch`](crate::Watch) or an [`Indexed`](crate::adapters::Indexed), whose
    /// store keeps the previous snapshot, and ends a [spawned](crate::EventStreamExt::spawn) stream.
    /// Usually the program should end, too.
    pub fn is_panic(&self) -> bool {
        self.0.reason == ErrorKind::Panic
    }

    /// Returns whether the API server refuses until somebody changes something: forbidden, unauthorized,
    /// not installed, not watchable, or a request that it finds invalid (400, 422).
    ///
    /// The request is retried nevertheless, from 3 seconds on. So report the error as the reason for not
    /// being ready: [`SyncPolicy::fail_fast`](crate::SyncPolicy::fail_fast) lets it end the wait for a
    /// sync at once, as in the example of [`is_forbidden`](Error::is_forbidden).
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.0.reason,
            ErrorKind::Forbidden
                | ErrorKind::Unauthorized
                | ErrorKind::NotInstalled
                | ErrorKind::NotWatchable
        ) || self.is_rejected()
    }

    /// Returns the (namespace, name) of the object that the error is about, if any: an object that can't
    /// be [decoded](Error::is_undecodable), as in the example there, or [fetched](crate::Fetching). The
    /// namespace of a cluster-scoped object is `""`.
    pub fn object(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.0.object.as_ref()?;
        Some((namespace, name))
    }

    /// Returns the kind of a [`World`](crate::World) that the error is about, by its name there: the
    /// errors of all kinds of a world come in one stream.
    ///
    /// ```
    /// use kube_weir::{Kinds, prelude::*, testing::{Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// server.fault(Verb::List, 1, Fault::status(403));
    /// let secrets = watch_resource(server.client(), "v1/secrets")?;
    /// let secrets = secrets.index(());
    /// let mut changes = world(Kinds::new().add("secrets", secrets));
    /// let error = changes.next().await.unwrap().unwrap_err();
    /// assert!(error.is_forbidden());
    /// assert_eq!(error.of_kind(), Some("secrets"));
    /// # Ok(()) });
    /// ```
    pub fn of_kind(&self) -> Option<&str> {
        self.0.of_kind.as_ref().map(|(name, _)| &**name)
    }

    /// Returns the namespace whose list or watch failed. `None` if the list or watch was of the whole
    /// cluster, or if the error is about something else.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, On, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(On::verb(Verb::List).namespace("b"), 1, Fault::status(403));
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).namespaces(["a", "b"]);
    /// let mut changes = configs.index(());
    /// let error = changes.next().await.unwrap().unwrap_err();
    /// assert_eq!(error.namespace(), Some("b"));
    /// # Ok(()) });
    /// ```
    pub fn namespace(&self) -> Option<&str> {
        self.0.namespace.as_deref()
    }

    /// Returns the HTTP status of the API server's answer, if it is one of a failure, such as 503.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::too_many_requests(Duration::from_secs(7)));
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(());
    ///
    /// let error = changes.next().await.unwrap().unwrap_err();
    /// assert_eq!((error.status(), error.retry_after()), (Some(429), Some(Duration::from_secs(7))));
    /// # Ok(()) });
    /// ```
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the wait that the API server asked for (`Retry-After`), if it did. Retries respect it.
    /// See the example of [`status`](Error::status).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the mistake in a path or selector and its position, with [`is_path`](Error::is_path) or
    /// [`is_selector`](Error::is_selector). `None` if a path is missing.
    ///
    /// ```
    /// let error: kube_weir::Error = kube_weir::FieldPath::parse("spec..").unwrap_err().into();
    /// assert_eq!(error.path().unwrap().caret(), "spec..\n      ^");
    /// ```
    pub fn path(&self) -> Option<&PathError> {
        self.0.path.as_ref()
    }

    /// Returns the kind of the error, to `match` on. The predicates correspond to it.
    ///
    /// ```
    /// use kube_weir::{Error, ErrorKind};
    ///
    /// fn exit_code(error: &Error) -> u8 {
    ///     match error.kind() {
    ///         ErrorKind::Path | ErrorKind::Selector | ErrorKind::Resource => 2, // the configuration
    ///         ErrorKind::Forbidden | ErrorKind::Unauthorized => 3,              // the rights
    ///         _ => 1,
    ///     }
    /// }
    ///
    /// assert_eq!(exit_code(&kube_weir::FieldPath::parse("spec.").unwrap_err().into()), 2);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.reason
    }

    /// Returns one word for logs, metrics and scripts, such as `"Forbidden"`: the
    /// [`kind`](Error::kind), as [`ErrorKind::as_str`] writes it.
    ///
    /// ```
    /// use kube_weir::Gvr;
    ///
    /// assert_eq!(Gvr::parse("pods").unwrap_err().reason(), "InvalidResource");
    /// ```
    pub fn reason(&self) -> &'static str {
        self.0.reason.as_str()
    }

    pub(crate) fn new(reason: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.chars().nth(LONGEST).is_some() {
            message = printed(&message, LONGEST);
        }
        Self(Arc::new(Inner {
            reason,
            message,
            source: None,
            status: None,
            retry_after: None,
            object: None,
            namespace: None,
            is_logged: false,
            outlives_lists: false,
            path: None,
            of_kind: None,
        }))
    }

    pub(crate) fn with_source(
        reason: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(reason, message).modify(|inner| inner.source = Some(source.into()))
    }

    /// Makes an error for the same reason as `cause`, which becomes its source.
    pub(crate) fn caused_by(cause: Self, message: impl Into<String>) -> Self {
        Self::with_source(cause.0.reason, message, cause)
    }

    /// Returns the error with the name of a world's kind.
    pub(crate) fn in_kind(self, name: &Arc<str>) -> Self {
        let message = format!("{}: {self}", printed(name, LONGEST_NAME));
        Self::new(self.0.reason, message).modify(|inner| {
            inner.status = self.0.status;
            inner.retry_after = self.0.retry_after;
            inner.object.clone_from(&self.0.object);
            inner.namespace.clone_from(&self.0.namespace);
            inner.is_logged = self.0.is_logged;
            inner.outlives_lists = self.0.outlives_lists;
            inner.path.clone_from(&self.0.path);
            inner.of_kind = Some((Arc::clone(name), self));
        })
    }

    /// Makes an error about one of several objects. The reason defaults to that of the cause.
    pub(crate) fn of_object(
        reason: impl Into<Option<ErrorKind>>,
        (namespace, name): (&str, &str),
        what: &str,
        cause: Option<Self>,
    ) -> Self {
        let of_cause = cause.as_ref().map(|cause| cause.0.reason);
        let reason = reason.into().or(of_cause).unwrap_or(ErrorKind::Other);
        let object = NamespacedName(namespace, name);
        let status = cause.as_ref().and_then(|cause| cause.0.status);
        Self::new(reason, format!("object {object} {what}")).modify(|inner| {
            inner.object = Some((namespace.to_owned(), name.to_owned()));
            inner.source = cause.map(Into::into);
            inner.status = status;
        })
    }

    pub(crate) fn with_retry_after(self, after: Option<Duration>) -> Self {
        self.modify(|inner| inner.retry_after = after)
    }

    /// Returns the error for a 404 that is about an object, not a resource.
    pub(crate) fn of_missing_object(self) -> Self {
        self.modify(|inner| inner.reason = ErrorKind::NotFound)
    }

    /// Returns the error for a request that watches, if `watches`: then 405 means that the resource
    /// can't be watched.
    pub(crate) fn of_verb(self, watches: bool) -> Self {
        match self.0.status {
            Some(405) if watches => self.modify(|inner| inner.reason = ErrorKind::NotWatchable),
            _ => self,
        }
    }

    /// Returns the error with the namespace of the list or watch.
    pub(crate) fn in_namespace(self, namespace: Option<&str>) -> Self {
        self.modify(|inner| inner.namespace = namespace.map(Into::into))
    }

    /// Returns the error, marked as logged.
    pub(crate) fn logged(self) -> Self {
        self.modify(|inner| inner.is_logged = true)
    }

    /// Returns the error of a watch, marked as lasting until a watch works.
    pub(crate) fn outliving_lists(self) -> Self {
        self.modify(|inner| inner.outlives_lists = true)
    }

    pub(crate) fn outlives_lists(&self) -> bool {
        self.0.outlives_lists
    }

    pub(crate) fn is_logged(&self) -> bool {
        self.0.is_logged
    }

    /// Returns whether the connection failed, or no answer came: this says nothing about the request.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self.0.reason, ErrorKind::Connection | ErrorKind::Timeout)
            && self.0.status.is_none()
    }

    /// Returns whether the API server found the request itself invalid, for instance because of unknown
    /// options.
    pub(crate) fn is_rejected(&self) -> bool {
        matches!(self.0.status, Some(400 | 422))
    }

    /// Changes an error that was just made, and so isn't shared yet.
    pub(super) fn modify(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("reason", &self.0.reason).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.of_kind {
            // The message of this error includes that of the inner one.
            Some((_, error)) => error.source(),
            None => self.0.source.as_deref().map(|source| source as _),
        }
    }
}

/// Allows a method that parses its argument to take the parsed type, too.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W7
    #[test]
    fn an_undecodable_object_is_named_and_never_quoted() {
        let cause = serde_json::from_str::<u32>("\"hunter2\"").unwrap_err();
        assert!(cause.to_string().contains("hunter2"), "the leak this guards against");

        let error = Error::undecodable("default", "db", &cause);
        assert_eq!(
            error.to_string(),
            "object default/db can't be decoded: a field has an unexpected type or value at line 1 column 9"
        );
        assert_eq!(error.object(), Some(("default", "db")));

        let from_kube = Error::from(kube::Error::SerdeError(cause));
        assert!(!format!("{from_kube:?} {from_kube}").contains("hunter2"));
        assert!(from_kube.is_undecodable());
    }

    /// SEMANTICS: B4
    #[test]
    fn no_error_is_longer_than_512_characters() {
        let status = Error::from_status("list v1/pods", 500, "InternalError", &"ю".repeat(10_000));
        let name: Arc<str> = "a\n".repeat(1000).into();
        let errors = [
            status.clone(),
            status.clone().in_kind(&"pods".into()),
            status.clone().in_kind(&name),
            Error::new(ErrorKind::Resource, "x".repeat(10_000)),
            Error::caused_by(status, "x\n".repeat(10_000)),
        ];
        for error in errors {
            let text = error.to_string();
            assert_eq!(text.chars().count(), LONGEST, "{text}");
            assert!(!text.contains(char::is_control), "{text}");
        }
    }
}
