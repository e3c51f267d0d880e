//! `filter_fields`: drops fields of objects that are already decoded.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::reflector::Lookup;
use pin_project_lite::pin_project;
use serde::{Serialize, de::DeserializeOwned};

use super::{EventItem, scoping::Scoping};
use crate::{
    decode::Typed,
    error::{Error, poll_caught},
    event::WatchEvent,
    filter::FieldFilter,
    stages::drop_fields,
};

pin_project! {
    /// The stream of [`EventStreamExt::filter_fields`](crate::EventStreamExt::filter_fields).
    ///
    /// The filter is added to the [`Scope`](crate::Scope) that the stream passes on, so an
    /// [`Overlay`](crate::Overlay) drops the same fields of hypothetical objects:
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut changes = Events::<ConfigMap>::listed([])
    ///     .filter_fields("data")?
    ///     .index(());
    /// let snapshot = changes.first_synced().await?;
    ///
    /// let large = json!({ "metadata": { "name": "large" }, "data": { "key": "value" } });
    /// let what_if = snapshot.overlay().apply(from_value(large)?)?.build();
    /// assert_eq!(what_if.get(("", "large")).unwrap().data, None);
    /// # Ok(()) });
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct FilterFields<S, K> {
        #[pin]
        events: S,
        decoder: Arc<Typed>,
        scoping: Scoping<K>,
        ended: bool,
    }
}

impl<S, K> FilterFields<S, K> {
    pub(crate) fn new(events: S, filter: FieldFilter) -> Self {
        let decoder = Arc::new(Typed::new(filter));
        Self { events, decoder, scoping: Scoping::new(), ended: false }
    }

    /// Returns the stream underneath, which yields whole objects.
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// Returns the stream underneath, and ends this stage: an event queued behind its scope is dropped.
    pub fn into_inner(self) -> S {
        self.events
    }
}

impl<S, K> FilterFields<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    fn poll_one(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<WatchEvent<K>, Error>>> {
        let this = self.project();
        if let Some(event) = this.scoping.take_held() {
            return Poll::Ready(Some(Ok(event)));
        }
        let item = ready!(this.events.poll_next(cx)).map(EventItem::into_event);
        let decoder = &*this.decoder;
        let without_fields = |object: K| drop_fields(&**decoder, &object);
        Poll::Ready(item.map(|event| {
            let event = match event? {
                WatchEvent::Applied(object) => WatchEvent::Applied(without_fields(object)?),
                WatchEvent::Listed(object) => WatchEvent::Listed(without_fields(object)?),
                WatchEvent::Deleted(object) => WatchEvent::Deleted(without_fields(object)?),
                other => other,
            };
            Ok(this.scoping.pass(event, |stages| stages.decoded_by(decoder.clone())))
        }))
    }
}

impl<S, K> Stream for FilterFields<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        poll_caught(self, |stream| stream.poll_one(cx), |stream, _| *stream.project().ended = true)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.scoping.size_hint(self.events.size_hint())
    }
}

impl<S, K> FusedStream for FilterFields<S, K>
where
    S: FusedStream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.ended || self.events.is_terminated()
    }
}
