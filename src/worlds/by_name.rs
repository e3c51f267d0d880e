//! Worlds of kinds that are named at run time.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    World,
    change::WorldBatch,
    kind_store::KindStore,
    member::{Member, Pipeline, WorldWaker},
    stream::IntoWorld,
    view::{Members, Polled, View, sealed},
};
use crate::{
    change::{Batch, ChangeStats},
    document::Document,
    snapshot::Snapshot,
};

/// Pipelines of [`Document`]s by name, for a world of kinds that are known only at run time.
///
/// ```
/// use kube_weir::{Kinds, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let config = [("services", "v1/services"), ("ingresses", "networking.k8s.io/v1/ingresses")];
/// let mut kinds = Kinds::new();
/// for (name, resource) in config {
///     let watch = watch_resource(client.clone(), resource)?;
///     kinds = kinds.add(name, watch.index(()));
/// }
/// let handle = kinds.handle(); // to add and remove kinds later
///
/// let mut changes = pin!(world(kinds).debounce(Duration::from_millis(500)).log_errors());
/// let world = changes.first_synced().await?;
/// assert_eq!(world.kind("services").unwrap().len(), 1);
///
/// handle.remove("services");
/// let change = changes.next().await.unwrap();
/// assert!(change.world().kind("services").is_none());
/// # Ok(()) });
/// ```
#[derive(Debug)]
#[must_use = "kinds do nothing unless they are made a world"]
pub struct Kinds(KindsHandle);

impl Kinds {
    /// Makes an empty set. A world without kinds is synced at once.
    ///
    /// ```
    /// use kube_weir::{Kinds, prelude::*};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let world = world(Kinds::new()).first_synced().await?;
    /// assert!(world.kinds().is_empty());
    /// # Ok(()) });
    /// ```
    pub fn new() -> Self {
        let shared = Shared {
            pending: Mutex::default(),
            handles: AtomicUsize::new(1),
            world_waker: WorldWaker::default(),
        };
        Self(KindsHandle(Arc::new(shared)))
    }

    /// Adds a kind. A kind of the same name is replaced. See the [example](Kinds).
    pub fn add<P>(self, name: impl Into<Arc<str>>, pipeline: P) -> Self
    where
        P: Pipeline<Object = Document> + Send + 'static,
    {
        self.0.add(name, pipeline);
        self
    }

    /// Returns a handle that adds and removes kinds while the world runs. The stream doesn't end as long as
    /// a handle exists. See the [example](KindsHandle).
    pub fn handle(&self) -> KindsHandle {
        self.0.clone()
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::new()
    }
}

/// A handle that adds kinds to a running world and removes them; from [`Kinds::handle`]. It is cheap to
/// clone and usable from any task.
///
/// Once the stream is dropped, the handle has no effect.
///
/// ```
/// use kube_weir::{Document, Kinds, prelude::*, testing::{Events, fixture::object}};
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::listed([object::<Document>("", "shop")]).stay_open().index(());
/// let kinds = Kinds::new().add("services", services);
/// let handle = kinds.handle();
/// let mut changes = world(kinds).log_errors();
/// changes.first_synced().await?;
///
/// let secrets = Events::listed([object::<Document>("", "tls")]).stay_open().index(());
/// handle.add("secrets", secrets);
/// let come = changes.next().await.unwrap();
/// assert_eq!(come.batch().unwrap().kind("secrets").unwrap().stats().created, 1);
///
/// handle.remove("services");
/// let gone = changes.next().await.unwrap();
/// assert_eq!(gone.batch().unwrap().kind("services").unwrap().stats().deleted, 1);
/// assert_eq!(gone.world().kinds().len(), 1);
/// # Ok(()) });
/// ```
pub struct KindsHandle(Arc<Shared>);

struct Shared {
    /// Kinds to add (`Some`) or remove (`None`), until the stream takes them in.
    pending: Mutex<BTreeMap<Arc<str>, Option<Member<Document>>>>,
    handles: AtomicUsize,
    world_waker: WorldWaker,
}

