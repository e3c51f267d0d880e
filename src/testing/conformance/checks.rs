//! Checks of the rules that need only the items.

use std::{collections::BTreeMap, fmt};

use kube::runtime::reflector::Lookup;

use crate::{
    change::{Change, ChangeStats, Delta},
    error::Error,
    snapshot::Snapshot,
    testing::conformance::{
        Rule, Violation, index,
        version::{self, Identity, Version},
    },
};

/// Checker of a stream of changes: checks each item, and returns the [`Rule`] that it breaks.
///
/// The checker keeps the last snapshot, and the last version of each deleted object; each check takes
/// time proportional to the snapshot, so it is for tests only.
///
/// ```
/// use futures::StreamExt;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{EventStreamExt, testing::{Events, conformance::Conformance}};
///
/// # kube_weir::testing::fixture::run(async {
/// let mut settings = ConfigMap::default();
/// settings.metadata.name = Some("settings".into());
///
/// let mut changes = Events::listed([settings]).index(());
/// let mut conformance = Conformance::new();
/// while let Some(item) = changes.next().await {
///     conformance.check(&item)?;
/// }
/// conformance.finish()?;
/// # Ok(()) });
/// ```
#[must_use]
pub struct Conformance<K> {
    synced: bool,
    last: Option<Seen<K>>,
    /// The last versions of deleted objects.
    deleted: BTreeMap<Identity, Version>,
}

/// A snapshot, and its objects at the time of delivery.
struct Seen<K> {
    snapshot: Snapshot<K>,
    listed: Vec<Version>,
}

impl<K: Lookup> Conformance<K> {
    /// Returns a checker for a stream from its beginning: [example](Conformance).
    pub fn new() -> Self {
        Self { synced: false, last: None, deleted: BTreeMap::new() }
    }

    /// Checks the next item. Errors break no rule: they are observations.
    ///
    /// # Errors
    ///
    /// The first rule that the item breaks.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::prelude::*;
    /// use kube_weir::testing::{Events, conformance::{Conformance, Rule}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let synced = Events::<ConfigMap>::listed([]).index(()).next().await.expect("an item");
    /// let mut conformance = Conformance::new();
    /// conformance.check(&synced)?;
    /// assert_eq!(conformance.check(&synced).unwrap_err().rule(), Rule::SyncedOnce);
    /// # Ok(()) });
    /// ```
    pub fn check(&mut self, item: &Result<Change<K>, Error>) -> Result<(), Violation> {
        let Ok(change) = item else { return Ok(()) };
        self.check_phase(change)?;
        if let Some(last) = &self.last {
            version::compare(
                Rule::SnapshotsAreFrozen,
                &Version::all(&last.snapshot),
                &last.listed,
            )?;
        }
        let snapshot = change.snapshot();
        let listed = Version::all(snapshot);
        index::check_identities(snapshot, &listed)?;
        match change.batch() {
            None => self.check_chain(&listed)?,
            Some(batch) => {
                let before = Version::all(batch.before());
                version::in_order(&before)?;
                self.check_chain(&before)?;
                check_stats(batch.deltas(), batch.stats())?;
                check_replay(&before, batch.deltas(), &listed)?;
                index::check_keys(snapshot, batch.deltas())?;
                self.check_repeats(batch.deltas())?;
            }
        }
        self.last = Some(Seen { snapshot: snapshot.clone(), listed });
        Ok(())
    }

    /// Records that the server was restored from a backup: objects that were deleted since may appear
    /// again in their old version.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, conformance::Conformance, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let lost = Events::listed([config_map("a", 2)]).delete(config_map("a", 2));
    /// let events = lost.wait(Duration::from_secs(1)).apply(config_map("a", 2));
    /// let mut changes = events.index(());
    /// let mut conformance = Conformance::new();
    /// conformance.check(&changes.next().await.unwrap())?;
    /// conformance.check(&changes.next().await.unwrap())?;
    /// conformance.restored();
    /// conformance.check(&changes.next().await.unwrap())?;
    /// # Ok(()) });
    /// ```
    pub fn restored(&mut self) {
        self.deleted.clear();
    }

    /// Checks that `Synced` was yielded; for the end of a stream, or of its test.
    ///
    /// # Errors
    ///
    /// [`Rule::Synced`].
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::testing::conformance::{Conformance, Rule};
    ///
    /// let nothing = Conformance::<ConfigMap>::new().finish();
    /// assert_eq!(nothing.unwrap_err().rule(), Rule::Synced);
    /// ```
    pub fn finish(self) -> Result<(), Violation> {
        if self.synced {
            return Ok(());
        }
        Err(Violation::of(Rule::Synced, "it did not come before the end"))
    }

