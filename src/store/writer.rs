//! The writer of a store: the only place where events become state.

use std::{collections::BTreeSet, mem, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use kube::runtime::reflector::Lookup;
use tokio::{sync::watch, time};

use super::{
    Store, SyncPolicy, SyncState,
    deleted::{Deleted, KeepDeleted},
    list::{List, Listed},
    parts::{Part, Parts},
    published::Published,
    stale::Stale,
    trace,
};
use crate::{
    change::Batch,
    clock::{self, after},
    error::{Error, ErrorKind},
    event::{Collection, Context, Scope, WatchEvent},
    index::IndexSet,
    measure,
    namespaced_name::{identity, owned_identity},
    snapshot::{Contents, Snapshot, named},
};

/// Time for which an optional kind must be missing before its objects are deleted.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// The writing side of a store. Each store has one writer, which isn't `Clone`; readers never wait for it.
pub(crate) struct Writer<K> {
    /// The next snapshot.
    working: Contents<K>,
    /// The snapshot that readers see.
    published: Snapshot<K>,
    /// Number of changes of `working` since it was last published.
    changes: usize,
    /// Set if the pipeline's context or the deleted objects changed since then.
    is_other: bool,
    parts: Parts<K>,
    phase: Phase,
    /// For an optional kind, selects the refusals that count as an empty list.
    optional: Option<Arc<IsOptional>>,
    policy: SyncPolicy,
    /// Objects whose newest version can't be decoded. Removals from this set are published together
    /// with the snapshot that contains the repaired object.
    stale: Stale,
    /// Errors of received objects with too many keys.
    overflows: Vec<Error>,
    /// Changes of the sync state since it was last published.
    unpublished: Unpublished,
    /// A failure that belongs to no collection, such as one of the watch of `Namespaces`.
    outside: Option<(Error, Instant)>,
    /// Set by an undecodable object that belongs to no collection, until the collections change.
    lacks_outside: bool,
    /// The failure that has lasted longest.
    failing: Option<(Error, Instant)>,
    /// True if a list was incomplete when the sync state was last published.
    listing: bool,
    last_error: Option<Error>,
    progress: u64,
    /// Time at which the load last made progress.
    progressed: Instant,
    last_word: Option<Instant>,
    current: Arc<ArcSwap<Contents<K>>>,
    state: watch::Sender<SyncState>,
    meter: measure::Store,
    outage: trace::Outage,
    /// The deleted objects in `working`, if they are kept.
    deleted: Option<Deleted<K>>,
}

/// Decides whether a refusal of an optional kind counts as an empty list.
pub(crate) type IsOptional = dyn Fn(&Error) -> bool + Send + Sync;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before the load is complete. With `progress` the objects are published as they arrive.
    Loading {
        progress: bool,
    },
    Live,
}

/// Changes of the sync state since it was last published.
#[derive(Clone, Copy, Default)]
struct Unpublished {
    /// Anything was received from the API server.
    received: bool,
    /// A collection that is not complete made progress.
    progress: bool,
    /// A failure, a recovery, or a change of the collections.
    other: bool,
}

/// Effect of an event or a failure.
pub(crate) enum Applied<K> {
    /// The event is in the working state, or in an incomplete list.
    Noted,
    /// The event completed the initial load, which is now published. With progress, the batch has the part of
    /// the load that was not published before.
    Synced(Option<Batch<K>>),
}

/// Effect of a failure.
pub(crate) struct Failed<K> {
    /// The failure as an item of the stream, unless it is ignored.
    pub(crate) item: Option<Error>,
    pub(crate) applied: Applied<K>,
}

