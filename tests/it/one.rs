//! A single resource by name, against the in-process API server and in virtual time.

use std::{pin::pin, time::Duration};

use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Api, Resource};
use kube_weir::{
    Error, EventStreamExt, FieldFilter, FieldPath, One,
    testing::{Answer, ApiServer, Fault, Verb},
    watch, watch_one, watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn config(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "a", "name": name },
        "data": { "value": value },
    })
}

fn configs(server: &ApiServer) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "a")
}

/// Returns the content of a `ConfigMap`, or `-`.
fn said(item: Result<One<ConfigMap>, Error>) -> String {
    match item {
        Ok(one) => match one.object() {
            Some(object) => object.data.as_ref().expect("data")["value"].clone(),
            None => "-".to_owned(),
        },
        Err(error) => error.reason().to_owned(),
    }
}

/// Returns the next item, which must arrive without another event.
async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    timeout(400 * SECOND, stream.next()).await.expect("an item in time").expect("no end")
}

async fn nothing_comes<S: Stream<Item: std::fmt::Debug> + Unpin>(stream: &mut S) {
    let item = timeout(1000 * SECOND, stream.next()).await;
    assert!(item.is_err(), "{item:?}");
}

/// SEMANTICS: O1, O2
#[tokio::test(start_paused = true)]
async fn the_state_comes_first_and_then_every_change() {
    let server = ApiServer::new();
    let mut one = watch_one(configs(&server), "x");
    assert_eq!(said(next(&mut one).await), "-");
    nothing_comes(&mut one).await;

    // Changes are yielded at once and individually, even if they arrive together.
    let begun = Instant::now();
    for value in ["1", "2", "3"] {
        server.apply(&config("x", value)).unwrap();
    }
    server.delete("v1/configmaps", "a", "x").unwrap();
    server.apply(&config("x", "4")).unwrap();
    for expected in ["1", "2", "3", "-", "4"] {
        assert_eq!(said(next(&mut one).await), expected);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // A repeated version is no change.
    server.apply(&config("x", "4")).unwrap();
    nothing_comes(&mut one).await;

    let mut late = watch_one(configs(&server), "x");
    assert_eq!(said(next(&mut late).await), "4");
}

/// A Secret has no `generation`.
/// SEMANTICS: O1
#[tokio::test(start_paused = true)]
async fn every_version_of_a_secret_is_delivered() {
    let server = ApiServer::new();
    let secret = |data: &str, label: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "namespace": "a", "name": "x", "labels": { "l": label } },
            "data": { "key": data },
        })
    };
    server.apply(&secret("YQ==", "1")).unwrap();
    let mut one = watch_one(Api::<Secret>::namespaced(server.client(), "a"), "x");
    let mut seen = Vec::new();
    for (data, label) in [("YQ==", "1"), ("Yg==", "1"), ("Yg==", "2")] {
        server.apply(&secret(data, label)).unwrap();
        let item = next(&mut one).await.unwrap();
        let secret = item.object().expect("present");
        assert_eq!(secret.meta().generation, None);
        let data = &secret.data.as_ref().unwrap()["key"].0;
        seen.push((data[0], secret.meta().labels.as_ref().unwrap()["l"].clone()));
    }
    assert_eq!(seen, [(b'a', "1".into()), (b'b', "1".into()), (b'b', "2".into())]);
}

/// SEMANTICS: O2
#[tokio::test(start_paused = true)]
async fn an_unseen_deletion_is_reported() {
    let server = ApiServer::new();
    server.apply(&config("x", "old")).unwrap();
    let mut one = watch_one(configs(&server), "x");
    assert_eq!(said(next(&mut one).await), "old");
    // While the watch is down the object is deleted and another of its name is created; then only a list
    // shows it.
    server.fault(Verb::Watch, 1, Fault::status(503));
    server.disconnect();
    assert!(next(&mut one).await.is_err());
    server.delete("v1/configmaps", "a", "x").unwrap();
    server.apply(&config("x", "new")).unwrap();
    server.compact();
    let mut told = Vec::new();
    while told.len() < 2 {
        told.extend(next(&mut one).await.ok());
    }
    assert_eq!(told.into_iter().map(|one| said(Ok(one))).collect::<Vec<_>>(), ["-", "new"]);
    // An unseen update is one change, and objects repeated by a list are none.
    server.compact();
    server.disconnect();
    server.apply(&config("x", "newer")).unwrap();
    let mut one = one.log_errors();
    assert_eq!(said(Ok(next(&mut one).await)), "newer");
    server.compact();
    server.disconnect();
    nothing_comes(&mut one).await;
}

