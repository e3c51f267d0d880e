//! The stored objects, and writes, which are recorded in the history.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::testing::server::{
    answer::End,
    crd,
    history::{Change, Happening, History, Key, Object},
    object::{self, Part},
    on::On,
    resource::{CRDS, Registry, Resource},
    status::{self, Outcome},
};

/// 2026-01-01T00:00:00Z, the start of all timestamps, so that they are the same in every run of a test.
const EPOCH: i64 = 1_767_225_600;

/// Options of a write.
#[derive(Debug, Clone, Copy)]
pub(super) struct WriteOptions {
    pub(super) part: Part,
    /// True to answer as usual, but write nothing.
    pub(super) dry_run: bool,
}

/// The outcome of a delete.
#[derive(Debug)]
pub(super) enum Deleted {
    /// The last version of the object, with the resourceVersion of its deletion.
    Gone(Object),
    /// The object, still held by finalizers.
    Held(Object),
}

/// All state that requests read and write.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) registry: Registry,
    pub(super) history: History,
    collections: HashMap<Arc<str>, BTreeMap<Key, Object>>,
    revision: u64,
    created: u64,
    started: Instant,
}

impl Store {
    pub(super) fn new() -> Self {
        // Not 0, which means "any version" in requests.
        let revision = 1;
        Self {
            registry: Registry::usual(),
            history: History::new(revision),
            collections: HashMap::new(),
            revision,
            created: 0,
            started: Instant::now(),
        }
    }

