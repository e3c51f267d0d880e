//! A check whether the server still has the history that a watch has seen.

use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, timeout_at};

use super::{
    query::{Part, Query, Stored, Witness},
    read::Item,
    resolve::Resolved,
    target::Target,
};
use crate::{
    clock::after,
    document::ObjectMetaRef,
    event::WatchEvent,
    namespaced_name::owned_identity,
    resource_version::{has_reached, is_before, is_number},
};

/// The maximum number of objects in an answer that should have one. The server may ignore the limit.
const MOST_ITEMS: usize = 1_000;

/// The objects by which a collection recognizes its history, beside the objects of a store.
#[derive(Default)]
pub(super) struct Seen {
    /// The object that was written last, if no store has it.
    written: Option<Witness>,
    /// The object that was deleted last.
    deleted: Option<Witness>,
}

impl Seen {
    /// Prepares for a list, which has another history if `anew`.
    pub(super) fn list_begins(&mut self, anew: bool) {
        self.written = None;
        self.deleted.take_if(|_| anew);
    }

    /// Records an object that was written, unless a store has it.
    pub(super) fn note<K: Lookup>(&mut self, query: &Query<K>, event: &WatchEvent<K>) {
        if query.stored.is_none()
            && let WatchEvent::Listed(object) | WatchEvent::Applied(object) = event
        {
            self.written(object);
        }
    }

    fn written<K: Lookup>(&mut self, object: &K) {
        let Some(version) = object.resource_version() else { return };
        if self.written.as_ref().is_none_or(|last| is_before(&last.version, &version)) {
            let (namespace, name) = owned_identity(object);
            let version = version.into_owned();
            self.written = Some(Witness { namespace, name, version, is_deleted: false });
        }
    }

    pub(super) fn deleted(&mut self, namespace: &str, name: &str, version: &str) {
        self.written.take_if(|last| last.namespace == namespace && last.name == name);
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let version = version.to_owned();
        self.deleted = Some(Witness { namespace, name, version, is_deleted: true });
    }

    /// Returns the objects to request from the server, newest first.
    fn witnesses(&self, stored: Option<&dyn Stored>, namespace: Option<&str>) -> Vec<Witness> {
        let mut newest = match stored {
            Some(stored) => stored.newest(namespace, WITNESSES),
            None => self.written.iter().cloned().collect(),
        };
        if let Some(deleted) = &self.deleted {
            let at = newest.partition_point(|own| !is_before(&own.version, &deleted.version));
            newest.insert(at, deleted.clone());
        }
        newest
    }
}

/// The maximum number of a store's objects that are requested until one was not written since.
const WITNESSES: usize = 4;

/// The history of the server, compared with what a watch has seen.
pub(super) enum Verdict {
    /// No other history, as far as a single request can show.
    Same,
    /// No conclusive answer.
    Unknown,
    /// Another history: etcd was restored from a backup.
    Lost,
    /// The newest object of the store is missing. Either it was deleted since, which the watch must report
    /// before it is past this version, or it never existed in this history.
    Doubtful(Doubt),
}

/// An object whose deletion must arrive.
pub(super) struct Doubt {
    witness: Witness,
    version: String,
}

impl Doubt {
    /// Returns whether the deletion of this object settles the doubt.
    pub(super) fn is_settled_by(&self, namespace: &str, name: &str) -> bool {
        self.witness.namespace == namespace && self.witness.name == name
    }

    /// Returns whether the watch is past the moment of the deletion.
    pub(super) fn is_over_at(&self, version: &str) -> bool {
        has_reached(version, &self.version)
    }
}

