//! Wakes and polls: each wake leads to one poll, `Pending` is only returned with a waker that will be woken,
//! and no poll runs forever. SEMANTICS: D9, for every adaptor.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{
    Debounce, Election, Error, EventStreamExt, FieldFilter, FieldSelector, Index, LeaseRef,
    WatchEvent,
    testing::{Answer, ApiServer, End, Fault, Verb},
    world,
};
use tokio::{
    task::yield_now,
    time::{advance, sleep},
};

use crate::{
    support::{Feed, Poller, feed, forbidden, object},
    wire::{configs, event, list, sent},
};

const HOUR: Duration = Duration::from_secs(3600);

type Item = Result<Event<ConfigMap>, Error>;

/// A source that counts its polls.
struct Counted {
    items: BoxStream<'static, Item>,
    polls: Polls,
}

/// Returns the number of polls since the last call.
#[derive(Clone, Default)]
struct Polls(Arc<AtomicUsize>);

impl Polls {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Stream for Counted {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let polls = self.polls.0.fetch_add(1, Ordering::Relaxed);
        assert!(polls < 100_000, "a poll that never ends");
        self.items.poll_next_unpin(cx)
    }
}

/// An adaptor, or several in a row.
struct Row {
    name: &'static str,
    over: fn(Counted) -> BoxStream<'static, ()>,
    /// Maximum number of items per poll.
    run: usize,
    /// True if a change is yielded at once.
    prompt: bool,
}

const ROWS: [Row; 10] = [
    Row {
        name: "filter_fields",
        over: |events| events.filter_fields("data").unwrap().map(drop).boxed(),
        run: 1,
        prompt: true,
    },
    Row {
        name: "matching",
        over: |events| matching(events).map(drop).boxed(),
        run: 1024,
        prompt: true,
    },
    Row {
        name: "index",
        over: |events| events.index(()).map(drop).boxed(),
        run: 1024,
        prompt: true,
    },
    Row {
        name: "index, with progress",
        over: |events| events.index(()).with_progress().map(drop).boxed(),
        run: 1024,
        prompt: true,
    },
    Row {
        name: "debounce",
        over: |events| events.index(()).debounce(Duration::ZERO).map(drop).boxed(),
        run: 64 * 1024,
        prompt: true,
    },
    Row {
        name: "debounce, quiet",
        over: |events| events.index(()).debounce(Debounce::quiet(HOUR)).map(drop).boxed(),
        run: 64 * 1024,
        prompt: false,
    },
    Row {
        name: "log_errors",
        over: |events| events.log_errors().map(drop).boxed(),
        run: 1024,
        prompt: true,
    },
    Row {
        name: "into_events",
        over: |events| events.index(()).log_errors().into_events().map(drop).boxed(),
        run: 64 * 1024,
        prompt: true,
    },
    Row {
        name: "while_leading, of a follower",
        over: |events| {
            let lease = LeaseRef::new("default", "lease");
            let campaign = Election::new(ApiServer::new().client(), lease, "replica").unwrap();
            // The campaign is never polled, and so never leads.
            let leadership = campaign.campaign().watch();
            events.index(()).while_leading(&leadership).map(drop).boxed()
        },
        run: 64 * 1024,
        prompt: false,
    },
    Row {
        name: "all of them",
        over: |events| {
            let filter = FieldFilter::new(["data"]).unwrap();
            let changes = matching(events).filter_fields(filter).unwrap().index(());
            changes.debounce(Duration::ZERO).log_errors().map(drop).boxed()
        },
        run: 64 * 1024,
        prompt: true,
    },
];

fn matching<S>(events: S) -> kube_weir::adapters::Matching<S, ConfigMap>
where
    S: Stream<Item = Item>,
{
    events.matching("metadata.name!=other").unwrap()
}

impl Row {
    /// Returns the adaptor over some items, and the counter of their polls.
    fn of(
        &self,
        items: impl Stream<Item = Item> + Send + 'static,
    ) -> (Poller<BoxStream<'static, ()>>, Polls) {
        let polls = Polls::default();
        let counted = Counted { items: items.boxed(), polls: polls.clone() };
        (Poller::new((self.over)(counted)), polls)
    }

    /// Returns the adaptor over a feed, after the initial load.
    fn loaded(&self) -> (Feed, Poller<BoxStream<'static, ()>>, Polls) {
        let (feed, events) = feed();
        let (mut poller, polls) = self.of(events);
        feed.list([object("a/x", 1), object("a/other", 1)]);
        poller.drain();
        polls.take();
        (feed, poller, polls)
    }
}

