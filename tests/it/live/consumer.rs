//! A consumer of changes that checks each of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::Lookup;
use kube_weir::{Batch, Change, ChangeStats, Delta, Error, Snapshot};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::SOON;

/// A stream that is polled by its own task, which ends with this value.
///
/// The task maintains a map from the deltas only, and panics if the map differs from a batch's snapshot,
/// if `Synced` comes twice, or if phases come in the wrong order.
pub(super) struct Consumer<K> {
    seen: watch::Receiver<Seen<K>>,
    task: JoinHandle<()>,
}

/// State of a consumer so far.
pub(super) struct Seen<K> {
    /// The objects, from the deltas only.
    pub(super) objects: BTreeMap<Identity, Arc<K>>,
    /// Number of `Synced` items: at most one.
    pub(super) synced: usize,
    /// Numbers of `InitialSync` and `Live` items.
    pub(super) loading: usize,
    pub(super) live: usize,
    /// Sum of the stats of live items.
    pub(super) stats: ChangeStats,
    /// The deltas of the live items: `+a`, `~a` and `-a` for an object `a`.
    pub(super) log: Vec<String>,
    pub(super) errors: Vec<Error>,
}

/// Namespace and name.
pub(super) type Identity = (String, String);

pub(super) fn identity<K: Lookup>(object: &K) -> Identity {
    let namespace = object.namespace().unwrap_or_default();
    (namespace.into_owned(), object.name().expect("a name").into_owned())
}

impl<K: Lookup + Send + Sync + 'static> Consumer<K> {
    pub(super) fn of<S>(changes: S) -> Self
    where
        S: Stream<Item = Result<Change<K>, Error>> + Send + 'static,
    {
        let (sender, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(async move {
            let mut changes = Box::pin(changes);
            while let Some(item) = changes.next().await {
                sender.send_modify(|seen| seen.take(item));
            }
        });
        Self { seen, task }
    }

    /// Waits until the consumer has seen an expected state.
    pub(super) async fn until(&mut self, what: &str, done: impl Fn(&Seen<K>) -> bool) {
        let outcome = timeout(SOON, self.seen.wait_for(|seen| done(seen))).await;
        let outcome = outcome.map(|seen| seen.is_ok());
        assert!(outcome.is_ok(), "{what}: not in {SOON:?}: {:?}", self.seen());
        assert_eq!(outcome, Ok(true), "{what}: the stream ended, or broke its promises");
    }

    pub(super) async fn synced(&mut self) {
        self.until("the sync", |seen| seen.synced == 1).await;
    }

    /// Waits for exactly this log of changes.
    pub(super) async fn logged(&mut self, log: &[&str]) {
        self.until(&format!("{log:?}"), |seen| seen.log.len() >= log.len()).await;
        assert_eq!(self.seen().log, log);
    }

    /// Returns a copy of the seen state: holding the original would block the stream.
    pub(super) fn seen(&self) -> Seen<K> {
        assert!(!self.task.is_finished(), "the stream ended, or broke its promises");
        self.seen.borrow().clone()
    }
}

impl<K> Drop for Consumer<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<K: Lookup> Seen<K> {
    fn take(&mut self, item: Result<Change<K>, Error>) {
        match item {
            Err(error) => self.errors.push(error),
            Ok(Change::InitialSync(batch)) => {
                assert_eq!(self.synced, 0, "a part of the initial load after it was complete");
                self.loading += 1;
                self.apply(&batch);
            }
            Ok(Change::Synced(snapshot)) => {
                assert_eq!(self.synced, 0, "synced twice");
                self.synced += 1;
                if self.loading == 0 {
                    let objects = snapshot.iter().map(|new| (identity(&**new), Arc::clone(new)));
                    self.objects = objects.collect();
                }
                self.assert_is(&snapshot);
            }
            Ok(Change::Live(batch)) => {
                assert_eq!(self.synced, 1, "live before the sync");
                self.live += 1;
                self.stats.created += batch.stats().created;
                self.stats.modified += batch.stats().modified;
                self.stats.deleted += batch.stats().deleted;
                self.log.extend(batch.deltas().iter().map(|delta| {
                    let sign = match delta {
                        Delta::Created(_) => '+',
                        Delta::Modified { .. } => '~',
                        Delta::Deleted(_) => '-',
                    };
                    format!("{sign}{}", identity(&**delta.object()).1)
                }));
                self.apply(&batch);
            }
        }
    }

    fn apply(&mut self, batch: &Batch<K>) {
        self.assert_is(batch.before());
        assert_eq!(batch.stats().total(), batch.deltas().len());
        assert!(!batch.deltas().is_empty(), "an empty batch");
        for delta in batch.deltas() {
            let identity = identity(&**delta.object());
            let own = match delta.after() {
                Some(new) => self.objects.insert(identity, Arc::clone(new)),
                None => self.objects.remove(&identity),
            };
            assert_eq!(
                own.as_ref().map(Arc::as_ptr),
                delta.before().map(Arc::as_ptr),
                "another old"
            );
        }
        self.assert_is(batch.after());
    }

    /// Checks that both have the same objects in the same order.
    fn assert_is(&self, snapshot: &Snapshot<K>) {
        let own = self.objects.values().map(Arc::as_ptr);
        assert!(own.eq(snapshot.iter().map(Arc::as_ptr)), "the deltas don't lead to the snapshot");
    }
}

impl<K> Clone for Seen<K> {
    fn clone(&self) -> Self {
        Self {
            objects: self.objects.clone(),
            log: self.log.clone(),
            errors: self.errors.clone(),
            ..*self
        }
    }
}

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            synced: 0,
            loading: 0,
            live: 0,
            stats: ChangeStats::default(),
            log: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl<K> fmt::Debug for Seen<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("objects", &self.objects.len())
            .field("synced", &self.synced)
            .field("live", &self.live)
            .field("stats", &self.stats)
            .field("log", &&self.log[self.log.len().saturating_sub(20)..])
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}
