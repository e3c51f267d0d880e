//! `filter_fields`: dropping fields of objects that are decoded already.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::{reflector::Lookup, watcher::Event};
use pin_project_lite::pin_project;
use serde::{Serialize, de::DeserializeOwned};

use super::EventItem;
use crate::{
    error::Error,
    filter::FieldFilter,
    strain::{Strainer, decode, drop_fields},
};

pin_project! {
    /// The stream of [`EventStreamExt::filter_fields`](crate::EventStreamExt::filter_fields).
    ///
    /// [`index`](FilterFields::index) right behind it lets an [`Overlay`](crate::Overlay) drop the
    /// same fields of hypothetical objects:
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{FieldFilter, IndexBy, prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut changes = Events::<ConfigMap>::listed([])
    ///     .filter_fields(FieldFilter::new(["data"])?)
    ///     .index(IndexBy::path("metadata.name")?);
    /// let snapshot = changes.first_synced().await?;
    ///
    /// let large = json!({ "metadata": { "name": "large" }, "data": { "key": "value" } });
    /// let what_if = snapshot.overlay().apply(from_value(large)?)?.build();
    /// assert_eq!(what_if.object("", "large").unwrap().data, None);
    /// # Ok(()) }
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct FilterFields<S, K> {
        #[pin]
        events: S,
        filter: FieldFilter,
        // What has happened to the objects so far, this included.
        pub(super) strainer: Strainer<K>,
    }
}

impl<S, K: DeserializeOwned> FilterFields<S, K> {
    pub(crate) fn new(events: S, filter: FieldFilter, before: Strainer<K>) -> Self {
        let strainer = before.without(filter.clone(), decode);
        Self { events, filter, strainer }
    }
}

impl<S, K> Stream for FilterFields<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    type Item = Result<Event<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let item = ready!(this.events.poll_next(cx)).map(EventItem::into_event);
        let strain = |object| drop_fields(this.filter, decode, &object);
        Poll::Ready(item.map(|event| {
            Ok(match event? {
                Event::Apply(object) => Event::Apply(strain(object)?),
                Event::InitApply(object) => Event::InitApply(strain(object)?),
                Event::Delete(object) => Event::Delete(strain(object)?),
                Event::Init => Event::Init,
                Event::InitDone => Event::InitDone,
            })
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.events.size_hint()
    }
}

impl<S, K> FusedStream for FilterFields<S, K>
where
    S: FusedStream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + DeserializeOwned,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}
