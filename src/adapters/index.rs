//! `index`: events become state, and state becomes changes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::reflector::Lookup;
use pin_project_lite::pin_project;

use super::EventItem;
use crate::{
    change::Change,
    error::Error,
    filter::FieldFilter,
    index::IndexBy,
    source::Watch,
    store::{Applied, Store, SyncPolicy, Writer},
};

/// How many events are taken in at the most before a snapshot is published and the executor gets
/// its turn, however many more are ready.
const RUN: usize = 1024;

pin_project! {
    /// The stream of [`EventStreamExt::index`](crate::EventStreamExt::index): events in, stored
    /// and indexed; changes out.
    ///
    /// What is ready is taken in as one run, published as one snapshot and delivered as one net
    /// change.
    ///
    /// ```
    /// use kube_weir::{Change, IndexBy, prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = Events::listed([config("a", 1)])
    ///     .apply(config("a", 2))
    ///     .apply(config("b", 3))
    ///     .delete(config("b", 4))
    ///     .wait(Duration::from_secs(1))
    ///     .apply(config("c", 5));
    /// let changes = events.index(IndexBy::path("metadata.name")?).log_errors();
    /// let changes: Vec<_> = changes.collect().await;
    ///
    /// let [Change::Synced(_), Change::Live(run), Change::Live(_)] = &changes[..] else { panic!() };
    /// assert_eq!((run.stats().modified, run.stats().total()), (1, 1)); // `b` came and went
    /// # Ok(()) }
    /// ```
    #[must_use = "streams do nothing unless polled"]
    pub struct Indexed<S, K> {
        #[pin]
        events: S,
        // Until the events end: dropping it tells the stores.
        writer: Option<Writer<K>>,
        store: Store<K>,
        // An item that must wait for the one before it.
        next: Option<Result<Change<K>, Error>>,
        run: usize,
    }
}

impl<S, K: Lookup> Indexed<S, K> {
    pub(crate) fn new(events: S, by: IndexBy<K>) -> Self {
        let writer = Writer::new(by);
        Self { events, store: writer.store(), writer: Some(writer), next: None, run: RUN }
    }

    /// The reading side of the store that this stream fills, for any task; it stays when the stream
    /// is gone. [`Store`] has an example.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Also delivers the initial load while it comes in, as [`Change::InitialSync`], and lets
    /// readers see it. By default there is nothing before [`Change::Synced`].
    ///
    /// ```
    /// use kube::runtime::watcher::Event;
    /// use kube_weir::{Change, IndexBy, prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = Events::new()
    ///     .event(Event::Init)
    ///     .event(Event::InitApply(config("a", 1)))
    ///     .wait(Duration::from_secs(1)) // the next page takes a while
    ///     .event(Event::InitApply(config("b", 2)))
    ///     .event(Event::InitDone);
    /// let changes = events.index(IndexBy::path("metadata.name")?).with_progress().log_errors();
    /// let changes: Vec<_> = changes.collect().await;
    ///
    /// let [Change::InitialSync(page), Change::InitialSync(rest), Change::Synced(all)] = &changes[..]
    /// else {
    ///     panic!()
    /// };
    /// assert_eq!((page.snapshot().len(), rest.snapshot().len(), all.len()), (1, 2, 2));
    /// # Ok(()) }
    /// ```
    pub fn with_progress(mut self) -> Self {
        self.writer.iter_mut().for_each(Writer::with_progress);
        self
    }

    /// A kind that need not be there: while the API server refuses to list it, it counts as synced
    /// and empty. It is still asked for, and once it can be listed its objects are created, as
    /// [`Change::Live`].
    ///
    /// That its CRD is not installed is no failure then: only [`Store::explain`] tells. Other
    /// refusals are items, as ever.
    ///
    /// ```
    /// use kube_weir::{Change, Gvr, IndexBy, prelude::*, testing::ApiServer, watch_resource};
    /// # use kube::{core::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let widgets = watch_resource(server.client(), Gvr::parse("example.com/v1/widgets")?).await?;
    /// let mut changes = widgets.index(IndexBy::path("metadata.name")?).optional().log_errors();
    /// assert!(changes.first_synced().await?.is_empty());
    ///
    /// # let widget = GroupVersionKind::gvk("example.com", "v1", "Widget");
    /// # let (resource, scope) = (ApiResource::from_gvk(&widget), Scope::Namespaced);
    /// server.install(&resource, &scope);
    /// # let widget = json!({
    /// #     "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "one" },
    /// # });
    /// server.apply(&widget)?;
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!(batch.stats().created, 1);
    /// # Ok(()) }
    /// ```
    pub fn optional(mut self) -> Self {
        self.writer.iter_mut().for_each(Writer::optional);
        self
    }

