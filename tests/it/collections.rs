//! Collections: each namespace of a watch is independent, and namespaces are added and removed.

use std::{collections::BTreeSet, time::Duration};

use kube_weir::{
    EventStreamExt, FieldSelector, Gvr, LabelSelector, Namespaces, SyncPolicy,
    testing::{Answer, ApiServer, End, Fault, On, Verb},
    watch_resource,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::wire::{
    DAY, Driven, HOUR, MINUTE, SECOND, asked, config, configs, drive, drive_changes, failure,
    in_store, is_list, on_server, server_with,
};

fn of_namespaces(server: &ApiServer, namespaces: &[&str]) -> Driven {
    drive(configs(server).namespaces(namespaces.iter().copied()))
}

/// Returns the requests about a namespace.
fn about(server: &ApiServer, namespace: &str) -> Vec<String> {
    let path = format!("/namespaces/{namespace}/");
    server.requests().into_iter().filter(|request| request.contains(&path)).collect()
}

/// A role is missing in one namespace, and the version of another expires.
///
/// SEMANTICS: W10
#[tokio::test(start_paused = true)]
async fn a_namespace_that_fails_delays_no_relist_of_others() {
    for broken in [
        Fault::status(403),
        Fault::status(500),
        Fault::Refused,
        Fault::Answer(failure(504, "Timeout").late_head(30 * SECOND)),
        Fault::Stall { after_events: 0 },
    ] {
        let server = server_with(&["a/x", "b/x", "c/x"]);
        let driven = of_namespaces(&server, &["a", "b", "c"]);
        driven.store.synced().await.unwrap();
        sleep(SECOND).await;
        server.take_requests();
        for verb in [Verb::List, Verb::Watch] {
            server.fault(On::verb(verb).namespace("b"), usize::MAX, broken.clone());
        }
        server.fault(On::verb(Verb::Watch).namespace("a"), 1, Fault::status(410));
        server.end_watches(On::any().namespace("a"), End::Fin);
        server.end_watches(On::any().namespace("b"), End::Fin);
        server.apply(&config("a/x", "second")).unwrap();
        server.apply(&config("c/x", "second")).unwrap();
        sleep(10 * SECOND).await;
        assert_eq!(driven.data("a", "x").as_deref(), Some("second"), "{broken:?}");
        assert_eq!(driven.data("c", "x").as_deref(), Some("second"), "{broken:?}");
        assert_eq!(driven.data("b", "x").as_deref(), Some("first"), "{broken:?}: it stays");
        assert_eq!(about(&server, "a").iter().filter(|own| is_list(own)).count(), 1, "{broken:?}");
        assert_eq!(about(&server, "c"), [""; 0], "{broken:?}: its watch is still open");

        sleep(DAY).await;
        let errors = driven.errors();
        let of_b = errors.iter().filter(|error| error.namespace() == Some("b")).count();
        assert!(of_b >= errors.len() - 1 && of_b > 1, "{broken:?}");
        assert!(errors.iter().all(|own| own.namespace() != Some("c")), "{broken:?}");
    }
}

/// SEMANTICS: W10
#[tokio::test(start_paused = true)]
async fn a_namespace_that_fails_hides_nothing_of_the_initial_load() {
    for broken in [Fault::status(403), Fault::status(500), Fault::Stall { after_events: 0 }] {
        let server = server_with(&["a/x", "b/x"]);
        server.fault(On::verb(Verb::List).namespace("a"), usize::MAX, broken.clone());
        let changes = configs(&server).namespaces(["a", "b"]).index(()).with_progress();
        let store = changes.store();
        let driven = drive_changes(changes, store);
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["b/x"], "{broken:?}");
        server.apply(&config("b/x", "second")).unwrap();
        sleep(SECOND).await;
        assert_eq!(driven.data("b", "x").as_deref(), Some("second"), "{broken:?}: it is watched");
        sleep(10 * MINUTE).await;
        assert!(!driven.store.is_synced());
        let error = driven.store.synced().await.unwrap_err();
        assert!(error.to_string().contains("`a`"), "{broken:?}: {error}");
        assert!(about(&server, "b").iter().filter(|own| is_list(own)).count() == 1, "{broken:?}");
    }
}

