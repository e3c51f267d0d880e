//! The API server's list as the reference.

use std::collections::BTreeMap;

use futures::StreamExt;
use http::Request;
use kube::Client;
use kube::runtime::reflector::Lookup;
use kube_weir::{Snapshot, Store};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::consumer::{Identity, identity};
use super::{SOON, soon};

/// Waits until a store has exactly the objects and versions of a list of `path`, and checks that their
/// content is the same. Nobody may write meanwhile.
pub(super) async fn assert_equal_to_list<K>(
    client: &Client,
    path: &str,
    store: &Store<K>,
) -> Snapshot<K>
where
    K: Lookup + Serialize + Send + Sync + 'static,
{
    assert_equal(list(client, path).await, store).await
}

/// Waits until a store has these objects in these versions, and checks their content.
pub(super) async fn assert_equal<K>(
    listed: BTreeMap<Identity, Value>,
    store: &Store<K>,
) -> Snapshot<K>
where
    K: Lookup + Serialize + Send + Sync + 'static,
{
    let versions: BTreeMap<_, _> =
        listed.iter().map(|(identity, object)| (identity.clone(), version_of(object))).collect();
    let mut changes = store.changes();
    let reached = async {
        while versions_of(&store.snapshot()) != versions {
            assert!(changes.next().await.is_some(), "the pipeline ended");
        }
    };
    let in_time = timeout(SOON, reached).await.is_ok();
    let snapshot = store.snapshot();
    assert_eq!(versions_of(&snapshot), versions, "not equal in {SOON:?}: {store:?}");
    assert!(in_time, "equal, but nobody was told: {store:?}");
    for object in &snapshot {
        let identity = identity(&**object);
        let stored = serde_json::to_value(&**object).unwrap();
        assert!(stored == listed[&identity], "{identity:?} has another content than in the list");
    }
    snapshot
}

/// All objects of a collection.
pub(super) async fn list(client: &Client, path: &str) -> BTreeMap<Identity, Value> {
    let request = Request::get(path).body(Vec::new()).unwrap();
    let mut list: Value = soon("a list", client.request(request)).await.unwrap();
    let kind = list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).unwrap().to_owned();
    let Value::Array(items) = list["items"].take() else { panic!("a list without items") };
    let objects = items.into_iter().map(|mut object| {
        // Items of built-in kinds lack these fields.
        if object["kind"].is_null() {
            object["apiVersion"] = list["apiVersion"].clone();
            object["kind"] = kind.clone().into();
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        ((text(&metadata["namespace"]), text(&metadata["name"])), object)
    });
    objects.collect()
}

fn version_of(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().expect("a version").to_owned()
}

fn versions_of<K: Lookup>(snapshot: &Snapshot<K>) -> BTreeMap<Identity, String> {
    let version = |object: &K| object.resource_version().expect("a version").into_owned();
    snapshot.iter().map(|object| (identity(&**object), version(object))).collect()
}
