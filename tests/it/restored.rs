//! Lost histories: etcd is restored from a backup under a running watch.

use kube_weir::{
    Error, Write,
    testing::{Answer, End, Fault, On, Verb},
};
use tokio::time::{Instant, sleep};

use crate::wire::{
    MINUTE, SECOND, bookmark, config, configs, drive, in_store, on_server, server_with,
};

/// Writes, and restores the server to before some of the writes.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn after_a_restore_the_store_equals_a_list_within_a_watch_timeout() {
    for (name, later) in [("silence", 0), ("another present", 1), ("beyond the old one", 6)] {
        // Objects that nobody writes show no loss, and a restore of etcd takes time.
        let is_outage = later > 3;
        let server = server_with(&["a/kept", "a/modified"]);
        let backup = server.resource_version();
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        // Bookmarks arrive.
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

        // The versions in the answers to writes are those of the new history.
        let version = backup + later;
        assert_eq!(driven.store.report().resource_version, Some(version.to_string()), "{name}");
        let written = server.apply(&config("a/written", "new")).unwrap();
        let version = written["metadata"]["resourceVersion"].as_str().unwrap();
        let seen = driven.store.wait_for(Write::of(("a", "written"), version)).await.unwrap();
        assert!(seen.get(("a", "written")).is_some(), "{name}");
    }
}

/// A wait for a version that the lost history had passed must not end with the old state.
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
    // The loss is detected, and the list has not arrived yet.
    assert!(driven.data("a", "x").is_some_and(|data| data == "99"));
    let seen = driven.store.wait_for(Write::of(("a", "y"), version)).await.unwrap();
    assert!(seen.get(("a", "y")).is_some());
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

/// Old events are no changes, and the resume point stays.
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

/// The history check fails, as it may right after an outage: it is repeated.
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
