//! The `Status` that an API server answers a failure with.

use std::time::Duration;

use serde_json::Value;

use crate::error::Error;

/// The parts of a [`Status`](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)
/// that a watch goes by. Each is read on its own, so that one odd field hides no other.
#[derive(Debug, Default)]
pub(super) struct Status {
    code: Option<u16>,
    reason: String,
    message: String,
    retry_after: Option<Duration>,
    names_object: bool,
}

impl Status {
    /// Reads the JSON of a `Status`. Anything else, such as the page of a proxy, has no part of it.
    pub(super) fn read(json: &[u8]) -> Self {
        let found = serde_json::from_slice(json).unwrap_or(Value::Null);
        Self::of(&found)
    }

    pub(super) fn of(found: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let details = &found["details"];
        Self {
            code: found["code"].as_u64().and_then(|code| u16::try_from(code).ok()),
            reason: text(&found["reason"]),
            // The message of anything else may be a secret.
            message: if found["kind"] == "Status" {
                text(&found["message"])
            } else {
                String::new()
            },
            retry_after: details["retryAfterSeconds"].as_u64().map(Duration::from_secs),
            names_object: details["name"].as_str().is_some_and(|name| !name.is_empty()),
        }
    }

    /// Returns the error that the request named by `what` ended with; `code` is the HTTP status, if
    /// the answer as a whole is the failure.
    pub(super) fn into_error(self, what: &str, code: Option<u16>) -> Error {
        let code = code.or(self.code).unwrap_or_default();
        let error = Error::from_status(what, code, &self.reason, &self.message);
        // The status of a resource that is not served names no object.
        let error =
            if code == 404 && self.names_object { error.of_missing_object() } else { error };
        error.with_retry_after(self.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W13
    #[test]
    fn one_odd_field_hides_no_other() {
        for text in [
            r#"{"kind":"Status","status":"Failure","message":null,"reason":"Expired","code":410}"#,
            r#"{"reason":"Expired","code":410,"details":{"causes":null,"retryAfterSeconds":-1}}"#,
            r#"{"reason":"Expired","message":7,"details":[]}"#,
            r#"{"code":410}"#,
        ] {
            let error = Status::read(text.as_bytes()).into_error("watch v1/pods", None);
            assert!(error.is_desynced(), "{text}: {error}");
        }
    }

    /// SEMANTICS: W18
    #[test]
    fn details_ask_for_a_wait_as_the_header_does() {
        let text = br#"{"code":429,"reason":"TooManyRequests","details":{"retryAfterSeconds":7}}"#;
        let error = Status::read(text).into_error("list v1/pods", Some(429));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }

    /// SEMANTICS: B4
    #[test]
    fn a_body_that_is_no_status_is_not_quoted() {
        for body in [&br#"{"data":{"password":"hunter2"}}"#[..], b"hunter2\n", b"\xff"] {
            let error = Status::read(body).into_error("list v1/secrets", Some(500));
            assert_eq!(error.to_string(), "list v1/secrets: HTTP status 500");
        }
    }

    #[test]
    fn failures_say_what_the_server_said() {
        let read = |text: &str, code| Status::read(text.as_bytes()).into_error("get v1/pods", code);
        let body = r#"{"kind":"Status","status":"Failure","message":"pods is forbidden","reason":"Forbidden","code":403}"#;
        let error = read(body, Some(403));
        assert!(error.is_forbidden());
        assert_eq!(error.to_string(), "get v1/pods: pods is forbidden (403 Forbidden)");
        let body = r#"{"kind":"Status","status":"Failure","message":"pods \"a\" not found","reason":"NotFound","details":{"name":"a","kind":"pods"},"code":404}"#;
        assert!(read(body, Some(404)).is_not_found());
        let body = r#"{"kind":"Status","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}"#;
        assert!(read(body, Some(404)).is_not_installed());
        assert!(read("404 page not found\n", Some(404)).is_not_installed());
    }
}
