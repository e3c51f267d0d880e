//! The reading side of a pipeline.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use kube::runtime::reflector::Lookup;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    report::StoreReport,
    status::{CollectionStatus, StoreStatus, SyncState},
};
use crate::{
    clock::{self, after},
    error::{Error, ErrorKind},
    namespaced_name::NamespacedName,
    object_key::AsObjectKey,
    printed::printed,
    resource_version::LONGEST_VERSION,
    snapshot::{Contents, Snapshot},
};

/// Extra time that a wait allows a partial sync, because sync and wait are due at the same moment.
const SYNC_GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// The reading side of a pipeline: lock-free, cheap to clone, usable from any task.
///
/// A store is filled by the stream that it came from, and only while that stream is polled: there is no
/// background task. So a task that waits for [`synced`](Store::synced) instead of polling the stream waits
/// forever: [`spawn`](crate::EventStreamExt::spawn) the stream, or poll it beside the wait with `select!`.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::Event;
/// use kube_weir::EventStreamExt;
///
/// # kube_weir::testing::fixture::run(async {
/// let events = futures::stream::iter([Event::<ConfigMap>::Init, Event::InitDone]);
/// let pipeline = events.index(());
/// let store = pipeline.store();
///
/// let driving = pipeline.spawn();
/// assert!(store.synced().await?.is_empty());
/// # driving.await?; Ok(()) });
/// ```
#[doc(alias("cache", "lister", "informer", "reflector", "client.Reader"))]
pub struct Store<K> {
    pub(super) current: Arc<ArcSwap<Contents<K>>>,
    pub(super) state: watch::Receiver<SyncState>,
}

impl<K> Store<K> {
    pub(crate) fn new(
        current: Arc<ArcSwap<Contents<K>>>,
        state: watch::Receiver<SyncState>,
    ) -> Self {
        Self { current, state }
    }

    /// Returns a receiver of the sync state, which the writer publishes next to the snapshots.
    pub(crate) fn subscribe(&self) -> watch::Receiver<SyncState> {
        self.state.clone()
    }

