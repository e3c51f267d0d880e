//! A single resource by name, and reading own writes.

use futures::Stream;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::core::ObjectMeta;
use kube::{Client, ResourceExt};
use kube_weir::{Document, Error, One, WatchOne, watch, watch_one, watch_resource};
use tokio::time::Instant;

use super::*;
use crate::apiserver::server;

/// Returns the next item, which must not be an error.
async fn next<K>(one: &mut WatchOne<K>) -> One<K>
where
    WatchOne<K>: Stream<Item = Result<One<K>, Error>> + Unpin,
{
    soon("an item", one.next()).await.expect("no end").expect("no error")
}

async fn value(one: &mut WatchOne<ConfigMap>) -> Option<String> {
    let one = next(one).await;
    one.object().map(|object| object.data.as_ref().expect("data")["value"].clone())
}

/// SEMANTICS: O1, O2, O3
#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_is_there_or_not() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("one").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "other").await;
    let mut one = watch_one(api.clone(), "own");
    let current = one.current();
    assert_eq!(value(&mut one).await, None);
    create(&api, "own").await;
    assert_eq!(value(&mut one).await.as_deref(), Some("first"));
    for new in ["second", "third"] {
        set_value(&api, "other", new).await;
        set_value(&api, "own", new).await;
        assert_eq!(value(&mut one).await.as_deref(), Some(new));
    }
    // Each change is yielded, even if changes arrive faster than they are consumed.
    delete(&api, "own").await;
    create(&api, "own").await;
    set_value(&api, "own", "again").await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(value(&mut one).await);
    }
    assert_eq!(told, [None, Some("first".into()), Some("again".into())]);
    assert_eq!(current.get().unwrap().object().unwrap().name_any(), "own");

    let mut late = watch_one(api, "own");
    assert_eq!(value(&mut late).await.as_deref(), Some("again"));
}

/// SEMANTICS: O1, O2, O3
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_there_until_it_is_gone() {
    let Some(cluster) = server().await else {
        return;
    };
    let client = cluster.client().await;
    let name = format!("one-{}", cluster.namespace("cluster-scoped").await);
    let api: Api<Namespace> = Api::all(client.clone());
    let mut typed = watch_one(api.clone(), &name);
    let namespaces = watch_resource(client.clone(), "v1/namespaces").unwrap();
    let mut document = namespaces.one(&name);
    let is_absent = |typed: &One<Namespace>, document: &One<Document>| {
        assert_eq!(typed.object().is_none(), document.object().is_none());
        typed.object().is_none()
    };
    assert!(is_absent(&next(&mut typed).await, &next(&mut document).await));

    let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
    let own = Namespace { metadata, ..Namespace::default() };
    api.create(&PostParams::default(), &own).await.unwrap();
    assert!(!is_absent(&next(&mut typed).await, &next(&mut document).await));
    // An object with a deletionTimestamp is present. Only a deleted one is absent.
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    let leaving = next(&mut typed).await;
    let leaving = leaving.object().expect("it has a finalizer");
    assert!(leaving.metadata.deletion_timestamp.is_some());
    finalize(client, Namespace::clone(leaving)).await;
    assert_eq!(next(&mut typed).await, One::Absent);
}

/// Does the work of the namespace controller, which doesn't run here.
async fn finalize(client: Client, mut namespace: Namespace) {
    let name = namespace.name_any();
    namespace.spec.get_or_insert_default().finalizers = None;
    let body = serde_json::to_vec(&namespace).unwrap();
    let path = format!("/api/v1/namespaces/{name}/finalize");
    let request = http::Request::put(path).header("Content-Type", "application/json");
    client.request::<Value>(request.body(body).unwrap()).await.unwrap();
}

/// A role that is limited to this name is sufficient.
/// SEMANTICS: O3
#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_one_name_is_enough() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("one-right").await;
    let client = cluster.client().await;
    create(&Api::namespaced(client.clone(), &namespace), "own").await;
    let user = cluster.user();
    let group = "rbac.authorization.k8s.io";
    let role = json!({
        "metadata": { "name": "one" },
        "rules": [{
            "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["own"],
            "verbs": ["list", "watch"],
        }],
    });
    let binding = json!({
        "metadata": { "name": "one" },
        "roleRef": { "apiGroup": group, "kind": "Role", "name": "one" },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": user }],
    });
    for (plural, body) in [("roles", role), ("rolebindings", binding)] {
        let path = format!("/apis/{group}/v1/namespaces/{namespace}/{plural}");
        let request = http::Request::post(path).header("Content-Type", "application/json");
        let body = serde_json::to_vec(&body).unwrap();
        client.request::<Value>(request.body(body).unwrap()).await.unwrap();
    }
    let api: Api<ConfigMap> = Api::namespaced(cluster.client_for(&user).await, &namespace);
    // The server's authorizer may lag a little.
    let mut own = watch_one(api.clone(), "own").log_errors();
    assert!(soon("the object", own.next()).await.unwrap().object().is_some());
    let mut other = watch_one(api, "other");
    assert!(soon("a refusal", other.next()).await.unwrap().unwrap_err().is_forbidden());
}

#[tokio::test(flavor = "multi_thread")]
async fn written_objects_are_read() {
    const ROUNDS: u32 = 50;
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("written").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    // All namespaces, because other tests write meanwhile.
    let typed = watch(Api::<ConfigMap>::all(client.clone())).index(());
    let unselected = watch(api.clone()).labels("tier=front").unwrap().index(());
    let documents = watch_resource(client, config_maps()).unwrap().namespace(&namespace);
    let documents = documents.index(());
    let (store, unselecting, document_store) =
        (typed.store(), unselected.store(), documents.store());
    let _driving = (typed.spawn(), unselected.spawn(), documents.spawn());

    let mut longest = Duration::ZERO;
    let began = Instant::now();
    for round in 0..ROUNDS {
        let created = create(&api, "own").await;
        let wrote = Instant::now();
        let snapshot = soon("the create", store.wait_for(&created)).await.unwrap();
        longest = longest.max(wrote.elapsed());
        let own = snapshot.get((&namespace, "own")).expect("it is there");
        assert_eq!(own.metadata.uid, created.metadata.uid);

        let updated = set_value(&api, "own", &round.to_string()).await;
        let wrote = Instant::now();
        let snapshot = soon("the update", store.wait_for(&updated)).await.unwrap();
        longest = longest.max(wrote.elapsed());
        let own = snapshot.get((&namespace, "own")).expect("it is there");
        assert_eq!(own.data.as_ref().unwrap()["value"], round.to_string());
        let document = soon("the update", document_store.wait_for(&updated)).await.unwrap();
        let document = document.get((&namespace, "own")).expect("it is there");
        assert_eq!(document.resource_version(), updated.metadata.resource_version.as_deref());

        // A deleted object counts as seen, too: in its version, or as deleted.
        delete(&api, "own").await;
        soon("what is gone", store.wait_for(&updated)).await.unwrap();
        soon("what is gone", document_store.wait_for(&updated)).await.unwrap();
    }
    say(&format!(
        "written: {} writes in {:.1} s; the longest wait for one was {longest:?}",
        3 * ROUNDS,
        began.elapsed().as_secs_f64(),
    ));
    // An object that isn't selected counts as seen after any later event.
    let other = create_in(&api, "other", "back").await;
    create_in(&api, "front", "front").await;
    let snapshot = soon("something later", unselecting.wait_for(&other)).await.unwrap();
    assert!(snapshot.get((&namespace, "other")).is_none());
    assert_eq!(snapshot.len(), 1);
}
