//! Tests of `testing::cluster`, and of the behavior that the other tests expect of a real server.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use futures::{Stream, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, PostParams, VersionMatch, WatchEvent, WatchParams,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube_weir::testing::cluster::{Grant, User};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::apiserver::{ADMIN, builder, exclusive, server};

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

/// Returns the next event, which must arrive soon and without a transport error.
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
    let answered = cluster.client().await.apiserver_version().await.unwrap();
    assert_eq!(answered.git_version, cluster.version());

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

/// Returns the status code of a list.
async fn code(user: &User, namespace: &str) -> u16 {
    let api: Api<ConfigMap> = Api::namespaced(user.client().await.unwrap(), namespace);
    match api.list(&ListParams::default()).await {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_revokes() {
    let Some(server) = server().await else {
        return;
    };
    let cluster = server.real();
    let namespace = cluster.namespace("rights").await.unwrap();
    let other = cluster.namespace("rights").await.unwrap();
    let user = cluster.user("selftest:reader").unwrap();
    let stranger = cluster.user("selftest:stranger").unwrap();

    assert_eq!(code(&user, &namespace).await, 403);
    let grant = Grant::in_namespace(&namespace)
        .allow(["list", "watch"], ["configmaps", "pods/status", "deployments.apps/scale"]);
    let grant = cluster.grant(&user, grant).await.unwrap();
    assert_eq!((code(&user, &namespace).await, code(&user, &other).await), (200, 403));
    assert_eq!(code(&stranger, &namespace).await, 403);
    // A second user of this name is the same user for the server.
    assert_eq!(code(&cluster.user(user.name()).unwrap(), &namespace).await, 200);
    let wide = Grant::cluster_wide().allow(["*"], ["*", "*.apps"]);
    let wide = cluster.grant(&user, wide).await.unwrap();
    assert_eq!((code(&user, &namespace).await, code(&user, &other).await), (200, 200));
    cluster.revoke(wide).await.unwrap();
    assert_eq!((code(&user, &namespace).await, code(&user, &other).await), (200, 403));
    cluster.revoke(grant).await.unwrap();
    assert_eq!(code(&user, &namespace).await, 403);

    let nowhere = Grant::in_namespace("does-not-exist").allow(["list"], ["pods"]);
    let error = cluster.grant(&user, nowhere).await.unwrap_err();
    assert_eq!(error.status().unwrap().code, 404, "{error:?}");
    assert_eq!(error.to_string(), "cannot create a Role");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_rights_to_objects_by_name() {
    let Some(server) = server().await else {
        return;
    };
    let cluster = server.real();
    let namespace = cluster.namespace("named").await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await.unwrap(), &namespace);
    create(&api, "own").await;
    create(&api, "other").await;
    let user = cluster.user("selftest-named").unwrap();
    let grant = Grant::in_namespace(&namespace).allow_named(["get"], ["configmaps"], ["own"]);
    // Methods can be called in tasks.
    let grant = {
        let (server, user) = (server.clone(), user.clone());
        tokio::spawn(async move { server.real().grant(&user, grant).await }).await.unwrap()
    };
    let theirs: Api<ConfigMap> = Api::namespaced(user.client().await.unwrap(), &namespace);
    theirs.get("own").await.unwrap();
    assert!(theirs.get("other").await.is_err());
    cluster.revoke(grant.unwrap()).await.unwrap();
    assert!(theirs.get("own").await.is_err());
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

fn definition(plural: &str, kind: &str, versions: &[&str]) -> CustomResourceDefinition {
    let version = |name: &&str| {
        json!({
            "name": name, "served": true, "storage": *name == "v1",
            "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }},
        })
    };
    serde_json::from_value(json!({
        "metadata": { "name": format!("{plural}.selftest.example.com") },
        "spec": {
            "group": "selftest.example.com",
            "scope": "Namespaced",
            "names": { "kind": kind, "plural": plural },
            "versions": versions.iter().map(version).collect::<Vec<Value>>(),
        }
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_custom_resources() {
    let Some(server) = server().await else {
        return;
    };
    let cluster = server.real();
    let namespace = cluster.namespace("custom").await.unwrap();
    let client = cluster.client().await.unwrap();
    let create = async |version: &str, name: &str, kind: &str, plural: &str| {
        let kind = GroupVersionKind::gvk("selftest.example.com", version, kind);
        let kind = ApiResource::from_gvk_with_plural(&kind, plural);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
        let object = DynamicObject::new(name, &kind).data(json!({ "spec": { "size": 3 } }));
        // A single list is enough, since the kind is served.
        let created = api.create(&PostParams::default(), &object).await.unwrap();
        assert_eq!(created.data["spec"]["size"], 3);
        api.list(&ListParams::default()).await.unwrap().items.len()
    };
    let both = [definition("gadgets", "Gadget", &["v1"]), definition("oxen", "Ox", &["v1"])];
    cluster.install(both).await.unwrap();
    assert_eq!(create("v1", "a", "Gadget", "gadgets").await, 1);
    assert_eq!(create("v1", "a", "Ox", "oxen").await, 1);

    // Install it again, with an additional version.
    cluster.install([definition("gadgets", "Gadget", &["v1", "v2"])]).await.unwrap();
    assert_eq!(create("v2", "b", "Gadget", "gadgets").await, 2);

    let error = cluster.install([definition("bullocks", "Ox", &["v1"])]).await.unwrap_err();
    assert!(error.to_string().ends_with("is already in use"), "{error}");
    let error = cluster.install([definition("none", "None", &[])]).await.unwrap_err();
    assert_eq!(error.status().unwrap().code, 422, "{error:?}");
}

/// A child process, such as an example program, can use the kubeconfig file.
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
    let error = cluster.real().pause_apiserver().await.unwrap_err();
    assert_eq!(error.to_string(), "kube-apiserver does not run");
    cluster.start_apiserver().await;
    cluster.start_apiserver().await; // it runs already
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
async fn pauses_and_resumes() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("pause").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "a").await;
    cluster.freeze_apiserver();
    let read = timeout(Duration::from_secs(1), api.get("a")).await;
    assert!(read.is_err(), "answered while paused");
    cluster.thaw_apiserver();
    timeout(SOON, api.get("a")).await.unwrap().unwrap();
    cluster.freeze_apiserver();
    timeout(SOON, cluster.start_etcd()).await.expect("no wait for a paused server");
    timeout(SOON, cluster.start_apiserver()).await.expect("it resumes");
    // A paused program can be stopped, too.
    cluster.freeze_apiserver();
    timeout(SOON, cluster.stop_apiserver()).await.unwrap();
    cluster.start_apiserver().await;
    api.get("a").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_takes_versions_back() {
    let Some(server) = exclusive().await else {
        return;
    };
    let cluster = server.real();
    let namespace = cluster.namespace("backup").await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await.unwrap(), &namespace);
    let kept: u64 = create(&api, "kept").await.parse().unwrap();
    let backup = cluster.backup().await.unwrap();

    // Write many objects, and drop the history of the backup.
    let mut newest = 0;
    for number in 0..100 {
        newest = create(&api, &format!("lost-{number}")).await.parse().unwrap();
    }
    api.delete("kept", &DeleteParams::default()).await.unwrap();
    assert!(cluster.compact().await.unwrap() > newest && newest > kept + 99);

    cluster.restore(&backup).await.unwrap();
    let list = api.list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = list.items.iter().filter_map(|own| own.metadata.name.clone()).collect();
    // In a real cluster every namespace has this object from a controller-manager, which does not run
    // here.
    assert_eq!(names, ["kept"]);
    assert_eq!(list.items[0].metadata.resource_version.as_deref(), Some(&*kept.to_string()));
    let version: u64 = list.metadata.resource_version.unwrap().parse().unwrap();
    assert!((kept..newest).contains(&version), "{version} is not before {newest}");
    // Version numbers are used again.
    let again: u64 = create(&api, "new").await.parse().unwrap();
    assert!((version..newest).contains(&again), "{again} is not before {newest}");

    // A backup can be restored several times, also while nothing runs.
    cluster.kill_apiserver().await.unwrap();
    cluster.stop_etcd().await.unwrap();
    cluster.restore(&backup).await.unwrap();
    assert!(api.list(&ListParams::default()).await.is_err(), "it was not stopped any more");
    cluster.start_etcd().await.unwrap();
    cluster.start_apiserver().await.unwrap();
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

/// Another cluster has its own settings, and leaves only its logs behind.
#[tokio::test(flavor = "multi_thread")]
async fn starts_another_cluster_and_removes_it() {
    let Some(_first) = server().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let builder = builder().await.unwrap().feature_gate("ShardedListAndWatch", true).logs(&logs);
    let cluster = Arc::new(builder.clone().apiserver_arg("--v=3").start().await.unwrap());
    let client = cluster.client().await.unwrap();
    let request = http::Request::get("/api/v1/configmaps?shardSelector=nonsense");
    let refused = client.request_text(request.body(Vec::new()).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("invalid shard selector"), "{refused:?}");
    let names = ["kube-apiserver", "etcd"].map(|name| logs.join(format!("{name}.log")));
    assert!(names.iter().all(|log| fs::metadata(log).unwrap().len() > 0));
    let verbose = fs::read_to_string(&names[0]).unwrap();
    for flag in ["FLAG: --v=\"3\"", "ShardedListAndWatch=true\""] {
        assert!(verbose.contains(flag), "no {flag}");
    }

    let kubeconfig = cluster.admin().kubeconfig().to_owned();
    let url = cluster.admin().config().await.unwrap().cluster_url;
    let address = (url.host().unwrap().to_owned(), url.port_u16().unwrap());
    assert!(TcpStream::connect(address.clone()).await.is_ok() && kubeconfig.exists());
    drop((cluster, client));
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(!kubeconfig.parent().unwrap().exists());
    assert!(names.iter().all(|log| log.exists()));

    let error = builder.clone().etcd_arg("--no-such-flag").start().await.unwrap_err();
    assert!(error.is_start(), "{error:?}");
    assert!(error.log().unwrap().contains("no-such-flag"), "{error:?}");
    let error = builder.assets(folder.path()).start().await.unwrap_err();
    assert!(error.is_missing(), "{error:?}");
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
    // The request succeeds; the error is the only event of the stream, which then ends.
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
