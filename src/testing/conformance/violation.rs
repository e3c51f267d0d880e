//! What a stream does wrong.

use std::fmt;

use crate::testing::conformance::Chapter;

/// A rule, broken by a stream. The text names the rule and the objects, and nothing of what is in
/// them.
///
/// ```
/// use futures::{StreamExt, stream};
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{EventStreamExt, watch};
/// use kube_weir::testing::{ApiServer, conformance::{self, Chapter, Rule}};
/// # use kube::Api;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    what: String,
    chapter: Option<Chapter>,
}

impl Violation {
    /// Which rule is broken: [example](Violation).
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// In which chapter of a [`Life`](super::Life), if in one: [example](Violation).
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

/// What must hold of every stream of changes. As text, the rule in words.
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
    /// `Synced` comes before the stream ends, and before patience does.
    Synced,
    /// The snapshot of `Synced` has all that existed.
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
    /// What a snapshot lists is what it finds by identity, and as many as it says.
    FoundByIdentity,
    /// An object is found under its keys in every index, and under those of its last version no
    /// more.
    FoundByKey,
    /// Nothing is delivered that was never there.
    NoPhantoms,
    /// After a failure is over, the stream shows what is there.
    CatchesUp,
    /// What is stored and told again, by a list or by a watch, delivers nothing.
    RepeatsAreSilent,
    /// An object that can't be decoded keeps its last good version.
    LastGoodStays,
    /// No failure ends a stream.
    GoesOn,
    /// A failure that goes on is waited for, not tried at once without end.
    WaitsForFailures,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiveBeforeSynced => "nothing is Live before Synced",
            Self::InitialAfterSynced => "nothing is InitialSync after Synced",
            Self::SyncedOnce => "Synced comes once",
            Self::Synced => "Synced comes",
            Self::SyncedIsComplete => "the snapshot of Synced has all that existed",
            Self::NoEmptyBatch => "a batch has deltas",
            Self::StatsCountDeltas => "stats count the deltas",
            Self::Order => "deltas and snapshots are in (namespace, name) order, each object once",
            Self::DeltasReplay => "the deltas lead from the previous snapshot to the snapshot",
            Self::Chain => "an item begins where the last one ended",
            Self::NoRepeats => "no version of an object is delivered again",
            Self::SnapshotsAreFrozen => "a snapshot never changes",
            Self::FoundByIdentity => "what a snapshot lists is what it finds by identity",
            Self::FoundByKey => "an object is found under its keys, and under no others",
            Self::NoPhantoms => "nothing is delivered that was never there",
            Self::CatchesUp => "after a failure the stream shows what is there",
            Self::RepeatsAreSilent => "what is told again delivers nothing",
            Self::LastGoodStays => "an object that can't be decoded keeps its last good version",
            Self::GoesOn => "no failure ends a stream",
            Self::WaitsForFailures => "a failure that goes on is waited for",
        })
    }
}
