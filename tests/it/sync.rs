//! Sync and relists: SEMANTICS section S.

use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{Change, Error, EventStreamExt, Index, SyncPolicy};
use tokio::time::{Instant, advance, timeout};

use crate::support::{Poller, feed, forbidden, line, lines, object, reborn, state, status};

/// SEMANTICS: S1, S2, S3
#[tokio::test]
async fn synced_comes_once_with_all_that_was_there() {
    let init = |identity: &str| Event::InitApply(object(identity, 1));
    let events = [Event::Init, init("a/x"), init("b/y"), init("a/z"), Event::InitDone];
    let lines = lines(stream::iter(events).index(())).await;
    assert_eq!(lines, ["synced a/x@1 a/z@1 b/y@1"]);
}

/// SEMANTICS: S1
#[tokio::test]
async fn synced_comes_also_when_there_is_nothing() {
    let lines = lines(stream::iter([Event::Init, Event::InitDone]).index(())).await;
    assert_eq!(lines, ["synced "]);
}

/// SEMANTICS: S2
#[tokio::test]
async fn objects_applied_before_the_sync_are_part_of_the_load() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    feed.apply("a/early", 1);
    feed.send(Event::Init);
    feed.send(Event::InitApply(object("a/x", 1)));
    feed.apply("a/y", 2);
    feed.delete("a/x", 3);
    assert!(poller.lines().is_empty());
    feed.send(Event::InitDone);
    assert_eq!(poller.lines(), ["synced a/y@2"]);
}

/// SEMANTICS: S3
#[tokio::test]
async fn progress_shows_the_load() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()).with_progress());
    let store = poller.stream.store();
    feed.send(Event::Init);
    feed.send(Event::InitApply(object("a/x", 1)));
    feed.send(Event::InitApply(object("a/y", 1)));
    assert_eq!(poller.lines(), ["initial +a/x@1 +a/y@1"]);
    assert_eq!(state(&store.snapshot()), ["a/x@1", "a/y@1"]);
    assert!(!store.is_synced());
    feed.send(Event::InitApply(object("a/z", 1)));
    feed.send(Event::InitDone);
    feed.apply("a/z", 2);
    assert_eq!(
        poller.lines(),
        ["initial +a/z@1", "synced a/x@1 a/y@1 a/z@1", "live ~a/z@1->a/z@2"]
    );
}

/// SEMANTICS: S3
#[tokio::test]
async fn without_progress_readers_see_nothing_before_the_sync() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    feed.send(Event::Init);
    feed.send(Event::InitApply(object("a/x", 1)));
    assert!(poller.lines().is_empty());
    assert!(store.snapshot().is_empty());
    feed.send(Event::InitDone);
    poller.lines();
    assert!(store.is_synced());
    assert_eq!(state(&store.snapshot()), ["a/x@1"]);
}

/// SEMANTICS: S4
#[tokio::test(start_paused = true)]
async fn synced_gives_the_number_of_distinct_objects() {
    for progress in [false, true] {
        let twice = (0..100).chain(0..100).map(|i| object(&format!("a/{i}"), 1));
        let events: Vec<_> = std::iter::once(Event::Init)
            .chain(twice.map(Event::InitApply))
            .chain([Event::InitDone])
            .collect();
        let pipeline = stream::iter(events).index(());
        let pipeline = if progress { pipeline.with_progress() } else { pipeline };
        let store = pipeline.store();
        let polling = tokio::spawn(pipeline.chain(stream::pending()).for_each(|_| async {}));
        assert_eq!(store.synced().await.unwrap().len(), 100);
        polling.abort();
    }
}

/// SEMANTICS: S5
#[tokio::test(start_paused = true)]
async fn all_who_wait_are_woken() {
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.synced().await })
        })
        .collect();
    // A wait that gives up while others continue.
    assert!(timeout(Duration::from_millis(1), store.synced()).await.is_err());
    let polling = tokio::spawn(pipeline.for_each(|_| async {}));
    tokio::task::yield_now().await;
    feed.list([object("a/x", 1)]);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
    }
    assert_eq!(store.synced().now_or_never().unwrap().unwrap().len(), 1, "at once");
    polling.abort();
}

