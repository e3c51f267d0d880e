//! The kind of trouble with a connection, in one word.

use std::{error::Error as _, io};

use super::{Error, ErrorKind};

impl Error {
    /// Returns one word for the kind of trouble that a watch has, for logs: `"refused"`, `"tls"`,
    /// `"reset"`, `"timeout"` or `"connection"` if no answer came, else the [`reason`](Error::reason).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::Refused);
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(());
    /// assert_eq!(changes.next().await.unwrap().unwrap_err().trouble(), "refused");
    /// # Ok(()) });
    /// ```
    pub fn trouble(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Timeout => "timeout",
            ErrorKind::Connection => self.of_connection(),
            reason => reason.as_str(),
        }
    }

    fn of_connection(&self) -> &'static str {
        let mut cause = self.source();
        while let Some(error) = cause {
            if let Some(kind) = error.downcast_ref::<io::Error>().map(io::Error::kind) {
                match kind {
                    io::ErrorKind::ConnectionRefused => return "refused",
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof => return "reset",
                    io::ErrorKind::TimedOut => return "timeout",
                    // The errors of a TLS library are wrapped in this kind.
                    io::ErrorKind::InvalidData => return "tls",
                    _ => {}
                }
            }
            let text = error.to_string();
            if ["certificate", "handshake", "tls"].iter().any(|word| text.contains(word)) {
                return "tls";
            }
            cause = error.source();
        }
        "connection"
    }
}
