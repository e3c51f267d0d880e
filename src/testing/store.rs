//! The objects, and the writes that make the history.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use k8s_openapi::jiff::Timestamp;
use kube::core::Status;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::testing::{
    history::{Change, Happening, History, Key, Object},
    resource::{self, CRDS, Registry, Resource},
    status::{self, Outcome},
};

/// 2026-01-01T00:00:00Z. Timestamps count from a fixed moment, so that a test sees the same ones every time.
const EPOCH: i64 = 1_767_225_600;

/// Real servers draw the suffix of a generated name from these: no vowels, no digits that look like them.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Which part of an object an update writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All but `status`, where the resource has it apart.
    Main,
    /// Nothing but `status`.
    Status,
    /// What a test wants to be there.
    Everything,
}

/// How a write is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) part: Part,
    /// Answer as if it had been done.
    pub(super) dry_run: bool,
}

/// What a delete came to.
#[derive(Debug)]
pub(super) enum Deleted {
    /// The object as it was last, with the resourceVersion of its deletion.
    Gone(Object),
    /// Finalizers hold it.
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
        // Not 0: that version means "any" in requests.
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

    /// The newest resourceVersion. All resources share one count.
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

    /// The objects of a resource as they were at a revision, in the order of their keys.
    pub(super) fn objects_at(&self, resource: &Resource, revision: u64) -> Vec<(&Key, &Object)> {
        let current = self.collections.get(&resource.storage);
        // The first write after the revision tells what was there at the revision.
        let mut undone: BTreeMap<&Key, Option<&Object>> = BTreeMap::new();
        for change in self.history.changes_after(revision) {
            if change.storage == resource.storage {
                undone.entry(&change.key).or_insert(change.before.as_ref());
            }
        }
        let mut objects: Vec<(&Key, &Object)> = current
            .into_iter()
            .flatten()
            .filter(|(key, _)| !undone.contains_key(key))
            .collect();
        if !undone.is_empty() {
            objects.extend(
                undone
                    .iter()
                    .filter_map(|(key, object)| Some((*key, (*object)?))),
            );
            objects.sort_by_key(|(key, _)| *key);
        }
        objects
    }

    pub(super) fn create(
        &mut self,
        resource: &Resource,
        namespace: &str,
        mut object: Value,
        manner: Manner,
    ) -> Outcome<Object> {
        let metadata = metadata_of(&mut object)?;
        if metadata
            .get("resourceVersion")
            .is_some_and(|version| version != "")
            && manner.part != Part::Everything
        {
            return Err(status::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let name = self.name_for(resource, metadata)?;
        let key = Key {
            namespace: namespace.to_owned(),
            name,
        };
        if self.get(resource, &key).is_ok() {
            return Err(status::already_exists(resource, &key.name));
        }
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        ] {
            metadata.remove(field);
        }
        self.created += 1;
        let number = self.created;
        metadata.insert(
            "uid".to_owned(),
            format!("00000000-0000-4000-8000-{number:012x}").into(),
        );
        metadata.insert("creationTimestamp".to_owned(), self.now().into());
        place(metadata, &key);
        if object.get("spec").is_some() {
            object["metadata"]["generation"] = 1.into();
        }
        if resource.status && manner.part == Part::Main {
            remove(&mut object, "status");
        }
        self.write(resource, key, object, manner.dry_run)
    }

    pub(super) fn update(
        &mut self,
        resource: &Resource,
        key: &Key,
        mut object: Value,
        manner: Manner,
    ) -> Outcome<Object> {
        let current = self.get(resource, key)?;
        check_basis(resource, &current, metadata_of(&mut object)?, manner.part)?;
        let mut next = if manner.part == Part::Status {
            let mut next = (*current).clone();
            copy(&object, &mut next, "status");
            next
        } else {
            if resource.status && manner.part == Part::Main {
                copy(&current, &mut object, "status");
            }
            object
        };
        let metadata = metadata_of(&mut next)?;
        for field in OWNED_BY_THE_SERVER {
            match current["metadata"].get(field) {
                Some(value) => metadata.insert((*field).to_owned(), value.clone()),
                None => metadata.remove(*field),
            };
        }
        place(metadata, key);
        next["apiVersion"] = current["apiVersion"].clone();
        next["kind"] = current["kind"].clone();
        if &*resource.storage == CRDS {
            copy(&current, &mut next, "status");
        }
        if next == *current {
            // A write that changes nothing is none: no event, no new resourceVersion.
            return Ok(current);
        }
        if let Some(generation) = current["metadata"]["generation"].as_u64()
            && next.get("spec") != current.get("spec")
        {
            next["metadata"]["generation"] = (generation + 1).into();
        }
        if is_deleting(&next) && !has_finalizers(&next) {
            if !manner.dry_run {
                self.remove(resource, key);
            }
            return Ok(Arc::new(next));
        }
        self.write(resource, key.clone(), next, manner.dry_run)
    }

    /// Deletes an object, or marks it as deleting where it has finalizers.
    pub(super) fn delete(
        &mut self,
        resource: &Resource,
        key: &Key,
        dry_run: bool,
    ) -> Outcome<Deleted> {
        let current = self.get(resource, key)?;
        if has_finalizers(&current) {
            if is_deleting(&current) {
                return Ok(Deleted::Held(current));
            }
            let mut held = (*current).clone();
            held["metadata"]["deletionTimestamp"] = self.now().into();
            held["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            if let Some(generation) = held["metadata"]["generation"].as_u64() {
                held["metadata"]["generation"] = (generation + 1).into();
            }
            return self
                .write(resource, key.clone(), held, dry_run)
                .map(Deleted::Held);
        }
        if dry_run {
            return Ok(Deleted::Gone(current));
        }
        self.remove(resource, key);
        Ok(Deleted::Gone(Arc::new(at_revision(
            &current,
            self.revision,
        ))))
    }

    /// Puts a signal for the open watches into the history.
    pub(super) fn signal(&mut self, what: Happening) {
        self.history.push(self.revision, what);
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
            resource::establish(&mut object, &self.now());
            resource::of_crd(&object)?
        } else {
            Vec::new()
        };
        if dry_run {
            return Ok(Arc::new(object));
        }
        let object: Object = Arc::new(at_revision(&object, self.revision + 1));
        if is_crd {
            self.registry.remove(&key.name);
            for resource in served {
                self.registry.install(resource);
            }
        }
        self.commit(&resource.storage, key, Some(object.clone()));
        Ok(object)
    }

