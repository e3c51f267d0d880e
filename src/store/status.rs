//! What a writer tells the stores beside the snapshots, and what they make of it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{error::Error, resource_version::Position};

/// When [`Store::synced`](crate::Store::synced) and [`Store::wait_for`](crate::Store::wait_for) give up waiting; for
/// [`Indexed::sync_policy`](crate::adapters::Indexed::sync_policy).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{IndexBy, SyncPolicy, prelude::*, testing::Events};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let never = Events::<ConfigMap>::new().stay_open();
/// let patience = SyncPolicy::default().deadline(Duration::from_secs(5));
/// let configs = never.index(IndexBy::path("metadata.name")?).sync_policy(patience);
/// let store = configs.store();
/// let driving = configs.spawn();
///
/// let begin = Instant::now();
/// assert!(store.synced().await.unwrap_err().is_timeout());
/// assert_eq!(begin.elapsed().as_secs(), 5);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncPolicy {
    pub(super) deadline: Duration,
    pub(super) fail_fast: bool,
}

impl SyncPolicy {
    /// How long a wait for the sync goes on without a single object arriving, and a wait for a
    /// version at all. Default: 30 seconds. See the [example](SyncPolicy).
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether a refusal (forbidden, unauthorized, not installed) ends a wait at once, instead of at
    /// the deadline. Default: false. See the example of [`Store::synced`](crate::Store::synced).
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
    /// When something came in last.
    pub(crate) heard: Option<Instant>,
    /// How much of a list is in that is not complete.
    pub(crate) pending: usize,
    /// How far the state is, or less.
    pub(crate) position: Position,
    pub(crate) stale: Arc<BTreeSet<(String, String)>>,
    pub(crate) policy: SyncPolicy,
}