/// SEMANTICS: W10
#[tokio::test(start_paused = true)]
async fn a_store_can_be_synced_without_what_can_not_be_listed() {
    let server = server_with(&["a/x", "b/x"]);
    server.forbid(On::verb(Verb::List).namespace("a"));
    let policy = SyncPolicy::default().partial(true);
    let changes = configs(&server).namespaces(["a", "b"]).index(()).sync_policy(policy);
    let store = changes.store();
    let driven = drive_changes(changes, store);
    let begun = Instant::now();
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);
    assert!((29..=31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    server.allow(On::any());
    sleep(MINUTE).await;
    assert_eq!(driven.deltas(), ["+a/x@2"], "created, not synced again");
    assert_eq!(driven.synced(), 1);
}

/// A watch that waits for the lists of others begins at a version that has long expired.
///
/// SEMANTICS: W10
#[tokio::test(start_paused = true)]
async fn a_watch_begins_with_its_own_list() {
    let server = ApiServer::new();
    server.set_history_limit(30);
    server.fault(Verb::List, usize::MAX, Fault::Delay(20 * SECOND));
    server.fault(On::verb(Verb::List).namespace("c"), 3, Fault::Stall { after_events: 0 });
    let driven = of_namespaces(&server, &["a", "b", "c"]);
    for round in 0..1200 {
        for namespace in ["a", "b", "c"] {
            server.apply(&config(&format!("{namespace}/x"), &round.to_string())).unwrap();
        }
        sleep(3 * SECOND).await;
    }
    let (lists, _) = asked(&server);
    assert!(lists <= 6, "{lists} lists in an hour");
    assert_eq!(in_store(&driven.store), on_server(&server));
}

/// Hundreds of hanging namespaces must not starve the one that answers.
///
/// SEMANTICS: W10
#[tokio::test(start_paused = true)]
async fn many_namespaces_that_hang_leave_room_for_others() {
    let server = server_with(&["z/x"]);
    let hanging: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
    for namespace in &hanging {
        let on = On::verb(Verb::List).namespace(namespace);
        server.fault(on, usize::MAX, Fault::Stall { after_events: 0 });
    }
    let all = hanging.iter().map(String::as_str).chain(["z"]);
    let policy = SyncPolicy::default().partial(true);
    let changes = configs(&server).namespaces(all).index(()).with_progress();
    let changes = changes.sync_policy(policy);
    let store = changes.store();
    let driven = drive_changes(changes, store);
    sleep(20 * SECOND).await;
    assert_eq!(driven.names(), ["z/x"]);
}

/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn rights_that_come_back_list_what_was_forbidden_and_nothing_else() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let driven = of_namespaces(&server, &["a", "b", "c"]);
    driven.store.synced().await.unwrap();
    server.forbid(On::any().resource("configmaps").namespace("b"));
    server.end_watches(On::any().namespace("b"), End::Reset);
    server.delete("configmaps", "b", "x").unwrap();
    server.apply(&config("b/y", "new")).unwrap();
    sleep(HOUR).await;
    assert_eq!(driven.names(), ["a/x", "b/x", "c/x"], "nothing is known of b");
    let of_b = driven.store.collections().into_iter().find(|own| own.failing.is_some()).unwrap();
    assert_eq!(of_b.collection.namespace(), Some("b"));
    server.take_requests();
    server.allow(On::any());
    sleep(6 * MINUTE).await;
    assert_eq!(in_store(&driven.store), on_server(&server));
    assert!(driven.deltas().iter().any(|delta| delta.starts_with("+b/y")));
    for other in ["a", "c"] {
        assert!(about(&server, other).iter().all(|own| !is_list(own)), "{other} listed again");
    }
}

