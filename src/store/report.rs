//! Report of a store.

use std::sync::Arc;

use crate::index::IndexReport;

/// The state of a store in words and figures; see [`Store::report`](crate::Store::report).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct StoreReport {
    /// The watched resource, such as `networking.k8s.io/v1/ingresses`; for a stream that isn't a watch of
    /// this crate, the Rust type of its objects.
    pub resource: Arc<str>,
    /// The name set by [`Watch::named`](crate::Watch::named).
    pub name: Option<Arc<str>>,
    /// The selectors, as [`Scope::selectors`](crate::Scope::selectors) returns them.
    pub selectors: Vec<String>,
    /// `loading`, `synced`, `relisting`, `degraded` (synced, but it can't be kept up to date) or
    /// `ended`.
    pub state: &'static str,
    /// The `resourceVersion` up to which everything was seen; with several namespaces, that of the namespace
    /// furthest behind. `None` until it is known.
    pub resource_version: Option<String>,
    /// Milliseconds since anything was last received: an object, a list or a bookmark. `None` before the
    /// first. The state may be that old; an idle watch receives a bookmark about once a minute.
    pub silent_ms: Option<u64>,
    /// The number of objects.
    pub objects: usize,
    /// Bytes of the objects, without the indexes, if known: for [`Document`](crate::Document)s, unless each
    /// index uses a closure.
    pub bytes: Option<usize>,
    /// The number of objects in an incomplete list; readers see them once it is complete.
    pub pending: usize,
    /// The number of deleted objects that are [kept](crate::adapters::Indexed::keep_deleted) for a while.
    pub deleted: usize,
    /// Reports of the indexes, in the order in which they were given.
    pub indexes: Vec<IndexReport>,
    /// Objects whose newest version could not be decoded, as `namespace/name`, or as `name` if
    /// cluster-scoped: the store has their last good version, or none.
    pub stale: Vec<String>,
    /// The last failure since an object was last received.
    pub last_error: Option<String>,
}
