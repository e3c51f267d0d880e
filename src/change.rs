//! The changes that a pipeline yields.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, OnceLock},
};

use kube::runtime::reflector::Lookup;

use crate::{
    index::{Index, Key},
    object_key::ObjectKey,
    snapshot::Snapshot,
};

/// An item of a pipeline. The variant is the phase.
///
/// ```
/// use kube_weir::{ChangeStats, prelude::*, testing::{Events, fixture::config_map}};
///
/// fn describe<K>(change: Change<K>) -> String {
///     match change {
///         Change::InitialSync(batch) => format!("loading: {} so far", batch.after().len()),
///         Change::Synced(snapshot) => format!("synced: {}", snapshot.len()),
///         Change::Live(batch) => {
///             let ChangeStats { created, modified, deleted, .. } = batch.stats();
///             format!("+{created} ~{modified} -{deleted}")
///         }
///     }
/// }
///
/// # kube_weir::testing::fixture::run(async {
/// let events = Events::listed([config_map("a", 1)]).apply(config_map("a", 2)).apply(config_map("b", 3));
/// let changes = events.index(()).log_errors();
/// assert_eq!(changes.map(describe).collect::<Vec<_>>().await, ["synced: 1", "+1 ~1 -0"]);
/// # Ok(()) });
/// ```
#[doc(alias("isInInitialList", "event handler"))]
#[derive(Debug)]
pub enum Change<K> {
    /// Part of the initial load. Only yielded after
    /// [`with_progress`](crate::adapters::Indexed::with_progress).
    InitialSync(Batch<K>),
    /// The end of the initial load, yielded exactly once: the snapshot has everything that existed.
    Synced(Snapshot<K>),
    /// A change after the initial load.
    Live(Batch<K>),
}

impl<K> Change<K> {
    /// Returns the state after this change.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2));
    /// let changes = events.index(()).log_errors();
    /// // For a program that rebuilds everything at each change.
    /// let totals: Vec<_> = changes.map(|change| change.snapshot().len()).collect().await;
    /// assert_eq!(totals, [1, 2]);
    /// # Ok(()) });
    /// ```
    pub fn snapshot(&self) -> &Snapshot<K> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => batch.after(),
            Self::Synced(snapshot) => snapshot,
        }
    }

    /// Returns the net change; `None` for `Synced`.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2));
    /// let changes = events.index(()).log_errors();
    /// let created = changes.map(|change| change.batch().map(|batch| batch.stats().created));
    /// assert_eq!(created.collect::<Vec<_>>().await, [None, Some(1)]);
    /// # Ok(()) });
    /// ```
    pub fn batch(&self) -> Option<&Batch<K>> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => Some(batch),
            Self::Synced(_) => None,
        }
    }
}