impl KindsHandle {
    /// Adds a kind, which becomes part of the world when it is synced; the batch of that world creates its
    /// objects. A kind of the same name is replaced: its pipeline is dropped, and its last state stays
    /// until the new kind is synced. See the [example](KindsHandle).
    pub fn add<P>(&self, name: impl Into<Arc<str>>, pipeline: P)
    where
        P: Pipeline<Object = Document> + Send + 'static,
    {
        let name = name.into();
        let member = Member::new(Arc::clone(&name), pipeline, &self.0.world_waker);
        self.enqueue(name, Some(member));
    }

    /// Removes a kind: its pipeline is dropped, and the batch of the next world deletes its objects. See
    /// the [example](KindsHandle).
    pub fn remove(&self, name: impl Into<Arc<str>>) {
        self.enqueue(name.into(), None);
    }

    fn enqueue(&self, name: Arc<str>, member: Option<Member<Document>>) {
        let before = self.0.pending().insert(name, member);
        // A pipeline may take long to drop, so it is dropped without the lock.
        drop(before);
        self.0.world_waker.wake();
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Option<Member<Document>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for KindsHandle {
    fn clone(&self) -> Self {
        self.0.handles.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for KindsHandle {
    fn drop(&mut self) {
        self.0.handles.fetch_sub(1, Ordering::AcqRel);
        self.0.world_waker.wake();
    }
}

impl fmt::Debug for KindsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindsHandle").finish_non_exhaustive()
    }
}

/// The snapshots of a world by the names of their kinds.
///
/// ```
/// use kube_weir::{Document, Snapshot, World, testing::fixture::object, worlds::ByName};
///
/// let services = Snapshot::from_objects((), [object::<Document>("", "shop")])?;
/// let secrets = Snapshot::from_objects((), [])?;
/// let kinds = ByName::from_iter([("services", services), ("secrets", secrets)]);
///
/// let sizes: Vec<_> = kinds.iter().map(|(name, snapshot)| (name, snapshot.len())).collect();
/// assert_eq!(sizes, [("secrets", 0), ("services", 1)]);
/// assert!(kinds.get("ingresses").is_none());
/// let fixture = World::from_kinds(kinds);
/// assert!(fixture.kind("services").unwrap().get("shop").is_some());
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ByName(Arc<BTreeMap<Arc<str>, Snapshot<Document>>>);

impl ByName {
    /// Returns the snapshot of a kind; `None` if the world has no such kind (yet). See the
    /// [example](ByName).
    pub fn get(&self, name: &str) -> Option<&Snapshot<Document>> {
        self.0.get(name)
    }

    /// Returns all kinds in the order of their names. See the [example](ByName).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Snapshot<Document>)> {
        self.0.iter().map(|(name, snapshot)| (&**name, snapshot))
    }

    /// Returns the number of kinds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no kind.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn entry(&self, name: &str) -> Option<(Arc<str>, Snapshot<Document>)> {
        self.0.get_key_value(name).map(|(name, own)| (Arc::clone(name), own.clone()))
    }

    pub(super) fn set(&mut self, name: Arc<str>, snapshot: Snapshot<Document>) {
        Arc::make_mut(&mut self.0).insert(name, snapshot);
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Snapshot<Document>)> for ByName {
    fn from_iter<I: IntoIterator<Item = (N, Snapshot<Document>)>>(kinds: I) -> Self {
        Self(Arc::new(kinds.into_iter().map(|(name, own)| (name.into(), own)).collect()))
    }
}

/// The changes of each kind in a world of kinds by name. A kind that was added or removed without objects
/// is not included, so this may have no kind at all.
///
/// ```
/// use kube_weir::{Document, Kinds, prelude::*, testing::{Events, fixture::object}};
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::listed([]).wait(Duration::from_secs(1)).apply(object::<Document>("", "shop"));
/// let services = services.index(());
/// let secrets = Events::listed([object::<Document>("", "tls")]).index(());
/// let kinds = Kinds::new().add("services", services).add("secrets", secrets);
/// let mut changes = world(kinds).log_errors();
/// changes.first_synced().await?;
///
/// let change = changes.next().await.unwrap();
/// let batch = change.batch().unwrap();
/// let created = batch.kinds().iter().map(|(name, batch)| (name, batch.stats().created));
/// assert_eq!(created.collect::<Vec<_>>(), [("services", 1)]);
/// assert!(batch.kind("secrets").is_none()); // nothing changed
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, Default)]
pub struct BatchesByName(BTreeMap<Arc<str>, Batch<Document>>);

