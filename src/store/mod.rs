//! Reading a store, and waiting for it.

mod changes;
mod explain;
mod feedback;
mod status;
mod writer;

use std::{borrow::Cow, fmt, future::Future, sync::Arc};

use arc_swap::ArcSwap;
use kube::runtime::reflector::Lookup;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

pub use self::{changes::Changes, explain::Explain, status::SyncPolicy};
pub(crate) use self::{
    status::Status,
    writer::{Applied, Writer},
};
use crate::{
    clock::after,
    error::{Error, Reason},
    namespaced_name::{NamespacedName, owned_identity},
    resource_version::has_reached,
    snapshot::{Contents, Snapshot},
};

/// The reading side of a pipeline: lock-free, cheap to clone, usable from any task.
///
/// A store is filled by the stream it came from, and only while that stream is polled: nothing
/// runs behind your back. Waiting for [`synced`](Store::synced) in the task that should poll the
/// stream therefore waits for ever: [`spawn`](crate::EventStreamExt::spawn) the stream, or poll it
/// beside the wait with `select!`.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::Event;
/// use kube_weir::{EventStreamExt, IndexBy};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
/// let events = futures::stream::iter([Event::<ConfigMap>::Init, Event::InitDone]);
/// let pipeline = events.index(IndexBy::path("metadata.name")?);
/// let store = pipeline.store();
///
/// let driving = pipeline.spawn();
/// assert_eq!(store.synced().await?, 0);
/// assert!(store.snapshot().is_empty());
/// # driving.await }
/// ```
pub struct Store<K> {
    current: Arc<ArcSwap<Contents<K>>>,
    status: watch::Receiver<Status>,
}

impl<K> Store<K> {
    pub(crate) fn new(current: Arc<ArcSwap<Contents<K>>>, status: watch::Receiver<Status>) -> Self {
        Self { current, status }
    }

    /// What the writer says, from now on.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The state as of now. Before the sync it is empty, unless the pipeline is
    /// [`with_progress`](crate::adapters::Indexed::with_progress).
    pub fn snapshot(&self) -> Snapshot<K> {
        Snapshot(self.current.load_full())
    }

