//! Resuming: when a watch resumes at its version, and when a list replaces that.

use std::time::Duration;

use kube_weir::testing::{Answer, End, Fault, On, Verb};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::wire::{
    DAY, HOUR, MINUTE, SECOND, asked, bookmark, config, configs, drive, event, failure, is_list,
    sent, server_with, status, timed_requests,
};

/// Returns answers to a resume that are no interruption.
fn rejections() -> Vec<(&'static str, Fault)> {
    let error = |object: Value| Fault::Answer(Answer::lines([event("ERROR", object)]));
    let answer = |code, reason| Fault::Answer(failure(code, reason));
    let mut too_large = status(504, "Timeout", "Timeout: Too large resource version: 12");
    too_large["details"] = json!({ "causes": [{ "reason": "ResourceVersionTooLarge" }] });
    let compacted = "etcdserver: mvcc: required revision has been compacted";
    let seven = json!({ "message": 7, "reason": {}, "code": 500, "details": [] });
    vec![
        ("400", answer(400, "BadRequest")),
        ("401", answer(401, "Unauthorized")),
        ("405", answer(405, "MethodNotAllowed")),
        ("422", answer(422, "Invalid")),
        ("500", answer(500, "InternalError")),
        ("500, late", Fault::Answer(failure(500, "InternalError").late_head(30 * SECOND))),
        ("502 of a proxy", Fault::Answer(Answer::new(502).chunk("<html>Bad Gateway</html>"))),
        ("504 of a proxy", Fault::Answer(Answer::new(504).late_head(MINUTE).chunk("timed out"))),
        ("504", Fault::Answer(Answer::json(504, &too_large))),
        ("504, as an API server waits", {
            Fault::Answer(Answer::json(504, &too_large).late_head(3 * SECOND))
        }),
        ("200 that is a page", Fault::Answer(Answer::new(200).chunk("<html>log in</html>\n"))),
        ("200 that is empty", Fault::Answer(Answer::new(200))),
        ("200 that is a Status", Fault::Answer(Answer::json(200, &status(500, "", "")))),
        ("ERROR 504", error(too_large)),
        ("ERROR 500 that means compacted", error(status(500, "", compacted))),
        ("ERROR without a field", error(json!({}))),
        ("ERROR null", error(Value::Null)),
        ("ERROR with odd fields", error(seven)),
        ("ERROR 500, late", {
            let line = event("ERROR", status(500, "StorageReadError", "corrupt object"));
            Fault::Answer(Answer::new(200).pause(5 * SECOND).chunk(format!("{line}\n")))
        }),
        ("no JSON", Fault::Answer(Answer::lines(["{\"type\":\"ADDED\",\"object\":{,}}"]))),
        ("no event", Fault::Answer(Answer::lines(["[]"]))),
        ("an unknown type", Fault::Answer(Answer::lines([event("SYNC", sent("a/x", 3))]))),
        ("without a version", Fault::Answer(Answer::lines([event("ADDED", config("a/x", "z"))]))),
    ]
}

/// A watch can never resume at one version, but at any other.
///
/// SEMANTICS: W13
#[tokio::test(start_paused = true)]
async fn a_version_that_is_rejected_three_times_is_given_up() {
    for (name, fault) in rejections() {
        let server = server_with(&["a/x"]);
        let version = server.resource_version();
        server.fault(On::verb(Verb::Watch).version(version), usize::MAX, fault);
        let driven = drive(configs(&server).watch_timeout(HOUR));
        driven.store.synced().await.unwrap();
        server.apply(&config("a/y", "new")).unwrap();
        sleep(5 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{name}: {:?}", driven.errors().last());
        server.apply(&config("a/z", "new")).unwrap();
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["a/x", "a/y", "a/z"], "{name}: the watch goes on");
        let (lists, watches) = asked(&server);
        assert_eq!((lists, watches), (2, 4), "{name}: {:?}", server.requests());
        assert_eq!(driven.errors().len(), 3, "{name}");
        assert!(driven.store.status().failing.is_none(), "{name}");
    }
}

