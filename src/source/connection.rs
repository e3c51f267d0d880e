//! A watch that is open.

use std::{collections::VecDeque, mem, pin::pin};

use futures::future::{Either, select};
use kube::runtime::reflector::Lookup;
use tokio::time::{Duration, Instant};

use super::{
    history,
    incoming::Incoming,
    query::Query,
    read::Read,
    request::Verb,
    resolve::Resolved,
    resume::{Failure, Resume, SUSPECT},
    target::Target,
};
use crate::{
    clock::after,
    error::{Error, Reason},
    event::WatchEvent,
    namespaced_name::identity,
    resource_version::is_before,
};

/// A connection of a watch, from its answer to its end.
pub(super) struct Connection<'w, K> {
    query: &'w Query<K>,
    target: &'w Target,
    resume: &'w mut Resume,
    body: Incoming,
    begun: Instant,
    /// The history that the list showed.
    history: u64,
    /// When the server should have ended it.
    end: Instant,
    /// When it has held for long enough to inform the store, after a failure: an idle kind may not
    /// even have bookmarks.
    proof: Option<Instant>,
    /// Set if the store lacks an object up to the resume point, and is informed of that next.
    owes_bookmark: bool,
    /// Events that may be those of another history, until it is known which one it is.
    held: &'w mut VecDeque<WatchEvent<K>>,
}

/// When a connection began, how long it may last, and the history that it goes on from.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) begun: Instant,
    pub(super) timeout: Duration,
    pub(super) history: u64,
}

/// A step of a watch.
pub(super) enum Step<K> {
    Item(Result<WatchEvent<K>, Error>),
    /// It is over, at its timeout or by a failure.
    Over(Option<Failure>),
}

impl<'w, K: Lookup> Connection<'w, K> {
    pub(super) fn new(
        query: &'w Query<K>,
        target: &'w Target,
        resume: &'w mut Resume,
        body: Incoming,
        times: Times,
        held: &'w mut VecDeque<WatchEvent<K>>,
    ) -> Self {
        let Times { begun, timeout, history } = times;
        query.watches(target, &resume.version);
        let end = Query::<K>::end_of_watch(begun, timeout);
        let proof = resume.fails().then(|| begun + SUSPECT);
        Self { query, target, resume, body, begun, history, end, proof, owes_bookmark: false, held }
    }

    /// Asks whether the server has lost its history, where that may be.
    pub(super) async fn check_history(
        &mut self,
        must_compare: bool,
        resolved: &Resolved,
    ) -> Option<Failure> {
        if !must_compare {
            return None;
        }
        let (query, target) = (self.query, self.target);
        let verdict = history::compare(query, target, resolved, self.resume).await;
        self.resume.compared(verdict).then(|| self.lost("another history"))
    }

    /// Waits for the next item, or for the end.
    pub(super) async fn step(&mut self) -> Step<K> {
        loop {
            if self.resume.is_doubt_confirmed() {
                return Step::Over(Some(self.lost("another history")));
            }
            if mem::take(&mut self.owes_bookmark) {
                self.held.push_back(self.bookmark());
            }
            if self.resume.doubt.is_none()
                && let Some(event) = self.held.pop_front()
            {
                return Step::Item(Ok(event));
            }
            let until = self.until();
            // Not polled while there are lines.
            let lost = self.query.histories.until_lost(self.history);
            let line = match select(pin!(self.body.line(until)), pin!(lost)).await {
                Either::Left((line, _)) => Some(line),
                Either::Right(_) => None,
            };
            // Another collection has noticed.
            let Some(line) = line else { return Step::Over(Some(self.lost("another history"))) };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) if self.resume.is_at_once(self.begun) => {
                    let why = "the server ended it at once";
                    let error = self.query.error(Verb::Watch, self.target, Reason::Connection, why);
                    return Step::Over(Some(Failure::Rejected(error)));
                }
                // The server ends every watch at its timeout.
                Ok(None) => return Step::Over(None),
                Err(error) if self.proof.take().is_some() && error.is_timeout() => {
                    self.resume.tries.reset();
                    self.owes_bookmark = true;
                    continue;
                }
                Err(error) => return Step::Over(Some(Failure::Interrupted(error))),
            };
            let event = match self.query.read(line, false, self.target) {
                Read::Event(event, at) => {
                    match &event {
                        WatchEvent::Deleted(object) => {
                            let (namespace, name) = identity(object);
                            self.resume.deleted(&namespace, &name, &at);
                        }
                        WatchEvent::Applied(object) if self.query.stored.is_none() => {
                            self.resume.seen.written(object);
                        }
                        _ => {}
                    }
                    self.resume.reached(at);
                    self.query.has_event(&event, &self.resume.version);
                    event
                }
                Read::Bookmark { version: Some(at), .. } => {
                    if is_before(&at, &self.resume.version) {
                        return Step::Over(Some(self.lost(&at)));
                    }
                    self.resume.bookmarked(at);
                    self.bookmark()
                }
                Read::Bookmark { version: None, .. } | Read::Known { .. } => continue,
                Read::Undecodable { error, version } => {
                    self.resume.reached(version);
                    self.owes_bookmark = true;
                    return Step::Item(Err(error));
                }
                Read::Gone { namespace, name, version } => {
                    let at = version.as_ref().unwrap_or(&self.resume.version).clone();
                    self.resume.deleted(&namespace, &name, &at);
                    self.resume.reached(at);
                    WatchEvent::Gone { namespace, name, version }
                }
                Read::Failed(error) => return Step::Over(Some(Failure::of_answer(error))),
            };
            if self.resume.doubt.is_none() && self.held.is_empty() {
                return Step::Item(Ok(event));
            }
            self.held.push_back(event);
        }
    }

    /// Returns how long to wait for the next line.
    fn until(&self) -> Instant {
        match (self.proof, self.query.max_silence.filter(|_| self.resume.bookmarks)) {
            (Some(proof), _) => proof,
            (None, Some(silence)) => after(Instant::now(), silence).min(self.end),
            (None, None) => self.end,
        }
    }

    fn bookmark(&self) -> WatchEvent<K> {
        let collection = self.target.collection.clone();
        WatchEvent::Bookmark { collection, version: self.resume.version.clone() }
    }

    fn lost(&self, found: &str) -> Failure {
        Failure::Lost(self.query.lost(self.target, found, &self.resume.version))
    }
}
