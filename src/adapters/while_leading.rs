//! `while_leading`: yields changes only while this replica leads.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt, stream::FusedStream};
use pin_project_lite::pin_project;
use tokio_stream::wrappers::WatchStream;

use super::{
    has_store::{HasStore, sealed},
    item::ChangeItem,
    subject::{Phase, Subject},
};
use crate::{
    error::{Error, poll_caught},
    leader::{Leadership, LeadershipWatch, Term},
};

/// Maximum number of changes taken per poll before yielding to the executor. Each change may be a run of a
/// thousand events.
const RUN: usize = 64;

pin_project! {
    /// The stream of [`EventStreamExt::while_leading`](crate::EventStreamExt::while_leading).
    ///
    /// While another replica leads, the stream keeps only the last snapshot.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
    /// use tokio::time::timeout;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let client = ApiServer::new().client();
    /// let campaign =
    ///     Election::new(client.clone(), LeaseRef::new("default", "web"), "replica-b")?.campaign();
    /// let configs = watch(Api::<ConfigMap>::all(client)).index(());
    /// let store = configs.store();
    /// let mut changes = configs.while_leading(&campaign.watch());
    ///
    /// // Nobody polls this campaign, so this replica never leads. The store is filled nevertheless.
    /// assert!(timeout(Duration::from_secs(60), changes.next()).await.is_err());
    /// assert!(store.is_synced());
    /// # Ok(()) });
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct WhileLeading<S, K>
    where
        K: Subject,
    {
        #[pin]
        changes: S,
        leadership: LeadershipWatch,
        wakes: WatchStream<Leadership>,
        // The state after all changes so far; `None` before the sync.
        state: Option<K::State>,
        // The term in which `Synced` was yielded.
        delivered: Option<Term>,
        ended: bool,
    }
}

impl<S, K: Subject> WhileLeading<S, K> {
    pub(crate) fn new(changes: S, leadership: &LeadershipWatch) -> Self {
        Self {
            changes,
            wakes: WatchStream::new(leadership.receiver()),
            leadership: leadership.clone(),
            state: None,
            delivered: None,
            ended: false,
        }
    }

    /// Returns the stream underneath, which also runs while another replica leads.
    pub fn get_ref(&self) -> &S {
        &self.changes
    }

    /// Returns the stream underneath, and ends this stage: its state is dropped.
    pub fn into_inner(self) -> S {
        self.changes
    }

    /// Returns the store that the stream fills; see the [example](crate::adapters::Debounced::store).
    pub fn store(&self) -> S::Store
    where
        S: HasStore,
    {
        self.reading_side()
    }
}

impl<S, K> WhileLeading<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    fn poll_run(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<<Self as Stream>::Item>> {
        let this = self.project();
        let mut changes = this.changes;
        // Only registers this task's waker; `leadership` is read below. After the end of the campaign nothing
        // changes.
        while let Poll::Ready(Some(_)) = this.wakes.poll_next_unpin(cx) {}
        for _ in 0..RUN {
            if *this.ended {
                return Poll::Ready(None);
            }
            let term = this.leadership.term();
            let has_begun =
                |term: &Term| this.delivered.as_ref().is_some_and(|delivered| term.is(delivered));
            let begun = term.as_ref().is_some_and(has_begun);
            if let (false, Some(term), Some(state)) = (begun, &term, &this.state) {
                *this.delivered = Some(term.clone());
                return Poll::Ready(Some(Ok((term.clone(), K::synced(state.clone())))));
            }
            let item = match changes.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(item) => item,
            };
            let change = match item.map(ChangeItem::into_change) {
                None => {
                    *this.ended = true;
                    continue;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(change)) => change,
            };
            match K::phase(&change) {
                // `Synced` yields the whole initial load in any case.
                Phase::Batch { initial: true, .. } => {
                    if let Some(term) = term {
                        return Poll::Ready(Some(Ok((term, change))));
                    }
                }
                Phase::Synced(state) => {
                    *this.state = Some(state);
                    *this.delivered = None;
                }
                Phase::Batch { initial: false, after, .. } => {
                    *this.state = Some(after);
                    if let Some(term) = term.filter(|_| begun) {
                        return Poll::Ready(Some(Ok((term, change))));
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> Stream for WhileLeading<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    type Item = Result<(Term, K::Change), Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_caught(self, |stream| stream.poll_run(cx), |stream, _| *stream.project().ended = true)
    }
}

impl<S, K> FusedStream for WhileLeading<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<S: HasStore, K: Subject> HasStore for WhileLeading<S, K> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

impl<S, K: Subject> sealed::Sealed for WhileLeading<S, K> {}

impl<S, K: Subject> fmt::Debug for WhileLeading<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhileLeading").field("leadership", &self.leadership).finish_non_exhaustive()
    }
}
