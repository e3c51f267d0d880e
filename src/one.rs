//! One resource, by its name.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwapOption;
use futures::{Stream, stream::FusedStream};
use kube::{Api, Resource, runtime::reflector::Lookup};
use serde::de::DeserializeOwned;

use crate::{
    adapters::{ChangeItem, Debounce, Debounced, HasStore, Indexed, has_store::sealed},
    error::{Error, ErrorKind, poll_caught},
    filter::FieldFilter,
    index::IndexSet,
    snapshot::Snapshot,
    source::{Watch, watch},
    store::{Store, SyncPolicy},
    text::given,
};

/// Watches the one object of this name, in the namespace that the `Api` covers, or of a kind that
/// has no namespaces.
///
/// What it is now comes first, and then every change, at once. Nothing is requested before the
/// stream is polled. Of a resource that needs no Rust type, and for whatever else a watch can be
/// told, see [`Watch::one`].
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::ApiServer};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = ApiServer::new();
/// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
/// let mut settings = watch_one(api, "settings").log_errors();
/// assert_eq!(settings.next().await, Some(One::Absent));
///
/// server.apply(&json!({
///     "apiVersion": "v1", "kind": "ConfigMap",
///     "metadata": { "namespace": "default", "name": "settings" },
///     "data": { "level": "debug" },
/// }))?;
/// let Some(One::Present(settings)) = settings.next().await else { panic!() };
/// assert_eq!(settings.data.as_ref().unwrap()["level"], "debug");
/// # Ok(()) }
/// ```
#[doc(alias("watch_object", "SingleObject"))]
pub fn watch_one<K>(api: Api<K>, name: impl AsRef<str>) -> WatchOne<K>
where
    K: Resource<DynamicType: Default> + Lookup + DeserializeOwned + Send + Sync + 'static,
{
    watch(api).one(name)
}

impl<K: Lookup + Send + Sync + 'static> Watch<K> {
    /// Watches the one object of this name, as [`watch_one`] does.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # server.apply(&json!({
    /// #     "apiVersion": "v1", "kind": "Namespace",
    /// #     "metadata": { "name": "web", "labels": { "tier": "front" } },
    /// # }))?;
    /// let namespaces = watch_resource(server.client(), "v1/namespaces")?;
    /// let mut namespace = namespaces.one("web").log_errors();
    ///
    /// let Some(One::Present(web)) = namespace.next().await else { panic!() };
    /// assert_eq!(web.get(&FieldPath::parse("metadata.labels.tier")?), ["front"]);
    /// # Ok(()) }
    /// ```
    pub fn one(self, name: impl AsRef<str>) -> WatchOne<K> {
        let changes = self.only(name.as_ref()).index(IndexSet::new()).one_by_one();
        let store = changes.store();
        WatchOne { changes, store, current: CurrentOne::new(), next: None, ended: false }
    }
}

/// Whether the object is there.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::One;
///
/// fn level(settings: &One<ConfigMap>) -> &str {
///     match settings {
///         One::Present(settings) => {
///             settings.data.as_ref().and_then(|data| data.get("level")).map_or("info", |level| level)
///         }
///         One::Absent => "info",
///     }
/// }
/// assert_eq!(level(&One::Absent), "info");
/// assert_eq!(level(&One::Present(Default::default())), "info");
/// ```
#[derive(Debug, PartialEq)]
pub enum One<K> {
    /// It is, in this version.
    Present(Arc<K>),
    /// It is not: not yet, or it was deleted.
    Absent,
}

impl<K> One<K> {
    /// The object, if it is there.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::One;
    ///
    /// let settings: One<ConfigMap> = One::Absent;
    /// assert!(settings.object().is_none());
    /// ```
    pub fn object(&self) -> Option<&Arc<K>> {
        match self {
            Self::Present(object) => Some(object),
            Self::Absent => None,
        }
    }
}

impl<K> Clone for One<K> {
    fn clone(&self) -> Self {
        self.object().map_or(Self::Absent, |object| Self::Present(Arc::clone(object)))
    }
}

