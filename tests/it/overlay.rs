//! Overlays: SEMANTICS O6.

use std::{collections::BTreeMap, fmt::Debug, pin::pin};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};
use kube::{
    Api,
    runtime::{
        reflector::{Lookup, ObjectRef},
        watcher::Event,
    },
};
use kube_weir::{
    Change, Document, Error, EventStreamExt, FieldFilter, FieldPath, FieldSelector, Gvr, Index,
    ObjectKey, Snapshot,
    testing::{ApiServer, Events},
    watch, watch_one, watch_resource,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{labelled, object, state};

fn app() -> Index<ConfigMap> {
    Index::path("metadata.labels.app").unwrap()
}

/// Returns everything that a snapshot shows.
fn told(snapshot: &Snapshot<ConfigMap>) -> Vec<Vec<String>> {
    let view = snapshot.by(&app());
    let mut told = vec![state(snapshot)];
    told.push(view.keys().iter().map(ToString::to_string).collect());
    for app in ["x", "y", "z"] {
        told.push(view.get(app).map(|hit| crate::support::versioned(hit)).collect());
    }
    for namespace in ["a", "b"] {
        let hits = snapshot.in_namespace(namespace);
        told.push(hits.map(|hit| crate::support::versioned(hit)).collect());
    }
    told
}

#[derive(Clone, Debug)]
enum Op {
    Apply(String, u32, &'static str),
    Delete(String),
}

fn op() -> impl Strategy<Value = Op> {
    let identity = || ("[ab]", "[m-p]").prop_map(|(namespace, name)| format!("{namespace}/{name}"));
    // Few versions: the same version with other content must replace the object, too.
    let apply = (identity(), 1_u32..3, prop_oneof![Just("x"), Just("y"), Just("z"), Just("")]);
    prop_oneof![
        3 => apply.prop_map(|(identity, version, app)| Op::Apply(identity, version, app)),
        1 => identity().prop_map(Op::Delete),
    ]
}

fn labelled_or_not(identity: &str, version: u32, app: &str) -> ConfigMap {
    match app {
        "" => object(identity, version),
        app => labelled(identity, version, "app", app),
    }
}

proptest! {
    /// SEMANTICS: O6
    #[test]
    fn an_overlay_is_what_the_objects_would_be(
        base in proptest::collection::vec(op(), 0..20),
        ops in proptest::collection::vec(op(), 0..20),
    ) {
        let mut model = BTreeMap::new();
        let mut change = |op: &Op| match op {
            Op::Apply(identity, version, app) => {
                model.insert(identity.clone(), labelled_or_not(identity, *version, app));
            }
            Op::Delete(identity) => drop(model.remove(identity)),
        };
        base.iter().for_each(&mut change);
        let snapshot = Snapshot::from_objects(app(), model.values().cloned()).unwrap();
        let before = told(&snapshot);

        let mut change = |op: &Op| match op {
            Op::Apply(identity, version, app) => {
                model.insert(identity.clone(), labelled_or_not(identity, *version, app));
            }
            Op::Delete(identity) => drop(model.remove(identity)),
        };
        let mut overlay = snapshot.overlay();
        for op in &ops {
            change(op);
            overlay = match op {
                Op::Apply(identity, version, app) => {
                    overlay.apply(labelled_or_not(identity, *version, app)).unwrap()
                }
                Op::Delete(identity) => {
                    overlay.delete(identity)
                }
            };
        }
        let wanted = Snapshot::from_objects(app(), model.into_values()).unwrap();
        prop_assert_eq!(told(&overlay.build()), told(&wanted));
        prop_assert_eq!(told(&snapshot), before);
    }
}

/// SEMANTICS: O6
#[test]
fn an_object_without_a_name_is_an_error_and_a_missing_one_stays_missing() {
    let snapshot = Snapshot::from_objects(app(), [object("a/x", 1)]).unwrap();
    let error = snapshot.overlay().apply(ConfigMap::default()).unwrap_err();
    assert!(error.is_undecodable());
    let same = snapshot.overlay().delete(("a", "y")).delete("b/x").build();
    assert_eq!(state(&same), ["a/x@1"]);
    let cluster = snapshot.overlay().apply(object("c", 1)).unwrap();
    assert_eq!(state(&cluster.clone().build()), ["c@1", "a/x@1"]);
    assert_eq!(state(&cluster.delete("c").build()), ["a/x@1"]);
}

/// All types that name an object look up and delete exactly that object.
///
/// SEMANTICS: O6
#[test]
fn an_object_is_deleted_by_any_type_that_names_it() {
    let objects = ["x", "a/x", "a/y", "b/x"].map(|identity| object(identity, 1));
    let snapshot = Snapshot::from_objects((), objects).unwrap();
    let key = ObjectKey::new("a", "x");
    let reference = ObjectRef::<ConfigMap>::new("x").within("a");
    let overlay = || snapshot.overlay();
    let (pair, text) = (("a".to_owned(), "x".to_owned()), "a/x".to_owned());
    for deleted in [
        overlay().delete(("a", "x")),
        overlay().delete(&pair),
        overlay().delete(pair.clone()),
        overlay().delete("a/x"),
        overlay().delete(&text),
        overlay().delete(text.clone()),
        overlay().delete(&key),
        overlay().delete(key.clone()),
        overlay().delete(&reference),
        overlay().delete(ObjectKey::of(&object("a/x", 7))),
    ] {
        assert_eq!(state(&deleted.build()), ["x@1", "a/y@1", "b/x@1"]);
    }
    let cluster_scoped = ObjectRef::<ConfigMap>::new("x");
    for deleted in [
        overlay().delete("x"),
        overlay().delete(("", "x")),
        overlay().delete("/x"),
        overlay().delete(ObjectKey::named("x")),
        overlay().delete(&cluster_scoped),
    ] {
        assert_eq!(state(&deleted.build()), ["a/x@1", "a/y@1", "b/x@1"]);
    }
    for other in ["", "/", "a", "a/", "y", "a/x/", "a/x/y", "A/x"] {
        assert!(snapshot.get(other).is_none(), "{other}");
        assert_eq!(overlay().delete(other).build().len(), 4, "{other}");
    }
}

/// Returns an Ingress in namespace `a`, with a label, a class, an annotation and a host.
fn ingress(name: &str, tier: &str, class: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "namespace": "a",
            "name": name,
            "labels": { "tier": tier },
            "annotations": { "big": "data", "small": "x" },
        },
        "spec": { "ingressClassName": class, "rules": [{ "host": host }] },
    })
}

