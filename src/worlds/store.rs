//! Reading a world, and waiting for it.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use futures::future::{Either, select, try_join_all};
use tokio::sync::watch;

use super::{
    kind_store::KindStore,
    world::{Moment, World},
};
use crate::{
    error::{Error, ErrorKind},
    store::StoreReport,
};

/// The reading side of a world: lock-free, cheap to clone, usable from any task.
///
/// The stream that it comes from fills it, and only while that stream is polled or
/// [`spawn`](crate::EventStreamExt::spawn)ed.
///
/// ```
/// use k8s_openapi::api::core::v1::{Secret, Service};
/// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::listed([object::<Service>("web", "shop")]).index(());
/// let secrets = Events::listed([object::<Secret>("web", "tls")]).index(());
/// let worlds = world((services, secrets));
/// let store = worlds.store();
/// worlds.spawn();
///
/// let world = store.synced().await?;
/// assert_eq!((world.kinds().0.len(), world.kinds().1.len()), (1, 1));
/// assert_eq!(store.world().generation(), world.generation());
/// # Ok(()) });
/// ```
pub struct WorldStore<V> {
    current: Arc<ArcSwap<Moment<V>>>,
    status: watch::Receiver<Status>,
}

impl<V> WorldStore<V> {
    pub(super) fn new(current: Arc<ArcSwap<Moment<V>>>, status: watch::Receiver<Status>) -> Self {
        Self { current, status }
    }

    /// Returns the current state. Before the sync it is empty, unless the world is
    /// [`with_progress`](super::Worlds::with_progress). Read states that belong together from one world,
    /// not from several calls. See the [example](WorldStore).
    pub fn world(&self) -> World<V> {
        World(self.current.load_full())
    }

    /// Returns whether every kind is complete. It stays true: a kind that is
    /// [added](super::KindsHandle::add) later is shown once it is complete.
    pub fn is_synced(&self) -> bool {
        self.status.borrow().synced
    }

    /// Waits until every kind is complete, and returns the world.
    ///
    /// Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// Each kind's own [`SyncPolicy`](crate::SyncPolicy) decides when to give up waiting, as in
    /// [`Store::synced`](crate::Store::synced). The error names all missing kinds; its source is the failure of the kind whose
    /// time was up, and [names that kind](Error::of_kind).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Secret, Service};
    /// use kube_weir::{SyncPolicy, prelude::*, testing::{Events, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let services = Events::listed([object::<Service>("web", "shop")]).index(());
    /// let never = Events::<Secret>::new().stay_open().index(());
    /// let never = never.sync_policy(SyncPolicy::default().deadline(Duration::from_secs(5)));
    /// let worlds = world((services, never));
    /// let store = worlds.store();
    /// worlds.spawn();
    ///
    /// let error = store.synced().await.unwrap_err();
    /// assert!(error.is_timeout());
    /// assert_eq!(error.to_string(), "the world is not synced, missing: Secret");
    /// # Ok(()) });
    /// ```
    pub async fn synced(&self) -> Result<World<V>, Error> {
        let mut status = self.status.clone();
        loop {
            let kinds = {
                let status = status.borrow_and_update();
                if status.synced {
                    return Ok(self.world());
                }
                Arc::clone(&status.kinds)
            };
            let waits = try_join_all(kinds.iter().map(KindStore::synced));
            let changed = Box::pin(status.changed());
            let ended = match select(changed, waits).await {
                Either::Left((Ok(()), _)) => continue,
                Either::Left((Err(_), _)) => true,
                Either::Right((Err(error), _)) => return Err(missing(&kinds, error)),
                // All are complete; the stream is about to publish that.
                Either::Right((Ok(_), changed)) => changed.await.is_err(),
            };
            if ended && !self.is_synced() {
                let message = "the stream of worlds ended before it was synced";
                return Err(Error::new(ErrorKind::Ended, message));
            }
        }
    }

    fn state(&self, status: &Status) -> &'static str {
        match (status.synced, self.status.has_changed().is_err()) {
            (_, true) => "ended",
            (false, _) => "loading",
            (true, _) => "synced",
        }
    }

    /// Returns the state of each kind, for people and dashboards.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Secret, Service};
    /// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let services = Events::listed([object::<Service>("web", "shop")]).index(());
    /// let secrets = Events::listed([object::<Secret>("web", "tls")]).index(());
    /// let mut worlds = world((services, secrets));
    /// let store = worlds.store();
    /// worlds.first_synced().await?;
    ///
    /// let report = store.report();
    /// assert_eq!(report.generation, 1);
    /// assert_eq!(report.kinds["Secret"].objects, 1);
    /// # Ok(()) });
    /// ```
    pub fn report(&self) -> WorldReport {
        // The stream waits while the status is borrowed.
        let status = self.status.borrow().clone();
        let kinds = status.kinds.iter().map(|kind| (Arc::clone(&kind.name), kind.store.report()));
        WorldReport {
            state: self.state(&status),
            generation: self.current.load().generation,
            kinds: kinds.collect(),
        }
    }
}

/// The state of a world in words and figures; from [`WorldStore::report`], which has an example.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct WorldReport {
    /// `loading`, `synced` or `ended`.
    pub state: &'static str,
    /// The generation of the current world.
    pub generation: u64,
    /// Each kind, by name.
    pub kinds: std::collections::BTreeMap<Arc<str>, StoreReport>,
}

/// The status that the stream publishes to its stores.
#[derive(Clone, Default)]
pub(super) struct Status {
    pub(super) synced: bool,
    pub(super) kinds: Arc<[KindStore]>,
}

/// Returns an error that names the missing kinds, caused by the first failure.
fn missing(kinds: &[KindStore], error: Error) -> Error {
    let names = kinds.iter().filter(|kind| !kind.store.is_synced()).map(|kind| &*kind.name);
    let message =
        format!("the world is not synced, missing: {}", names.collect::<Vec<_>>().join(", "));
    Error::caused_by(error, message)
}

impl<V> Clone for WorldStore<V> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), status: self.status.clone() }
    }
}

impl<V> fmt::Debug for WorldStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.borrow();
        let kinds: Vec<_> = status.kinds.iter().map(|kind| &kind.name).collect();
        f.debug_struct("WorldStore")
            .field("state", &self.state(&status))
            .field("kinds", &kinds)
            .field("generation", &self.current.load().generation)
            .finish_non_exhaustive()
    }
}
