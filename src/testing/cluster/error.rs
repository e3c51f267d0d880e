//! The error of all methods of a cluster.

use std::{error::Error as StdError, fmt, io};

use kube::core::Status;

/// Failure to start a [`Cluster`](super::Cluster), or of a method of it.
///
/// [`Display`](fmt::Display) is one line. [`Debug`], which `unwrap` and a test that returns the
/// error print, adds the causes and the end of both logs.
///
/// ```no_run
/// # // Without the two programs a cluster does not start.
/// use kube_weir::testing::cluster::Cluster;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = match Cluster::start().await {
///     Err(error) if error.is_missing() => return Ok(()), // not on this machine
///     started => started?,
/// };
/// # drop(cluster);
/// # Ok(()) }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    message: String,
    kind: Kind,
    log: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    Start,
    Timeout,
    Other,
}

impl Error {
    /// Returns whether `kube-apiserver` or `etcd` was not found.
    pub fn is_missing(&self) -> bool {
        self.0.kind == Kind::Missing
    }

    /// Returns whether a program could not be started, or ended before it was ready.
    pub fn is_start(&self) -> bool {
        self.0.kind == Kind::Start
    }

    /// Returns whether something did not happen in time: a program was not ready, a request had
    /// no answer, a new kind was not served, or new rights had no effect.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// Returns the `Status` with which the API server refused a request.
    pub fn status(&self) -> Option<&Status> {
        match self.0.source.as_ref()?.downcast_ref()? {
            kube::Error::Api(status) => Some(status),
            _ => None,
        }
    }

    /// Returns the last lines of both logs, if a program did not start.
    pub fn log(&self) -> Option<&str> {
        self.0.log.as_deref()
    }

    pub(super) fn missing(message: String) -> Self {
        Self::new(Kind::Missing, message)
    }

    pub(super) fn start(message: String) -> Self {
        Self::new(Kind::Start, message)
    }

    pub(super) fn timeout(message: String) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub(super) fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message.into())
    }

    /// Returns a function for `map_err` that puts `message` before the cause.
    pub(super) fn io(message: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::other(message).caused_by(cause)
    }

    pub(super) fn client(message: impl Into<String>, cause: kube::Error) -> Self {
        match cause {
            kube::Error::TlsRequired => Self::other(
                "kube's client was built without TLS: enable kube's features `rustls-tls` and `ring`",
            ),
            cause => Self::other(message).caused_by(cause),
        }
    }

    pub(super) fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    pub(super) fn with_log(mut self, log: String) -> Self {
        self.0.log = Some(log);
        self
    }

    fn new(kind: Kind, message: String) -> Self {
        Self(Box::new(Inner { message, kind, log: None, source: None }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        self.log().map_or(Ok(()), |log| write!(f, "\n{log}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_causes_and_logs() {
        let cause = io::Error::other("no space");
        let error = Error::io("cannot copy")(cause).with_log("etcd.log:\nlast line".into());
        assert_eq!(error.to_string(), "cannot copy");
        assert_eq!(format!("{error:?}"), "cannot copy: no space\netcd.log:\nlast line");
        assert!(error.status().is_none() && !error.is_start());
    }

    #[test]
    fn refusals_keep_their_status() {
        let status = Status::failure("no", "Forbidden").with_code(403);
        let error = Error::client("a request failed", kube::Error::Api(status.boxed()));
        assert_eq!(error.status().unwrap().code, 403);
        let error = Error::client("a request failed", kube::Error::TlsRequired);
        assert!(error.to_string().contains("rustls-tls"), "{error}");
    }
}
