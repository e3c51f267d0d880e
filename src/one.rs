//! A watch of one object by its name.

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

/// Watches the object of this name, in the namespace that the `Api` covers, or of a cluster-scoped kind.
///
/// The current state comes first, then every change, at once. Nothing is requested before the stream is
/// polled. For a resource without a Rust type, and for the other settings of a watch, see [`Watch::one`].
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::{ApiServer, fixture::settings}};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
/// let mut one = watch_one(api, "settings").log_errors();
/// assert_eq!(one.next().await, Some(One::Absent));
///
/// server.apply(&settings("debug"))?;
/// let Some(One::Present(now)) = one.next().await else { panic!() };
/// assert_eq!(now.data.as_ref().unwrap()["level"], "debug");
/// # Ok(()) });
/// ```
#[doc(alias("watch_object", "SingleObject"))]
pub fn watch_one<K>(api: Api<K>, name: impl AsRef<str>) -> WatchOne<K>
where
    K: Resource<DynamicType: Default> + Lookup + DeserializeOwned + Send + Sync + 'static,
{
    watch(api).one(name)
}

impl<K: Lookup + Send + Sync + 'static> Watch<K> {
    /// Watches the object of this name, as [`watch_one`] does.
    ///
    /// ```
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let namespaces = watch_resource(client, "v1/namespaces")?;
    /// let mut namespace = namespaces.one("web").log_errors();
    ///
    /// let Some(One::Present(web)) = namespace.next().await else { panic!() };
    /// assert_eq!(web.get(&FieldPath::parse("metadata.labels.team")?), ["shop"]);
    /// # Ok(()) });
    /// ```
    pub fn one(self, name: impl AsRef<str>) -> WatchOne<K> {
        let changes = self.only(name.as_ref()).index(IndexSet::new()).one_by_one();
        let store = changes.store();
        WatchOne { changes, store, current: CurrentOne::new(), next: None, ended: false }
    }
}

/// The state of the object: present or absent.
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
    /// The object exists, in this version.
    Present(Arc<K>),
    /// The object doesn't exist: not yet, or it was deleted.
    Absent,
}

impl<K> One<K> {
    /// Returns the object, if it exists.
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

/// A stream of the states of one object; from [`watch_one`] and [`Watch::one`].
///
/// * [`Present`](One::Present) or [`Absent`](One::Absent) comes first: the current state.
/// * A change of the `resourceVersion` is a change. The `generation` doesn't matter: a `ConfigMap`
///   or `Secret` has none.
/// * A deletion is `Absent`. An object that was deleted and created anew unseen (its uid differs) is
///   `Absent` and then `Present`, never an update.
/// * An existing object that can't be decoded is not `Absent`: the error is an item, and the object's last
///   good version stays.
/// * Failures are items; the stream goes on by itself after them, as [`Watch`] does.
///
/// A name that no object can have, such as `default/settings`, gives one [`is_setting`](Error::is_setting) item, and
/// nothing else: the namespace is that of the `Api`.
///
/// The API server selects the object, so no other object is ever received, and a role that is limited to
/// this name (`resourceNames`) suffices: it needs `list` and `watch`. If several namespaces are watched and
/// more than one has an object of this name, each change is an [`is_ambiguous`](Error::is_ambiguous) item.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::{ApiServer, fixture::settings}};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
/// server.apply(&settings("info"))?;
/// let mut one = watch_one(api, "settings").log_errors();
/// assert!(matches!(one.next().await, Some(One::Present(_))));
///
/// // Deleted and created anew before the stream is polled.
/// server.delete("configmaps", "web", "settings")?;
/// server.apply(&settings("info"))?;
/// assert_eq!(one.next().await, Some(One::Absent));
/// assert!(matches!(one.next().await, Some(One::Present(_))));
/// # Ok(()) });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct WatchOne<K, S = Indexed<Watch<K>, K>> {
    changes: S,
    store: Store<K>,
    /// The state yielded last.
    current: CurrentOne<K>,
    /// The new object to yield after the deletion of the old one.
    next: Option<Arc<K>>,
    ended: bool,
}

