//! Extension trait with all stages of a pipeline as methods.

use std::{future::Future, sync::Arc};

use futures::{Stream, StreamExt};
use kube::runtime::reflector::Lookup;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    adapters::{
        ChangeItem, Debounce, Debounced, EventItem, FilterFields, Indexed, IntoEvents, LogErrors,
        Matching, Spawned, WhileLeading,
        subject::{Phase, Subject},
    },
    change::Change,
    error::{Error, ErrorKind},
    filter::{FieldFilter, FieldSelector},
    index::{IndexSet, Indexes},
    leader::LeadershipWatch,
    stages::{Condition, Named},
    text::given,
};

/// The stages of a pipeline, for any stream of kube's watcher
/// [`Event`](kube::runtime::watcher::Event)s: [`watch`](crate::watch),
/// [`kube::runtime::watcher()`], or a mock.
///
/// ```
/// use futures::{StreamExt, stream};
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::Event;
/// use kube_weir::EventStreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # kube_weir::testing::fixture::run(async {
/// let mut settings = ConfigMap::default();
/// settings.metadata.namespace = Some("web".into());
/// settings.metadata.name = Some("settings".into());
///
/// let events = stream::iter([Event::Init, Event::InitApply(settings), Event::InitDone]);
/// let mut changes = pin!(events
///     .filter_fields("metadata.managedFields")?
///     .index(())
///     .debounce(Duration::from_millis(500))
///     .log_errors());
///
/// let snapshot = changes.first_synced().await?;
/// assert!(snapshot.get("web/settings").is_some());
/// # Ok(()) });
/// ```
pub trait EventStreamExt: Stream {
    /// Drops these fields of every object: a path as text, several paths in an array or separated by commas,
    /// or a [`FieldFilter`].
    ///
    /// On [`Watch`](crate::Watch) the method of this name drops the fields while decoding, at no
    /// cost; here each object is decoded already, and is built anew without the fields. If that fails, the
    /// item is an [`is_undecodable`](Error::is_undecodable) error.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a text is no path, or is the path of a field that identifies the
    /// object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let large = json!({ "metadata": { "namespace": "web", "name": "large" }, "data": { "key": "value" } });
    /// let mut changes = Events::listed([from_value::<ConfigMap>(large)?])
    ///     .filter_fields("data")?
    ///     .index(());
    ///
    /// let snapshot = changes.first_synced().await?;
    /// assert_eq!(snapshot.get("web/large").unwrap().data, None);
    /// # Ok(()) });
    /// ```
    #[doc(alias("transform", "SetTransform", "TransformFunc"))]
    fn filter_fields<K>(
        self,
        filter: impl TryInto<FieldFilter, Error: Into<Error>>,
    ) -> Result<FilterFields<Self, K>, Error>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Lookup + Serialize + DeserializeOwned,
    {
        given(filter).map(|filter| FilterFields::new(self, filter))
    }

    /// Passes only objects that match a [`FieldSelector`] or its text. For the stages downstream, an object
    /// that starts to match is created, and an object that stops matching is deleted.
    ///
    /// Put this before [`filter_fields`](EventStreamExt::filter_fields) if it selects on a field that
    /// is dropped there; on [`Watch`](crate::Watch) the order doesn't matter.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the text is no selector.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::settings}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let second = Duration::from_secs(1);
    /// let events = Events::listed([settings("info")])
    ///     .apply(settings("debug"))
    ///     .wait(second)
    ///     .apply(settings("warn"));
    /// let mut changes = events
    ///     .matching("data.level=debug")?
    ///     .index(())
    ///     .log_errors();
    ///
    /// assert!(changes.first_synced().await?.is_empty());
    /// let stats: Vec<_> = changes.map(|change| change.batch().unwrap().stats()).collect().await;
    /// assert_eq!((stats[0].created, stats[1].deleted), (1, 1));
    /// # Ok(()) });
    /// ```
    #[doc(alias("predicate", "predicate_filter", "WithEventFilter"))]
    fn matching<K>(
        self,
        selector: impl TryInto<FieldSelector, Error: Into<Error>>,
    ) -> Result<Matching<Self, K>, Error>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Serialize + 'static,
    {
        given(selector).map(|selector| Matching::new(self, Condition::Fields(selector)))
    }

    /// Passes only objects that a closure selects; otherwise like [`matching`](EventStreamExt::matching).
    /// `name` describes the selection in [`Scope::selectors`](crate::Scope::selectors) and wherever these are
    /// shown. The closure must always return the same for the same object.
    ///
    /// ```
    /// use k8s_openapi::api::networking::v1::Ingress;
    /// use kube_weir::{prelude::*, testing::{Events, fixture::ingress}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// fn is_short(ingress: &Ingress) -> bool {
    ///     let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    ///     rules.filter_map(|rule| rule.host.as_ref()).all(|host| host.len() < 10)
    /// }
    ///
    /// let events = Events::listed([ingress("short", "a.example"), ingress("long", "shop.example")]);
    /// let mut short = events.matching_with("short", is_short).index(());
    /// let snapshot = short.first_synced().await?;
    /// assert!(snapshot.get("web/short").is_some());
    /// assert!(snapshot.get("web/long").is_none());
    ///
    /// let what_if = snapshot.overlay().apply(ingress("another", "blog.example"))?.build();
    /// assert_eq!(what_if.len(), 1, "an overlay selects likewise");
    /// # Ok(()) });
    /// ```
    fn matching_with<K>(
        self,
        name: impl Into<Arc<str>>,
        holds: impl Fn(&K) -> bool + Send + Sync + 'static,
    ) -> Matching<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Serialize + 'static,
    {
        Matching::new(self, Condition::Named(Named::new(name, holds)))
    }

