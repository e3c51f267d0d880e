//! Execution of a conformance run: the events of each chapter, and the expected state of the stream.

use std::{collections::BTreeSet, pin::Pin, time::Duration};

use futures::{Stream, StreamExt};
use kube::{Client, runtime::reflector::Lookup};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    adapters::ChangeItem,
    change::Change,
    testing::{
        ApiServer, Fault, Verb,
        conformance::{
            Chapter, Conformance, Rule, Violation,
            life::faults::{Planned, faults},
            version::{self, Identity, Version},
        },
    },
};

/// Maximum number of objects.
const OBJECTS: usize = 12;

/// Time for which the stream may yield more items after it has caught up.
const SETTLING: Duration = Duration::from_secs(5);

/// Maximum number of items at one moment: more are a loop that never waits.
const AT_ONCE: usize = 1_000;

/// Number of times that in effect means always.
const ALWAYS: usize = 1_000_000;

const HISTORY_LOST: Fault = Fault::ErrorEvent { code: 410, after_events: 0 };

/// Number of steps in [`Chapter::Storm`].
const STORM: usize = 300;

/// The result of a [`Life`](super::Life).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::Api;
/// use kube_weir::{testing::{ApiServer, conformance::{Chapter, Life}}, watch};
///
/// # kube_weir::testing::fixture::run(async {
/// let summary = Life::new()
///     .without(Chapter::Storm)
///     .run(&ApiServer::new(), |client| watch(Api::<ConfigMap>::all(client)).index(()))
///     .await?;
/// println!("{} changes, {} errors, {} faults unmet", summary.changes, summary.errors, summary.unmet);
/// assert!(summary.errors > 0);
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Number of items that were changes.
    pub changes: usize,
    /// Number of items that were errors.
    pub errors: usize,
    /// Number of faults that no request got: those of later pages, if all objects fit on the first page;
    /// those of lists, if the stream lists in another way.
    pub unmet: usize,
}

/// State of a conformance run.
pub(super) struct Runner<'a, S, K> {
    /// The template of the objects.
    object: Value,
    /// Maximum time for which the stream may lag.
    patience: Duration,
    server: &'a ApiServer,
    /// The resource, such as `apps/v1/deployments`.
    resource: String,
    stream: Pin<Box<S>>,
    checks: Conformance<K>,
    summary: Summary,
    /// Every version that ever existed.
    existed: BTreeSet<Version>,
    written: u64,
    moment: Instant,
    at_once: usize,
}

impl<'a, S, K> Runner<'a, S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Lookup,
{
    pub(super) fn begin(
        object: Value,
        patience: Duration,
        server: &'a ApiServer,
        pipeline: impl FnOnce(Client) -> S,
    ) -> Self {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let resource = server.resource_of(api_version, kind);
        let mut runner = Self {
            resource: resource.unwrap_or_else(|| panic!("no {api_version} {kind} is installed")),
            object,
            patience,
            server,
            stream: Box::pin(pipeline(server.client())),
            checks: Conformance::new(),
            summary: Summary { changes: 0, errors: 0, unmet: 0 },
            existed: BTreeSet::new(),
            written: 0,
            moment: Instant::now(),
            at_once: 0,
        };
        runner.existed.extend(runner.stored());
        (0..OBJECTS / 2).for_each(|object| runner.put(object));
        runner
    }

    pub(super) fn finish(self) -> Result<Summary, Violation> {
        self.checks.finish()?;
        Ok(self.summary)
    }

    pub(super) async fn load(&mut self, chapters: &[Chapter]) -> Result<(), Violation> {
        if chapters.contains(&Chapter::Load) {
            for fault in faults(Chapter::Load) {
                fault.add_to(self.server);
            }
            self.await_faults().await?;
            // The list that broke off had this object.
            self.take(0);
        }
        let deadline = Instant::now() + self.patience;
        while !self.checks.is_synced() {
            if !self.next(deadline).await? {
                let what = format!("not within {:?}", self.patience);
                return Err(Violation::of(Rule::Synced, what));
            }
        }
        self.settle(None).await
    }

    pub(super) async fn run_chapter(
        &mut self,
        chapter: Chapter,
        chapters: &[Chapter],
    ) -> Result<(), Violation> {
        match chapter {
            Chapter::Load => {}
            Chapter::Changes => self.changes().await?,
            Chapter::Relist => self.repeat(HISTORY_LOST).await?,
            Chapter::Repeats => {
                self.repeat(Fault::Rewind { changes: 1 }).await?;
                self.repeat(Fault::Duplicate).await?;
            }
            Chapter::Undecodable => self.undecodable().await?,
            Chapter::Storm => self.storm(chapters).await?,
            _ => {
                for fault in faults(chapter) {
                    self.inject(fault).await?;
                }
            }
        }
        if chapter == Chapter::Compaction {
            self.compaction().await?;
        }
        self.settle(None).await
    }