/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn one_wake_leads_to_one_poll() {
    for row in ROWS {
        let (feed, mut poller, polls) = row.loaded();
        for version in 2..20 {
            let name = format!("{}, version {version}", row.name);
            assert!(poller.poll().is_pending(), "{name}");
            assert_eq!((polls.take(), poller.wakes()), (1, 0), "{name}: idle");
            feed.apply("a/x", version);
            assert_eq!(poller.wakes(), 1, "{name}");
            assert_eq!(poller.poll().is_ready(), row.prompt, "{name}");
            let taken_in = polls.take();
            assert!((1..=3).contains(&taken_in), "{name}: {taken_in} polls");
            assert_eq!(poller.wakes(), 0, "{name}");
        }
    }
}

/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn many_events_wake_once_and_are_each_taken_in_once() {
    for row in ROWS {
        let (feed, mut poller, polls) = row.loaded();
        assert!(poller.poll().is_pending());
        polls.take();
        for version in 2..52 {
            feed.apply("a/x", version);
        }
        assert_eq!(poller.wakes(), 1, "{}", row.name);
        poller.drain();
        // Each event, and a poll that finds nothing more; debounce polls once more after an item.
        let taken_in = polls.take();
        assert!((51..=53).contains(&taken_in), "{}: {taken_in} polls", row.name);
        assert_eq!(poller.wakes(), 0, "{}", row.name);
    }
}