    /// Returns the current snapshot. Before the sync it is empty, unless the pipeline is
    /// [`with_progress`](crate::adapters::Indexed::with_progress).
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2));
    /// let mut changes = events.index(());
    /// let store = changes.store();
    /// changes.first_synced().await?;
    /// let before = store.snapshot();
    ///
    /// changes.next().await;
    /// assert_eq!((before.len(), store.snapshot().len()), (1, 2)); // a snapshot never changes
    /// # Ok(()) });
    /// ```
    pub fn snapshot(&self) -> Snapshot<K> {
        Snapshot(self.current.load_full())
    }

    /// Returns an object in its current version; `""` is the namespace of cluster-scoped objects. This is the
    /// fastest way for a single lookup; for several consistent lookups use one [`snapshot`](Self::snapshot).
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut changes = Events::listed([settings("debug")]).index(Index::path("data.level")?);
    /// let store = changes.store();
    /// changes.first_synced().await?;
    /// assert!(store.get(("web", "settings")).is_some());
    /// assert!(store.get(("web", "other")).is_none());
    /// # Ok(()) });
    /// ```
    #[doc(alias("GetByKey", "object"))]
    pub fn get(&self, key: impl AsObjectKey) -> Option<Arc<K>>
    where
        K: Lookup,
    {
        self.current.load().get(key).cloned()
    }

    /// Returns whether the store is synced: whether it has all objects that existed when the watch began.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut configs = Events::<ConfigMap>::listed([]).index(());
    /// let store = configs.store();
    /// assert!(!store.is_synced()); // nobody polled
    /// configs.next().await;
    /// assert!(store.is_synced());
    /// # Ok(()) });
    /// ```
    pub fn is_synced(&self) -> bool {
        self.state.borrow().status.is_synced
    }

    /// Returns the status of the stream that fills the store. O(1).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    /// use tokio::time::Instant;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(());
    /// let store = changes.store();
    /// changes.first_synced().await?;
    /// assert!(store.status().connected.is_some());
    ///
    /// server.fault(Verb::Watch, 1, Fault::status(503));
    /// server.disconnect();
    /// assert!(changes.next().await.unwrap().is_err());
    /// let (error, since) = store.status().failing.unwrap();
    /// assert_eq!((error.status(), Instant::from(since).elapsed().as_secs()), (Some(503), 0));
    /// # Ok(()) });
    /// ```
    pub fn status(&self) -> StoreStatus {
        self.state.borrow().status.clone()
    }

    /// Returns the status of each collection: of each namespace if several are watched, or of the whole
    /// cluster. See [`SyncPolicy::partial`](crate::SyncPolicy::partial) for an example.
    pub fn collections(&self) -> Vec<CollectionStatus> {
        let collections = Arc::clone(&self.state.borrow().collections);
        collections.values().cloned().collect()
    }

    /// Checks for a readiness probe that the store is up to date: it is synced, and no collection has failed
    /// or been silent for longer than `max_silence`.
    ///
    /// An idle kind sends only a bookmark about once a minute, so a `max_silence` below two minutes is too
    /// short.
    ///
    /// # Errors
    ///
    /// The current failure; [`is_timeout`](Error::is_timeout) if nothing was received for too long, or
    /// if the store is not synced yet; [`is_ended`](Error::is_ended) if the stream that fills it ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, On}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let configs = configs.index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// let silence = Duration::from_secs(180);
    /// assert!(store.healthy(silence).is_err(), "not synced yet");
    /// store.synced().await?;
    /// store.healthy(silence)?;
    ///
    /// server.fault(On::any(), 1_000_000, Fault::Refused);
    /// server.disconnect();
    /// tokio::time::sleep(2 * silence).await;
    /// assert!(store.healthy(silence).unwrap_err().is_connection());
    /// # Ok(()) });
    /// ```
    pub fn healthy(&self, max_silence: std::time::Duration) -> Result<(), Error> {
        let state = self.state.borrow().clone();
        if self.state.has_changed().is_err() {
            return Err(ended(&state, "it was asked"));
        }
        let now = clock::now();
        let is_over = |since| now.duration_since(since) > max_silence;
        if let Some((error, _)) = state
            .status
            .failing
            .as_ref()
            .filter(|(_, since)| is_over(*since) || !state.status.is_synced)
        {
            return Err(error.clone());
        }
        if !state.status.is_synced {
            return Err(overdue(&state, "not synced yet".to_owned()));
        }
        for own in state.collections.values() {
            if let Some((error, _)) = own.failing.as_ref().filter(|(_, since)| is_over(*since)) {
                return Err(error.clone());
            }
            if own.last_word.is_some_and(is_over) {
                let message =
                    format!("nothing was received from {} for {max_silence:?}", own.collection);
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
        Ok(())
    }

    /// Returns whether there are objects whose newest version could not be decoded.
    pub(crate) fn has_stale(&self) -> bool {
        !self.state.borrow().stale.is_empty()
    }

    /// Waits until the store is synced, and returns the snapshot of that moment or a later one.
    ///
    /// Any number of tasks may wait; a wait that starts after the sync returns at once.
    ///
    /// # Errors
    ///
    /// The pipeline's [`SyncPolicy`](crate::SyncPolicy) decides when a wait gives up. The error names the cause:
    /// [`is_forbidden`](Error::is_forbidden), [`is_unauthorized`](Error::is_unauthorized) or
    /// [`is_not_installed`](Error::is_not_installed) if the API server refused; otherwise
    /// [`is_timeout`](Error::is_timeout) with the last failure as source; and
    /// [`is_ended`](Error::is_ended) if the stream ended or was dropped. The stream itself keeps
    /// retrying and recovers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{SyncPolicy, prelude::*};
    /// use kube_weir::testing::{ApiServer, Fault, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::status(403)); // until somebody grants `list`
    /// let configs = watch(Api::<ConfigMap>::all(server.client()))
    ///     .index(())
    ///     .sync_policy(SyncPolicy::default().fail_fast(true));
    /// let store = configs.store();
    /// let driving = configs.spawn();
    ///
    /// assert!(store.synced().await.unwrap_err().is_forbidden());
    /// store.changes().first_synced().await?; // the stream kept retrying
    /// assert!(store.synced().await?.is_empty());
    /// # Ok(()) });
    /// ```
    #[doc(alias("WaitForCacheSync", "HasSynced", "wait_until_ready"))]
    pub async fn synced(&self) -> Result<Snapshot<K>, Error> {
        let mut state = self.state.clone();
        let mut progress = None;
        let mut deadline = Instant::now();
        loop {
            let (policy, until) = {
                let state = state.borrow_and_update();
                if state.status.is_synced {
                    return Ok(self.snapshot());
                }
                if let Some((error, _)) = &state.status.failing
                    && error.is_refusal()
                    && state.policy.fail_fast
                {
                    return Err(error.clone());
                }
                if progress != Some(state.progress) {
                    progress = Some(state.progress);
                    deadline = after(Instant::now(), state.policy.deadline);
                }
                // A partial sync is due exactly at the deadline.
                let due = state.sync_due.map(|due| after(due, SYNC_GRACE));
                (state.policy, due.map_or(deadline, |due| due.max(deadline)))
            };
            match timeout_at(until, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) if state.borrow().status.is_synced => {
                    return Ok(self.snapshot());
                }
                Ok(Err(_)) => return Err(ended(&state.borrow(), "it was synced")),
                Err(_) => {
                    let state = state.borrow();
                    let missing = match &*state.missing() {
                        "" => String::new(),
                        missing => format!("; missing: {missing}"),
                    };
                    let message =
                        format!("not synced, and no progress for {:?}{missing}", policy.deadline);
                    return Err(overdue(&state, message));
                }
            }
        }
    }

    /// Returns a report of the store, for people and dashboards. Serialized, it looks like this:
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let api = Api::<ConfigMap>::all(client);
    /// let mut configs = watch(api).named("settings").index(Index::path("data.level")?);
    /// let store = configs.store();
    /// configs.first_synced().await?;
    /// # tokio::time::advance(Duration::from_millis(1500)).await;
    ///
    /// let expected = r#"{
    ///   "resource": "v1/configmaps",
    ///   "name": "settings",
    ///   "selectors": [],
    ///   "state": "synced",
    ///   "resource_version": "10",
    ///   "silent_ms": 1500,
    ///   "objects": 1,
    ///   "bytes": null,
    ///   "pending": 0,
    ///   "deleted": 0,
    ///   "indexes": [
    ///     {
    ///       "name": "data.level",
    ///       "keys": 1,
    ///       "entries": 1,
    ///       "absent": 0,
    ///       "overflowing": 0
    ///     }
    ///   ],
    ///   "stale": [],
    ///   "last_error": null
    /// }"#;
    /// assert_eq!(serde_json::to_string_pretty(&store.report())?, expected);
    /// # Ok(()) });
    /// ```
    ///
    /// This counts all index keys, and the bytes of all `Document`s: O(n). It reads a snapshot, so it blocks
    /// nobody. For continuous monitoring use the metrics.
    pub fn report(&self) -> StoreReport
    where
        K: Lookup,
    {
        let snapshot = self.current.load();
        // The writer has to wait while the state is borrowed.
        let state = self.state.borrow().clone();
        let origin = &snapshot.context().origin;
        let silent = state.status.last_word.map(|last| (clock::now() - last).as_millis());
        StoreReport {
            resource: Arc::clone(&origin.resource),
            name: origin.name.clone(),
            selectors: snapshot.context().stages.selectors(),
            state: self.state_of(&state),
            resource_version: state.earliest().map(|version| printed(version, LONGEST_VERSION)),
            silent_ms: silent.map(|silent| u64::try_from(silent).unwrap_or(u64::MAX)),
            objects: snapshot.len(),
            bytes: snapshot.bytes(),
            pending: state.pending,
            deleted: snapshot.deleted.as_ref().map_or(0, |deleted| deleted.len()),
            indexes: snapshot.indexes().collect(),
            stale: state
                .stale
                .iter()
                .map(|(namespace, name)| NamespacedName(namespace, name).to_string())
                .collect(),
            last_error: state.last_error.as_ref().map(ToString::to_string),
        }
    }
}

