//! `index`: turns events into state, and state into changes.

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
};

use futures::{Stream, stream::FusedStream};
use kube::runtime::reflector::Lookup;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{
    EventItem,
    has_store::{HasStore, sealed},
};
use crate::{
    change::Change,
    clock::is_over,
    coop::Work,
    error::{Error, caught, poll_caught},
    event::Context,
    filter::FieldFilter,
    index::{IndexSet, Indexes},
    source::Watch,
    store::{Applied, Failed, KeepDeleted, Store, SyncPolicy, Writer},
};

/// Maximum number of steps before a snapshot is published and the stream yields to the executor. Each event
/// is a step.
const RUN: usize = 1024;

/// Number of steps that cost one unit of a task's budget: a whole run costs one turn.
const UNIT: usize = RUN / 128;

/// Number of index keys put in or taken out that count as one step.
const KEYS: usize = 16;

pin_project! {
    /// The stream of [`EventStreamExt::index`](crate::EventStreamExt::index): events in, stored
    /// and indexed; changes out.
    ///
    /// All ready events are applied as one run, published as one snapshot and yielded as one net
    /// change.
    ///
    /// If the code of an index or a selection panics, or the code that decodes, compares or drops an object,
    /// the last item is an [error](Error::is_panic), and the store keeps the previous snapshot.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)])
    ///     .apply(config_map("a", 2))
    ///     .apply(config_map("b", 3))
    ///     .delete(config_map("b", 4))
    ///     .wait(Duration::from_secs(1))
    ///     .apply(config_map("c", 5));
    /// let changes = events.index(()).log_errors();
    /// let changes: Vec<_> = changes.collect().await;
    ///
    /// let [Change::Synced(_), Change::Live(run), Change::Live(_)] = &changes[..] else { panic!() };
    /// assert_eq!((run.stats().modified, run.stats().total()), (1, 1)); // `b` came and went
    /// # Ok(()) });
    /// ```
    #[doc(alias("SharedIndexInformer", "informer", "reflector", "DeltaFIFO"))]
    #[must_use = "streams do nothing unless polled"]
    pub struct Indexed<S, K> {
        #[pin]
        events: S,
        // `None` once the events have ended: dropping the writer ends the stores.
        writer: Option<Writer<K>>,
        store: Store<K>,
        // Items to yield after the current one.
        next: VecDeque<Result<Change<K>, Error>>,
        run: usize,
        is_polled: bool,
        work: Work,
        // Deadline of a partial sync, or expiry of deleted objects.
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

impl<S, K: Lookup> Indexed<S, K> {
    pub(crate) fn new(events: S, indexes: IndexSet<K>, context: Arc<Context<K>>) -> Self {
        let writer = Writer::new(indexes, context);
        let store = writer.store();
        Self {
            events,
            store,
            writer: Some(writer),
            next: VecDeque::new(),
            run: RUN,
            is_polled: false,
            work: Work::costing(UNIT),
            deadline: None,
        }
    }

    /// Returns the stream of events underneath.
    pub fn get_ref(&self) -> &S {
        &self.events
    }

    /// Returns the reading side of the store that this stream fills, for any task. The store remains readable
    /// after the stream is dropped. [`Store`] has an example.
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Also yields the initial load while it arrives, as [`Change::InitialSync`], and lets
    /// readers see it. By default nothing is yielded before [`Change::Synced`].
    ///
    /// ```
    /// use kube::runtime::watcher::Event;
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::new()
    ///     .event(Event::Init)
    ///     .event(Event::InitApply(config_map("a", 1)))
    ///     .wait(Duration::from_secs(1)) // the next page takes a while
    ///     .event(Event::InitApply(config_map("b", 2)))
    ///     .event(Event::InitDone);
    /// let changes = events.index(()).with_progress().log_errors();
    /// let changes: Vec<_> = changes.collect().await;
    ///
    /// let [Change::InitialSync(page), Change::InitialSync(rest), Change::Synced(all)] = &changes[..]
    /// else {
    ///     panic!()
    /// };
    /// assert_eq!((page.after().len(), rest.after().len(), all.len()), (1, 2, 2));
    /// # Ok(()) });
    /// ```
    pub fn with_progress(mut self) -> Self {
        self.writer.iter_mut().for_each(Writer::with_progress);
        self
    }

    /// Makes the kind optional: while it is not installed, it counts as synced and empty. The watch keeps
    /// retrying, and once the kind can be listed, its objects are created, as [`Change::Live`]. If the kind
    /// is removed, its objects are deleted after 30 seconds of nothing but this answer.
    ///
    /// A CRD that is not installed is no failure then: only [`Store::report`] shows it. Other
    /// refusals are still failures, unless [`optional_if`](Self::optional_if) allows them. With
    /// several namespaces, those that can't be listed are left out after the deadline, as with
    /// [`SyncPolicy::partial`].
    ///
    /// ```
    /// use kube::{core::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let widgets = watch_resource(server.client(), "example.com/v1/widgets")?;
    /// let mut changes = widgets.index(()).optional().log_errors();
    /// assert!(changes.first_synced().await?.is_empty());
    ///
    /// let widget = GroupVersionKind::gvk("example.com", "v1", "Widget");
    /// server.install(&ApiResource::from_gvk(&widget), &Scope::Namespaced);
    /// let metadata = json!({ "name": "one" });
    /// server.apply(&json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata }))?;
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!(batch.stats().created, 1);
    /// # Ok(()) });
    /// ```
    pub fn optional(self) -> Self {
        self.optional_if(Error::is_not_installed)
    }

    /// Makes the kind optional for the refusals for which `allows` returns true. Refusals other than "not
    /// installed" are still yielded as items.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1000, Fault::status(403));
    /// let secrets = watch(Api::<Secret>::all(server.client())).index(());
    /// let mut changes = secrets.optional_if(|error| error.is_refusal());
    /// assert!(changes.next().await.unwrap().unwrap_err().is_forbidden());
    /// assert!(changes.first_synced().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub fn optional_if(mut self, allows: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        let allows = Arc::new(allows);
        self.writer.iter_mut().for_each(|writer| writer.set_optional(allows.clone()));
        self
    }

    /// Keeps deleted objects for a while, for lookups in [`Snapshot::deleted`](crate::Snapshot::deleted): a
    /// log shipper needs the labels of a Pod after its deletion. An object that another object of its name
    /// replaced counts as deleted, too.
    ///
    /// So does an object that is no longer selected, or whose namespace is no longer watched, until the same
    /// object, by its uid, is there again.
    ///
    /// At most 10,000 are kept, or the maximum of a [`KeepDeleted`]. An object that was created and deleted
    /// before the load was complete is not kept.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    /// use tokio::time::sleep;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let metadata = json!({ "namespace": "web", "name": "shop-1" });
    /// let pod: Pod = from_value(json!({ "metadata": metadata, "status": { "podIP": "10.0.0.7" } }))?;
    /// let ip = Index::path("status.podIP")?;
    /// let events = Events::listed([pod.clone()]).delete(pod).stay_open();
    /// let mut pods = events.index(&ip).keep_deleted(Duration::from_secs(60));
    /// let store = pods.store();
    /// pods.first_synced().await?;
    /// pods.next().await; // the deletion
    ///
    /// let (snapshot, key) = (store.snapshot(), "web/shop-1");
    /// let deleted = snapshot.deleted();
    /// assert!(snapshot.get(key).is_none());
    /// assert!(snapshot.get(key).or(deleted.get(key)).is_some()); // the lookup of a log shipper
    /// assert_eq!(deleted.by(&ip).get("10.0.0.7").len(), 1);
    ///
    /// pods.spawn();
    /// sleep(Duration::from_secs(61)).await;
    /// assert!(store.snapshot().deleted().is_empty());
    /// # Ok(()) });
    /// ```
    pub fn keep_deleted(mut self, keep: impl Into<KeepDeleted>) -> Self {
        let keep = keep.into();
        self.writer.iter_mut().for_each(|writer| writer.keep_deleted(keep));
        self
    }

    /// Sets when [`Store::synced`] gives up; see [`SyncPolicy`] for the defaults and an
    /// [example](SyncPolicy).
    pub fn sync_policy(mut self, policy: SyncPolicy) -> Self {
        self.writer.iter_mut().for_each(|writer| writer.set_policy(policy));
        self
    }
}

impl<S, K> Indexed<S, K> {
    /// Makes each event a separate change.
    pub(crate) fn one_by_one(self) -> Self {
        Self { run: 1, ..self }
    }
}

impl<K: Lookup> Indexed<Watch<K>, K> {
    /// Adds a field filter to the watch; only before the first poll.
    pub(crate) fn without(mut self, filter: FieldFilter) -> Self {
        self.events = self.events.without(filter);
        if let Some(writer) = &mut self.writer {
            writer.set_context(&self.events.context());
        }
        self
    }
}

impl<K: Lookup + Send + Sync + 'static> Watch<K> {
    /// Stores and indexes the objects, and turns the events into changes, like
    /// [`EventStreamExt::index`](crate::EventStreamExt::index). In addition, a relist decodes only the
    /// objects that the store doesn't have.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb, fixture::config_map}};
    /// use std::sync::Arc;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.apply(&config_map("a", 1))?;
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(()).log_errors();
    /// let before = changes.first_synced().await?;
    ///
    /// server.fault(Verb::Watch, 1, Fault::status(410)); // it must list again
    /// server.apply(&config_map("b", 2))?;
    /// let after = changes.next().await.unwrap().snapshot().clone();
    /// assert_eq!(after.len(), 2);
    /// let a = [&before, &after].map(|snapshot| snapshot.get(("default", "a")).unwrap());
    /// assert!(Arc::ptr_eq(a[0], a[1])); // neither decoded nor stored anew
    /// # Ok(()) });
    /// ```
    #[doc(alias("reflector", "reflect", "indexer", "store", "informer"))]
    pub fn index(self, indexes: impl Indexes<K>) -> Indexed<Self, K> {
        let context = self.context();
        let mut stream = Indexed::new(self, IndexSet::of(indexes), context);
        if let Some(writer) = &stream.writer {
            stream.events.feed(Arc::new(writer.published()));
        }
        stream
    }
}

