//! Resuming: when a watch goes on from its version, and when that is given up for a list.

use std::time::Duration;

use kube_weir::{
    Error,
    testing::{Answer, End, Fault, On, Verb},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::wire::{
    DAY, HOUR, MINUTE, SECOND, asked, bookmark, config, configs, drive, event, failure, in_store,
    is_list, on_server, sent, server_with, status, timed_requests,
};

/// Answers to a resume that are no interruption.
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

/// One version can't be resumed at, for ever; any other can.
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

/// Every resume is rejected, and every list works: the lists must not become a storm.
///
/// SEMANTICS: W13
#[tokio::test(start_paused = true)]
async fn lists_for_a_resume_that_is_rejected_become_rare() {
    for (name, fault) in rejections() {
        let server = server_with(&["a/x"]);
        server.fault(Verb::Watch, usize::MAX, fault);
        let driven = drive(configs(&server));
        let lists = timed_requests(&server, DAY, SECOND, is_list).await;
        let gaps: Vec<_> = lists.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        assert!((150..700).contains(&lists.len()), "{name}: {} lists in a day", lists.len());
        // Doubled from one to the next, and jittered down to half.
        assert!(gaps[..3].iter().all(|gap| *gap < 5 * MINUTE), "{name}: {:?}", &gaps[..3]);
        let last = &gaps[gaps.len() - 100..];
        assert!(last.iter().all(|gap| *gap >= 150 * SECOND), "{name}: {last:?}");
        assert!(last.iter().any(|gap| *gap != last[0]), "{name}: no jitter");
        server.apply(&config("a/y", "new")).unwrap();
        sleep(12 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{name}");
    }
}

/// Answers, and missing ones, that say nothing about the version.
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
        // A list then shows what can be seen.
        sleep(5 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{fault:?}");
        // As long as it lasts, they stay rare.
        let lists = timed_requests(&server, DAY, SECOND, is_list).await;
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

/// Writes, and takes the server back to before some of the writes.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn after_a_restore_the_store_equals_a_list_within_a_watch_timeout() {
    for (name, later) in [("silence", 0), ("another present", 1), ("beyond the old one", 6)] {
        // What nobody writes to shows nothing, but etcd is not restored in no time.
        let is_outage = later > 3;
        let server = server_with(&["a/kept", "a/modified"]);
        let backup = server.resource_version();
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        // Bookmarks come.
        sleep(61 * SECOND).await;
        server.apply(&config("a/lost", "old")).unwrap();
        server.apply(&config("a/modified", "old")).unwrap();
        server.delete("configmaps", "a", "kept").unwrap();
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["a/lost", "a/modified"], "{name}");

        server.fault(On::any(), if is_outage { 5 } else { 0 }, Fault::Refused);
        server.restore(backup).unwrap();
        for number in 0..later {
            // The same versions, with other content.
            let own = if is_outage { "a/kept" } else { "a/modified" };
            server.apply(&config(own, &format!("new {number}"))).unwrap();
        }
        sleep(306 * SECOND).await;
        assert_eq!(in_store(&driven.store), on_server(&server), "{name}: {:?}", driven.errors());
        let deltas = driven.deltas();
        assert!(deltas.iter().any(|delta| delta.starts_with("-a/lost")), "{name}: {deltas:?}");
        let deltas = deltas.iter().filter(|delta| delta.starts_with("+a/kept")).count();
        assert_eq!(deltas, 1, "{name}");
        assert_eq!(driven.synced(), 1);
        assert!(driven.errors().iter().any(Error::is_desynced), "{name}");

        // The versions that a write waits for are those of the new history.
        let version = backup + later;
        assert_eq!(driven.store.explain().resource_version, Some(version.to_string()), "{name}");
        let written = server.apply(&config("a/written", "new")).unwrap();
        let version = written["metadata"]["resourceVersion"].as_str().unwrap();
        let seen = driven.store.wait_for_version("a", "written", version).await.unwrap();
        assert!(seen.object("a", "written").is_some(), "{name}");
    }
}

/// A wait for a version that the lost history had passed must not be answered by it.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn a_wait_is_not_answered_from_the_lost_history() {
    let server = server_with(&["a/x"]);
    let backup = server.resource_version();
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    for number in 0..100 {
        server.apply(&config("a/x", &number.to_string())).unwrap();
    }
    sleep(SECOND).await;
    server.fault(On::any(), 8, Fault::Refused);
    server.restore(backup).unwrap();
    let written = server.apply(&config("a/y", "new")).unwrap();
    let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    let begun = Instant::now();
    while !driven.errors().iter().any(Error::is_desynced) {
        assert!(begun.elapsed() < 10 * MINUTE, "{:?}", driven.errors());
        sleep(SECOND / 100).await;
    }
    // It is noticed, and the list is not there yet.
    assert!(driven.data("a", "x").is_some_and(|data| data == "99"));
    let seen = driven.store.wait_for_version("a", "y", version).await.unwrap();
    assert!(seen.object("a", "y").is_some());
    assert_eq!(in_store(&driven.store), on_server(&server));
}