/// A wait after a failed one returns the same.
/// SEMANTICS: S5
#[tokio::test(start_paused = true)]
async fn waiting_is_cancel_safe() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    for _ in 0..5 {
        assert!(store.synced().now_or_never().is_none());
        poller.lines();
    }
    feed.list([]);
    poller.lines();
    assert_eq!(store.synced().now_or_never().unwrap().unwrap().len(), 0);
}

type Predicate = fn(&Error) -> bool;

/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_wait_that_leads_nowhere_ends_with_the_cause() {
    let causes: [(Error, Predicate); 5] = [
        (forbidden(), Error::is_forbidden),
        (status(401, "Unauthorized"), Error::is_unauthorized),
        (status(404, "NotFound"), Error::is_not_installed),
        (status(503, "ServiceUnavailable"), Error::is_timeout),
        (status(410, "Expired"), Error::is_timeout),
    ];
    for (cause, expected) in causes {
        let (feed, events) = feed();
        let pipeline = events.index(());
        let store = pipeline.store();
        let polling = tokio::spawn(pipeline.for_each(|_| async {}));
        feed.send(Event::Init);
        feed.fail(cause.clone());
        let start = Instant::now();
        let error = store.synced().await.unwrap_err();
        assert!(expected(&error), "{cause}: {error:?}");
        assert_eq!(start.elapsed(), Duration::from_secs(30));
        if error.is_timeout() {
            let source = std::error::Error::source(&error).expect("the last failure");
            assert_eq!(source.to_string(), cause.to_string());
        }
        // The stream recovers nevertheless.
        feed.send(Event::InitDone);
        assert_eq!(store.synced().await.unwrap().len(), 0);
        polling.abort();
    }
}

/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_the_deadline_without_any_cause() {
    let (_feed, events) = feed();
    let policy = SyncPolicy::default().deadline(Duration::from_secs(7));
    let pipeline = events.index(()).sync_policy(policy);
    let store = pipeline.store();
    let start = Instant::now();
    assert!(store.synced().await.unwrap_err().is_timeout());
    assert_eq!(start.elapsed(), Duration::from_secs(7));
}

