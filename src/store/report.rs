//! What a store says about itself.

use std::sync::Arc;

use crate::index::IndexReport;

/// The state of a store in words and figures; see [`Store::report`](crate::Store::report).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct StoreReport {
    /// What is watched, such as `networking.k8s.io/v1/ingresses`; of a stream that isn't our own
    /// watch, the Rust type of its objects.
    pub resource: Arc<str>,
    /// What [`Watch::named`](crate::Watch::named) says.
    pub name: Option<Arc<str>>,
    /// What objects are selected by, as [`Scope::selectors`](crate::Scope::selectors) says.
    pub selectors: Vec<String>,
    /// `loading`, `synced`, `relisting`, `degraded` (synced, but it can't be kept up to date) or
    /// `ended`.
    pub state: &'static str,
    /// Up to which `resourceVersion` everything was seen; of several namespaces, in the one that is
    /// behind. `None` before that is known.
    pub resource_version: Option<String>,
    /// For how many milliseconds nothing has come in: no object, list, or bookmark. `None` before
    /// the first. It says how old the state may be; a watch on which nothing happens has a bookmark
    /// each minute or so.
    pub silent_ms: Option<u64>,
    /// The number of objects.
    pub objects: usize,
    /// Their bytes, without the indexes, where that is known: of [`Document`](crate::Document)s, unless each index is
    /// by a closure.
    pub bytes: Option<usize>,
    /// Objects of a list on its way in, which readers see once it is complete.
    pub pending: usize,
    /// Deleted objects that are [kept](crate::adapters::Indexed::keep_deleted) for a while.
    pub deleted: usize,
    /// Each index, in the order given.
    pub indexes: Vec<IndexReport>,
    /// Objects whose newest version could not be decoded, as `namespace/name`, or `name` of the
    /// cluster-scoped: the store has their
    /// last good version, or none.
    pub stale: Vec<String>,
    /// The last failure since an object last arrived.
    pub last_error: Option<String>,
}