/// SEMANTICS: O3
#[tokio::test(start_paused = true)]
async fn other_names_are_never_seen() {
    let server = ApiServer::new();
    for name in ["w", "x", "xx"] {
        server.apply(&config(name, "1")).unwrap();
    }
    let mut one = watch_one(configs(&server), "x");
    assert_eq!(said(next(&mut one).await), "1");
    for name in ["w", "xx", "y"] {
        server.apply(&config(name, "2")).unwrap();
    }
    let mut elsewhere = config("x", "elsewhere");
    elsewhere["metadata"]["namespace"] = json!("b");
    server.apply(&elsewhere).unwrap();
    nothing_comes(&mut one).await;
    let requests = server.requests();
    assert!(requests.iter().all(|request| {
        request.contains("/namespaces/a/") && request.contains("fieldSelector=metadata.name%3Dx")
    }));

    // A name that would be more than one condition selects nothing, never everything.
    for name in ["x,metadata.name!=y", "", "x=x", "\\"] {
        let mut none = watch_one(configs(&server), name);
        assert_eq!(said(next(&mut none).await), "-", "{name}");
    }
}

/// SEMANTICS: O1, O2, O3
/// A server that ignores the selector, or a cache that returns the answer to another request.
///
/// SEMANTICS: B6
#[tokio::test(start_paused = true)]
async fn an_answer_about_another_object_is_an_error() {
    let sent = |namespace: &str, name: &str| {
        let mut object = config(name, "other");
        object["metadata"]["namespace"] = namespace.into();
        object["metadata"]["resourceVersion"] = "9".into();
        object
    };
    for other in [sent("a", "other"), sent("b", "settings")] {
        let server = ApiServer::new();
        server.apply(&config("settings", "own")).unwrap();
        let list = json!({
            "kind": "ConfigMapList", "apiVersion": "v1", "metadata": { "resourceVersion": "9" },
            "items": [other],
        });
        let event = json!({ "type": "MODIFIED", "object": other });
        server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &list)));
        let answer = Answer::lines([&event]).pause(SECOND);
        server.fault(Verb::Watch, 1, Fault::Answer(answer));
        let mut one = watch_one(configs(&server), "settings");
        let error = one.next().await.unwrap().unwrap_err();
        assert!(error.is_connection() && error.to_string().contains("not requested"), "{error}");
        let Some(Ok(One::Present(own))) = one.next().await else { panic!() };
        assert_eq!(own.data.as_ref().unwrap()["value"], "own");
        let error = one.next().await.unwrap().unwrap_err();
        assert!(error.is_connection() && error.to_string().contains("not requested"), "{error}");
        let more = timeout(SECOND * 30, one.next()).await;
        assert!(more.is_err(), "it is as it was: {more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cluster_scoped_kinds_work() {
    let server = ApiServer::new();
    let labelled = |name: &str, label: &str| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { "l": label } },
        })
    };
    let mut typed = watch_one(Api::<Namespace>::all(server.client()), "web");
    let documents = watch_resource(server.client(), "v1/namespaces").unwrap();
    let mut document = documents.one("web");
    let path = FieldPath::parse("metadata.labels.l").unwrap();
    let mut both = async || {
        let typed = next(&mut typed).await.unwrap();
        let document = next(&mut document).await.unwrap();
        let label = typed.object().map(|own| own.metadata.labels.as_ref().unwrap()["l"].clone());
        assert_eq!(document.object().and_then(|own| own.get(&path).pop()), label);
        label
    };
    assert_eq!(both().await, None);
    for label in ["1", "2"] {
        server.apply(&labelled("db", label)).unwrap();
        server.apply(&labelled("web", label)).unwrap();
        assert_eq!(both().await.as_deref(), Some(label));
    }
    server.delete("v1/namespaces", "", "web").unwrap();
    assert_eq!(both().await, None);
}

/// SEMANTICS: O1
#[tokio::test(start_paused = true)]
async fn others_read_what_was_delivered_last() {
    let server = ApiServer::new();
    server.apply(&config("x", "1")).unwrap();
    let mut one = watch_one(configs(&server), "x");
    let (current, store) = (one.current(), one.store());
    assert_eq!(current.get(), None);
    for value in ["1", "2"] {
        server.apply(&config("x", value)).unwrap();
        let item = next(&mut one).await.unwrap();
        assert_eq!(current.clone().get(), Some(item));
    }
    server.delete("v1/configmaps", "a", "x").unwrap();
    assert_eq!(next(&mut one).await.unwrap(), One::Absent);
    assert_eq!(current.get(), Some(One::Absent));
    assert_eq!(store.synced().await.unwrap().len(), 0);
    drop(one);
    assert_eq!(current.get(), Some(One::Absent));
}