/// Events without an effect downstream are consumed, nothing is yielded, and the stream is not woken
/// again.
///
/// SEMANTICS: D9, I9
#[tokio::test(start_paused = true)]
async fn an_event_without_a_change_leaves_a_waker_behind() {
    type Silent = (&'static str, fn(&Feed));
    let silent: [Silent; 5] = [
        ("index", |feed| feed.apply("a/x", 1)),
        ("index", |feed| feed.delete("a/nowhere", 2)),
        ("debounce", |feed| feed.apply("a/x", 1)),
        ("matching", |feed| feed.send(Event::InitApply(object("a/other", 2)))),
        ("log_errors", |feed| feed.fail(forbidden())),
    ];
    for (name, send) in silent {
        let row = ROWS.iter().find(|row| row.name == name).unwrap();
        let (feed, mut poller, polls) = row.loaded();
        for _ in 0..10 {
            assert!(poller.poll().is_pending(), "{name}");
            polls.take();
            send(&feed);
            assert_eq!(poller.wakes(), 1, "{name}");
            assert!(poller.poll().is_pending(), "{name}");
            assert_eq!((polls.take(), poller.wakes()), (2, 0), "{name}");
        }
        feed.apply("a/x", 2);
        assert_eq!(poller.wakes(), 1, "{name}");
        assert!(poller.poll().is_ready(), "{name}");
    }
}

/// Time alone doesn't wake a stream that holds nothing back.
///
/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn an_idle_stream_is_left_alone() {
    for row in ROWS {
        let (_feed, mut poller, _) = row.loaded();
        assert!(poller.poll().is_pending(), "{}", row.name);
        for _ in 0..100 {
            advance(HOUR).await;
        }
        assert_eq!(poller.wakes(), 0, "{}", row.name);
    }
}

/// A stream may move from task to task: only the last task that polled it is woken.
///
/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn the_last_waker_counts() {
    for row in ROWS {
        let (feed, mut poller, _) = row.loaded();
        assert!(poller.poll().is_pending(), "{}", row.name);
        let (stream, before) = poller.into_parts();
        let mut poller = Poller::new(stream);
        assert!(poller.poll().is_pending(), "{}", row.name);
        feed.apply("a/x", 2);
        assert_eq!((before(), poller.wakes()), (0, 1), "{}", row.name);
    }
}

/// With a source that is always ready, a poll takes a fixed number of items, and requests another poll if
/// it yields none.
///
/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn no_poll_goes_on_for_ever() {
    type Endless = (&'static str, fn(u32) -> Item);
    let endless: [Endless; 5] = [
        ("the same", |_| Ok(Event::Apply(object("a/x", 1)))),
        ("versions", |version| Ok(Event::Apply(object("a/x", version)))),
        ("others", |version| Ok(Event::InitApply(object("a/other", version)))),
        ("lists", |_| Ok(Event::Init)),
        ("failures", |_| Err(forbidden())),
    ];
    for row in ROWS {
        for (what, make) in endless {
            let items = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
            let (mut poller, polls) = row.of(items.chain(stream::iter(1..).map(make)));
            for _ in 0..10 {
                let pending = poller.poll().is_pending();
                let taken_in = polls.take();
                assert!(taken_in <= row.run, "{}, {what}: {taken_in} at once", row.name);
                assert!(!pending || poller.wakes() > 0, "{}, {what}: nobody is woken", row.name);
                poller.wakes();
            }
        }
    }
}

/// SEMANTICS: D9, S9
#[tokio::test(start_paused = true)]
async fn each_consumer_of_a_store_is_woken_once_for_a_change() {
    let (feed, events) = feed();
    let mut pipeline = Poller::new(events.index(()));
    let store = pipeline.stream.store();
    let mut consumers: Vec<_> = (0..3).map(|_| Poller::new(store.changes())).collect();
    for consumer in &mut consumers {
        assert!(consumer.poll().is_pending());
    }
    feed.list([object("a/x", 1)]);
    pipeline.drain();
    for consumer in &mut consumers {
        consumer.drain();
    }
    for version in 2..20 {
        feed.apply("a/x", version);
        assert_eq!(pipeline.drain().len(), 1);
        for consumer in &mut consumers {
            assert_eq!(consumer.wakes(), 1, "version {version}");
            assert!(consumer.poll().is_ready());
            assert!(consumer.poll().is_pending());
            assert_eq!(consumer.wakes(), 0);
        }
    }
    // Many events while it sleeps cause one wake.
    for version in 20..30 {
        feed.apply("a/x", version);
        pipeline.drain();
    }
    for consumer in &mut consumers {
        assert_eq!(consumer.wakes(), 1);
        assert_eq!(consumer.drain().len(), 1);
    }
    // The end wakes it, too.
    drop(feed);
    pipeline.drain();
    for consumer in &mut consumers {
        assert_eq!(consumer.wakes(), 1);
        assert!(matches!(consumer.poll(), Poll::Ready(None)));
    }
}

/// SEMANTICS: D1, D2, D9
#[tokio::test(start_paused = true)]
async fn a_timer_wakes_once_when_it_is_time() {
    let second = Duration::from_secs(1);
    for debounce in [Debounce::interval(second), Debounce::quiet(second).into()] {
        let (feed, events) = feed();
        let mut poller = Poller::new(events.index(()).debounce(debounce));
        feed.list([object("a/x", 1)]);
        poller.drain();
        feed.apply("a/x", 2);
        poller.drain();
        for version in 3..20 {
            // The first change of an interval is held back, because an item was just yielded.
            feed.apply("a/x", version);
            assert_eq!(poller.wakes(), 1, "{debounce:?}");
            assert!(poller.poll().is_pending(), "{debounce:?}");
            advance(second / 2).await;
            assert_eq!(poller.wakes(), 0, "{debounce:?}: too early");
            assert!(poller.poll().is_pending(), "{debounce:?}");
            advance(second / 2 + Duration::from_millis(1)).await;
            assert_eq!(poller.wakes(), 1, "{debounce:?}");
            assert!(poller.poll().is_ready(), "{debounce:?}");
            assert!(poller.poll().is_pending(), "{debounce:?}");
            assert_eq!(poller.wakes(), 0, "{debounce:?}");
        }
    }
}

/// SEMANTICS: D5, D9
#[tokio::test(start_paused = true)]
async fn a_flush_wakes_once() {
    let (feed, events) = feed();
    let debounced = events.index(()).debounce(Debounce::quiet(HOUR));
    let flusher = debounced.handle();
    let mut poller = Poller::new(debounced);
    feed.list([]);
    poller.drain();
    for version in 1..20 {
        flusher.flush();
        flusher.flush();
        assert_eq!(poller.wakes(), 1, "with nothing held");
        assert!(poller.poll().is_pending());
        feed.apply("a/x", version);
        assert_eq!(poller.wakes(), 1);
        assert!(poller.poll().is_pending(), "the flush before is over");
        flusher.flush();
        assert_eq!(poller.wakes(), 1);
        assert!(poller.poll().is_ready());
        assert!(poller.poll().is_pending());
        assert_eq!(poller.wakes(), 0);
    }
}

/// An event and a flush between the check for events and the check for a flush. The tests above cover all
/// other moments: before both checks, or after.
///
/// SEMANTICS: D5
#[tokio::test(start_paused = true)]
async fn a_flush_in_the_middle_of_a_poll_is_not_lost() {
    let (feed, mut events) = feed();
    feed.list([]);
    // Another thread acts just when the stream has found that nothing is ready.
    let other = Arc::new(Mutex::new(None::<Box<dyn FnOnce() + Send>>));
    let inner = Arc::clone(&other);
    let racing = stream::poll_fn(move |cx| {
        let polled = events.poll_next_unpin(cx);
        if polled.is_pending()
            && let Some(other) = inner.lock().unwrap().take()
        {
            other();
        }
        polled
    });
    let debounced = racing.index(()).debounce(Debounce::quiet(HOUR));
    let flusher = debounced.handle();
    let mut poller = Poller::new(debounced);
    poller.drain();
    let feed = Arc::new(feed);
    for version in 1..20 {
        let (feed, flusher) = (Arc::clone(&feed), flusher.clone());
        *other.lock().unwrap() = Some(Box::new(move || {
            feed.apply("a/x", version);
            flusher.flush();
        }));
        assert!(poller.poll().is_pending());
        assert_eq!(poller.wakes(), 2, "by the event and by the flush");
        assert!(poller.poll().is_ready(), "flush {version} was lost");
    }
}

/// SEMANTICS: D5
#[test]
fn a_flush_from_another_thread_is_never_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let (feed, events) = feed();
    let debounced = events.index(()).debounce(Debounce::quiet(HOUR));
    let flusher = debounced.handle();
    feed.list([]);
    let (next, due) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Each after the previous item: at any moment of a poll.
            while let Ok(version) = due.recv() {
                feed.apply("a/x", version);
                flusher.flush();
            }
        });
        runtime.block_on(async move {
            let mut changes = std::pin::pin!(debounced);
            changes.next().await;
            for version in 1..5000 {
                next.send(version).unwrap();
                let item = tokio::time::timeout(Duration::from_secs(60), changes.next()).await;
                assert!(item.is_ok(), "flush {version} was lost");
            }
        });
    });
}

