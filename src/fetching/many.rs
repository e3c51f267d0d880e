//! Fetching many objects in one call.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use kube::runtime::reflector::Lookup;
use tokio::{
    task::coop::consume_budget,
    time::{Instant, timeout_at},
};

use super::{
    flight::Freshness,
    inner::{Inner, ObjectId},
};
use crate::{
    error::{Error, caught_in},
    index::Key,
};

/// The number of missing objects of a namespace from which it may be listed.
const WORTH_A_LIST: usize = 8;

/// Objects from lists.
type Listed<K> = HashMap<Key, Arc<K>>;

impl<K, L> Inner<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    pub(super) async fn many(
        self: &Arc<Self>,
        wanted: Vec<ObjectId>,
        deadline: Instant,
    ) -> Vec<Result<Arc<K>, Error>> {
        let mut listed = Listed::new();
        for (namespace, missing) in self.missing(&wanted) {
            if self.is_worth_a_list(&namespace, missing.len()) {
                // Objects that the list didn't return are fetched one by one, which also reports errors.
                let list = self.list(&namespace, missing, &mut listed);
                let _ = timeout_at(deadline, list).await;
            }
        }
        let listed = &listed;
        // By value: a closure over borrowed ids would make a future that can't be spawned.
        let each = wanted.into_iter().map(|id| async move {
            // Many cached objects must not block other tasks.
            consume_budget().await;
            match listed.get(&id.key) {
                Some(object) => Ok(Some(Arc::clone(object))),
                None => self.one(&id, deadline).await,
            }
        });
        // No more at once than there are permits, in the requested order.
        let each = stream::iter(each).buffered(self.config.concurrency);
        each.filter_map(|outcome| async { outcome.transpose() }).collect().await
    }

    /// Returns the objects that must be fetched, by namespace.
    fn missing<'t>(&self, wanted: &'t [ObjectId]) -> BTreeMap<String, Vec<&'t ObjectId>> {
        let mut missing = BTreeMap::<_, Vec<_>>::new();
        for id in wanted.iter().filter(|id| self.is_missing(id)) {
            missing.entry(id.namespace.clone()).or_default().push(id);
        }
        missing
    }

    fn is_missing(&self, id: &ObjectId) -> bool {
        self.seen(id).is_some_and(|seen| !self.lock().cache.has(&id.key, &seen))
    }

    /// Returns whether most of a namespace is missing, so that a list is cheaper.
    fn is_worth_a_list(&self, namespace: &str, missing: usize) -> bool {
        missing >= WORTH_A_LIST && 2 * missing > self.store.snapshot().0.count_in(namespace)
    }

    async fn list(&self, namespace: &str, mut missing: Vec<&ObjectId>, listed: &mut Listed<K>) {
        // The first of several concurrent calls lists for all of them.
        let _listing = self.listing.lock().await;
        missing.retain(|id| self.is_missing(id));
        if !self.is_worth_a_list(namespace, missing.len()) {
            return;
        }
        let ids: HashMap<&str, &ObjectId> = missing.iter().map(|id| (&*id.name, *id)).collect();
        let names: HashSet<String> = missing.iter().map(|id| id.name.clone()).collect();
        let _permit = self.permits.acquire().await;
        self.lock().counts.lists += 1;
        let (resource, objects) = (&*self.fetcher.origin().resource, names.len());
        tracing::debug!(resource, namespace, objects, "listing instead of fetching one by one");
        let found = |fetched: crate::source::Fetched<K>| {
            let name = fetched.object.name().unwrap_or_default();
            let Some(id) = ids.get(&*name) else { return };
            if matches!(self.freshness(id, &fetched), Freshness::Current) {
                let mut state = self.lock();
                state.counts.misses.add_one();
                state.cache.put(&id.key, &fetched);
                listed.insert(id.key.clone(), Arc::clone(&fetched.object));
            }
        };
        let _ = caught_in(self.fetcher.list(namespace, names, found)).await;
    }
}
