//! The changes of a store, as a stream for an additional consumer.

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
/// The stream compares snapshots when it is polled, and keeps only the last one that it delivered. So a slow
/// consumer holds up nobody, and gets the net change at its next poll.
///
/// Errors are yielded only by the pipeline's own stream; this stream yields none, and ends with the pipeline.
///
/// ```
/// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
/// use tokio::time::sleep;
///
/// # kube_weir::testing::fixture::run(async {
/// let second = Duration::from_secs(1);
/// let events = Events::listed([config_map("a", 1)])
///     .wait(second)
///     .apply(config_map("a", 2))
///     .wait(second)
///     .apply(config_map("a", 3))
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
/// # Ok(()) });
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
    /// Returns a stream of this store's changes for an additional consumer: first `Synced` with the current
    /// state, then every change after it.
    ///
    /// Any number of consumers may subscribe at any time, each with its own
    /// [`debounce`](crate::EventStreamExt::debounce). None of them drives the watch: the task that polls the
    /// pipeline's own stream does, for instance a [`spawn`](crate::EventStreamExt::spawn)ed task. So no
    /// consumer can stop the watch or another consumer.
    ///
    /// A slow consumer gets the net change at its next poll. There is no queue: a slow consumer costs one old
    /// version of each object that changed meanwhile, shared with other consumers that lag as far.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    /// use tokio::time::sleep;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let second = Duration::from_secs(1);
    /// let events = Events::listed([config_map("a", 1)]).apply(config_map("b", 2)).wait(2 * second);
    /// let configs = events.delete(config_map("a", 3)).index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    ///
    /// sleep(second).await; // so it comes late
    /// let changes: Vec<_> = store.changes().log_errors().collect().await;
    /// let [Change::Synced(all), Change::Live(batch)] = &changes[..] else { panic!() };
    /// assert_eq!((all.len(), batch.stats().deleted), (2, 1));
    /// # Ok(()) });
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
    /// Returns the store of these changes.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }
}

impl<K: Lookup> Changes<K> {
    fn change(&mut self) -> Option<Change<K>> {
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

    fn poll_change(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Change<K>, Error>>> {
        while !self.ended {
            self.ended = ready!(Pin::new(&mut self.status).poll_next(cx)).is_none();
            // Check after the end, too: the last published snapshot may not have been delivered yet.
            if let Some(change) = self.change() {
                return Poll::Ready(Some(Ok(change)));
            }
        }
        Poll::Ready(None)
    }
}

impl<K: Lookup> Stream for Changes<K> {
    type Item = Result<Change<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = |mut stream: Pin<&mut Self>| stream.poll_change(cx);
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