impl<K: Lookup> Writer<K> {
    pub(crate) fn new(indexes: IndexSet<K>, context: Arc<Context<K>>) -> Self {
        let working = Contents::new(indexes, context);
        let published = Snapshot(Arc::new(working.clone()));
        let current = Arc::new(ArcSwap::new(Arc::clone(&published.0)));
        let meter = meter(&working);
        Self {
            working,
            published,
            changes: 0,
            is_other: false,
            parts: Parts::new(),
            phase: Phase::Loading { progress: false },
            optional: None,
            policy: SyncPolicy::default(),
            stale: Stale::default(),
            overflows: Vec::new(),
            unpublished: Unpublished::default(),
            outside: None,
            lacks_outside: false,
            failing: None,
            listing: false,
            last_error: None,
            progress: 0,
            progressed: clock::now(),
            last_word: None,
            current,
            state: watch::Sender::default(),
            meter,
            outage: trace::Outage::default(),
            deleted: None,
        }
    }

    pub(crate) fn store(&self) -> Store<K> {
        Store::new(Arc::clone(&self.current), self.state.subscribe())
    }

    /// Returns the published snapshot, for the watch that feeds this writer.
    pub(crate) fn published(&self) -> Published<K> {
        Published(Arc::clone(&self.current))
    }

    /// Sets the pipeline's context.
    pub(crate) fn set_context(&mut self, context: &Arc<Context<K>>) {
        if Arc::ptr_eq(self.working.context(), context) {
            return;
        }
        let is_same = self.working.context().origin == context.origin;
        self.working.set_context(Arc::clone(context));
        if !is_same {
            self.meter = meter(&self.working);
        }
        if self.published.is_empty() && self.working.is_empty() {
            self.show();
        } else {
            self.is_other = true;
        }
    }

    pub(crate) fn with_progress(&mut self) {
        self.phase = Phase::Loading { progress: true };
    }

    pub(crate) fn set_policy(&mut self, policy: SyncPolicy) {
        self.policy = policy;
        self.state.send_modify(|state| state.policy = policy);
    }

    pub(crate) fn set_optional(&mut self, is_optional: Arc<IsOptional>) {
        self.optional = Some(is_optional);
    }

    /// Records that the stream was polled.
    pub(crate) fn polled(&mut self) {
        self.state.send_modify(|state| state.is_polled = true);
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.phase == Phase::Live
    }

    pub(crate) fn keep_deleted(&mut self, keep: KeepDeleted) {
        self.deleted = Some(Deleted::new(keep));
    }

    /// Returns when [`overdue`](Self::overdue) must be called next.
    pub(crate) fn due(&self) -> Option<time::Instant> {
        let expiry = self.deleted.as_ref().and_then(Deleted::due);
        self.deadline().into_iter().chain(expiry).min()
    }

    /// Drops expired deleted objects, and syncs at the deadline of a partial sync.
    pub(crate) fn overdue(&mut self) -> Applied<K> {
        self.expire_deleted();
        if self.deadline().is_some_and(|deadline| deadline <= time::Instant::now()) {
            return self.sync();
        }
        Applied::Noted
    }

    fn expire_deleted(&mut self) {
        let deleted = self.deleted.as_mut();
        self.is_other |= deleted.is_some_and(|deleted| deleted.expire(&mut self.working));
    }

    /// Returns when the store is to be synced without the missing collections.
    fn deadline(&self) -> Option<time::Instant> {
        let is_partial = self.policy.partial || self.optional.is_some();
        let waits = is_partial && !self.is_synced() && self.parts.is_settled;
        let some = waits && self.parts.iter().any(|part| part.status.is_complete);
        some.then(|| after(self.progressed.into(), self.policy.deadline))
    }