/// Every resume is rejected, and every list works: there must be no storm of lists.
///
/// SEMANTICS: W13
#[tokio::test(start_paused = true)]
async fn lists_for_a_resume_that_is_rejected_become_rare() {
    for (name, fault) in rejections() {
        let server = server_with(&["a/x"]);
        server.fault(Verb::Watch, usize::MAX, fault);
        let driven = drive(configs(&server));
        let lists = timed_requests(&server, DAY, 5 * SECOND, is_list).await;
        let gaps: Vec<_> = lists.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        assert!((150..700).contains(&lists.len()), "{name}: {} lists in a day", lists.len());
        // The delay doubles, jittered down to half.
        assert!(gaps[..3].iter().all(|gap| *gap < 5 * MINUTE), "{name}: {:?}", &gaps[..3]);
        let last = &gaps[gaps.len() - 100..];
        assert!(last.iter().all(|gap| *gap >= 145 * SECOND), "{name}: {last:?}");
        assert!(last.iter().any(|gap| *gap != last[0]), "{name}: no jitter");
        server.apply(&config("a/y", "new")).unwrap();
        sleep(12 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{name}");
    }
}

/// Answers, and missing answers, that say nothing about the version.
///
/// SEMANTICS: W13
#[tokio::test(start_paused = true)]
async fn an_outage_keeps_the_version_for_five_minutes() {
    let reset = Fault::Answer(Answer::new(200).end(End::Reset));
    for fault in [
        Fault::Refused,
        Fault::Lost,
        reset,
        Fault::status(429),
        Fault::status(503),
        Fault::ErrorEvent { code: 429, after_events: 0 },
        Fault::Torn { after_events: 0 },
        Fault::Delay(HOUR),
    ] {
        let server = server_with(&["a/x"]);
        let driven = drive(configs(&server).watch_timeout(10 * SECOND));
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        server.fault(Verb::Watch, usize::MAX, fault.clone());
        server.disconnect();
        server.apply(&config("a/y", "new")).unwrap();
        server.take_requests();
        sleep(295 * SECOND).await;
        let (lists, watches) = asked(&server);
        assert_eq!(lists, 0, "{fault:?}");
        assert!((9..40).contains(&watches), "{fault:?}: {watches}");
        assert_eq!(driven.names(), ["a/x"]);
        // A list then shows the current state.
        sleep(5 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{fault:?}");
        // The lists stay rare during the whole time.
        let lists = timed_requests(&server, DAY, 5 * SECOND, is_list).await;
        assert!(lists.len() < 290, "{fault:?}: {} lists in a day", lists.len());
    }
}

/// SEMANTICS: W13
#[tokio::test(start_paused = true)]
async fn an_event_or_a_bookmark_between_is_no_row_of_failures() {
    let server = server_with(&["a/x"]);
    let version = server.resource_version();
    for line in [bookmark(version), event("MODIFIED", sent("a/x", version))] {
        let rejected = || Fault::Answer(failure(500, "InternalError"));
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        server.take_requests();
        server.end_watches(On::any(), End::Fin);
        for _ in 0..3 {
            server.fault(Verb::Watch, 2, rejected());
            let answer = Answer::lines([&line]).pause(2 * SECOND);
            server.fault(Verb::Watch, 1, Fault::Answer(answer));
        }
        sleep(MINUTE).await;
        let (lists, watches) = asked(&server);
        assert_eq!(lists, 0, "{line}");
        assert!(watches >= 9, "{line}: {watches}");
    }
}

/// A server that repeatedly sends an old event and ends must not be requested in a tight loop.
///
/// SEMANTICS: W16
#[tokio::test(start_paused = true)]
async fn an_old_event_again_and_again_is_no_progress() {
    let server = server_with(&["a/x"]);
    let version = server.resource_version();
    let answer = Answer::lines([event("MODIFIED", sent("a/x", version - 1))]);
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(Verb::Watch, 200, Fault::Answer(answer));
    server.end_watches(On::any(), End::Fin);
    server.take_requests();
    sleep(10 * SECOND).await;
    let (_, watches) = asked(&server);
    assert!(watches < 40, "{watches} watches in 10 seconds");
    assert_eq!(driven.names(), ["a/x"]);
}

/// A load balancer that ends every connection on which nothing was sent for 50 seconds, for a week.
///
/// SEMANTICS: W16
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_when_idle_makes_nothing_late() {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    for end in [End::Reset, End::Fin] {
        let server = server_with(&["a/x"]);
        server.fault(Verb::Watch, usize::MAX, Fault::Idle { after: 50 * SECOND, end });
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        let begun = Instant::now();
        let mut writes = Vec::new();
        // At times that fall into every part of a connection's life.
        while begun.elapsed() < WEEK {
            let number = u32::try_from(writes.len()).unwrap();
            sleep(Duration::from_millis(u64::from(311_000 + 7919 * (number % 41)))).await;
            writes.push(Instant::now());
            server.apply(&config("a/x", &number.to_string())).unwrap();
        }
        sleep(MINUTE).await;
        let seen = driven.live();
        assert_eq!(seen.len(), writes.len(), "each write is an item");
        let late: Vec<_> =
            seen.iter().zip(&writes).map(|(seen, written)| *seen - *written).collect();
        let worst = late.iter().max().copied().unwrap_or_default();
        let mean = late.iter().sum::<Duration>() / u32::try_from(late.len()).unwrap();
        let errors = driven.errors().len();
        let (lists, watches) = asked(&server);
        let figures = format!(
            "{end:?}: {} events in a week, late by {mean:?} in the mean and {worst:?} at worst, \
             {errors} error items, {watches} watches, {lists} lists",
            late.len(),
        );
        println!("{figures}");
        assert!(worst <= SECOND && errors == 0, "{figures}");
        assert!(driven.store.status().failing.is_none());
    }
}

/// A server that ends its watches late, without an event.
///
/// SEMANTICS: W13, W16, W29
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_late_and_empty_is_no_watch_that_held() {
    for end in [End::Fin, End::Reset] {
        for late in [SECOND, 5 * SECOND, 30 * SECOND] {
            let server = server_with(&["a/x"]);
            let answer = Answer::new(200).late_head(late).end(end);
            server.fault(Verb::Watch, usize::MAX, Fault::Answer(answer));
            let driven = drive(configs(&server));
            driven.store.synced().await.unwrap();
            sleep(HOUR).await;
            let at = format!("{end:?} after {late:?}");
            assert!(driven.store.status().failing.is_some(), "{at}");
            let errors = driven.errors().len();
            let (lists, watches) = asked(&server);
            assert!(errors > 10 && lists > 5, "{at}: {errors} errors, {lists} lists");
            // A connection reset says nothing about the version.
            let most = if end == End::Fin { 4 * lists } else { 240 };
            assert!(watches <= most && lists < 40, "{at}: {watches} watches, {lists} lists");
            server.apply(&config("a/x", "listed")).unwrap();
            // Up to 6 minutes until the version is given up, and up to 5 until the list.
            sleep(15 * MINUTE).await;
            assert_eq!(driven.data("a", "x").as_deref(), Some("listed"), "{at}");
        }
    }
}

/// Even the shortest watch doesn't end right at its start.
///
/// SEMANTICS: W13, W16
#[tokio::test(start_paused = true)]
async fn the_shortest_watch_that_ends_at_once_is_no_watch_that_held() {
    for end in [End::Fin, End::Reset] {
        let server = server_with(&["a/x"]);
        let answer = Answer::new(200).end(end);
        server.fault(Verb::Watch, usize::MAX, Fault::Answer(answer));
        let driven = drive(configs(&server).watch_timeout(SECOND));
        driven.store.synced().await.unwrap();
        sleep(MINUTE).await;
        let (lists, watches) = asked(&server);
        assert!(watches < 30 && driven.errors().len() > 3, "{end:?}: {watches}, {lists} lists");
    }
}

/// A proxy delays the head until the first event, and there is none until the end.
///
/// SEMANTICS: W16, W25
#[tokio::test(start_paused = true)]
async fn a_head_that_comes_with_the_end_is_that_of_a_watch_that_held() {
    let server = server_with(&["a/x"]);
    let answer = Answer::new(200).late_head(10 * SECOND).end(End::Fin);
    server.fault(Verb::Watch, usize::MAX, Fault::Answer(answer));
    // Up to 10 seconds.
    let driven = drive(configs(&server).watch_timeout(5 * SECOND));
    driven.store.synced().await.unwrap();
    sleep(MINUTE).await;
    let all = driven.errors();
    assert!(all.iter().all(kube_weir::Error::is_timeout), "{all:?}");
}

/// SEMANTICS: W16
#[tokio::test(start_paused = true)]
async fn a_watch_that_held_resets_the_delay() {
    let server = server_with(&["a/x"]);
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    // A long outage, after which the delay is at its maximum.
    server.fault(Verb::Watch, 10, Fault::status(503));
    server.disconnect();
    sleep(5 * MINUTE).await;
    assert_eq!(driven.errors().len(), 10);
    // Open for a minute without an event, and then broken; and once more refused.
    server.end_watches(On::any(), End::Reset);
    server.fault(Verb::Watch, 1, Fault::Refused);
    let begun = Instant::now();
    sleep(SECOND).await;
    server.apply(&config("a/y", "new")).unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y"], "{:?}", begun.elapsed());
    assert_eq!(driven.errors().len(), 11, "only that of the connection that was refused");
}

/// Objects of another schema are created and deleted; each deletion names its object.
///
/// SEMANTICS: W20
#[tokio::test(start_paused = true)]
async fn a_deletion_that_does_not_decode_deletes_by_identity() {
    let server = server_with(&["a/good", "a/stored"]);
    let garble = |name: &str| Fault::Garble { name: name.to_owned() };
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(Verb::Watch, 1, garble("stored"));
    server.end_watches(On::any(), End::Fin);
    sleep(SECOND).await;
    server.delete("configmaps", "a", "stored").unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/good"]);
    assert_eq!(driven.errors().len(), 0, "it is gone, whatever it was");

    server.fault(Verb::Watch, usize::MAX, garble("bad"));
    server.end_watches(On::any(), End::Fin);
    for round in 0..360 {
        server.apply(&config("a/bad", "odd")).unwrap();
        sleep(SECOND).await;
        assert_eq!(driven.store.report().stale, ["a/bad"], "{round}");
        server.delete("configmaps", "a", "bad").unwrap();
        server.apply(&config("a/good", &round.to_string())).unwrap();
        sleep(9 * SECOND).await;
        assert!(driven.store.report().stale.is_empty(), "{round}");
    }
    assert_eq!(driven.names(), ["a/good"]);
    assert_eq!(driven.errors().len(), 360, "one for each that came");
    assert_eq!(asked(&server).0, 1, "one list in an hour");
}

/// A deletion whose body has only the name of an object.
///
/// SEMANTICS: W20
#[tokio::test(start_paused = true)]
async fn a_deletion_needs_no_more_than_an_identity() {
    let bodies = [
        json!({ "metadata": { "namespace": "a", "name": "x", "labels": 7, "resourceVersion": "9" } }),
        json!({ "metadata": { "namespace": "a", "name": "x", "resourceVersion": "" }, "data": [] }),
    ];
    for body in bodies {
        let server = server_with(&["a/x", "a/y"]);
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        let answer = Answer::lines([event("DELETED", body.clone())]).end(End::Never);
        server.fault(Verb::Watch, 1, Fault::Answer(answer));
        server.end_watches(On::any(), End::Fin);
        sleep(2 * SECOND).await;
        assert_eq!(driven.names(), ["a/y"], "{body}: {:?}", driven.errors());
        assert_eq!(asked(&server).0, 1, "{body}: no list");
    }
}
