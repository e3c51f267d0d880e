//! The state that all clones of a [`Fetching`](super::Fetching) share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::runtime::reflector::Lookup;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    cache::{Cache, is_current},
    config::FetchConfig,
    flight::{Flight, Joinable},
};
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

/// The identity of an object, and its key in the cache.
#[derive(Clone)]
pub(super) struct ObjectId {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The way in which a caller gets an object.
enum Access<K> {
    Cached(Arc<K>),
    /// A fetch, and its deadline.
    InFlight(Flight<K>, Instant),
}

impl<K, L> Inner<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    /// Returns an object from the cache or from a shared fetch.
    pub(super) async fn one(self: &Arc<Self>, id: &ObjectId, deadline: Instant) -> Outcome<K> {
        loop {
            let Some(seen) = self.seen(id) else {
                // A deleted object needs no place in the cache.
                self.lock().cache.remove(&id.key);
                return Ok(None);
            };
            let (flight, theirs) = match self.access(id, &seen, deadline) {
                Access::Cached(object) => return Ok(Some(object)),
                Access::InFlight(flight, theirs) => (flight, theirs),
            };
            let overdue = || Err(overdue(id, None));
            if Instant::now() >= deadline {
                return overdue();
            }
            match timeout_at(deadline, flight).await {
                // The caller that started the fetch had an earlier deadline.
                Ok(Err(error)) if error.is_timeout() && theirs < deadline => {}
                // The object was fetched before the watch saw the version that is wanted here.
                Ok(Ok(Some(object))) if !is_current(&*object, &seen) => {}
                Ok(outcome) => return outcome,
                Err(_) => return overdue(),
            }
        }
    }

    fn access(self: &Arc<Self>, id: &ObjectId, seen: &str, deadline: Instant) -> Access<K> {
        let mut state = self.lock();
        if let Some(object) = state.cache.get(&id.key, seen) {
            state.counts.hits.add_one();
            return Access::Cached(object);
        }
        if let Some((flight, theirs)) = state.flights.get(&id.key).and_then(Joinable::join) {
            state.counts.joined.add_one();
            return Access::InFlight(flight, theirs);
        }
        state.counts.misses.add_one();
        state.begun += 1;
        let (flight, joinable) = self.start(id, state.begun, deadline);
        state.flights.extend(joinable.map(|joinable| (id.key.clone(), joinable)));
        Access::InFlight(flight, deadline)
    }
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