/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn namespaces_come_and_go_by_a_handle() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let namespaces = Namespaces::new(["a"]);
    let handle = namespaces.handle();
    let driven = drive(configs(&server).namespaces(namespaces));
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);

    handle.add("b").unwrap();
    handle.add("c").unwrap();
    handle.remove("c");
    for name in ["", "B", "../b"] {
        assert!(handle.add(name).unwrap_err().is_namespace(), "{name}");
    }
    sleep(SECOND).await;
    handle.remove("a");
    handle.add("b").unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.deltas(), ["+b/x@3", "-a/x@2"]);
    server.apply(&config("a/y", "unseen")).unwrap();
    server.apply(&config("b/y", "seen")).unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["b/x", "b/y"]);

    handle.remove("b");
    sleep(SECOND).await;
    assert!(driven.names().is_empty() && driven.store.is_synced());
    handle.add("a").unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y"]);
    assert_eq!(driven.synced(), 1);
    assert_eq!(driven.errors().len(), 0);
    let lists: Vec<_> = server.requests().into_iter().filter(|own| is_list(own)).collect();
    assert_eq!(lists.len(), 3, "a, b, and a again: {lists:?}");
}

/// A namespace is removed and another added before either was listed.
///
/// SEMANTICS: W10, W23
#[tokio::test(start_paused = true)]
async fn namespaces_that_take_the_place_of_others_are_all_that_there_are() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let namespaces = Namespaces::new(["a", "c"]);
    let handle = namespaces.handle();
    let driven = drive(configs(&server).namespaces(namespaces));
    driven.store.synced().await.unwrap();
    handle.remove("a");
    handle.add("b").unwrap();
    for _ in 0..2 {
        sleep(SECOND).await;
        let all = driven.store.collections();
        let names: Vec<_> = all.iter().filter_map(|own| own.collection.namespace()).collect();
        assert_eq!(names, ["b", "c"]);
        assert!(all.iter().all(|own| own.is_complete && own.connected.is_some()), "{all:?}");
        server.apply(&config("b/x", "second")).unwrap();
    }
}

/// A namespace that is removed while it fails, or before it was ever listed, delays nobody.
///
/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn a_namespace_that_fails_may_leave() {
    let server = server_with(&["a/x", "b/x"]);
    server.forbid(On::any().namespace("b"));
    let namespaces = Namespaces::new(["a", "b"]);
    let handle = namespaces.handle();
    let driven = drive(configs(&server).namespaces(namespaces));
    assert!(driven.store.synced().await.unwrap_err().is_forbidden());
    handle.remove("b");
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);
    assert!(driven.store.status().failing.is_none(), "{:?}", driven.store.status());
    let errors = driven.errors().len();
    sleep(HOUR).await;
    assert_eq!(driven.errors().len(), errors, "nothing is asked about it any more");
}

/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn a_namespace_may_have_selectors_of_its_own() {
    let server = ApiServer::new();
    for (identity, app) in [("a/x", "shop"), ("a/y", "blog"), ("b/x", "shop"), ("b/y", "blog")] {
        let mut object = config(identity, "first");
        object["metadata"]["labels"] = json!({ "app": app });
        server.apply(&object).unwrap();
    }
    let shop = LabelSelector::parse("app=shop").unwrap();
    let namespaces = Namespaces::new(["a"]).with("b", Some(shop), None);
    let handle = namespaces.handle();
    let driven = drive(configs(&server).namespaces(namespaces));
    driven.store.synced().await.unwrap();
    assert_eq!(driven.names(), ["a/x", "a/y", "b/x"]);

    server.take_requests();
    let y = FieldSelector::parse("metadata.name=y").unwrap();
    handle.add_selecting("b", None, Some(y.clone())).unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y", "b/y"]);
    handle.add_selecting("b", None, Some(y)).unwrap();
    sleep(SECOND).await;
    assert_eq!(asked(&server), (1, 1), "of b, once: the same again is no change");
    let mut object = config("b/z", "first");
    object["metadata"]["labels"] = json!({ "app": "shop" });
    server.apply(&object).unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y", "b/y"]);
    // Hypothetical objects are selected likewise.
    let other = serde_json::from_value(config("b/z", "first")).unwrap();
    let overlay = driven.store.snapshot().overlay().apply(other).unwrap().build();
    assert_eq!(crate::wire::names(&overlay), ["a/x", "a/y", "b/y"]);
}

