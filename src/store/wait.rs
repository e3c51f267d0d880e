//! Waits until a store has seen a write.

use std::{borrow::Cow, fmt, future::Future, sync::Arc};

use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, timeout_at};

use super::{
    status::{CollectionStatus, SyncState},
    store::{Store, ended, overdue},
};
use crate::{
    clock::after,
    error::{Error, ErrorKind},
    index::{Index, IndexKey},
    object_key::ObjectKey,
    printed::printed,
    resource_version::{LONGEST_VERSION, has_reached},
    snapshot::Snapshot,
};

/// A write for which [`Store::wait_for`] waits.
///
/// | to wait for | pass |
/// |---|---|
/// | an object that the API server returned | `&object` |
/// | an object by its key and `resourceVersion` | [`Write::of`] |
/// | everything up to a `resourceVersion` | [`Write::up_to`] |
/// | the deletion of an object | [`Write::deletion`] |
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Write, prelude::*, testing::ApiServer};
/// use serde_json::json;
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let configs = watch(Api::<ConfigMap>::all(server.client())).index(());
/// let store = configs.store();
/// let driving = configs.spawn();
///
/// let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
/// let written: ConfigMap = serde_json::from_value(server.apply(&settings)?)?;
/// let version = written.metadata.resource_version.as_deref().unwrap();
/// for write in [
///     Write::from(&written),
///     Write::of(("default", "settings"), version),
///     Write::up_to(version),
/// ] {
///     assert_eq!(store.wait_for(write).await?.len(), 1);
/// }
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The object; `None` for all objects.
    key: Option<ObjectKey>,
    version: String,
    /// The uid of the object whose deletion is awaited.
    deleted: Option<String>,
}

impl Write {
    /// Returns the write of an object by its key and `resourceVersion`.
    pub fn of(key: impl Into<ObjectKey>, resource_version: impl Into<String>) -> Self {
        Self { key: Some(key.into()), version: resource_version.into(), deleted: None }
    }

    /// Returns all writes up to a `resourceVersion`, for instance that of a list.
    pub fn up_to(resource_version: impl Into<String>) -> Self {
        Self { key: None, version: resource_version.into(), deleted: None }
    }

    /// Returns the deletion of an object, given in any version seen before it. The API server answers a
    /// DELETE with the object while it has finalizers, otherwise with a `Status`.
    ///
    /// The wait ends when the store is past that version and has no object of this uid.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::api::{DeleteParams, PostParams};
    /// use kube_weir::{Write, prelude::*, testing::{ApiServer, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let api = Api::<ConfigMap>::namespaced(ApiServer::new().client(), "default");
    /// let configs = watch(api.clone()).index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// let written = api.create(&PostParams::default(), &object("default", "settings")).await?;
    /// api.delete("settings", &DeleteParams::default()).await?;
    /// assert!(store.wait_for(Write::deletion(&written)).await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub fn deletion<O: Lookup>(object: &O) -> Self {
        let uid = object.uid().map(Cow::into_owned).unwrap_or_default();
        Self { deleted: Some(uid), ..Self::from(object) }
    }

    /// Returns an error if the name, version or uid that the wait needs is missing.
    fn check(&self) -> Result<(), Error> {
        let message = match &self.key {
            Some(key) if key.name().is_empty() => "an object without a name can't be waited for",
            _ if self.version.is_empty() => "a write without a resourceVersion can't be waited for",
            _ if self.deleted.as_ref().is_some_and(String::is_empty) => {
                "the deletion of an object without a uid can't be waited for"
            }
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Other, message))
    }

    /// Returns the collections that may contain the write.
    fn collections<'s>(&self, state: &'s SyncState) -> impl Iterator<Item = &'s CollectionStatus> {
        let own = self.key.as_ref().and_then(|key| state.collection_of(key.namespace()));
        let all = self.key.is_none().then(|| state.collections.values());
        own.into_iter().chain(all.into_iter().flatten())
    }

    /// Returns whether the store has seen everything about the object up to the version.
    fn is_past(&self, state: &SyncState) -> bool {
        let mut collections = self.collections(state).peekable();
        let is_past = |version: &str| has_reached(version, &self.version);
        let is_stale = match &self.key {
            Some(key) => state.stale.contains(key.namespace(), key.name()),
            None => !state.stale.is_empty(),
        };
        collections.peek().is_some()
            && !is_stale
            && collections.all(|own| own.resource_version.as_deref().is_some_and(is_past))
    }

    /// Returns whether the versions in the state are from a history that the server has lost.
    fn is_outdated(&self, state: &SyncState) -> bool {
        self.collections(state).any(|own| own.is_outdated)
    }

    /// Returns whether a snapshot shows the write; `is_past` says whether the store is past the version.
    fn is_in<K: Lookup>(&self, snapshot: &Snapshot<K>, is_past: bool) -> bool {
        let object = self.key.as_ref().map(|key| snapshot.get(key));
        match (object, &self.deleted) {
            (None | Some(None), _) => is_past,
            (Some(Some(object)), None) => {
                object.resource_version().is_some_and(|own| has_reached(&own, &self.version))
            }
            (Some(Some(object)), Some(uid)) => object.uid().is_some_and(|own| own != **uid),
        }
    }
}

impl<O: Lookup> From<&O> for Write {
    fn from(object: &O) -> Self {
        let version = object.resource_version().map(Cow::into_owned).unwrap_or_default();
        Self::of(ObjectKey::of(object), version)
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = printed(&self.version, LONGEST_VERSION);
        match (&self.key, &self.deleted) {
            (Some(key), Some(_)) => write!(f, "the deletion of {key}"),
            (Some(key), None) => write!(f, "{key} at resourceVersion {version}"),
            (None, _) => write!(f, "resourceVersion {version}"),
        }
    }
}