    /// Returns the objects of the last item's snapshot.
    pub(super) fn shown(&self) -> &[Version] {
        self.last.as_ref().map_or(&[], |last| &last.listed)
    }

    pub(super) fn is_synced(&self) -> bool {
        self.synced
    }

    fn check_phase(&mut self, change: &Change<K>) -> Result<(), Violation> {
        let (broken, phase) = match change {
            Change::InitialSync(_) => (self.synced, Rule::InitialAfterSynced),
            Change::Synced(_) => (std::mem::replace(&mut self.synced, true), Rule::SyncedOnce),
            Change::Live(_) => (!self.synced, Rule::LiveBeforeSynced),
        };
        if !broken {
            return Ok(());
        }
        let what = match change.batch() {
            Some(batch) => format!("{:?}", batch.stats()),
            None => format!("{} objects", change.snapshot().len()),
        };
        Err(Violation::of(phase, what))
    }

    fn check_chain(&self, begins: &[Version]) -> Result<(), Violation> {
        match &self.last {
            Some(last) => version::compare(Rule::Chain, begins, &last.listed),
            // By default the load is not delivered in parts.
            None if self.synced => Ok(()),
            None => version::compare(Rule::Chain, begins, &[]),
        }
    }

    fn check_repeats(&mut self, deltas: &[Delta<K>]) -> Result<(), Violation> {
        for delta in deltas {
            let version = Version::of(&**delta.object());
            let before = match delta {
                Delta::Created(_) => self.deleted.remove(&version.identity),
                Delta::Modified { before: old, .. } => Some(Version::of(&**old)),
                Delta::Deleted(_) => {
                    self.deleted.insert(version.identity.clone(), version);
                    continue;
                }
            };
            if before.is_some_and(|before| before.is(&version)) {
                return Err(Violation::of(Rule::NoRepeats, version));
            }
        }
        Ok(())
    }
}

impl<K: Lookup> Default for Conformance<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> fmt::Debug for Conformance<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance").field("synced", &self.synced).finish_non_exhaustive()
    }
}

fn check_stats<K>(deltas: &[Delta<K>], stats: ChangeStats) -> Result<(), Violation> {
    if deltas.is_empty() {
        return Err(Violation::of(Rule::NoEmptyBatch, format_args!("{stats:?}")));
    }
    let mut counted = ChangeStats::default();
    for delta in deltas {
        match delta {
            Delta::Created(_) => counted.created += 1,
            Delta::Modified { .. } => counted.modified += 1,
            Delta::Deleted(_) => counted.deleted += 1,
        }
    }
    if counted == stats {
        return Ok(());
    }
    Err(Violation::of(Rule::StatsCountDeltas, format_args!("{stats:?} of {counted:?}")))
}

