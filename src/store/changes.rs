//! A store's changes, for one more consumer.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::reflector::Lookup;
use tokio_stream::wrappers::WatchStream;

use super::{Status, Store};
use crate::{
    change::{Batch, Change},
    error::Error,
    snapshot::Snapshot,
};

/// The stream of [`Store::changes`].
///
/// It compares snapshots when it is polled, and keeps nothing but the last one it delivered: a
/// consumer that lags is never in anybody's way, and gets the net change when it comes back.
///
/// Errors are left to the pipeline's own stream: this one has none, and ends when that one ended.
#[must_use = "streams do nothing unless polled"]
pub struct Changes<K> {
    store: Store<K>,
    status: WatchStream<Status>,
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
    pub fn changes(&self) -> Changes<K>
    where
        K: Lookup + Send + Sync + 'static,
    {
        let status = WatchStream::new(self.status());
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
}

impl<K: Lookup> Stream for Changes<K> {
    type Item = Result<Change<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
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