    /// Applies an event to the working state. Readers see it after the next [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// An object without a name, or of a namespace that is not watched.
    pub(crate) fn apply(&mut self, event: WatchEvent<K>) -> Result<Applied<K>, Error> {
        match event {
            WatchEvent::Scope(scope) => return Ok(self.follow(&scope)),
            // The start of a list is no progress: a failing list starts again and again.
            WatchEvent::Restarted { collection, anew } => {
                let Some(at) = self.parts.named(&collection) else {
                    return Err(foreign(&collection));
                };
                let part = self.parts.at(at);
                part.list = Some(List::new());
                if anew {
                    part.status.is_outdated = true;
                    part.status.resource_version = None;
                }
                self.unpublished.other = true;
            }
            WatchEvent::Listed(object) => {
                let object = named(object)?;
                let at = self.of_object(&object)?;
                self.listed(at, object);
            }
            WatchEvent::Unchanged { namespace, name } => {
                // The watch compared with the published snapshot.
                let known = self.published.get((&namespace, &name));
                let Some(object) = known.or_else(|| self.working.get((&namespace, &name))).cloned()
                else {
                    let why = format!(
                        "the watch reported {namespace}/{name} as unchanged, but it is not stored"
                    );
                    return Err(Error::new(ErrorKind::Other, why));
                };
                let at = self.of_object(&object)?;
                self.meter.kept.add(1);
                self.received(at);
                self.list(at).put(object);
            }
            WatchEvent::ListComplete { collection, version } => {
                let Some(at) = self.parts.named(&collection) else {
                    return Err(foreign(&collection));
                };
                return Ok(self.complete(at, version.as_deref()));
            }
            WatchEvent::Applied(object) => {
                let object = named(object)?;
                let at = self.of_object(&object)?;
                // Before the first list is complete, the object belongs to that list.
                if !self.parts.at(at).status.is_complete {
                    self.listed(at, object);
                    return Ok(Applied::Noted);
                }
                self.meter.applied.add(1);
                self.received(at);
                self.reached(at, object.resource_version().as_deref());
                match &mut self.parts.at(at).list {
                    // Without the rest of the list, the object would make a state that never existed.
                    Some(list) => list.put(object),
                    None => self.put(&object),
                }
            }
            WatchEvent::Deleted(object) => {
                let object = named(object)?;
                let at = self.of_object(&object)?;
                self.meter.deleted.add(1);
                self.received(at);
                self.reached(at, object.resource_version().as_deref());
                match &mut self.parts.at(at).list {
                    Some(list) => list.remove(owned_identity(&*object)),
                    None => self.take(&object),
                }
                if self.phase == (Phase::Loading { progress: true }) {
                    self.take(&object);
                }
            }
            WatchEvent::Gone { namespace, name, version } => {
                let Some(at) = self.parts.of(&namespace) else { return Err(unwatched(&namespace)) };
                self.meter.deleted.add(1);
                self.received(at);
                self.reached(at, version.as_deref());
                let stored = self.working.get((&namespace, &name)).cloned();
                match (&mut self.parts.at(at).list, stored) {
                    (Some(list), _) => list.remove((namespace, name)),
                    (None, Some(object)) => self.take(&object),
                    (None, None) => self.repaired(|| (namespace, name)),
                }
            }
            WatchEvent::Bookmark { collection, version } => {
                let Some(at) = self.parts.named(&collection) else {
                    return Err(foreign(&collection));
                };
                self.received(at);
                self.reached(at, Some(&version));
            }
        }
        Ok(Applied::Noted)
    }

    /// Records a failure upstream.
    pub(crate) fn failed(&mut self, error: Error) -> Failed<K> {
        let failed = self.take_failure(error.logged());
        self.inform();
        failed
    }

    /// Records the last failure of a stream that is about to end.
    pub(crate) fn ends_with(&mut self, error: &Error) {
        self.last_error = Some(error.clone());
        self.unpublished.other = true;
        self.inform();
    }

