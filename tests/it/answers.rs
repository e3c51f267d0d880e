//! Lists, objects and pages of broken servers and proxies.

use futures::StreamExt;
use kube_weir::{
    EventStreamExt, FieldSelector, SyncPolicy,
    testing::{Answer, ApiServer, End, Fault, Verb},
    watch_resource,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::wire::{
    Driven, HOUR, MINUTE, SECOND, asked, bookmark, configs, drive, drive_changes, event, list,
    sent, server_with, status,
};

/// Returns answers with the status 200 that are no list of `ConfigMaps`.
fn impostors() -> Vec<(&'static str, Answer)> {
    let json = |value: Value| Answer::json(200, &value);
    let table = json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": "9" },
        "columnDefinitions": [], "rows": [],
    });
    let resources = json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [] });
    let without = |field: &str| {
        let mut list = list(9, json!([]));
        list.as_object_mut().unwrap().remove(field);
        list
    };
    let metadata = json!({ "kind": "ConfigMapList", "metadata": {}, "items": [] });
    let empty_version =
        json!({ "kind": "ConfigMapList", "metadata": { "resourceVersion": "" }, "items": null });
    let mut of_objects = list(9, json!([]));
    of_objects["items"] = json!({});
    let mut of_secrets = list(9, json!([sent("a/y", 2)]));
    of_secrets["kind"] = "SecretList".into();
    let login = Answer::new(200).header("content-type", "text/html").chunk("<html>log in</html>");
    vec![
        ("{}", json(json!({}))),
        ("a health page", json(json!({ "status": "ok" }))),
        ("a Status", json(status(500, "InternalError", "etcd is away"))),
        ("a Status of success", json(json!({ "kind": "Status", "status": "Success" }))),
        ("a Table", json(table)),
        ("one object", json(sent("a/x", 9))),
        ("a list of Secrets", json(of_secrets)),
        ("an APIResourceList", json(resources)),
        ("without items", json(without("items"))),
        ("without a kind", json(without("kind"))),
        ("without metadata", json(without("metadata"))),
        ("without a version", json(metadata)),
        ("with an empty version", json(empty_version)),
        ("items that are an object", json(of_objects)),
        ("null", json(Value::Null)),
        ("an array", json(json!([]))),
        ("a login page", login),
        ("nothing", Answer::new(200)),
        ("half a list", Answer::new(200).chunk("{\"kind\":\"ConfigMapList\",\"items\":[")),
    ]
}

/// SEMANTICS: W11
#[tokio::test(start_paused = true)]
async fn only_a_list_is_a_list() {
    for (name, answer) in impostors() {
        // The first list.
        let server = server_with(&["a/x", "a/y"]);
        server.fault(Verb::List, usize::MAX, Fault::Answer(answer.clone()));
        let driven = drive(configs(&server));
        assert!(driven.store.synced().await.is_err(), "{name}: it synced the store");
        sleep(HOUR).await;
        assert!(!driven.store.is_synced() && driven.synced() == 0, "{name}");
        let asked_for = asked(&server).0;
        assert!((60..400).contains(&asked_for), "{name}: {asked_for} lists in an hour");
        assert_eq!(asked(&server).1, 0, "{name}: watched");

        // A list after the first.
        let server = server_with(&["a/x", "a/y"]);
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        server.fault(Verb::List, 5, Fault::Answer(answer));
        server.fault(Verb::Watch, 1, Fault::status(410));
        server.disconnect();
        server.delete("configmaps", "a", "y").unwrap();
        sleep(4 * SECOND).await;
        assert_eq!(driven.names(), ["a/x", "a/y"], "{name}");
        assert!(driven.store.status().failing.is_some(), "{name}");
        sleep(3 * MINUTE).await;
        assert_eq!(driven.names(), ["a/x"], "{name}");
        assert_eq!(driven.deltas(), ["-a/y@3"], "{name}");
    }
}

/// SEMANTICS: W11
#[tokio::test(start_paused = true)]
async fn a_status_with_the_code_200_is_that_status() {
    let server = server_with(&["a/x"]);
    let forbidden = status(403, "Forbidden", "configmaps is forbidden");
    server.fault(Verb::List, usize::MAX, Fault::Answer(Answer::json(200, &forbidden)));
    let fast = SyncPolicy::default().fail_fast(true);
    let changes = configs(&server).index(()).sync_policy(fast);
    let store = changes.store();
    let driven = drive_changes(changes, store);
    let error = driven.store.synced().await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    assert!(error.to_string().contains("configmaps is forbidden"), "{error}");
}