    /// Makes changes one at a time, then several at once.
    async fn changes(&mut self) -> Result<(), Violation> {
        for object in 0..OBJECTS {
            self.put(object);
            self.settle(None).await?;
        }
        for object in [3, 7] {
            self.take(object);
            self.settle(None).await?;
            self.put(object);
            self.settle(None).await?;
            // Another object of the same name.
            self.take(object);
            self.put(object);
            self.settle(None).await?;
        }
        self.make_changes();
        Ok(())
    }

    /// Sends stored objects again, by a list or by a watch, and expects no change.
    async fn repeat(&mut self, fault: Fault) -> Result<(), Violation> {
        self.put(3);
        self.settle(None).await?;
        let before = self.summary.changes;
        self.server.fault(Verb::Watch, 1, fault);
        self.server.disconnect();
        let until = Instant::now() + Duration::from_secs(60);
        while self.next(until).await? {
            if self.summary.changes > before {
                return Err(Violation::of(Rule::RepeatsAreSilent, "a change came"));
            }
        }
        Ok(())
    }

    /// Compacts history that the stream has not seen.
    async fn compaction(&mut self) -> Result<(), Violation> {
        for _ in 0..3 {
            self.server.disconnect();
            self.make_changes();
            self.server.compact();
            self.settle(None).await?;
        }
        // With bookmarks an idle watch survives a compaction.
        self.server.bookmark();
        self.settle(None).await?;
        self.server.compact();
        self.server.disconnect();
        Ok(())
    }

    async fn undecodable(&mut self) -> Result<(), Violation> {
        let bad = 5;
        for verb in [Verb::Watch, Verb::List] {
            self.put(bad);
            self.settle(None).await?;
            let identity = Self::identity(bad);
            if verb == Verb::List {
                self.lose_history();
            }
            // On any page, and in every retry.
            self.server.fault(verb, ALWAYS, Fault::Garble { name: identity.1.clone() });
            self.server.disconnect();
            self.put(bad);
            self.put(2);
            self.take(4);
            self.settle(Some(&self.stored_identity(identity))).await?;
            // The next version can be decoded.
            self.server.clear_faults();
            self.server.disconnect();
            self.put(bad);
            self.put(4);
            self.settle(None).await?;
        }
        Ok(())
    }

