//! Filling a store: the one place where events become state.

use std::{collections::BTreeSet, mem, sync::Arc};

use arc_swap::ArcSwap;
use kube::runtime::{reflector::Lookup, watcher::Event};
use tokio::{sync::watch, time::Instant};

use super::{Status, Store, SyncPolicy, feedback::Feedback};
use crate::{
    change::Batch,
    error::Error,
    index::IndexBy,
    measure,
    namespaced_name::owned_identity,
    origin::Origin,
    snapshot::{Contents, Snapshot, named, order},
    strain::Strainer,
};

/// The writing side of a store. There is one, it isn't `Clone`, and readers never wait for it.
pub(crate) struct Writer<K> {
    /// What the next snapshot will be.
    working: Contents<K>,
    /// What readers see.
    published: Snapshot<K>,
    /// How often `working` was changed since it was last published.
    changes: usize,
    /// Whether anything came in since the stores were last told.
    news: bool,
    /// The list that is coming in, until its `InitDone`.
    list: Option<List<K>>,
    phase: Phase,
    /// Whether a kind that can't be listed counts as one without objects.
    optional: bool,
    /// Whether the watch says how far it is. Else the objects that come do.
    is_told: bool,
    /// Objects whose newest version would not decode. What is no longer one of them the stores are
    /// told when they can see it.
    stale: Arc<BTreeSet<(String, String)>>,
    current: Arc<ArcSwap<Contents<K>>>,
    feedback: Arc<Feedback<K>>,
    status: watch::Sender<Status>,
    meter: measure::Store,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the first list is complete. Published as it comes in only where that is asked for.
    Loading {
        progress: bool,
    },
    Live,
}

/// A list on its way in. It is set aside until it is complete, so that a list that is cut, or
/// begun again, leaves nothing behind.
struct List<K> {
    /// What came: an object, and whether it is there. Of several with one identity the last
    /// counts.
    objects: Vec<(Arc<K>, bool)>,
    /// How long `objects` may become before it is settled.
    limit: usize,
    /// The newest resourceVersion in it.
    version: u64,
    /// Objects that are listed, but in a version that would not decode.
    undecodable: BTreeSet<(String, String)>,
}

/// What an event did.
pub(crate) enum Applied<K> {
    /// It is in the working state, or set aside.
    Noted,
    /// It completed the initial load, which is published; with the part of it that was not
    /// published before, where progress is wanted.
    Synced(Option<Batch<K>>),
}

impl<K: Lookup> Writer<K> {
    pub(crate) fn new(by: IndexBy<K>) -> Self {
        let working = Contents::new(by);
        let published = Snapshot(Arc::new(working.clone()));
        let current = Arc::new(ArcSwap::new(Arc::clone(&published.0)));
        let feedback = Arc::new(Feedback::new(Arc::clone(&current)));
        let meter = measure::Store::new(working.origin(), working.index_names());
        Self {
            working,
            current,
            feedback,
            published,
            changes: 0,
            news: false,
            list: None,
            phase: Phase::Loading { progress: false },
            optional: false,
            is_told: false,
            stale: Arc::default(),
            status: watch::Sender::default(),
            meter,
        }
    }

    pub(crate) fn store(&self) -> Store<K> {
        Store::new(Arc::clone(&self.current), self.status.subscribe())
    }

    /// For a watch that tells more than its events.
    pub(crate) fn feedback(&mut self) -> Arc<Feedback<K>> {
        self.is_told = true;
        Arc::clone(&self.feedback)
    }

    /// What the objects will have gone through, before any has come.
    pub(crate) fn behind(&mut self, strainer: Strainer<K>) {
        self.working.behind(strainer);
        self.show();
    }

    pub(crate) fn with_progress(&mut self) {
        self.phase = Phase::Loading { progress: true };
    }

    pub(crate) fn set_policy(&mut self, policy: SyncPolicy) {
        self.status.send_modify(|status| status.policy = policy);
    }

