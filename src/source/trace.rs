//! Log events of a watch.

use std::time::Duration;

use kube::runtime::reflector::Lookup;
use tokio::time::Instant;

use super::{query::Query, target::Target};
use crate::{
    error::Error,
    event::WatchEvent,
    printed::{LONGEST_NAME, LONGEST_NAMESPACE, printed},
};

/// Logs an event with the fields of all events: the resource and name of the watch.
macro_rules! log {
    ($level:ident, $query:expr, $($rest:tt)*) => {
        tracing::$level!(
            resource = &*$query.origin.resource,
            name = $query.origin.name.as_deref(),
            $($rest)*
        )
    };
}

impl Target {
    fn shown(&self) -> &str {
        self.collection.namespace().unwrap_or_default()
    }
}

impl<K> Query<K> {
    pub(super) fn list_begins(&self, target: &Target, streaming: bool) {
        log!(debug, self, namespace = target.shown(), streaming, "list begins");
    }

    pub(super) fn list_is_complete(
        &self,
        target: &Target,
        objects: usize,
        version: &str,
        begun: Instant,
    ) {
        log!(
            debug,
            self,
            namespace = target.shown(),
            objects,
            resource_version = version,
            duration = ?begun.elapsed(),
            "list is complete"
        );
    }

    pub(super) fn lists_in_pages(&self, error: &Error) {
        log!(debug, self, %error, reason = error.reason(), "no streaming list here, listing in pages");
    }

    pub(super) fn lists_again(&self, error: &Error, delay: Duration) {
        log!(debug, self, %error, reason = error.reason(), ?delay, "listing again");
    }

    pub(super) fn tries_again(&self, error: &Error, delay: Duration) {
        log!(debug, self, %error, reason = error.reason(), ?delay, "trying again");
    }

    /// Logs that a watch is open, for the first time or again.
    pub(super) fn watches(&self, target: &Target, version: &str) {
        log!(debug, self, namespace = target.shown(), resource_version = version, "watching");
    }

    /// Logs that a watch that had held ended and is resumed at once.
    pub(super) fn resumes(&self, target: &Target, version: &str, error: Option<&Error>) {
        log!(
            debug,
            self,
            namespace = target.shown(),
            resource_version = version,
            error = error.map(tracing::field::display),
            "the watch ended, resuming"
        );
    }

    /// Logs an event. The fields are evaluated only if the event is enabled.
    #[inline]
    pub(super) fn has_event(&self, event: &WatchEvent<K>, version: &str)
    where
        K: Lookup,
    {
        let (what, object) = match event {
            WatchEvent::Deleted(object) => ("delete", object),
            WatchEvent::Applied(object) | WatchEvent::Listed(object) => ("apply", object),
            _ => return,
        };
        log!(
            trace,
            self,
            change = what,
            object.namespace =
                object.namespace().map(|name| printed(&name, LONGEST_NAMESPACE)).as_deref(),
            object.name = object.name().map(|name| printed(&name, LONGEST_NAME)).as_deref(),
            resource_version = version,
            "event"
        );
    }
}
