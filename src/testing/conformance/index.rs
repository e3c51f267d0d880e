//! Lookups, compared with what is listed.

use std::sync::Arc;

use kube::runtime::reflector::Lookup;

use crate::{
    change::Delta,
    error::Error,
    snapshot::Snapshot,
    testing::conformance::{
        Rule, Violation,
        version::{self, Version},
    },
};

/// A snapshot lists its objects in order, and finds each of them, and says how many they are.
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
        if !snapshot.object(namespace, name).is_some_and(|found| Arc::ptr_eq(found, object)) {
            return Err(Violation::of(Rule::FoundByIdentity, version));
        }
    }
    Ok(())
}

/// What changed is found under its keys, and not under those it had and has no more.
pub(super) fn check_keys<K: Lookup>(
    snapshot: &Snapshot<K>,
    deltas: &[Delta<K>],
) -> Result<(), Violation> {
    for index in snapshot.0.indexes() {
        for delta in deltas {
            let is_found = is_found(snapshot, &index.name, delta);
            if !is_found.map_err(|error| Violation::of(Rule::FoundByKey, error))? {
                let what = format!("{} in index `{}`", Version::of(&**delta.object()), index.name);
                return Err(Violation::of(Rule::FoundByKey, what));
            }
        }
    }
    Ok(())
}

fn is_found<K: Lookup>(
    snapshot: &Snapshot<K>,
    index: &str,
    delta: &Delta<K>,
) -> Result<bool, Error> {
    let view = snapshot.by(index);
    let keys = |object: Option<&Arc<K>>| object.map_or(Ok(Vec::new()), |one| view.keys_of(one));
    let keys_now = keys(delta.after())?;
    for key in &keys_now {
        let mut hits = view.get(key.parts())?;
        if !hits.any(|hit| delta.after().is_some_and(|new| Arc::ptr_eq(hit, new))) {
            return Ok(false);
        }
    }
    let identity = Version::of(&**delta.object()).identity;
    for key in keys(delta.before())?.iter().filter(|key| !keys_now.contains(key)) {
        if view.get(key.parts())?.any(|hit| Version::of(&**hit).identity == identity) {
            return Ok(false);
        }
    }
    Ok(true)
}