    fn take_failure(&mut self, error: Error) -> Failed<K> {
        let at = self.parts.of_failure(&error);
        self.unpublished.other = true;
        if error.is_undecodable() {
            let object = error.object();
            let object = object.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
            if let Some(list) = at.and_then(|at| self.parts.at(at).list.as_mut()) {
                list.failed(object.clone());
            }
            let is_first = match (at, object) {
                // An object that belongs to no collection, such as a `Namespace`, is not in the store.
                (None, _) => !mem::replace(&mut self.lacks_outside, true),
                (Some(_), object) => {
                    let is_first = self.stale.is_empty();
                    if let Some(object) = object {
                        self.stale.insert(object);
                    }
                    is_first
                }
            };
            self.meter.stale(self.stale.len());
            self.meter.failed(error.reason());
            trace::undecodable(&self.working.context().origin, &error, is_first);
            self.last_error = Some(error.clone());
            return Failed { item: Some(error), applied: Applied::Noted };
        }
        if let Some(at) = at
            && self.optional.as_ref().is_some_and(|is_optional| is_optional(&error))
        {
            return self.treat_as_empty(at, error);
        }
        self.meter.failed(error.reason());
        let now = clock::now();
        let failing = match at {
            Some(at) => {
                let part = self.parts.at(at);
                if !error.is_interruption() {
                    part.missing_since = None;
                }
                part.status.connected = None;
                &mut part.status.failing
            }
            None => &mut self.outside,
        };
        let since = failing.as_ref().map_or(now, |(_, since)| *since);
        *failing = Some((error.clone(), since));
        self.outage.goes_on(&self.working.context().origin, &error, now);
        self.last_error = Some(error.clone());
        Failed { item: Some(error), applied: Applied::Noted }
    }

    /// Treats an optional kind as empty: at once during the load; after [`GRACE`] if it had objects.
    fn treat_as_empty(&mut self, at: usize, error: Error) -> Failed<K> {
        let now = clock::now();
        self.unpublished.received = true;
        let part = self.parts.at(at);
        // The refusal is an answer of the server, so it ends an outage.
        part.is_received = true;
        part.status.failing = None;
        // Objects are deleted only if the kind is missing all the time.
        let since = error.is_not_installed().then(|| part.missing_since.unwrap_or(now));
        part.missing_since = since;
        part.status.connected = None;
        let is_gone = since.is_some_and(|since| now.duration_since(since) >= GRACE);
        let namespace = part.collection.namespace().map(str::to_owned);
        let silent = error.is_not_installed();
        self.last_error = Some(error.clone());
        if !part.status.is_complete {
            let has_none = part.list.as_ref().is_none_or(List::is_empty);
            if has_none && self.working.objects_in(namespace.as_deref()).len() == 0 {
                part.status.is_complete = true;
                trace::counts_as_empty(&self.working.context().origin, &error);
            }
        } else if is_gone {
            self.empty(namespace.as_deref());
        }
        let item = (!silent).then_some(error);
        Failed { item, applied: self.sync_if_complete() }
    }

    /// Publishes the working state to readers, and returns the difference since the last publish.
    pub(crate) fn publish(&mut self) -> Option<Batch<K>> {
        if self.phase == (Phase::Loading { progress: false }) {
            self.inform();
            return None;
        }
        self.expire_deleted();
        let previous = self.published.clone();
        let changes = self.swap();
        let batch = match changes {
            0 => None,
            // Two changes may cancel out. A single change never does.
            1 => Some(Batch::new(&previous, &self.published)),
            _ => Batch::between(&previous, &self.published),
        };
        self.inform();
        batch
    }

    pub(crate) fn snapshot(&self) -> &Snapshot<K> {
        &self.published
    }

    /// Returns the number of keys put into indexes or taken out: a measure of work.
    pub(crate) fn keys_moved(&self) -> usize {
        self.working.keys_moved()
    }

    fn show(&mut self) {
        self.published = Snapshot(Arc::new(self.working.clone()));
        self.current.store(Arc::clone(&self.published.0));
        self.is_other = false;
    }

    /// Publishes the working state; returns the number of changes that became visible.
    fn swap(&mut self) -> usize {
        let changes = mem::take(&mut self.changes);
        if changes > 0 {
            self.show();
            self.meter.published(self.published.len(), self.published.0.index_entries());
        } else if self.is_other {
            self.show();
        }
        changes
    }

