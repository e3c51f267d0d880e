//! An open watch.

use std::{collections::VecDeque, mem, pin::pin};

use futures::future::{Either, select};
use kube::runtime::reflector::Lookup;
use tokio::time::Instant;

use super::{
    history,
    incoming::{Incoming, LONGEST},
    page::Expected,
    query::Query,
    read::Read,
    request::Verb,
    resolve::Resolved,
    resume::{Failure, Open, Resume, SHORTEST_WATCH, Span},
    target::Target,
};
use crate::{
    clock::after,
    error::{Error, ErrorKind},
    event::WatchEvent,
    namespaced_name::identity,
    resource_version::is_before,
};

/// The connection of a watch, from its response to its end.
pub(super) struct Connection<'w, K> {
    query: &'w Query<K>,
    target: &'w Target,
    resolved: &'w Resolved,
    expected: Expected,
    resume: &'w mut Resume,
    body: Incoming,
    span: Span,
    /// The history that the list showed.
    history: u64,
    /// The time by which the server should have ended the watch.
    end: Instant,
    /// After a failure, the time at which the watch has held long enough to inform the store: an idle kind
    /// may not even have bookmarks.
    proof: Option<Instant>,
    /// Set if the store lacks an object up to the resume point, so that it gets a bookmark next.
    owes_bookmark: bool,
    /// Items that may be of another history, until the history is known.
    held: &'w mut Held<K>,
}

/// Items that wait for the deletion that identifies the history, each with the length of its line.
pub(super) struct Held<K> {
    items: VecDeque<(Result<WatchEvent<K>, Error>, usize)>,
    bytes: usize,
}

/// The maximum number of items that wait for one deletion; beyond it the watch is given up for a list.
const MOST_HELD: usize = 10_000;

/// The maximum total length of their lines. It equals the maximum length of one line, so any single item
/// can wait, and 10,000 items of the usual size can.
const MOST_BYTES_HELD: usize = LONGEST;

impl<K> Held<K> {
    pub(super) fn new() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }

    fn push(&mut self, item: Result<WatchEvent<K>, Error>, bytes: usize) {
        self.bytes += bytes;
        self.items.push_back((item, bytes));
    }

    fn pop(&mut self) -> Option<Result<WatchEvent<K>, Error>> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }

    /// Returns whether more items arrived than may wait.
    fn is_too_much(&self) -> bool {
        self.items.len() > MOST_HELD || self.bytes > MOST_BYTES_HELD
    }
}

/// A step of a watch.
pub(super) enum Step<K> {
    Item(Result<WatchEvent<K>, Error>),
    /// The watch ended, at its timeout or by a failure.
    Over(Option<Failure>),
}

impl<'w, K: Lookup> Connection<'w, K> {
    pub(super) fn new(
        query: &'w Query<K>,
        target: &'w Target,
        resolved: &'w Resolved,
        resume: &'w mut Resume,
        open: Open,
        history: u64,
        held: &'w mut Held<K>,
    ) -> Self {
        let Open { body, span } = open;
        query.watches(target, &resume.version);
        let end = Query::<K>::end_of_watch(span.begun, span.timeout);
        let proof = resume.fails().then(|| span.answered + SHORTEST_WATCH);
        Self {
            query,
            target,
            resolved,
            expected: query.expected(resolved),
            resume,
            body,
            span,
            history,
            end,
            proof,
            owes_bookmark: false,
            held,
        }
    }

    /// Asks the server whether it has lost its history, if the history is in doubt.
    pub(super) async fn check_history(&mut self, must_compare: bool) -> Option<Failure> {
        if !must_compare {
            return None;
        }
        if self.resume.doubt.is_some() && self.query.stored.is_some() {
            // The store has the objects of the state before the held items.
            self.resume.stays_unproven();
            return None;
        }
        let (query, target, resolved) = (self.query, self.target, self.resolved);
        let verdict =
            history::compare(query, target, resolved, &self.resume.version, &self.resume.seen)
                .await;
        self.resume.compared(verdict).then(|| self.lost("another history"))
    }

    /// Waits for the next item or the end.
    pub(super) async fn step(&mut self) -> Step<K> {
        loop {
            if self.resume.is_doubt_confirmed() {
                return Step::Over(Some(self.lost("another history")));
            }
            if mem::take(&mut self.owes_bookmark) {
                self.held.push(Ok(self.bookmark()), 0);
            }
            if self.resume.doubt.is_none()
                && let Some(item) = self.held.pop()
            {
                return Step::Item(item);
            }
            if self.held.is_too_much() {
                let why = "too many items came before the deletion that identifies the history";
                let error = self.query.error(Verb::Watch, self.target, ErrorKind::Desynced, why);
                return Step::Over(Some(Failure::Rejected(error)));
            }
            let until = self.until();
            // Not polled while lines are available.
            let lost = self.query.histories.until_lost(self.history);
            let Either::Left((line, _)) = select(pin!(self.body.line(until)), pin!(lost)).await
            else {
                // Another collection has noticed the loss.
                return Step::Over(Some(self.lost("another history")));
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) if self.resume.is_at_once(self.span) => {
                    let why = "the server ended the watch at once";
                    let error =
                        self.query.error(Verb::Watch, self.target, ErrorKind::Connection, why);
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
            let bytes = line.len();
            let item = match self.query.read(line, false, self.target, &self.expected) {
                Read::Event(event, at) => {
                    if let WatchEvent::Deleted(object) = &event {
                        let (namespace, name) = identity(object);
                        self.resume.deleted(&namespace, &name, &at);
                    }
                    self.resume.seen.note(self.query, &event);
                    self.resume.reached(at);
                    self.query.has_event(&event, &self.resume.version);
                    Ok(event)
                }
                Read::Bookmark { version: Some(at), .. } => {
                    if is_before(&at, &self.resume.version) {
                        return Step::Over(Some(self.lost(&at)));
                    }
                    self.resume.bookmarked(at);
                    Ok(self.bookmark())
                }
                Read::Bookmark { version: None, .. } | Read::Known { .. } => continue,
                Read::Undecodable { error, version } => {
                    self.resume.reached(version);
                    self.owes_bookmark = true;
                    Err(error)
                }
                Read::Gone { namespace, name, version } => {
                    let at = version.as_ref().unwrap_or(&self.resume.version).clone();
                    self.resume.deleted(&namespace, &name, &at);
                    self.resume.reached(at);
                    Ok(WatchEvent::Gone { namespace, name, version })
                }
                Read::Failed(error) => return Step::Over(Some(Failure::of_answer(error))),
            };
            if self.resume.doubt.is_none() && self.held.items.is_empty() {
                return Step::Item(item);
            }
            self.held.push(item, bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document::Document, event::Collection};

    /// SEMANTICS: B1
    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let item = || {
            let (collection, version) = (Collection::cluster(), "7".to_owned());
            Ok(WatchEvent::<Document>::Bookmark { collection, version })
        };
        for (count, bytes) in [(MOST_HELD, 0), (1, MOST_BYTES_HELD), (2, MOST_BYTES_HELD / 2)] {
            let mut held = Held::new();
            for _ in 0..count {
                held.push(item(), bytes);
            }
            assert!(!held.is_too_much(), "{count} of {bytes}");
            held.push(item(), 1);
            assert!(held.is_too_much(), "{count} of {bytes}");
            assert!(held.pop().is_some());
            assert!(!held.is_too_much(), "{count} of {bytes}");
        }
    }
}