impl<K: Lookup + Send + Sync + 'static> WatchOne<K> {
    /// Drops these fields of the object while it is decoded, as [`Watch::filter_fields`] does. A change
    /// that only concerns such a field is still a change.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a path is invalid or names a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
    /// server.apply(&settings("info"))?;
    /// let mut one = watch_one(api, "settings").filter_fields("data")?.log_errors();
    /// let Some(One::Present(settings)) = one.next().await else { panic!() };
    /// assert_eq!(settings.data, None);
    /// # Ok(()) });
    /// ```
    pub fn filter_fields(
        self,
        filter: impl TryInto<FieldFilter, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        let filter = given(filter)?;
        Ok(Self { changes: self.changes.without(filter), ..self })
    }

    /// Sets when [`Store::synced`] gives up; see [`SyncPolicy`] for the defaults and an example.
    pub fn sync_policy(self, policy: SyncPolicy) -> Self {
        Self { changes: self.changes.sync_policy(policy), ..self }
    }

    /// Merges changes that come in quick succession. The first state comes at once.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
    /// let mut one = watch_one(api, "settings").debounce(Duration::from_secs(1)).log_errors();
    /// assert_eq!(one.next().await, Some(One::Absent));
    /// server.apply(&settings("info"))?;
    /// assert!(matches!(one.next().await, Some(One::Present(_)))); // at once
    ///
    /// server.apply(&settings("debug"))?;
    /// server.apply(&settings("trace"))?;
    /// let Some(One::Present(settings)) = one.next().await else { panic!() };
    /// assert_eq!(settings.data.as_ref().unwrap()["level"], "trace");
    /// # Ok(()) });
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
    /// Returns a handle by which any task can read the state that the stream yielded last. See
    /// [`CurrentOne`] for an example.
    pub fn current(&self) -> CurrentOne<K> {
        self.current.clone()
    }

    /// Returns the store behind the stream, for everything that a [`Store`] can do: wait and get the cause
    /// of a failure, wait for a version, report its state.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Write, prelude::*, testing::{ApiServer, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
    /// let mut one = watch_one(api, "settings");
    /// let store = one.store();
    /// one.next().await;
    /// assert_eq!(store.synced().await?.len(), 0); // the number of objects: there is none
    ///
    /// let written = server.apply(&settings("info"))?;
    /// let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    /// one.spawn();
    /// store.wait_for(Write::of(("web", "settings"), version)).await?;
    /// # Ok(()) });
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
    /// Returns the item to yield for a state, unless it repeats the last one.
    fn item_for(&mut self, state: &Snapshot<K>) -> Option<Result<One<K>, Error>> {
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
        Some(Ok(self.publish(one)))
    }

    fn publish(&self, one: One<K>) -> One<K> {
        self.current.0.store(Some(Arc::new(one.clone())));
        one
    }
}

impl<K, S> WatchOne<K, S>
where
    S: Stream<Item: ChangeItem<Object = K>> + Unpin,
    K: Lookup,
{
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<One<K>, Error>>> {
        if let Some(object) = self.next.take() {
            return Poll::Ready(Some(Ok(self.publish(One::Present(object)))));
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
                // An object that could never be decoded is gone; for the store this is no change.
                Poll::Pending if self.store.is_synced() && self.current.get().is_none() => {
                    let state = self.store.snapshot();
                    return match self.item_for(&state) {
                        Some(Ok(one)) => Poll::Ready(Some(Ok(one))),
                        _ => Poll::Pending,
                    };
                }
                Poll::Pending => return Poll::Pending,
            };
            if let Some(one) = self.item_for(&state) {
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
        let poll = |mut stream: Pin<&mut Self>| stream.poll_item(cx);
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

/// A handle to the state that a [`WatchOne`] yielded last, for any task: read without a lock, cheap to
/// clone.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::prelude::*;
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let api = Api::<ConfigMap>::namespaced(client, "default");
/// let mut settings = watch_one(api, "settings").log_errors();
/// let current = settings.get_ref().current();
/// assert_eq!(current.get(), None);
///
/// settings.next().await;
/// assert_eq!(current.get(), Some(One::Absent));
/// # Ok(()) });
/// ```
pub struct CurrentOne<K>(Arc<ArcSwapOption<One<K>>>);

impl<K> CurrentOne<K> {
    fn new() -> Self {
        Self(Arc::new(ArcSwapOption::empty()))
    }

    /// Returns the state of the object; `None` before it is known. See the [example](CurrentOne).
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
