//! The decision how a watch that ended goes on: at once, later, or with a list.

use std::{mem, pin::pin, time::Duration};

use futures::future::{Either, select};
use tokio::time::Instant;

use super::{
    backoff::{Backoff, LONGEST, Tries},
    history::{Doubt, Seen, Verdict},
    incoming::Incoming,
    query::Query,
    resolve::Resolved,
    target::Target,
};
use crate::{clock::random, error::Error, resource_version::is_before};

/// The minimum duration of a watch: if the server ends it earlier without an event or bookmark, it counts
/// as a failure, as in client-go.
pub(super) const SHORTEST_WATCH: Duration = Duration::from_secs(1);

/// The length of an outage after which the server may be another one, or restored from a backup.
const OUTAGE: Duration = Duration::from_secs(3);

/// The number of times in a row that a resume may be rejected at one version before it is given up for a
/// list.
const REJECTIONS: u32 = 3;

/// The times of an open watch.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// The time of the request.
    pub(super) begun: Instant,
    /// The time of the response.
    pub(super) answered: Instant,
    /// The requested duration of the watch.
    pub(super) timeout: Duration,
}

/// An open connection.
pub(super) struct Open {
    pub(super) body: Incoming,
    pub(super) span: Span,
}

impl Span {
    /// Returns whether the server may end the watch.
    fn is_over(&self) -> bool {
        is_long_enough(self.begun, self.timeout)
    }

    /// Returns whether the watch has been open for this long, or to its end: a proxy may hold back the head
    /// of a response until the first event.
    fn has_held(&self, long: Duration) -> bool {
        self.answered.elapsed() >= long || self.is_over()
    }
}

/// Returns whether a watch with this timeout that began at `begun` is at its end, or close to it.
fn is_long_enough(begun: Instant, timeout: Duration) -> bool {
    begun.elapsed() + SHORTEST_WATCH.min(timeout / 2) >= timeout
}

/// The reason why a watch ended before its timeout.
pub(super) enum Failure {
    /// There was no connection or no answer, the connection broke, or the server is busy. This failure says
    /// nothing about the version.
    Interrupted(Error),
    /// The server's answer was an error, or no answer of an API server.
    Rejected(Error),
    /// The server has another history.
    Lost(Error),
}

impl Failure {
    pub(super) fn of_request(error: Error) -> Self {
        if error.is_interruption() { Self::Interrupted(error) } else { Self::of_answer(error) }
    }

    pub(super) fn of_answer(error: Error) -> Self {
        match error.status() {
            // The server is busy or starting.
            Some(429 | 503) => Self::Interrupted(error),
            _ => Self::Rejected(error),
        }
    }
}

/// The next step of a watch that has ended.
pub(super) enum Next {
    /// Resume, without a failure to report.
    AtOnce(Option<Error>),
    Later(Error, Duration),
    /// List; if the history is lost, without the versions seen so far.
    List {
        error: Error,
        delay: Duration,
        is_lost: bool,
    },
}

/// The progress of a watch since it was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// An event or a bookmark without a later version.
    Contact,
    /// A later version.
    Version,
}

/// The point from which a collection resumes, and the record of its attempts.
pub(super) struct Resume {
    /// The highest version seen.
    pub(super) version: String,
    /// Set once there was a bookmark.
    pub(super) bookmarks: bool,
    /// The time when the server last sent something about the collection: an event, a bookmark or a list.
    last_contact: Instant,
    /// The progress since the watch was opened.
    progress: Progress,
    /// The minimum timeout of a watch.
    watch_timeout: Duration,
    /// The number of resumes in a row that were rejected at this version.
    rejections: u32,
    /// The duration of an interruption after which a list follows.
    patience: Duration,
    /// The attempts to watch since one held.
    pub(super) tries: Tries,
    /// The lists that had to be started anew.
    lists: Tries,
    /// The lists after a resume was given up.
    given_up: Tries,
    pub(super) doubt: Option<Doubt>,
    /// The objects by which the history is recognized.
    pub(super) seen: Seen,
    /// The time since which no connection is known to have worked.
    outage: Option<Instant>,
    /// Set if the server was asked to show its history, and could not.
    is_unproven: bool,
}

