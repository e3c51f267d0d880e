//! The one error type.

mod classify;
mod path;

use std::{fmt, sync::Arc, time::Duration};

use self::classify::describe_json;
pub(crate) use self::classify::from_client;
pub use self::path::PathError;
use crate::namespaced_name::NamespacedName;

/// What can go wrong, at construction or at run time.
///
/// Opaque and cheap to clone: ask it with the `is_*` predicates, match on
/// [`reason`](Error::reason) for logs and metrics, and find the cause in
/// [`source`](std::error::Error::source). No message ever holds the content of an object: an
/// undecodable Secret is named, never quoted.
///
/// An `Err` item in a stream is an observation (the watch is degraded and retrying), never its
/// end.
///
/// ```
/// use kube_weir::FieldFilter;
///
/// let error: kube_weir::Error = FieldFilter::new(["metadata."]).unwrap_err().into();
/// assert!(error.is_path());
/// assert_eq!(error.reason(), "InvalidPath");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    reason: Reason,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    object: Option<(String, String)>,
    path: Option<PathError>,
    /// Which kind of a world it is about, and what it says without the name.
    of_kind: Option<(Arc<str>, Error)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Path,
    Selector,
    Resource,
    Namespace,
    Index,
    Ambiguous,
    Forbidden,
    Unauthorized,
    NotInstalled,
    NotFound,
    Timeout,
    Desynced,
    Throttled,
    Undecodable,
    Connection,
    Ended,
    Election,
    NotLeading,
    Panic,
    Other,
}

impl Error {
    /// A path was rejected; the message shows where and why.
    pub fn is_path(&self) -> bool {
        self.0.reason == Reason::Path
    }

    /// A label or field selector was rejected at construction.
    pub fn is_selector(&self) -> bool {
        self.0.reason == Reason::Selector
    }

    /// A resource name was rejected: not `group/version/plural`, or a kind where a plural belongs.
    pub fn is_resource(&self) -> bool {
        self.0.reason == Reason::Resource
    }

    /// The own namespace is unknown, a namespace can't have the name given, or namespaces were
    /// asked of a resource that has none.
    pub fn is_namespace(&self) -> bool {
        self.0.reason == Reason::Namespace
    }

    /// An index lookup was wrong: no index of that name, or more key parts than it has.
    pub fn is_index(&self) -> bool {
        self.0.reason == Reason::Index
    }

    /// [`Snapshot::get_one`](crate::Snapshot::get_one) found more than one object.
    pub fn is_ambiguous(&self) -> bool {
        self.0.reason == Reason::Ambiguous
    }

    /// The API server refused (403): the rights are missing.
    pub fn is_forbidden(&self) -> bool {
        self.0.reason == Reason::Forbidden
    }

    /// The API server doesn't know who asks (401).
    pub fn is_unauthorized(&self) -> bool {
        self.0.reason == Reason::Unauthorized
    }

    /// The API server doesn't serve the resource (404): its CRD is not installed.
    pub fn is_not_installed(&self) -> bool {
        self.0.reason == Reason::NotInstalled
    }

    /// The API server has no such object (404), and the watch has not seen it go.
    pub fn is_not_found(&self) -> bool {
        self.0.reason == Reason::NotFound
    }

    /// Something took too long: a request, or the wait for a sync.
    pub fn is_timeout(&self) -> bool {
        self.0.reason == Reason::Timeout
    }

    /// The watch fell out of the server's history (410); a relist follows.
    pub fn is_desynced(&self) -> bool {
        self.0.reason == Reason::Desynced
    }

    /// The API server asked to slow down (429).
    pub fn is_throttled(&self) -> bool {
        self.0.reason == Reason::Throttled
    }

    /// One object could not be decoded; all others are unaffected.
    pub fn is_undecodable(&self) -> bool {
        self.0.reason == Reason::Undecodable
    }

    /// No connection to the API server, or it broke.
    pub fn is_connection(&self) -> bool {
        self.0.reason == Reason::Connection
    }

    /// The stream that feeds a store, or a campaign, ended or was dropped.
    pub fn is_ended(&self) -> bool {
        self.0.reason == Reason::Ended
    }

    /// An [`Election`](crate::Election) can't be as it was asked for: its durations, its Lease's name
    /// or its identity.
    pub fn is_election(&self) -> bool {
        self.0.reason == Reason::Election
    }

    /// The [`Term`](crate::Term) that the work needs is over, or being given back.
    pub fn is_not_leading(&self) -> bool {
        self.0.reason == Reason::NotLeading
    }

    /// A [spawned](crate::EventStreamExt::spawn) stream panicked.
    pub fn is_panic(&self) -> bool {
        self.0.reason == Reason::Panic
    }

    /// The API server will go on refusing until somebody changes something: forbidden,
    /// unauthorized, not installed, or a request that it finds invalid (400, 422).
    pub fn is_refusal(&self) -> bool {
        matches!(self.0.reason, Reason::Forbidden | Reason::Unauthorized | Reason::NotInstalled)
            || self.is_rejected()
    }

    /// The (namespace, name) of the object that the error is about, if it is about one: that can't be
    /// [decoded](Error::is_undecodable), or [fetched](crate::Fetching). The namespace of a cluster-scoped object is `""`.
    pub fn object(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.0.object.as_ref()?;
        Some((namespace, name))
    }

