use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::{
    reflector::Lookup,
    watcher::{self, Event},
};
use pin_project_lite::pin_project;

use crate::{
    change::{Batch, Change, Delta},
    error::{Error, poll_caught},
};

/// Maximum number of changes without an event per poll before yielding to the executor.
const RUN: usize = 64;

pin_project! {
    /// The stream of [`EventStreamExt::into_events`](crate::EventStreamExt::into_events).
    #[must_use = "streams do nothing unless polled"]
    pub struct IntoEvents<S, K> {
        #[pin]
        changes: S,
        // The remaining events of the last change.
        left: VecDeque<Event<Arc<K>>>,
        ended: bool,
    }
}

impl<S, K> IntoEvents<S, K> {
    pub(crate) fn new(changes: S) -> Self {
        Self { changes, left: VecDeque::new(), ended: false }
    }

    /// Returns the stream underneath, which yields changes.
    pub fn get_ref(&self) -> &S {
        &self.changes
    }

    /// Returns the stream underneath, and ends this stage: queued events of the last change are dropped.
    pub fn into_inner(self) -> S {
        self.changes
    }
}

impl<S, K> IntoEvents<S, K>
where
    S: Stream<Item = Change<K>>,
    K: Lookup + Clone,
{
    fn poll_run(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Event<K>, Error>>> {
        let mut this = self.project();
        for _ in 0..RUN {
            if let Some(event) = this.left.pop_front() {
                return Poll::Ready(Some(Ok(owned(event))));
            }
            match ready!(this.changes.as_mut().poll_next(cx)) {
                None => return Poll::Ready(None),
                // `Synced` yields the objects of the load, as a list.
                Some(Change::InitialSync(_)) => {}
                Some(Change::Synced(snapshot)) => {
                    this.left.push_back(Event::Init);
                    this.left.extend(snapshot.iter().cloned().map(Event::InitApply));
                    this.left.push_back(Event::InitDone);
                }
                Some(Change::Live(batch)) => push_events(&batch, this.left),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> Stream for IntoEvents<S, K>
where
    S: Stream<Item = Change<K>>,
    K: Lookup + Clone,
{
    type Item = watcher::Result<Event<K>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = poll_caught(
            self,
            |stream| stream.poll_run(cx),
            |stream, _| {
                let this = stream.project();
                *this.ended = true;
                this.left.clear();
            },
        );
        // kube uses this error for any failure in a client.
        let failed = |error| watcher::Error::WatchFailed(kube::Error::Service(Box::new(error)));
        polled.map(|item| item.map(|event| event.map_err(failed)))
    }
}

impl<S, K> FusedStream for IntoEvents<S, K>
where
    S: FusedStream<Item = Change<K>>,
    K: Lookup + Clone,
{
    fn is_terminated(&self) -> bool {
        self.ended || self.left.is_empty() && self.changes.is_terminated()
    }
}

fn push_events<K: Lookup>(batch: &Batch<K>, events: &mut VecDeque<Event<Arc<K>>>) {
    for delta in batch.deltas() {
        match delta {
            Delta::Created(new) => events.push_back(Event::Apply(Arc::clone(new))),
            Delta::Deleted(old) => events.push_back(Event::Delete(Arc::clone(old))),
            Delta::Modified { before, after } => {
                // Another object of this name: consumers that track owners or uids need both events.
                if before.uid() != after.uid() {
                    events.push_back(Event::Delete(Arc::clone(before)));
                }
                events.push_back(Event::Apply(Arc::clone(after)));
            }
        }
    }
}

/// Returns an event that owns its object, as kube's events do. Objects are copied one at a time, on demand.
fn owned<K: Clone>(event: Event<Arc<K>>) -> Event<K> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(Arc::unwrap_or_clone(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(Arc::unwrap_or_clone(object)),
        Event::Delete(object) => Event::Delete(Arc::unwrap_or_clone(object)),
    }
}

impl<S: fmt::Debug, K> fmt::Debug for IntoEvents<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoEvents")
            .field("changes", &self.changes)
            .field("left", &self.left.len())
            .finish_non_exhaustive()
    }
}