fn typed(value: Value) -> Ingress {
    serde_json::from_value(value).unwrap()
}

fn document(value: &Value) -> Document {
    Document::from_json(&value.to_string()).unwrap()
}

fn host<K: serde::Serialize + 'static>() -> Index<K> {
    Index::path("spec.rules[*].host").unwrap()
}

fn big<K: serde::Serialize + 'static>() -> Index<K> {
    Index::path("metadata.annotations.big").unwrap()
}

fn filter() -> FieldFilter {
    FieldFilter::new(["metadata.annotations.big", "spec.ingressClassName"]).unwrap()
}

fn selector() -> FieldSelector {
    FieldSelector::parse("spec.ingressClassName=haproxy").unwrap()
}

async fn synced<K, S>(changes: S) -> Snapshot<K>
where
    K: Lookup,
    S: Stream<Item = Result<Change<K>, Error>>,
{
    pin!(changes).first_synced().await.unwrap()
}

/// Returns the result of an overlay over `one` for Ingresses that pass the filters or don't.
fn check<K>(snapshot: &Snapshot<K>, make: impl Fn(Value) -> K, server_side: bool)
where
    K: Lookup + serde::Serialize + Debug + 'static,
{
    let names = |snapshot: &Snapshot<K>| -> Vec<String> {
        snapshot.iter().map(|own| own.name().unwrap().into_owned()).collect()
    };
    assert_eq!(names(snapshot), ["one"]);
    let apply = |value: Value| snapshot.overlay().apply(make(value)).unwrap().build();

    // The selector reads a field that the filter drops.
    let more = apply(ingress("two", "web", "haproxy", "two.example"));
    assert_eq!(names(&more), ["one", "two"]);
    assert_eq!(more.by(&host()).get("two.example").count(), 1);
    let two = more.get(("a", "two")).unwrap();
    let kept =
        |path: &str| FieldPath::parse(path).unwrap().keys(&serde_json::to_value(two).unwrap());
    assert_eq!(kept("metadata.annotations.small"), ["x"]);
    assert!(kept("metadata.annotations.big").is_empty());
    assert!(kept("spec.ingressClassName").is_empty());
    assert_eq!(more.by(&big()).keys(), []);

    // An object that is no longer selected is removed, and one that never was is not added.
    let other = apply(ingress("one", "web", "nginx", "one.example"));
    assert!(other.is_empty() && other.by(&host()).get("one.example").count() == 0);
    assert_eq!(names(&apply(ingress("two", "web", "nginx", "two.example"))), ["one"]);
    if server_side {
        assert!(apply(ingress("one", "db", "haproxy", "one.example")).is_empty());
        let mut elsewhere = ingress("one", "web", "haproxy", "one.example");
        elsewhere["metadata"]["namespace"] = json!("b");
        assert_eq!(apply(elsewhere).len(), 1);
        assert!(
            apply(ingress("hidden", "web", "haproxy", "one.example"))
                .get(("a", "hidden"))
                .is_none()
        );
    }
    assert_eq!(names(snapshot), ["one"]);
}