fn namespace(server: &ApiServer, name: &str, team: &str) {
    let metadata = json!({ "name": name, "labels": { "team": team } });
    server
        .apply(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }))
        .unwrap();
}

/// SEMANTICS: B4, B8, W23
#[tokio::test(start_paused = true)]
async fn a_namespace_with_an_invalid_name_is_no_namespace() {
    let server = server_with(&["a/x"]);
    let names = ["a", "x\n\u{1b}[31m", "..", "A", "a/b", &"a".repeat(64)];
    let items: Vec<_> = names.map(|name| json!({ "metadata": { "name": name } })).into();
    let list = json!({
        "kind": "NamespaceList", "apiVersion": "v1", "items": items,
        "metadata": { "resourceVersion": "1" },
    });
    let answer = Fault::Answer(Answer::json(200, &list));
    server.fault(On::verb(Verb::List).resource("namespaces"), 1, answer);
    let driven = drive(configs(&server).namespaces_labelled("team=web").unwrap());
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);
    assert_eq!(driven.store.collections().len(), 1);
    assert!(driven.errors().is_empty());
}

/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn namespaces_come_and_go_by_their_labels() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    for (name, team) in [("a", "web"), ("b", "data"), ("c", "web")] {
        namespace(&server, name, team);
    }
    let driven = drive(configs(&server).namespaces_labelled("team=web").unwrap());
    assert_eq!(driven.store.synced().await.unwrap().len(), 2);
    sleep(SECOND).await;
    server.take_requests();

    namespace(&server, "a", "data");
    namespace(&server, "b", "web");
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["b/x", "c/x"]);
    server.delete("namespaces", "", "c").unwrap();
    sleep(SECOND).await;
    assert_eq!(driven.names(), ["b/x"]);
    assert!(about(&server, "c").is_empty() && about(&server, "a").is_empty());

    // Meanwhile the watch of the namespaces is down.
    let of_namespaces = || On::any().resource("namespaces");
    server.fault(On::verb(Verb::Watch).resource("namespaces"), 1, Fault::status(410));
    server.fault(On::verb(Verb::List).resource("namespaces"), 3, Fault::status(503));
    server.end_watches(of_namespaces(), End::Reset);
    namespace(&server, "a", "web");
    namespace(&server, "b", "data");
    server.apply(&config("b/y", "still seen")).unwrap();
    sleep(MINUTE / 2).await;
    assert_eq!(driven.names(), ["a/x"]);
    assert_eq!(driven.synced(), 1);
    assert_eq!(in_store(&driven.store), ["a/x@2 first"]);
}