    /// An object as of now; `""` is the namespace of the cluster-scoped. For one look-up this is
    /// the fastest way; several that are to agree go to one [`snapshot`](Self::snapshot).
    ///
    /// ```
    /// use kube_weir::{IndexBy, prelude::*, testing::Events};
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let settings: ConfigMap = serde_json::from_value(
    ///     json!({ "metadata": { "namespace": "web", "name": "settings" } }),
    /// ).unwrap();
    /// let mut changes = Events::listed([settings]).index(IndexBy::path("data.level")?);
    /// let store = changes.store();
    /// changes.first_synced().await?;
    /// assert!(store.object("web", "settings").is_some());
    /// assert!(store.object("web", "other").is_none());
    /// # Ok(()) }
    /// ```
    pub fn object(&self, namespace: &str, name: &str) -> Option<Arc<K>>
    where
        K: Lookup,
    {
        self.current.load().object(namespace, name).cloned()
    }

    /// Whether everything that existed is in.
    pub fn is_synced(&self) -> bool {
        self.status.borrow().synced
    }

    /// Whether there are objects whose newest version could not be decoded.
    pub(crate) fn has_stale(&self) -> bool {
        !self.status.borrow().stale.is_empty()
    }

    /// Waits until everything that existed is in, and gives the number of objects.
    ///
    /// Any number of tasks may wait; a wait begun after the sync returns at once.
    ///
    /// # Errors
    ///
    /// The pipeline's [`SyncPolicy`] decides when a wait that leads nowhere ends. It ends with the
    /// cause: [`is_forbidden`](Error::is_forbidden), [`is_unauthorized`](Error::is_unauthorized) or
    /// [`is_not_installed`](Error::is_not_installed) if the API server refused, else
    /// [`is_timeout`](Error::is_timeout) with the last failure as source, and
    /// [`is_ended`](Error::is_ended) if the stream ended or was dropped. The stream itself goes on
    /// trying and recovers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn synced(&self) -> Result<usize, Error> {
        let mut status = self.status.clone();
        let mut progress = None;
        let mut deadline = Instant::now();
        loop {
            let policy = {
                let status = status.borrow_and_update();
                if status.synced {
                    return Ok(self.current.load().len());
                }
                if let Some(error) = status.last_error.as_ref().filter(|error| error.is_refusal())
                    && status.policy.fail_fast
                {
                    return Err(error.clone());
                }
                if progress != Some(status.events) {
                    progress = Some(status.events);
                    deadline = after(Instant::now(), status.policy.deadline);
                }
                status.policy
            };
            match timeout_at(deadline, status.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) if status.borrow().synced => return Ok(self.current.load().len()),
                Ok(Err(_)) => return Err(ended(&status.borrow(), "it was synced")),
                Err(_) => {
                    let message = format!("not synced, and no progress for {:?}", policy.deadline);
                    return Err(overdue(&status.borrow(), message));
                }
            }
        }
    }

    /// Waits until the store has seen a write: this object in the version it has, or a later one,
    /// or that it is gone.
    ///
    /// Give it what the API server answered, of whatever type, and read what you wrote:
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, prelude::*, testing::ApiServer, watch};
    /// # use kube::api::PostParams;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let api = Api::<ConfigMap>::namespaced(ApiServer::new().client(), "default");
    /// let configs = watch(api.clone()).index(IndexBy::path("metadata.namespace")?);
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// # let mut settings = ConfigMap::default();
    /// # settings.metadata.name = Some("settings".into());
    ///
    /// let written = api.create(&PostParams::default(), &settings).await?;
    /// let snapshot = store.wait_for(&written).await?;
    /// assert!(snapshot.object("default", "settings").is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// The snapshot it gives, and each that [`snapshot`](Store::snapshot) gives from then on,
    /// * has the object, with a `resourceVersion` that is not before the one waited for, or
    /// * is without it, and shows a moment not before that version: it was deleted meanwhile, or isn't
    ///   selected by the watch.
    ///
    /// The second needs to be known. [`watch`](crate::watch) knows how far it is from each list,
    /// event and bookmark, so an object that is gone counts as seen within a minute or so, the time
    /// between two bookmarks, and mostly at once. Any other stream of events shows that by the
    /// versions of its objects alone: after an object that is gone, another must come. A namespace
    /// that isn't watched is never known.
    ///
    /// `resourceVersion`s are compared as the numbers that they are
    /// ([KEP-5504](https://kep.k8s.io/5504)). Those of an API server that has others count as seen
    /// only while they are the same.
    ///
    /// # Errors
    ///
    /// After the deadline of the [`SyncPolicy`], 30 seconds unless set, it ends as
    /// [`synced`](Store::synced) does. To wait for less, use [`tokio::time::timeout`].
    /// [`is_ended`](Error::is_ended) if the stream ended or was dropped before. An object without a
    /// name or a `resourceVersion` can't be waited for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub fn wait_for<'s, O>(
        &'s self,
        object: &O,
    ) -> impl Future<Output = Result<Snapshot<K>, Error>> + use<'s, K, O>
    where
        K: Lookup,
        O: Lookup,
    {
        let (namespace, name) = owned_identity(object);
        let version = object.resource_version().map(Cow::into_owned).unwrap_or_default();
        async move { self.wait_for_version(&namespace, &name, &version).await }
    }

    /// As [`wait_for`](Store::wait_for), for an object of which only the identity and the
    /// `resourceVersion` are known. The namespace of a cluster-scoped object is `""`.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Store::wait_for).
    pub async fn wait_for_version(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<Snapshot<K>, Error>
    where
        K: Lookup,
    {
        if name.is_empty() || version.is_empty() {
            let message = "an object without a name or a resourceVersion can't be waited for";
            return Err(Error::new(Reason::Other, message));
        }
        let mut status = self.status.clone();
        let patience = status.borrow().policy.deadline;
        let deadline = after(Instant::now(), patience);
        loop {
            let is_past = {
                let status = status.borrow_and_update();
                let passed =
                    status.position.of(namespace).is_some_and(|own| has_reached(own, version));
                passed && !status.stale.contains(&(namespace.to_owned(), name.to_owned()))
            };
            // Later than what was told of it, or at the same time.
            let snapshot = self.snapshot();
            let is_seen = match snapshot.object(namespace, name) {
                Some(object) => {
                    object.resource_version().is_some_and(|own| has_reached(&own, version))
                }
                None => is_past,
            };
            if is_seen {
                return Ok(snapshot);
            }
            let what =
                || format!("{} at resourceVersion {version}", NamespacedName(namespace, name));
            match timeout_at(deadline, status.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ended(&status.borrow(), &format!("it had {}", what()))),
                Err(_) => {
                    let message = format!("{} was not seen for {patience:?}", what());
                    return Err(overdue(&status.borrow(), message));
                }
            }
        }
    }

    /// What the store is doing, for people and dashboards.
    pub fn explain(&self) -> Explain {
        let snapshot = self.current.load();
        // The writer waits for whoever borrows it.
        let status = self.status.borrow().clone();
        Explain {
            state: match (status.synced, status.listing, self.status.has_changed().is_err()) {
                (_, _, true) => "ended",
                (false, _, _) => "loading",
                (true, true, _) => "relisting",
                (true, false, _) => "synced",
            },
            resource_version: status.position.earliest().map(str::to_owned),
            objects: snapshot.len(),
            indexes: snapshot.indexes().collect(),
            stale: status
                .stale
                .iter()
                .map(|(namespace, name)| NamespacedName(namespace, name).to_string())
                .collect(),
            last_error: status.last_error.as_ref().map(ToString::to_string),
        }
    }
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), status: self.status.clone() }
    }
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.explain()).finish()
    }
}

fn ended(status: &Status, before: &str) -> Error {
    let message = format!("the stream that fills the store ended before {before}");
    match status.last_error.clone() {
        Some(error) => Error::with_source(Reason::Ended, message, error),
        None => Error::new(Reason::Ended, message),
    }
}

fn overdue(status: &Status, message: String) -> Error {
    match status.last_error.clone() {
        Some(error) if error.is_refusal() => error,
        Some(error) => Error::with_source(Reason::Timeout, message, error),
        None => Error::new(Reason::Timeout, message),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Node;

    use super::*;
    use crate::index::IndexBy;

    #[test]
    fn stale_objects_are_named_with_their_namespace_if_they_have_one() {
        let mut writer = Writer::<Node>::new(IndexBy::path("metadata.name").unwrap());
        let cause = serde_json::from_str::<u8>("").unwrap_err();
        for namespace in ["", "web"] {
            writer.failed(&Error::undecodable(namespace, "node-1", &cause));
        }
        assert_eq!(writer.store().explain().stale, ["node-1", "web/node-1"]);
    }
}
