//! Failures and their exit codes.

use std::{fmt, io, process::ExitCode};

use kube_weir::Error;

use crate::output::{cause, with_sources};

/// A failure that ends the program early.
pub(crate) enum Failure {
    /// The options can't be used.
    Usage(String),
    /// The resource can't be listed.
    Sync(String),
    /// The output can't be written, for instance because its reader has closed the pipe.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn sync(error: &Error) -> Self {
        // The cause of a timeout, if known, is more useful than the timeout.
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
        Self::Sync(format!("{}: {}", cause(source.unwrap_or(error)), with_sources(error)))
    }

    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => 2.into(),
            Self::Sync(_) => 3.into(),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Sync(message) => write!(f, "not synced: {message}"),
            Self::Output(error) => write!(f, "can't print: {error}"),
        }
    }
}

/// Converts errors of the setup; later errors are items.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