/// Bytes that a poll of a watch may read: 128 units of a budget, 4 KiB each.
const MOST_READ: usize = 512 << 10;

/// A poll of a watch reads at most half a mebibyte and one more object, even if more are ready.
///
/// SEMANTICS: B3
#[tokio::test(start_paused = true)]
async fn a_poll_reads_so_many_bytes_and_one_object() {
    for (length, count) in [(1 << 10, 3_000), (16 << 10, 200), (1_000 << 10, 4)] {
        let object = |at: usize| {
            let mut object = sent(&format!("a/{at}"), 10 + u64::try_from(at).unwrap());
            object["data"]["key"] = "x".repeat(length).into();
            object
        };
        let server = ApiServer::new();
        let page = list(10, (0..count).map(object).collect::<Vec<_>>());
        let events = (0..count).map(|at| format!("{}\n", event("ADDED", object(at))));
        server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &page)));
        let events = Answer::new(200).chunk(events.collect::<String>()).end(End::Never);
        server.fault(Verb::Watch, 1, Fault::Answer(events));

        let mut watch = configs(&server);
        let (mut objects, mut most, mut polls) = (0, 0, 0);
        while objects < 2 * count {
            let read = poll_fn(|cx| Poll::Ready(read_at_once(&mut watch, cx))).await;
            objects += read;
            most = most.max(read);
            polls += usize::from(read > 0);
            sleep(Duration::from_millis(1)).await;
        }
        assert!((most - 1) * length <= MOST_READ, "{most} objects of {length} bytes in one poll");
        let few = 2 + 4 * count * length / MOST_READ + 2 * count / (1 + MOST_READ / length);
        assert!(polls <= few, "{polls} polls for twice {count} objects of {length} bytes");
    }
}

/// All stages and kinds that one task polls share the task's budget of a turn.
///
/// SEMANTICS: B3, D9
#[tokio::test(start_paused = true)]
async fn a_turn_of_a_task_takes_in_two_runs_however_many_stages_and_kinds_it_polls() {
    const TURN: usize = 2 * 1024;
    let endless = || {
        let items = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
        items.chain(stream::iter(1..).map(|version| Ok(Event::Apply(object("a/x", version)))))
    };
    let many = |polls: &Polls| {
        let kind = || {
            let counted = Counted { items: endless().boxed(), polls: polls.clone() };
            counted.index(())
        };
        let kinds = (("a", kind()), ("b", kind()), ("c", kind()), ("d", kind()), ("e", kind()));
        world(kinds).map(drop).boxed()
    };
    let mut all: Vec<_> = ROWS.iter().map(|row| (row.name, row.of(endless()))).collect();
    let polls = Polls::default();
    all.push(("world", (Poller::new(many(&polls)), polls)));
    for (name, (poller, polls)) in all {
        let (mut stream, _) = poller.into_parts();
        for _ in 0..10 {
            yield_now().await;
            // A task polls a stream that is never pending without an end.
            let turn = poll_fn(|cx| {
                let mut items = 0;
                while items < TURN && stream.poll_next_unpin(cx).is_ready() {
                    items += 1;
                }
                Poll::Ready(items)
            });
            turn.await;
            let taken_in = polls.take();
            assert!(taken_in <= TURN + 1024, "{name}: {taken_in} in a turn");
        }
    }
}