fn check_replay<K: Lookup>(
    before: &[Version],
    deltas: &[Delta<K>],
    after: &[Version],
) -> Result<(), Violation> {
    let changed: Vec<_> = deltas.iter().map(|delta| Version::of(&**delta.object())).collect();
    version::in_order(&changed)?;
    let mut state: BTreeMap<_, _> =
        before.iter().map(|version| (version.identity.clone(), version.clone())).collect();
    for (delta, version) in deltas.iter().zip(changed) {
        let old = delta.before().map(|old| Version::of(&**old));
        let replaced = match delta.after() {
            Some(_) => state.insert(version.identity.clone(), version.clone()),
            None => state.remove(&version.identity),
        };
        if replaced != old {
            return Err(Violation::of(Rule::DeltasReplay, version));
        }
    }
    let replayed: Vec<_> = state.into_values().collect();
    version::compare(Rule::DeltasReplay, after, &replayed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;
    use crate::{EventStreamExt, testing::Events};

    type Item = Result<Change<ConfigMap>, Error>;

    fn object(name: &str, version: u32) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(name.to_owned());
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    /// Synced with `a` and `b`, `a` modified, `b` deleted, `c` created.
    async fn items() -> Vec<Item> {
        let pause = std::time::Duration::from_secs(1);
        let events = Events::listed([object("a", 1), object("b", 2)])
            .wait(pause)
            .apply(object("a", 3))
            .wait(pause)
            .delete(object("b", 4))
            .wait(pause)
            .apply(object("c", 5));
        events.index(()).collect().await
    }

    fn broken(items: &[&Item]) -> Option<Rule> {
        let mut checks = Conformance::new();
        let first = items.iter().find_map(|item| checks.check(item).err());
        first.or_else(|| checks.finish().err()).map(|violation| violation.rule())
    }

    #[tokio::test(start_paused = true)]
    async fn items_that_are_left_out_repeated_or_moved_are_noticed() {
        let [synced, modified, deleted, created] = &items().await[..] else { panic!() };
        let failure: Item = Err(kube::runtime::watcher::Error::NoResourceVersion.into());
        assert_eq!(broken(&[&failure, synced, modified, &failure, deleted, created]), None);
        let initial: Item = match modified {
            Ok(Change::Live(batch)) => Ok(Change::InitialSync(batch.clone())),
            other => panic!("{other:?}"),
        };
        for (items, rule) in [
            (&[][..], Rule::Synced),
            (&[&failure], Rule::Synced),
            (&[modified], Rule::LiveBeforeSynced),
            (&[synced, &initial], Rule::InitialAfterSynced),
            (&[synced, synced], Rule::SyncedOnce),
            (&[&initial, synced], Rule::Chain),
            (&[synced, deleted], Rule::Chain),
            (&[synced, modified, modified], Rule::Chain),
            (&[synced, modified, created], Rule::Chain),
        ] {
            assert_eq!(broken(items), Some(rule), "{items:?}");
        }
    }

    /// Checks violations that no pipeline can be made to produce.
    #[test]
    fn deltas_that_are_wrong_are_noticed() {
        let arc = |name, version| Arc::new(object(name, version));
        let created = |name, version| Delta::Created(arc(name, version));
        let deleted = |name, version| Delta::Deleted(arc(name, version));
        let modified =
            |name, old, new| Delta::Modified { before: arc(name, old), after: arc(name, new) };
        let versions = |all: &[(&str, u32)]| -> Vec<_> {
            all.iter().map(|(name, version)| Version::of(&object(name, *version))).collect()
        };
        let before = versions(&[("a", 1), ("b", 2)]);
        let replay = |deltas: &[Delta<ConfigMap>], after: &[(&str, u32)]| {
            check_replay(&before, deltas, &versions(after)).err().map(|broken| broken.rule())
        };
        let all = [modified("a", 1, 3), deleted("b", 2), created("c", 5)];
        assert_eq!(replay(&all, &[("a", 3), ("c", 5)]), None);
        for (deltas, after) in [
            (&all[..], &[("a", 3)][..]),
            (&all[..2], &[("a", 3), ("c", 5)]),
            (&[created("a", 3)], &[("a", 3), ("b", 2)]),
            (&[modified("a", 2, 3)], &[("a", 3), ("b", 2)]),
            (&[deleted("c", 2)], &[("a", 1), ("b", 2)]),
        ] {
            assert_eq!(replay(deltas, after), Some(Rule::DeltasReplay), "{deltas:?}");
        }
        let turned = [created("d", 5), created("c", 6)];
        let after = [("a", 1), ("b", 2), ("c", 6), ("d", 5)];
        assert_eq!(replay(&turned, &after), Some(Rule::Order));

        let stats = |deltas: &[Delta<ConfigMap>], created| {
            let stats = ChangeStats { created, ..ChangeStats::default() };
            check_stats(deltas, stats).err().map(|broken| broken.rule())
        };
        assert_eq!(stats(&turned, 2), None);
        assert_eq!(stats(&turned, 1), Some(Rule::StatsCountDeltas));
        assert_eq!(stats(&all, 1), Some(Rule::StatsCountDeltas));
        assert_eq!(stats(&[], 0), Some(Rule::NoEmptyBatch));

        let mut checks = Conformance::new();
        assert_eq!(checks.check_repeats(&[deleted("a", 1)]), Ok(()));
        assert_eq!(checks.check_repeats(&[created("a", 2), modified("b", 1, 2)]), Ok(()));
        for again in [modified("a", 2, 2), deleted("a", 2), created("a", 2)] {
            let rule = checks.check_repeats(std::slice::from_ref(&again)).err();
            let rule = rule.map(|broken| broken.rule());
            let repeats = !matches!(again, Delta::Deleted(_));
            assert_eq!(rule, repeats.then_some(Rule::NoRepeats), "{again:?}");
        }
    }

    #[test]
    fn violations_name_the_rule_and_the_object() {
        let version = Version::of(&object("a", 3));
        let violation = Violation::of(Rule::NoRepeats, version);
        assert_eq!(violation.to_string(), "no version of an object is delivered again: a@3");
    }
}