/// Compares the history by requesting one object: the object written or deleted last if that is known,
/// otherwise any.
///
/// A list version below the watch's version shows a lost history. So does an object that exists in an older
/// version. An object that is missing, or was written since, shows nothing, so the next newest object is
/// requested. A failure shows nothing either, and the comparison is to be repeated.
pub(super) async fn compare<K: Lookup>(
    query: &Query<K>,
    target: &Target,
    resolved: &Resolved,
    version: &str,
    seen: &Seen,
) -> Verdict {
    let newest = seen.witnesses(query.stored.as_deref(), target.collection.namespace());
    if newest.is_empty() {
        return ask(query, target, resolved, version, None).await.unwrap_or(Verdict::Same);
    }
    let mut doubtful = None;
    for witness in newest {
        match ask(query, target, resolved, version, Some(witness)).await {
            None => {}
            // An older witness may still exist in an older version.
            Some(doubt @ Verdict::Doubtful(_)) => doubtful = doubtful.or(Some(doubt)),
            Some(Verdict::Same) => break,
            Some(verdict @ (Verdict::Lost | Verdict::Unknown)) => return verdict,
        }
    }
    doubtful.unwrap_or(Verdict::Same)
}

/// Requests the witness, or any object. Returns `None` if the answer shows nothing.
async fn ask<K: Lookup>(
    query: &Query<K>,
    target: &Target,
    resolved: &Resolved,
    version: &str,
    witness: Option<Witness>,
) -> Option<Verdict> {
    let place = match &witness {
        Some(witness) => Target::of_objects_in(&witness.namespace),
        None => target.clone(),
    };
    let part = Part::One(witness.as_ref().map(|own| own.name.as_str()));
    let until = after(Instant::now(), query.list_patience.saturating_mul(2));
    let Ok(mut page) = query.page(&place, resolved, part).await else {
        return Some(Verdict::Unknown);
    };
    let mut found = None;
    let mut is_foreign = false;
    let mut count = 0;
    loop {
        let read = |bytes: &[u8], expected: &_| {
            let (item, end) = query.item(bytes, expected, &place)?;
            Ok(((Found::new(&bytes[..end], !matches!(item, Item::Undecodable(_))), item), end))
        };
        let Ok(item) = timeout_at(until, page.item(read)).await else {
            return Some(Verdict::Unknown);
        };
        match item {
            Ok(Some(_)) if count == MOST_ITEMS => return Some(Verdict::Unknown),
            Ok(Some((own, item))) => {
                count += 1;
                is_foreign |= matches!(item, Item::Foreign(_))
                    || witness.as_ref().is_some_and(|witness| {
                        own.namespace != witness.namespace || own.name != witness.name
                    });
                found = Some(own);
            }
            Ok(None) => break,
            Err(_) => return Some(Verdict::Unknown),
        }
    }
    let Some(at) = page.version() else { return Some(Verdict::Unknown) };
    if is_before(&at, version) {
        return Some(Verdict::Lost);
    }
    // The server may ignore the field selector.
    if is_foreign {
        return Some(Verdict::Unknown);
    }
    let Some(witness) = witness else { return Some(Verdict::Same) };
    let Some(found) = found else {
        // A deleted object stays deleted, and only numeric versions show when the watch is past a version.
        let is_doubtful = !witness.is_deleted && is_number(&at) && is_number(version);
        return is_doubtful.then_some(Verdict::Doubtful(Doubt { witness, version: at }));
    };
    if witness.is_deleted {
        // The object may have been created again since.
        return is_before(&found.version, &witness.version).then_some(Verdict::Lost);
    }
    if found.version == witness.version {
        return Some(Verdict::Same);
    }
    let is_ordered = is_number(&found.version) && is_number(version);
    // The store keeps the previous version of an object that can't be decoded.
    let is_newer = !found.is_readable && is_before(&witness.version, &found.version);
    let is_explained = !is_ordered || is_before(version, &found.version) || is_newer;
    (!is_explained).then_some(Verdict::Lost)
}

/// An object in the server's answer.
#[derive(Default)]
struct Found {
    namespace: String,
    name: String,
    version: String,
    is_readable: bool,
}

impl Found {
    fn new(json: &[u8], is_readable: bool) -> Self {
        let json = String::from_utf8_lossy(json);
        let Ok(own) = ObjectMetaRef::of(&json) else { return Self::default() };
        Self {
            namespace: own.namespace.unwrap_or_default().to_owned(),
            name: own.name.to_owned(),
            version: own.resource_version.unwrap_or_default().to_owned(),
            is_readable,
        }
    }
}
