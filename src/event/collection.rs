//! A part of a watch that is listed and watched on its own.

use std::{fmt, sync::Arc};

/// A part of a watch: the objects of one namespace, or of the whole cluster.
///
/// Each has its own list, watch, resume point and failures. [`WatchEvent`](crate::WatchEvent)s and
/// the [status](crate::Store::collections) of a store name it.
///
/// ```
/// use kube_weir::Collection;
///
/// assert_eq!(Collection::cluster().namespace(), None);
/// assert_eq!(Collection::of_namespace("web").namespace(), Some("web"));
/// assert_eq!(Collection::of_namespace("web").to_string(), "namespace `web`");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collection(Option<Arc<str>>);

impl Collection {
    /// Returns the collection of all objects: of every namespace, or of a cluster-scoped kind.
    /// See the [example](Collection).
    pub fn cluster() -> Self {
        Self(None)
    }

    /// Returns the collection of one namespace. See the [example](Collection).
    pub fn of_namespace(namespace: impl Into<Arc<str>>) -> Self {
        Self(Some(namespace.into()))
    }

    /// Returns the namespace, or `None` for the whole cluster. See the [example](Collection).
    pub fn namespace(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns whether an object of this namespace belongs to the collection; `""` is the namespace of
    /// cluster-scoped objects.
    pub(crate) fn has(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|own| own == namespace)
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "namespace `{namespace}`"),
            None => f.write_str("the whole cluster"),
        }
    }
}
