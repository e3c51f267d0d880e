//! What a watch logs.

use std::time::Duration;

use kube::runtime::{reflector::Lookup, watcher::Event};
use tokio::time::Instant;

use super::query::{Collection, Query};
use crate::error::Error;

/// An event with what all of them say: which watch it is.
macro_rules! log {
    ($level:ident, $query:expr, $($rest:tt)*) => {
        tracing::$level!(
            resource = &*$query.origin.resource,
            name = $query.origin.name.as_deref(),
            $($rest)*
        )
    };
}

impl<K> Query<K> {
    pub(super) fn list_begins(&self, collection: &Collection, streaming: bool) {
        log!(debug, self, namespace = collection.namespace, streaming, "list begins");
    }

    pub(super) fn list_is_complete(
        &self,
        collection: &Collection,
        objects: usize,
        version: &str,
        begun: Instant,
    ) {
        log!(
            debug,
            self,
            namespace = collection.namespace,
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
        log!(info, self, %error, reason = error.reason(), ?delay, "listing again");
    }

    pub(super) fn tries_again(&self, error: &Error, delay: Duration) {
        log!(debug, self, %error, reason = error.reason(), ?delay, "trying again");
    }

    /// Begins, or resumes.
    pub(super) fn watches(&self, collection: &Collection, version: &str) {
        log!(debug, self, namespace = collection.namespace, resource_version = version, "watching");
    }

    pub(super) fn watch_ended(&self, collection: &Collection, version: &str) {
        log!(
            debug,
            self,
            namespace = collection.namespace,
            resource_version = version,
            "the server ended the watch, resuming"
        );
    }

    /// For each event, so it must cost nothing while nobody listens.
    #[inline]
    pub(super) fn has_event(&self, event: &Event<K>, version: &str)
    where
        K: Lookup,
    {
        if !tracing::enabled!(tracing::Level::TRACE) {
            return;
        }
        let (what, object) = match event {
            Event::Delete(object) => ("delete", object),
            Event::Apply(object) | Event::InitApply(object) => ("apply", object),
            Event::Init | Event::InitDone => return,
        };
        log!(
            trace,
            self,
            change = what,
            object.namespace = object.namespace().as_deref(),
            object.name = object.name().as_deref(),
            resource_version = version,
            "event"
        );
    }
}
