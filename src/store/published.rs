//! Access to the published snapshot, for the watch that fills the store.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kube::runtime::reflector::Lookup;

use crate::{
    document::ObjectMetaRef,
    namespaced_name::owned_identity,
    resource_version::is_before,
    snapshot::Contents,
    source::{Stored, Witness},
};

/// View of a store for the watch that fills it.
pub(crate) struct Published<K>(pub(super) Arc<ArcSwap<Contents<K>>>);

impl<K: Lookup + Send + Sync> Stored for Published<K> {
    fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    fn has(&self, meta: &ObjectMetaRef<'_>) -> bool {
        self.0.load().at_version(meta).is_some()
    }

    fn newest(&self, namespace: Option<&str>, count: usize) -> Vec<Witness> {
        let contents = self.0.load();
        let mut newest: Vec<(&Arc<K>, String)> = Vec::new();
        for object in contents.objects_in(namespace) {
            let Some(version) = object.resource_version() else { continue };
            let at = newest.partition_point(|(_, own)| !is_before(own, &version));
            if at < count {
                newest.truncate(count - 1);
                newest.insert(at, (object, version.into_owned()));
            }
        }
        let witness = |(object, version): (&Arc<K>, String)| {
            let (namespace, name) = owned_identity(&**object);
            Witness { namespace, name, version, is_deleted: false }
        };
        newest.into_iter().map(witness).collect()
    }
}
