//! Rules and their violations.

use std::fmt;

use crate::testing::conformance::Chapter;

/// Violation of a rule by a stream. The text names the rule and the objects, but not their content.
///
/// ```
/// use futures::{StreamExt, stream};
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::Api;
/// use kube_weir::testing::{ApiServer, conformance::{self, Chapter, Rule}};
/// use kube_weir::{EventStreamExt, watch};
///
/// # kube_weir::testing::fixture::run(async {
/// let violation = conformance::run(&ApiServer::new(), |client| {
///     // A loop that ends at the first failure.
///     let changes = watch(Api::<ConfigMap>::all(client)).index(());
///     changes.take_while(|item| std::future::ready(item.is_ok()))
/// })
/// .await
/// .unwrap_err();
/// assert_eq!(violation.rule(), Rule::GoesOn);
/// assert_eq!(violation.chapter(), Some(Chapter::Load));
/// assert!(violation.to_string().starts_with("no failure ends a stream"));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    what: String,
    chapter: Option<Chapter>,
}

impl Violation {
    /// Returns the broken rule: [example](Violation).
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Returns the chapter of a [`Life`](super::Life) in which it happened, if any: [example](Violation).
    pub fn chapter(&self) -> Option<Chapter> {
        self.chapter
    }

    pub(super) fn of(rule: Rule, what: impl fmt::Display) -> Self {
        Self { rule, what: what.to_string(), chapter: None }
    }

    pub(super) fn during(self, chapter: Chapter) -> Self {
        Self { chapter: Some(chapter), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)?;
        match self.chapter {
            Some(chapter) => write!(f, " (during {chapter:?})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Violation {}

/// A rule that every stream of changes must keep. `Display` writes it in words.
///
/// ```
/// use kube_weir::testing::conformance::Rule;
///
/// assert_eq!(Rule::SyncedOnce.to_string(), "Synced comes once");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Nothing is `Live` before `Synced`.
    LiveBeforeSynced,
    /// Nothing is `InitialSync` after `Synced`.
    InitialAfterSynced,
    /// `Synced` comes once.
    SyncedOnce,
    /// `Synced` comes before the stream ends, and within the time limit.
    Synced,
    /// The snapshot of `Synced` has all objects that existed.
    SyncedIsComplete,
    /// A batch has deltas.
    NoEmptyBatch,
    /// Stats count the deltas.
    StatsCountDeltas,
    /// Deltas and snapshots are in (namespace, name) order, each object once.
    Order,
    /// The deltas lead from the previous snapshot to the snapshot.
    DeltasReplay,
    /// An item begins where the last one ended.
    Chain,
    /// No version of an object is delivered again: neither as modified, nor as created after it was
    /// deleted.
    NoRepeats,
    /// A snapshot never changes.
    SnapshotsAreFrozen,
    /// A snapshot finds each listed object by identity, and has the correct length.
    FoundByIdentity,
    /// An object is found under its keys in every index, and no longer under those of its last version.
    FoundByKey,
    /// No version is delivered that never existed.
    NoPhantoms,
    /// After a failure is over, the stream shows the server's state.
    CatchesUp,
    /// Receiving a stored version again, by a list or by a watch, yields no change.
    RepeatsAreSilent,
    /// An object that can't be decoded keeps its last good version.
    LastGoodStays,
    /// No failure ends a stream.
    GoesOn,
    /// During a lasting failure the stream waits between retries.
    WaitsForFailures,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiveBeforeSynced => "nothing is Live before Synced",
            Self::InitialAfterSynced => "nothing is InitialSync after Synced",
            Self::SyncedOnce => "Synced comes once",
            Self::Synced => "Synced comes",
            Self::SyncedIsComplete => "the snapshot of Synced has all objects that existed",
            Self::NoEmptyBatch => "a batch has deltas",
            Self::StatsCountDeltas => "stats count the deltas",
            Self::Order => "deltas and snapshots are in (namespace, name) order, each object once",
            Self::DeltasReplay => "the deltas lead from the previous snapshot to the snapshot",
            Self::Chain => "an item begins where the last one ended",
            Self::NoRepeats => "no version of an object is delivered again",
            Self::SnapshotsAreFrozen => "a snapshot never changes",
            Self::FoundByIdentity => "a snapshot finds each listed object by identity",
            Self::FoundByKey => "an object is found under its keys, and under no others",
            Self::NoPhantoms => "no version is delivered that never existed",
            Self::CatchesUp => "after a failure the stream shows the server's state",
            Self::RepeatsAreSilent => "a repeated version yields no change",
            Self::LastGoodStays => "an object that can't be decoded keeps its last good version",
            Self::GoesOn => "no failure ends a stream",
            Self::WaitsForFailures => "a lasting failure is not retried without a pause",
        })
    }
}