impl<K: Lookup> Store<K> {
    /// Waits until the objects under a key, or their versions, differ from those at the time of the call, and
    /// returns the snapshot with the difference. Call this, look up the key, then await the future: no change
    /// in between is missed.
    ///
    /// Each wait looks up the key once per published snapshot. For thousands of waits, use one consumer that
    /// wakes them by [`Change::touched`](crate::Change::touched).
    ///
    /// # Errors
    ///
    /// [`is_ended`](Error::is_ended) if the stream that fills the store ends first.
    ///
    /// # Panics
    ///
    /// If the store was not built with this index, or it has fewer key parts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::discovery::v1::EndpointSlice;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let service = Index::path("metadata.labels['kubernetes.io/service-name']")?;
    /// let slices = watch(Api::<EndpointSlice>::all(server.client())).index(&service);
    /// let store = slices.store();
    /// slices.spawn();
    /// store.synced().await?;
    ///
    /// let changed = store.watch_key(&service, "shop");
    /// assert_eq!(store.snapshot().by(&service).get("shop").len(), 0);
    /// server.apply(&json!({
    ///     "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [],
    ///     "metadata": { "name": "shop-1", "labels": { "kubernetes.io/service-name": "shop" } },
    /// }))?;
    /// assert_eq!(changed.await?.by(&service).get("shop").len(), 1);
    /// # Ok(()) });
    /// ```
    #[doc(alias("WatchChannel", "wait_for_key", "notify"))]
    #[track_caller]
    pub fn watch_key<Q: IndexKey>(
        &self,
        index: &Index<K>,
        key: Q,
    ) -> impl Future<Output = Result<Snapshot<K>, Error>> + use<K, Q> {
        let (store, index) = (self.clone(), index.clone());
        let mut state = self.subscribe();
        state.mark_unchanged();
        // Not in a closure, so that a panic names the caller.
        let mut last = self.snapshot();
        let before: Vec<_> = last.by(&index).get(&key).cloned().collect();
        async move {
            loop {
                let is_over = state.changed().await.is_err();
                let snapshot = store.snapshot();
                if !snapshot.is(&last) {
                    let after = snapshot.by(&index).get(&key);
                    if after.len() != before.len()
                        || !after.zip(&before).all(|(after, before)| Arc::ptr_eq(after, before))
                    {
                        return Ok(snapshot);
                    }
                    last = snapshot;
                }
                if is_over {
                    let what = format!("a key of index `{}` changed", index.name());
                    return Err(ended(&state.borrow(), &what));
                }
            }
        }
    }

    /// Waits until the store has seen a write, and returns a snapshot that shows it: with the object in the
    /// written version or a later one, or without the object if it was deleted.
    ///
    /// Pass the object that the API server returned, of any type, to read your own write. [`Write`] lists the
    /// other things to wait for.
    ///
    /// The returned snapshot, and each that [`snapshot`](Store::snapshot) returns afterwards,
    /// * has the object, with a `resourceVersion` not older than the awaited one, or
    /// * lacks the object, and shows a state not older than that version: the object was deleted meanwhile,
    ///   or the watch doesn't select it.
    ///
    /// In the second case the store must know how far its state is. [`watch`](crate::watch) learns that from
    /// each list, event and bookmark, so the absence of an object is known within about a minute, the time
    /// between two bookmarks, and mostly at once. With any other stream of events only the versions of its
    /// objects show it: after the deletion of an object, another object must arrive. For a namespace that
    /// isn't watched it is never known.
    ///
    /// `resourceVersion`s are compared as numbers ([KEP-5504](https://kep.k8s.io/5504)). If a server's
    /// `resourceVersion`s are not numbers, only an equal version counts as seen.
    ///
    /// # Errors
    ///
    /// After the deadline of the [`SyncPolicy`](crate::SyncPolicy), by default 30 seconds, the same errors as
    /// [`synced`](Store::synced). To wait for less, use [`tokio::time::timeout`].
    /// [`is_ended`](Error::is_ended) if the stream ended or was dropped. An object without a
    /// name or a `resourceVersion` is an error, too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::api::PostParams;
    /// use kube_weir::{prelude::*, testing::{ApiServer, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let api = Api::<ConfigMap>::namespaced(ApiServer::new().client(), "default");
    /// let configs = watch(api.clone()).index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// let written = api.create(&PostParams::default(), &object("default", "settings")).await?;
    /// let snapshot = store.wait_for(&written).await?;
    /// assert!(snapshot.get(("default", "settings")).is_some());
    /// # Ok(()) });
    /// ```
    pub fn wait_for<W: Into<Write>>(
        &self,
        write: W,
    ) -> impl Future<Output = Result<Snapshot<K>, Error>> + use<'_, K, W> {
        let write = write.into();
        async move { self.wait(&write).await }
    }

    async fn wait(&self, write: &Write) -> Result<Snapshot<K>, Error> {
        write.check()?;
        let mut state = self.state.clone();
        let patience = state.borrow().policy.deadline;
        let deadline = after(Instant::now(), patience);
        loop {
            let (is_past, is_outdated) = {
                let state = state.borrow_and_update();
                (write.is_past(&state), write.is_outdated(&state))
            };
            // This snapshot is not older than the sync state checked above.
            let snapshot = self.snapshot();
            if !is_outdated && write.is_in(&snapshot, is_past) {
                return Ok(snapshot);
            }
            match timeout_at(deadline, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ended(&state.borrow(), &format!("it had {write}"))),
                Err(_) => {
                    let message = format!("{write} was not seen within {patience:?}");
                    return Err(overdue(&state.borrow(), message));
                }
            }
        }
    }
}
