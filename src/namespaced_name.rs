//! Identity of an object: its namespace, which is `""` if cluster-scoped, and its name.

use std::{borrow::Cow, fmt};

use kube::runtime::reflector::Lookup;

use crate::printed::{LONGEST_NAME, LONGEST_NAMESPACE, printed};

/// Display form of an identity: `namespace/name`, or just `name`.
pub(crate) struct NamespacedName<'a>(pub(crate) &'a str, pub(crate) &'a str);

impl fmt::Display for NamespacedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, name) = (printed(self.0, LONGEST_NAMESPACE), printed(self.1, LONGEST_NAME));
        let slash = if namespace.is_empty() { "" } else { "/" };
        write!(f, "{namespace}{slash}{name}")
    }
}

/// Returns the namespace and name of an object.
#[inline]
pub(crate) fn identity<K: Lookup>(object: &K) -> (Cow<'_, str>, Cow<'_, str>) {
    (object.namespace().unwrap_or_default(), object.name().unwrap_or_default())
}

/// Returns the namespace and name of an object, owned.
pub(crate) fn owned_identity<K: Lookup>(object: &K) -> (String, String) {
    let (namespace, name) = identity(object);
    (namespace.into_owned(), name.into_owned())
}
