//! `debounce`: merges changes in quick succession into one.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, stream::FusedStream, task::AtomicWaker};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::{
    has_store::{HasStore, sealed},
    item::ChangeItem,
    subject::{Phase, Subject},
};
use crate::{
    clock::{after, is_over},
    error::{Error, poll_caught},
    measure,
};

/// Maximum number of items taken per poll before yielding to the executor.
const RUN: usize = 64;

/// Schedule by which changes in quick succession are merged and delivered.
///
/// The default is an [`interval`](Debounce::interval) of 500 ms; a plain [`Duration`] is an interval, too.
/// Times are those of [`tokio::time`], which a test can pause. A configuration can give a debounce as
/// [text](Debounce::parse).
///
/// ```
/// use std::time::Duration;
/// use kube_weir::Debounce;
///
/// let ms = Duration::from_millis;
/// assert_eq!(Debounce::default(), Debounce::interval(ms(500)));
/// assert_eq!(Debounce::from(ms(200)), Debounce::interval(ms(200))); // what `.debounce(duration)` is
/// assert_eq!(Debounce::quiet(ms(100)), Debounce::quiet(ms(100)).max_wait(ms(1000)));
/// ```
///
/// An interval has its own ceiling, so [`max_wait`](Quiet::max_wait) can't be set there:
///
/// ```compile_fail,E0599
/// # use std::time::Duration;
/// # use kube_weir::Debounce;
/// Debounce::interval(Duration::from_millis(500)).max_wait(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce(Mode);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Interval(Duration),
    Quiet(Quiet),
}

/// A [`Debounce`] that waits for a silence; from [`Debounce::quiet`]. Every function that takes a `Debounce`
/// also takes a `Quiet`.
///
/// ```
/// use std::time::Duration;
/// use kube_weir::{Debounce, adapters::Quiet};
///
/// let quiet: Quiet = Debounce::quiet(Duration::from_millis(100));
/// let debounce: Debounce = quiet.max_wait(Duration::from_secs(5)).into();
/// assert_ne!(debounce, Debounce::quiet(Duration::from_millis(100)).into());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    silence: Duration,
    ceiling: Duration,
}

impl Debounce {
    /// Delivers items at least this interval apart: a lone change is delivered at once; changes that follow
    /// within the interval are delivered together at its end.
    ///
    /// An interval of zero delays nothing.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    /// use tokio::time::Instant;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let ms = Duration::from_millis;
    /// let events = Events::listed([])
    ///     .apply(config_map("a", 1))
    ///     .wait(ms(100))
    ///     .apply(config_map("b", 2))
    ///     .wait(ms(100))
    ///     .apply(config_map("c", 3))
    ///     .stay_open();
    /// let mut changes = events.index(()).debounce(Debounce::interval(ms(500)));
    /// changes.first_synced().await?;
    ///
    /// let begin = Instant::now();
    /// changes.next().await; // `a`
    /// assert_eq!(begin.elapsed(), ms(0));
    /// changes.next().await; // `b` and `c`
    /// assert_eq!(begin.elapsed(), ms(500));
    /// # Ok(()) });
    /// ```
    pub fn interval(interval: Duration) -> Self {
        Self(Mode::Interval(interval))
    }

    /// Delivers changes after a silence of this length. While changes keep coming, delivers after
    /// [`max_wait`](Quiet::max_wait), by default ten times the silence.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    /// use tokio::time::Instant;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let ms = Duration::from_millis;
    /// let events = Events::listed([])
    ///     .apply(config_map("a", 1))
    ///     .wait(ms(50))
    ///     .apply(config_map("b", 2))
    ///     .stay_open();
    /// let mut changes = events.index(()).debounce(Debounce::quiet(ms(100)));
    /// changes.first_synced().await?;
    ///
    /// let begin = Instant::now();
    /// changes.next().await; // `a` and `b`, 100 ms after the last of them
    /// assert_eq!(begin.elapsed(), ms(150));
    /// # Ok(()) });
    /// ```
    pub fn quiet(silence: Duration) -> Quiet {
        Quiet { silence, ceiling: silence.saturating_mul(10) }
    }

    pub(super) fn mode(self) -> Mode {
        self.0
    }
}

