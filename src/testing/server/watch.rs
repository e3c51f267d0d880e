//! Watches: a cursor into the history, read as fast as the client reads.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use tokio::{sync::watch::Receiver, time::Instant};

use crate::testing::server::{
    damage::{self, Piece},
    history::{Change, Happening, Object, Step},
    on::RequestInfo,
    query::Query,
    resource::Resource,
    selectors::Selection,
    shared::{Shared, State},
    status::{self, Outcome},
    verb::Verb,
    view::View,
};

/// The time between two bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// The duration of a watch without `timeoutSeconds`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A duration longer than any test, and short enough for any clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A watch that has been accepted.
#[derive(Debug)]
pub(super) struct Watch {
    resource: Arc<Resource>,
    selection: Selection,
    query: Query,
    view: View,
    /// The objects at the opening, if the client wants them.
    initial: Vec<Object>,
    /// The revision of `initial`, sent in the bookmark after it.
    initial_end: Option<u64>,
    /// The position in the history.
    cursor: u64,
    /// The era of the history in which the cursor is valid.
    era: u64,
    /// Position at the start of the watch: earlier signals don't apply to it.
    opened: u64,
    /// The version up to which the client knows everything.
    after: u64,
    /// The version up to which everything has been read.
    seen: u64,
    bookmarks: bool,
    /// The version up to which no bookmarks are sent, because the client requested it before it was reached.
    quiet: u64,
    next_bookmark: Instant,
    deadline: Instant,
    /// An `ERROR` event to send instead of anything else.
    refusal: Option<Box<kube::core::Status>>,
    wake: Receiver<()>,
}