/// SEMANTICS: W11
#[tokio::test(start_paused = true)]
async fn a_list_of_another_kind_is_no_answer() {
    let server = server_with(&["a/x"]);
    let mut secrets = list(9, json!([]));
    secrets["kind"] = "SecretList".into();
    server.fault(Verb::List, 3, Fault::Answer(Answer::json(200, &secrets)));
    let watch = watch_resource(server.client(), "v1/configmaps").unwrap();
    let mut changes = watch.index(()).log_errors();
    assert_eq!(changes.first_synced().await.unwrap().len(), 1);
    assert_eq!(asked(&server).0, 4);

    // None of its objects is shown, although they could be decoded.
    let secrets = r#"{"kind":"SecretList","items":[{"metadata":{"namespace":"a","name":"s"}}]}"#;
    server.fault(Verb::List, 1, Fault::Answer(Answer::new(200).chunk(secrets)));
    let mut events = configs(&server);
    for wanted in ["scope", "restarted"] {
        assert!(events.next().await.unwrap().is_ok(), "{wanted}");
    }
    let error = events.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("a list of another kind"), "{error}");

    // A list with null items is an empty list.
    let server = ApiServer::new();
    server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &list(9, Value::Null))));
    let driven = drive(configs(&server));
    assert_eq!(driven.store.synced().await.unwrap().len(), 0);
}