    /// Publishes the sync state. Called after the swap, so that the tasks it wakes find the snapshot it
    /// describes.
    fn inform(&mut self) {
        let unpublished = mem::take(&mut self.unpublished);
        if !(unpublished.received || unpublished.other) {
            return;
        }
        let synced = self.is_synced();
        let now = clock::now();
        if unpublished.progress {
            self.progress += 1;
            self.progressed = now;
        }
        if unpublished.received {
            self.last_word = Some(now);
        }
        self.meter.status(synced, self.stale.len());
        if unpublished.other {
            self.failing = match (self.parts.failing(), self.outside.clone()) {
                (Some(one), Some(other)) => Some(if one.1 <= other.1 { one } else { other }),
                (one, other) => one.or(other),
            };
        }
        if self.failing.is_none() {
            self.outage.ends(&self.working.context().origin, now);
        }
        let health = unpublished.other.then(|| {
            let connected = self.parts.connected().filter(|_| self.failing.is_none());
            (connected, self.failing.clone())
        });
        // Without a list there is nothing to count.
        let lists = (unpublished.other || self.listing)
            .then(|| (self.parts.pending(), self.parts.is_listing()));
        self.listing = lists.is_some_and(|(_, listing)| listing);
        let failing = self.failing.as_ref().map(|(error, _)| error);
        let last_error = self.last_error.as_ref().or(failing).cloned();
        let stale = self.stale.clone();
        let (progress, last_word) = (self.progress, self.last_word);
        let sync_due = self.deadline();
        let changed = self.parts.take_changed(now);
        self.state.send_modify(|state| {
            state.status.is_synced = synced;
            if let Some((connected, failing)) = health {
                state.status.connected = connected;
                state.status.failing = failing;
            }
            state.status.last_word = last_word;
            if let Some((pending, listing)) = lists {
                state.pending = pending;
                state.listing = listing;
            }
            state.last_error = last_error;
            state.stale = stale;
            state.progress = progress;
            state.sync_due = sync_due;
            let collections = Arc::make_mut(&mut state.collections);
            if changed.are_all {
                collections.clear();
            }
            for part in changed.parts {
                collections.insert(part.collection.clone(), part.status.clone());
            }
        });
    }

    fn of_object(&mut self, object: &K) -> Result<usize, Error> {
        let (namespace, _) = identity(object);
        self.parts.of(&namespace).ok_or_else(|| unwatched(&namespace))
    }

    /// Records that the API server sent something about a collection.
    fn received(&mut self, at: usize) {
        self.unpublished.received = true;
        let part = self.parts.at(at);
        part.is_received = true;
        self.unpublished.progress |= part.advances();
        let status = &mut part.status;
        // A part of a list is no recovery: the list may fail again and again.
        if part.list.is_none() {
            self.last_error = None;
            part.missing_since = None;
            if status.failing.take().is_some() || status.connected.is_none() {
                self.unpublished.other = true;
                status.connected.get_or_insert_with(clock::now);
            }
        }
    }

    /// Records that everything up to a version was seen.
    fn reached(&mut self, at: usize, version: Option<&str>) {
        let Some(version) = version else { return };
        let number = version.parse().unwrap_or_default();
        self.working.version = self.working.version.max(number);
        let part = self.parts.at(at);
        if part.status.is_complete && part.list.is_none() {
            part.reached(version);
        }
    }

    fn list(&mut self, at: usize) -> &mut List<K> {
        self.parts.at(at).list.get_or_insert_with(List::new)
    }

    fn listed(&mut self, at: usize, object: Arc<K>) {
        self.meter.listed.add(1);
        self.received(at);
        // Keep the stored object if nothing changed, and free the new copy at once: this makes a relist
        // cheap.
        let is_outdated = self.parts.at(at).status.is_outdated;
        let object = match self.working.same_version(&object) {
            // In another history the same version may have different content.
            Some(stored) if !is_outdated || self.working.is_equal(stored, &object) => {
                Arc::clone(stored)
            }
            _ => object,
        };
        if self.phase == (Phase::Loading { progress: true }) {
            self.put(&object);
        }
        self.list(at).put(object);
    }

