//! Conformance runs: a server with scripted failures, and a stream that watches it.

use std::time::Duration;

use futures::Stream;
use kube::{Client, runtime::reflector::Lookup};
use serde_json::{Value, json};

use self::runner::Runner;
pub use self::runner::Summary;
use crate::{
    adapters::ChangeItem,
    testing::{
        ApiServer,
        conformance::{Chapter, Violation},
    },
};

mod faults;
mod runner;

/// Runs the default [`Life`] on a server: `ConfigMap`s in two namespaces, and every
/// [`Chapter`]. See [`Life::run`].
///
/// # Errors
///
/// The first [`Rule`](super::Rule) that the stream breaks.
///
/// # Panics
///
/// If the server has no `ConfigMap`s; every [new](ApiServer::new) server has them.
///
/// # Cancel safety
///
/// Dropping the future leaves the server in its current state, with pending faults.
///
/// # Examples
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{prelude::*, testing::{ApiServer, conformance}};
///
/// # kube_weir::testing::fixture::run(async {
/// conformance::run(&ApiServer::new(), |client| {
///     let configs = watch(Api::<ConfigMap>::all(client));
///     configs.streaming_list(true).index(()).debounce(Duration::from_millis(500))
/// })
/// .await?;
/// # Ok(()) });
/// ```
pub async fn run<S, K>(
    server: &ApiServer,
    pipeline: impl FnOnce(Client) -> S,
) -> Result<Summary, Violation>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Lookup,
{
    Life::new().run(server, pipeline).await
}

/// A conformance run: the events and failures of a server while a stream watches it.
///
/// ```
/// use kube_weir::{testing::{ApiServer, conformance::{Chapter, Life}}, watch_resource};
/// use serde_json::json;
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let nodes = watch_resource(server.client(), "v1/nodes")?;
/// Life::new()
///     .object(json!({"apiVersion": "v1", "kind": "Node"}))
///     .without(Chapter::Silence)
///     .run(&server, |_| nodes.index(()))
///     .await?;
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Life {
    object: Value,
    without: Vec<Chapter>,
    patience: Duration,
}

impl Life {
    /// Returns a run with `ConfigMap`s in two namespaces, and every [`Chapter`]: [example](Chapter).
    pub fn new() -> Self {
        Self {
            object: json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            without: Vec::new(),
            patience: Duration::from_secs(600),
        }
    }

    /// Sets the template of the objects; names and namespaces are added. It must have `apiVersion` and
    /// `kind`. Default: an empty `ConfigMap`. [Example](Life).
    pub fn object(mut self, object: Value) -> Self {
        self.object = object;
        self
    }

    /// Leaves out a chapter, also in [`Chapter::Storm`]. Default: none. [Example](Life).
    pub fn without(mut self, chapter: Chapter) -> Self {
        self.without.push(chapter);
        self
    }

    /// Sets how long after a failure the stream may take to show the server's state. Default: 10
    /// minutes, which is enough for a watch to detect that its server is silent.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::prelude::*;
    /// use kube_weir::testing::{ApiServer, conformance::{Life, Rule}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let violation = Life::new()
    ///     .patience(Duration::from_secs(5))
    ///     .run(&ApiServer::new(), |client| {
    ///         // Its debounce alone takes more.
    ///         watch(Api::<ConfigMap>::all(client)).index(()).debounce(Duration::from_secs(60))
    ///     })
    ///     .await
    ///     .unwrap_err();
    /// assert_eq!(violation.rule(), Rule::CatchesUp);
    /// # Ok(()) });
    /// ```
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs this on a server. Checks every item of the stream, and after each
    /// chapter that the stream shows the server's state.
    ///
    /// The stream must have all objects of the kind in all namespaces. Nothing else may write these objects
    /// or script faults meanwhile; existing objects are part of the load. In a test
    /// with a paused clock (`start_paused`) the run takes no time.
    ///
    /// # Errors
    ///
    /// The first [`Rule`](super::Rule) that the stream breaks.
    ///
    /// # Panics
    ///
    /// If the server has no such kind, or refuses the object.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the server in its current state, with pending faults.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::Api;
    /// use kube::runtime::{WatchStreamExt, watcher};
    /// use kube_weir::EventStreamExt;
    /// use kube_weir::testing::{ApiServer, conformance::{Chapter, Life}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// // kube's own watcher never completes a list with an object that can't be decoded.
    /// let life = Life::new().without(Chapter::Undecodable);
    /// life.run(&ApiServer::new(), |client| {
    ///     let configs = Api::<ConfigMap>::all(client);
    ///     watcher(configs, watcher::Config::default()).default_backoff().index(())
    /// })
    /// .await?;
    /// # Ok(()) });
    /// ```
    pub async fn run<S, K>(
        self,
        server: &ApiServer,
        pipeline: impl FnOnce(Client) -> S,
    ) -> Result<Summary, Violation>
    where
        S: Stream<Item: ChangeItem<Object = K>>,
        K: Lookup,
    {
        let chapters = Chapter::ALL.into_iter().filter(|one| !self.without.contains(one));
        let chapters: Vec<_> = chapters.collect();
        let mut runner = Runner::begin(self.object, self.patience, server, pipeline);
        runner.load(&chapters).await.map_err(|broken| broken.during(Chapter::Load))?;
        for chapter in &chapters {
            runner
                .run_chapter(*chapter, &chapters)
                .await
                .map_err(|broken| broken.during(*chapter))?;
        }
        runner.finish()
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}