    /// When [`Store::synced`] gives up; see [`SyncPolicy`] for the defaults.
    /// The policy has an [example](SyncPolicy).
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.writer.iter_mut().for_each(|writer| writer.set_policy(policy));
        self
    }
}

impl<S, K> Indexed<S, K> {
    /// Makes each event a change of its own.
    pub(crate) fn one_by_one(self) -> Self {
        Self { run: 1, ..self }
    }
}

impl<K: Lookup> Indexed<Watch<K>, K> {
    /// The same of a watch that drops more, before anything came of it.
    pub(crate) fn without(mut self, filter: FieldFilter) -> Self {
        self.events = self.events.filter_fields(filter);
        if let Some(writer) = &mut self.writer {
            writer.behind(self.events.strainer());
        }
        self
    }
}

impl<K: Lookup + Send + Sync + 'static> Watch<K> {
    /// As [`EventStreamExt::index`](crate::EventStreamExt::index): stores and indexes the objects,
    /// and turns the events into changes. When the watch lists again, it decodes only what the
    /// store doesn't have.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, prelude::*, testing::{ApiServer, Fault, Verb}, watch};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let config = |name| {
    /// #     json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
    /// # };
    /// let server = ApiServer::new();
    /// server.apply(&config("a"))?;
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(IndexBy::path("metadata.name")?).log_errors();
    /// let before = changes.first_synced().await?;
    ///
    /// server.fault(Verb::Watch, 1, Fault::status(410)); // it must list again
    /// server.apply(&config("b"))?;
    /// let after = changes.next().await.unwrap().snapshot().clone();
    /// assert_eq!(after.len(), 2);
    /// let a = [&before, &after].map(|snapshot| snapshot.object("default", "a").unwrap());
    /// assert!(Arc::ptr_eq(a[0], a[1])); // neither decoded nor stored anew
    /// # Ok(()) }
    /// ```
    pub fn index(self, by: IndexBy<K>) -> Indexed<Self, K> {
        let by = by.behind(self.strainer()).of(self.origin().clone());
        let mut indexed = Indexed::new(self, by);
        if let Some(writer) = &mut indexed.writer {
            indexed.events.feed(writer.feedback());
        }
        indexed
    }
}

/// Publishes what has come in. The change is in the variant of the phase the stream is in.
fn publish<K: Lookup>(writer: &mut Writer<K>) -> Option<Result<Change<K>, Error>> {
    let phase = if writer.is_synced() { Change::Live } else { Change::InitialSync };
    writer.publish().map(|batch| Ok(phase(batch)))
}

impl<S, K> Stream for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup,
{
    type Item = Result<Change<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(item) = this.next.take() {
            return Poll::Ready(Some(item));
        }
        for _ in 0..*this.run {
            let Some(writer) = this.writer else { return Poll::Ready(None) };
            let applied = match this.events.as_mut().poll_next(cx) {
                Poll::Pending => {
                    return publish(writer)
                        .map_or(Poll::Pending, |change| Poll::Ready(Some(change)));
                }
                Poll::Ready(None) => {
                    let last = publish(writer);
                    *this.writer = None;
                    return Poll::Ready(last);
                }
                Poll::Ready(Some(item)) => item.into_event().and_then(|event| writer.apply(event)),
            };
            let (before, item) = match applied {
                Ok(Applied::Noted) => continue,
                Ok(Applied::Synced(last)) => {
                    let last = last.map(|batch| Ok(Change::InitialSync(batch)));
                    (last, Ok(Change::Synced(writer.snapshot().clone())))
                }
                Err(error) => {
                    let before = publish(writer);
                    let waived = writer.waive(&error);
                    writer.failed(&error);
                    let synced = || Ok(Change::Synced(writer.snapshot().clone()));
                    match (writer.forgives(&error), waived) {
                        (false, false) => (before, Err(error)),
                        (false, true) => (Some(Err(error)), synced()),
                        (true, true) => (before, synced()),
                        (true, false) => match before {
                            Some(before) => return Poll::Ready(Some(before)),
                            None => continue,
                        },
                    }
                }
            };
            return Poll::Ready(Some(match before {
                None => item,
                Some(before) => {
                    *this.next = Some(item);
                    before
                }
            }));
        }
        if let Some(change) = this.writer.as_mut().and_then(publish) {
            return Poll::Ready(Some(change));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> FusedStream for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup,
{
    fn is_terminated(&self) -> bool {
        self.writer.is_none() && self.next.is_none()
    }
}

impl<S, K> fmt::Debug for Indexed<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexed").field("store", &self.store).finish_non_exhaustive()
    }
}
