//! Conversion of failures of the API server, of kube and of serde to errors.

use kube::{core::Status, runtime::watcher};

use super::{Error, ErrorKind, LONGEST, PathError};
use crate::{namespaced_name::NamespacedName, printed::printed};

impl Error {
    /// Returns the error for a failure that the API server reported with this HTTP status.
    ///
    /// `what` names the request, as in `list v1/pods`.
    pub(crate) fn from_status(what: &str, code: u16, reason: &str, message: &str) -> Self {
        let own = match (code, reason) {
            (401, _) => ErrorKind::Unauthorized,
            (403, _) => ErrorKind::Forbidden,
            (404, _) => ErrorKind::NotInstalled,
            (410, _) | (_, "Expired" | "Gone") => ErrorKind::Desynced,
            (429, _) => ErrorKind::Throttled,
            (504, _) => ErrorKind::Timeout,
            _ => ErrorKind::Other,
        };
        let reason = if REASONS.contains(&reason) { reason } else { "" };
        let answer = format!("{code} {reason}");
        let answer = answer.trim_end();
        let room = LONGEST.saturating_sub(what.chars().count() + ":  ()".len() + answer.len());
        let said = match &*printed(message.trim(), room) {
            "" => format!("HTTP status {answer}"),
            message => format!("{message} ({answer})"),
        };
        Self::new(own, format!("{what}: {said}"))
            .modify(|inner| inner.status = Some(code).filter(|code| *code > 0))
    }

    /// Returns the error for a failure that the API server reported as a `Status`.
    pub(crate) fn reported(what: &str, code: u16, status: &Status) -> Self {
        if code == 0 {
            // kube's client returns this for an object that it can't decode; the `message` may be a
            // field of the object.
            return Self::new(
                ErrorKind::Undecodable,
                format!("{what}: an object can't be decoded"),
            );
        }
        // If the body is not a `Status`, kube puts the body into the message.
        let is_body = status.reason == "Failed to parse error data";
        let message = if is_body { "" } else { &*status.message };
        let error = Self::from_status(what, code, &status.reason, message);
        // For a resource that the API server doesn't serve, the status names no object.
        let is_named = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        match code {
            404 if is_named => error.modify(|inner| inner.reason = ErrorKind::NotFound),
            _ => error,
        }
    }

    /// Makes the error for an object that can't be decoded; the message has the object's name.
    ///
    /// serde's message is omitted on purpose: it quotes the offending value.
    pub(crate) fn undecodable(namespace: &str, name: &str, cause: &serde_json::Error) -> Self {
        let object = NamespacedName(namespace, name);
        let message = format!("object {object} can't be decoded: {}", describe_json(cause));
        Self::new(ErrorKind::Undecodable, message)
            .modify(|inner| inner.object = Some((namespace.to_owned(), name.to_owned())))
    }

    /// Makes the error for an object that can't be decoded and whose identity can't be read.
    pub(crate) fn undecodable_nameless(resource: &str, cause: &serde_json::Error) -> Self {
        let why = describe_json(cause);
        let message =
            format!("an object of {resource} that has no readable name can't be decoded: {why}");
        Self::new(ErrorKind::Undecodable, message)
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        let reason = if error.is_selector() { ErrorKind::Selector } else { ErrorKind::Path };
        Self::new(reason, error.to_string()).modify(|inner| inner.path = Some(error))
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
            watcher::Error::WatchError(status) => Self::reported("watch", status.code, &status),
            watcher::Error::NoResourceVersion => Self::new(
                ErrorKind::Other,
                "no metadata.resourceVersion in the answer; the resource may not support watch",
            ),
        }
    }
}

/// Classifies an error of kube's client.
pub(crate) fn from_client(what: &str, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => Error::reported(what, status.code, &status),
        // No text and no source of kube's error: both contain the value that failed to decode.
        kube::Error::SerdeError(cause) => Error::new(
            ErrorKind::Undecodable,
            format!("{what}: the answer can't be decoded: {}", describe_json(&cause)),
        ),
        kube::Error::FromUtf8(_) => {
            Error::new(ErrorKind::Undecodable, format!("{what}: the answer is not UTF-8"))
        }
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            Error::with_source(
                ErrorKind::Connection,
                format!("{what}: connection to the API server"),
                error,
            )
        }
        other => Error::with_source(ErrorKind::Other, what, other),
    }
}

/// The [reasons](https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason) that an API
/// server gives. Other words are not trusted: they may be anything.
const REASONS: [&str; 20] = [
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Gone",
    "Invalid",
    "ServerTimeout",
    "StoreReadError",
    "Timeout",
    "TooManyRequests",
    "BadRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestEntityTooLarge",
    "UnsupportedMediaType",
    "InternalError",
    "Expired",
    "ServiceUnavailable",
    "ResourceVersionTooLarge",
];

/// Describes an error in JSON and its position, without quoting the JSON.
fn describe_json(error: &serde_json::Error) -> String {
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
    use crate::{
        filter::{FieldSelector, LabelSelector},
        path::FieldPath,
    };

    /// SEMANTICS: W7
    #[test]
    fn bytes_that_are_no_text_are_not_quoted() {
        let cause = String::from_utf8(b"hunter2\xff".to_vec()).unwrap_err();
        let error = Error::from(kube::Error::FromUtf8(cause));
        assert!(error.is_undecodable());
        // The debug form of the bytes of the text.
        assert!(!format!("{error:?} {error}").contains("104, 117, 110"));
    }

    /// SEMANTICS: W7
    #[test]
    fn an_object_that_is_taken_for_a_status_is_not_quoted() {
        let event = r#"{"metadata":{"name":"a"},"message":"hunter2"}"#;
        let status: Status = serde_json::from_str(event).unwrap();
        let error = Error::from(watcher::Error::WatchError(status.into()));
        assert!(error.is_undecodable());
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }

    #[test]
    fn a_missing_object_is_distinguished_from_a_missing_resource() {
        let status = |details: &str| -> Error {
            let status =
                format!(r#"{{"code":404,"reason":"NotFound","message":"","details":{details}}}"#);
            let status: Status = serde_json::from_str(&status).unwrap();
            kube::Error::Api(status.into()).into()
        };
        let missing = status(r#"{"name":"settings","kind":"configmaps"}"#);
        assert!(missing.is_not_found() && !missing.is_refusal());
        assert!(status("{}").is_not_installed());
    }

    /// SEMANTICS: W1
    #[test]
    fn a_wrong_selector_is_distinguished_from_a_wrong_path() {
        let bad = [
            Error::from(FieldSelector::parse("spec.type=A,spec.").unwrap_err()),
            Error::from(LabelSelector::parse("app in a").unwrap_err()),
        ];
        for error in bad {
            assert!(error.is_selector() && !error.is_path(), "{error:?}");
            assert!(error.path().is_some());
        }
        assert!(Error::from(FieldPath::parse("spec.").unwrap_err()).is_path());
    }

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
