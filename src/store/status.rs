//! Status of a store and its collections, and the policy of waits for them.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::stale::Stale;
use crate::{error::Error, event::Collection, resource_version::has_reached};

/// Policy for when [`Store::synced`](crate::Store::synced) and [`Store::wait_for`](crate::Store::wait_for)
/// give up waiting, and whether a store is synced without the namespaces that can't be listed; for
/// [`Indexed::sync_policy`](crate::adapters::Indexed::sync_policy).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{SyncPolicy, prelude::*, testing::Events};
/// use tokio::time::Instant;
///
/// # kube_weir::testing::fixture::run(async {
/// let never = Events::<ConfigMap>::new().stay_open();
/// let patience = SyncPolicy::default().deadline(Duration::from_secs(5));
/// let configs = never.index(()).sync_policy(patience);
/// let store = configs.store();
/// let driving = configs.spawn();
///
/// let begin = Instant::now();
/// assert!(store.synced().await.unwrap_err().is_timeout());
/// assert_eq!(begin.elapsed().as_secs(), 5);
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPolicy {
    pub(super) deadline: Duration,
    pub(super) fail_fast: bool,
    pub(super) partial: bool,
}

impl SyncPolicy {
    /// Sets how long a wait for the sync continues while no object arrives, and how long a wait for a version
    /// continues in total. Default: 30 seconds. See the [example](SyncPolicy).
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets whether a refusal (forbidden, unauthorized, not installed, not watchable) ends a wait at
    /// once, and not only at the deadline. Default: false. See the example of
    /// [`Store::synced`](crate::Store::synced).
    #[must_use]
    pub fn fail_fast(self, fail_fast: bool) -> Self {
        Self { fail_fast, ..self }
    }

    /// Sets whether the store becomes synced at the deadline with only the complete namespaces, if there is
    /// at least one. [`Store::collections`](crate::Store::collections) lists the others; if such a namespace
    /// can be listed later, its objects appear as created. Default: false.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{SyncPolicy, prelude::*};
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(On::verb(Verb::List).namespace("b"), 1000, Fault::status(403));
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).namespaces(["a", "b"]);
    /// let mut changes = configs
    ///     .index(())
    ///     .sync_policy(SyncPolicy::default().partial(true));
    /// let store = changes.store();
    /// changes.first_synced().await?;
    ///
    /// let missing: Vec<_> = store.collections().into_iter().filter(|own| !own.is_complete).collect();
    /// assert_eq!(missing[0].collection.namespace(), Some("b"));
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn partial(self, partial: bool) -> Self {
        Self { partial, ..self }
    }
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), fail_fast: false, partial: false }
    }
}

/// Status of the stream that fills a store; from [`Store::status`](crate::Store::status), which has
/// an example. Times are those of the runtime's clock: a test with paused time reads them as
/// `tokio::time::Instant::from(since).elapsed()`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreStatus {
    /// True once the store is synced.
    pub is_synced: bool,
    /// Time since which the API server sends events for all collections; `None` while a collection fails, or
    /// if one was never listed.
    pub connected: Option<Instant>,
    /// The failure that has lasted longest, and the time since which it lasts. It is cleared by an event or a
    /// bookmark of its collection, or by a watch that stays open; also by a complete list, unless it is the
    /// watch that fails.
    pub failing: Option<(Error, Instant)>,
    /// Time at which anything was last received, including bookmarks.
    pub last_word: Option<Instant>,
}

/// Status of one collection of a store; from [`Store::collections`](crate::Store::collections).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CollectionStatus {
    /// The collection.
    pub collection: Collection,
    /// True once it was listed.
    pub is_complete: bool,
    /// Time since which the API server sends events for the collection.
    pub connected: Option<Instant>,
    /// The last failure, and the time since which the collection fails; `None` if it doesn't.
    pub failing: Option<(Error, Instant)>,
    /// Time at which anything was last received, including bookmarks.
    pub last_word: Option<Instant>,
    /// A resourceVersion up to which everything was seen; a lower bound.
    pub resource_version: Option<String>,
    /// True while the published objects are from a history that the server has lost.
    pub(crate) is_outdated: bool,
}

impl CollectionStatus {
    pub(super) fn new(collection: Collection) -> Self {
        Self {
            collection,
            is_complete: false,
            connected: None,
            failing: None,
            last_word: None,
            resource_version: None,
            is_outdated: false,
        }
    }
}

/// Sync state that the writer publishes next to each snapshot; [`Store::synced`](crate::Store::synced)
/// and `wait_for` wait on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SyncState {
    pub(crate) status: StoreStatus,
    /// True once the stream that fills the store was polled.
    pub(crate) is_polled: bool,
    pub(crate) listing: bool,
    /// Counter of progress: rises as collections that are not complete receive objects.
    pub(crate) progress: u64,
    pub(crate) last_error: Option<Error>,
    /// Number of objects in incomplete lists.
    pub(crate) pending: usize,
    pub(crate) collections: Arc<BTreeMap<Collection, CollectionStatus>>,
    pub(crate) stale: Stale,
    pub(crate) policy: SyncPolicy,
    /// Time at which the store will be synced without the missing collections, if it will be.
    pub(crate) sync_due: Option<tokio::time::Instant>,
}

impl SyncState {
    /// Returns the status of the collection that has the objects of a namespace.
    pub(crate) fn collection_of(&self, namespace: &str) -> Option<&CollectionStatus> {
        let of_namespace = || self.collections.get(&Collection::of_namespace(namespace));
        self.collections.get(&Collection::cluster()).or_else(of_namespace)
    }

    /// Returns the resourceVersion of the collection that is furthest behind.
    pub(crate) fn earliest(&self) -> Option<&str> {
        let all = self.collections.values().filter_map(|own| own.resource_version.as_deref());
        all.reduce(|a, b| if has_reached(a, b) { b } else { a })
    }

    /// Returns the names of the collections that were never listed, for errors.
    pub(crate) fn missing(&self) -> String {
        let missing = self.collections.values().filter(|own| !own.is_complete);
        let names: Vec<_> = missing.take(5).map(|own| own.collection.to_string()).collect();
        names.join(", ")
    }
}