/// Returns undecodable objects, as bytes with a placeholder for `namespace/name` and the version.
fn odd_objects() -> Vec<(&'static str, Vec<u8>)> {
    let with = |spec: &[u8]| {
        let head = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"a","name":"odd","uid":"odd","resourceVersion":"8"},"data":"#;
        [head.as_bytes(), spec, b"}"].concat()
    };
    let nested = |levels: usize, open: &str, close: &str| {
        (open.repeat(levels) + "1" + &close.repeat(levels)).into_bytes()
    };
    vec![
        ("127 levels of objects", with(&nested(127, "{\"a\":", "}"))),
        ("100,000 levels of objects", with(&nested(100_000, "{\"a\":", "}"))),
        ("500 levels of arrays", with(&nested(500, "[", "]"))),
        ("no UTF-8", with(b"{\"key\":\"\xff\xfe\"}")),
        ("a lone surrogate", with(br#"{"key":"\ud800"}"#)),
        ("a number for a text", with(br#"{"key":7}"#)),
        ("a huge number", with(br#"{"key":1e999999}"#)),
    ]
}

/// Returns a list with one odd object between two good ones.
fn list_with(odd: &[u8]) -> Answer {
    let head =
        r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":["#;
    let (before, after) = (sent("a/before", 7).to_string(), sent("a/zero", 9).to_string());
    let parts = [head.as_bytes(), before.as_bytes(), b",", odd, b",", after.as_bytes(), b"]}"];
    Answer::new(200).header("content-type", "application/json").chunk(parts.concat())
}

fn check_odd(driven: &Driven, name: &str) {
    assert_eq!(driven.names(), ["a/before", "a/zero"], "{name}: {:?}", driven.errors());
    assert_eq!(driven.store.report().stale, ["a/odd"], "{name}");
    let errors = driven.errors();
    assert_eq!(errors.len(), 1, "{name}: {errors:?}");
    assert_eq!(errors[0].object(), Some(("a", "odd")), "{name}");
    assert!(errors[0].is_undecodable(), "{name}");
}

/// SEMANTICS: W12
#[tokio::test(start_paused = true)]
async fn an_object_that_is_odd_stops_nobody_else() {
    for (name, odd) in odd_objects() {
        // In a list, and after a restart of the server.
        for _ in 0..2 {
            let server = ApiServer::new();
            server.fault(Verb::List, 1, Fault::Answer(list_with(&odd)));
            let driven = drive(configs(&server).watch_timeout(HOUR));
            assert_eq!(driven.store.synced().await.unwrap().len(), 2, "{name}");
            check_odd(&driven, name);
        }
        // In an event, including those of a streaming list.
        for streaming in [false, true] {
            let server = ApiServer::new();
            let line = |object: &[u8]| {
                [br#"{"type":"ADDED","object":"#.as_slice(), object, b"}\n"].concat()
            };
            let first = sent("a/before", 7).to_string();
            let last = sent("a/zero", 9).to_string();
            let mut answer = Answer::new(200)
                .chunk(line(first.as_bytes()))
                .chunk(line(&odd))
                .chunk(line(last.as_bytes()))
                .end(End::Never);
            if streaming {
                answer = answer.chunk(format!("{}\n", crate::wire::end_of_list(9, "true")));
            }
            server.fault(Verb::Watch, 1, Fault::Answer(answer));
            let watch = configs(&server).streaming_list(streaming).watch_timeout(HOUR);
            let driven = drive(watch);
            driven.store.synced().await.unwrap();
            sleep(SECOND).await;
            check_odd(&driven, name);
        }
    }
}

/// Objects are selected on the client side, by a field beside the odd one.
///
/// SEMANTICS: W12
#[tokio::test(start_paused = true)]
async fn an_object_that_is_odd_does_not_leave_a_selection() {
    for (name, odd) in odd_objects() {
        let server = ApiServer::new();
        let good = sent("a/odd", 6);
        server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &list(7, vec![good]))));
        let line = [br#"{"type":"MODIFIED","object":"#.as_slice(), &odd, b"}\n"].concat();
        server.fault(Verb::Watch, 1, Fault::Answer(Answer::new(200).chunk(line).end(End::Never)));
        let selector = FieldSelector::parse("metadata.name!=other").unwrap();
        let driven = drive(configs(&server).matching(selector).unwrap().watch_timeout(HOUR));
        driven.store.synced().await.unwrap();
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["a/odd"], "{name}: its last good version stays");
        assert_eq!(driven.store.report().stale, ["a/odd"], "{name}");
    }
}

/// SEMANTICS: W12
#[tokio::test(start_paused = true)]
async fn null_among_the_items_is_an_item_that_can_not_be_decoded() {
    for null in ["null", "7", "\"text\"", "[]", "{}", "{\"metadata\":null}"] {
        let server = ApiServer::new();
        server.fault(Verb::List, 1, Fault::Answer(list_with(null.as_bytes())));
        let line = format!("{{\"type\":\"MODIFIED\",\"object\":{}}}\n", sent("a/new", 10));
        let events = Answer::new(200).pause(SECOND).chunk(line).end(End::Never);
        server.fault(Verb::Watch, 1, Fault::Answer(events));
        let driven = drive(configs(&server).watch_timeout(HOUR));
        assert_eq!(driven.store.synced().await.unwrap().len(), 2, "{null}: {:?}", driven.errors());
        sleep(2 * SECOND).await;
        assert_eq!(driven.names(), ["a/before", "a/new", "a/zero"], "{null}");
        let errors = driven.errors();
        assert!(errors.len() == 1 && errors[0].is_undecodable(), "{null}: {errors:?}");
    }
}

/// SEMANTICS: W15
#[tokio::test(start_paused = true)]
async fn a_bookmark_without_a_version_is_skipped() {
    let server = server_with(&["a/x"]);
    let version = server.resource_version();
    let odd = [json!({}), json!({ "resourceVersion": "" }), json!({ "annotations": {} })];
    let odd = odd.map(|metadata| {
        let object = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata });
        event("BOOKMARK", object)
    });
    let good = [event("ADDED", sent("a/y", version + 1)), bookmark(version + 2)];
    let lines = odd.iter().chain(&good).chain(&odd);
    let answer = Answer::lines(lines).pause(30 * SECOND).end(End::Fin);
    server.fault(Verb::Watch, 1, Fault::Answer(answer));
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(MINUTE).await;
    assert_eq!(driven.names(), ["a/x", "a/y"]);
    assert_eq!(driven.errors().len(), 0, "{:?}", driven.errors());
    let requests = server.requests();
    let last = requests.last().unwrap();
    assert!(last.ends_with(&format!("resourceVersion={}", version + 2)), "{requests:?}");
    assert_eq!(asked(&server), (1, 2));
}

/// Each list has objects and then fails: a wait ends with the cause, even though objects keep arriving.
///
/// SEMANTICS: W11, S6
#[tokio::test(start_paused = true)]
async fn a_list_that_fails_at_its_end_is_no_progress() {
    let mut without_version = list(9, vec![sent("a/x", 7), sent("a/y", 8)]);
    without_version["metadata"] = json!({});
    let torn = without_version.to_string();
    for answer in [
        Answer::json(200, &without_version),
        Answer::new(200).chunk(torn[..torn.len() - 1].to_owned()).end(End::Reset),
    ] {
        let server = ApiServer::new();
        server.fault(Verb::List, usize::MAX, Fault::Answer(answer));
        let driven = drive(configs(&server));
        let waiting = tokio::time::timeout(MINUTE, driven.store.synced());
        let error = waiting.await.expect("the deadline").unwrap_err();
        assert!(error.is_timeout() && std::error::Error::source(&error).is_some(), "{error:?}");
    }
}

/// Blank lines are ignored: a proxy may send some, so that a connection is not idle.
///
/// SEMANTICS: W15
#[tokio::test(start_paused = true)]
async fn blank_lines_between_events_are_nothing() {
    for blank in ["\n", " \n", "\r\n\t \r\n", "\n\n   "] {
        let server = ApiServer::new();
        server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &list(10, json!([])))));
        let lines = [11, 12].map(|version| event("ADDED", sent(&format!("a/{version}"), version)));
        let answer = Answer::new(200).chunk(blank).chunk(format!("{}\n{blank}", lines[0]));
        let answer = answer.chunk(format!("{blank}{}\n", lines[1])).chunk(blank);
        server.fault(Verb::Watch, 1, Fault::Answer(answer.end(End::Never)));
        let driven = drive(configs(&server));
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["a/11", "a/12"], "{blank:?}");
        assert!(driven.errors().is_empty(), "{blank:?}: {:?}", driven.errors());
    }
}