    async fn storm(&mut self, chapters: &[Chapter]) -> Result<(), Violation> {
        let faults: Vec<_> = chapters.iter().copied().flat_map(faults).collect();
        // A fixed seed, so that a failure is reproducible.
        let mut random = 0x5DEE_CE66_u64;
        let mut draw = |of: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(random >> 33).unwrap_or_default() % of
        };
        for _ in 0..STORM {
            let object = draw(OBJECTS);
            match draw(10) {
                0..=2 => self.put(object),
                3 => self.take(object),
                4 => {
                    self.take(object);
                    self.put(object);
                }
                5 if !faults.is_empty() => {
                    faults[draw(faults.len())].clone().add_to(self.server);
                }
                6 => self.server.disconnect(),
                7 if chapters.contains(&Chapter::Compaction) && draw(3) == 0 => {
                    self.server.compact();
                }
                _ => {
                    let until = Instant::now() + Duration::from_millis(1 << draw(15));
                    while self.next(until).await? {}
                }
            }
        }
        // Some faults of the storm may not have happened.
        self.server.clear_faults();
        Ok(())
    }

    /// Adds a fault for the next requests, while objects change.
    async fn inject(&mut self, fault: Planned) -> Result<(), Violation> {
        let is_list = fault.verb == Verb::List;
        if is_list {
            self.lose_history();
        }
        fault.add_to(self.server);
        self.server.disconnect();
        self.make_changes();
        if is_list {
            self.await_faults().await?;
            // A list that broke off had these objects.
            self.take(0);
            self.take(10);
        }
        self.settle(None).await?;
        self.make_changes();
        self.settle(None).await
    }

    /// Reads items until every fault has happened, for at most a minute.
    async fn await_faults(&mut self) -> Result<(), Violation> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.server.pending_faults() > 0 && Instant::now() < deadline {
            self.next(Instant::now() + Duration::from_millis(100)).await?;
        }
        Ok(())
    }

    /// Makes the next watch list again.
    fn lose_history(&self) {
        self.server.fault(Verb::Watch, 1, HISTORY_LOST);
    }

    /// Makes several changes at once, one of them without a net effect.
    fn make_changes(&mut self) {
        for object in [0, 1, 6] {
            self.put(object);
        }
        self.take(6);
        self.put(6);
        self.take(8);
        self.put(9);
        self.take(9);
        self.put(10);
        self.put(10);
        self.take(11);
        self.put(8);
    }

    /// Creates or modifies an object.
    fn put(&mut self, object: usize) {
        self.written += 1;
        let (namespace, name) = Self::identity(object);
        let mut next = self.object.clone();
        next["metadata"]["namespace"] = namespace.into();
        next["metadata"]["name"] = name.into();
        next["metadata"]["annotations"]["written"] = self.written.to_string().into();
        let stored = self.server.apply(&next).expect("the server takes the object of the life");
        self.existed.insert(Version::of_value(&stored));
    }

    /// Deletes an object, if it exists.
    fn take(&mut self, object: usize) {
        let (namespace, name) = self.stored_identity(Self::identity(object));
        match self.server.delete(&self.resource, &namespace, &name) {
            Err(error) if !error.is_not_found() => panic!("the object can't be deleted: {error}"),
            _ => {}
        }
    }

    fn identity(object: usize) -> Identity {
        let namespace = if object.is_multiple_of(2) { "life-a" } else { "life-b" };
        (namespace.to_owned(), format!("life-{object}"))
    }

    /// Returns the identity of an object as stored: without a namespace if the kind is cluster-scoped.
    fn stored_identity(&self, (namespace, name): Identity) -> Identity {
        let namespaced = self.existed.iter().any(|one| one.identity.0 == namespace);
        (if namespaced { namespace } else { String::new() }, name)
    }

    /// Returns the objects of the server.
    fn stored(&self) -> Vec<Version> {
        let objects = self.server.objects(&self.resource).unwrap_or_default();
        objects.iter().map(Version::of_value).collect()
    }

    /// Reads items until the stream shows the server's state; the object `but` may be in any version.
    async fn settle(&mut self, but: Option<&Identity>) -> Result<(), Violation> {
        let deadline = Instant::now() + self.patience;
        while self.difference(but).is_err() {
            if !self.next(deadline).await? {
                break;
            }
        }
        let until = Instant::now() + SETTLING;
        while self.next(until).await? {}
        self.difference(but)?;
        if but.is_none() {
            self.summary.unmet += self.server.pending_faults();
            self.server.clear_faults();
        }
        Ok(())
    }

    /// Compares the stream's state with the server's; returns a difference as an error.
    fn difference(&self, but: Option<&Identity>) -> Result<(), Violation> {
        let (mut is, mut should) = (self.checks.shown().to_vec(), self.stored());
        if let Some(bad) = but {
            if !is.iter().any(|one| one.identity == *bad) {
                return Err(Violation::of(Rule::LastGoodStays, &bad.1));
            }
            is.retain(|one| one.identity != *bad);
            should.retain(|one| one.identity != *bad);
        }
        version::compare(Rule::CatchesUp, &is, &should)
    }

    /// Checks the next item, if it arrives in time.
    async fn next(&mut self, until: Instant) -> Result<bool, Violation> {
        let Ok(item) = timeout_at(until, self.stream.next()).await else { return Ok(false) };
        let Some(item) = item else {
            return Err(Violation::of(Rule::GoesOn, "the stream ended"));
        };
        let item = item.into_change();
        self.checks.check(&item)?;
        match &item {
            Ok(change) => {
                self.summary.changes += 1;
                self.check_existed(change)?;
                if matches!(change, Change::Synced(_)) {
                    let shown = self.checks.shown();
                    version::contains(Rule::SyncedIsComplete, shown, &self.stored())?;
                }
            }
            Err(_) => self.summary.errors += 1,
        }
        self.at_once = if self.moment == Instant::now() { self.at_once + 1 } else { 0 };
        self.moment = Instant::now();
        if self.at_once > AT_ONCE {
            let what = format!("{AT_ONCE} items at one moment");
            return Err(Violation::of(Rule::WaitsForFailures, what));
        }
        Ok(true)
    }

    fn check_existed(&self, change: &Change<K>) -> Result<(), Violation> {
        match Version::all(change.snapshot()).iter().find(|one| !self.existed.contains(one)) {
            Some(phantom) => Err(Violation::of(Rule::NoPhantoms, phantom)),
            None => Ok(()),
        }
    }
}
