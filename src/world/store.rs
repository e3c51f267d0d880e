//! Reading a world, and waiting for it.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use futures::{
    FutureExt,
    future::{BoxFuture, Either, select, try_join_all},
};
use kube::runtime::reflector::Lookup;
use tokio::sync::watch;

use super::{Moment, World};
use crate::{
    error::{Error, Reason},
    store::{Explain, Store},
};

/// The reading side of a world: lock-free, cheap to clone, usable from any task.
///
/// It is filled by the stream it came from, and only while that is polled.
pub struct WorldStore<V> {
    current: Arc<ArcSwap<Moment<V>>>,
    status: watch::Receiver<Status>,
}

impl<V> WorldStore<V> {
    pub(super) fn new(current: Arc<ArcSwap<Moment<V>>>, status: watch::Receiver<Status>) -> Self {
        Self { current, status }
    }

    /// The state as of now. Before the sync it is empty, unless the world is
    /// [`with_progress`](super::Worlds::with_progress).
    pub fn world(&self) -> World<V> {
        World(self.current.load_full())
    }

    /// Whether every kind is complete.
    pub fn is_synced(&self) -> bool {
        self.status.borrow().synced
    }

    /// Waits until every kind is complete, and gives the world.
    ///
    /// Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// Each kind's own [`SyncPolicy`](crate::SyncPolicy) decides when a wait that leads nowhere
    /// ends, as in [`Store::synced`]. The error names all kinds that are missing then; its source
    /// is what the one whose time was up ran into, and tells [which that is](Error::of_kind).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
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
            let waits = try_join_all(kinds.iter().map(Reader::synced));
            let changed = Box::pin(status.changed());
            let ended = match select(changed, waits).await {
                Either::Left((Ok(()), _)) => continue,
                Either::Left((Err(_), _)) => true,
                Either::Right((Err(error), _)) => return Err(missing(&kinds, error)),
                // All are complete; the stream is about to tell.
                Either::Right((Ok(_), changed)) => changed.await.is_err(),
            };
            if ended && !self.is_synced() {
                let message = "the stream of worlds ended before it was synced";
                return Err(Error::new(Reason::Ended, message));
            }
        }
    }

    /// What each kind is doing, for people and dashboards.
    pub fn explain(&self) -> WorldExplain {
        // The stream waits for whoever borrows it.
        let status = self.status.borrow().clone();
        let kinds = status.kinds.iter().map(|kind| (Arc::clone(&kind.name), kind.store.explain()));
        WorldExplain {
            state: match (status.synced, self.status.has_changed().is_err()) {
                (_, true) => "ended",
                (false, _) => "loading",
                (true, _) => "synced",
            },
            generation: self.current.load().generation,
            kinds: kinds.collect(),
        }
    }
}

/// The state of a world in words and figures; see [`WorldStore::explain`].
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct WorldExplain {
    /// `loading`, `synced` or `ended`.
    pub state: &'static str,
    /// That of the current world.
    pub generation: u64,
    /// Each kind, by name.
    pub kinds: std::collections::BTreeMap<Arc<str>, Explain>,
}

/// What the stream tells the stores about itself.
#[derive(Clone, Default)]
pub(super) struct Status {
    pub(super) synced: bool,
    pub(super) kinds: Arc<[Reader]>,
}

/// The store of one kind, of whatever type.
#[doc(hidden)]
#[derive(Clone)]
pub struct Reader {
    name: Arc<str>,
    store: Arc<dyn Waited>,
}

trait Waited: Send + Sync {
    fn synced(&self) -> BoxFuture<'_, Result<usize, Error>>;
    fn is_synced(&self) -> bool;
    fn explain(&self) -> Explain;
}

impl<K: Send + Sync> Waited for Store<K> {
    fn synced(&self) -> BoxFuture<'_, Result<usize, Error>> {
        self.synced().boxed()
    }

    fn is_synced(&self) -> bool {
        self.is_synced()
    }

    fn explain(&self) -> Explain {
        self.explain()
    }
}

impl Reader {
    pub(super) fn new<K: Lookup + Send + Sync + 'static>(
        name: &Arc<str>,
        store: &Store<K>,
    ) -> Self {
        Self { name: Arc::clone(name), store: Arc::new(store.clone()) }
    }

    async fn synced(&self) -> Result<usize, Error> {
        self.store.synced().await.map_err(|error| error.in_kind(&self.name))
    }
}

/// Names those that are missing, and why the first of them is.
fn missing(kinds: &[Reader], error: Error) -> Error {
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
        f.debug_tuple("WorldStore").field(&self.explain()).finish()
    }
}