impl Watch {
    /// # Errors
    /// 400 and 422 for invalid options. A version from before the horizon, and initial events of a
    /// future version, are no error here: as on a real server the watch starts with an `ERROR` event.
    pub(super) fn open(
        shared: &Shared,
        resource: Arc<Resource>,
        selection: Selection,
        query: &Query,
        view: View,
    ) -> Outcome<Self> {
        let wake = shared.subscribe();
        let state = shared.lock();
        let initial_events = check_options(&state, query)?;
        let version = query.number("resourceVersion")?.unwrap_or_default();
        let timeout = query
            .number("timeoutSeconds")?
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(seconds).min(MAX_TIMEOUT));
        let bookmarks = query.is_set("allowWatchBookmarks");
        let history = &state.store.history;
        let current = state.store.revision();
        let now = Instant::now();
        let mut watch = Self {
            resource,
            selection,
            query: query.clone(),
            view,
            initial: Vec::new(),
            initial_end: None,
            cursor: history.end(),
            era: history.era(),
            opened: history.end(),
            after: version,
            seen: current,
            quiet: if version > current { version } else { 0 },
            bookmarks,
            next_bookmark: now + BOOKMARK_EVERY,
            deadline: now + timeout.unwrap_or(DEFAULT_TIMEOUT),
            refusal: None,
            wake,
        };
        // If the client names no version, the watch begins with the current state.
        if initial_events == Some(true) && version > current {
            watch.refusal = Some(status::too_large(version, current));
        } else if initial_events.unwrap_or(version == 0) {
            watch.initial = state
                .store
                .objects(&watch.resource)
                .filter(|(key, object)| watch.selection.admits(key, object))
                .map(|(_, object)| object.clone())
                .collect();
            watch.initial_end = initial_events.is_some().then_some(current);
        } else if version > 0 && version < history.horizon() {
            watch.refusal = Some(status::too_old(version, current));
        } else if version > 0 {
            watch.cursor = history.position_after(version);
            watch.seen = version.min(current);
        }
        Ok(watch)
    }

    /// Moves the cursor back by a number of changes, if the watch resumes from a version.
    pub(super) fn rewind(&mut self, shared: &Shared, changes: u64) {
        if self.after > 0 && self.initial_end.is_none() {
            self.after = self.after.saturating_sub(changes);
            self.cursor = shared.lock().store.history.position_after(self.after);
        }
    }

    /// Returns the body, written while it is read.
    pub(super) fn pieces(mut self, shared: Arc<Shared>) -> impl Stream<Item = Piece> + Send {
        async_stream::stream! {
            if let Some(refusal) = &self.refusal {
                yield Piece::Other(damage::error_event(refusal));
                return;
            }
            for object in std::mem::take(&mut self.initial) {
                yield Piece::Object(self.view.event("ADDED", &object));
            }
            if let Some(revision) = self.initial_end.filter(|_| self.bookmarks) {
                yield Piece::Bookmark(self.view.bookmark(revision, true));
            }
            loop {
                self.wake.borrow_and_update();
                // A restore has invalidated the cursor.
                let Some(step) = self.step(&shared) else { return };
                match step {
                    Step::Entry(entry) => match &entry.what {
                        Happening::Change(change) if entry.revision > self.after => {
                            if let Some(piece) = self.event(change, entry.revision) {
                                yield piece;
                            }
                        }
                        Happening::Bookmark if self.cursor > self.opened => {
                            if let Some(bookmark) = self.bookmark() {
                                yield bookmark;
                            }
                        }
                        Happening::End(on, end)
                            if self.cursor > self.opened && on.matches(&self.request_info()) =>
                        {
                            yield Piece::End(*end);
                            return;
                        }
                        _ => {}
                    },
                    Step::Trimmed => {
                        let current = shared.lock().store.revision();
                        let gone = status::too_old(self.seen, current);
                        yield Piece::Other(damage::error_event(&gone));
                        return;
                    }
                    Step::CaughtUp => {
                        let until = self.wakes_at();
                        let woken = tokio::time::timeout_at(until, self.wake.changed()).await;
                        if woken.is_err() && until < self.deadline {
                            self.next_bookmark += BOOKMARK_EVERY;
                            if let Some(bookmark) = self.bookmark() {
                                yield bookmark;
                            }
                        }
                    }
                }
                if Instant::now() >= self.deadline {
                    return;
                }
            }
        }
    }

    /// Returns the time of the next bookmark or of the deadline.
    fn wakes_at(&self) -> Instant {
        if self.bookmarks { self.next_bookmark.min(self.deadline) } else { self.deadline }
    }

    /// Moves the cursor; returns `None` after a restore of the history.
    fn step(&mut self, shared: &Shared) -> Option<Step> {
        let state = shared.lock();
        let history = &state.store.history;
        if history.era() != self.era {
            return None;
        }
        let step = history.step(&mut self.cursor, &self.resource.storage);
        let revision = match &step {
            Step::Entry(entry) => entry.revision,
            Step::CaughtUp => state.store.revision(),
            Step::Trimmed => 0,
        };
        self.seen = self.seen.max(revision);
        Some(step)
    }

    /// Returns the request that opened the watch, for signals to some watches.
    fn request_info(&self) -> RequestInfo<'_> {
        RequestInfo {
            verb: Verb::Watch,
            storage: &self.resource.storage,
            plural: &self.resource.plural,
            namespace: self.selection.namespace.as_deref(),
            namespaced: self.resource.namespaced,
            query: &self.query,
        }
    }

    /// Returns the due bookmark, unless the client allows none or knows a later version.
    fn bookmark(&self) -> Option<Piece> {
        let sent = self.bookmarks && self.seen > self.quiet;
        sent.then(|| Piece::Bookmark(self.view.bookmark(self.seen, false)))
    }

    /// Returns the event of a change: an object that starts to match the selection is added, an object that
    /// stops matching is deleted.
    fn event(&self, change: &Change, revision: u64) -> Option<Piece> {
        let selected = |object: &&Object| self.selection.admits(&change.key, object);
        let before = change.before.as_ref().filter(selected);
        let after = change.after.as_ref().filter(selected);
        let bytes = match (before, after) {
            (None, None) => return None,
            (None, Some(object)) => self.view.event("ADDED", object),
            (Some(_), Some(object)) => self.view.event("MODIFIED", object),
            (Some(object), None) => self.view.deleted(object, revision),
        };
        Some(Piece::Object(bytes))
    }
}

/// Returns the version that the server must reach before a watch can send its initial events.
pub(super) fn awaited(state: &State, query: &Query) -> Outcome<u64> {
    let version = query.number("resourceVersion")?;
    let is_streaming = check_options(state, query)? == Some(true);
    Ok(version.filter(|_| is_streaming).unwrap_or_default())
}

/// Reads `sendInitialEvents`, and refuses options that exclude each other.
fn check_options(state: &State, query: &Query) -> Outcome<Option<bool>> {
    let field = "resourceVersionMatch";
    let kind = query.get(field);
    // A server without streaming lists ignores the parameter, but not `resourceVersionMatch`.
    let initial_events = query.flag("sendInitialEvents").filter(|_| state.streaming_lists);
    if initial_events.is_none() && kind.is_some() {
        let why = if state.streaming_lists {
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        } else {
            "Forbidden: resourceVersionMatch is forbidden for watch"
        };
        return Err(status::invalid_options(field, why));
    }
    if initial_events.is_some() && kind != Some("NotOlderThan") {
        let why =
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(status::invalid_options(field, why));
    }
    Ok(initial_events)
}