impl Quiet {
    /// Sets the longest time for which a change is held back while others keep coming.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    /// use tokio::time::Instant;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let ms = Duration::from_millis;
    /// let storm = (1..100).fold(Events::listed([]), |events, version| {
    ///     events.apply(config_map("a", version)).wait(ms(50))
    /// });
    /// let mut changes = storm.index(()).debounce(Debounce::quiet(ms(100)).max_wait(ms(1000)));
    /// changes.first_synced().await?;
    ///
    /// let begin = Instant::now();
    /// changes.next().await; // it never falls silent
    /// assert_eq!(begin.elapsed(), ms(1000));
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn max_wait(self, ceiling: Duration) -> Self {
        Self { ceiling, ..self }
    }

    pub(super) fn silence(self) -> Duration {
        self.silence
    }

    pub(super) fn ceiling(self) -> Duration {
        self.ceiling
    }
}

impl Default for Debounce {
    fn default() -> Self {
        Self::interval(Duration::from_millis(500))
    }
}

impl From<Quiet> for Debounce {
    fn from(quiet: Quiet) -> Self {
        Self(Mode::Quiet(quiet))
    }
}

impl From<Duration> for Debounce {
    fn from(interval: Duration) -> Self {
        Self::interval(interval)
    }
}

pin_project! {
    /// The stream of [`EventStreamExt::debounce`](crate::EventStreamExt::debounce).
    ///
    /// The stream holds back two snapshots: the one before the first change and the one after the last. The
    /// delivered item is their difference. For a [`World`](crate::World) it holds back two worlds.
    ///
    /// Like all stages it is a named type, and over a [`Watch`](crate::Watch) it needs no pinning, so it
    /// can be a field:
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Watch, adapters::{Debounced, Indexed}, prelude::*};
    ///
    /// struct Controller {
    ///     changes: Debounced<Indexed<Watch<ConfigMap>, ConfigMap>, ConfigMap>,
    /// }
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let configs = watch(Api::<ConfigMap>::all(client)).index(());
    /// let mut controller = Controller { changes: configs.debounce(Duration::from_millis(500)) };
    /// assert_eq!(controller.changes.first_synced().await?.len(), 1);
    /// # Ok(()) });
    /// ```
    #[doc(alias("work queue", "workqueue"))]
    #[must_use = "streams do nothing unless polled"]
    pub struct Debounced<S, K>
    where
        K: Subject,
    {
        #[pin]
        changes: S,
        held: Option<Held<K::State>>,
        // An item to yield after the current one.
        next: Option<K::Change>,
        // When the last item was yielded, and when its last change arrived.
        sent: Option<Sent>,
        timer: Option<Pin<Box<Sleep>>>,
        shared: Arc<Shared>,
        // A requested flush that is not done yet.
        flushed: bool,
        ended: bool,
        // Created at the first change, which has the origin.
        meter: Option<measure::Debounce>,
    }
}

/// Held back changes, as the span that they cover.
struct Held<T> {
    initial: bool,
    before: T,
    after: T,
    first: Instant,
    last: Instant,
}

#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    last: Instant,
}

impl Mode {
    /// Returns when the held changes are delivered, unless more arrive.
    fn due<T>(self, held: &Held<T>, sent: Option<Sent>) -> Instant {
        match (self, sent) {
            (Self::Interval(_), None) => held.first,
            (Self::Interval(interval), Some(sent)) => after(sent.at, interval),
            (Self::Quiet(Quiet { silence, ceiling }), sent) => {
                // While there was no silence since the last item, the ceiling counts from that item.
                let storm = sent.filter(|sent| held.first < after(sent.last, silence));
                let from = storm.map_or(held.first, |sent| sent.at);
                after(held.last, silence).min(after(from, ceiling))
            }
        }
    }
}

impl<T> Held<T> {
    fn net<K: Subject<State = T>>(self) -> Option<K::Change> {
        K::net(self.initial, &self.before, &self.after)
    }
}

impl<S, K: Subject> Debounced<S, K> {
    pub(crate) fn new(changes: S, debounce: Debounce) -> Self {
        Self {
            changes,
            held: None,
            next: None,
            sent: None,
            timer: None,
            shared: Arc::new(Shared::new(debounce)),
            flushed: false,
            ended: false,
            meter: None,
        }
    }