/// Publishes the applied events. Queues the change, in the variant of the current phase, and behind it an
/// error for each object with too many keys.
fn publish<K: Lookup>(writer: &mut Writer<K>, items: &mut VecDeque<Result<Change<K>, Error>>) {
    let phase = if writer.is_synced() { Change::Live } else { Change::InitialSync };
    items.extend(writer.publish().map(|batch| Ok(phase(batch))));
    if writer.is_synced() {
        items.extend(writer.take_overflows().into_iter().map(Err));
    }
}

impl<S, K> Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup,
{
    /// Applies the ready events as one run.
    fn poll_run(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Change<K>, Error>>> {
        let this = self.project();
        if !mem::replace(this.is_polled, true) {
            this.writer.iter_mut().for_each(Writer::polled);
        }
        let (mut events, next) = (this.events, this.next);
        if next.is_empty() {
            ready!(this.work.poll_paid(cx));
        }
        let mut steps = 0;
        while steps < *this.run {
            if let Some(item) = next.pop_front() {
                return Poll::Ready(Some(item));
            }
            let Some(writer) = this.writer else { return Poll::Ready(None) };
            let moved = writer.keys_moved();
            let applied = match events.as_mut().poll_next(cx) {
                Poll::Pending => {
                    publish(writer, next);
                    if !next.is_empty() {
                        continue;
                    }
                    if !is_over(this.deadline, writer.due(), cx) {
                        return Poll::Pending;
                    }
                    Ok(writer.overdue())
                }
                Poll::Ready(None) => {
                    publish(writer, next);
                    *this.writer = None;
                    continue;
                }
                Poll::Ready(Some(item)) => item.into_event().and_then(|event| writer.apply(event)),
            };
            let step = 1 + writer.keys_moved().saturating_sub(moved) / KEYS;
            steps += step;
            this.work.add(step);
            // A failure is yielded after the changes before it.
            let Failed { item, applied } = match applied {
                Ok(applied) => Failed { item: None, applied },
                Err(error) => {
                    publish(writer, next);
                    writer.failed(error)
                }
            };
            next.extend(item.map(Err));
            if let Applied::Synced(last) = applied {
                next.extend(last.map(|batch| Ok(Change::InitialSync(batch))));
                next.push_back(Ok(Change::Synced(writer.snapshot().clone())));
                next.extend(writer.take_overflows().into_iter().map(Err));
            }
        }
        if let Some(writer) = this.writer {
            publish(writer, next);
        }
        let item = next.pop_front();
        if item.is_some() || this.writer.is_none() {
            return Poll::Ready(item);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, K> Stream for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup,
{
    type Item = Result<Change<K>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        poll_caught(
            self,
            |stream| stream.poll_run(cx),
            |stream, error| {
                let this = stream.project();
                let (writer, next) = (this.writer.take(), mem::take(this.next));
                if let Some(mut writer) = writer {
                    writer.ends_with(error);
                    drop(caught(|| drop(writer)));
                }
                drop(next);
            },
        )
    }
}

impl<S, K> FusedStream for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup,
{
    fn is_terminated(&self) -> bool {
        self.writer.is_none() && self.next.is_empty()
    }
}

impl<S, K: Lookup> HasStore for Indexed<S, K> {
    type Store = Store<K>;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

impl<S, K> sealed::Sealed for Indexed<S, K> {}

impl<S, K> fmt::Debug for Indexed<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexed").field("store", &self.store).finish_non_exhaustive()
    }
}
