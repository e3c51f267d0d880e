//! A store's changes, for one more consumer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::reflector::Lookup;
use tokio_stream::wrappers::WatchStream;

use super::{Store, SyncState};
use crate::{
    change::{Batch, Change},
    error::{Error, poll_caught},
    snapshot::Snapshot,
};

/// The stream of [`Store::changes`].
///
/// It compares snapshots when it is polled, and keeps nothing but the last one it delivered: a
/// consumer that lags is never in anybody's way, and gets the net change when it comes back.
///
/// Errors are left to the pipeline's own stream: this one has none, and ends when that one ended.
///
/// ```
/// use kube_weir::{prelude::*, testing::Events};
/// use tokio::time::sleep;
///
/// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
/// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let second = Duration::from_secs(1);
/// let events = Events::listed([config("a", 1)])
///     .wait(second)
///     .apply(config("a", 2))
///     .wait(second)
///     .apply(config("a", 3))
///     .stay_open();
/// let configs = events.index(());
/// let mut changes = configs.store().changes().log_errors();
/// let driving = configs.spawn();
/// changes.first_synced().await?;
///
/// sleep(5 * second).await; // at work
/// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
/// assert_eq!(batch.stats().total(), 1);
/// assert_eq!(batch.deltas()[0].object().metadata.resource_version.as_deref(), Some("3"));
/// # Ok(()) }
/// ```
#[doc(alias("ResourceEventHandler", "event handler", "handler"))]
#[must_use = "streams do nothing unless polled"]
pub struct Changes<K> {
    store: Store<K>,
    status: WatchStream<SyncState>,
    last: Option<Snapshot<K>>,
    ended: bool,
}

impl<K> Store<K> {
    /// A stream of this store's changes for one more consumer: `Synced` with the current state
    /// first, then exactly what follows.
    ///
    /// Any number of consumers may come at any time, each with a
    /// [`debounce`](crate::EventStreamExt::debounce) of its own. None of them drives the watch:
    /// that does who polls the stream that the store came from, or its
    /// [`spawn`](crate::EventStreamExt::spawn)ed task. So none can stop the watch, or each other.
    ///
    /// A consumer that lags gets the net change when it comes back. It holds no queue: what it
    /// costs is the old versions of the objects that changed meanwhile, one an object, and shared
    /// with others that lag as far.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::Events};
    /// use tokio::time::sleep;
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let second = Duration::from_secs(1);
    /// let events = Events::listed([config("a", 1)]).apply(config("b", 2)).wait(2 * second);
    /// let configs = events.delete(config("a", 3)).index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    ///
    /// sleep(second).await; // so it comes late
    /// let changes: Vec<_> = store.changes().log_errors().collect().await;
    /// let [Change::Synced(all), Change::Live(batch)] = &changes[..] else { panic!() };
    /// assert_eq!((all.len(), batch.stats().deleted), (2, 1));
    /// # Ok(()) }
    /// ```
    #[doc(alias("AddEventHandler", "event handler", "subscribe", "reflect_shared"))]
    pub fn changes(&self) -> Changes<K>
    where
        K: Lookup + Send + Sync + 'static,
    {
        let status = WatchStream::new(self.subscribe());
        Changes { store: self.clone(), status, last: None, ended: false }
    }
}

impl<K> Changes<K> {
    /// The store that the changes are of.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }
}

impl<K: Lookup> Changes<K> {
    fn news(&mut self) -> Option<Change<K>> {
        if !self.store.is_synced() {
            return None;
        }
        let snapshot = self.store.snapshot();
        let previous = self.last.replace(snapshot.clone());
        match previous {
            None => Some(Change::Synced(snapshot)),
            Some(previous) => Batch::between(&previous, &snapshot).map(Change::Live),
        }
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Change<K>, Error>>> {
        while !self.ended {
            self.ended = ready!(Pin::new(&mut self.status).poll_next(cx)).is_none();
            // Also after the end: what was published last may not have been delivered yet.
            if let Some(change) = self.news() {
                return Poll::Ready(Some(Ok(change)));
            }
        }
        Poll::Ready(None)
    }
}

impl<K: Lookup> Stream for Changes<K> {
    type Item = Result<Change<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = |mut stream: Pin<&mut Self>| stream.poll_news(cx);
        poll_caught(self, poll, |mut stream, _| {
            stream.ended = true;
            stream.last = None;
        })
    }
}

impl<K: Lookup> FusedStream for Changes<K> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<K> std::fmt::Debug for Changes<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("store", &self.store).finish_non_exhaustive()
    }
}