impl Resume {
    pub(super) fn new(backoff: Backoff, watch_timeout: Duration) -> Self {
        Self {
            version: String::new(),
            bookmarks: false,
            last_contact: Instant::now(),
            progress: Progress::Nothing,
            watch_timeout,
            rejections: 0,
            patience: LONGEST.mul_f64(1.0 + random() / 4.0),
            tries: Tries::new(backoff),
            lists: Tries::new(backoff),
            given_up: Tries::growing(backoff),
            doubt: None,
            seen: Seen::default(),
            outage: None,
            is_unproven: false,
        }
    }

    /// Starts at the version of a complete list.
    pub(super) fn begin_at(&mut self, version: String) {
        self.version = version;
        self.last_contact = Instant::now();
        self.rejections = 0;
        self.tries.reset();
        self.doubt = None;
        self.outage = None;
        self.is_unproven = false;
    }

    /// Opens a watch at the current version, unless another collection notices meanwhile that the history
    /// is lost.
    pub(super) async fn connect<K>(
        &mut self,
        query: &Query<K>,
        target: &Target,
        resolved: &Resolved,
        history: u64,
    ) -> Result<Open, Failure> {
        // A slow answer may come from another server.
        let (begun, timeout) = (Instant::now(), query.next_timeout());
        self.outage.get_or_insert(begun);
        let watch = query.watch(target, resolved, &self.version, timeout, false);
        let lost = query.histories.until_lost(history);
        match select(pin!(lost), pin!(watch)).await {
            Either::Left(_) => {
                Err(Failure::Lost(query.lost(target, "another history", &self.version)))
            }
            Either::Right((connected, _)) => {
                let body = connected.map_err(Failure::of_request)?;
                Ok(Open { body, span: Span { begun, answered: Instant::now(), timeout } })
            }
        }
    }

    /// Records that a watch is open; returns whether the history must be compared.
    pub(super) fn opens(&mut self) -> bool {
        let must_compare = self.must_compare();
        self.outage = None;
        must_compare
    }

    /// Records the version of an event.
    pub(super) fn reached(&mut self, version: String) {
        self.contacted();
        // An equal or older version changes nothing.
        if version != self.version && !is_before(&version, &self.version) {
            self.progress = Progress::Version;
            self.version = version;
        }
    }

    /// Records the version of a bookmark, which is not before the resume point.
    pub(super) fn bookmarked(&mut self, version: String) {
        self.contacted();
        self.bookmarks = true;
        if version != self.version {
            self.progress = Progress::Version;
        }
        self.version = version;
    }

    fn contacted(&mut self) {
        self.last_contact = Instant::now();
        if self.progress == Progress::Nothing {
            self.progress = Progress::Contact;
            self.recovers();
        }
    }

    /// Resets the failures: a watch can resume from this version.
    fn recovers(&mut self) {
        self.rejections = 0;
        self.tries.reset();
        self.lists.reset();
        self.given_up.reset();
    }

    /// Returns whether a watch that ends now has never held.
    pub(super) fn is_at_once(&self, span: Span) -> bool {
        self.progress != Progress::Version && !span.has_held(SHORTEST_WATCH)
    }

    pub(super) fn fails(&self) -> bool {
        self.tries.last().max(self.given_up.last()) > Duration::ZERO
    }

    /// Returns whether the server must show that it still has the history that was seen: after an outage,
    /// or if bookmarks have stopped.
    pub(super) fn must_compare(&self) -> bool {
        let is_silent = self.bookmarks && is_long_enough(self.last_contact, self.watch_timeout);
        let was_out = self.outage.is_some_and(|since| since.elapsed() >= OUTAGE);
        self.is_unproven || is_silent || was_out
    }