    /// Replaces the state of a collection with its complete list; applies only the differences.
    fn complete(&mut self, at: usize, version: Option<&str>) -> Applied<K> {
        let now = clock::now();
        let part = self.parts.at(at);
        let Listed { objects, undecodable, is_all_named } =
            part.list.take().unwrap_or_else(List::new).complete();
        let Part { collection, status, .. } = part;
        let anew = mem::take(&mut status.is_outdated);
        status.is_complete = true;
        status.failing.take_if(|(error, _)| !error.outlives_lists());
        if status.failing.is_none() {
            status.connected.get_or_insert(now);
        }
        let namespace = collection.namespace().map(str::to_owned);
        part.missing_since = None;
        part.is_received = true;
        self.last_error = None;
        self.unpublished.received = true;
        self.unpublished.progress = true;
        self.unpublished.other = true;
        if version.is_some() {
            self.parts.at(at).status.resource_version = version.map(str::to_owned);
            self.reached(at, version);
        } else {
            // Without a list version, the objects' own versions are a lower bound.
            for object in &objects {
                self.reached(at, object.resource_version().as_deref());
            }
        }
        let mut suspects = BTreeSet::new();
        if self.working.is_empty() {
            self.changes += objects.len();
            if self.deleted.is_some() {
                for object in &objects {
                    self.working.unbury(object);
                }
            }
            self.working.load(objects);
            if self.working.overflows() {
                let all = self.working.iter();
                self.overflows.extend(all.flat_map(|object| self.working.overflowing(object)));
            }
        } else {
            let (come, mut gone) = self.working.until(namespace.as_deref(), &objects);
            for object in come {
                if anew {
                    self.changes += 1;
                    self.update_deleted(object);
                    self.working.put_anew(object);
                    self.check_keys(object);
                } else {
                    self.keep(object);
                }
            }
            gone.retain(|object| !undecodable.contains(&owned_identity(&**object)));
            if !is_all_named {
                // An undecodable item without a name may be any of the missing objects, so none is deleted.
                suspects = gone.drain(..).map(|object| owned_identity(&*object)).collect();
            }
            for object in &gone {
                self.remove(object);
            }
        }
        self.replace_stale(namespace.as_deref(), undecodable.into_iter().chain(suspects));
        if self.is_synced() {
            let objects = self.working.len();
            trace::list_taken_in(&self.working.context().origin, objects, self.changes);
        }
        self.sync_if_complete()
    }

    /// Replaces the stale objects of a collection.
    fn replace_stale(
        &mut self,
        namespace: Option<&str>,
        stale: impl Iterator<Item = (String, String)>,
    ) {
        let mut stale = stale.peekable();
        if self.stale.is_empty() && stale.peek().is_none() {
            return;
        }
        self.stale.replace(namespace, stale);
        if self.stale.is_empty() {
            trace::repaired(&self.working.context().origin);
        }
    }

    fn sync_if_complete(&mut self) -> Applied<K> {
        if self.is_synced() || !self.parts.is_complete() { Applied::Noted } else { self.sync() }
    }

    fn sync(&mut self) -> Applied<K> {
        let objects = self.working.len();
        trace::synced(&self.working.context().origin, objects);
        self.unpublished.other = true;
        match mem::replace(&mut self.phase, Phase::Live) {
            Phase::Live => Applied::Noted,
            Phase::Loading { progress: true } => Applied::Synced(self.publish()),
            Phase::Loading { progress: false } => {
                self.swap();
                self.inform();
                Applied::Synced(None)
            }
        }
    }

    /// Replaces the collections with those of a scope.
    fn follow(&mut self, scope: &Scope<K>) -> Applied<K> {
        self.set_context(scope.context());
        self.outside = None;
        self.lacks_outside = false;
        self.unpublished.other = true;
        let left = self.parts.follow(scope.collections(), scope.is_settled());
        for collection in left.collections {
            // If namespaces replace the whole cluster, its objects may be in them, so they stay.
            if collection.namespace().is_some() {
                self.empty(collection.namespace());
            }
        }
        self.sync_if_complete()
    }

    /// Deletes the objects of a collection.
    fn empty(&mut self, namespace: Option<&str>) {
        let gone: Vec<_> = self.working.objects_in(namespace).cloned().collect();
        for object in gone {
            self.remove(&object);
        }
        self.replace_stale(namespace, std::iter::empty());
    }