    /// Stores and indexes the objects, and turns the events into changes.
    ///
    /// All ready events, at most 1,024 per poll, become one snapshot and one net change. A relist yields only
    /// the differences, often none.
    ///
    /// An [`Overlay`](crate::Overlay) of a snapshot applies the stages directly before this
    /// one; a stream that was boxed in between hides them. [`Watch`](crate::Watch) has its own
    /// [`Watch::index`](crate::Watch::index), which decodes less in a relist.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1), config_map("b", 2)]) // a list,
    ///     .list([config_map("a", 1), config_map("c", 3)]); // and a relist
    /// let mut changes = events.index(()).log_errors();
    ///
    /// assert_eq!(changes.first_synced().await?.len(), 2);
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!((batch.stats().created, batch.stats().deleted), (1, 1)); // `c` and `b`
    /// # Ok(()) });
    /// ```
    #[doc(alias("reflector", "reflect", "indexer", "store"))]
    fn index<K>(self, indexes: impl Indexes<K>) -> Indexed<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Lookup,
    {
        Indexed::new(self, IndexSet::of(indexes), Arc::default())
    }

    /// Merges changes in quick succession into one net change.
    ///
    /// [`Synced`](crate::Change::Synced) passes at once. Errors pass at once, too, and delay nothing.
    /// At the end of the stream the held back changes are delivered. While the consumer is busy,
    /// changes merge; at most one item is queued.
    ///
    /// A plain [`Duration`](std::time::Duration) is a [`Debounce::interval`]: see [`Debounce`] for
    /// the choice.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let storm = (1..=100).fold(Events::listed([]), |events, version| {
    ///     events.apply(config_map("a", version)).wait(Duration::from_millis(1))
    /// });
    /// let changes = storm.index(()).debounce(Duration::from_millis(500));
    /// let changes: Vec<_> = changes.log_errors().collect().await;
    ///
    /// let [Change::Synced(_), Change::Live(first), Change::Live(rest)] = &changes[..] else { panic!() };
    /// assert_eq!((first.stats().created, rest.stats().modified), (1, 1));
    /// # Ok(()) });
    /// ```
    #[doc(alias("work queue", "workqueue", "rate limit", "debouncer"))]
    fn debounce<K>(self, debounce: impl Into<Debounce>) -> Debounced<Self, K>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Sized,
        K: Subject,
    {
        Debounced::new(self, debounce.into())
    }

    /// Passes changes only while this replica leads.
    ///
    /// The stream upstream is polled all the time, so a follower's store is as fresh as the
    /// leader's. When this replica becomes the leader, the first item is the current state, as
    /// [`Synced`](crate::Change::Synced), followed by the changes: nothing is lost between leaders.
    /// So `Synced` is yielded once per [`Term`](crate::Term). Errors pass at any time.
    ///
    /// Each change is yielded with its term: [guard](crate::Term::guard) the work
    /// with it. This must be the last stage: a debounce behind it, which could deliver a change after its
    /// term, does not compile.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Election, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let campaign =
    ///     Election::new(client.clone(), LeaseRef::new("default", "web"), "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// tokio::spawn(campaign.log_errors().for_each(|_| async {}));
    ///
    /// let mut changes = pin!(watch(Api::<ConfigMap>::all(client))
    ///     .index(())
    ///     .while_leading(&leadership)
    ///     .log_errors());
    /// let Some((term, Change::Synced(_))) = changes.next().await else { panic!() };
    /// term.guard(async { /* write what follows from it */ }).await?;
    /// # Ok(()) });
    /// ```
    fn while_leading<K>(self, leadership: &LeadershipWatch) -> WhileLeading<Self, K>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Sized,
        K: Subject,
    {
        WhileLeading::new(self, leadership)
    }

