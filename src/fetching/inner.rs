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
    pub(super) turns: Semaphore,
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
pub(super) struct Ticket {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// The way in which a caller gets an object.
enum Asked<K> {
    Has(Arc<K>),
    /// A fetch, and its deadline.
    Wait(Flight<K>, Instant),
}

impl<K, L> Inner<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    /// Returns an object from the cache or from a shared fetch.
    pub(super) async fn one(self: &Arc<Self>, ticket: &Ticket, deadline: Instant) -> Outcome<K> {
        loop {
            let Some(seen) = self.seen(ticket) else {
                // A deleted object needs no place in the cache.
                self.lock().cache.remove(&ticket.key);
                return Ok(None);
            };
            let (flight, theirs) = match self.ask(ticket, &seen, deadline) {
                Asked::Has(object) => return Ok(Some(object)),
                Asked::Wait(flight, theirs) => (flight, theirs),
            };
            let overdue = || Err(overdue(ticket, None));
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

    fn ask(self: &Arc<Self>, ticket: &Ticket, seen: &str, deadline: Instant) -> Asked<K> {
        let mut state = self.lock();
        if let Some(object) = state.cache.get(&ticket.key, seen) {
            state.counts.hits.add_one();
            return Asked::Has(object);
        }
        if let Some((flight, theirs)) = state.flights.get(&ticket.key).and_then(Joinable::join) {
            state.counts.joined.add_one();
            return Asked::Wait(flight, theirs);
        }
        state.counts.misses.add_one();
        state.begun += 1;
        let (flight, joinable) = self.launch(ticket, state.begun, deadline);
        state.flights.extend(joinable.map(|joinable| (ticket.key.clone(), joinable)));
        Asked::Wait(flight, deadline)
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

impl Ticket {
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

pub(super) fn overdue(ticket: &Ticket, last: Option<Error>) -> Error {
    Error::of_object(ErrorKind::Timeout, ticket.identity(), "was not fetched in time", last)
}
