//! Logs and metrics of a candidate.

use tokio::time::Instant;

use super::term::Term;
use crate::{
    error::Error,
    measure,
    printed::{LONGEST_NAME, printed},
};

/// Logs an event with the Lease and the identity, which all events have.
macro_rules! log {
    ($level:ident, $trace:expr, $($rest:tt)*) => {
        tracing::$level!(lease = $trace.lease, identity = $trace.identity, $($rest)*)
    };
}

pub(super) struct Trace {
    lease: String,
    identity: String,
    meter: measure::Leader,
}

impl Trace {
    pub(super) fn new(namespace: &str, lease: &str, identity: &str) -> Self {
        let meter = measure::Leader::new(namespace, lease);
        Self { lease: lease.to_owned(), identity: identity.to_owned(), meter }
    }

    pub(super) fn elected(&mut self, term: &Term) {
        self.meter.elected();
        log!(info, self, number = term.number(), "leading");
    }

    pub(super) fn follows(&self, leader: Option<&str>) {
        let leader = leader.map(|leader| printed(leader, LONGEST_NAME));
        log!(info, self, leader = leader.as_deref(), "following");
    }

    pub(super) fn lost(&mut self, term: &Term) {
        self.meter.lost();
        log!(warn, self, number = term.number(), "no longer leading");
    }

    /// Records a renewal that was sent at `sent` and answered, or failed.
    pub(super) fn renewed(&self, term: &Term, sent: Instant, failure: Option<&Error>) {
        self.meter.renewed(sent, failure.map(Error::reason));
        let (number, duration) = (term.number(), sent.elapsed());
        match failure {
            None => log!(trace, self, number, ?duration, "renewed"),
            Some(error) => {
                let (reason, left) = (error.reason(), term.remaining());
                log!(debug, self, number, ?duration, %error, reason, ?left, "not renewed");
            }
        }
    }

    /// Logs a renewal that failed during the release, when nobody reads the stream's items any more.
    pub(super) fn renewal_failed(&self, error: &Error) {
        log!(warn, self, %error, reason = error.reason(), "not renewed, retrying");
    }

    /// Records that this replica gave up leading by itself.
    pub(super) fn resigned(&mut self) {
        self.meter.resigned();
    }

    pub(super) fn released(&self) {
        log!(info, self, "released");
    }

    pub(super) fn release_failed(&self, error: &Error) {
        log!(warn, self, %error, reason = error.reason(), "not released, retrying");
    }
}
