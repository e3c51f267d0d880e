//! Streaming lists: failures before their end, and servers without them.

use std::pin::pin;

use kube_weir::{
    EventStreamExt, FieldSelector,
    testing::{Answer, ApiServer, End, Fault, On, Verb},
    watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::wire::{
    Driven, HOUR, MINUTE, SECOND, asked, bookmark, configs, drive, end_of_list, event, in_store,
    list, sent, server_with, status,
};

/// An object that no typed decoder accepts.
fn odd(identity: &str, version: u64) -> Value {
    let mut object = sent(identity, version);
    object["data"]["key"] = 7.into();
    object
}

/// Returns an object with another value for the key.
fn valued(identity: &str, version: u64, value: &str) -> Value {
    let mut object = sent(identity, version);
    object["data"]["key"] = value.into();
    object
}

/// Returns events before the end of a streaming list, and the expected objects.
fn stories() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let added = |identity, version| event("ADDED", sent(identity, version));
    vec![
        ("nothing", vec![], vec![]),
        ("additions", vec![added("a/x", 2), added("a/y", 3)], vec![sent("a/x", 2), sent("a/y", 3)]),
        (
            "an update",
            vec![added("a/x", 2), event("MODIFIED", sent("a/x", 4))],
            vec![sent("a/x", 4)],
        ),
        (
            "a deletion",
            vec![added("a/x", 2), added("a/y", 3), event("DELETED", sent("a/x", 4))],
            vec![sent("a/y", 3)],
        ),
        (
            "a re-creation",
            vec![added("a/x", 2), event("DELETED", sent("a/x", 4)), added("a/x", 5)],
            vec![sent("a/x", 5)],
        ),
        (
            "a deletion of what was added meanwhile",
            vec![added("a/y", 3), added("a/z", 4), event("DELETED", sent("a/z", 5))],
            vec![sent("a/y", 3)],
        ),
        (
            "a deletion that does not decode",
            vec![added("a/x", 2), added("a/y", 3), event("DELETED", odd("a/x", 4))],
            vec![sent("a/y", 3)],
        ),
        (
            "one that leaves the selection",
            vec![added("a/x", 2), event("MODIFIED", valued("a/x", 4, "other"))],
            vec![valued("a/x", 4, "other")],
        ),
        (
            "one that leaves and comes back",
            vec![
                added("a/x", 2),
                event("MODIFIED", valued("a/x", 4, "other")),
                event("MODIFIED", valued("a/x", 5, "back")),
            ],
            vec![valued("a/x", 5, "back")],
        ),
        (
            "a bad version and a good one",
            vec![event("ADDED", odd("a/x", 2)), event("MODIFIED", sent("a/x", 4))],
            vec![sent("a/x", 4)],
        ),
        (
            "a bad version and a deletion",
            vec![event("ADDED", odd("a/x", 2)), event("DELETED", odd("a/x", 4)), added("a/y", 5)],
            vec![sent("a/y", 5)],
        ),
        (
            "bookmarks that are no end",
            vec![added("a/x", 2), bookmark(3), end_of_list(3, "false"), added("a/y", 4)],
            vec![sent("a/x", 2), sent("a/y", 4)],
        ),
    ]
}

/// Returns two pipelines with these next lists: one streamed, one paged.
fn both(events: &[Value], objects: &[Value], on: &ApiServer, other: &ApiServer) {
    let mut lines = events.to_vec();
    lines.push(end_of_list(9, "true"));
    let streamed = Fault::Answer(Answer::lines(lines).end(End::Never));
    on.fault(On::verb(Verb::Watch).query("sendInitialEvents", "true"), 1, streamed);
    let paged = Answer::json(200, &list(9, objects.to_vec()));
    other.fault(Verb::List, 1, Fault::Answer(paged));
    let open = Answer::new(200).end(End::Never);
    other.fault(On::verb(Verb::Watch).version(9), 1, Fault::Answer(open));
}

