//! Stores of keys only, in virtual time.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube_weir::{
    Change, Document, Error, EventStreamExt, FieldSelector, Index, Snapshot,
    testing::{ApiServer, Fault, Verb},
    watch, watch_resource,
};
use serde_json::{Value, json};

pub(crate) fn secret(identity: &str, app: &str, value: &str) -> Value {
    let (namespace, name) = identity.split_once('/').expect("namespace/name");
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "namespace": namespace, "name": name, "labels": { "app": app },
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": value },
        },
        "data": { "key": value },
    })
}

fn app() -> Index<Document> {
    Index::path("metadata.labels.app").expect("a path")
}

fn names<'s>(found: impl Iterator<Item = &'s std::sync::Arc<Document>>) -> Vec<&'s str> {
    found.map(|object| object.name()).collect()
}

/// Returns the content of the objects, without the common fields.
fn kept(snapshot: &Snapshot<Document>) -> Vec<Value> {
    let strip = |object: &std::sync::Arc<Document>| {
        let mut value = object.to_value();
        let metadata = value["metadata"].as_object_mut().expect("metadata");
        for own in ["name", "namespace", "uid", "resourceVersion"] {
            assert!(metadata.remove(own).is_some(), "{own}");
        }
        value
    };
    snapshot.iter().map(strip).collect()
}

/// SEMANTICS: C1, C7
#[tokio::test(start_paused = true)]
async fn only_metadata_is_requested_if_that_is_enough() -> Result<(), Error> {
    for streaming in [false, true] {
        let server = ApiServer::new();
        for (identity, app) in [("a/x", "shop"), ("a/y", "blog"), ("b/z", "shop")] {
            server.apply(&secret(identity, app, "c2VjcmV0")).expect("a Secret");
        }
        let keys = watch(Api::<Secret>::all(server.client())).streaming_list(streaming);
        let matching = FieldSelector::parse("metadata.labels.app!=blog")?;
        let mut changes = keys.matching(matching).unwrap().index_keys(app())?;
        let store = changes.store();
        let snapshot = changes.first_synced().await?;
        assert_eq!(names(snapshot.in_namespace("a")), ["x"]);
        assert_eq!(names(snapshot.by(&app()).get("shop")), ["x", "z"]);
        let shop = json!({ "metadata": { "labels": { "app": "shop" } } });
        assert_eq!(kept(&snapshot), [shop.clone(), shop.clone()]);

        // An object is read in each way: from an event, and from a relist.
        server.apply(&secret("a/new", "shop", "bmV3")).expect("a Secret");
        let Some(Ok(Change::Live(batch))) = changes.next().await else { panic!() };
        assert_eq!(batch.stats().created, 1);
        let expected = [shop.clone(), shop.clone(), shop];
        assert_eq!(kept(&store.snapshot()), expected);
        server.compact();
        server.disconnect();
        server.delete("secrets", "b", "z").expect("it is there");
        let batch = loop {
            match changes.next().await {
                Some(Ok(Change::Live(batch))) => break batch,
                Some(Err(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(batch.stats().deleted, 1);
        // Counting and listing cause no requests.
        let before = server.requests().len();
        assert_eq!(store.snapshot().len(), 2);
        assert_eq!(store.snapshot().by(&app()).keys().len(), 1);
        assert_eq!(store.report().objects, 2);
        assert_eq!(server.requests().len(), before);
    }
    Ok(())
}

/// SEMANTICS: C1, C7
#[tokio::test(start_paused = true)]
async fn else_all_but_what_is_indexed_is_dropped() -> Result<(), Error> {
    let server = ApiServer::new();
    server.apply(&secret("a/x", "shop", "c2VjcmV0")).expect("a Secret");
    let opaque = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": {}, "type": "Opaque" });

    let of_type = Index::path("type")?;
    let mut typed = watch(Api::<Secret>::all(server.client())).index_keys(&of_type)?;
    let mut untyped = watch_resource(server.client(), "v1/secrets")?.index_keys(&of_type)?;
    for changes in [&mut typed, &mut untyped] {
        let snapshot = changes.first_synced().await?;
        assert_eq!(names(snapshot.by(&of_type).get("Opaque")), ["x"]);
        assert_eq!(kept(&snapshot), std::slice::from_ref(&opaque));
    }
    server.apply(&secret("a/y", "shop", "bmV3")).expect("a Secret");
    for changes in [&mut typed, &mut untyped] {
        let Some(Ok(Change::Live(batch))) = changes.next().await else { panic!() };
        assert_eq!(kept(batch.after()), [opaque.clone(), opaque.clone()]);
    }

    // The selected fields have to be received, but not stored.
    let matching = FieldSelector::parse("type=Opaque")?;
    let keys = watch(Api::<Secret>::all(server.client())).matching(matching).unwrap();
    let snapshot = keys.index_keys(())?.first_synced().await?;
    assert_eq!(names(snapshot.iter()), ["x", "y"]);
    Ok(())
}

/// Hypothetical objects are treated like real ones.
#[tokio::test(start_paused = true)]
async fn an_overlay_of_keys_has_keys() -> Result<(), Error> {
    let server = ApiServer::new();
    server.apply(&secret("a/x", "shop", "c2VjcmV0")).expect("a Secret");
    let mut changes = watch(Api::<Secret>::all(server.client())).index_keys(app())?;
    let snapshot = changes.first_synced().await?;
    let mut new = secret("a/y", "shop", "c2VjcmV0");
    new["metadata"]["uid"] = "u".into();
    new["metadata"]["resourceVersion"] = "7".into();
    let overlay = snapshot.overlay().apply(Document::from_json(&new.to_string())?)?.build();
    assert_eq!(names(overlay.by(&app()).get("shop")), ["x", "y"]);
    assert_eq!(kept(&overlay)[0], kept(&overlay)[1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_fields_that_a_closure_reads_are_unknown() {
    let name = Index::with(|object: &Document| [object.name().to_owned()]);
    let keys = watch(Api::<Secret>::all(ApiServer::new().client())).index_keys((app(), name));
    assert!(keys.unwrap_err().is_index());
}

/// An object that can't be decoded to its type still has keys.
#[tokio::test(start_paused = true)]
async fn dropped_fields_are_not_decoded() -> Result<(), Error> {
    let server = ApiServer::new();
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "a", "name": "bad" },
    });
    server.apply(&config).expect("a ConfigMap");
    server.fault(Verb::List, 1, Fault::Garble { name: "bad".into() });
    let mut changes = watch(Api::<ConfigMap>::all(server.client())).index_keys(())?;
    let store = changes.store();
    assert_eq!(changes.first_synced().await?.len(), 1);
    assert!(store.report().stale.is_empty());
    Ok(())
}