    fn put(&mut self, object: &Arc<K>) {
        self.repaired(|| owned_identity(&**object));
        self.keep(object);
    }

    fn keep(&mut self, object: &Arc<K>) {
        self.update_deleted(object);
        if self.working.put(object) {
            self.changes += 1;
            self.check_keys(object);
        }
    }

    /// Updates the deleted objects for an object that is about to be stored: another object of its name counts
    /// as deleted, and the object itself no longer does.
    fn update_deleted(&mut self, object: &K) {
        let Some(deleted) = &mut self.deleted else { return };
        if let Some(before) = self.working.replaced_by(object).cloned() {
            deleted.add(&mut self.working, before);
        }
        self.working.unbury(object);
    }

    /// Records an error for each index in which an object has too many keys.
    fn check_keys(&mut self, object: &K) {
        if self.working.overflows() {
            self.overflows.extend(self.working.overflowing(object));
        }
    }

    /// Returns the errors of objects with too many keys since the last call.
    pub(crate) fn take_overflows(&mut self) -> Vec<Error> {
        let overflows = mem::take(&mut self.overflows);
        for error in &overflows {
            self.meter.failed(error.reason());
        }
        overflows
    }

    fn take(&mut self, object: &K) {
        self.repaired(|| owned_identity(object));
        self.remove(object);
    }

    fn remove(&mut self, object: &K) {
        let Some(gone) = self.working.take(object) else { return };
        self.changes += 1;
        if let Some(deleted) = &mut self.deleted {
            deleted.add(&mut self.working, gone);
        }
    }

    /// Removes an object from the stale ones, after a decodable version or its deletion.
    fn repaired(&mut self, object: impl FnOnce() -> (String, String)) {
        if self.stale.is_empty() {
            return;
        }
        let (namespace, name) = object();
        if self.stale.remove(&namespace, &name) && self.stale.is_empty() {
            trace::repaired(&self.working.context().origin);
        }
    }
}

fn meter<K>(working: &Contents<K>) -> measure::Store {
    measure::Store::new(&working.context().origin, working.index_names())
}

fn unwatched(namespace: &str) -> Error {
    let why = format!("received an object of namespace `{namespace}`, which is not watched");
    Error::new(ErrorKind::Other, why)
}

fn foreign(collection: &Collection) -> Error {
    Error::new(ErrorKind::Other, format!("received an event of {collection}, which is not watched"))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{api::ObjectMeta, runtime::watcher::Event};

    use super::*;

    fn object(name: u32, version: u32) -> ConfigMap {
        let (name, resource_version) = (Some(name.to_string()), Some(version.to_string()));
        let metadata = ObjectMeta { name, resource_version, ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    /// SEMANTICS: S7
    #[test]
    fn a_list_holds_each_object_once_however_many_events_come_meanwhile() {
        let mut writer = Writer::new(IndexSet::of(()), Arc::default());
        let mut apply = |event: Event<_>| writer.apply(event.into()).map(drop).unwrap();
        apply(Event::Init);
        apply(Event::InitDone);
        apply(Event::Init);
        for version in 0..100_000 {
            apply(Event::Apply(object(version % 7, version)));
            apply(Event::Delete(object(version % 7 + 1, version)));
        }
        apply(Event::InitApply(object(99, 1)));
        assert!(writer.parts.pending() <= 2048);
        writer.apply(Event::InitDone.into()).map(drop).unwrap();
        writer.publish();
        let names = writer.snapshot().iter().map(|object| object.metadata.name.clone().unwrap());
        // The last events before the end were object 4 and the deletion of 5.
        assert_eq!(names.collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "6", "99"]);
    }

    /// SEMANTICS: D4
    #[test]
    fn one_change_is_a_batch_and_two_that_undo_each_other_are_none() {
        let mut writer = Writer::new(IndexSet::of(()), Arc::default());
        let published = |writer: &mut Writer<ConfigMap>, events: Vec<Event<ConfigMap>>| {
            for event in events {
                writer.apply(event.into()).map(drop).unwrap();
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
