//! The kinds of errors.

use std::fmt;

/// The kind of an [`Error`](crate::Error), from [`Error::kind`](crate::Error::kind).
///
/// Each kind except [`Other`](ErrorKind::Other) has a predicate on the error, whose documentation says
/// who has to act. More kinds may be added.
///
/// ```
/// use kube_weir::{ErrorKind, Gvr};
///
/// let error = Gvr::parse("pods").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Resource);
/// assert!(error.is_resource());
/// assert_eq!(error.kind().to_string(), "InvalidResource");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A path was rejected: [`is_path`](crate::Error::is_path).
    Path,
    /// A selector was rejected: [`is_selector`](crate::Error::is_selector).
    Selector,
    /// A resource name was rejected, or a world has no kind of that name: [`is_resource`](crate::Error::is_resource).
    Resource,
    /// A namespace is unknown or has no valid name: [`is_namespace`](crate::Error::is_namespace).
    Namespace,
    /// A setting in a configuration was rejected: [`is_setting`](crate::Error::is_setting).
    Setting,
    /// A lookup in an index was wrong: [`is_index`](crate::Error::is_index).
    Index,
    /// There is more than one object where one was asked for: [`is_ambiguous`](crate::Error::is_ambiguous).
    Ambiguous,
    /// The API server denied access (403): [`is_forbidden`](crate::Error::is_forbidden).
    Forbidden,
    /// The API server doesn't accept the credentials (401):
    /// [`is_unauthorized`](crate::Error::is_unauthorized).
    Unauthorized,
    /// The API server doesn't serve the resource (404): [`is_not_installed`](crate::Error::is_not_installed).
    NotInstalled,
    /// The API server can't watch the resource (405): [`is_not_watchable`](crate::Error::is_not_watchable).
    NotWatchable,
    /// The API server has no such object (404): [`is_not_found`](crate::Error::is_not_found).
    NotFound,
    /// A request or a wait took too long: [`is_timeout`](crate::Error::is_timeout).
    Timeout,
    /// The API server has forgotten the version (410): [`is_desynced`](crate::Error::is_desynced).
    Desynced,
    /// The API server asked to slow down (429): [`is_throttled`](crate::Error::is_throttled).
    Throttled,
    /// An object or an answer can't be decoded: [`is_undecodable`](crate::Error::is_undecodable).
    Undecodable,
    /// An object has too many keys in an index: [`is_too_many_keys`](crate::Error::is_too_many_keys).
    TooManyKeys,
    /// There is no connection, or the connection broke: [`is_connection`](crate::Error::is_connection).
    Connection,
    /// A stream ended, so the awaited event never comes: [`is_ended`](crate::Error::is_ended).
    Ended,
    /// The settings of an election are invalid: [`is_election`](crate::Error::is_election).
    Election,
    /// The term is over: [`is_not_leading`](crate::Error::is_not_leading).
    NotLeading,
    /// Code that a stream runs has panicked: [`is_panic`](crate::Error::is_panic).
    Panic,
    /// Any other failure, such as an answer of 500. A watch retries by itself.
    Other,
}

impl ErrorKind {
    /// Returns the kind as one word for logs, metrics and scripts.
    ///
    /// The word is the name of the kind, except for invalid input: `"InvalidPath"`, `"InvalidSelector"`,
    /// `"InvalidResource"`, `"InvalidNamespace"`, `"InvalidSetting"`, `"InvalidElection"`, and
    /// `"InvalidLookup"` for [`Index`](ErrorKind::Index).
    ///
    /// ```
    /// use kube_weir::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::Forbidden.as_str(), "Forbidden");
    /// assert_eq!(ErrorKind::Index.as_str(), "InvalidLookup");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "InvalidPath",
            Self::Selector => "InvalidSelector",
            Self::Resource => "InvalidResource",
            Self::Namespace => "InvalidNamespace",
            Self::Setting => "InvalidSetting",
            Self::Index => "InvalidLookup",
            Self::Ambiguous => "Ambiguous",
            Self::Forbidden => "Forbidden",
            Self::Unauthorized => "Unauthorized",
            Self::NotInstalled => "NotInstalled",
            Self::NotWatchable => "NotWatchable",
            Self::NotFound => "NotFound",
            Self::Timeout => "Timeout",
            Self::Desynced => "Desynced",
            Self::Throttled => "Throttled",
            Self::Undecodable => "Undecodable",
            Self::TooManyKeys => "TooManyKeys",
            Self::Connection => "Connection",
            Self::Ended => "Ended",
            Self::Election => "InvalidElection",
            Self::NotLeading => "NotLeading",
            Self::Panic => "Panic",
            Self::Other => "Other",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
