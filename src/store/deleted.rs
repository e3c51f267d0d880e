//! Objects that were deleted a short while ago.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kube::runtime::reflector::Lookup;
use tokio::time::Instant;

use crate::snapshot::Contents;

/// Time for which deleted objects can be looked up, and their maximum number; for
/// [`Indexed::keep_deleted`](crate::adapters::Indexed::keep_deleted), which takes a plain [`Duration`], too.
///
/// ```
/// use std::time::Duration;
/// use kube_weir::KeepDeleted;
///
/// assert_eq!(KeepDeleted::from(Duration::from_secs(60)), KeepDeleted::time(Duration::from_secs(60)));
/// let few = KeepDeleted::time(Duration::from_secs(60)).max_objects(100);
/// # assert_ne!(few, KeepDeleted::time(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepDeleted {
    time: Duration,
    max_objects: usize,
}

impl KeepDeleted {
    /// Keeps deleted objects for a time.
    pub fn time(time: Duration) -> Self {
        Self { time, max_objects: 10_000 }
    }

    /// Sets the maximum number of deleted objects; the oldest are dropped first. Default: 10,000.
    #[must_use]
    pub fn max_objects(self, max_objects: usize) -> Self {
        Self { max_objects, ..self }
    }
}

impl From<Duration> for KeepDeleted {
    fn from(time: Duration) -> Self {
        Self::time(time)
    }
}

/// Maximum number of queue entries that are no longer found, in addition to the found ones.
const SPARE: usize = 16;

/// Queue of the deleted objects that can still be looked up.
pub(super) struct Deleted<K> {
    keep: KeepDeleted,
    /// Deleted objects, in the order of their deletion.
    queue: VecDeque<(Instant, Arc<K>)>,
}

impl<K: Lookup> Deleted<K> {
    pub(super) fn new(keep: KeepDeleted) -> Self {
        Self { keep, queue: VecDeque::new() }
    }

    /// Adds an object to those that can be looked up.
    pub(super) fn add(&mut self, contents: &mut Contents<K>, object: Arc<K>) {
        if self.keep.time.is_zero() || self.keep.max_objects == 0 {
            return;
        }
        contents.bury(&object);
        self.queue.push_back((Instant::now(), object));
        while contents.buried() > self.keep.max_objects
            && let Some((_, oldest)) = self.queue.pop_front()
        {
            contents.forget(&oldest);
        }
        // Replaced objects are no longer found. Drop them, so that short-lived names cost no memory.
        if self.queue.len() > 2 * contents.buried() + SPARE {
            self.queue.retain(|(_, object)| contents.is_buried(object));
        }
    }

    /// Returns when the next object expires.
    pub(super) fn due(&self) -> Option<Instant> {
        let (deleted, _) = self.queue.front()?;
        deleted.checked_add(self.keep.time)
    }

    /// Removes the objects whose time is over. Returns whether there were any.
    pub(super) fn expire(&mut self, contents: &mut Contents<K>) -> bool {
        let now = Instant::now();
        let mut were_any = false;
        while self.due().is_some_and(|due| due <= now) {
            if let Some((_, object)) = self.queue.pop_front() {
                were_any |= contents.forget(&object);
            }
        }
        were_any
    }
}