impl<K: Lookup> Change<K> {
    /// Returns the keys of an index whose objects changed: for `Synced` all keys, for a batch those that it
    /// [touched](Batch::touched).
    ///
    /// # Panics
    ///
    /// If the pipeline was not built with this index, like [`Snapshot::by`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::ingress}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let host = Index::path("spec.rules[*].host")?;
    /// let events = Events::listed([ingress("a", "shop.example"), ingress("b", "blog.example")])
    ///     .apply(ingress("c", "shop.example"));
    /// let mut changes = events.index(&host).log_errors();
    /// let mut rendered = Vec::new();
    /// while let Some(change) = changes.next().await {
    ///     for key in change.touched(&host) {
    ///         rendered.push(format!("{key}: {}", change.snapshot().by(&host).get(&key).len()));
    ///     }
    /// }
    /// assert_eq!(rendered, ["blog.example: 1", "shop.example: 1", "shop.example: 2"]);
    /// # Ok(()) });
    /// ```
    #[track_caller]
    pub fn touched(&self, index: &Index<K>) -> BTreeSet<Key> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => batch.touched(index),
            Self::Synced(snapshot) => snapshot.by(index).keys().into_iter().collect(),
        }
    }

    /// Returns the changed objects: for `Synced` all objects, as created; for a batch
    /// [its objects](Batch::deltas).
    ///
    /// After [`with_progress`](crate::adapters::Indexed::with_progress) the objects of the load are created
    /// twice: while they arrive, and in `Synced`.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1), config_map("b", 2)]).delete(config_map("a", 3));
    /// let mut changes = events.index(()).log_errors();
    /// let mut log = Vec::new();
    /// while let Some(change) = changes.next().await {
    ///     for delta in change.deltas() {
    ///         let sign = if delta.after().is_some() { '+' } else { '-' };
    ///         log.push(format!("{sign}{}", delta.key()));
    ///     }
    /// }
    /// assert_eq!(log, ["+a", "+b", "-a"]);
    /// # Ok(()) });
    /// ```
    pub fn deltas(&self) -> impl Iterator<Item = Delta<K>> {
        let created = match self {
            Self::Synced(snapshot) => Some(snapshot.iter()),
            Self::InitialSync(_) | Self::Live(_) => None,
        };
        let created = created.into_iter().flatten().cloned().map(Delta::Created);
        let changed = self.batch().map_or_else(Default::default, Batch::deltas);
        created.chain(changed.iter().cloned())
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
/// A batch *is* the difference of [`before`](Batch::before) and [`after`](Batch::after), so it always agrees
/// with them: an object created and deleted in between is not in the batch, an object modified twice is one
/// `Modified`, and an object deleted and created anew (with another uid) is `Modified` with both objects.
///
/// ```
/// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
///
/// # kube_weir::testing::fixture::run(async {
/// let events = Events::listed([config_map("a", 1)])
///     .apply(config_map("a", 2))
///     .apply(config_map("a", 3))
///     .apply(config_map("b", 4))
///     .delete(config_map("b", 5));
/// let mut changes = events.index(()).log_errors();
/// changes.first_synced().await?;
///
/// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
/// let [Delta::Modified { before, after }] = batch.deltas() else { panic!() };
/// assert_eq!(before.metadata.resource_version.as_deref(), Some("1"));
/// assert_eq!(after.metadata.resource_version.as_deref(), Some("3"));
/// # Ok(()) });
/// ```
#[doc(alias("DeltaFIFO", "Deltas"))]
pub struct Batch<K>(Arc<Difference<K>>);

struct Difference<K> {
    before: Snapshot<K>,
    after: Snapshot<K>,
    /// Computed on demand: a debounce needs only the snapshots.
    found: OnceLock<Found<K>>,
    find: fn(&Snapshot<K>, &Snapshot<K>) -> Found<K>,
}

struct Found<K> {
    deltas: Vec<Delta<K>>,
    stats: ChangeStats,
}

impl<K> Batch<K> {
    /// Returns how many objects were created, modified and deleted: for logs and metrics. See
    /// [`ChangeStats`] for an example.
    ///
    /// Like [`deltas`](Batch::deltas) this is computed at the first call, in O(changes).
    pub fn stats(&self) -> ChangeStats {
        self.found().stats
    }

    /// Returns the changes, one per object, in (namespace, name) order. Never empty.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2)).delete(config_map("a", 3));
    /// let mut changes = events.index(()).log_errors();
    /// changes.first_synced().await?;
    ///
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// for delta in batch.deltas() {
    ///     match delta {
    ///         Delta::Created(new) => assert_eq!(new.metadata.name.as_deref(), Some("b")),
    ///         Delta::Modified { .. } => unreachable!("nothing was"),
    ///         Delta::Deleted(last) => assert_eq!(last.metadata.name.as_deref(), Some("a")),
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub fn deltas(&self) -> &[Delta<K>] {
        &self.found().deltas
    }

    fn found(&self) -> &Found<K> {
        let Difference { before, after, found, find } = &*self.0;
        found.get_or_init(|| find(before, after))
    }

    /// Returns the state after these changes. Objects that a changed object refers to can be looked up in it,
    /// as of the same moment. [`before`](Batch::before) has an example.
    pub fn after(&self) -> &Snapshot<K> {
        &self.0.after
    }

    /// Returns the state before these changes.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).delete(config_map("a", 2));
    /// let mut changes = events.index(()).log_errors();
    /// changes.first_synced().await?;
    ///
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert!(batch.before().get("a").is_some());
    /// assert!(batch.after().get("a").is_none());
    /// # Ok(()) });
    /// ```
    pub fn before(&self) -> &Snapshot<K> {
        &self.0.before
    }

    /// Returns the keys of an index whose objects changed: the keys of the changed objects before and after.
    /// A program that builds one result per key, such as a virtual host, only needs to rebuild these.
    ///
    /// # Panics
    ///
    /// If the pipeline was not built with this index, like [`Snapshot::by`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Key, prelude::*, testing::{Events, fixture::ingress}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let host = Index::path("spec.rules[*].host")?;
    /// let events = Events::listed([ingress("a", "shop.example")]).apply(ingress("a", "blog.example"));
    /// let mut changes = events.index(&host).log_errors();
    /// changes.first_synced().await?;
    ///
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// let touched: Vec<Key> = batch.touched(&host).into_iter().collect();
    /// assert_eq!(touched, [Key::new("blog.example"), Key::new("shop.example")]);
    /// assert_eq!(batch.after().by(&host).get(&touched[1]).count(), 0);
    /// # Ok(()) });
    /// ```
    #[doc(alias("work queue", "workqueue"))]
    #[track_caller]
    pub fn touched(&self, index: &Index<K>) -> BTreeSet<Key>
    where
        K: Lookup,
    {
        let index = self.after().by(index);
        let objects = self.deltas().iter().flat_map(|delta| [delta.before(), delta.after()]);
        objects.flatten().flat_map(|object| index.keys_of(object)).collect()
    }
}

impl<K: Lookup> Batch<K> {
    /// Returns the net change between two snapshots, if there is any.
    pub(crate) fn between(before: &Snapshot<K>, after: &Snapshot<K>) -> Option<Self> {
        let differs = !before.is(after) && after.0.differs(&before.0);
        differs.then(|| Self::new(before, after))
    }

    /// Returns the net change between two snapshots that differ.
    pub(crate) fn new(before: &Snapshot<K>, after: &Snapshot<K>) -> Self {
        let (before, after) = (before.clone(), after.clone());
        Self(Arc::new(Difference { before, after, found: OnceLock::new(), find }))
    }
}

fn find<K: Lookup>(before: &Snapshot<K>, after: &Snapshot<K>) -> Found<K> {
    let mut stats = ChangeStats::default();
    let pairs = after.0.since(&before.0).into_iter();
    let deltas = pairs.filter_map(|(before, after)| {
        let (count, delta) = match (before.cloned(), after.cloned()) {
            (Some(before), Some(after)) => (&mut stats.modified, Delta::Modified { before, after }),
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

/// Numbers of objects that a [`Batch`] created, modified and deleted.
///
/// The sum of several `ChangeStats` adds the numbers; an object that was created in one batch and deleted in
/// another counts in both.
///
/// ```
/// use kube_weir::{ChangeStats, prelude::*, testing::{Events, fixture::config_map}};
///
/// # kube_weir::testing::fixture::run(async {
/// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2)).wait(Duration::from_secs(1));
/// let changes = events.delete(config_map("a", 3)).index(()).log_errors();
/// let changes: Vec<_> = changes.collect().await;
///
/// let all: ChangeStats = changes.iter().filter_map(|change| change.batch()).map(|b| b.stats()).sum();
/// assert_eq!((all.created, all.modified, all.deleted), (1, 0, 1));
/// assert_eq!(all.total(), 2);
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ChangeStats {
    /// Number of new objects.
    pub created: usize,
    /// Number of objects with a new version.
    pub modified: usize,
    /// Number of deleted objects.
    pub deleted: usize,
}

impl ChangeStats {
    /// Returns the number of all changed objects.
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

/// The change of one object.
///
/// ```
/// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
///
/// # kube_weir::testing::fixture::run(async {
/// let mut another = config_map("a", 3);
/// another.metadata.uid = Some("another".into());
/// let events = Events::listed([config_map("a", 1)]).delete(config_map("a", 2)).apply(another);
/// let mut changes = events.index(()).log_errors();
/// changes.first_synced().await?;
///
/// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
/// let [Delta::Modified { before, after }] = batch.deltas() else { panic!() };
/// assert_ne!(before.metadata.uid, after.metadata.uid);
/// # Ok(()) });
/// ```
#[doc(alias(
    "event handler",
    "OnAdd",
    "OnUpdate",
    "OnDelete",
    "DeletedFinalStateUnknown",
    "predicate"
))]
#[derive(Debug, PartialEq)]
pub enum Delta<K> {
    /// The object is new.
    Created(Arc<K>),
    /// The object has a new version. The uids differ if it was deleted and created anew.
    Modified {
        /// The version in the snapshot before.
        before: Arc<K>,
        /// The version in the snapshot after.
        after: Arc<K>,
    },
    /// The object was deleted; this is its last known version.
    Deleted(Arc<K>),
}

impl<K> Delta<K> {
    /// Returns the version before; `None` if the object was created.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use kube_weir::Delta;
    ///
    /// let (old, new) = (Arc::new("old"), Arc::new("new"));
    /// let modified = Delta::Modified { before: Arc::clone(&old), after: Arc::clone(&new) };
    /// assert_eq!((modified.before(), modified.after(), modified.object()), (Some(&old), Some(&new), &new));
    /// assert_eq!(Delta::Created(Arc::clone(&new)).before(), None);
    /// assert_eq!(Delta::Deleted(Arc::clone(&old)).after(), None);
    /// assert_eq!(Delta::Deleted(Arc::clone(&old)).object(), &old);
    /// ```
    pub fn before(&self) -> Option<&Arc<K>> {
        match self {
            Self::Created(_) => None,
            Self::Modified { before, .. } | Self::Deleted(before) => Some(before),
        }
    }

    /// Returns the version after; `None` if the object was deleted. See the [example](Delta::before).
    pub fn after(&self) -> Option<&Arc<K>> {
        match self {
            Self::Created(after) | Self::Modified { after, .. } => Some(after),
            Self::Deleted(_) => None,
        }
    }

    /// Returns the newest known version: the new version, or the last version of a deleted object. Its
    /// namespace and name are those of all versions. See the [example](Delta::before).
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Created(object)
            | Self::Modified { after: object, .. }
            | Self::Deleted(object) => object,
        }
    }
}

impl<K: Lookup> Delta<K> {
    /// Returns the namespace and the name of the object.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Delta, ObjectKey};
    ///
    /// let mut settings = ConfigMap::default();
    /// settings.metadata.name = Some("settings".into());
    /// assert_eq!(Delta::Created(Arc::new(settings)).key(), ObjectKey::named("settings"));
    /// ```
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&**self.object())
    }
}

impl<K> Clone for Delta<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Created(new) => Self::Created(Arc::clone(new)),
            Self::Modified { before, after } => {
                Self::Modified { before: Arc::clone(before), after: Arc::clone(after) }
            }
            Self::Deleted(old) => Self::Deleted(Arc::clone(old)),
        }
    }
}
