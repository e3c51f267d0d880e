//! All stages of a pipeline, as methods.

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
/// use kube_weir::{Change, EventStreamExt};
/// use std::{pin::pin, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
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
/// # Ok(()) }
/// ```
pub trait EventStreamExt: Stream {
    /// Drops these fields of every object: one path as text, several in an array or with commas between
    /// them, or a [`FieldFilter`].
    ///
    /// On [`Watch`](crate::Watch) the method of the same name drops them while decoding, which
    /// costs nothing; here each object has been built already and is built anew without them. An
    /// object that can't be is an [`is_undecodable`](Error::is_undecodable) item.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if one is no path, or of a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let large = json!({ "metadata": { "namespace": "web", "name": "large" }, "data": { "key": "value" } });
    /// let mut changes = Events::listed([from_value::<ConfigMap>(large)?])
    ///     .filter_fields("data")?
    ///     .index(());
    ///
    /// let snapshot = changes.first_synced().await?;
    /// assert_eq!(snapshot.get("web/large").unwrap().data, None);
    /// # Ok(()) }
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

    /// Lets only objects through that match text or a [`FieldSelector`]. One that begins to match is created for those
    /// downstream, one that ceases to is deleted.
    ///
    /// Put it before [`filter_fields`](EventStreamExt::filter_fields) if it selects on a field that
    /// is dropped there; on [`Watch`](crate::Watch) the order doesn't matter.
    ///
    /// # Errors
    ///
    /// [`is_selector`](Error::is_selector) if the text is no selector.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    /// # fn level(level: &str) -> ConfigMap {
    /// #     let object = serde_json::json!({ "metadata": { "name": "a" }, "data": { "level": level } });
    /// #     serde_json::from_value(object).unwrap()
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let second = Duration::from_secs(1);
    /// let events = Events::listed([level("info")]).apply(level("debug")).wait(second).apply(level("warn"));
    /// let mut changes = events
    ///     .matching("data.level=debug")?
    ///     .index(())
    ///     .log_errors();
    ///
    /// assert!(changes.first_synced().await?.is_empty());
    /// let stats: Vec<_> = changes.map(|change| change.batch().unwrap().stats()).collect().await;
    /// assert_eq!((stats[0].created, stats[1].deleted), (1, 1));
    /// # Ok(()) }
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

    /// Lets only objects through that a closure selects, as [`matching`](EventStreamExt::matching)
    /// does. The name says in [`Scope::selectors`](crate::Scope::selectors), and wherever that is
    /// shown, what it selects. For the same object the closure must always say the same.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    /// # fn config(name: &str, keys: &[&str]) -> ConfigMap {
    /// #     let data: std::collections::BTreeMap<_, _> = keys.iter().map(|key| (key, "")).collect();
    /// #     serde_json::from_value(serde_json::json!({ "metadata": { "namespace": "web", "name": name }, "data": data })).unwrap()
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = Events::listed([config("small", &["a"]), config("large", &["a", "b", "c"])]);
    /// let mut large = events
    ///     .matching_with("large", |config| config.data.as_ref().is_some_and(|own| own.len() > 2))
    ///     .index(());
    /// let snapshot = large.first_synced().await?;
    /// assert!(snapshot.get("web/large").is_some());
    /// assert!(snapshot.get("web/small").is_none());
    ///
    /// let what_if = snapshot.overlay().apply(config("another", &["a", "b"]))?.build();
    /// assert_eq!(what_if.len(), 1, "an overlay selects likewise");
    /// # Ok(()) }
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
    /// What is ready is taken in together, at most 1,024 events a poll: one snapshot, and one net
    /// change. Relists show as what differs, often nothing.
    ///
    /// An [`Overlay`](crate::Overlay) of a snapshot knows the stages that stand right before this
    /// one; a stream that was boxed in between hides them. On a [`Watch`](crate::Watch) this is a
    /// method of its own, [`Watch::index`](crate::Watch::index), which decodes less when it lists
    /// again.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = Events::listed([config("a", 1), config("b", 2)]) // a list,
    ///     .list([config("a", 1), config("c", 3)]); // and a relist
    /// let mut changes = events.index(()).log_errors();
    ///
    /// assert_eq!(changes.first_synced().await?.len(), 2);
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!((batch.stats().created, batch.stats().deleted), (1, 1)); // `c` and `b`
    /// # Ok(()) }
    /// ```
    #[doc(alias("reflector", "reflect", "indexer", "store"))]
    fn index<K>(self, indexes: impl Indexes<K>) -> Indexed<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Lookup,
    {
        Indexed::new(self, IndexSet::of(indexes), Arc::default())
    }

    /// Merges changes that come in quick succession into one net change.
    ///
    /// [`Synced`](crate::Change::Synced) passes at once. Errors pass at once too, and hold nothing
    /// up. At the end of the stream what is held back goes out. While the consumer is busy,
    /// changes merge; no more than one item waits.
    ///
    /// A plain [`Duration`](std::time::Duration) is a [`Debounce::interval`]: see [`Debounce`] for
    /// the choice.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let storm = (1..=100).fold(Events::listed([]), |events, version| {
    ///     events.apply(config("a", version)).wait(Duration::from_millis(1))
    /// });
    /// let changes = storm.index(()).debounce(Duration::from_millis(500));
    /// let changes: Vec<_> = changes.log_errors().collect().await;
    ///
    /// let [Change::Synced(_), Change::Live(first), Change::Live(rest)] = &changes[..] else { panic!() };
    /// assert_eq!((first.stats().created, rest.stats().modified), (1, 1));
    /// # Ok(()) }
    /// ```
    #[doc(alias("work queue", "workqueue", "rate limit", "debouncer"))]
    fn debounce<K>(self, debounce: impl Into<Debounce>) -> Debounced<Self, K>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Sized,
        K: Subject,
    {
        Debounced::new(self, debounce.into())
    }