/// Versions that go back: in a bookmark, and in a list.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn a_bookmark_or_a_list_below_the_resume_point_is_a_lost_history() {
    for by_list in [false, true] {
        let server = server_with(&["a/x"]);
        let backup = server.resource_version();
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        server.apply(&config("a/x", "old")).unwrap();
        server.apply(&config("a/y", "old")).unwrap();
        sleep(SECOND).await;
        let fault = if by_list {
            Fault::status(410)
        } else {
            Fault::Answer(Answer::lines([bookmark(backup)]).end(End::Never))
        };
        server.fault(Verb::Watch, 1, fault);
        server.restore(backup).unwrap();
        // The version of the old history, of the same object.
        server.apply(&config("a/x", "new")).unwrap();
        sleep(10 * SECOND).await;
        assert_eq!(in_store(&driven.store), on_server(&server), "by a list: {by_list}");
        assert!(driven.errors().iter().any(Error::is_desynced));
        let deltas = driven.deltas();
        let last = &deltas[deltas.len() - 2..];
        assert!(last[0] == "~a/x@3->a/x@3" && last[1] == "-a/y@4", "{deltas:?}");
    }
}

/// Events of before are news of nothing, and the resume point stays.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn old_events_do_not_move_the_resume_point_back() {
    let server = server_with(&["a/x"]);
    let driven = drive(configs(&server));
    for number in 0..5 {
        server.apply(&config("a/x", &number.to_string())).unwrap();
    }
    driven.store.synced().await.unwrap();
    sleep(SECOND).await;
    let version = server.resource_version();
    server.fault(Verb::Watch, 1, Fault::Rewind { changes: 5 });
    server.fault(On::verb(Verb::Watch), 1, Fault::status(503));
    server.end_watches(On::any(), End::Reset);
    sleep(2 * SECOND).await;
    server.take_requests();
    server.end_watches(On::any(), End::Reset);
    sleep(5 * SECOND).await;
    let requests = server.requests();
    let point = format!("resourceVersion={version}");
    assert!(requests.len() >= 2 && requests.iter().all(|own| own.contains(&point)), "{requests:?}");
    assert_eq!(driven.deltas().len(), 0, "{:?}", driven.deltas());
}

/// A server that sends one old event and ends, again and again, must not be asked in a tight loop.
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

/// SEMANTICS: W16
#[tokio::test(start_paused = true)]
async fn a_watch_that_held_resets_the_delay() {
    let server = server_with(&["a/x"]);
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    // A long outage, after which the delay is at its longest.
    server.fault(Verb::Watch, 10, Fault::status(503));
    server.disconnect();
    sleep(5 * MINUTE).await;
    assert_eq!(driven.errors().len(), 10);
    // Open for a minute without a word, and then broken; and once more refused.
    server.end_watches(On::any(), End::Reset);
    server.fault(Verb::Watch, 1, Fault::Refused);
    let begun = Instant::now();
    sleep(SECOND).await;
    server.apply(&config("a/y", "new")).unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y"], "{:?}", begun.elapsed());
    assert_eq!(driven.errors().len(), 11, "only that of the connection that was refused");
}

/// Objects of another schema come and go; each of their deletions says which one it is.
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
        assert_eq!(driven.store.explain().stale, ["a/bad"], "{round}");
        server.delete("configmaps", "a", "bad").unwrap();
        server.apply(&config("a/good", &round.to_string())).unwrap();
        sleep(9 * SECOND).await;
        assert!(driven.store.explain().stale.is_empty(), "{round}");
    }
    assert_eq!(driven.names(), ["a/good"]);
    assert_eq!(driven.errors().len(), 360, "one for each that came");
    assert_eq!(asked(&server).0, 1, "one list in an hour");
}

/// A deletion with a body that is no object at all but for its name.
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

/// The question for the history fails, as it may right after an outage: it is asked again.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn a_comparison_that_fails_is_made_later() {
    let server = server_with(&["a/x"]);
    let backup = server.resource_version();
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    for number in 0..100 {
        server.apply(&config("a/x", &number.to_string())).unwrap();
    }
    sleep(SECOND).await;
    server.fault(On::any(), 5, Fault::Refused);
    server.fault(Verb::List, 1, Fault::status(503));
    server.restore(backup).unwrap();
    sleep(330 * SECOND).await;
    assert_eq!(in_store(&driven.store), on_server(&server), "{:?}", driven.errors());
}
