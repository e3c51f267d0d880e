//! The history from which lists and watches are read.

use std::{collections::VecDeque, sync::Arc};

use serde_json::Value;

use crate::testing::server::{answer::End, on::On};

/// A stored object. It is never changed: a write stores a new one.
pub(super) type Object = Arc<Value>;

/// Default number of kept entries.
const DEFAULT_LIMIT: usize = 100_000;

/// The place of an object in its resource. The namespace of a cluster-scoped object is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A write: the object before and the object after it.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) storage: Arc<str>,
    pub(super) key: Key,
    pub(super) before: Option<Object>,
    pub(super) after: Option<Object>,
}

/// A change, or a signal to open watches. Signals are in the history, too, so that every watch
/// reads them between the same two changes, regardless of its speed.
#[derive(Debug)]
pub(super) enum Happening {
    Change(Change),
    Bookmark,
    /// Matching watches end.
    End(On, End),
}

#[derive(Debug)]
pub(super) struct Entry {
    /// The resourceVersion of the change, or the newest one at a signal.
    pub(super) revision: u64,
    pub(super) what: Happening,
}

/// The result of a step of a cursor.
#[derive(Debug)]
pub(super) enum Step {
    Entry(Arc<Entry>),
    /// The cursor is at the end, until something is written.
    CaughtUp,
    /// The history no longer reaches back to the cursor.
    Trimmed,
}

/// Entries by sequence number; signals have the revision of the change before them.
#[derive(Debug)]
pub(super) struct History {
    entries: VecDeque<Arc<Entry>>,
    /// The sequence number of the first entry that is kept.
    first: u64,
    /// The oldest resourceVersion that a new request may start from.
    horizon: u64,
    /// The oldest resourceVersion whose state is still known.
    floor: u64,
    /// Number of restores: a restore invalidates all cursors.
    era: u64,
    limit: usize,
}

impl History {
    pub(super) fn new(horizon: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            horizon,
            floor: horizon,
            era: 0,
            limit: DEFAULT_LIMIT,
        }
    }

    pub(super) fn push(&mut self, revision: u64, what: Happening) {
        self.entries.push_back(Arc::new(Entry { revision, what }));
        self.trim();
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.trim();
    }

    /// Moves the horizon. The entries stay for open watches that have not read them yet, as in the
    /// watch cache of a real server.
    pub(super) fn compact(&mut self, revision: u64) {
        self.horizon = self.horizon.max(revision);
    }

    pub(super) fn horizon(&self) -> u64 {
        self.horizon
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    pub(super) fn era(&self) -> u64 {
        self.era
    }

    /// Forgets everything after a revision, later compactions included.
    pub(super) fn restore(&mut self, revision: u64) {
        let kept = self.entries.partition_point(|entry| entry.revision <= revision);
        self.entries.truncate(kept);
        self.horizon = self.horizon.min(revision);
        self.era += 1;
    }

    /// Returns the sequence number of the next entry.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Returns the sequence number of the first entry that is newer than `revision`.
    pub(super) fn position_after(&self, revision: u64) -> u64 {
        self.first + self.entries.partition_point(|entry| entry.revision <= revision) as u64
    }

    /// Returns the changes that are newer than `revision`, oldest first.
    pub(super) fn changes_after(&self, revision: u64) -> impl Iterator<Item = &Change> {
        let start = self.entries.partition_point(|entry| entry.revision <= revision);
        self.entries.range(start..).filter_map(|entry| match &entry.what {
            Happening::Change(change) => Some(change),
            Happening::Bookmark | Happening::End(..) => None,
        })
    }

    /// Moves the cursor past the next entry that is a signal or a change of `storage`.
    pub(super) fn step(&self, cursor: &mut u64, storage: &str) -> Step {
        let Some(skip) = cursor.checked_sub(self.first) else {
            return Step::Trimmed;
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.entries.len());
        for entry in self.entries.range(skip..) {
            *cursor += 1;
            match &entry.what {
                Happening::Change(change) if &*change.storage != storage => {}
                _ => return Step::Entry(entry.clone()),
            }
        }
        Step::CaughtUp
    }

    fn trim(&mut self) {
        while self.entries.len() > self.limit {
            if let Some(entry) = self.entries.pop_front() {
                self.first += 1;
                self.horizon = self.horizon.max(entry.revision);
                self.floor = self.floor.max(entry.revision);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(storage: &str) -> Happening {
        Happening::Change(Change {
            storage: storage.into(),
            key: Key { namespace: String::new(), name: "a".to_owned() },
            before: None,
            after: None,
        })
    }

    #[test]
    fn a_cursor_skips_other_resources_and_meets_signals() {
        let mut history = History::new(1);
        history.push(2, change("pods"));
        history.push(3, change("nodes"));
        history.push(3, Happening::Bookmark);
        let mut cursor = history.position_after(1);
        assert!(
            matches!(history.step(&mut cursor, "nodes"), Step::Entry(entry) if entry.revision == 3)
        );
        assert!(
            matches!(history.step(&mut cursor, "nodes"), Step::Entry(entry) if matches!(entry.what, Happening::Bookmark))
        );
        assert!(matches!(history.step(&mut cursor, "nodes"), Step::CaughtUp));
        assert_eq!(cursor, history.end());
    }

    #[test]
    fn trimming_moves_the_horizon_and_loses_slow_cursors() {
        let mut history = History::new(1);
        history.set_limit(2);
        let mut cursor = history.position_after(1);
        for revision in 2..=5 {
            history.push(revision, change("pods"));
        }
        assert_eq!(history.horizon(), 3);
        assert!(matches!(history.step(&mut cursor, "pods"), Step::Trimmed));
        assert_eq!(history.changes_after(3).count(), 2);
    }
}