/// The stream of [`watch_one`] and [`Watch::one`].
///
/// * [`Present`](One::Present) or [`Absent`](One::Absent) comes first: whichever it is now.
/// * A change of the `resourceVersion` is a change. The `generation` doesn't matter: a `ConfigMap`
///   or `Secret` has none.
/// * A deletion is `Absent`. An object that was deleted and created anew while nobody could see it
///   (its uid differs) is `Absent` and then `Present`, never an update.
/// * An object that is there and can't be decoded is not `Absent`: the error is an item, and its
///   last good version stays.
/// * Failures are items, after which it goes on by itself, as [`Watch`] does.
///
/// A name that no object can have, such as `default/settings`, gives one [`is_setting`](Error::is_setting) item, and
/// nothing else: the namespace is that of the `Api`.
///
/// The API server selects the object, so no other is ever received, and a role that is limited to
/// this name (`resourceNames`) will do: it needs `list` and `watch`. If there is more than one
/// object of the name because several namespaces are watched, each change is an
/// [`is_ambiguous`](Error::is_ambiguous) item.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::ApiServer};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let settings = |level: &str| json!({
/// #     "apiVersion": "v1", "kind": "ConfigMap",
/// #     "metadata": { "name": "settings" }, "data": { "level": level },
/// # });
/// let server = ApiServer::new();
/// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
/// server.apply(&settings("info"))?;
/// let mut one = watch_one(api, "settings").log_errors();
/// assert!(matches!(one.next().await, Some(One::Present(_))));
///
/// // Deleted and created anew, before anybody looks.
/// server.delete("configmaps", "default", "settings")?;
/// server.apply(&settings("info"))?;
/// assert_eq!(one.next().await, Some(One::Absent));
/// assert!(matches!(one.next().await, Some(One::Present(_))));
/// # Ok(()) }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct WatchOne<K, S = Indexed<Watch<K>, K>> {
    changes: S,
    store: Store<K>,
    /// What was delivered last.
    current: CurrentOne<K>,
    /// What takes the place of an object whose deletion must be told before it.
    next: Option<Arc<K>>,
    ended: bool,
}

impl<K: Lookup + Send + Sync + 'static> WatchOne<K> {
    /// Drops these fields of the object while it is decoded, as [`Watch::filter_fields`] does. A
    /// change of such a field alone is still a change.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if one is no path, or of a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = |level: &str| json!({
    /// #     "apiVersion": "v1", "kind": "ConfigMap",
    /// #     "metadata": { "name": "settings" }, "data": { "level": level },
    /// # });
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
    /// server.apply(&settings("info"))?;
    /// let mut one = watch_one(api, "settings").filter_fields("data")?.log_errors();
    /// let Some(One::Present(settings)) = one.next().await else { panic!() };
    /// assert_eq!(settings.data, None);
    /// # Ok(()) }
    /// ```
    pub fn filter_fields(
        self,
        filter: impl TryInto<FieldFilter, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let filter = given(filter)?;
        Ok(Self { changes: self.changes.without(filter), ..self })
    }

    /// When [`Store::synced`] gives up; see [`SyncPolicy`] for the defaults, and an example.
    pub fn sync_policy(self, policy: SyncPolicy) -> Self {
        Self { changes: self.changes.sync_policy(policy), ..self }
    }

    /// Merges changes that come in quick succession. What is there first comes at once.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = |level: &str| json!({
    /// #     "apiVersion": "v1", "kind": "ConfigMap",
    /// #     "metadata": { "name": "settings" }, "data": { "level": level },
    /// # });
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
    /// let mut one = watch_one(api, "settings").debounce(Duration::from_secs(1)).log_errors();
    /// assert_eq!(one.next().await, Some(One::Absent));
    /// server.apply(&settings("info"))?;
    /// assert!(matches!(one.next().await, Some(One::Present(_)))); // at once
    ///
    /// server.apply(&settings("debug"))?;
    /// server.apply(&settings("trace"))?;
    /// let Some(One::Present(settings)) = one.next().await else { panic!() };
    /// assert_eq!(settings.data.as_ref().unwrap()["level"], "trace");
    /// # Ok(()) }
    /// ```
    pub fn debounce(
        self,
        debounce: impl Into<Debounce>,
    ) -> WatchOne<K, Debounced<Indexed<Watch<K>, K>, K>> {
        let Self { changes, store, current, next, ended } = self;
        WatchOne { changes: Debounced::new(changes, debounce.into()), store, current, next, ended }
    }
}

impl<K, S> WatchOne<K, S> {
    /// A handle that tells any task what the stream delivered last.
    /// See [`CurrentOne`] for an example.
    pub fn current(&self) -> CurrentOne<K> {
        self.current.clone()
    }

    /// The store behind the stream, for all that a [`Store`] can do: to wait with the cause of a
    /// failure, to wait for a version, to ask how it is.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Write, prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = |level: &str| json!({
    /// #     "apiVersion": "v1", "kind": "ConfigMap",
    /// #     "metadata": { "name": "settings" }, "data": { "level": level },
    /// # });
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
    /// let mut one = watch_one(api, "settings");
    /// let store = one.store();
    /// one.next().await;
    /// assert_eq!(store.synced().await?.len(), 0); // the number of objects: there is none
    ///
    /// let written = server.apply(&settings("info"))?;
    /// let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    /// one.spawn();
    /// store.wait_for(Write::of(("default", "settings"), version)).await?;
    /// # Ok(()) }
    /// ```
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }
}

