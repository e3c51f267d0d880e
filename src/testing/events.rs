//! Streams of events without a server.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{Stream, stream::FusedStream};
use tokio::time::{Sleep, sleep};

use crate::{
    error::Error,
    event::{Collection, WatchEvent},
};

/// A scripted stream of watch events: for tests of the stages behind a watch, without a server.
///
/// ```
/// use futures::StreamExt;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Change, EventStreamExt, testing::Events};
/// use std::time::Duration;
///
/// # kube_weir::testing::fixture::run(async {
/// let settings = |version: u32| {
///     let mut settings = ConfigMap::default();
///     settings.metadata.name = Some("settings".into());
///     settings.metadata.resource_version = Some(version.to_string());
///     settings
/// };
/// let events = Events::listed([settings(1)])
///     .apply(settings(2))
///     .wait(Duration::from_millis(100))
///     .apply(settings(3))
///     .wait(Duration::from_millis(100))
///     .delete(settings(4));
///
/// let pipeline = events
///     .index(())
///     .debounce(Duration::from_millis(500))
///     .log_errors();
/// let changes: Vec<_> = pipeline.collect().await;
///
/// // The first change is delivered at once, the following ones together.
/// let [Change::Synced(snapshot), Change::Live(first), Change::Live(rest)] = &changes[..] else {
///     panic!("{changes:?}")
/// };
/// assert_eq!(snapshot.len(), 1);
/// assert_eq!(first.stats().modified, 1);
/// assert_eq!(rest.stats().deleted, 1);
/// # Ok(()) });
/// ```
#[doc(alias("FakeWatcher", "mock"))]
#[must_use = "streams do nothing unless polled"]
pub struct Events<K> {
    steps: VecDeque<Step<K>>,
    waiting: Option<Pin<Box<Sleep>>>,
    open: bool,
}

enum Step<K> {
    Item(Result<WatchEvent<K>, Error>),
    Wait(Duration),
}

impl<K> Events<K> {
    /// Returns a stream without events, not even the list with which every watch begins: for that use
    /// [`listed`](Events::listed).
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::testing::Events;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut events = Events::<ConfigMap>::new();
    /// assert!(events.next().await.is_none());
    /// # Ok(()) });
    /// ```
    pub fn new() -> Self {
        Self { steps: VecDeque::new(), waiting: None, open: false }
    }

    /// Returns a stream that begins like every watch: with a complete list, of these objects. See the
    /// [example](Events).
    pub fn listed(objects: impl IntoIterator<Item = K>) -> Self {
        Self::new().list(objects)
    }

    /// Adds a complete list of the cluster: `Restarted`, `Listed` for each object, `ListComplete`. After
    /// the first list it is a relist, and objects missing in it were deleted meanwhile.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use kube_weir::{Change, EventStreamExt, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 1)]).list([]);
    /// let mut changes = events.index(());
    /// assert_eq!(changes.first_synced().await?.len(), 1);
    /// let Some(Ok(Change::Live(batch))) = changes.next().await else { panic!() };
    /// assert_eq!(batch.stats().deleted, 1);
    /// # Ok(()) });
    /// ```
    pub fn list(self, objects: impl IntoIterator<Item = K>) -> Self {
        let collection = Collection::cluster();
        let restarted = WatchEvent::Restarted { collection: collection.clone(), anew: false };
        let begun = self.event(restarted);
        let objects = objects.into_iter().map(WatchEvent::Listed);
        let listed = objects.fold(begun, Self::event);
        listed.event(WatchEvent::ListComplete { collection, version: None })
    }

    /// Adds the creation or modification of an object. Use a new `resourceVersion` for each version: a
    /// repeated one is no change. [Example](Events).
    pub fn apply(self, object: K) -> Self {
        self.event(WatchEvent::Applied(object))
    }

    /// Adds the deletion of an object, given in its last version: [example](Events).
    pub fn delete(self, object: K) -> Self {
        self.event(WatchEvent::Deleted(object))
    }

    /// Adds any event of this crate or kube: for events that the other methods don't send, such as a
    /// bookmark, or a list that never completes.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::watcher::Event;
    /// use kube_weir::{WatchEvent, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut events = Events::<ConfigMap>::new().event(Event::Init).stay_open();
    /// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Restarted { .. }))));
    /// # Ok(()) });
    /// ```
    pub fn event(self, event: impl Into<WatchEvent<K>>) -> Self {
        self.step(Step::Item(Ok(event.into())))
    }

