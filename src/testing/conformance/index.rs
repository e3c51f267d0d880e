//! Lookups, compared with the list of objects.

use std::sync::Arc;

use kube::runtime::reflector::Lookup;

use crate::{
    change::Delta,
    index::Key,
    snapshot::{IndexView, Snapshot},
    testing::conformance::{
        Rule, Violation,
        version::{self, Version},
    },
};

/// Checks that a snapshot lists its objects in order, finds each of them, and has the correct length.
pub(super) fn check_identities<K: Lookup>(
    snapshot: &Snapshot<K>,
    listed: &[Version],
) -> Result<(), Violation> {
    version::in_order(listed)?;
    if snapshot.len() != listed.len() {
        let what = format!("{} of {}", listed.len(), snapshot.len());
        return Err(Violation::of(Rule::FoundByIdentity, what));
    }
    for (object, version) in snapshot.iter().zip(listed) {
        let (namespace, name) = &version.identity;
        if !snapshot.get((namespace, name)).is_some_and(|found| Arc::ptr_eq(found, object)) {
            return Err(Violation::of(Rule::FoundByIdentity, version));
        }
    }
    Ok(())
}

/// Checks that changed objects are found under their keys, and not under their old ones.
pub(super) fn check_keys<K: Lookup>(
    snapshot: &Snapshot<K>,
    deltas: &[Delta<K>],
) -> Result<(), Violation> {
    for (name, index) in snapshot.0.named_indexes() {
        for delta in deltas {
            if !is_found(snapshot.by(index), delta) {
                let what = format!("{} in index `{name}`", Version::of(&**delta.object()));
                return Err(Violation::of(Rule::FoundByKey, what));
            }
        }
    }
    Ok(())
}

fn is_found<K: Lookup>(view: IndexView<'_, K>, delta: &Delta<K>) -> bool {
    let keys = |object: Option<&Arc<K>>| object.map_or(Vec::new(), |one| view.keys_of(one));
    let (keys_before, keys_now) = (keys(delta.before()), keys(delta.after()));
    let is_there =
        |key: &Key| view.get(key).any(|hit| delta.after().is_some_and(|new| Arc::ptr_eq(hit, new)));
    let identity = Version::of(&**delta.object()).identity;
    let is_gone = |key: &Key| {
        keys_now.contains(key) || view.get(key).all(|hit| Version::of(&**hit).identity != identity)
    };
    keys_now.iter().all(is_there) && keys_before.iter().all(is_gone)
}
