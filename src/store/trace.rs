//! The log lines of a store: one when it degrades, one when it recovers.

use std::time::Instant;

use crate::{error::Error, origin::Origin};

/// Log state of an outage of the stream that fills a store: the outage is logged when it begins and when it
/// ends.
#[derive(Default)]
pub(super) struct Outage(Option<Since>);

struct Since {
    begun: Instant,
    failures: u64,
}

impl Outage {
    pub(super) fn goes_on(&mut self, origin: &Origin, error: &Error, now: Instant) {
        let (resource, name) = (&*origin.resource, origin.name.as_deref());
        let (reason, trouble, namespace) = (error.reason(), error.trouble(), error.namespace());
        match &mut self.0 {
            Some(since) => {
                since.failures += 1;
                tracing::debug!(
                    resource, name, namespace, %error, reason, trouble, "stream still degraded"
                );
            }
            none => {
                *none = Some(Since { begun: now, failures: 1 });
                tracing::warn!(
                    resource, name, namespace, %error, reason, trouble, "stream degraded, retrying"
                );
            }
        }
    }

    pub(super) fn ends(&mut self, origin: &Origin, now: Instant) {
        let Some(Since { begun, failures }) = self.0.take() else { return };
        let (resource, name) = (&*origin.resource, origin.name.as_deref());
        let outage = now.duration_since(begun);
        tracing::info!(resource, name, ?outage, failures, "stream recovered");
    }
}

/// Logs that an object can't be decoded; the first such object as a warning.
pub(super) fn undecodable(origin: &Origin, error: &Error, is_first: bool) {
    let (resource, name, reason) = (&*origin.resource, origin.name.as_deref(), error.reason());
    if is_first {
        tracing::warn!(resource, name, %error, reason, "skipped an object that can't be decoded");
    } else {
        tracing::debug!(resource, name, %error, reason, "skipped another object that can't be decoded");
    }
}

/// Logs that all objects can be decoded again.
pub(super) fn repaired(origin: &Origin) {
    let (resource, name) = (&*origin.resource, origin.name.as_deref());
    tracing::info!(resource, name, "all objects can be decoded again");
}

pub(super) fn counts_as_empty(origin: &Origin, error: &Error) {
    let (resource, name, reason) = (&*origin.resource, origin.name.as_deref(), error.reason());
    tracing::info!(resource, name, reason, "optional kind is missing, treated as empty");
}

pub(super) fn synced(origin: &Origin, objects: usize) {
    let (resource, name) = (&*origin.resource, origin.name.as_deref());
    tracing::info!(resource, name, objects, "synced");
}

pub(super) fn list_taken_in(origin: &Origin, objects: usize, changes: usize) {
    let (resource, name) = (&*origin.resource, origin.name.as_deref());
    tracing::debug!(resource, name, objects, changes, "list applied");
}