    /// Which kind of a [`World`](crate::World) the error is about.
    pub fn of_kind(&self) -> Option<&str> {
        self.0.of_kind.as_ref().map(|(name, _)| &**name)
    }

    /// What is wrong with a path or selector, and where.
    pub fn path(&self) -> Option<&PathError> {
        self.0.path.as_ref()
    }

    /// One word for logs, metrics and scripts, such as `"Forbidden"`.
    pub fn reason(&self) -> &'static str {
        self.0.reason.as_str()
    }

    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            reason,
            message: message.into(),
            source: None,
            status: None,
            retry_after: None,
            object: None,
            path: None,
            of_kind: None,
        }))
    }

    pub(crate) fn with_source(
        reason: Reason,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(reason, message).modify(|inner| inner.source = Some(source.into()))
    }

    /// An object that would not decode, named by its identity.
    ///
    /// serde's own message is left out on purpose: it quotes the offending value.
    pub(crate) fn undecodable(namespace: &str, name: &str, cause: &serde_json::Error) -> Self {
        let object = NamespacedName(namespace, name);
        let message = format!("object {object} can't be decoded: {}", describe_json(cause));
        Self::new(Reason::Undecodable, message)
            .modify(|inner| inner.object = Some((namespace.to_owned(), name.to_owned())))
    }

    /// Another error for the same reason, of which this one is the source.
    pub(crate) fn caused_by(cause: Self, message: impl Into<String>) -> Self {
        Self::with_source(cause.0.reason, message, cause)
    }

    /// The same, said of one kind of a world.
    pub(crate) fn in_kind(self, name: &Arc<str>) -> Self {
        Self::new(self.0.reason, format!("{name}: {self}")).modify(|inner| {
            inner.status = self.0.status;
            inner.retry_after = self.0.retry_after;
            inner.object.clone_from(&self.0.object);
            inner.path.clone_from(&self.0.path);
            inner.of_kind = Some((Arc::clone(name), self));
        })
    }

    /// What became of one object of several, with the cause: for the reason of the cause unless given.
    pub(crate) fn of_object(
        reason: impl Into<Option<Reason>>,
        (namespace, name): (&str, &str),
        what: &str,
        cause: Option<Self>,
    ) -> Self {
        let of_cause = cause.as_ref().map(|cause| cause.0.reason);
        let reason = reason.into().or(of_cause).unwrap_or(Reason::Other);
        let object = NamespacedName(namespace, name);
        let status = cause.as_ref().and_then(|cause| cause.0.status);
        Self::new(reason, format!("object {object} {what}")).modify(|inner| {
            inner.object = Some((namespace.to_owned(), name.to_owned()));
            inner.source = cause.map(Into::into);
            inner.status = status;
        })
    }

    /// The API server knows the resource, but no such object.
    pub(crate) fn not_found(self) -> Self {
        self.modify(|inner| inner.reason = Reason::NotFound)
    }

    pub(crate) fn with_retry_after(self, after: Option<Duration>) -> Self {
        self.modify(|inner| inner.retry_after = after)
    }

    /// The wait that the API server asked for (`Retry-After`), if it did.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The API server found the request itself invalid, as it does with options it doesn't know.
    pub(crate) fn is_rejected(&self) -> bool {
        matches!(self.0.status, Some(400 | 422))
    }

    /// Only for an error that was just made: it isn't shared yet.
    fn modify(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
        self
    }

    pub(crate) fn invalid_selector(why: PathError) -> Self {
        Self::new(Reason::Selector, why.to_string()).modify(|inner| inner.path = Some(why))
    }
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Path => "InvalidPath",
            Self::Selector => "InvalidSelector",
            Self::Resource => "InvalidResource",
            Self::Namespace => "InvalidNamespace",
            Self::Index => "InvalidLookup",
            Self::Ambiguous => "Ambiguous",
            Self::Forbidden => "Forbidden",
            Self::Unauthorized => "Unauthorized",
            Self::NotInstalled => "NotInstalled",
            Self::NotFound => "NotFound",
            Self::Timeout => "Timeout",
            Self::Desynced => "Desynced",
            Self::Throttled => "Throttled",
            Self::Undecodable => "Undecodable",
            Self::Connection => "Connection",
            Self::Ended => "Ended",
            Self::Election => "InvalidElection",
            Self::NotLeading => "NotLeading",
            Self::Panic => "Panic",
            Self::Other => "Other",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("reason", &self.0.reason).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.of_kind {
            // It says itself what that one says.
            Some((_, error)) => error.source(),
            None => self.0.source.as_deref().map(|source| source as _),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W7
    #[test]
    fn an_undecodable_object_is_named_and_never_quoted() {
        let cause = serde_json::from_str::<u32>("\"hunter2\"").unwrap_err();
        assert!(cause.to_string().contains("hunter2"), "the leak this guards against");

        let error = Error::undecodable("default", "db", &cause);
        assert_eq!(
            error.to_string(),
            "object default/db can't be decoded: a field has an unexpected type or value at line 1 column 9"
        );
        assert_eq!(error.object(), Some(("default", "db")));

        let from_kube = Error::from(kube::Error::SerdeError(cause));
        assert!(!format!("{from_kube:?} {from_kube}").contains("hunter2"));
        assert!(from_kube.is_undecodable());
    }
}
