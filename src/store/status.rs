//! How a store and its collections are doing, and how long to wait for them.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::stale::Stale;
use crate::{error::Error, event::Collection, resource_version::has_reached};

/// When [`Store::synced`](crate::Store::synced) and [`Store::wait_for`](crate::Store::wait_for) give up waiting, and
/// whether a store is synced without the namespaces that can't be listed; for
/// [`Indexed::sync_policy`](crate::adapters::Indexed::sync_policy).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{SyncPolicy, prelude::*, testing::Events};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let never = Events::<ConfigMap>::new().stay_open();
/// let patience = SyncPolicy::default().deadline(Duration::from_secs(5));
/// let configs = never.index(()).sync_policy(patience);
/// let store = configs.store();
/// let driving = configs.spawn();
///
/// let begin = Instant::now();
/// assert!(store.synced().await.unwrap_err().is_timeout());
/// assert_eq!(begin.elapsed().as_secs(), 5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPolicy {
    pub(super) deadline: Duration,
    pub(super) fail_fast: bool,
    pub(super) partial: bool,
}

impl SyncPolicy {
    /// Sets how long a wait for the sync goes on without a single object arriving, and a wait for a
    /// version at all. Default: 30 seconds. See the [example](SyncPolicy).
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets whether a refusal (forbidden, unauthorized, not installed, not watchable) ends a wait at
    /// once, instead of at the deadline. Default: false. See the example of
    /// [`Store::synced`](crate::Store::synced).
    #[must_use]
    pub fn fail_fast(self, fail_fast: bool) -> Self {
        Self { fail_fast, ..self }
    }

    /// Sets whether the store is synced at the deadline with the namespaces that are complete, if
    /// there is one. [`Store::collections`](crate::Store::collections) names the others; the objects of
    /// one that can be listed later are created then. Default: false.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{SyncPolicy, prelude::*};
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
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
    /// # Ok(()) }
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

/// How the stream that fills a store is doing; from [`Store::status`](crate::Store::status), which has
/// an example. Times are of the runtime's clock: a test with paused time reads them as
/// `tokio::time::Instant::from(since).elapsed()`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreStatus {
    /// True once everything that existed is in.
    pub is_synced: bool,
    /// Since when the API server sends what happens, in all collections; `None` while one of them
    /// fails, or was never listed.
    pub connected: Option<Instant>,
    /// The failure that goes on for the longest time, and since when. An event or a bookmark of its
    /// collection clears it, or a watch that holds; so does a complete list, unless it is the watch that
    /// fails.
    pub failing: Option<(Error, Instant)>,
    /// When something last came in, a bookmark included.
    pub last_word: Option<Instant>,
}

/// How one collection of a store is doing; from [`Store::collections`](crate::Store::collections).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CollectionStatus {
    /// The collection.
    pub collection: Collection,
    /// True once it was listed.
    pub is_complete: bool,
    /// Since when the API server sends what happens in it.
    pub connected: Option<Instant>,
    /// The last failure, if it fails, and since when it does.
    pub failing: Option<(Error, Instant)>,
    /// When something last came in, a bookmark included.
    pub last_word: Option<Instant>,
    /// Up to which version everything was seen, or less.
    pub resource_version: Option<String>,
    /// True while the objects that are shown are of a history that the server has lost.
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
    /// Goes up with the objects of collections that are not complete: the sign of progress.
    pub(crate) progress: u64,
    pub(crate) last_error: Option<Error>,
    /// How many objects are in lists that are not complete.
    pub(crate) pending: usize,
    pub(crate) collections: Arc<BTreeMap<Collection, CollectionStatus>>,
    pub(crate) stale: Stale,
    pub(crate) policy: SyncPolicy,
    /// When the store will be synced without the collections that are missing, if it will.
    pub(crate) sync_due: Option<tokio::time::Instant>,
}

impl SyncState {
    /// Returns the collection that an object of a namespace belongs to.
    pub(crate) fn collection_of(&self, namespace: &str) -> Option<&CollectionStatus> {
        let of_namespace = || self.collections.get(&Collection::of_namespace(namespace));
        self.collections.get(&Collection::cluster()).or_else(of_namespace)
    }

    /// Returns up to which version everything was seen, in the collection that is behind.
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
