use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::{reflector::Lookup, watcher::Event};
use pin_project_lite::pin_project;
use serde::{Serialize, de::DeserializeOwned};

use super::EventItem;
use crate::{error::Error, path::FieldFilter};

pin_project! {
    /// The stream of [`EventStreamExt::filter_fields`](crate::EventStreamExt::filter_fields).
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct FilterFields<S> {
        #[pin]
        events: S,
        filter: FieldFilter,
    }
}

impl<S> FilterFields<S> {
    pub(crate) fn new(events: S, filter: FieldFilter) -> Self {
        Self { events, filter }
    }
}

/// The object without the ignored fields. An object that is already built can only be written out
/// and read in again; our own source never builds what is ignored.
fn strain<K>(filter: &FieldFilter, object: &K) -> Result<K, Error>
where
    K: Lookup + Serialize + DeserializeOwned,
{
    let strained = serde_json::to_string(object).and_then(|json| filter.deserialize(&json));
    strained.map_err(|cause| {
        let (namespace, name) =
            (object.namespace().unwrap_or_default(), object.name().unwrap_or_default());
        Error::undecodable(&namespace, &name, &cause)
    })
}

impl<S, K> Stream for FilterFields<S>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    type Item = Result<Event<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let item = ready!(this.events.poll_next(cx)).map(EventItem::into_event);
        Poll::Ready(item.map(|event| {
            Ok(match event? {
                Event::Apply(object) => Event::Apply(strain(this.filter, &object)?),
                Event::InitApply(object) => Event::InitApply(strain(this.filter, &object)?),
                Event::Delete(object) => Event::Delete(strain(this.filter, &object)?),
                Event::Init => Event::Init,
                Event::InitDone => Event::InitDone,
            })
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.events.size_hint()
    }
}

impl<S, K> FusedStream for FilterFields<S>
where
    S: FusedStream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