fn pipeline(server: &ApiServer, streaming: bool) -> Driven {
    let selector = FieldSelector::parse("data.key!=other").unwrap();
    let watch = configs(server).matching(selector).unwrap().watch_timeout(HOUR);
    drive(watch.streaming_list(streaming))
}

/// Timeouts are spread, and a list has the same timeout as its watch.
///
/// SEMANTICS: W22, W26
#[tokio::test(start_paused = true)]
async fn a_streaming_list_goes_on_until_its_own_timeout() {
    for _ in 0..40 {
        let server = server_with(&["a/x"]);
        let driven = drive(configs(&server).watch_timeout(10 * SECOND).streaming_list(true));
        sleep(MINUTE).await;
        assert!(driven.errors().is_empty(), "{:?}", driven.errors());
        assert_eq!(asked(&server).0, 0, "not in pages");
    }
}

/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn a_streaming_list_equals_a_paged_one() {
    for (name, events, objects) in stories() {
        // The first list.
        let (one, other) = (ApiServer::new(), ApiServer::new());
        both(&events, &objects, &one, &other);
        let (streamed, paged) = (pipeline(&one, true), pipeline(&other, false));
        streamed.store.synced().await.unwrap();
        paged.store.synced().await.unwrap();
        assert_eq!(in_store(&streamed.store), in_store(&paged.store), "{name}");
        assert_eq!(streamed.store.report().stale, paged.store.report().stale, "{name}");
        assert_eq!(asked(&one), (0, 1), "{name}");
        assert_eq!(streamed.synced(), 1, "{name}");

        // A list after the first, on a store with an unchanged object and a deleted one.
        let before = || vec![sent("a/x", 2), sent("a/gone", 1)];
        let (one, other) = (ApiServer::new(), ApiServer::new());
        let added: Vec<_> = before().into_iter().map(|own| event("ADDED", own)).collect();
        let gone = event("ERROR", status(410, "Expired", "too old"));
        let mut first = added.clone();
        first.extend([end_of_list(2, "true"), gone.clone()]);
        let streamed = Fault::Answer(Answer::lines(first));
        one.fault(On::verb(Verb::Watch).query("sendInitialEvents", "true"), 1, streamed);
        other.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &list(2, before()))));
        other.fault(Verb::Watch, 1, Fault::Answer(Answer::lines([gone])));
        both(&events, &objects, &one, &other);
        let (streamed, paged) = (pipeline(&one, true), pipeline(&other, false));
        sleep(10 * SECOND).await;
        assert_eq!(in_store(&streamed.store), in_store(&paged.store), "{name}, again");
        assert_eq!(streamed.store.report().stale, paged.store.report().stale, "{name}, again");
        let mut deltas = [streamed.deltas(), paged.deltas()];
        for deltas in &mut deltas {
            deltas.sort();
        }
        assert_eq!(deltas[0], deltas[1], "{name}, again");
        assert_eq!(streamed.synced(), 1, "{name}, again");
    }
}