/// SEMANTICS: D9, O5
#[tokio::test(start_paused = true)]
async fn kinds_that_are_always_ready_share_the_turns_of_a_task() {
    let items = || {
        let items = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
        items.chain(stream::iter(1..).map(|version| Ok(Event::Apply(object("a/x", version)))))
    };
    let polls: [Polls; 4] = Default::default();
    let kind = |at: usize| Counted { items: items().boxed(), polls: polls[at].clone() }.index(());
    let two = world((("a", kind(0)), ("b", kind(1)))).map(drop).boxed();
    let four = (("a", kind(0)), ("b", kind(1)), ("c", kind(2)), ("d", kind(3)));
    for (mut worlds, kinds) in [(two, 2), (world(four).map(drop).boxed(), 4)] {
        let mut all = [0; 4];
        for _ in 0..100 {
            worlds.next().await.unwrap();
            all.iter_mut().zip(&polls).for_each(|(all, polls)| *all += polls.take());
        }
        let (least, most) = (all[..kinds].iter().min(), all[..kinds].iter().max());
        assert!(2 * least.unwrap() > *most.unwrap(), "{all:?}");
    }
}

/// A stream pays for objects that a selector excludes, although it yields none of them.
///
/// SEMANTICS: B3
#[tokio::test(start_paused = true)]
async fn a_poll_steps_over_so_many_bytes_of_what_is_left_out() {
    const COUNT: u64 = 20_000;
    let length = sent("a/0", 10).to_string().len();
    let objects = (0..COUNT).map(|at| sent(&format!("a/{at}"), 10 + at)).collect::<Vec<_>>();
    let page = list(10, objects);
    let all = page.to_string().len();
    let server = ApiServer::new();
    server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &page)));
    let none = FieldSelector::parse("data.key==none").unwrap();
    let mut watch = configs(&server).matching(none).unwrap();
    let mut polls = 0;
    loop {
        let polled = poll_fn(|cx| Poll::Ready(watch.poll_next_unpin(cx))).await;
        match polled {
            Poll::Ready(Some(Ok(WatchEvent::ListComplete { .. }))) => break,
            Poll::Ready(item) => drop(item.unwrap().unwrap()),
            Poll::Pending => {
                polls += 1;
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
    assert!(polls >= all / (MOST_READ + length), "{polls} polls for {all} bytes");
}

/// A poll ends once 1,024 times 16 keys were put into indexes or taken out.
///
/// SEMANTICS: B3
#[tokio::test(start_paused = true)]
async fn a_poll_moves_so_many_keys_and_those_of_one_object() {
    const KEYS: usize = 5_000;
    let by = || {
        Index::with(|config: &ConfigMap| {
            let version = config.metadata.resource_version.clone().unwrap_or_default();
            (0..KEYS).map(move |at| format!("{version}-{at}"))
        })
    };
    let events: [fn(u32) -> Item; 3] = [
        |version| Ok(Event::Apply(object("a/x", version))),
        |version| Ok(Event::Apply(object(&format!("a/{version}"), version))),
        |version| {
            let name = format!("a/{}", version / 2);
            let make = if version % 2 == 0 { Event::Apply } else { Event::Delete };
            Ok(make(object(&name, version)))
        },
    ];
    for (case, event) in events.into_iter().enumerate() {
        let polls = Polls::default();
        let first = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
        let items = first.chain(stream::iter(2..40).map(event)).boxed();
        let mut poller = Poller::new(Counted { items, polls: polls.clone() }.index(by()));
        let mut most = 0;
        while poller.stream.store().snapshot().resource_version().as_deref() != Some("39") {
            let _ = poller.poll();
            most = most.max(polls.take());
        }
        assert!(most * KEYS <= 16 * 1024 + KEYS, "case {case}: {most} objects at once");
        assert!(case == 0 || most > 2, "case {case}: only {most} objects at once");
    }
}

/// Returns the number of objects that a stream yields until it is pending.
fn read_at_once<K>(
    mut events: impl Stream<Item = Result<WatchEvent<K>, Error>> + Unpin,
    cx: &mut Context<'_>,
) -> usize {
    let mut objects = 0;
    loop {
        match events.poll_next_unpin(cx) {
            Poll::Pending => return objects,
            Poll::Ready(item) => {
                let event = item.unwrap().unwrap();
                objects +=
                    usize::from(matches!(event, WatchEvent::Listed(_) | WatchEvent::Applied(_)));
            }
        }
    }
}
