//! `log_errors`: logs failures, and yields all other items.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, stream::FusedStream};
use pin_project_lite::pin_project;

use super::has_store::{HasStore, sealed};
use crate::error::Error;

/// Maximum number of errors logged per poll before yielding to the executor.
const RUN: usize = 64;

pin_project! {
    /// The stream of [`EventStreamExt::log_errors`](crate::EventStreamExt::log_errors), which has
    /// an example.
    ///
    /// An error is a `tracing` event of level WARN, `stream degraded, retrying`, with the fields
    /// `error` and [`reason`](Error::reason).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct LogErrors<S> {
        #[pin]
        items: S,
    }
}

impl<S> LogErrors<S> {
    pub(crate) fn new(items: S) -> Self {
        Self { items }
    }

    /// Returns the stream underneath, which still yields errors.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let configs = Events::<ConfigMap>::listed([]).index(());
    /// let mut changes = configs.log_errors();
    /// let store = changes.get_ref().store();
    ///
    /// changes.first_synced().await?;
    /// assert!(store.is_synced());
    /// # Ok(()) });
    /// ```
    pub fn get_ref(&self) -> &S {
        &self.items
    }

    /// Returns the stream underneath, and stops logging.
    pub fn into_inner(self) -> S {
        self.items
    }

    /// Returns the store that the stream fills; see the [example](crate::adapters::Debounced::store).
    pub fn store(&self) -> S::Store
    where
        S: HasStore,
    {
        self.reading_side()
    }
}

impl<S, T> Stream for LogErrors<S>
where
    S: Stream<Item = Result<T, Error>>,
{
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut items = self.project().items;
        for _ in 0..RUN {
            match items.as_mut().poll_next(cx) {
                Poll::Ready(Some(Err(error))) => {
                    let (reason, kind) = (error.reason(), error.of_kind());
                    // The store of the pipeline has logged this failure.
                    if error.is_logged() {
                        tracing::debug!(%error, reason, kind, "an error of a stream");
                    } else {
                        tracing::warn!(%error, reason, kind, "an error of a stream that no store has logged");
                    }
                }
                Poll::Ready(Some(Ok(item))) => return Poll::Ready(Some(item)),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.items.size_hint().1)
    }
}

impl<S, T> FusedStream for LogErrors<S>
where
    S: FusedStream<Item = Result<T, Error>>,
{
    fn is_terminated(&self) -> bool {
        self.items.is_terminated()
    }
}

impl<S: HasStore> HasStore for LogErrors<S> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

impl<S> sealed::Sealed for LogErrors<S> {}