    /// Lets changes through only while this replica leads.
    ///
    /// The stream upstream is polled all the time, so a follower's store is as fresh as the
    /// leader's. On gaining the leadership the current state comes first, as
    /// [`Synced`](crate::Change::Synced), and then what changes: nothing is lost between leaders.
    /// So `Synced` comes once a [`Term`](crate::Term) here. Errors pass at any time.
    ///
    /// Each change comes with the term in which it was delivered: [guard](crate::Term::guard) the work
    /// with it. So this stage is the last one: a debounce behind it, which could deliver a change when its
    /// term is over, does not compile.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let server = ApiServer::new();
    /// # let client = server.client();
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
    /// # Ok(()) }
    /// ```
    fn while_leading<K>(self, leadership: &LeadershipWatch) -> WhileLeading<Self, K>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Sized,
        K: Subject,
    {
        WhileLeading::new(self, leadership)
    }

    /// Turns the changes back into events, as kube's watcher gives them: for its
    /// [`Controller`](kube::runtime::Controller), `reflector` and
    /// [`WatchStreamExt`](kube::runtime::WatchStreamExt).
    ///
    /// [`Synced`](crate::Change::Synced) becomes a list, also when it comes again, with the next
    /// [term](EventStreamExt::while_leading); what is live becomes
    /// [`Apply`](kube::runtime::watcher::Event::Apply) and
    /// [`Delete`](kube::runtime::watcher::Event::Delete). An object that was deleted and created anew
    /// is both. Objects are copied, since kube's events own theirs.
    ///
    /// There is never an `Err`: a `Controller` stops all of its triggers for a while at one, whichever
    /// it came from. So [`log_errors`](EventStreamExt::log_errors) goes before this.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::{WatchStreamExt, reflector};
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let named = |name: &str| {
    /// #     let mut config = ConfigMap::default();
    /// #     config.metadata.name = Some(name.into());
    /// #     config
    /// # };
    /// let (reader, writer) = reflector::store();
    /// let configs = Events::listed([named("a")])
    ///     .apply(named("b"))
    ///     .index(())
    ///     .log_errors()
    ///     .into_events()
    ///     .reflect(writer)
    ///     .applied_objects(); // with `reader`, what `Controller::for_stream` takes
    ///
    /// let names: Vec<_> = configs.map(|config| config.unwrap().metadata.name.unwrap()).collect().await;
    /// assert_eq!(names, ["a", "b"]);
    /// assert_eq!(reader.len(), 2);
    /// # Ok(()) }
    /// ```
    #[doc(alias("Controller", "reconciler"))]
    fn into_events<K>(self) -> IntoEvents<Self, K>
    where
        Self: Stream<Item = Change<K>> + Sized,
        K: Lookup + Clone,
    {
        IntoEvents::new(self)
    }

    /// Logs errors (`tracing`, level WARN) and takes them out of the stream.
    ///
    /// An error is an observation, not an end: a loop that leaves at the first `Err` stops
    /// watching at the first lost connection.
    ///
    /// ```
    /// use kube::runtime::watcher;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = || {
    ///     let lost = watcher::Error::NoResourceVersion;
    ///     Events::listed([config("a", 1)]).fail(lost).apply(config("b", 2))
    /// };
    /// let items: Vec<_> = events().index(()).collect().await;
    /// assert!(items[0].is_ok() && items[1].is_err() && items[2].is_ok());
    /// let changes: Vec<_> = events().index(()).log_errors().collect().await;
    /// assert_eq!(changes.len(), 2);
    /// # Ok(()) }
    /// ```
    fn log_errors<T>(self) -> LogErrors<Self>
    where
        Self: Stream<Item = Result<T, Error>> + Sized,
    {
        LogErrors::new(self)
    }

    /// Runs the stream in a task of its own, for who reads its store and not its items.
    ///
    /// A stream works while it is polled. The one who polls it may be a loop over its items; where
    /// all consumers are [`Store::changes`](crate::Store::changes), so that none of them may hold
    /// up the others, it is this. The stream then runs until it ends, or until
    /// [`Spawned::stop`]; awaiting the handle returns how it ended, and dropping it detaches the stream, as
    /// with [`tokio::spawn`]. Errors are logged as by [`log_errors`](EventStreamExt::log_errors).
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, as [`tokio::spawn`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let client = ApiServer::new().client();
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
    /// # Ok(()) }
    /// ```
    fn spawn<T>(self) -> Spawned
    where
        Self: Stream<Item = Result<T, Error>> + Sized + Send + 'static,
    {
        Spawned::new(self)
    }

    /// Polls the stream until its [`Synced`](crate::Change::Synced) item, and gives the snapshot,
    /// or the [`World`](crate::World).
    ///
    /// Items before it are dropped: `InitialSync` batches, whose content is in the snapshot, and
    /// errors. To give up on a kind that can't be listed, use
    /// [`Store::synced`](crate::Store::synced).
    ///
    /// # Errors
    ///
    /// [`is_ended`](Error::is_ended) if the stream ends without it, with the last error as source.
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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// assert!(Events::<ConfigMap>::listed([]).index(()).first_synced().await?.is_empty());
    ///
    /// let cut_off = Events::<ConfigMap>::new().event(Event::Init); // and no end of the list
    /// assert!(cut_off.index(()).first_synced().await.unwrap_err().is_ended());
    /// # Ok(()) }
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