    /// Turns the changes back into events like those of kube's watcher: for kube's
    /// [`Controller`](kube::runtime::Controller), `reflector` and
    /// [`WatchStreamExt`](kube::runtime::WatchStreamExt).
    ///
    /// Each [`Synced`](crate::Change::Synced) becomes a list, including those of later
    /// [terms](EventStreamExt::while_leading); live changes become
    /// [`Apply`](kube::runtime::watcher::Event::Apply) and
    /// [`Delete`](kube::runtime::watcher::Event::Delete). An object that was deleted and created anew
    /// becomes both. Objects are copied, because kube's events own them.
    ///
    /// The stream yields no `Err` for a failure of the pipeline: at an error a `Controller` pauses all of its
    /// triggers for a while. So put [`log_errors`](EventStreamExt::log_errors) before this stage.
    ///
    /// ```
    /// use kube::runtime::{WatchStreamExt, reflector};
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let (reader, writer) = reflector::store();
    /// let configs = Events::listed([config_map("a", 1)])
    ///     .apply(config_map("b", 2))
    ///     .index(())
    ///     .log_errors()
    ///     .into_events()
    ///     .reflect(writer)
    ///     .applied_objects(); // with `reader`, what `Controller::for_stream` takes
    ///
    /// let names: Vec<_> = configs.map(|config| config.unwrap().metadata.name.unwrap()).collect().await;
    /// assert_eq!(names, ["a", "b"]);
    /// assert_eq!(reader.len(), 2);
    /// # Ok(()) });
    /// ```
    #[doc(alias("Controller", "reconciler"))]
    fn into_events<K>(self) -> IntoEvents<Self, K>
    where
        Self: Stream<Item = Change<K>> + Sized,
        K: Lookup + Clone,
    {
        IntoEvents::new(self)
    }

    /// Logs errors (`tracing`, level WARN) and removes them from the stream.
    ///
    /// An error is an observation, not the end of the stream: a loop that exits at the first `Err` stops
    /// watching at the first lost connection.
    ///
    /// ```
    /// use kube::runtime::watcher;
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = || {
    ///     let lost = watcher::Error::NoResourceVersion;
    ///     Events::listed([config_map("a", 1)]).fail(lost).apply(config_map("b", 2))
    /// };
    /// let items: Vec<_> = events().index(()).collect().await;
    /// assert!(items[0].is_ok() && items[1].is_err() && items[2].is_ok());
    /// let changes: Vec<_> = events().index(()).log_errors().collect().await;
    /// assert_eq!(changes.len(), 2);
    /// # Ok(()) });
    /// ```
    fn log_errors<T>(self) -> LogErrors<Self>
    where
        Self: Stream<Item = Result<T, Error>> + Sized,
    {
        LogErrors::new(self)
    }

    /// Runs the stream in its own task, if only its store is needed and not its items.
    ///
    /// A stream works only while it is polled. Usually a loop over its items polls it. If all consumers use
    /// [`Store::changes`](crate::Store::changes), so that none of them can hold up the others, spawn the
    /// stream instead. It then runs until it ends, or until [`Spawned::stop`]; awaiting the handle returns
    /// how it ended, and dropping the handle detaches the stream, as with [`tokio::spawn`]. Errors are logged
    /// as by [`log_errors`](EventStreamExt::log_errors).
    ///
    /// # Panics
    ///
    /// If called outside of a Tokio runtime, like [`tokio::spawn`].
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let configs = watch(Api::<ConfigMap>::all(client)).index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    ///
    /// // As many as you like, at any time, each at its own pace.
    /// let mut fast = store.changes();
    /// let mut slow = pin!(store.changes().debounce(Duration::from_secs(5)));
    /// assert!(matches!(fast.next().await, Some(Ok(Change::Synced(_)))));
    /// assert!(matches!(slow.next().await, Some(Ok(Change::Synced(_)))));
    ///
    /// driving.stop();
    /// assert!(fast.next().await.is_none());
    /// # Ok(()) });
    /// ```
    fn spawn<T>(self) -> Spawned
    where
        Self: Stream<Item = Result<T, Error>> + Sized + Send + 'static,
    {
        Spawned::new(self)
    }

    /// Polls the stream until its [`Synced`](crate::Change::Synced) item, and returns the snapshot,
    /// or the [`World`](crate::World).
    ///
    /// Items before `Synced` are dropped: errors, and `InitialSync` batches, whose content is in the
    /// snapshot. To give up on a kind that can't be listed, use [`Store::synced`](crate::Store::synced).
    ///
    /// # Errors
    ///
    /// [`is_ended`](Error::is_ended) if the stream ends without `Synced`, with the last error as source.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item but those described above.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::watcher::Event;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// assert!(Events::<ConfigMap>::listed([]).index(()).first_synced().await?.is_empty());
    ///
    /// let cut_off = Events::<ConfigMap>::new().event(Event::Init); // and no end of the list
    /// assert!(cut_off.index(()).first_synced().await.unwrap_err().is_ended());
    /// # Ok(()) });
    /// ```
    #[doc(alias("WaitForCacheSync", "HasSynced"))]
    fn first_synced<K>(&mut self) -> impl Future<Output = Result<K::State, Error>>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Unpin,
        K: Subject,
    {
        async {
            let mut last = None;
            while let Some(item) = self.next().await {
                match item.into_change() {
                    Ok(change) => {
                        if let Phase::Synced(state) = K::phase(&change) {
                            return Ok(state);
                        }
                    }
                    Err(error) => last = Some(error),
                }
            }
            let message = "the stream ended before it was synced";
            Err(match last {
                Some(error) => Error::with_source(ErrorKind::Ended, message, error),
                None => Error::new(ErrorKind::Ended, message),
            })
        }
    }
}

impl<S: Stream + ?Sized> EventStreamExt for S {}
