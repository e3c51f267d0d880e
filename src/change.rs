//! What a pipeline delivers.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
};

use kube::runtime::reflector::Lookup;

use crate::{error::Error, index::Key, snapshot::Snapshot};

/// One item of a pipeline. The phase is the variant.
///
/// ```
/// use kube_weir::{Change, ChangeStats};
///
/// fn on_change<K>(change: Change<K>) -> String {
///     match change {
///         Change::InitialSync(batch) => format!("loading: {} so far", batch.snapshot().len()),
///         Change::Synced(snapshot) => format!("synced: {}", snapshot.len()),
///         Change::Live(batch) => {
///             let ChangeStats { created, modified, deleted, .. } = batch.stats();
///             format!("+{created} ~{modified} -{deleted}")
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub enum Change<K> {
    /// Part of the initial load. Only after
    /// [`with_progress`](crate::adapters::Indexed::with_progress).
    InitialSync(Batch<K>),
    /// Exactly once: everything that existed is in the snapshot.
    Synced(Snapshot<K>),
    /// What changed afterwards.
    Live(Batch<K>),
}

impl<K> Change<K> {
    /// The state after this change.
    pub fn snapshot(&self) -> &Snapshot<K> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => batch.snapshot(),
            Self::Synced(snapshot) => snapshot,
        }
    }

    /// The net change, unless this is `Synced`.
    pub fn batch(&self) -> Option<&Batch<K>> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => Some(batch),
            Self::Synced(_) => None,
        }
    }
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        match self {
            Self::InitialSync(batch) => Self::InitialSync(batch.clone()),
            Self::Synced(snapshot) => Self::Synced(snapshot.clone()),
            Self::Live(batch) => Self::Live(batch.clone()),
        }
    }
}

/// The net change between two snapshots.
///
/// It *is* the difference of [`previous`](Batch::previous) and [`snapshot`](Batch::snapshot), so
/// the two can't disagree, whatever happened in between: an object created and deleted again is
/// nothing, one modified twice is one `Modified`, one deleted and created anew (another uid) is
/// `Modified` with both objects.
pub struct Batch<K>(Arc<Difference<K>>);

struct Difference<K> {
    previous: Snapshot<K>,
    snapshot: Snapshot<K>,
    /// Found when somebody asks: a debounce looks at the snapshots only.
    found: OnceLock<Found<K>>,
    find: fn(&Snapshot<K>, &Snapshot<K>) -> Found<K>,
}

struct Found<K> {
    deltas: Vec<Delta<K>>,
    stats: ChangeStats,
}

impl<K> Batch<K> {
    /// How many objects were created, modified and deleted.
    pub fn stats(&self) -> ChangeStats {
        self.found().stats
    }

    /// The changes, one an object, in (namespace, name) order. Never empty.
    pub fn deltas(&self) -> &[Delta<K>] {
        &self.found().deltas
    }

    fn found(&self) -> &Found<K> {
        let Difference { previous, snapshot, found, find } = &*self.0;
        found.get_or_init(|| find(previous, snapshot))
    }

    /// The state after these changes.
    pub fn snapshot(&self) -> &Snapshot<K> {
        &self.0.snapshot
    }

    /// The state before these changes.
    pub fn previous(&self) -> &Snapshot<K> {
        &self.0.previous
    }

    /// The keys of an index whose content changed: those that the changed objects have, and those
    /// that they had.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of that name.
    pub fn touched(&self, index: &str) -> Result<BTreeSet<Key>, Error>
    where
        K: Lookup,
    {
        let mut keys = BTreeSet::new();
        for delta in self.deltas() {
            for object in [delta.old(), delta.new()].into_iter().flatten() {
                keys.extend(self.snapshot().by(index).keys_of(object)?);
            }
        }
        Ok(keys)
    }
}

impl<K: Lookup> Batch<K> {
    /// The batch from one snapshot to the next; `None` where nothing changed.
    pub(crate) fn between(previous: &Snapshot<K>, snapshot: &Snapshot<K>) -> Option<Self> {
        let differs = !previous.is(snapshot) && snapshot.0.differs(&previous.0);
        differs.then(|| Self::new(previous, snapshot))
    }

    /// The same for snapshots that differ.
    pub(crate) fn new(previous: &Snapshot<K>, snapshot: &Snapshot<K>) -> Self {
        let (previous, snapshot) = (previous.clone(), snapshot.clone());
        Self(Arc::new(Difference { previous, snapshot, found: OnceLock::new(), find }))
    }
}

fn find<K: Lookup>(previous: &Snapshot<K>, snapshot: &Snapshot<K>) -> Found<K> {
    let mut stats = ChangeStats::default();
    let pairs = snapshot.0.since(&previous.0).into_iter();
    let deltas = pairs.filter_map(|(old, new)| {
        let (count, delta) = match (old.cloned(), new.cloned()) {
            (Some(old), Some(new)) => (&mut stats.modified, Delta::Modified { old, new }),
            (None, Some(new)) => (&mut stats.created, Delta::Created(new)),
            (Some(old), None) => (&mut stats.deleted, Delta::Deleted(old)),
            (None, None) => return None,
        };
        *count += 1;
        Some(delta)
    });
    Found { deltas: deltas.collect(), stats }
}

impl<K> Clone for Batch<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Batch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// How many objects a [`Batch`] created, modified and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ChangeStats {
    /// Objects that were not there before.
    pub created: usize,
    /// Objects of which another version was there before.
    pub modified: usize,
    /// Objects that are gone.
    pub deleted: usize,
}

impl ChangeStats {
    /// All changed objects.
    pub fn total(&self) -> usize {
        self.created + self.modified + self.deleted
    }
}

impl std::iter::Sum for ChangeStats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |sum, own| Self {
            created: sum.created + own.created,
            modified: sum.modified + own.modified,
            deleted: sum.deleted + own.deleted,
        })
    }
}

/// What became of one object.
#[derive(Debug, PartialEq)]
pub enum Delta<K> {
    /// It was not there before.
    Created(Arc<K>),
    /// It was there as `old`. The uids differ if it was deleted and created anew.
    Modified {
        /// The version of the previous snapshot.
        old: Arc<K>,
        /// The version of the new snapshot.
        new: Arc<K>,
    },
    /// It is gone; this is its last known version.
    Deleted(Arc<K>),
}

impl<K> Delta<K> {
    /// The version before, unless it was created.
    pub fn old(&self) -> Option<&Arc<K>> {
        match self {
            Self::Created(_) => None,
            Self::Modified { old, .. } | Self::Deleted(old) => Some(old),
        }
    }

    /// The version after, unless it was deleted.
    #[expect(clippy::new_ret_no_self, reason = "the opposite of `old`, not a constructor")]
    pub fn new(&self) -> Option<&Arc<K>> {
        match self {
            Self::Created(new) | Self::Modified { new, .. } => Some(new),
            Self::Deleted(_) => None,
        }
    }

    /// The newest known version: the new one, or the last one of a deleted object.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Created(object) | Self::Modified { new: object, .. } | Self::Deleted(object) => {
                object
            }
        }
    }
}

impl<K> Clone for Delta<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Created(new) => Self::Created(Arc::clone(new)),
            Self::Modified { old, new } => {
                Self::Modified { old: Arc::clone(old), new: Arc::clone(new) }
            }
            Self::Deleted(old) => Self::Deleted(Arc::clone(old)),
        }
    }
}
