//! `matching`: selects objects on the client side.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use pin_project_lite::pin_project;
use serde::Serialize;

use super::{EventItem, scoping::Scoping};
use crate::{
    error::{Error, poll_caught},
    event::WatchEvent,
    stages::Condition,
};

/// Maximum number of objects skipped per poll before yielding to the executor.
const RUN: usize = 1024;

pin_project! {
    /// The stream of [`EventStreamExt::matching`](crate::EventStreamExt::matching) and
    /// [`matching_with`](crate::EventStreamExt::matching_with).
    ///
    /// An object that no longer matches becomes a deletion, with the received object:
    ///
    /// ```
    /// use futures::TryStreamExt;
    /// use kube_weir::{WatchEvent, prelude::*, testing::{Events, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([settings("info")]).apply(settings("debug")).apply(settings("warn"));
    /// let events: Vec<_> = events.matching("data.level=debug")?.try_collect().await?;
    ///
    /// let [.., WatchEvent::Applied(_), WatchEvent::Deleted(gone)] = &events[..] else {
    ///     panic!("{events:?}")
    /// };
    /// assert_eq!(gone.data.as_ref().unwrap()["level"], "warn");
    /// # Ok(()) });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Matching<S, K> {
        #[pin]
        events: S,
        condition: Condition<K>,
        scoping: Scoping<K>,
        ended: bool,
    }
}

impl<S, K> Matching<S, K> {
    pub(crate) fn new(events: S, condition: Condition<K>) -> Self {
        Self { events, condition, scoping: Scoping::new(), ended: false }
    }

    /// Returns the stream underneath, which yields each event.
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// Returns the stream underneath, and ends this stage: an event queued behind its scope is dropped.
    pub fn into_inner(self) -> S {
        self.events
    }
}

impl<S, K> Matching<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Serialize + 'static,
{
    fn poll_run(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<WatchEvent<K>, Error>>> {
        let mut this = self.project();
        if let Some(event) = this.scoping.take_held() {
            return Poll::Ready(Some(Ok(event)));
        }
        for _ in 0..RUN {
            let Some(item) = ready!(this.events.as_mut().poll_next(cx)) else {
                return Poll::Ready(None);
            };
            let event = match item.into_event() {
                Ok(WatchEvent::Listed(object)) if !this.condition.holds(&object) => {
                    continue;
                }
                // The object doesn't match; the store knows whether it ever did.
                Ok(WatchEvent::Applied(object)) if !this.condition.holds(&object) => {
                    WatchEvent::Deleted(object)
                }
                Ok(event) => event,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            let condition = &*this.condition;
            let event = this.scoping.pass(event, |stages| stages.matching(condition.clone()));
            return Poll::Ready(Some(Ok(event)));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> Stream for Matching<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Serialize + 'static,
{
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        poll_caught(self, |stream| stream.poll_run(cx), |stream, _| *stream.project().ended = true)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.scoping.size_hint(self.events.size_hint()).1)
    }
}

impl<S, K> FusedStream for Matching<S, K>
where
    S: FusedStream<Item: EventItem<Object = K>>,
    K: Serialize + 'static,
{
    fn is_terminated(&self) -> bool {
        self.ended || self.events.is_terminated()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn there_may_be_no_event_and_no_more_than_came_in() {
        let object = ConfigMap::default();
        let events =
            stream::iter([WatchEvent::Listed(object), WatchEvent::Applied(ConfigMap::default())]);
        let selector = Condition::Fields("metadata.name=a".parse().unwrap());
        // Plus the scope.
        assert_eq!(Matching::new(events, selector).size_hint(), (0, Some(3)));
    }
}
