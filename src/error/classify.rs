//! What failures elsewhere are here.

use kube::runtime::watcher;

use super::{Error, PathError, Reason};

impl Error {
    /// The failure that the API server reported with this HTTP status.
    ///
    /// `what` names the request, as in `list v1/pods`.
    pub(crate) fn from_status(what: &str, code: u16, reason: &str, message: &str) -> Self {
        let own = match (code, reason) {
            (401, _) => Reason::Unauthorized,
            (403, _) => Reason::Forbidden,
            (404, _) => Reason::NotInstalled,
            (410, _) | (_, "Expired" | "Gone") => Reason::Desynced,
            (429, _) => Reason::Throttled,
            (504, _) => Reason::Timeout,
            _ => Reason::Other,
        };
        let reason = if reason.is_empty() { String::new() } else { format!(" {reason}") };
        Self::new(own, format!("{what}: {message} ({code}{reason})"))
            .modify(|inner| inner.status = Some(code))
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::new(Reason::Path, error.to_string()).modify(|inner| inner.path = Some(error))
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        from_client("request failed", error)
    }
}

impl From<watcher::Error> for Error {
    fn from(error: watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(cause) => from_client("list failed", cause),
            watcher::Error::WatchStartFailed(cause) => from_client("watch failed to start", cause),
            watcher::Error::WatchFailed(cause) => from_client("watch failed", cause),
            watcher::Error::WatchError(status) => {
                Self::from_status("watch", status.code, &status.reason, &status.message)
            }
            watcher::Error::NoResourceVersion => Self::new(
                Reason::Other,
                "no metadata.resourceVersion in the answer; the resource may not support watch",
            ),
        }
    }
}

/// Classifies an error of kube's client.
pub(crate) fn from_client(what: &str, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => {
            Error::from_status(what, status.code, &status.reason, &status.message)
        }
        // Neither text nor source: kube puts the value that it stumbled over into both.
        kube::Error::SerdeError(cause) => Error::new(
            Reason::Undecodable,
            format!("{what}: the answer can't be decoded: {}", describe_json(&cause)),
        ),
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            Error::with_source(
                Reason::Connection,
                format!("{what}: connection to the API server"),
                error,
            )
        }
        other => Error::with_source(Reason::Other, what, other),
    }
}

/// What is wrong with some JSON and where, without quoting any of it.
pub(super) fn describe_json(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io => "reading failed",
        Category::Syntax => "not valid JSON",
        Category::Data => "a field has an unexpected type or value",
        Category::Eof => "the JSON ends too early",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_reasons() {
        for (code, reason) in [
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "NotInstalled"),
            (410, "Desynced"),
            (429, "Throttled"),
            (500, "Other"),
            (504, "Timeout"),
        ] {
            assert_eq!(Error::from_status("list", code, "", "").reason(), reason);
        }
    }
}
