//! What a store says about itself.

use crate::index::ExplainIndex;

/// The state of a store in words and figures; see [`Store::explain`](crate::Store::explain).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Explain {
    /// `loading`, `synced`, `relisting` or `ended`.
    pub state: &'static str,
    /// Up to which `resourceVersion` everything was seen; of several namespaces, in the one that is
    /// behind. `None` before that is known.
    pub resource_version: Option<String>,
    /// The number of objects.
    pub objects: usize,
    /// Each index, the main one first.
    pub indexes: Vec<ExplainIndex>,
    /// Objects whose newest version could not be decoded, as `namespace/name`, or `name` of the
    /// cluster-scoped: the store has their
    /// last good version, or none.
    pub stale: Vec<String>,
    /// The last failure since an object last arrived.
    pub last_error: Option<String>,
}
