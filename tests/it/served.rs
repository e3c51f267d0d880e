//! Resources that are served in another version, not yet, or no longer.

use kube_weir::{
    Document, Error, EventStreamExt, Store,
    adapters::Spawned,
    testing::{ApiServer, End, Fault, On, Verb},
    watch_resource,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::wire::{
    DAY, Driven, HOUR, MINUTE, SECOND, config, configs, drive_changes, names, server_with, widgets,
};

fn widget(version: &str, name: &str) -> Value {
    json!({
        "apiVersion": format!("example.com/{version}"), "kind": "Widget",
        "metadata": { "namespace": "a", "name": name },
    })
}

fn watched(server: &ApiServer, gvr: &str) -> (Store<Document>, Spawned) {
    let watch = watch_resource(server.client(), gvr).unwrap();
    let changes = watch.index(());
    (changes.store(), changes.spawn())
}

fn lists_of(server: &ApiServer, version: &str) -> usize {
    let path = format!("/apis/example.com/{version}/");
    let requests = server.requests();
    requests.iter().filter(|own| own.contains(&path) && own.contains("limit=500")).count()
}

/// SEMANTICS: W24
#[tokio::test(start_paused = true)]
async fn the_served_version_is_found_and_followed() {
    for gvr in ["example.com/widgets", "example.com/v2,v1,v1beta1/widgets"] {
        let server = ApiServer::new();
        server.apply(&widgets(&["v1beta1"])).unwrap();
        server.apply(&widget("v1beta1", "x")).unwrap();
        let (store, _driving) = watched(&server, gvr);
        assert_eq!(store.synced().await.unwrap().len(), 1, "{gvr}");
        let version = |store: &Store<Document>| {
            let object = store.get(("a", "x")).unwrap();
            object.to_value()["apiVersion"].as_str().unwrap().to_owned()
        };
        assert_eq!(version(&store), "example.com/v1beta1", "{gvr}");

        // Both versions for a while, then only the new one.
        server.apply(&widgets(&["v1", "v1beta1"])).unwrap();
        sleep(MINUTE).await;
        assert_eq!(lists_of(&server, "v1"), 0, "{gvr}: nothing is wrong yet");
        server.apply(&widgets(&["v1"])).unwrap();
        server.end_watches(On::any().resource("widgets.example.com"), End::Fin);
        sleep(MINUTE).await;
        assert_eq!(version(&store), "example.com/v1", "{gvr}");
        server.apply(&widget("v1", "y")).unwrap();
        sleep(SECOND).await;
        assert_eq!(names(&store.snapshot()), ["a/x", "a/y"], "{gvr}");
        assert_eq!(lists_of(&server, "v1"), 1, "{gvr}");
        assert!(store.status().failing.is_none(), "{gvr}");
    }
}

/// SEMANTICS: W24, W11
#[tokio::test(start_paused = true)]
async fn lists_of_a_custom_resource_may_be_of_any_kind() {
    let server = ApiServer::new();
    let mut definition = widgets(&["v1"]);
    definition["spec"]["names"]["listKind"] = "HeapOfWidgetsList".into();
    server.apply(&definition).unwrap();
    for gvr in ["example.com/widgets", "example.com/v1/widgets"] {
        let (store, _driving) = watched(&server, gvr);
        let objects = server.objects("widgets").unwrap();
        assert_eq!(store.synced().await.unwrap().len(), objects.len(), "{gvr}");
        server.apply(&widget("v1", &format!("x{}", objects.len()))).unwrap();
        sleep(SECOND).await;
        assert_eq!(store.snapshot().len(), objects.len() + 1, "{gvr}");
    }
    let watch = watch_resource(server.client(), "example.com/widgets").unwrap();
    let keys = watch.index_keys(()).unwrap();
    let store = keys.store();
    let _driving = keys.spawn();
    assert_eq!(store.synced().await.unwrap().len(), 2);
}

/// The definition is replaced while no request is made, so that no answer shows the removal.
///
/// SEMANTICS: W24
#[tokio::test(start_paused = true)]
async fn a_resource_that_is_of_another_kind_now_is_looked_up_again() {
    let server = ApiServer::new();
    server.apply(&widgets(&["v1"])).unwrap();
    server.apply(&widget("v1", "x")).unwrap();
    let (store, _driving) = watched(&server, "example.com/v1/widgets");
    assert_eq!(store.synced().await.unwrap().len(), 1);

    server.fault(On::any(), usize::MAX, Fault::Refused);
    server.delete("customresourcedefinitions", "", "widgets.example.com").unwrap();
    let mut definition = widgets(&["v1"]);
    definition["spec"]["names"]["kind"] = "Gadget".into();
    server.apply(&definition).unwrap();
    let mut gadget = widget("v1", "y");
    gadget["kind"] = "Gadget".into();
    server.apply(&gadget).unwrap();
    server.disconnect();
    sleep(10 * SECOND).await;
    server.clear_faults();
    server.fault(Verb::Watch, 1, Fault::status(410));
    sleep(MINUTE).await;
    assert_eq!(names(&store.snapshot()), ["a/y"]);
    assert!(store.status().failing.is_none(), "{:?}", store.status());
}

/// SEMANTICS: W24
#[tokio::test(start_paused = true)]
async fn the_first_acceptable_version_is_taken_and_no_other() {
    let server = ApiServer::new();
    server.apply(&widgets(&["v1", "v2"])).unwrap();
    server.apply(&widget("v1", "x")).unwrap();
    let (store, _driving) = watched(&server, "example.com/v3,v2,v1/widgets");
    assert_eq!(store.synced().await.unwrap().len(), 1);
    assert_eq!((lists_of(&server, "v2"), lists_of(&server, "v1")), (1, 0));

    let (store, _driving) = watched(&server, "example.com/v3alpha1,v3/widgets");
    let error = store.synced().await.unwrap_err();
    assert!(error.is_not_installed(), "{error:?}");
    server.apply(&widgets(&["v3", "v1"])).unwrap();
    sleep(MINUTE).await;
    assert_eq!(store.synced().await.unwrap().len(), 1);
}

/// The core group has a version without a group name, and a group may not exist yet.
///
/// SEMANTICS: W24
#[tokio::test(start_paused = true)]
async fn a_group_without_a_version_may_come_later() {
    let server = server_with(&["a/x"]);
    let (store, _driving) = watched(&server, "example.com/widgets");
    assert!(store.synced().await.unwrap_err().is_not_installed());
    server.apply(&widgets(&["v1"])).unwrap();
    server.apply(&widget("v1", "x")).unwrap();
    sleep(MINUTE).await;
    assert_eq!(store.synced().await.unwrap().len(), 1);

    // Discovery fails for a while, and is repeated.
    server.fault(Verb::Discovery, 4, Fault::status(503));
    let (store, _driving) = watched(&server, "example.com/widgets");
    sleep(MINUTE).await;
    assert_eq!(store.synced().await.unwrap().len(), 1);
}

fn optional(server: &ApiServer, namespaces: &[&str]) -> Driven {
    let watch = configs(server);
    let watch = match namespaces {
        [] => watch,
        _ => watch.namespaces(namespaces.iter().copied()),
    };
    let changes = watch.index(()).optional();
    let store = changes.store();
    drive_changes(changes, store)
}

/// A namespace is forbidden, the first or the second in alphabetical order.
///
/// SEMANTICS: W27
#[tokio::test(start_paused = true)]
async fn an_optional_kind_that_is_forbidden_in_a_namespace_is_not_empty() {
    for forbidden in ["a", "b"] {
        let server = server_with(&["a/x", "b/x"]);
        server.forbid(On::any().namespace(forbidden));
        let driven = optional(&server, &["a", "b"]);
        assert_eq!(driven.store.synced().await.unwrap().len(), 1, "{forbidden}");
        let (error, _) = driven.store.status().failing.unwrap();
        assert!(error.is_forbidden() && error.namespace() == Some(forbidden), "{error:?}");
        server.allow(On::any());
        sleep(MINUTE).await;
        assert_eq!(driven.names(), ["a/x", "b/x"]);
    }
    // A kind that is completely forbidden is not empty, either.
    let server = server_with(&["a/x"]);
    server.forbid(On::any().resource("configmaps"));
    let driven = optional(&server, &[]);
    assert!(driven.store.synced().await.unwrap_err().is_forbidden());
    sleep(HOUR).await;
    assert!(!driven.store.is_synced());
}

/// SEMANTICS: W27
#[tokio::test(start_paused = true)]
async fn an_optional_kind_that_is_removed_loses_its_objects_after_a_while() {
    let server = server_with(&["a/x", "a/y"]);
    let driven = optional(&server, &[]);
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(On::any().resource("configmaps"), usize::MAX, Fault::status(404));
    server.disconnect();
    sleep(25 * SECOND).await;
    assert_eq!(driven.names(), ["a/x", "a/y"], "it may be an API server that begins");
    sleep(DAY).await;
    assert_eq!(driven.names(), [""; 0]);
    assert_eq!(driven.deltas(), ["-a/x@2", "-a/y@3"]);
    assert_eq!(driven.live().len(), 1, "as one");
    assert_eq!(driven.errors().len(), 0, "{:?}", driven.errors());
}

/// The kind is removed and installed again, with another history.
///
/// SEMANTICS: W27
#[tokio::test(start_paused = true)]
async fn an_optional_kind_comes_and_goes() {
    let server = ApiServer::new();
    let watch = watch_resource(server.client(), "example.com/v1/widgets").unwrap();
    let changes = watch.index(()).optional();
    let store = changes.store();
    let _driving = changes.spawn();
    assert_eq!(store.synced().await.unwrap().len(), 0);
    for _ in 0..3 {
        server.apply(&widgets(&["v1"])).unwrap();
        server.apply(&widget("v1", "x")).unwrap();
        sleep(MINUTE).await;
        assert_eq!(names(&store.snapshot()), ["a/x"]);
        server.delete("customresourcedefinitions", "", "widgets.example.com").unwrap();
        server.disconnect();
        sleep(2 * MINUTE).await;
        assert!(store.snapshot().is_empty());
        assert!(store.status().connected.is_none(), "{:?}", store.status());
    }
}

/// Refusals that are no removal, before a short removal.
///
/// SEMANTICS: W27
#[tokio::test(start_paused = true)]
async fn other_answers_confirm_no_removal() {
    for other in [Fault::status(403), Fault::status(503)] {
        let server = server_with(&["a/x"]);
        let changes = configs(&server).index(()).optional_if(Error::is_refusal);
        let store = changes.store();
        let driven = drive_changes(changes, store);
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        server.fault(On::any().resource("configmaps"), 1, Fault::status(404));
        server.fault(On::any().resource("configmaps"), 12, other.clone());
        server.fault(On::any().resource("configmaps"), 1, Fault::status(404));
        server.disconnect();
        sleep(HOUR).await;
        assert_eq!(driven.names(), ["a/x"], "{other:?}");
        assert_eq!(driven.deltas(), [""; 0], "{other:?}");
    }
}

/// SEMANTICS: W27
#[tokio::test(start_paused = true)]
async fn a_forbidden_kind_is_optional_on_request() {
    let server = server_with(&["a/x"]);
    server.forbid(On::any().resource("configmaps"));
    let changes = configs(&server).index(()).optional_if(Error::is_forbidden);
    let store = changes.store();
    let driven = drive_changes(changes, store);
    assert_eq!(driven.store.synced().await.unwrap().len(), 0);
    assert!(driven.errors().iter().all(Error::is_forbidden) && !driven.errors().is_empty());
    server.allow(On::any());
    sleep(MINUTE).await;
    assert_eq!(driven.deltas(), ["+a/x@2"]);
    // An allowed refusal must not delete objects.
    server.forbid(On::any().resource("configmaps"));
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.disconnect();
    sleep(DAY).await;
    assert_eq!(driven.names(), ["a/x"]);
    server.apply(&config("a/x", "unseen")).unwrap();
}
