//! Adaptors between a watch and its index don't change reports, waits or overlays.

use std::pin::pin;

use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Document, Election, Error, EventStreamExt, FieldFilter, FieldSelector, LeaseRef, Store, Watch,
    WatchEvent, Write,
    testing::{ApiServer, End, Events, Fault, On, Verb},
    watch_one, world,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    logs,
    support::{line, object, state},
    wire::{HOUR, MINUTE, SECOND, config, configs, server_with, warm_up_logs},
};

type Item = Result<WatchEvent<ConfigMap>, Error>;

/// Returns the watch with which all variants begin.
fn begun(server: &ApiServer) -> Watch<ConfigMap> {
    let selector = FieldSelector::parse("data.key!=hidden").unwrap();
    configs(server)
        .named("settings")
        .namespaces(["a", "b"])
        .matching(selector)
        .unwrap()
        .filter_fields("metadata.managedFields")
        .unwrap()
        .watch_timeout(MINUTE)
}

/// Returns the log of a pipeline while its server fails.
#[derive(Debug, PartialEq)]
struct Seen {
    items: Vec<String>,
    waited: Vec<String>,
    overlaid: Vec<String>,
    report: Value,
    collections: Vec<String>,
    logged: Vec<usize>,
}

async fn story<S>(server: &ApiServer, changes: S, store: Store<ConfigMap>) -> Seen
where
    S: Stream<Item = Result<kube_weir::Change<ConfigMap>, Error>> + Send + 'static,
{
    let logs = logs::capture();
    let items = tokio::spawn(async move {
        let mut items = Vec::new();
        let mut changes = Box::pin(changes);
        let end = sleep(HOUR);
        tokio::pin!(end);
        loop {
            tokio::select! {
                item = changes.next() => match item {
                    Some(item) => items.push(line(&item)),
                    None => return items,
                },
                () = &mut end => return items,
            }
        }
    });
    store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.apply(&config("a/x", "second")).unwrap();
    server.apply(&config("b/y", "hidden")).unwrap();
    let written = server.apply(&config("b/z", "new")).unwrap();
    let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    let waited = store.wait_for(Write::of(("b", "z"), version)).await.unwrap();
    // The bookmark after a deletion shows that the deletion was seen.
    server.delete("configmaps", "b", "z").unwrap();
    let gone = server.resource_version().to_string();
    server.bookmark();
    store.wait_for(Write::of(("b", "z"), &gone)).await.unwrap();

    server.fault(On::verb(Verb::Watch).namespace("a"), 1, Fault::status(410));
    server.fault(On::verb(Verb::Watch).namespace("b"), 2, Fault::status(500));
    server.end_watches(On::any(), End::Fin);
    sleep(SECOND / 2).await;
    server.delete("configmaps", "a", "x").unwrap();
    server.apply(&config("a/w", "third")).unwrap();
    sleep(10 * MINUTE).await;

    let snapshot = store.snapshot();
    let mut overlay = snapshot.overlay();
    for (identity, data) in [("a/new", "one"), ("a/not", "hidden"), ("c/not", "one")] {
        overlay = overlay.apply(serde_json::from_value(config(identity, data)).unwrap()).unwrap();
    }
    let overlaid = state(&overlay.delete(("a", "w")).build());
    let mut report = serde_json::to_value(store.report()).unwrap();
    report["silent_ms"] = Value::Null;
    let collections = store.collections();
    let collections = collections
        .iter()
        .map(|own| {
            let (connected, failing) = (own.connected.is_some(), own.failing.is_some());
            format!("{} {} {connected} {failing}", own.collection, own.is_complete)
        })
        .collect();
    let text = logs.text();
    let logged = ["stream degraded, retrying", "stream recovered", "message=synced"];
    let logged = logged.map(|line| text.matches(line).count()).to_vec();
    sleep(HOUR).await;
    let mut items = items.await.unwrap();
    // Failures of namespaces arrive in any order.
    let errors = items.iter().filter(|item| item.starts_with("error")).count();
    items.retain(|item| !item.starts_with("error"));
    items.push(format!("{errors} errors"));
    Seen { items, waited: state(&waited), overlaid, report, collections, logged }
}

async fn with<S>(index: impl FnOnce(Watch<ConfigMap>) -> S) -> Seen
where
    S: Stream<Item = Item> + Send + Unpin + 'static,
{
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let changes = index(begun(&server)).index(());
    let store = changes.store();
    story(&server, changes, store).await
}