    /// Returns the stream underneath, which yields each change.
    pub fn get_ref(&self) -> &S {
        &self.changes
    }

    /// Returns the stream underneath, and ends this stage: a change that it holds back is dropped.
    pub fn into_inner(self) -> S {
        self.changes
    }

    /// Returns the store that the stream fills.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let configs = Events::<ConfigMap>::listed([]).index(());
    /// let mut changes = configs.debounce(Duration::from_secs(1)).log_errors();
    /// let store = changes.store();
    /// changes.first_synced().await?;
    /// assert!(store.is_synced());
    /// # Ok(()) });
    /// ```
    pub fn store(&self) -> S::Store
    where
        S: HasStore,
    {
        self.reading_side()
    }

    /// Returns a handle that flushes the stream and changes its debounce, even when the stream is inside
    /// other stages or in another task: see the [example](DebounceHandle).
    pub fn handle(&self) -> DebounceHandle {
        DebounceHandle(Arc::clone(&self.shared))
    }

    /// Changes the debounce, including for changes that are already held back: see
    /// [`DebounceHandle::set`].
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let configs = Events::<ConfigMap>::listed([]).index(());
    /// let mut changes = configs.debounce(Duration::from_millis(500));
    /// changes.set(Debounce::quiet(Duration::from_secs(1)));
    /// assert_eq!(changes.handle().get(), Debounce::quiet(Duration::from_secs(1)).into());
    /// # Ok(()) });
    /// ```
    pub fn set(&mut self, debounce: impl Into<Debounce>) {
        self.shared.set(debounce.into());
    }
}

fn hold<T>(held: &mut Option<Held<T>>, initial: bool, before: T, after: T) {
    let now = Instant::now();
    match held {
        Some(held) => {
            held.after = after;
            held.last = now;
        }
        None => *held = Some(Held { initial, before, after, first: now, last: now }),
    }
}

/// Takes the held changes; returns their net change, if there is any.
fn take_net<K: Subject>(
    held: &mut Option<Held<K::State>>,
    meter: Option<&measure::Debounce>,
) -> Option<K::Change> {
    let held = held.take()?;
    let first = held.first;
    let change = held.net::<K>()?;
    meter.inspect(|meter| meter.delivered(first));
    Some(change)
}

impl<S, K> Debounced<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    fn poll_run(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<K::Change, Error>>> {
        let mut this = self.project();
        if let Some(change) = this.next.take() {
            return Poll::Ready(Some(Ok(change)));
        }
        // Check for a flush before polling upstream, so that everything ready before the flush is delivered.
        // Register the waker first, so that a flush is either seen here or wakes this task.
        this.shared.waker.register(cx.waker());
        *this.flushed |= this.shared.flush.swap(false, Ordering::AcqRel);
        let mut more = true;
        for _ in 0..RUN {
            if *this.ended {
                break;
            }
            match this.changes.as_mut().poll_next(cx).map(|item| item.map(ChangeItem::into_change))
            {
                Poll::Ready(Some(Ok(change))) => match K::phase(&change) {
                    Phase::Batch { initial, before, after } => {
                        let meter = || measure::Debounce::new(&K::origin(&after));
                        this.meter.get_or_insert_with(meter).received();
                        hold(this.held, initial, before, after);
                    }
                    Phase::Synced(_) => {
                        let before = take_net::<K>(this.held, this.meter.as_ref());
                        return Poll::Ready(Some(Ok(match before {
                            None => change,
                            Some(before) => {
                                *this.next = Some(change);
                                before
                            }
                        })));
                    }
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => *this.ended = true,
                Poll::Pending => {
                    more = false;
                    break;
                }
            }
        }
        let flushed = mem::take(this.flushed);
        if let Some(held) = this.held {
            let due = this.shared.debounce().0.due(held, *this.sent);
            let last = held.last;
            let now = *this.ended || flushed || is_over(this.timer, Some(due), cx);
            if now && let Some(change) = take_net::<K>(this.held, this.meter.as_ref()) {
                *this.sent = Some(Sent { at: Instant::now(), last });
                return Poll::Ready(Some(Ok(change)));
            }
        }
        if *this.ended {
            return Poll::Ready(None);
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<S, K> Stream for Debounced<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    type Item = Result<K::Change, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_caught(
            self,
            |stream| stream.poll_run(cx),
            |stream, _| {
                let this = stream.project();
                *this.ended = true;
                drop((this.held.take(), this.next.take()));
            },
        )
    }
}

impl<S, K> FusedStream for Debounced<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    fn is_terminated(&self) -> bool {
        self.ended && self.held.is_none() && self.next.is_none()
    }
}

impl<S: HasStore, K: Subject> HasStore for Debounced<S, K> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

impl<S, K: Subject> sealed::Sealed for Debounced<S, K> {}

impl<S, K: Subject> fmt::Debug for Debounced<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debounced")
            .field("debounce", &self.shared.debounce())
            .field("holding", &self.held.is_some())
            .finish_non_exhaustive()
    }
}

