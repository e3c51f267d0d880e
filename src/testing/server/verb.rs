//! Verbs of requests.

/// The action of a request, in the words of
/// [RBAC](https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb).
///
/// ```
/// use kube_weir::testing::{ApiServer, Fault, Verb};
///
/// let server = ApiServer::new();
/// server.fault(Verb::Update, 1, Fault::status(409));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads a collection, or a page of it.
    List,
    /// Watches a collection.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object, or its status.
    Update,
    /// Changes part of an object, or of its status.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
    /// Reads the list of resources, or the version of the server.
    Discovery,
}

impl Verb {
    /// Returns the name of the verb as discovery and RBAC write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get | Self::Discovery => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}