/// A `Namespace` that can't be decoded, with or without its name, still exists.
///
/// SEMANTICS: W12, W23
#[tokio::test(start_paused = true)]
async fn a_namespace_that_can_not_be_decoded_keeps_its_objects() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    for name in ["a", "b"] {
        namespace(&server, name, "web");
    }
    let driven = drive(configs(&server).namespaces_labelled("team=web").unwrap());
    driven.store.synced().await.unwrap();
    sleep(SECOND).await;
    let odd = |metadata: &str| {
        format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{{metadata}}}}}"#)
    };
    let (named, nameless) = (odd(r#""name":"b","resourceVersion":7"#), odd(""));
    let of_namespaces = |verb| On::verb(verb).resource("namespaces");
    for (number, item) in [&named, &nameless].into_iter().enumerate() {
        let head = r#"{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a","resourceVersion":"1"}},"#;
        let list = [head, item, "]}"].concat();
        server.fault(of_namespaces(Verb::List), 1, Fault::Answer(Answer::new(200).chunk(list)));
        server.fault(of_namespaces(Verb::Watch), 1, Fault::status(410));
        server.end_watches(On::any().resource("namespaces"), End::Fin);
        sleep(10 * SECOND).await;
        let errors = driven.errors();
        let undecodable = errors.iter().filter(|error| error.is_undecodable()).count();
        assert_eq!(undecodable, number + 1, "{errors:?}");
        assert_eq!(driven.names(), ["a/x", "b/x"]);
        assert_eq!(driven.deltas(), [""; 0]);
        assert_eq!(driven.store.report().stale, [""; 0]);
        assert!(driven.store.status().failing.is_none(), "{:?}", driven.store.status());
    }
    let event = odd(r#""name":"c","resourceVersion":"8","annotations":7"#);
    let event = format!("{{\"type\":\"ADDED\",\"object\":{event}}}\n");
    let event = Answer::new(200).chunk(event).pause(MINUTE);
    server.fault(of_namespaces(Verb::Watch), 1, Fault::Answer(event));
    server.end_watches(On::any().resource("namespaces"), End::Fin);
    sleep(10 * SECOND).await;
    assert_eq!(driven.names(), ["a/x", "b/x", "c/x"]);
}

/// The watch of the namespaces fails for a while, and the names are unchanged afterwards.
///
/// SEMANTICS: W23, W29
#[tokio::test(start_paused = true)]
async fn a_watch_of_namespaces_that_recovers_is_no_failure_any_more() {
    for verb in [Verb::Watch, Verb::List] {
        let server = server_with(&["a/x"]);
        namespace(&server, "a", "web");
        let driven = drive(configs(&server).namespaces_labelled("team=web").unwrap());
        driven.store.synced().await.unwrap();
        server.fault(On::verb(verb).resource("namespaces"), 3, Fault::status(503));
        if verb == Verb::List {
            server.fault(On::verb(Verb::Watch).resource("namespaces"), 1, Fault::status(410));
        }
        server.end_watches(On::any().resource("namespaces"), End::Fin);
        sleep(SECOND / 2).await;
        let failing = driven.store.status().failing;
        assert!(failing.is_some(), "{verb:?}");
        sleep(10 * MINUTE).await;
        let failing = driven.store.status().failing;
        assert!(failing.is_none(), "{verb:?}: {failing:?}");
        driven.store.healthy(3 * MINUTE).unwrap();
    }
}

/// SEMANTICS: W23
#[tokio::test(start_paused = true)]
async fn without_the_right_to_list_namespaces_the_cause_is_named() {
    let server = server_with(&["a/x"]);
    namespace(&server, "a", "web");
    server.forbid(On::any().resource("namespaces"));
    let gvr = Gvr::parse("v1/configmaps").unwrap();
    let watch =
        watch_resource(server.client(), gvr).unwrap().namespaces_labelled("team=web").unwrap();
    let changes = watch.index(());
    let store = changes.store();
    let _driving = changes.spawn();
    let error = store.synced().await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
    assert!(error.to_string().contains("namespaces"), "{error}");
    server.allow(On::any());
    sleep(MINUTE).await;
    assert_eq!(store.synced().await.unwrap().len(), 1);
}

/// SEMANTICS: W26
#[tokio::test(start_paused = true)]
async fn the_watches_of_a_fleet_do_not_end_together() {
    let server = ApiServer::new();
    let fleet: Vec<_> = (0..40).map(|_| drive(configs(&server))).collect();
    sleep(5 * SECOND).await;
    let timeouts = || -> Vec<u64> {
        let requests = server.take_requests();
        let asked = requests.iter().filter_map(|own| own.split("timeoutSeconds=").nth(1));
        asked.map(|own| own.split('&').next().unwrap().parse().unwrap()).collect()
    };
    for round in 0..3 {
        let asked = timeouts();
        let distinct: BTreeSet<u64> = asked.iter().copied().collect();
        assert!(asked.iter().all(|own| (150..=300).contains(own)), "{asked:?}");
        assert!(distinct.len() > 20, "round {round}: {distinct:?}");
        let (least, most) = (asked.iter().min().unwrap(), asked.iter().max().unwrap());
        assert!(most - least > 90, "round {round}: {least} to {most}");
        sleep(Duration::from_secs(300)).await;
    }
    assert!(fleet.iter().all(|own| own.errors().is_empty()));
}
