//! A consumer of changes that checks each of them, and in the end all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{Stream, StreamExt};
use kube::runtime::reflector::Lookup;
use kube_weir::{
    Change, ChangeStats, Error, Index, Snapshot, Store, testing::conformance::Conformance,
};
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use super::TIERS;

/// Set from a restored backup on until all consumers have noticed it.
pub(crate) static IS_RESTORED: AtomicBool = AtomicBool::new(false);

/// Namespace and name.
pub(crate) type Identity = (String, String);

/// The state as a list has it.
pub(crate) type Listed = BTreeMap<Identity, Value>;

pub(crate) fn identity<K: Lookup>(object: &K) -> Identity {
    let namespace = object.namespace().unwrap_or_default();
    (namespace.into_owned(), object.name().expect("a name").into_owned())
}

/// Record of the received items. It doesn't grow with the number of changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) items: usize,
    pub(crate) stats: ChangeStats,
    pub(crate) errors: BTreeMap<String, usize>,
    pub(crate) last_error: Option<Error>,
}

/// A stream that is polled by a task of its own, which ends with this, and the store beneath.
///
/// Every item is shown to [`Conformance`]. The deltas alone make a map, which in the end must be
/// what a list has.
pub(crate) struct Consumer<K> {
    name: &'static str,
    store: Store<K>,
    selects: Box<dyn Fn(&Value) -> bool + Send + Sync>,
    seen: watch::Receiver<Seen<K>>,
    task: JoinHandle<()>,
}

struct Seen<K> {
    objects: BTreeMap<Identity, Arc<K>>,
    told: Told,
}

impl<K> Consumer<K>
where
    K: Lookup + Serialize + Send + Sync + 'static,
{
    /// Creates a consumer of `changes`, whose stream has all selected objects.
    pub(crate) fn of<S>(
        name: &'static str,
        store: &Store<K>,
        changes: S,
        selects: impl Fn(&Value) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        S: Stream<Item = Result<Change<K>, Error>> + Send + 'static,
    {
        let (sender, seen) =
            watch::channel(Seen { objects: BTreeMap::new(), told: Told::default() });
        let task = tokio::spawn(async move {
            let mut changes = Box::pin(changes);
            let mut conformance = Conformance::new();
            while let Some(item) = changes.next().await {
                if IS_RESTORED.load(Ordering::SeqCst) {
                    conformance.restored();
                }
                if let Err(violation) = conformance.check(&item) {
                    panic!("{name}: {violation}");
                }
                sender.send_modify(|seen| seen.take(item));
            }
        });
        Self { name, store: store.clone(), selects: Box::new(selects), seen, task }
    }
}

/// A consumer of any kind, as the test checks it.
pub(crate) trait Checked {
    fn name(&self) -> &'static str;

    fn told(&self) -> Told;

    /// Returns whether the consumer broke a promise, or ended.
    fn is_broken(&self) -> bool;

    /// Returns a difference from a list: of the map that the deltas made, of the store, or of one of
    /// its indexes.
    fn differs(&self, list: &Listed) -> Option<String>;
}

impl<K> Checked for Consumer<K>
where
    K: Lookup + Serialize + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn told(&self) -> Told {
        self.seen.borrow().told.clone()
    }

    fn is_broken(&self) -> bool {
        self.task.is_finished()
    }

    fn differs(&self, list: &Listed) -> Option<String> {
        let wanted: BTreeMap<_, _> =
            list.iter().filter(|(_, object)| (self.selects)(object)).collect();
        let snapshot = self.store.snapshot();
        let seen = self.seen.borrow();
        if !seen.objects.values().map(Arc::as_ptr).eq(snapshot.iter().map(Arc::as_ptr)) {
            return Some(format!(
                "{} objects by the deltas, {} in the snapshot, or others",
                seen.objects.len(),
                snapshot.len()
            ));
        }
        if !seen.objects.keys().eq(wanted.keys().copied()) {
            let own: BTreeSet<_> = seen.objects.keys().collect();
            let listed: BTreeSet<_> = wanted.keys().copied().collect();
            return Some(format!(
                "missing: {:?}; too many: {:?}",
                listed.difference(&own).take(5).collect::<Vec<_>>(),
                own.difference(&listed).take(5).collect::<Vec<_>>(),
            ));
        }
        for (identity, object) in &seen.objects {
            let own = serde_json::to_value(&**object).unwrap();
            let listed = wanted[identity];
            if own == *listed {
                continue;
            }
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            // A field may be left out, and nothing else may differ.
            let mut strained = listed.clone();
            strained["metadata"].as_object_mut().unwrap().remove("managedFields");
            if own != strained {
                return Some(format!(
                    "{identity:?} at {} is listed at {}",
                    version(&own),
                    version(listed)
                ));
            }
        }
        misindexed(&snapshot)
    }
}

impl<K> Drop for Consumer<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Lookup> Seen<K> {
    fn take(&mut self, item: Result<Change<K>, Error>) {
        let change = match item {
            Ok(change) => change,
            Err(error) => {
                *self.told.errors.entry(error.reason().to_owned()).or_default() += 1;
                self.told.last_error = Some(error);
                return;
            }
        };
        self.told.items += 1;
        match change.batch() {
            None => {
                let objects =
                    change.snapshot().iter().map(|new| (identity(&**new), Arc::clone(new)));
                self.objects = objects.collect();
            }
            Some(batch) => {
                self.told.stats.created += batch.stats().created;
                self.told.stats.modified += batch.stats().modified;
                self.told.stats.deleted += batch.stats().deleted;
                for delta in batch.deltas() {
                    let identity = identity(&**delta.object());
                    match delta.after() {
                        Some(new) => self.objects.insert(identity, Arc::clone(new)),
                        None => self.objects.remove(&identity),
                    };
                }
            }
        }
    }
}

/// The index that all stores have.
pub(crate) fn tier<K: Serialize + 'static>() -> Index<K> {
    Index::path("metadata.labels.tier").unwrap()
}

/// Returns a difference between an index and a look at each object.
pub(crate) fn misindexed<K: Lookup + Serialize + 'static>(
    snapshot: &Snapshot<K>,
) -> Option<String> {
    let tier_of = |object: &K| {
        let object = serde_json::to_value(object).unwrap();
        object["metadata"]["labels"]["tier"].as_str().map(ToOwned::to_owned)
    };
    let tiers: Vec<_> =
        snapshot.iter().map(|object| (tier_of(object), Arc::as_ptr(object))).collect();
    for wanted in TIERS {
        let naive = tiers.iter().filter(|(tier, _)| tier.as_deref() == Some(wanted));
        let found = snapshot.by(&tier()).get(wanted);
        if !naive.map(|(_, object)| *object).eq(found.map(Arc::as_ptr)) {
            return Some(format!("the index of {wanted} is wrong"));
        }
    }
    let found = |object| snapshot.get(identity(object)).map(Arc::as_ptr);
    if !snapshot.iter().all(|object| found(&**object) == Some(Arc::as_ptr(object))) {
        return Some("the index by identity is wrong".to_owned());
    }
    None
}