#[tokio::test(start_paused = true)]
async fn fields_are_dropped_and_conditions_added() {
    let server = ApiServer::new();
    server.apply(&config("x", "1")).unwrap();
    let filter = || FieldFilter::new(["data"]).unwrap();
    let watched = watch(configs(&server)).fields("metadata.namespace=a").unwrap();
    for mut one in [
        watch_one(configs(&server), "x").filter_fields(filter()).unwrap(),
        watched.filter_fields(filter()).unwrap().one("x"),
    ] {
        let item = next(&mut one).await.unwrap();
        assert_eq!(item.object().expect("present").data, None);
    }
    let last = server.requests().pop().unwrap();
    assert!(last.contains("metadata.namespace%3Da%2Cmetadata.name%3Dx"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_debounce_is_there_for_who_asks() {
    let server = ApiServer::new();
    server.apply(&config("x", "1")).unwrap();
    let mut one = watch_one(configs(&server), "x").debounce(SECOND);
    let current = one.current();
    let begun = Instant::now();
    assert_eq!(said(next(&mut one).await), "1");
    server.apply(&config("x", "2")).unwrap();
    assert_eq!(said(next(&mut one).await), "2");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    server.apply(&config("x", "3")).unwrap();
    server.delete("v1/configmaps", "a", "x").unwrap();
    server.apply(&config("x", "4")).unwrap();
    assert!(one.next().now_or_never().is_none());
    assert_eq!(said(Ok(current.get().unwrap())), "2");
    // The net change has different uids before and after.
    assert_eq!(said(next(&mut one).await), "-");
    assert_eq!(said(next(&mut one).await), "4");
    assert_eq!(begun.elapsed(), SECOND);
}

/// SEMANTICS: O1, W6
#[tokio::test(start_paused = true)]
async fn an_object_that_is_there_is_not_absent() {
    let server = ApiServer::new();
    let broken = || {
        let mut broken = config("x", "");
        broken["data"] = json!(7);
        broken
    };
    server.apply(&broken()).unwrap();
    let mut one = watch_one(configs(&server), "x");
    assert!(next(&mut one).await.unwrap_err().is_undecodable());
    assert!(timeout(SECOND, one.next()).await.is_err());
    assert_eq!(one.current().get(), None);
    server.apply(&config("x", "1")).unwrap();
    assert_eq!(said(next(&mut one).await), "1");
    // The last good version stays.
    server.apply(&broken()).unwrap();
    assert!(next(&mut one).await.unwrap_err().is_undecodable());
    assert_eq!(said(Ok(one.current().get().unwrap())), "1");

    // An object that never could be decoded is absent once it is deleted.
    let mut late = watch_one(configs(&server), "x");
    assert!(next(&mut late).await.unwrap_err().is_undecodable());
    assert!(timeout(SECOND, late.next()).await.is_err());
    server.delete("v1/configmaps", "a", "x").unwrap();
    let mut late = late.log_errors();
    assert_eq!(said(Ok(next(&mut late).await)), "-");
}

#[tokio::test(start_paused = true)]
async fn one_name_in_several_namespaces_is_an_error() {
    let server = ApiServer::new();
    server.apply(&config("x", "1")).unwrap();
    let mut one = watch_one(Api::<ConfigMap>::all(server.client()), "x");
    assert_eq!(said(next(&mut one).await), "1");
    let mut elsewhere = config("x", "2");
    elsewhere["metadata"]["namespace"] = json!("b");
    server.apply(&elsewhere).unwrap();
    assert!(next(&mut one).await.unwrap_err().is_ambiguous());
    assert_eq!(said(Ok(one.current().get().unwrap())), "1");
    server.delete("v1/configmaps", "a", "x").unwrap();
    assert_eq!(said(next(&mut one).await), "-");
    assert_eq!(said(next(&mut one).await), "2");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_an_item_and_no_answer() {
    let server = ApiServer::new();
    server.fault(Verb::List, 2, Fault::status(403));
    let mut one = pin!(watch_one(configs(&server), "x"));
    for _ in 0..2 {
        assert!(next(&mut one).await.unwrap_err().is_forbidden());
        assert_eq!(one.current().get(), None);
    }
    assert_eq!(said(next(&mut one).await), "-");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_object_has_is_an_error() {
    let server = ApiServer::new();
    for name in ["default/settings", "/", "a/"] {
        let api = Api::<ConfigMap>::namespaced(server.client(), "default");
        let items: Vec<_> = watch_one(api, name).collect().await;
        let [Err(error)] = &items[..] else { panic!("{name}: {items:?}") };
        assert!(error.is_setting() && error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    assert!(server.requests().is_empty());
}