impl<K, S> sealed::Sealed for WatchOne<K, S> {}

impl<K, S> HasStore for WatchOne<K, S> {
    type Store = Store<K>;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

impl<K: Lookup, S> WatchOne<K, S> {
    /// What is to be told about a state, if it is news.
    fn news(&mut self, state: &Snapshot<K>) -> Option<Result<One<K>, Error>> {
        if state.len() > 1 {
            let message = "more than one object of the name, in several namespaces";
            return Some(Err(Error::new(ErrorKind::Ambiguous, message)));
        }
        let one = match (state.iter().next(), self.current.get()) {
            (None, None) if self.store.has_stale() => return None,
            (None, Some(One::Absent)) => return None,
            (None, _) => One::Absent,
            (Some(new), Some(One::Present(old))) if Arc::ptr_eq(new, &old) => return None,
            (Some(new), Some(One::Present(old))) if new.uid() != old.uid() => {
                self.next = Some(Arc::clone(new));
                One::Absent
            }
            (Some(new), _) => One::Present(Arc::clone(new)),
        };
        Some(Ok(self.tell(one)))
    }

    fn tell(&self, one: One<K>) -> One<K> {
        self.current.0.store(Some(Arc::new(one.clone())));
        one
    }
}

impl<K, S> WatchOne<K, S>
where
    S: Stream<Item: ChangeItem<Object = K>> + Unpin,
    K: Lookup,
{
    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<One<K>, Error>>> {
        if let Some(object) = self.next.take() {
            return Poll::Ready(Some(Ok(self.tell(One::Present(object)))));
        }
        while !self.ended {
            let item = Pin::new(&mut self.changes).poll_next(cx);
            let state = match item.map(|item| item.map(ChangeItem::into_change)) {
                Poll::Ready(Some(Ok(change))) => change.snapshot().clone(),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    self.ended = true;
                    break;
                }
                // An object that never could be decoded is gone: for the store that is no change.
                Poll::Pending if self.store.is_synced() && self.current.get().is_none() => {
                    let state = self.store.snapshot();
                    return match self.news(&state) {
                        Some(Ok(one)) => Poll::Ready(Some(Ok(one))),
                        _ => Poll::Pending,
                    };
                }
                Poll::Pending => return Poll::Pending,
            };
            if let Some(one) = self.news(&state) {
                return Poll::Ready(Some(one));
            }
        }
        Poll::Ready(None)
    }
}

impl<K, S> Stream for WatchOne<K, S>
where
    S: Stream<Item: ChangeItem<Object = K>> + Unpin,
    K: Lookup,
{
    type Item = Result<One<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = |mut stream: Pin<&mut Self>| stream.poll_news(cx);
        poll_caught(self, poll, |mut stream, _| {
            stream.ended = true;
            stream.next = None;
        })
    }
}

impl<K, S> FusedStream for WatchOne<K, S>
where
    S: Stream<Item: ChangeItem<Object = K>> + Unpin,
    K: Lookup,
{
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<K, S: Unpin> Unpin for WatchOne<K, S> {}

impl<K, S> fmt::Debug for WatchOne<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchOne").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What a [`WatchOne`] delivered last, for any task: read without a lock, cheap to clone.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::ApiServer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # let server = ApiServer::new();
/// let api = Api::<ConfigMap>::namespaced(server.client(), "default");
/// let mut settings = watch_one(api, "settings").log_errors();
/// let current = settings.get_ref().current();
/// assert_eq!(current.get(), None);
///
/// settings.next().await;
/// assert_eq!(current.get(), Some(One::Absent));
/// # }
/// ```
pub struct CurrentOne<K>(Arc<ArcSwapOption<One<K>>>);

impl<K> CurrentOne<K> {
    fn new() -> Self {
        Self(Arc::new(ArcSwapOption::empty()))
    }

    /// Whether the object is there, and which version of it; `None` before that is known.
    /// See the
    /// [example](CurrentOne).
    pub fn get(&self) -> Option<One<K>> {
        self.0.load().as_deref().cloned()
    }
}

impl<K> Clone for CurrentOne<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for CurrentOne<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.get();
        let is_present = current.as_ref().map(|one| one.object().is_some());
        f.debug_struct("CurrentOne").field("is_present", &is_present).finish()
    }
}