    /// Returns the newest resourceVersion. All resources share one count.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, resource: &Resource, key: &Key) -> Outcome<Object> {
        self.collections
            .get(&resource.storage)
            .and_then(|objects| objects.get(key))
            .cloned()
            .ok_or_else(|| status::not_found(resource, &key.name))
    }

    /// Returns the objects of a resource at a revision, in the order of their keys, after a key.
    pub(super) fn objects_at<'a>(
        &'a self,
        resource: &Resource,
        revision: u64,
        behind: Option<&Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Object)> {
        let from = (behind.map_or(Unbounded, Excluded), Unbounded);
        let objects = self.collections.get(&resource.storage);
        let mut current =
            objects.into_iter().flat_map(move |objects| objects.range::<Key, _>(from)).peekable();
        // The first write after the revision has the object at the revision as `before`.
        let mut undone: BTreeMap<&Key, Option<&Object>> = BTreeMap::new();
        for change in self.history.changes_after(revision) {
            if change.storage == resource.storage && behind.is_none_or(|key| change.key > *key) {
                undone.entry(&change.key).or_insert(change.before.as_ref());
            }
        }
        let mut undone = undone.into_iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let Some((changed, _)) = undone.peek() else {
                    return current.next();
                };
                if let Some(untouched) = current.next_if(|(key, _)| key < changed) {
                    return Some(untouched);
                }
                current.next_if(|(key, _)| key == changed);
                if let Some((key, Some(object))) = undone.next() {
                    return Some((key, object));
                }
            }
        })
    }

    /// Returns the current objects of a resource.
    pub(super) fn objects(&self, resource: &Resource) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects_at(resource, self.revision, None)
    }

    pub(super) fn create(
        &mut self,
        resource: &Resource,
        namespace: &str,
        mut object: Value,
        options: WriteOptions,
    ) -> Outcome<Object> {
        let metadata = object::metadata_of(&mut object)?;
        if metadata.get("resourceVersion").is_some_and(|version| version != "")
            && options.part != Part::Everything
        {
            return Err(status::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let name = object::name_for(resource, metadata, self.created)?;
        let key = Key { namespace: namespace.to_owned(), name };
        if self.get(resource, &key).is_ok() {
            return Err(status::already_exists(resource, &key.name));
        }
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            metadata.remove(field);
        }
        self.created += 1;
        let number = self.created;
        metadata.insert("uid".to_owned(), format!("00000000-0000-4000-8000-{number:012x}").into());
        metadata.insert("creationTimestamp".to_owned(), self.now().into());
        object::place(metadata, &key);
        if object.get("spec").is_some() {
            object["metadata"]["generation"] = 1.into();
        }
        if resource.status && options.part == Part::Main {
            object::remove(&mut object, "status");
        }
        self.write(resource, key, object, options.dry_run)
    }

    pub(super) fn update(
        &mut self,
        resource: &Resource,
        key: &Key,
        mut object: Value,
        options: WriteOptions,
    ) -> Outcome<Object> {
        let current = self.get(resource, key)?;
        object::check_basis(resource, &current, object::metadata_of(&mut object)?, options.part)?;
        let mut next = if options.part == Part::Status {
            let mut next = (*current).clone();
            object::copy(&object, &mut next, "status");
            next
        } else {
            if resource.status && options.part == Part::Main {
                object::copy(&current, &mut object, "status");
            }
            object
        };
        let metadata = object::metadata_of(&mut next)?;
        for field in object::OWNED_BY_THE_SERVER {
            match current["metadata"].get(field) {
                Some(value) => metadata.insert((*field).to_owned(), value.clone()),
                None => metadata.remove(*field),
            };
        }
        object::place(metadata, key);
        next["apiVersion"] = current["apiVersion"].clone();
        next["kind"] = current["kind"].clone();
        if &*resource.storage == CRDS {
            crd::check_immutable(&current, &next)?;
            object::copy(&current, &mut next, "status");
        }
        if next == *current {
            // A write without a change has no effect: no event, no new resourceVersion.
            return Ok(current);
        }
        if let Some(generation) = current["metadata"]["generation"].as_u64()
            && next.get("spec") != current.get("spec")
        {
            next["metadata"]["generation"] = (generation + 1).into();
        }
        if object::is_deleting(&next) && !object::has_finalizers(&next) {
            if !options.dry_run {
                self.remove(resource, key);
            }
            return Ok(Arc::new(next));
        }
        self.write(resource, key.clone(), next, options.dry_run)
    }

    /// Deletes an object, or marks it as deleting if it has finalizers.
    pub(super) fn delete(
        &mut self,
        resource: &Resource,
        key: &Key,
        dry_run: bool,
    ) -> Outcome<Deleted> {
        let current = self.get(resource, key)?;
        if object::has_finalizers(&current) {
            if object::is_deleting(&current) {
                return Ok(Deleted::Held(current));
            }
            let mut held = (*current).clone();
            held["metadata"]["deletionTimestamp"] = self.now().into();
            held["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            if let Some(generation) = held["metadata"]["generation"].as_u64() {
                held["metadata"]["generation"] = (generation + 1).into();
            }
            return self.write(resource, key.clone(), held, dry_run).map(Deleted::Held);
        }
        if dry_run {
            return Ok(Deleted::Gone(current));
        }
        self.remove(resource, key);
        let last = object::at_revision((*current).clone(), self.revision);
        Ok(Deleted::Gone(Arc::new(last)))
    }

    /// Puts a signal for the open watches into the history.
    pub(super) fn signal(&mut self, what: Happening) {
        self.history.push(self.revision, what);
    }

    /// Resets everything to a revision, except the counter of uids.
    ///
    /// # Errors
    /// 410 for a revision whose state is no longer known, 504 for a future revision.
    pub(super) fn restore(&mut self, revision: u64) -> Outcome<()> {
        if revision > self.revision {
            return Err(status::too_large(revision, self.revision));
        }
        if revision < self.history.floor() {
            return Err(status::too_old(revision, self.revision));
        }
        // The first write after the revision has the object at the revision as `before`.
        let mut undone = HashMap::new();
        for change in self.history.changes_after(revision) {
            let identity = (change.storage.clone(), change.key.clone());
            undone.entry(identity).or_insert_with(|| change.before.clone());
        }
        for ((storage, key), before) in undone {
            if &*storage == CRDS {
                let served = before.as_deref().map(crd::served).transpose()?.unwrap_or_default();
                self.registry.replace(&key.name, served);
            }
            let objects = self.collections.entry(storage).or_default();
            match before {
                Some(object) => objects.insert(key, object),
                None => objects.remove(&key),
            };
        }
        self.history.restore(revision);
        self.revision = revision;
        Ok(())
    }

    fn write(
        &mut self,
        resource: &Resource,
        key: Key,
        mut object: Value,
        dry_run: bool,
    ) -> Outcome<Object> {
        let is_crd = &*resource.storage == CRDS;
        let served = if is_crd {
            crd::establish(&mut object, &self.now());
            crd::served(&object)?
        } else {
            Vec::new()
        };
        if dry_run {
            return Ok(Arc::new(object));
        }
        let object = Arc::new(object::at_revision(object, self.revision + 1));
        if is_crd {
            let current = self.get(resource, &key);
            let is_changed = current.is_ok_and(|current| current["spec"] != object["spec"]);
            self.registry.replace(&key.name, served);
            self.commit(&resource.storage, key.clone(), Some(object.clone()));
            if is_changed {
                // A real server replaces the storage of the resource, which ends its watches.
                self.end_watches_of(&key.name);
            }
        } else {
            self.commit(&resource.storage, key, Some(object.clone()));
        }
        Ok(object)
    }

    fn remove(&mut self, resource: &Resource, key: &Key) {
        let is_crd = &*resource.storage == CRDS;
        if is_crd {
            self.registry.replace(&key.name, Vec::new());
            let storage: Arc<str> = key.name.as_str().into();
            let orphans: Vec<Key> = self
                .collections
                .get(&storage)
                .into_iter()
                .flatten()
                .map(|(key, _)| key.clone())
                .collect();
            for orphan in orphans {
                self.commit(&storage, orphan, None);
            }
        }
        self.commit(&resource.storage, key.clone(), None);
        if is_crd {
            self.end_watches_of(&key.name);
        }
    }

    /// Ends the open watches of a resource, in all of its versions.
    fn end_watches_of(&mut self, storage: &str) {
        self.signal(Happening::End(On::any().resource(storage), End::Fin));
    }

    /// Applies a change; the only place that does.
    fn commit(&mut self, storage: &Arc<str>, key: Key, after: Option<Object>) {
        self.revision += 1;
        let objects = self.collections.entry(storage.clone()).or_default();
        let before = match &after {
            Some(object) => objects.insert(key.clone(), object.clone()),
            None => objects.remove(&key),
        };
        let storage = storage.clone();
        let change = Change { storage, key, before, after };
        self.history.push(self.revision, Happening::Change(change));
    }

    fn now(&self) -> String {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(EPOCH.saturating_add(elapsed)).unwrap_or(Timestamp::MAX).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_revision_can_be_read_back_from_every_key() {
        let mut store = Store::new();
        let pods = Resource::new("", "v1", "Pod", "pods", true);
        let nodes = Resource::new("", "v1", "Node", "nodes", false);
        let options = WriteOptions { part: Part::Everything, dry_run: false };
        let mut moments: Vec<(u64, Vec<(Key, Object)>)> = Vec::new();
        let mut random = 7_u64;
        for step in 0..300 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let name = format!("p{}", (random >> 40) % 12);
            let namespace = if random >> 63 == 0 { "a" } else { "b" };
            let key = Key { namespace: namespace.to_owned(), name: name.clone() };
            let object = json!({"metadata": {"name": name}, "step": step});
            let _ = match (random >> 33) % 4 {
                0 => store.delete(&pods, &key, false).map(drop),
                1 => store.create(&nodes, "", object, options).map(drop),
                _ if store.get(&pods, &key).is_ok() => {
                    store.update(&pods, &key, object, options).map(drop)
                }
                _ => store.create(&pods, namespace, object, options).map(drop),
            };
            let objects = store.objects(&pods);
            let objects = objects.map(|(key, object)| (key.clone(), object.clone()));
            moments.push((store.revision(), objects.collect()));
        }
        for (revision, expected) in &moments {
            let then = |behind| store.objects_at(&pods, *revision, behind);
            assert!(then(None).eq(expected.iter().map(|(key, object)| (key, object))));
            for (at, (key, _)) in expected.iter().enumerate() {
                let rest = &expected[at + 1..];
                assert!(then(Some(key)).eq(rest.iter().map(|(key, object)| (key, object))));
            }
        }
    }
}
