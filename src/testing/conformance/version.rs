//! Versions of objects, and their comparison.

use std::{borrow::Cow, fmt};

use kube::runtime::reflector::Lookup;
use serde_json::Value;

use crate::{
    namespaced_name::{NamespacedName, owned_identity},
    snapshot::Snapshot,
    testing::conformance::{Rule, Violation},
};

/// A version of an object, ordered by identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) identity: Identity,
    uid: String,
    at: String,
}

/// Namespace and name.
pub(super) type Identity = (String, String);

impl Version {
    pub(super) fn of<K: Lookup>(object: &K) -> Self {
        let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).unwrap_or_default();
        Self {
            identity: owned_identity(object),
            uid: text(object.uid()),
            at: text(object.resource_version()),
        }
    }

    /// Returns the version of an object on the server.
    pub(super) fn of_value(object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self {
            identity: (text("namespace"), text("name")),
            uid: text("uid"),
            at: text("resourceVersion"),
        }
    }

    /// Returns all versions in a snapshot.
    pub(super) fn all<K: Lookup>(snapshot: &Snapshot<K>) -> Vec<Self> {
        snapshot.iter().map(|object| Self::of(&**object)).collect()
    }

    /// Returns whether both are known to be the same version of an object; false for mocked objects without
    /// one.
    pub(super) fn is(&self, other: &Self) -> bool {
        !self.at.is_empty() && self == other
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = &self.identity;
        write!(f, "{}@{}", NamespacedName(namespace, name), self.at)
    }
}

/// Compares two states; returns a difference as an error.
pub(super) fn compare(rule: Rule, is: &[Version], should: &[Version]) -> Result<(), Violation> {
    contains(rule, is, should)?;
    match is.iter().find(|one| should.binary_search(one).is_err()) {
        Some(more) => Err(Violation::of(rule, format_args!("{more} is there"))),
        None => Ok(()),
    }
}

/// Checks that a state has all objects of another; returns a missing one as an error.
pub(super) fn contains(rule: Rule, is: &[Version], should: &[Version]) -> Result<(), Violation> {
    match should.iter().find(|one| is.binary_search(one).is_err()) {
        Some(missing) => Err(Violation::of(rule, format_args!("{missing} is missing"))),
        None => Ok(()),
    }
}

/// Checks that identities are in order and not repeated.
pub(super) fn in_order(versions: &[Version]) -> Result<(), Violation> {
    match versions.windows(2).find(|pair| pair[0].identity >= pair[1].identity) {
        Some(pair) => {
            Err(Violation::of(Rule::Order, format_args!("{} before {}", pair[0], pair[1])))
        }
        None => Ok(()),
    }
}