/// SEMANTICS: W28
#[tokio::test(start_paused = true)]
async fn any_adaptor_may_stand_before_the_index() {
    let _spare = warm_up_logs().await;
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let changes = begun(&server).index(());
    let store = changes.store();
    let direct = story(&server, changes, store).await;
    assert_eq!(direct.report["resource"], "v1/configmaps");
    assert_eq!(direct.report["name"], "settings");
    assert_eq!(
        direct.collections,
        ["namespace `a` true true false", "namespace `b` true true false"]
    );
    assert_eq!(direct.overlaid, ["a/new@-", "b/x@3"]);
    assert!(direct.items.len() > 4 && direct.logged == [1, 1, 1], "{direct:?}");

    assert_eq!(with(|watch| watch.inspect(|_| ())).await, direct, "inspect");
    assert_eq!(
        with(|watch| watch.take_until(sleep(10 * HOUR).boxed())).await,
        direct,
        "take_until"
    );
    assert_eq!(with(StreamExt::boxed).await, direct, "boxed");
    assert_eq!(with(|watch| watch.map_err(|error| error)).await, direct, "map_err");
    assert_eq!(with(|watch| watch.inspect_err(|_| ())).await, direct, "inspect_err");
    assert_eq!(with(|watch| watch.map_ok(|event| event.map(|own| own))).await.items, direct.items);
    assert_eq!(with(|watch| watch.filter(|_| std::future::ready(true))).await, direct, "filter");
    assert_eq!(with(|watch| watch.boxed().fuse().inspect(|_| ())).await, direct, "several");
}

/// Stages of this crate behind such an adaptor still apply to hypothetical objects.
///
/// SEMANTICS: W28
#[tokio::test(start_paused = true)]
async fn stages_behind_an_adaptor_select_hypothetical_objects() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let selector = || FieldSelector::parse("metadata.name!=no").unwrap();
    let filter = || FieldFilter::new(["data"]).unwrap();
    let direct = configs(&server)
        .namespaces(["a"])
        .matching(selector())
        .unwrap()
        .filter_fields(filter())
        .unwrap();
    let behind = configs(&server).namespaces(["a"]).inspect(|_| ());
    let behind = behind
        .matching(selector())
        .unwrap()
        .boxed()
        .filter_fields(filter())
        .unwrap()
        .inspect(|_| ());
    let mut direct = direct.index(());
    let mut behind = behind.index(());
    let mut seen = Vec::new();
    for snapshot in [direct.first_synced().await.unwrap(), behind.first_synced().await.unwrap()] {
        let mut overlay = snapshot.overlay();
        for identity in ["a/new", "a/no", "b/new"] {
            let object = serde_json::from_value(config(identity, "data")).unwrap();
            overlay = overlay.apply(object).unwrap();
        }
        let built = overlay.build();
        assert!(built.iter().all(|object| object.data.is_none()));
        seen.push(state(&built));
    }
    assert_eq!(seen[0], ["a/new@-", "a/x@2"]);
    assert_eq!(seen[0], seen[1]);
}

/// Every stage returns the store of its pipeline, and the stream underneath.
#[tokio::test(start_paused = true)]
async fn each_stage_gives_its_store_and_what_is_underneath() {
    let events = || Events::listed([object("a/x", 1)]).apply(object("a/x", 2));
    let selector = FieldSelector::parse("metadata.name!=y").unwrap();
    let filter = FieldFilter::new(["data"]).unwrap();
    let lease = LeaseRef::new("default", "lease");
    let campaign = Election::new(ApiServer::new().client(), lease, "replica").unwrap().campaign();

    let all = events().matching(selector).unwrap().filter_fields(filter).unwrap();
    let all = all.into_inner().into_inner();
    assert_eq!(all.collect::<Vec<_>>().await.len(), 4);

    let stages = events().stay_open().index(());
    let stages = stages.debounce(SECOND).while_leading(&campaign.watch());
    let mut stages = stages.log_errors();
    let store = stages.store();
    assert!(stages.next().now_or_never().is_none(), "nobody leads");
    assert_eq!(state(&store.snapshot()), ["a/x@2"]);
    let indexed = stages.into_inner().into_inner().into_inner();
    assert_eq!(state(&indexed.store().snapshot()), ["a/x@2"]);

    let worlds = world((events().index(()),)).debounce(SECOND).log_errors();
    let store = worlds.store();
    let mut worlds = worlds.into_inner().into_inner();
    worlds.next().await.unwrap().unwrap();
    assert!(store.is_synced());

    let one = watch_one(Api::<ConfigMap>::default_namespaced(ApiServer::new().client()), "x");
    let mut one = one.log_errors();
    one.next().await.unwrap();
    assert!(one.store().is_synced());

    let changes = events().index(()).log_errors().into_events().into_inner();
    assert_eq!(changes.collect::<Vec<_>>().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn fields_are_dropped_from_documents_of_any_stream() {
    let json = r#"{"kind":"ConfigMap","metadata":{"name":"a","managedFields":[{}]},"data":{"key":"value","big":"x"}}"#;
    let document = Document::from_json(json).unwrap();
    let events = [Event::Init, Event::InitApply(document), Event::InitDone];
    let changes = stream::iter(events).filter_fields("metadata.managedFields,data.big").unwrap();
    let snapshot = pin!(changes.index(())).first_synced().await.unwrap();
    let kept =
        json!({ "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "key": "value" } });
    assert_eq!(snapshot.get("a").unwrap().to_value(), kept);
}