impl BatchesByName {
    /// Returns the changes of one kind; `None` if nothing changed. See the [example](BatchesByName).
    pub fn get(&self, name: &str) -> Option<&Batch<Document>> {
        self.0.get(name)
    }

    /// Returns the changes of each kind in the order of their names, without the unchanged kinds. See the
    /// [example](BatchesByName).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Batch<Document>)> {
        self.0.iter().map(|(name, batch)| (&**name, batch))
    }
}

impl World<ByName> {
    /// Returns the snapshot of a kind; `None` if the world has no such kind (yet). See the example of
    /// [`Kinds`].
    pub fn kind(&self, name: &str) -> Option<&Snapshot<Document>> {
        self.kinds().get(name)
    }
}

impl WorldBatch<ByName> {
    /// Returns the changes of one kind; `None` if nothing changed. See the example of [`KindsHandle`].
    pub fn kind(&self, name: &str) -> Option<&Batch<Document>> {
        self.kinds().get(name)
    }
}

impl sealed::Sealed for ByName {}

impl View for ByName {
    type Batches = BatchesByName;
    type Members = Named;

    fn net(before: &Self, after: &Self) -> Option<BatchesByName> {
        if Arc::ptr_eq(&before.0, &after.0) {
            return None;
        }
        let come = after.0.iter().filter_map(|(name, new)| {
            let batch = match before.0.get(name) {
                Some(old) => Batch::between(old, new),
                None => Batch::between(&new.emptied(), new),
            };
            Some((Arc::clone(name), batch?))
        });
        let gone = before.0.iter().filter(|(name, _)| !after.0.contains_key(*name));
        let gone = gone.filter_map(|(name, old)| {
            Some((Arc::clone(name), Batch::between(old, &old.emptied())?))
        });
        let batches: BTreeMap<_, _> = come.chain(gone).collect();
        let same = batches.is_empty() && before.0.keys().eq(after.0.keys());
        (!same).then_some(BatchesByName(batches))
    }

    fn stats(batches: &BatchesByName) -> ChangeStats {
        batches.0.values().map(Batch::stats).sum()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.keys().cloned().collect()
    }

    fn versions(&self) -> Vec<Option<String>> {
        self.0.values().map(Snapshot::resource_version).collect()
    }
}

/// The pipelines of a running world.
#[doc(hidden)]
pub struct Named {
    shared: Arc<Shared>,
    members: Vec<Member<Document>>,
}

impl IntoWorld for Kinds {
    type View = ByName;

    fn into_members(self) -> (Named, WorldWaker) {
        let shared = Arc::clone(&self.0.0);
        let world_waker = shared.world_waker.clone();
        (Named { shared, members: Vec::new() }, world_waker)
    }
}

impl Named {
    fn shown(&self, loading: bool) -> impl Iterator<Item = &Member<Document>> {
        self.members.iter().filter(move |member| loading || member.is_shown())
    }
}

impl Members for Named {
    type View = ByName;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn at(&mut self, index: usize) -> &mut dyn Polled {
        &mut self.members[index]
    }

    fn view(&self, loading: bool) -> ByName {
        self.shown(loading)
            .map(|member| (Arc::clone(&member.name), member.snapshot.clone()))
            .collect()
    }

    fn names(&self, loading: bool) -> Arc<[Arc<str>]> {
        self.shown(loading).map(|member| Arc::clone(&member.name)).collect()
    }

    fn kind_stores(&self) -> Vec<KindStore> {
        self.members.iter().map(Member::kind_store).collect()
    }

    fn update(&mut self) -> bool {
        let pending = mem::take(&mut *self.shared.pending());
        let changed = !pending.is_empty();
        for (name, member) in pending {
            let at = self.members.binary_search_by(|own| own.name.cmp(&name));
            match (at, member) {
                (Ok(at), Some(member)) => {
                    self.members[at] = member.succeed(&self.members[at]);
                }
                (Err(at), Some(member)) => self.members.insert(at, member),
                (Ok(at), None) => drop(self.members.remove(at)),
                (Err(_), None) => {}
            }
        }
        changed
    }

    fn is_open(&self) -> bool {
        self.shared.handles.load(Ordering::Acquire) > 0 || !self.shared.pending().is_empty()
    }
}
