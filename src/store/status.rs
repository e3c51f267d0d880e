//! What a writer tells the stores beside the snapshots, and what they make of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::{error::Error, resource_version::Position};

/// When [`Store::synced`](crate::Store::synced) and [`Store::wait_for`](crate::Store::wait_for) give
/// up waiting.
///
/// ```
/// use std::time::Duration;
/// use kube_weir::SyncPolicy;
///
/// let patient = SyncPolicy::default().deadline(Duration::from_secs(120));
/// let hasty = SyncPolicy::default().fail_fast(true);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPolicy {
    pub(super) deadline: Duration,
    pub(super) fail_fast: bool,
}

impl SyncPolicy {
    /// How long a wait for the sync goes on without a single object arriving, and a wait for a
    /// version at all. Default: 30 seconds.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether a refusal (forbidden, unauthorized, not installed) ends a wait at once, instead of at
    /// the deadline. Default: false.
    #[must_use]
    pub fn fail_fast(self, fail_fast: bool) -> Self {
        Self { fail_fast, ..self }
    }
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), fail_fast: false }
    }
}

/// What a writer tells the stores about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) synced: bool,
    pub(crate) listing: bool,
    /// Goes up with every run of events: the sign of progress, and of a new snapshot.
    pub(crate) events: u64,
    pub(crate) last_error: Option<Error>,
    /// How far the state is, or less.
    pub(crate) position: Position,
    pub(crate) stale: Arc<BTreeSet<(String, String)>>,
    pub(crate) policy: SyncPolicy,
}