impl<K> Store<K> {
    fn state_of(&self, state: &SyncState) -> &'static str {
        let is_failing = state.status.failing.is_some();
        match (state.status.is_synced, state.listing) {
            _ if self.state.has_changed().is_err() => "ended",
            (false, _) => "loading",
            (true, _) if is_failing => "degraded",
            (true, true) => "relisting",
            (true, false) => "synced",
        }
    }
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), state: self.state.clone() }
    }
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Store")
            .field("resource", &self.current.load().context().origin.resource)
            .field("state", &self.state_of(&state))
            .field("objects", &self.current.load().len())
            .field("last_error", &state.last_error.as_ref().map(ToString::to_string))
            .finish_non_exhaustive()
    }
}

pub(super) fn ended(state: &SyncState, before: &str) -> Error {
    let message = format!("the stream that fills the store ended before {before}");
    match state.last_error.clone() {
        Some(error) => Error::with_source(ErrorKind::Ended, message, error),
        None => Error::new(ErrorKind::Ended, message),
    }
}

pub(super) fn overdue(state: &SyncState, message: String) -> Error {
    if !state.is_polled {
        let why = format!("{message}: nobody polls the stream that fills the store; `spawn` it");
        return Error::new(ErrorKind::Timeout, why);
    }
    let failing = state.status.failing.as_ref().map(|(error, _)| error);
    match failing.or(state.last_error.as_ref()).cloned() {
        Some(error) if error.is_refusal() => error,
        Some(error) => Error::with_source(ErrorKind::Timeout, message, error),
        None => Error::new(ErrorKind::Timeout, message),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Node;

    use super::*;
    use crate::{index::IndexSet, store::Writer};

    #[test]
    fn stale_objects_are_named_with_their_namespace_if_they_have_one() {
        let mut writer = Writer::<Node>::new(IndexSet::of(()), Arc::default());
        let cause = serde_json::from_str::<u8>("").unwrap_err();
        for namespace in ["", "web"] {
            writer.failed(Error::undecodable(namespace, "node-1", &cause));
        }
        assert_eq!(writer.store().report().stale, ["node-1", "web/node-1"]);
    }
}
