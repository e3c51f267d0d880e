//! Fetches of single objects, shared by all callers that wait for them.

use std::sync::Arc;

use futures::FutureExt;
use kube::runtime::reflector::Lookup;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use super::{
    cache::is_current,
    inner::{Flight, Inner, Joinable, ObjectId, Outcome, overdue},
};
use crate::{
    clock::after,
    error::{Error, ErrorKind, caught_in},
    index::Key,
    printed::{LONGEST_NAME, LONGEST_NAMESPACE, printed},
    source::{Fetched, Tries},
};

/// How long the watch may lag behind the API server with the deletion of an object.
const AGREEMENT: Duration = Duration::from_secs(5);

/// The longest delay between two attempts, because a caller waits; longer only if the API server asks for
/// it.
const LONGEST: Duration = Duration::from_secs(5);

/// A guard that removes a fetch from the joinable ones when the fetch ends in any way.
struct FlightGuard<K, L> {
    inner: Arc<Inner<K, L>>,
    key: Key,
    number: u64,
}

impl<K, L> Drop for FlightGuard<K, L> {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        // A later fetch may have taken the entry.
        if state.flights.get(&self.key).is_some_and(|joinable| joinable.number == self.number) {
            state.flights.remove(&self.key);
        }
    }
}

/// The way in which a caller gets an object.
enum Access<K> {
    Cached(Arc<K>),
    /// A fetch, and its deadline.
    InFlight(Flight<K>, Instant),
}

/// An answer compared with the state of the watch.
pub(super) enum Freshness {
    /// The answer is of the version that the watch saw, or later.
    Current,
    Outdated,
    /// The watch saw the object's deletion.
    Gone,
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

    /// Starts to fetch an object that no other caller is fetching.
    fn start(
        self: &Arc<Self>,
        id: &ObjectId,
        number: u64,
        deadline: Instant,
    ) -> (Flight<K>, Option<Joinable<K>>) {
        let (inner, id) = (Arc::clone(self), id.clone());
        let guard = FlightGuard { inner: Arc::clone(self), key: id.key.clone(), number };
        let flight = async move {
            let _guard = guard;
            let begun = Instant::now();
            let outcome = caught_in(inner.fetch(&id, deadline)).await;
            inner.ended(&id, begun, outcome.as_ref().err());
            outcome
        };
        let flight = flight.boxed().shared();
        let joinable = flight.downgrade().map(|flight| Joinable { number, deadline, flight });
        (flight, joinable)
    }

    async fn fetch(&self, id: &ObjectId, deadline: Instant) -> Outcome<K> {
        let identity = id.identity();
        let mut backoff = Tries::default();
        let mut not_before = None;
        let mut last = None;
        loop {
            let Some(seen) = self.seen(id) else { return Ok(None) };
            let answer = timeout_at(deadline, self.get(id, not_before.as_deref())).await;
            let Ok(answer) = answer else { return Err(overdue(id, last)) };
            match answer {
                Ok(fetched) => match self.freshness(id, &fetched) {
                    Freshness::Current => {
                        self.lock().cache.put(&id.key, &fetched);
                        return Ok(Some(fetched.object));
                    }
                    Freshness::Gone => return Ok(None),
                    Freshness::Outdated => {
                        self.lock().counts.stale += 1;
                        let why = "the API server answered with an older version than was watched";
                        last = Some(Error::new(ErrorKind::Desynced, why));
                        // A server that lags waits for `resourceVersion` or returns an error, so the first
                        // retry needs no delay.
                        if not_before.replace(seen).is_none() {
                            continue;
                        }
                    }
                },
                Err(error) if error.is_not_found() => {
                    if self.is_other_soon(id, &seen, deadline).await {
                        continue;
                    }
                    let what = "is not there, and the watch did not see it go";
                    return Err(Error::of_object(None, identity, what, Some(error)));
                }
                Err(error) if error.is_refusal() || error.is_undecodable() => {
                    return Err(Error::of_object(None, identity, "can't be fetched", Some(error)));
                }
                Err(error) => last = Some(error),
            }
            let wait = last.as_ref().map_or(Duration::ZERO, |error| {
                backoff.after(error).min(error.retry_after().unwrap_or_default().max(LONGEST))
            });
            let next = after(Instant::now(), wait);
            if next >= deadline {
                return Err(overdue(id, last));
            }
            self.lock().counts.retries.add_one();
            self.tries_again(id, last.as_ref(), wait);
            sleep_until(next).await;
        }
    }

    /// Sends one request when a permit is free.
    async fn get(&self, id: &ObjectId, not_before: Option<&str>) -> Result<Fetched<K>, Error> {
        let (namespace, name) = id.identity();
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        self.lock().counts.gets += 1;
        self.fetcher.get(namespace, name, not_before).await
    }

    /// Returns the version that the watch has seen last, unless it has seen the object's deletion.
    pub(super) fn seen(&self, id: &ObjectId) -> Option<String> {
        let (namespace, name) = id.identity();
        let object = self.store.get((namespace, name))?;
        Some(object.resource_version().unwrap_or_default().into_owned())
    }

    pub(super) fn freshness(&self, id: &ObjectId, fetched: &Fetched<K>) -> Freshness {
        let Some(seen) = self.seen(id) else { return Freshness::Gone };
        if is_current(&*fetched.object, &seen) { Freshness::Current } else { Freshness::Outdated }
    }

    /// Returns whether the watch soon sees another version than this one, or the deletion.
    async fn is_other_soon(&self, id: &ObjectId, version: &str, deadline: Instant) -> bool {
        let mut status = self.store.subscribe();
        let deadline = deadline.min(after(Instant::now(), AGREEMENT));
        loop {
            status.borrow_and_update();
            if self.seen(id).as_deref() != Some(version) {
                return true;
            }
            if !matches!(timeout_at(deadline, status.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }
}

/// Logs and metrics.
impl<K: Lookup, L> Inner<K, L> {
    fn ended(&self, id: &ObjectId, begun: Instant, failure: Option<&Error>) {
        self.lock().counts.ended(begun, failure.map(Error::reason));
        let resource = &*self.fetcher.origin().resource;
        let identity = id.identity();
        let duration = begun.elapsed();
        match failure {
            None => tracing::trace!(
                resource,
                object.namespace = printed(identity.0, LONGEST_NAMESPACE),
                object.name = printed(identity.1, LONGEST_NAME),
                ?duration,
                "fetched"
            ),
            Some(error) => tracing::debug!(
                resource, %error, reason = error.reason(), ?duration, "not fetched"
            ),
        }
    }

    fn tries_again(&self, id: &ObjectId, last: Option<&Error>, delay: Duration) {
        let resource = &*self.fetcher.origin().resource;
        let identity = id.identity();
        tracing::debug!(
            resource,
            object.namespace = printed(identity.0, LONGEST_NAMESPACE),
            object.name = printed(identity.1, LONGEST_NAME),
            error = last.map(tracing::field::display),
            reason = last.map(Error::reason),
            ?delay,
            "fetching again"
        );
    }
}
