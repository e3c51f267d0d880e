//! Tests of the harness, and of what the other tests rely on a real server to do.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, VersionMatch,
    WatchEvent, WatchParams,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::apiserver::{ADMIN, Grant, Scope, exclusive, server};

const SOON: Duration = Duration::from_secs(30);
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

fn config_map(name: &str) -> ConfigMap {
    let object = json!({ "metadata": { "name": name }, "data": { "key": "value" } });
    serde_json::from_value(object).unwrap()
}

async fn create(api: &Api<ConfigMap>, name: &str) -> String {
    let created = api.create(&PostParams::default(), &config_map(name)).await;
    created.unwrap().metadata.resource_version.unwrap()
}

async fn list_version(api: &Api<ConfigMap>) -> String {
    let list = api.list(&ListParams::default()).await.unwrap();
    list.metadata.resource_version.unwrap()
}

/// The next event, which must come soon and without an error of the transport.
async fn next<S>(events: &mut S) -> WatchEvent<ConfigMap>
where
    S: Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Unpin,
{
    let event = timeout(SOON, events.try_next()).await;
    event.expect("an event in time").unwrap().expect("an event before the end")
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_lists_and_watches() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("watch").await;
    assert_ne!(namespace, cluster.clone().namespace("watch").await);
    assert!(cluster.version().await.starts_with('v'));

    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    let version = list_version(&api).await;
    let watch = api.watch(&WatchParams::default(), &version).await.unwrap();
    let mut watch = pin!(watch);
    create(&api, "a").await;
    let WatchEvent::Added(added) = next(&mut watch).await else {
        panic!("not added");
    };
    assert_eq!(added.metadata.name.as_deref(), Some("a"));
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(matches!(next(&mut watch).await, WatchEvent::Deleted(_)));
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_revokes() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("rights").await;
    let other = cluster.namespace("rights").await;
    let user = cluster.user();
    let client = cluster.client_for(&user).await;
    let code = async |namespace: &str| {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        match api.list(&ListParams::default()).await {
            Ok(_) => 200,
            Err(kube::Error::Api(status)) => status.code,
            Err(error) => panic!("{error}"),
        }
    };

    assert_eq!(code(&namespace).await, 403);
    let scope = Scope::Namespace(&namespace);
    let resources = ["configmaps", "pods/status", "deployments.apps/scale"];
    let grant: Grant = cluster.grant(&user, scope, &["list", "watch"], &resources).await;
    assert_eq!((code(&namespace).await, code(&other).await), (200, 403));
    let wide = cluster.grant(&user, Scope::Cluster, &["list"], &["configmaps"]).await;
    assert_eq!((code(&namespace).await, code(&other).await), (200, 200));
    cluster.revoke(wide).await;
    assert_eq!((code(&namespace).await, code(&other).await), (200, 403));
    cluster.revoke(grant).await;
    assert_eq!(code(&namespace).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_a_list_up_to_its_bookmark() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("stream").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "a").await;
    create(&api, "b").await;

    let params = WatchParams::default().initial_events();
    let watch = api.watch(&params, "").await.unwrap();
    let mut watch = pin!(watch);
    let mut names = Vec::new();
    let bookmark = loop {
        match next(&mut watch).await {
            WatchEvent::Added(object) => names.push(object.metadata.name.unwrap()),
            WatchEvent::Bookmark(bookmark) => break bookmark,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names, ["a", "b"]);
    assert_eq!(bookmark.metadata.annotations[INITIAL_EVENTS_END], "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_custom_resources() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("custom").await;
    let client = cluster.client().await;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "gadgets.selftest.example.com" },
        "spec": {
            "group": "selftest.example.com",
            "scope": "Namespaced",
            "names": { "kind": "Gadget", "plural": "gadgets", "singular": "gadget" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                }
            }}],
        }
    });
    let apply = PatchParams::apply("selftest");
    let name = "gadgets.selftest.example.com";
    crds.patch(name, &apply, &Patch::Apply(&crd)).await.unwrap();
    let established = await_condition(crds, name, conditions::is_crd_established());
    timeout(SOON, established).await.unwrap().unwrap();

    let kind = GroupVersionKind::gvk("selftest.example.com", "v1", "Gadget");
    let kind = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind);
    let gadget = DynamicObject::new("a", &kind).data(json!({ "spec": { "size": 3 } }));
    let created = api.create(&PostParams::default(), &gadget).await.unwrap();
    assert_eq!(created.data["spec"]["size"], 3);
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

/// A child process, such as an example program, gets along with the kubeconfig file.
#[tokio::test(flavor = "multi_thread")]
async fn writes_kubeconfigs() {
    let Some(cluster) = server().await else {
        return;
    };
    for user in [ADMIN, "restricted-1"] {
        let path = cluster.kubeconfig(user);
        let config = kube::config::Kubeconfig::read_from(path).unwrap();
        assert_eq!(config.auth_infos[0].name, user);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_data_over_restarts() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("restart").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "a").await;

    cluster.stop_apiserver().await;
    assert!(api.get("a").await.is_err());
    cluster.start_apiserver().await;
    api.get("a").await.unwrap();

    cluster.kill_apiserver().await;
    cluster.stop_etcd().await;
    cluster.start_etcd().await;
    cluster.start_apiserver().await;
    api.get("a").await.unwrap();

    cluster.stop_etcd().await;
    cluster.start_etcd().await;
    create(&api, "b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn freezes_and_thaws() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("freeze").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "a").await;
    cluster.freeze_apiserver();
    sleep(Duration::from_millis(200)).await; // the signal takes its way through the supervisor
    let read = timeout(Duration::from_secs(1), api.get("a")).await;
    assert!(read.is_err(), "answered while frozen");
    cluster.thaw_apiserver();
    timeout(SOON, api.get("a")).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forgets_old_versions_after_compaction_and_restart() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("compaction").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    let old = create(&api, "a").await;
    create(&api, "b").await;

    let revision = cluster.compact_etcd().await;
    assert!(revision > old.parse().unwrap());
    cluster.stop_apiserver().await;
    cluster.start_apiserver().await;
    // The request succeeds; the error is the one event of the stream, which then ends.
    let watch = api.watch(&WatchParams::default(), &old).await.unwrap();
    let mut watch = pin!(watch);
    let WatchEvent::Error(status) = next(&mut watch).await else {
        panic!("no error");
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    let end = timeout(SOON, watch.try_next()).await;
    assert!(end.expect("an end in time").unwrap().is_none());
    // A list at that version fails as a request.
    let exact = ListParams::default().at(&old).matching(VersionMatch::Exact);
    let Err(kube::Error::Api(status)) = api.list(&exact).await else {
        panic!("listed a version that is gone");
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_again_what_a_test_left_stopped() {
    {
        let Some(mut cluster) = exclusive().await else {
            return;
        };
        cluster.stop_apiserver().await;
    }
    let Some(cluster) = server().await else {
        return;
    };
    cluster.namespace("again").await;
}
