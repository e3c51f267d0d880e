//! `debounce`: changes that come in quick succession become one.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, stream::FusedStream, task::AtomicWaker};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    ChangeItem,
    subject::{Phase, Subject},
};
use crate::{clock::after, error::Error};

/// How many items are taken in at the most before the executor gets its turn.
const RUN: usize = 64;

/// When changes that come in quick succession go out.
///
/// The default, and what a plain [`Duration`] becomes, is [`interval`](Debounce::interval); its
/// default is 500 ms.
///
/// ```
/// use std::time::Duration;
/// use kube_weir::Debounce;
///
/// let steady = Debounce::from(Duration::from_millis(500));
/// let settled = Debounce::quiet(Duration::from_millis(100)).max_wait(Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debounce(Mode);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Interval(Duration),
    Quiet { silence: Duration, ceiling: Duration },
}

impl Debounce {
    /// At least this long from one item to the next: a lone change goes out at once, what follows
    /// within the interval goes out together when it is over.
    ///
    /// An interval of zero delays nothing.
    pub fn interval(interval: Duration) -> Self {
        Self(Mode::Interval(interval))
    }

    /// Out after this long a silence. While changes keep coming, out after
    /// [`max_wait`](Debounce::max_wait), which is ten times the silence unless set.
    pub fn quiet(silence: Duration) -> Self {
        Self(Mode::Quiet { silence, ceiling: silence.saturating_mul(10) })
    }

    /// The longest that a change is held back by [`quiet`](Debounce::quiet). For an interval, which
    /// has its own ceiling, it changes nothing.
    #[must_use]
    pub fn max_wait(self, ceiling: Duration) -> Self {
        match self.0 {
            Mode::Interval(_) => self,
            Mode::Quiet { silence, .. } => Self(Mode::Quiet { silence, ceiling }),
        }
    }
}

impl Default for Debounce {
    fn default() -> Self {
        Self::interval(Duration::from_millis(500))
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
    /// What it holds back is two snapshots: the one before the first change and the one after the
    /// last. The item that goes out is their difference. Of a [`World`](crate::World) it is two
    /// worlds.
    #[must_use = "streams do nothing unless polled"]
    pub struct Debounced<S, K>
    where
        K: Subject,
    {
        #[pin]
        changes: S,
        debounce: Debounce,
        held: Option<Held<K::State>>,
        // An item that must wait for the one before it.
        next: Option<K::Change>,
        // When the last item went out, and the change before it came in.
        sent: Option<Sent>,
        timer: Pin<Box<Sleep>>,
        flush: Arc<Flush>,
        // Asked for, and not done yet.
        flushed: bool,
        ended: bool,
    }
}

/// Changes on their way, as the span they cover.
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
    /// When what is held goes out, unless more comes in.
    fn due<T>(self, held: &Held<T>, sent: Option<Sent>) -> Instant {
        match (self, sent) {
            (Self::Interval(_), None) => held.first,
            (Self::Interval(interval), Some(sent)) => after(sent.at, interval),
            (Self::Quiet { silence, ceiling }, sent) => {
                // In a storm that never fell silent the ceiling counts from one item to the next.
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
            debounce,
            held: None,
            next: None,
            sent: None,
            timer: Box::pin(sleep_until(Instant::now())),
            flush: Arc::default(),
            flushed: false,
            ended: false,
        }
    }

    /// A handle that lets what is held back go out now.
    pub fn flusher(&self) -> Flusher {
        Flusher(Arc::clone(&self.flush))
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

impl<S, K> Stream for Debounced<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    type Item = Result<K::Change, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(change) = this.next.take() {
            return Poll::Ready(Some(Ok(change)));
        }
        // Looked at before what is upstream, so that all that was there before the flush goes out;
        // and the waker comes first, so that a flush is either seen here or wakes.
        this.flush.waker.register(cx.waker());
        *this.flushed |= this.flush.requested.swap(false, Ordering::AcqRel);
        let mut more = true;
        for _ in 0..RUN {
            if *this.ended {
                break;
            }
            match this.changes.as_mut().poll_next(cx).map(|item| item.map(ChangeItem::into_change))
            {
                Poll::Ready(Some(Ok(change))) => match K::phase(&change) {
                    Phase::Batch { initial, before, after } => {
                        hold(this.held, initial, before, after);
                    }
                    Phase::Synced(_) => {
                        let before = this.held.take().and_then(Held::net::<K>);
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
            let due = this.debounce.0.due(held, *this.sent);
            let last = held.last;
            if this.timer.deadline() != due {
                this.timer.as_mut().reset(due);
            }
            let now = *this.ended
                || flushed
                || due <= Instant::now()
                || this.timer.as_mut().poll(cx).is_ready();
            if now && let Some(change) = this.held.take().and_then(Held::net::<K>) {
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

impl<S, K> FusedStream for Debounced<S, K>
where
    S: Stream<Item: ChangeItem<Object = K>>,
    K: Subject,
{
    fn is_terminated(&self) -> bool {
        self.ended && self.held.is_none() && self.next.is_none()
    }
}

impl<S, K: Subject> fmt::Debug for Debounced<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debounced")
            .field("debounce", &self.debounce)
            .field("holding", &self.held.is_some())
            .finish_non_exhaustive()
    }
}

/// Lets what a [`Debounced`] stream holds back go out at once; from
/// [`Debounced::flusher`]. Cheap to clone, usable from any task.
#[derive(Clone)]
pub struct Flusher(Arc<Flush>);

#[derive(Default)]
struct Flush {
    requested: AtomicBool,
    waker: AtomicWaker,
}

impl Flusher {
    /// Wakes the stream, which then delivers what it holds back. Where it holds nothing, nothing
    /// happens.
    pub fn flush(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

impl fmt::Debug for Flusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher").finish_non_exhaustive()
    }
}