/// SEMANTICS: O6
#[tokio::test(start_paused = true)]
async fn hypothetical_objects_go_the_way_of_a_watch() {
    let server = ApiServer::new();
    server.apply(&ingress("one", "web", "haproxy", "one.example")).unwrap();
    let watched = watch(Api::<Ingress>::namespaced(server.client(), "a"))
        .labels("tier=web")
        .unwrap()
        .fields("metadata.name!=hidden")
        .unwrap()
        .filter_fields(filter())
        .unwrap()
        .matching(selector())
        .unwrap()
        .index((host(), big()));
    check(&synced(watched).await, typed, true);

    let gvr = Gvr::parse("networking.k8s.io/v1/ingresses").unwrap();
    let watched = watch_resource(server.client(), gvr)
        .unwrap()
        .namespace("a")
        .labels("tier=web")
        .unwrap()
        .fields("metadata.name!=hidden")
        .unwrap()
        .filter_fields(filter())
        .unwrap()
        .matching(selector())
        .unwrap()
        .index((host(), big()));
    check(&synced(watched).await, |value| document(&value), true);
}

/// SEMANTICS: O6
#[tokio::test(start_paused = true)]
async fn hypothetical_objects_go_the_way_of_any_stream() {
    let one = || ingress("one", "web", "haproxy", "one.example");
    let events = || Events::listed([typed(one())]);
    let class = FieldFilter::new(["spec.ingressClassName"]).unwrap();
    let annotation = FieldFilter::new(["metadata.annotations.big"]).unwrap();
    let snapshots = [
        synced(
            events()
                .matching(selector())
                .unwrap()
                .filter_fields(filter())
                .unwrap()
                .index((host(), big())),
        )
        .await,
        synced(
            stream::iter([Event::Init, Event::InitApply(typed(one())), Event::InitDone])
                .filter_fields(annotation)
                .unwrap()
                .matching(selector())
                .unwrap()
                .filter_fields(class)
                .unwrap()
                .index((host(), big())),
        )
        .await,
    ];
    for snapshot in snapshots {
        check(&snapshot, typed, false);
    }
    // Every later snapshot keeps it, too.
    let changes = events()
        .apply(typed(ingress("two", "web", "haproxy", "two.example")))
        .delete(typed(ingress("two", "web", "haproxy", "two.example")))
        .matching(selector())
        .unwrap()
        .filter_fields(filter())
        .unwrap()
        .index((host(), big()));
    let store = changes.store();
    changes.for_each(|_| async {}).await;
    check(&store.snapshot(), typed, false);
}

/// SEMANTICS: O6
#[tokio::test(start_paused = true)]
async fn a_single_object_is_filtered_like_a_watched_one() {
    let api = Api::<ConfigMap>::namespaced(ApiServer::new().client(), "a");
    let store = watch_one(api, "m").filter_fields("data").unwrap().store();
    let mut object = object("a/m", 1);
    object.data = Some(BTreeMap::from([("key".into(), "value".into())]));
    let what_if = store.snapshot().overlay().apply(object).unwrap().build();
    assert_eq!(what_if.get(("a", "m")).expect("it is selected").data, None);
}
