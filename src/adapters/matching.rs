//! `matching`: selecting objects on the client side.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::watcher::Event;
use pin_project_lite::pin_project;
use serde::Serialize;

use super::EventItem;
use crate::{document, error::Error, filter::FieldSelector, strain::Strainer};

/// How many objects that don't match are taken in at the most before the executor gets its turn.
const RUN: usize = 1024;

pin_project! {
    /// The stream of [`EventStreamExt::matching`](crate::EventStreamExt::matching).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct Matching<S, K> {
        #[pin]
        events: S,
        selector: FieldSelector,
        // What has happened to the objects so far, this included.
        pub(super) strainer: Strainer<K>,
    }
}

impl<S, K> Matching<S, K> {
    pub(crate) fn new(events: S, selector: FieldSelector, before: Strainer<K>) -> Self {
        let strainer = before.matching(selector.clone());
        Self { events, selector, strainer }
    }
}

impl<S, K> Stream for Matching<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Serialize + 'static,
{
    type Item = Result<Event<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..RUN {
            let Some(item) = ready!(this.events.as_mut().poll_next(cx)) else {
                return Poll::Ready(None);
            };
            match item.into_event() {
                Ok(Event::InitApply(object)) if !document::matches(this.selector, &object) => {}
                // It matches no more; whether it ever did is for the store to know.
                Ok(Event::Apply(object)) if !document::matches(this.selector, &object) => {
                    return Poll::Ready(Some(Ok(Event::Delete(object))));
                }
                item => return Poll::Ready(Some(item)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> FusedStream for Matching<S, K>
where
    S: FusedStream<Item: EventItem<Object = K>>,
    K: Serialize + 'static,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
