//! Scripted faults, and the log of requests.

use crate::testing::server::{api_server::ApiServer, fault::Fault, on::On};

impl ApiServer {
    /// Adds a fault for the next `times` requests that match. With [`usize::MAX`] the fault lasts. Faults
    /// apply in the order in which they were added; a request gets at most one fault.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 2, Fault::status(503));
    /// server.fault(On::verb(Verb::Watch).resource("pods"), 1, Fault::Disconnect { after_events: 3 });
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// for _ in 0..2 {
    ///     assert!(pods.list(&Default::default()).await.is_err());
    /// }
    /// assert!(pods.list(&Default::default()).await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn fault(&self, on: impl Into<On>, times: usize, fault: Fault) {
        self.state().script.add(on.into(), times, fault);
    }

    /// Removes every fault that has not happened yet. A running fault, such as
    /// [`Stall`](Fault::Stall), is not ended.
    ///
    /// ```
    /// use kube_weir::testing::{ApiServer, Fault, On};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(On::any(), 1000, Fault::Refused);
    /// assert!(server.client().apiserver_version().await.is_err());
    /// server.clear_faults();
    /// assert!(server.client().apiserver_version().await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn clear_faults(&self) {
        self.state().script.clear();
    }

    /// Returns the requests so far, oldest first, as `GET /api/v1/pods?limit=500`; the last 10,000 are
    /// kept. Requests with a fault are included; calls of the handle are not.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.client().apiserver_version().await?;
    /// assert_eq!(server.requests(), ["GET /version"]);
    /// # Ok(()) });
    /// ```
    pub fn requests(&self) -> Vec<String> {
        self.state().log.iter().cloned().collect()
    }

    /// Returns the requests so far and clears the log, so that a later step sees only its own requests.
    ///
    /// ```
    /// use kube_weir::testing::ApiServer;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.client().apiserver_version().await?;
    /// assert_eq!(server.take_requests().len(), 1);
    /// assert!(server.requests().is_empty());
    /// # Ok(()) });
    /// ```
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log).into()
    }

    /// Returns how many times scripted faults are still to happen.
    pub(in crate::testing) fn pending_faults(&self) -> usize {
        self.state().script.left()
    }
}
