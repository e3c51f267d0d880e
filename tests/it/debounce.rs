//! Debounce: SEMANTICS section D. All in virtual time.

use std::{pin::pin, task::Poll, time::Duration};

use futures::{Stream, StreamExt, stream::FusedStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{Change, Debounce, Error, EventStreamExt, FieldFilter, FieldSelector};
use proptest::prelude::*;
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{Feed, Poller, feed, forbidden, line, lines, object, reborn, state};

const MS: Duration = Duration::from_millis(1);

/// Returns a debounced, synced pipeline with `a/x` at version 1.
fn synced(debounce: impl Into<Debounce>) -> (Feed, Poller<impl Pipeline>) {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()).debounce(debounce));
    feed.list([object("a/x", 1)]);
    assert_eq!(poller.lines(), ["synced a/x@1"]);
    (feed, poller)
}

trait Pipeline: FusedStream<Item = Result<Change<ConfigMap>, Error>> + Unpin {}
impl<S: FusedStream<Item = Result<Change<ConfigMap>, Error>> + Unpin> Pipeline for S {}

/// Returns each item with its time in ms.
async fn timed<S>(stream: S, start: Instant) -> Vec<(u128, String)>
where
    S: Stream<Item = Result<Change<ConfigMap>, Error>>,
{
    stream.map(|item| (start.elapsed().as_millis(), line(&item))).collect().await
}

/// Returns the events of a synced pipeline: a version of `a/x` every `period`.
fn every(period: Duration, count: u32) -> impl Stream<Item = Event<ConfigMap>> {
    async_stream::stream! {
        yield Event::Init;
        yield Event::InitDone;
        for version in 1..=count {
            yield Event::Apply(object("a/x", version));
            sleep(period).await;
        }
    }
}

/// SEMANTICS: D1
#[tokio::test(start_paused = true)]
async fn interval_lets_the_first_out_at_once_and_the_rest_together() {
    let events = every(10 * MS, 10).chain(async_stream::stream! {
        sleep(Duration::from_secs(5)).await;
        if false { yield Event::Init }
    });
    let items = timed(events.index(()).debounce(200 * MS), Instant::now()).await;
    let times: Vec<_> = items.iter().map(|(at, line)| (*at, line.as_str())).collect();
    assert_eq!(times, [(0, "synced "), (0, "live +a/x@1"), (200, "live ~a/x@1->a/x@10")]);
}

/// SEMANTICS: D1
#[tokio::test(start_paused = true)]
async fn a_lone_change_after_the_interval_goes_out_at_once() {
    let (feed, mut poller) = synced(200 * MS);
    for version in 2..5 {
        feed.apply("a/x", version);
        assert_eq!(poller.lines().len(), 1, "version {version}");
        advance(201 * MS).await;
    }
}

/// SEMANTICS: D2
#[tokio::test(start_paused = true)]
async fn quiet_waits_for_silence() {
    let (feed, mut poller) = synced(Debounce::quiet(100 * MS).max_wait(Duration::from_secs(1)));
    for version in 2..6 {
        feed.apply("a/x", version);
        assert!(poller.lines().is_empty());
        advance(50 * MS).await;
    }
    assert!(poller.lines().is_empty());
    advance(51 * MS).await;
    assert_eq!(poller.wakes(), 1, "the timer wakes it");
    assert_eq!(poller.lines(), ["live ~a/x@1->a/x@5"]);
}

/// SEMANTICS: D2
#[tokio::test(start_paused = true)]
async fn quiet_has_a_ceiling() {
    let start = Instant::now();
    let debounce = Debounce::quiet(100 * MS).max_wait(Duration::from_secs(1));
    let items = timed(every(50 * MS, 100).index(()).debounce(debounce), start).await;
    let times: Vec<_> = items.iter().map(|(at, _)| *at).collect();
    assert_eq!(times[0], 0, "{items:?}");
    assert_eq!(times[1..], [1000, 2000, 3000, 4000, 5000]);
}

/// SEMANTICS: D2
#[tokio::test(start_paused = true)]
async fn the_ceiling_is_ten_times_the_silence_unless_set() {
    let items = every(50 * MS, 100).index(()).debounce(Debounce::quiet(100 * MS));
    let items = timed(items, Instant::now()).await;
    assert_eq!(items[1].0, 1000);
}

