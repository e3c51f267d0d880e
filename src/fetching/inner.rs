//! The state that all clones of a [`Fetching`](super::Fetching) share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::future::{BoxFuture, Shared, WeakShared};
use kube::runtime::reflector::Lookup;
use tokio::{sync::Semaphore, time::Instant};

use super::{cache::Cache, config::FetchConfig};
use crate::{
    clock::after,
    error::{Error, ErrorKind},
    index::Key,
    measure,
    namespaced_name::identity,
    source::Fetcher,
    store::Store,
};

/// An object, or `None` if it is gone.
pub(super) type Outcome<K> = Result<Option<Arc<K>>, Error>;

pub(super) struct Inner<K, L> {
    pub(super) store: Store<L>,
    pub(super) fetcher: Fetcher<K>,
    pub(super) config: FetchConfig,
    pub(super) permits: Semaphore,
    /// Held during a list.
    pub(super) listing: tokio::sync::Mutex<()>,
    pub(super) state: Mutex<State<K>>,
}

pub(super) struct State<K> {
    pub(super) cache: Cache<K>,
    pub(super) flights: HashMap<Key, Joinable<K>>,
    /// The number of fetches started so far.
    pub(super) begun: u64,
    pub(super) counts: measure::Fetching,
}

/// A fetch. It goes on while any of its callers polls it, and ends when all of them are dropped.
pub(super) type Flight<K> = Shared<BoxFuture<'static, Outcome<K>>>;

/// A fetch that later callers can join.
pub(super) struct Joinable<K> {
    pub(super) number: u64,
    /// The time at which the fetch gives up.
    pub(super) deadline: Instant,
    pub(super) flight: WeakShared<BoxFuture<'static, Outcome<K>>>,
}

impl<K> Joinable<K> {
    /// Returns the fetch and its deadline, unless all of its callers are gone.
    pub(super) fn join(&self) -> Option<(Flight<K>, Instant)> {
        Some((self.flight.upgrade()?, self.deadline))
    }
}

/// The identity of an object, and its key in the cache.
#[derive(Clone)]
pub(super) struct ObjectId {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl<K, L> Inner<K, L> {
    pub(super) fn deadline(&self) -> Instant {
        after(Instant::now(), self.config.deadline)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectId {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        let key = Key::new([namespace, name]);
        Self { key, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(super) fn of<L: Lookup>(object: &L) -> Self {
        let (namespace, name) = identity(object);
        Self::new(&namespace, &name)
    }

    pub(super) fn identity(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

pub(super) fn overdue(id: &ObjectId, last: Option<Error>) -> Error {
    Error::of_object(ErrorKind::Timeout, id.identity(), "was not fetched in time", last)
}