    pub(crate) fn optional(&mut self) {
        self.optional = true;
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Takes one event in. Readers see it after the next [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// An object without a name.
    pub(crate) fn apply(&mut self, event: Event<K>) -> Result<Applied<K>, Error> {
        // That a list begins is no progress: one that fails begins again and again.
        self.news |= !matches!(event, Event::Init);
        match event {
            Event::Init => {
                self.list = Some(List::new());
                self.feedback.take();
                self.status.send_modify(|status| status.listing = true);
            }
            Event::InitApply(object) => self.listed(named(object)?),
            Event::InitDone => return Ok(self.complete()),
            // Before the sync there is nothing to compare with: it is part of the load.
            Event::Apply(object) if !self.is_synced() => self.listed(named(object)?),
            Event::Apply(object) => {
                self.meter.applied.add(1);
                let object = named(object)?;
                if let Some(list) = &mut self.list {
                    list.note(Arc::clone(&object), true);
                }
                self.working.version = self.working.version.max(version(&*object));
                self.passed(&*object);
                self.put(&object);
            }
            Event::Delete(object) => {
                self.meter.deleted.add(1);
                let object = named(object)?;
                if let Some(list) = &mut self.list {
                    list.note(Arc::clone(&object), false);
                }
                self.working.version = self.working.version.max(version(&*object));
                if self.is_synced() {
                    self.passed(&*object);
                }
                self.take(&object);
            }
        }
        Ok(Applied::Noted)
    }

    /// Takes note of a failure upstream.
    pub(crate) fn failed(&mut self, error: &Error) {
        let stale = error.object().map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        if let (Some(list), Some(object)) = (&mut self.list, stale.clone()) {
            list.undecodable.insert(object);
        }
        if let Some(object) = stale {
            Arc::make_mut(&mut self.stale).insert(object);
        }
        self.meter.stale(self.stale.len());
        if !self.forgives(error) {
            self.meter.failed(error.reason());
        }
        self.status.send_modify(|status| {
            status.last_error = Some(error.clone());
            status.stale = Arc::clone(&self.stale);
        });
    }

    /// Whether a failure is none here, because the kind is optional and not installed.
    pub(crate) fn forgives(&self, error: &Error) -> bool {
        self.optional && error.is_not_installed()
    }

    /// Counts an optional kind that is refused as complete, unless part of it has come already.
    /// What comes later is a change. Nothing can be unpublished then.
    pub(crate) fn waive(&mut self, error: &Error) -> bool {
        let waived = self.optional
            && error.is_refusal()
            && !self.is_synced()
            && self.working.is_empty()
            && self.list.as_ref().is_none_or(|list| list.objects.is_empty());
        if waived {
            self.phase = Phase::Live;
            self.news = true;
            self.tell();
            let Origin { resource, name } = self.working.origin();
            let reason = error.reason();
            tracing::info!(
                resource = &**resource,
                name = name.as_deref(),
                reason,
                "optional, and counts as empty"
            );
        }
        waived
    }

    /// Lets readers see all events so far, and gives what changed since the last time.
    pub(crate) fn publish(&mut self) -> Option<Batch<K>> {
        let previous = self.published.clone();
        let changes = self.swap();
        let batch = match changes {
            // Two changes may make none. One is one.
            1 => Some(Batch::new(&previous, &self.published)),
            _ => Batch::between(&previous, &self.published),
        };
        self.tell();
        batch
    }

    pub(crate) fn snapshot(&self) -> &Snapshot<K> {
        &self.published
    }

    fn show(&mut self) {
        self.published = Snapshot(Arc::new(self.working.clone()));
        self.current.store(Arc::clone(&self.published.0));
    }

    /// Gives how many changes it made visible.
    fn swap(&mut self) -> usize {
        let changes = mem::take(&mut self.changes);
        if changes > 0 {
            self.show();
            self.meter.published(self.published.len(), self.published.0.index_entries());
        }
        changes
    }

    /// Wakes those who wait. After the swap, so that they find what they are told of.
    fn tell(&mut self) {
        let news = mem::take(&mut self.news);
        let mut position = self.feedback.position();
        let moved = mem::take(&mut position.1);
        if !news && !moved {
            return;
        }
        let (synced, listing) = (self.phase == Phase::Live, self.list.is_some());
        let listed = self.list.as_ref().map_or(0, |list| list.objects.len() + self.feedback.len());
        if news {
            self.meter.told(synced, self.stale.len());
        }
        self.status.send_modify(|status| {
            status.heard = Some(Instant::now());
            if moved {
                status.position.follow(&position.0);
            }
            if news {
                status.synced = synced;
                status.listing = listing;
                status.pending = listed;
                status.last_error = None;
                status.stale = Arc::clone(&self.stale);
                status.events += 1;
            }
        });
    }

    fn passed(&self, object: &K) {
        if !self.is_told
            && let Some(version) = object.resource_version()
        {
            self.feedback.passed(&version);
        }
    }

    fn listed(&mut self, object: Arc<K>) {
        self.meter.listed.add(1);
        // Keeping the stored object where nothing changed is what makes a relist cheap: the new
        // copy is freed at once.
        let object = match self.working.same_version(&object) {
            Some(stored) => Arc::clone(stored),
            None => object,
        };
        if self.phase == (Phase::Loading { progress: true }) {
            self.put(&object);
        }
        let version = version(&*object);
        let list = self.list.get_or_insert_with(List::new);
        list.version = list.version.max(version);
        list.note(object, true);
    }

    /// The list is complete: it becomes the state, by way of what differs.
    fn complete(&mut self) -> Applied<K> {
        let mut list = self.list.take().unwrap_or_else(List::new);
        let kept = self.feedback.take();
        self.meter.kept.add(kept.len());
        for object in kept {
            list.note(object, true);
        }
        list.settle();
        let List { objects, undecodable, version, .. } = list;
        self.working.version = self.working.version.max(version);
        let objects: Vec<_> = objects.into_iter().map(|(object, _)| object).collect();
        for object in &objects {
            self.passed(object);
        }
        if self.working.is_empty() {
            self.changes += objects.len();
            self.working.load(objects);
        } else {
            let (come, mut gone) = self.working.until(&objects);
            for object in come {
                self.put(object);
            }
            gone.retain(|object| !undecodable.contains(&owned_identity(&**object)));
            for object in &gone {
                self.take(object);
            }
        }
        self.stale = Arc::new(undecodable);
        let Origin { resource, name } = self.working.origin();
        let (resource, name, objects) = (&**resource, name.as_deref(), self.working.len());
        if self.phase == Phase::Live {
            tracing::debug!(resource, name, objects, changes = self.changes, "list taken in");
        } else {
            tracing::info!(resource, name, objects, "synced");
        }
        match mem::replace(&mut self.phase, Phase::Live) {
            Phase::Live => Applied::Noted,
            Phase::Loading { progress: true } => Applied::Synced(self.publish()),
            Phase::Loading { progress: false } => {
                self.swap();
                self.tell();
                Applied::Synced(None)
            }
        }
    }

    fn put(&mut self, object: &Arc<K>) {
        self.refreshed(object);
        self.changes += usize::from(self.working.put(object));
    }

    fn take(&mut self, object: &K) {
        self.refreshed(object);
        self.changes += usize::from(self.working.take(object).is_some());
    }

    /// A good version has come in, or the object is gone: it is stale no more.
    fn refreshed(&mut self, object: &K) {
        if !self.stale.is_empty() {
            Arc::make_mut(&mut self.stale).remove(&owned_identity(object));
        }
    }
}

impl<K: Lookup> List<K> {
    fn new() -> Self {
        Self { objects: Vec::new(), limit: 1024, version: 0, undecodable: BTreeSet::new() }
    }

    fn note(&mut self, object: Arc<K>, is_there: bool) {
        if self.objects.len() == self.limit {
            // It must not grow with the number of events.
            self.settle();
            self.limit = self.limit.max(2 * self.objects.len());
        }
        self.objects.push((object, is_there));
    }

    /// Leaves the objects that are there, in order, each identity once.
    fn settle(&mut self) {
        // Stable, and fast for what is in order already, as the API server lists it.
        self.objects.sort_by(|(a, _), (b, _)| order(&**a, &**b));
        self.objects.dedup_by(|later, earlier| {
            let same = order(&*later.0, &*earlier.0).is_eq();
            if same {
                mem::swap(later, earlier);
            }
            same
        });
        self.objects.retain(|(_, is_there)| *is_there);
    }
}

/// As a number, which resourceVersions are on an API server; else 0.
fn version<K: Lookup>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(name: u32, version: u32) -> ConfigMap {
        let (name, resource_version) = (Some(name.to_string()), Some(version.to_string()));
        let metadata = ObjectMeta { name, resource_version, ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    /// SEMANTICS: S7
    #[test]
    fn a_list_holds_each_object_once_however_many_events_come_meanwhile() {
        let mut writer = Writer::new(IndexBy::path("metadata.namespace").unwrap());
        let mut apply = |event| writer.apply(event).map(drop).unwrap();
        apply(Event::Init);
        apply(Event::InitDone);
        apply(Event::Init);
        for version in 0..100_000 {
            apply(Event::Apply(object(version % 7, version)));
            apply(Event::Delete(object(version % 7 + 1, version)));
        }
        apply(Event::InitApply(object(99, 1)));
        assert!(writer.list.as_ref().unwrap().objects.capacity() <= 2048);
        writer.apply(Event::InitDone).map(drop).unwrap();
        writer.publish();
        let names = writer.snapshot().iter().map(|object| object.metadata.name.clone().unwrap());
        // What came last before the end was 4, and the deletion of 5.
        assert_eq!(names.collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "6", "99"]);
    }

    /// SEMANTICS: D4
    #[test]
    fn one_change_is_a_batch_and_two_that_undo_each_other_are_none() {
        let mut writer = Writer::new(IndexBy::path("metadata.namespace").unwrap());
        let published = |writer: &mut Writer<ConfigMap>, events: Vec<Event<ConfigMap>>| {
            for event in events {
                writer.apply(event).map(drop).unwrap();
            }
            writer.publish().map(|batch| batch.deltas().len())
        };
        assert_eq!(published(&mut writer, vec![Event::Init, Event::InitDone]), None);
        assert_eq!(published(&mut writer, vec![Event::Apply(object(1, 1))]), Some(1));
        assert_eq!(published(&mut writer, vec![Event::Apply(object(1, 1))]), None);
        let come_and_go = vec![Event::Apply(object(2, 2)), Event::Delete(object(2, 3))];
        assert_eq!(published(&mut writer, come_and_go), None);
        let there_and_back = vec![Event::Apply(object(1, 2)), Event::Apply(object(1, 1))];
        assert_eq!(published(&mut writer, there_and_back), None);
        assert_eq!(published(&mut writer, vec![Event::Delete(object(1, 4))]), Some(1));
    }
}
