//! The rules of the server for objects and their metadata.

use kube::core::Status;
use serde_json::{Map, Value};

use crate::{
    rfc1123::is_subdomain,
    testing::server::{
        history::Key,
        resource::Resource,
        status::{self, Outcome},
    },
};

/// The part of an object that an update writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All but `status`, if the resource has a `status` subresource.
    Main,
    /// Nothing but `status`.
    Status,
    /// The whole object, as the handle writes it.
    Everything,
}

/// Metadata that an update can't change.
pub(super) const OWNED_BY_THE_SERVER: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Characters of the suffix of a generated name, as in real servers: no vowels, and no digits that look like
/// vowels.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Returns the object with another resourceVersion.
pub(super) fn at_revision(mut object: Value, revision: u64) -> Value {
    object["metadata"]["resourceVersion"] = revision.to_string().into();
    object
}

/// Refuses a `uid` that is neither empty nor the object's with a 409.
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

/// Refuses an update that is based on another object than the current one, or on an older version of it.
pub(super) fn check_basis(
    resource: &Resource,
    current: &Value,
    metadata: &Map<String, Value>,
    part: Part,
) -> Outcome<()> {
    if part == Part::Everything {
        return Ok(());
    }
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
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

/// Returns the name of a new object; a generated name is made from `number`.
pub(super) fn name_for(
    resource: &Resource,
    metadata: &Map<String, Value>,
    number: u64,
) -> Outcome<String> {
    let refuse = |name: &str, why: &str| {
        status::invalid(&resource.group, &resource.kind, name, "metadata.name", why)
    };
    let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = match (text("name"), text("generateName")) {
        ("", "") => {
            return Err(refuse("", "Required value: name or generateName is required"));
        }
        ("", prefix) => format!("{prefix}{}", suffix(number)),
        (name, _) => name.to_owned(),
    };
    // RBAC names have colons; this check is the same for all kinds.
    if !is_subdomain(&name.replace(':', "-")) {
        let why = format!(
            "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
             characters, '-' or '.', and must start and end with an alphanumeric character"
        );
        return Err(refuse(&name, &why));
    }
    Ok(name)
}

pub(super) fn metadata_of(object: &mut Value) -> Outcome<&mut Map<String, Value>> {
    let malformed =
        || status::bad_request("the object provided is unrecognized: it has no metadata");
    let object = object.as_object_mut().ok_or_else(malformed)?;
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
        .ok_or_else(malformed)?;
    // Clients write `null` for omitted fields.
    metadata.retain(|_, value| !value.is_null());
    Ok(metadata)
}

pub(super) fn place(metadata: &mut Map<String, Value>, key: &Key) {
    metadata.insert("name".to_owned(), key.name.clone().into());
    if key.namespace.is_empty() {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), key.namespace.clone().into());
    }
}

pub(super) fn copy(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => remove(to, field),
    }
}

pub(super) fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

pub(super) fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

fn suffix(number: u64) -> String {
    let base = SUFFIX.len() as u64;
    // Scattered, so that no test relies on the order of generated names.
    let mut rest = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
    let digits = std::iter::repeat_with(|| {
        let digit = usize::try_from(rest % base).unwrap_or_default();
        rest /= base;
        char::from(SUFFIX[digit])
    });
    digits.take(5).collect()
}