/// kube's watcher begins each failing list with another Init.
/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_list_that_begins_again_and_again_is_no_progress() {
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let polling = tokio::spawn(pipeline.for_each(|_| async {}));
    let failing = tokio::spawn(async move {
        loop {
            feed.send(Event::Init);
            feed.fail(forbidden());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let start = Instant::now();
    assert!(store.synced().await.unwrap_err().is_forbidden());
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    failing.abort();
    polling.abort();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_may_be_never() {
    let (feed, events) = feed();
    let policy = SyncPolicy::default().deadline(Duration::MAX);
    let pipeline = events.index(()).sync_policy(policy);
    let store = pipeline.store();
    assert!(timeout(Duration::from_secs(86_400), store.synced()).await.is_err());
    drop((feed, pipeline));
}

/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_long_load_is_no_reason_to_give_up() {
    let (feed, events) = feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    let polling = tokio::spawn(pipeline.for_each(|_| async {}));
    let waiting = tokio::spawn(async move { store.synced().await });
    feed.send(Event::Init);
    for i in 0..10 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        feed.send(Event::InitApply(object(&format!("a/{i}"), 1)));
    }
    feed.send(Event::InitDone);
    assert_eq!(waiting.await.unwrap().unwrap().len(), 10);
    polling.abort();
}

/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_wait_at_once_if_asked() {
    let (feed, events) = feed();
    let pipeline = events.index(()).sync_policy(SyncPolicy::default().fail_fast(true));
    let store = pipeline.store();
    let polling = tokio::spawn(pipeline.for_each(|_| async {}));
    let start = Instant::now();
    feed.fail(status(503, "ServiceUnavailable"));
    feed.fail(forbidden());
    assert!(store.synced().await.unwrap_err().is_forbidden());
    assert_eq!(start.elapsed(), Duration::ZERO);
    polling.abort();
}

/// SEMANTICS: S6
#[tokio::test(start_paused = true)]
async fn a_wait_on_a_stream_that_ended_fails() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    feed.fail(forbidden());
    drop(feed);
    assert_eq!(poller.lines(), ["error Forbidden"]);
    let error = store.synced().now_or_never().unwrap().unwrap_err();
    assert!(error.is_ended());
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("403"));

    let (_feed, events) = self::feed();
    let pipeline = events.index(());
    let store = pipeline.store();
    drop(pipeline);
    assert!(store.synced().await.unwrap_err().is_ended());
    assert_eq!(store.report().state, "ended");
}

/// Name, inputs and expected items of a case.
type Case = (&'static str, Vec<Event<ConfigMap>>, &'static [&'static str]);

fn relist_cases() -> Vec<Case> {
    let init = |identity: &str, version| Event::InitApply(object(identity, version));
    vec![
        (
            "nothing changed",
            vec![Event::Init, init("a/x", 1), init("a/y", 1), Event::InitDone],
            &[],
        ),
        (
            "one of each",
            vec![Event::Init, init("a/y", 5), init("a/z", 6), Event::InitDone],
            &["live -a/x@1 ~a/y@1->a/y@5 +a/z@6"],
        ),
        ("all gone", vec![Event::Init, Event::InitDone], &["live -a/x@1 -a/y@1"]),
        (
            "begun again before it was done",
            vec![
                Event::Init,
                init("a/phantom", 2),
                Event::Init,
                init("a/x", 1),
                init("a/y", 1),
                Event::InitDone,
            ],
            &[],
        ),
        (
            "without Init, as kube 4's streaming lists",
            vec![init("a/x", 1), init("a/z", 2), Event::InitDone],
            &["live -a/y@1 +a/z@2"],
        ),
        ("cut off", vec![Event::Init, init("a/z", 2)], &[]),
        (
            "another object of the same name",
            vec![
                Event::Init,
                Event::InitApply(reborn("a/x", 9, "2")),
                init("a/y", 1),
                Event::InitDone,
            ],
            &["live ~a/x@1->a/x@9"],
        ),
        (
            "changes while it comes in",
            vec![
                Event::Init,
                init("a/x", 1),
                Event::Apply(object("a/n", 7)),
                Event::Delete(object("a/x", 8)),
                init("a/y", 1),
                Event::InitDone,
            ],
            &["live +a/n@7 -a/x@1"],
        ),
    ]
}

/// SEMANTICS: S7, S8
#[tokio::test]
async fn a_relist_is_its_difference() {
    for (case, events, wanted) in relist_cases() {
        for progress in [false, true] {
            let (feed, input) = feed();
            let pipeline = input.index(());
            let mut poller =
                Poller::new(if progress { pipeline.with_progress() } else { pipeline });
            feed.list([object("a/x", 1), object("a/y", 1)]);
            poller.lines();
            events.clone().into_iter().for_each(|event| feed.send(event));
            assert_eq!(poller.lines(), wanted, "{case}");
        }
    }
}

/// SEMANTICS: S7
#[tokio::test]
async fn the_old_state_stays_readable_while_a_relist_comes_in() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    feed.list([object("a/x", 1), object("a/y", 1)]);
    poller.lines();
    feed.send(Event::Init);
    feed.send(Event::InitApply(object("a/z", 2)));
    assert!(poller.lines().is_empty());
    assert_eq!(state(&store.snapshot()), ["a/x@1", "a/y@1"]);
    assert!(store.is_synced());
    assert_eq!(store.report().state, "relisting");
    feed.send(Event::InitDone);
    assert_eq!(poller.lines(), ["live -a/x@1 -a/y@1 +a/z@2"]);
    assert_eq!(store.report().state, "synced");
}

/// SEMANTICS: S8
#[tokio::test]
async fn no_phantom_survives_an_initial_load_that_was_cut() {
    for progress in [false, true] {
        let (feed, events) = feed();
        let pipeline = events.index(());
        let mut poller = Poller::new(if progress { pipeline.with_progress() } else { pipeline });
        feed.send(Event::Init);
        feed.send(Event::InitApply(object("a/phantom", 1)));
        poller.lines();
        feed.fail(status(410, "Expired"));
        feed.list([object("a/x", 1)]);
        let lines = poller.lines();
        assert_eq!(lines.first().unwrap(), "error Desynced");
        assert_eq!(lines.last().unwrap(), "synced a/x@1");
        assert_eq!(lines.len(), if progress { 3 } else { 2 }, "{lines:?}");
    }
}

/// SEMANTICS: S9
#[tokio::test(start_paused = true)]
async fn a_late_consumer_gets_the_state_and_then_what_follows() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    let mut early = Poller::new(store.changes());
    assert!(early.lines().is_empty());
    feed.list([object("a/x", 1)]);
    poller.lines();
    feed.apply("a/x", 2);
    poller.lines();
    let mut late = Poller::new(store.changes());
    assert_eq!(late.lines(), ["synced a/x@2"]);
    feed.apply("a/y", 3);
    poller.lines();
    assert_eq!(late.lines(), ["live +a/y@3"]);
    // A late consumer gets the net change: earlier changes are in its Synced.
    assert_eq!(early.lines(), ["synced a/x@2 a/y@3"]);
    feed.apply("a/y", 4);
    poller.lines();
    feed.delete("a/y", 5);
    feed.apply("a/z", 6);
    poller.lines();
    assert_eq!(early.lines(), ["live -a/y@3 +a/z@6"]);
    // A consumer ends with the pipeline; the last changes are still yielded.
    feed.apply("a/z", 7);
    drop(feed);
    poller.lines();
    assert_eq!(late.lines(), ["live -a/y@3 +a/z@7"]);
    assert!(late.drain().is_empty());
    assert_eq!(Poller::new(store.changes()).lines(), ["synced a/x@2 a/z@7"]);
}

/// SEMANTICS: S9
#[tokio::test(start_paused = true)]
async fn consumers_have_debounces_of_their_own() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    let store = poller.stream.store();
    let mut fast = Poller::new(store.changes());
    let mut slow = Poller::new(store.changes().debounce(Duration::from_secs(1)));
    feed.list([]);
    poller.lines();
    assert_eq!((fast.lines().len(), slow.lines().len()), (1, 1));
    let mut counts = (0, 0);
    for version in 0..50 {
        feed.apply("a/x", version);
        poller.lines();
        counts.0 += fast.lines().len();
        counts.1 += slow.lines().len();
        advance(Duration::from_millis(50)).await;
    }
    assert_eq!(counts, (50, 3), "at 0, 1 and 2 s");
}

