//! Errors of the server's handle.

use kube::core::Status;

/// An error of a method of the [`ApiServer`](crate::testing::ApiServer).
///
/// Not to be confused with [`kube_weir::Error`](crate::Error): this error is about the script of a
/// test, and mostly a mistake in it.
///
/// ```
/// use kube_weir::testing::ApiServer;
/// use serde_json::json;
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// assert!(server.objects("widgets").unwrap_err().is_unknown_resource());
/// assert!(server.delete("pods", "default", "web").unwrap_err().is_not_found());
///
/// let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "No Name"}});
/// let error = server.apply(&pod).unwrap_err();
/// assert!(error.is_invalid());
/// assert_eq!(error.status().unwrap().code, 422);
/// # Ok(()) });
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    what: &'static str,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Serialize(serde_json::Error),
    #[error("{0}")]
    UnknownResource(String),
    #[error(transparent)]
    Refused(Box<Status>),
}

impl Error {
    /// Returns whether the resource, or the kind of the object, is not installed: [example](Error).
    pub fn is_unknown_resource(&self) -> bool {
        matches!(self.cause, Cause::UnknownResource(_))
    }

    /// Returns whether the object does not exist: [example](Error).
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    /// Returns whether the object breaks a rule of the server, for instance has no valid name.
    /// [Example](Error).
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(Status::is_invalid)
    }

    /// Returns the `Status` with which the server would have refused a client, if any:
    /// [example](Error).
    pub fn status(&self) -> Option<&Status> {
        match &self.cause {
            Cause::Refused(status) => Some(status),
            Cause::Serialize(_) | Cause::UnknownResource(_) => None,
        }
    }

    pub(super) fn serialize(error: serde_json::Error) -> Self {
        Self { what: "the object can't be written as JSON", cause: Cause::Serialize(error) }
    }

    pub(super) fn unknown_resource(name: &str) -> Self {
        Self {
            what: "no such resource is installed",
            cause: Cause::UnknownResource(name.to_owned()),
        }
    }
}

impl From<Box<Status>> for Error {
    fn from(status: Box<Status>) -> Self {
        Self { what: "the server refuses it", cause: Cause::Refused(status) }
    }
}
