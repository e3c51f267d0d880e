//! Rules for every stream of changes, as checks for your own tests.
//!
//! [`Conformance`] checks every item of a stream, and returns the rule that it breaks. [`run`] does
//! this with your pipeline while an [`ApiServer`](crate::testing::ApiServer) goes through
//! everything that happens to a cluster: load, changes, disconnects, lost history, refusals, bad objects
//! and silence. After each of these the stream must show the server's state.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use kube_weir::{testing::{ApiServer, conformance}, watch};
//!
//! # kube_weir::testing::fixture::run(async {
//! let summary = conformance::run(&ApiServer::new(), |client| {
//!     watch(Api::<ConfigMap>::all(client)).index(())
//! })
//! .await?;
//! assert!(summary.errors > 0, "failures are items, and no end");
//! # Ok(()) });
//! ```

mod chapter;
mod checks;
mod index;
mod life;
mod version;
mod violation;

pub use self::{
    chapter::Chapter,
    checks::Conformance,
    life::{Life, Summary, run},
    violation::{Rule, Violation},
};
