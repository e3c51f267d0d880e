//! All stages of a pipeline, as methods.

use std::future::Future;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::Lookup;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    adapters::{
        ChangeItem, Debounce, Debounced, EventItem, FilterFields, Indexed, LogErrors, Matching,
        Spawned, WhileLeading,
        subject::{Phase, Subject},
    },
    error::{Error, Reason},
    filter::{FieldFilter, FieldSelector},
    index::IndexBy,
    leader::LeadershipWatch,
    strain::Strainer,
};

/// The stages of a pipeline, for any stream of kube's watcher
/// [`Event`](kube::runtime::watcher::Event)s: [`watch`](crate::watch),
/// [`kube::runtime::watcher()`], or a mock.
///
/// ```
/// use futures::{StreamExt, stream};
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::Event;
/// use kube_weir::{Change, EventStreamExt, FieldFilter, IndexBy};
/// use std::{pin::pin, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
/// let mut settings = ConfigMap::default();
/// settings.metadata.name = Some("settings".into());
///
/// let events = stream::iter([Event::Init, Event::InitApply(settings), Event::InitDone]);
/// let mut changes = pin!(events
///     .filter_fields(FieldFilter::new(["metadata.managedFields"])?)
///     .index(IndexBy::path("metadata.name")?)
///     .debounce(Duration::from_millis(500))
///     .log_errors());
///
/// let snapshot = changes.first_synced().await?;
/// assert!(snapshot.get_one(["settings"])?.is_some());
/// # Ok(()) }
/// ```
pub trait EventStreamExt: Stream {
    /// Drops the ignored fields of every object.
    ///
    /// On [`Watch`](crate::Watch) the method of the same name drops them while decoding, which
    /// costs nothing; here each object has been built already and is built anew without them. An
    /// object that can't be is an [`is_undecodable`](Error::is_undecodable) item.
    fn filter_fields<K>(self, filter: FieldFilter) -> FilterFields<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Lookup + Serialize + DeserializeOwned,
    {
        FilterFields::new(self, filter, Strainer::default())
    }

    /// Lets only objects through that match. One that begins to match is created for those
    /// downstream, one that ceases to is deleted.
    ///
    /// Put it before [`filter_fields`](EventStreamExt::filter_fields) if it selects on a field that
    /// is dropped there; on [`Watch`](crate::Watch) the order doesn't matter.
    fn matching<K>(self, selector: FieldSelector) -> Matching<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Serialize + 'static,
    {
        Matching::new(self, selector, Strainer::default())
    }

    /// Stores and indexes the objects, and turns the events into changes.
    ///
    /// An [`Overlay`](crate::Overlay) of a snapshot knows the stages that stand right before this
    /// one; a stream that was boxed in between hides them.
    fn index<K>(self, by: IndexBy<K>) -> Indexed<Self, K>
    where
        Self: Stream<Item: EventItem<Object = K>> + Sized,
        K: Lookup,
    {
        Indexed::new(self, by)
    }

    /// Merges changes that come in quick succession into one net change.
    ///
    /// [`Synced`](crate::Change::Synced) passes at once. Errors pass at once too, and hold nothing
    /// up. At the end of the stream what is held back goes out. While the consumer is busy,
    /// changes merge; no more than one item waits.
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
    /// [`Synced`](crate::Change::Synced), and then what changes: nothing is lost between leaders. So
    /// `Synced` comes once a [`Term`](crate::Term) here. Errors pass at any time.
    ///
    /// Put it last: what a stage behind it holds back may come out when the term is over. And ask
    /// the term, or [guard](crate::Term::guard) the work, at the moment of writing.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Change, Election, IndexBy, LeaseRef, prelude::*, testing::ApiServer, watch};
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
    ///     .index(IndexBy::path("metadata.name")?)
    ///     .while_leading(&leadership)
    ///     .log_errors());
    /// assert!(matches!(changes.next().await, Some(Change::Synced(_))));
    /// assert!(leadership.is_leading());
    /// # Ok(()) }
    /// ```
    fn while_leading<K>(self, leadership: &LeadershipWatch) -> WhileLeading<Self, K>
    where
        Self: Stream<Item: ChangeItem<Object = K>> + Sized,
        K: Subject,
    {
        WhileLeading::new(self, leadership)
    }

    /// Logs errors (`tracing`, level WARN) and takes them out of the stream.
    ///
    /// An error is an observation, not an end: a loop that leaves at the first `Err` stops
    /// watching at the first lost connection.
    fn log_errors<T>(self) -> LogErrors<Self>
    where
        Self: Stream<Item = Result<T, Error>> + Sized,
    {
        LogErrors::new(self)
    }

    /// Runs the stream in a task of its own, for who reads its store and not its items.
    ///
    /// A stream works while it is polled. The one who polls it may be a loop over its items; where
    /// all consumers are [`Store::changes`](crate::Store::changes), so that none of them may hold up
    /// the others, it is this. Dropping the handle stops the stream, and awaiting it tells how it
    /// ended. Errors are logged as by [`log_errors`](EventStreamExt::log_errors).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Change, IndexBy, prelude::*, testing::ApiServer, watch};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let client = ApiServer::new().client();
    /// let configs = watch(Api::<ConfigMap>::all(client)).index(IndexBy::path("metadata.namespace")?);
    /// let store = configs.store();
    /// let driving = configs.spawn();
    ///
    /// // As many as you like, at any time, each at its own pace.
    /// let mut fast = store.changes();
    /// let mut slow = pin!(store.changes().debounce(Duration::from_secs(5)));
    /// assert!(matches!(fast.next().await, Some(Ok(Change::Synced(_)))));
    /// assert!(matches!(slow.next().await, Some(Ok(Change::Synced(_)))));
    ///
    /// drop(driving);
    /// assert!(fast.next().await.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, as [`tokio::spawn`] does.
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
                Some(error) => Error::with_source(Reason::Ended, message, error),
                None => Error::new(Reason::Ended, message),
            })
        }
    }
}

impl<S: Stream + ?Sized> EventStreamExt for S {}