    /// Returns whether a list may be of another history.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.version.is_empty() && (self.doubt.is_some() || self.must_compare())
    }

    /// Records a comparison, and returns whether the history is lost.
    pub(super) fn compared(&mut self, verdict: Verdict) -> bool {
        self.is_unproven = matches!(verdict, Verdict::Unknown);
        match verdict {
            Verdict::Same | Verdict::Unknown => false,
            Verdict::Lost => true,
            Verdict::Doubtful(doubt) => {
                self.doubt = Some(doubt);
                false
            }
        }
    }

    /// Makes the next watch begin with a comparison.
    pub(super) fn stays_unproven(&mut self) {
        self.is_unproven = true;
    }

    /// Records the deletion of an object.
    pub(super) fn deleted(&mut self, namespace: &str, name: &str, version: &str) {
        self.seen.deleted(namespace, name, version);
        self.doubt.take_if(|doubt| doubt.is_settled_by(namespace, name));
    }

    /// Returns whether the watch is past a deletion that did not arrive.
    pub(super) fn is_doubt_confirmed(&self) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.is_over_at(&self.version))
    }

    /// Decides how to go on after a watch that could not be opened, or was open for a time.
    pub(super) fn after(&mut self, failure: Option<Failure>, span: Option<Span>) -> Next {
        let long = SHORTEST_WATCH.max(self.tries.last());
        let has_held = span.is_some_and(|span| span.has_held(long));
        let progress = mem::replace(&mut self.progress, Progress::Nothing) == Progress::Version;
        let progress = progress || has_held;
        if progress {
            self.tries.reset();
        }
        match &failure {
            None | Some(Failure::Lost(_)) => {}
            // A busy server is no outage.
            Some(Failure::Interrupted(error)) if error.status() == Some(429) => {}
            // A silent connection may have been dead since the last event or bookmark.
            Some(Failure::Interrupted(error)) if error.is_timeout() => {
                self.outage.get_or_insert(self.last_contact);
            }
            Some(_) => {
                self.outage.get_or_insert_with(Instant::now);
            }
        }
        match failure {
            None => {
                self.recovers();
                Next::AtOnce(None)
            }
            Some(Failure::Interrupted(error)) if progress && error.is_connection() => {
                Next::AtOnce(Some(error))
            }
            Some(Failure::Lost(error)) => {
                let (error, delay) = self.loses(error);
                Next::List { error, delay, is_lost: true }
            }
            // A resource that was removed and comes back has another history.
            Some(Failure::Rejected(error)) if error.is_desynced() || error.is_not_installed() => {
                let (error, delay) = self.lists_after(error);
                Next::List { error, delay, is_lost: false }
            }
            Some(Failure::Rejected(error)) => {
                self.rejections += 1;
                self.later(error)
            }
            Some(Failure::Interrupted(error)) => self.later(error),
        }
    }

    /// Returns the error and the delay of the list that follows it.
    pub(super) fn lists_after(&mut self, error: Error) -> (Error, Duration) {
        self.outage.get_or_insert_with(Instant::now);
        let delay = self.lists.after(&error);
        (error, delay)
    }

    /// Forgets the version, which is of another history.
    pub(super) fn loses(&mut self, error: Error) -> (Error, Duration) {
        self.version.clear();
        self.lists_after(error)
    }

    fn later(&mut self, error: Error) -> Next {
        // Only a watch that holds proves that watches work again.
        let error = error.outliving_lists();
        if self.rejections >= REJECTIONS || self.last_contact.elapsed() > self.patience {
            self.rejections = 0;
            let delay = self.given_up.after(&error);
            return Next::List { error, delay, is_lost: false };
        }
        let delay = self.tries.after(&error);
        Next::Later(error, delay)
    }
}