/// Handle that flushes a [`Debounced`] stream and changes its debounce; from [`Debounced::handle`]. Cheap to
/// clone, usable from any task.
///
/// ```
/// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
/// use tokio::time::{Instant, sleep};
///
/// # kube_weir::testing::fixture::run(async {
/// let second = Duration::from_secs(1);
/// let events = Events::listed([]).apply(config_map("a", 1)).wait(second).apply(config_map("b", 2)).stay_open();
/// let mut changes = events.index(()).debounce(60 * second);
/// let handle = changes.handle();
/// changes.first_synced().await?;
/// changes.next().await; // `a`, at once
///
/// let begin = Instant::now();
/// tokio::spawn(async move {
///     sleep(2 * second).await;
///     handle.flush();
/// });
/// changes.next().await; // `b`, which would wait for a minute
/// assert_eq!(begin.elapsed(), 2 * second);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct DebounceHandle(Arc<Shared>);

struct Shared {
    debounce: Mutex<Debounce>,
    flush: AtomicBool,
    waker: AtomicWaker,
}

impl Shared {
    fn new(debounce: Debounce) -> Self {
        let (flush, waker) = (AtomicBool::new(false), AtomicWaker::new());
        Self { debounce: Mutex::new(debounce), flush, waker }
    }

    fn debounce(&self) -> Debounce {
        *self.debounce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, debounce: Debounce) {
        *self.debounce.lock().unwrap_or_else(PoisonError::into_inner) = debounce;
        self.waker.wake();
    }
}

impl DebounceHandle {
    /// Wakes the stream, which then delivers the held back changes, together with those that its upstream has
    /// ready in one turn of the task. Without such changes a flush has no effect: a later change is held back
    /// as usual. See the [example](DebounceHandle).
    pub fn flush(&self) {
        self.0.flush.store(true, Ordering::Release);
        self.0.waker.wake();
    }

    /// Changes the debounce from now on.
    ///
    /// The new debounce also applies to changes that are held back, counted from their arrival and from the
    /// last delivered item; so a shorter time may deliver them at once.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    /// use tokio::time::{Instant, sleep};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let second = Duration::from_secs(1);
    /// let events = Events::listed([]).apply(config_map("a", 1)).wait(second).apply(config_map("b", 2)).stay_open();
    /// let changes = events.index(()).debounce(60 * second);
    /// let handle = changes.handle();
    /// let mut changes = pin!(changes.log_errors()); // behind which only the handle is left
    /// changes.first_synced().await?;
    /// changes.next().await; // `a`, at once
    ///
    /// let begin = Instant::now();
    /// tokio::spawn(async move {
    ///     sleep(2 * second).await;
    ///     handle.set(5 * second);
    /// });
    /// changes.next().await; // `b`
    /// assert_eq!(begin.elapsed(), 5 * second);
    /// # Ok(()) });
    /// ```
    pub fn set(&self, debounce: impl Into<Debounce>) {
        self.0.set(debounce.into());
    }

    /// Returns the current debounce: see the example of [`Debounced::set`].
    pub fn get(&self) -> Debounce {
        self.0.debounce()
    }
}

impl fmt::Debug for DebounceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebounceHandle").field("debounce", &self.get()).finish_non_exhaustive()
    }
}