/// A server that treats the request as a plain watch from now on, with bookmarks every 20 seconds.
///
/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn bookmarks_do_not_prolong_the_wait_for_the_end() {
    let server = server_with(&["a/x"]);
    let version = server.resource_version();
    let mut answer = Answer::lines([event("ADDED", sent("a/x", version))]);
    for _ in 0..100 {
        answer = answer.pause(20 * SECOND).chunk(format!("{}\n", bookmark(version)));
    }
    server.fault(Verb::Watch, 1, Fault::Answer(answer));
    let begun = Instant::now();
    let driven = drive(configs(&server).streaming_list(true));
    while !driven.store.is_synced() {
        sleep(SECOND / 10).await;
    }
    assert!(begun.elapsed() < 65 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(driven.errors().len(), 1, "{:?}", driven.errors());
    // The refusal is remembered.
    sleep(2 * SECOND).await;
    server.take_requests();
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.disconnect();
    sleep(10 * SECOND).await;
    assert!(server.requests().iter().all(|own| !own.contains("sendInitialEvents=true")));
    assert_eq!(asked(&server).0, 1);
}

/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn an_end_that_comes_late_is_awaited_with_the_patience_for_lists() {
    for (late, paged) in [(30, 0), (90, 1)] {
        let server = server_with(&["a/x", "a/y"]);
        server.fault(Verb::Watch, 1, Fault::LateBookmarks(late * SECOND));
        let driven = drive(configs(&server).streaming_list(true));
        sleep(2 * MINUTE).await;
        assert!(driven.store.is_synced(), "{late}");
        assert_eq!(driven.names(), ["a/x", "a/y"], "{late}");
        assert_eq!(asked(&server).0, paged, "{late}");
    }
}

/// The answers of servers without streaming lists, in all known wordings.
///
/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_a_streaming_list_is_listed_in_pages() {
    for (code, reason) in [(400, "BadRequest"), (422, "Invalid")] {
        let server = server_with(&["a/x"]);
        let refused = Answer::json(code, &status(code, reason, "sendInitialEvents is forbidden"));
        let on = On::verb(Verb::Watch).query("sendInitialEvents", "true");
        server.fault(on, usize::MAX, Fault::Answer(refused));
        let driven = drive(configs(&server).streaming_list(true));
        driven.store.synced().await.unwrap();
        assert_eq!(driven.errors().len(), 0, "{code}");
        for _ in 0..3 {
            sleep(2 * SECOND).await;
            server.fault(Verb::Watch, 1, Fault::status(410));
            server.disconnect();
        }
        sleep(30 * SECOND).await;
        let streaming = |own: &String| own.contains("sendInitialEvents=true");
        assert_eq!(server.requests().iter().filter(|own| streaming(own)).count(), 1, "{code}");
    }
}

/// Each event is a separate gzip member, of which kube's client reads only the first.
///
/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn gzip_with_several_members_is_no_obstacle() {
    let identities: Vec<_> = (0..600).map(|number| format!("a/{number:03}")).collect();
    let identities: Vec<_> = identities.iter().map(String::as_str).collect();
    let server = server_with(&identities);
    server.set_gzip(true);
    let driven = drive(configs(&server).streaming_list(true));
    assert_eq!(driven.store.synced().await.unwrap().len(), 600);
    server
        .apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "a", "name": "new" } }))
        .unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names().len(), 601);
    assert_eq!((driven.errors().len(), asked(&server)), (0, (0, 1)));
}

/// A line that is cut off before the end of the list has no effect.
///
/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_breaks_off_leaves_no_phantom() {
    for end in [End::Fin, End::Reset] {
        let server = server_with(&["a/x"]);
        let phantom = [event("ADDED", sent("a/phantom", 1)), event("DELETED", odd("a/x", 1))];
        server.fault(Verb::Watch, 1, Fault::Answer(Answer::lines(phantom).end(end)));
        let driven = drive(configs(&server).streaming_list(true));
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        assert_eq!(driven.names(), ["a/x"], "{end:?}");
        assert_eq!(driven.errors().len(), 1, "{end:?}: {:?}", driven.errors());
    }
}

/// SEMANTICS: I9
#[tokio::test(start_paused = true)]
async fn fields_are_in_the_same_order_after_each_kind_of_list() {
    let server = server_with(&["a/x"]);
    let mut texts = Vec::new();
    for streaming in [false, true] {
        let configs = watch_resource(server.client(), "v1/configmaps")
            .unwrap()
            .streaming_list(streaming)
            .index(());
        let snapshot = pin!(configs).first_synced().await.unwrap();
        texts.push(snapshot.get(("a", "x")).unwrap().to_json());
    }
    let asked = server.requests().iter().filter(|r| r.contains("sendInitialEvents")).count();
    assert_eq!(asked, 1, "a list of each kind");
    assert!(texts[0].starts_with(r#"{"kind":"ConfigMap","apiVersion":"v1","#), "{texts:?}");
    assert_eq!(texts[0], texts[1]);
}