/// SEMANTICS: D3
#[tokio::test(start_paused = true)]
async fn synced_is_not_delayed_and_starts_no_waiting_period() {
    for debounce in [Debounce::interval(200 * MS), Debounce::quiet(200 * MS).into()] {
        let (feed, events) = feed();
        let mut poller = Poller::new(events.index(()).with_progress().debounce(debounce));
        feed.send(Event::Init);
        feed.send(Event::InitApply(object("a/x", 1)));
        poller.lines();
        feed.send(Event::InitApply(object("a/y", 1)));
        feed.send(Event::InitDone);
        let lines = poller.lines();
        assert_eq!(lines.last().unwrap(), "synced a/x@1 a/y@1");
        assert!(lines.len() <= 2, "what was held comes before it, and at once: {lines:?}");
    }
    let (feed, mut poller) = synced(200 * MS);
    feed.apply("a/x", 2);
    assert_eq!(poller.lines(), ["live ~a/x@1->a/x@2"], "right after Synced");
}

/// Name, events and expected items of a case.
type Case = (&'static str, Vec<Event<ConfigMap>>, &'static [&'static str]);

/// SEMANTICS: D4
#[tokio::test(start_paused = true)]
async fn delivered_items_are_the_net_change() {
    let cases: [Case; 7] = [
        (
            "created, then deleted",
            vec![Event::Apply(object("a/n", 2)), Event::Delete(object("a/n", 3))],
            &[],
        ),
        (
            "created, then modified",
            vec![Event::Apply(object("a/n", 2)), Event::Apply(object("a/n", 3))],
            &["live +a/n@3"],
        ),
        (
            "modified twice",
            vec![Event::Apply(object("a/x", 2)), Event::Apply(object("a/x", 3))],
            &["live ~a/x@1->a/x@3"],
        ),
        (
            "modified, then deleted",
            vec![Event::Apply(object("a/x", 2)), Event::Delete(object("a/x", 3))],
            &["live -a/x@1"],
        ),
        (
            "deleted, then created anew",
            vec![Event::Delete(object("a/x", 2)), Event::Apply(reborn("a/x", 3, "2"))],
            &["live ~a/x@1->a/x@3"],
        ),
        (
            "deleted, and the same is back",
            vec![Event::Delete(object("a/x", 1)), Event::Apply(object("a/x", 1))],
            &[],
        ),
        (
            "several objects",
            vec![
                Event::Apply(object("b/n", 2)),
                Event::Delete(object("a/x", 3)),
                Event::Apply(object("a/m", 4)),
            ],
            &["live +a/m@4 -a/x@1 +b/n@2"],
        ),
    ];
    for (case, events, wanted) in cases {
        // All in one run of events, or each in a separate run.
        for apart in [false, true] {
            let (feed, mut poller) = synced(Debounce::quiet(100 * MS));
            for event in events.clone() {
                feed.send(event);
                if apart {
                    assert!(poller.lines().is_empty(), "{case}");
                }
            }
            poller.lines();
            advance(101 * MS).await;
            assert_eq!(poller.lines(), wanted, "{case}, apart: {apart}");
        }
    }
}

/// SEMANTICS: D4
#[tokio::test(start_paused = true)]
async fn stats_count_the_net_change() {
    let (feed, mut poller) = synced(Debounce::quiet(100 * MS));
    feed.apply("a/n", 2);
    poller.lines();
    feed.apply("a/n", 3);
    feed.apply("a/x", 3);
    poller.lines();
    advance(101 * MS).await;
    let items = poller.drain();
    let batch = items[0].as_ref().unwrap().batch().unwrap();
    let stats = batch.stats();
    assert_eq!((stats.created, stats.modified, stats.deleted, stats.total()), (1, 1, 0, 2));
    assert_eq!(state(batch.before()), ["a/x@1"]);
    assert_eq!(state(batch.after()), ["a/n@3", "a/x@3"]);
}

/// SEMANTICS: D5
#[tokio::test(start_paused = true)]
async fn flush_lets_out_what_is_held() {
    let (feed, events) = feed();
    let debounced = events.index(()).debounce(Debounce::quiet(Duration::from_secs(60)));
    let flusher = debounced.handle();
    let mut poller = Poller::new(debounced);
    feed.list([]);
    poller.lines();

    flusher.flush();
    assert_eq!(poller.wakes(), 1);
    assert!(poller.lines().is_empty(), "nothing is held");

    feed.apply("a/x", 1);
    assert!(poller.lines().is_empty());
    // The flush comes from another thread, and must wake the stream.
    std::thread::spawn(move || flusher.clone().flush()).join().unwrap();
    assert_eq!(poller.wakes(), 1);
    assert_eq!(poller.lines(), ["live +a/x@1"]);
    advance(Duration::from_secs(61)).await;
    assert!(poller.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_may_be_for_ever() {
    for debounce in [
        Debounce::quiet(Duration::MAX).into(),
        Debounce::quiet(Duration::from_secs(1)).max_wait(Duration::MAX).into(),
        Debounce::interval(Duration::MAX),
    ] {
        let (feed, mut poller) = synced(debounce);
        feed.apply("a/x", 2);
        poller.lines();
        feed.apply("a/x", 3);
        poller.lines();
        drop(feed);
        poller.lines();
        assert!(matches!(poller.poll(), Poll::Ready(None)));
    }
}

/// SEMANTICS: D6
#[tokio::test(start_paused = true)]
async fn held_changes_are_delivered_at_the_end() {
    let (feed, mut poller) = synced(Debounce::quiet(100 * MS));
    feed.apply("a/x", 2);
    assert!(poller.lines().is_empty());
    drop(feed);
    assert_eq!(poller.lines(), ["live ~a/x@1->a/x@2"]);
    assert!(matches!(poller.poll(), Poll::Ready(None)));
}

/// SEMANTICS: D6
#[tokio::test(start_paused = true)]
async fn errors_pass_at_once_and_discard_nothing() {
    let (feed, mut poller) = synced(Debounce::quiet(100 * MS));
    feed.apply("a/x", 2);
    poller.lines();
    feed.fail(forbidden());
    assert_eq!(poller.lines(), ["error Forbidden"]);
    advance(101 * MS).await;
    assert_eq!(poller.lines(), ["live ~a/x@1->a/x@2"]);
    // An error in the middle of a run of events: the changes before it are in an item before it.
    feed.apply("a/x", 3);
    feed.fail(forbidden());
    feed.apply("a/x", 4);
    assert_eq!(poller.lines(), ["error Forbidden"]);
    advance(101 * MS).await;
    assert_eq!(poller.lines(), ["live ~a/x@2->a/x@4"]);
}

/// SEMANTICS: D7
#[tokio::test(start_paused = true)]
async fn for_a_slow_consumer_changes_merge() {
    let (feed, mut poller) = synced(10 * MS);
    feed.apply("a/x", 2);
    assert_eq!(poller.lines().len(), 1);
    // The consumer is busy: nobody polls while 10,000 events of three objects arrive.
    for version in 3..10_003 {
        feed.apply(["a/x", "a/y", "a/z"][version as usize % 3], version);
    }
    advance(Duration::from_secs(1)).await;
    assert_eq!(poller.lines(), ["live ~a/x@2->a/x@10002 +a/y@10000 +a/z@10001"]);
}

/// SEMANTICS: D8
#[tokio::test(start_paused = true)]
async fn dropping_is_stopping() {
    let (feed, events) = feed();
    let dropped = std::sync::Arc::new(());
    let held = dropped.clone();
    let events = events.inspect(move |_| {
        let _ = &held;
    });
    let mut pipeline = Box::pin(events.index(()).debounce(100 * MS));
    feed.list([]);
    pipeline.next().await;
    let flusher = pipeline.handle();
    drop(pipeline);
    assert_eq!(std::sync::Arc::strong_count(&dropped), 1, "something still holds the events");
    flusher.flush();
}

/// SEMANTICS: D8
#[tokio::test(start_paused = true)]
async fn after_the_end_there_is_nothing() {
    let (feed, mut poller) = synced(100 * MS);
    drop(feed);
    for _ in 0..3 {
        assert!(matches!(poller.poll(), Poll::Ready(None)));
    }
    assert!(poller.stream.is_terminated());
}

/// Each adaptor that returns `Pending` is polled again once there is something.
/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn pending_means_that_a_waker_is_registered() {
    fn check<T>(stream: impl Stream<Item = T> + Unpin, name: &str, feed: &Feed) {
        let mut poller = Poller::new(stream);
        feed.list([]);
        poller.drain();
        for version in 1..5 {
            assert!(poller.poll().is_pending(), "{name}");
            assert_eq!(poller.wakes(), 0, "{name} woke itself for nothing");
            feed.apply("a/x", version);
            assert!(poller.wakes() > 0, "{name} wasn't woken");
            assert!(poller.poll().is_ready(), "{name}");
        }
    }
    let filter = || FieldFilter::new(["data"]).unwrap();
    let selector = || FieldSelector::parse("metadata.name=x").unwrap();
    let (input, events) = feed();
    check(events.filter_fields(filter()).unwrap(), "filter_fields", &input);
    let (input, events) = feed();
    check(events.matching(selector()).unwrap(), "matching", &input);
    let (input, events) = feed();
    check(events.index(()), "index", &input);
    let (input, events) = feed();
    check(events.index(()).debounce(Duration::ZERO), "debounce", &input);
    let (input, events) = feed();
    check(events.index(()).log_errors(), "log_errors", &input);
}

/// A stream that is always ready must not block the executor.
/// SEMANTICS: D9
#[tokio::test(start_paused = true)]
async fn an_endless_run_of_events_yields_to_the_executor() {
    let events = || {
        futures::stream::iter([Event::Init, Event::InitDone])
            .chain(futures::stream::repeat_with(|| Event::Apply(object("a/x", 1))))
    };
    let mut poller = Poller::new(Box::pin(events().index(()).debounce(10 * MS)));
    let mut pending = 0;
    for _ in 0..10 {
        if poller.poll().is_pending() {
            pending += 1;
            assert!(poller.wakes() > 0, "nobody would poll it again");
        }
    }
    assert!(pending > 0);
}

proptest! {
    /// Regardless of how events fall into runs and windows, the items add up to the current state.
    /// SEMANTICS: D4, D6
    #[test]
    fn nothing_is_lost_or_reported_twice(
        steps in prop::collection::vec((0..6_u8, 0..5_u8, 0..120_u64), 0..60),
        quiet in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let debounce = if quiet { Debounce::quiet(50 * MS).into() } else { Debounce::interval(50 * MS) };
            let (feed, mut poller) = synced(debounce);
            let mut replay = std::collections::BTreeMap::from([("a/x".to_owned(), "a/x@1".to_owned())]);
            let mut last = Vec::new();
            let mut take = |items: Vec<Result<Change<ConfigMap>, Error>>| {
                for item in items {
                    let Change::Live(batch) = item.unwrap() else { panic!("only Live after Synced") };
                    prop_assert!(batch.stats().total() > 0);
                    for delta in batch.deltas() {
                        let key = crate::support::name(delta.object());
                        let known = delta.before().map(|old| crate::support::versioned(old));
                        let now = delta.after().map(|new| crate::support::versioned(new));
                        let was = match now {
                            Some(now) => replay.insert(key, now),
                            None => replay.remove(&key),
                        };
                        prop_assert_eq!(was, known);
                    }
                    last = state(batch.after());
                    prop_assert_eq!(replay.values().cloned().collect::<Vec<_>>(), last.clone());
                }
                Ok(())
            };
            for (version, (key, op, pause)) in steps.iter().enumerate() {
                let identity = format!("a/{}", (b'u' + key) as char);
                let version = u32::try_from(version).unwrap() + 2;
                match op {
                    0 => feed.delete(&identity, version),
                    1 => feed.send(Event::Apply(reborn(&identity, version, &version.to_string()))),
                    _ => feed.apply(&identity, version),
                }
                if *pause > 20 {
                    take(poller.drain())?;
                    advance(Duration::from_millis(*pause)).await;
                    take(poller.drain())?;
                }
            }
            drop(feed);
            take(poller.drain())
        })?;
    }
}

/// `next` and `select!` may drop a poll at any time.
#[tokio::test(start_paused = true)]
async fn an_interrupted_wait_loses_nothing() {
    let (feed, events) = feed();
    let mut pipeline = pin!(events.index(()).debounce(100 * MS));
    feed.list([]);
    for version in 1..20 {
        feed.apply("a/x", version);
        let _ = timeout(30 * MS, pipeline.next()).await;
    }
    drop(feed);
    let rest = lines(pipeline).await;
    assert!(rest.last().is_some_and(|line| line.ends_with("->a/x@19")), "{rest:?}");
}

/// SEMANTICS: D1
#[tokio::test(start_paused = true)]
async fn a_debounce_that_is_set_counts_for_what_is_held() {
    let (feed, events) = feed();
    let debounced = events.index(()).debounce(Duration::from_secs(60));
    let handle = debounced.handle();
    let mut poller = Poller::new(debounced.log_errors().map(Ok));
    feed.list([]);
    feed.apply("a/x", 1);
    assert_eq!(poller.lines().len(), 2);
    feed.apply("a/x", 2);
    assert!(poller.lines().is_empty());

    // From another thread, with a longer time: only the timer changes.
    let own = handle.clone();
    std::thread::spawn(move || own.set(Duration::from_secs(120))).join().unwrap();
    assert!(poller.wakes() > 0, "it sleeps on");
    advance(Duration::from_secs(60)).await;
    assert!(poller.lines().is_empty());

    // The requested silence has already passed.
    handle.set(Debounce::quiet(Duration::from_secs(30)));
    assert_eq!(poller.lines().len(), 1);

    feed.apply("a/x", 3);
    assert!(poller.lines().is_empty());
    advance(Duration::from_secs(29)).await;
    assert!(poller.lines().is_empty());
    advance(Duration::from_secs(1)).await;
    assert_eq!(poller.lines().len(), 1);
}