    /// Adds a failure, such as a [`kube::runtime::watcher::Error`]. The stream continues after it.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::watcher::Event;
    /// use kube::runtime::watcher;
    /// use kube_weir::{WatchEvent, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let failure = watcher::Error::NoResourceVersion;
    /// let events = Events::<ConfigMap>::new().fail(failure).event(Event::Init);
    /// let items: Vec<_> = events.collect().await;
    /// assert!(matches!(&items[..], [Err(_), Ok(WatchEvent::Restarted { .. })]));
    /// # Ok(()) });
    /// ```
    pub fn fail(self, error: impl Into<Error>) -> Self {
        self.step(Step::Item(Err(error.into())))
    }

    /// Adds a pause, in the time of [`tokio::time`].
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::watcher::Event;
    /// use kube_weir::testing::Events;
    /// use std::time::Duration;
    /// use tokio::time::Instant;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let hour = Duration::from_secs(3600);
    /// let mut events = Events::<ConfigMap>::new().wait(hour).event(Event::Init);
    /// let begun = Instant::now();
    /// events.next().await;
    /// assert!(begun.elapsed() >= hour, "of a clock that is paused");
    /// # Ok(()) });
    /// ```
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Keeps the stream open after the last event, like an idle watch. By default the stream ends.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::testing::Events;
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut events = Events::<ConfigMap>::new().stay_open();
    /// assert!(timeout(Duration::from_secs(3600), events.next()).await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn stay_open(mut self) -> Self {
        self.open = true;
        self
    }

    fn step(mut self, step: Step<K>) -> Self {
        self.steps.push_back(step);
        self
    }
}

impl<K> Default for Events<K> {
    fn default() -> Self {
        Self::new()
    }
}

// Only the timer is pinned, in its own box.
impl<K> Unpin for Events<K> {}

impl<K> Stream for Events<K> {
    type Item = Result<WatchEvent<K>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
            }
            match self.steps.pop_front() {
                Some(Step::Item(item)) => return Poll::Ready(Some(item)),
                Some(Step::Wait(time)) => self.waiting = Some(Box::pin(sleep(time))),
                None if self.open => return Poll::Pending,
                None => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let items = self.steps.iter().filter(|step| matches!(step, Step::Item(_))).count();
        (items, Some(items))
    }
}

impl<K> FusedStream for Events<K> {
    fn is_terminated(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none() && !self.open
    }
}

impl<K> fmt::Debug for Events<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("left", &self.steps.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::watcher::Event;
    use tokio::time::{Instant, timeout};

    use super::*;

    fn failure() -> Error {
        kube::runtime::watcher::Error::NoResourceVersion.into()
    }

    #[tokio::test(start_paused = true)]
    async fn events_come_as_they_are_written_down() {
        let one = ConfigMap::default;
        let events = Events::listed([one(), one()])
            .fail(failure())
            .wait(Duration::from_secs(3))
            .event(Event::Init)
            .apply(one());
        assert_eq!(events.size_hint(), (7, Some(7)));
        let started = Instant::now();
        let kinds: Vec<_> = events
            .map(|item| match item {
                Ok(WatchEvent::Restarted { .. }) => 'i',
                Ok(WatchEvent::Listed(_)) => 'o',
                Ok(WatchEvent::ListComplete { .. }) => 'd',
                Ok(WatchEvent::Applied(_)) => 'a',
                Ok(WatchEvent::Deleted(_)) => 'x',
                Ok(_) => '?',
                Err(_) => 'e',
            })
            .collect()
            .await;
        assert_eq!(kinds.iter().collect::<String>(), "ioodeia");
        assert_eq!(started.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_neither_ends_nor_says_more() {
        let mut events = Events::<ConfigMap>::new().event(Event::Init).stay_open();
        assert!(events.next().await.is_some());
        assert!(timeout(Duration::from_secs(600), events.next()).await.is_err());
        assert!(!events.is_terminated());
        let mut ended = Events::<ConfigMap>::new();
        assert!(ended.next().await.is_none() && ended.is_terminated());
    }
}