#[tokio::test(start_paused = true)]
async fn first_synced_passes_over_what_comes_before_it() {
    let (feed, events) = feed();
    let mut pipeline = events.index(()).with_progress();
    feed.fail(forbidden());
    feed.list([object("a/x", 1)]);
    feed.apply("a/x", 2);
    assert_eq!(state(&pipeline.first_synced().await.unwrap()), ["a/x@1"]);
    assert_eq!(line(&pipeline.next().await.unwrap()), "live ~a/x@1->a/x@2");
    let mut logged = Box::pin(stream::empty::<Change<ConfigMap>>());
    assert!(logged.first_synced().await.unwrap_err().is_ended());
}

#[tokio::test(start_paused = true)]
async fn log_errors_leaves_changes() {
    let (feed, events) = feed();
    feed.fail(forbidden());
    feed.list([]);
    drop(feed);
    let changes: Vec<_> = events.index(()).log_errors().collect().await;
    assert!(matches!(&changes[..], [Change::Synced(_)]));
}

#[tokio::test(start_paused = true)]
async fn report_says_what_goes_on() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(Index::path("metadata.labels.app").unwrap()));
    let store = poller.stream.store();
    assert_eq!(store.report().state, "loading");
    feed.fail(forbidden());
    poller.lines();
    assert!(store.report().last_error.unwrap().contains("403"));
    feed.list([object("a/x", 1)]);
    poller.lines();
    let report = store.report();
    assert_eq!((report.state, report.objects, report.last_error), ("synced", 1, None));
    let json = serde_json::to_value(store.report()).unwrap();
    assert_eq!(json["indexes"][0]["name"], "metadata.labels.app");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_polls_is_named_as_the_cause() {
    let (feed, events) = feed();
    feed.list([object("a", 1)]);
    let changes = events.index(());
    let store = changes.store();
    let error = store.synced().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("nobody polls the stream that fills the store; `spawn` it"), "{text}");
    let waited = store.wait_for(kube_weir::Write::up_to("1")).await.unwrap_err().to_string();
    assert!(waited.contains("nobody polls"), "{waited}");
    changes.spawn();
    store.synced().await.unwrap();
}