    fn remove(&mut self, resource: &Resource, key: &Key) {
        if &*resource.storage == CRDS {
            self.registry.remove(&key.name);
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
    }

    /// The only place where anything changes.
    fn commit(&mut self, storage: &Arc<str>, key: Key, after: Option<Object>) {
        self.revision += 1;
        let objects = self.collections.entry(storage.clone()).or_default();
        let before = match &after {
            Some(object) => objects.insert(key.clone(), object.clone()),
            None => objects.remove(&key),
        };
        let storage = storage.clone();
        let change = Change {
            storage,
            key,
            before,
            after,
        };
        self.history.push(self.revision, Happening::Change(change));
    }

    fn name_for(&self, resource: &Resource, metadata: &mut Map<String, Value>) -> Outcome<String> {
        let refuse = |name: &str, why: &str| {
            status::invalid(&resource.group, &resource.kind, name, "metadata.name", why)
        };
        let text = |field: &str| {
            metadata
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let name = match (text("name"), text("generateName")) {
            ("", "") => {
                return Err(refuse(
                    "",
                    "Required value: name or generateName is required",
                ));
            }
            ("", prefix) => format!("{prefix}{}", suffix(self.created)),
            (name, _) => name.to_owned(),
        };
        if !is_name(&name) {
            let why = format!(
                "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                 characters, '-' or '.', and must start and end with an alphanumeric character"
            );
            return Err(refuse(&name, &why));
        }
        Ok(name)
    }

    fn now(&self) -> String {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_second(EPOCH.saturating_add(elapsed))
            .unwrap_or(Timestamp::MAX)
            .to_string()
    }
}

/// The object with another resourceVersion.
pub(super) fn at_revision(object: &Value, revision: u64) -> Value {
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = revision.to_string().into();
    object
}

/// 409 unless `uid` is empty or the object's.
pub(super) fn check_uid(
    resource: &Resource,
    current: &Value,
    uid: &str,
) -> Result<(), Box<Status>> {
    let has = current["metadata"]["uid"].as_str().unwrap_or_default();
    if uid.is_empty() || uid == has {
        return Ok(());
    }
    let name = current["metadata"]["name"].as_str().unwrap_or_default();
    let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {has}");
    Err(status::conflict(resource, name, &why))
}

/// Refuses an update of another object than the current one, or of an older state of it.
fn check_basis(
    resource: &Resource,
    current: &Value,
    metadata: &Map<String, Value>,
    part: Part,
) -> Outcome<()> {
    if part == Part::Everything {
        return Ok(());
    }
    let text = |field: &str| {
        metadata
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = current["metadata"]["name"].as_str().unwrap_or_default();
    check_uid(resource, current, text("uid"))?;
    match text("resourceVersion") {
        "" if resource.needs_version() => Err(status::invalid(
            &resource.group,
            &resource.kind,
            name,
            "metadata.resourceVersion",
            "Invalid value: 0: must be specified for an update",
        )),
        "" => Ok(()),
        version if current["metadata"]["resourceVersion"] == version => Ok(()),
        _ => Err(status::stale(resource, name)),
    }
}

const OWNED_BY_THE_SERVER: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

fn metadata_of(object: &mut Value) -> Outcome<&mut Map<String, Value>> {
    let malformed =
        || status::bad_request("the object provided is unrecognized: it has no metadata");
    let object = object.as_object_mut().ok_or_else(malformed)?;
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
        .ok_or_else(malformed)?;
    // Clients write `null` for what they leave out.
    metadata.retain(|_, value| !value.is_null());
    Ok(metadata)
}

fn place(metadata: &mut Map<String, Value>, key: &Key) {
    metadata.insert("name".to_owned(), key.name.clone().into());
    if key.namespace.is_empty() {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), key.namespace.clone().into());
    }
}

fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => remove(to, field),
    }
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|finalizers| !finalizers.is_empty())
}

fn is_name(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edge = |part: &str| {
        part.bytes().next().is_some_and(inner) && part.bytes().next_back().is_some_and(inner)
    };
    name.len() <= 253
        // RBAC names have colons; the server does not ask which kind it is.
        && name.split('.').all(|part| edge(part) && part.bytes().all(|c| inner(c) || c == b'-' || c == b':'))
}

fn suffix(number: u64) -> String {
    let base = SUFFIX.len() as u64;
    let digits = (0..5).map(|place| {
        let digit = usize::try_from(number / base.pow(place) % base).unwrap_or_default();
        char::from(SUFFIX[digit])
    });
    digits.collect::<Vec<_>>().into_iter().rev().collect()
}
