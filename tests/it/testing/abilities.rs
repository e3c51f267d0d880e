//! Rights, verbs, encodings, and kinds that change.

use std::time::Duration;

use futures::StreamExt;
use http_body_util::BodyExt;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    core::{ApiResource, GroupVersionKind},
    discovery::{self, Scope},
};
use kube_weir::testing::{ApiServer, End, On, Verb};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Tested, code, config, configs, crd, filled, seen, watch};

fn foos(server: &ApiServer, version: &str) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk("a.io", version, "Foo");
    Api::all_with(server.client(), &ApiResource::from_gvk_with_plural(&gvk, "foos"))
}

fn foo(name: &str) -> Value {
    json!({"apiVersion": "a.io/v1", "kind": "Foo", "metadata": {"name": name}})
}

/// Returns the types of all events that arrive within a second, and `end` if the watch ends.
async fn kinds(
    events: &mut (impl futures::Stream<Item = Result<WatchEvent<DynamicObject>, kube::Error>> + Unpin),
) -> Vec<&'static str> {
    let mut all = Vec::new();
    while let Ok(next) = timeout(Duration::from_secs(1), events.next()).await {
        all.push(match next {
            None => "end",
            Some(Ok(WatchEvent::Added(_))) => "added",
            Some(Ok(WatchEvent::Deleted(_))) => "deleted",
            Some(other) => panic!("{other:?}"),
        });
        if all.last() == Some(&"end") {
            break;
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn rights_are_refused_in_the_words_of_rbac() -> Tested {
    let server = ApiServer::new();
    let user = "system:serviceaccount:default:tested";
    let deployments: Api<Deployment> = Api::namespaced(server.client(), "b");
    server.forbid(On::any().namespace("b"));
    let message = |result: kube::Result<()>| match result {
        Err(kube::Error::Api(status)) if status.reason == "Forbidden" => status.message,
        other => panic!("not forbidden: {other:?}"),
    };
    let refused = deployments.get("web").await.map(drop);
    assert_eq!(
        message(refused),
        format!(
            "deployments.apps \"web\" is forbidden: User \"{user}\" cannot get resource \
             \"deployments\" in API group \"apps\" in the namespace \"b\""
        )
    );
    let (params, patch) = (PatchParams::default(), Patch::Merge(json!({})));
    let refused = deployments.patch_status("web", &params, &patch).await.map(drop);
    assert!(message(refused).contains("cannot patch resource \"deployments/status\" in API group"));
    let across: Api<Deployment> = Api::all(server.client());
    let refused = across.watch(&WatchParams::default(), "0").await.map(drop);
    assert_eq!(
        message(refused),
        format!(
            "deployments.apps is forbidden: User \"{user}\" cannot watch resource \
             \"deployments\" in API group \"apps\" at the cluster scope"
        )
    );
    let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(server.client());
    assert!(nodes.list(&ListParams::default()).await.is_ok(), "a cluster has no namespaces");

    server.forbid(Verb::Discovery);
    let refused = server.client().list_api_groups().await.map(drop);
    assert_eq!(message(refused), format!("forbidden: User \"{user}\" cannot get path \"/apis\""));
    server.allow(On::any());
    server.client().list_api_groups().await?;
    assert_eq!(code(deployments.get("web").await), 404);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_open_watch_outlives_its_right() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    let mut events = watch(&api, WatchParams::default(), "2").await?;
    server.forbid(On::any().namespace("default"));
    server.apply(&config("c1", "web"))?;
    assert_eq!(seen(&mut events).await, ["+c1@3"]);
    server.end_watches(On::any().namespace("default"), End::Fin);
    assert_eq!(seen(&mut events).await, ["end"]);
    assert_eq!(code(api.watch(&WatchParams::default(), "3").await.map(drop)), 403);
    let new: ConfigMap = serde_json::from_value(config("c2", "web"))?;
    assert_eq!(code(api.create(&PostParams::default(), &new).await), 403);
    assert_eq!(server.objects("configmaps")?.len(), 2);
    server.allow(On::any().namespace("default"));
    assert!(api.create(&PostParams::default(), &new).await.is_ok());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_kind_without_verbs_refuses_them() -> Tested {
    let server = filled(3);
    let client = server.client();
    let api = configs(&server);
    assert!(server.set_verbs("nothings", &[]).is_err_and(|error| error.is_unknown_resource()));
    server.set_verbs("configmaps", &[Verb::Get, Verb::List])?;
    let refused = api.watch(&WatchParams::default(), "0").await.map(drop);
    let Err(kube::Error::Api(status)) = refused else { panic!("{refused:?}") };
    assert_eq!((status.code, status.reason.as_str()), (405, "MethodNotAllowed"));
    assert_eq!(status.message, "watch is not supported on resources of kind \"configmaps\"");
    assert_eq!(status.details.ok_or("details")?.kind, "configmaps");
    assert_eq!(code(api.create(&PostParams::default(), &ConfigMap::default()).await), 405);
    assert_eq!(api.get("c0").await?.name_any(), "c0");

    let gvk = GroupVersionKind::gvk("", "v1", "ConfigMap");
    let aggregated = kube::Discovery::new(client.clone()).run_aggregated().await?;
    for (_, capabilities) in [
        discovery::oneshot::pinned_kind(&client, &gvk).await?,
        aggregated.resolve_gvk(&gvk).ok_or("no ConfigMap")?,
    ] {
        assert_eq!(capabilities.operations, ["get", "list"]);
    }
    let (_, pods) =
        discovery::oneshot::pinned_kind(&client, &GroupVersionKind::gvk("", "v1", "Pod")).await?;
    assert!(pods.supports_operation("watch"), "other kinds keep their verbs");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_not_stored_have_no_versions() -> Tested {
    let server = filled(3);
    let api = configs(&server);
    server.set_versions("configmaps", false)?;
    let text = async |path: &str| {
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        server.client().request_text(request).await
    };
    // Future versions are accepted like any other, and pages are not supported.
    let list =
        text("/api/v1/configmaps?limit=1&resourceVersion=99&labelSelector=app%3Dweb").await?;
    let list: Value = serde_json::from_str(&list)?;
    assert_eq!(list["metadata"], json!({}));
    assert_eq!(list["items"].as_array().map(Vec::len), Some(3));
    assert!(!list.to_string().contains("resourceVersion") && !list.to_string().contains("uid"));
    assert_eq!(api.get("c0").await?.metadata.resource_version, None);
    server.set_versions("configmaps", true)?;
    assert!(api.list(&ListParams::default()).await?.metadata.resource_version.is_some());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn gzip_is_sent_to_clients_that_accept_it() -> Tested {
    let server = filled(2);
    let ask = async |path: &str, accept: &str| {
        let request = http::Request::get(path).header("accept-encoding", accept);
        let request = request.body(kube::client::Body::empty()).expect("a request");
        let answer = server.client().send(request).await.expect("an answer");
        let encoding = answer.headers().get("content-encoding").cloned();
        let mut body = answer.into_body();
        let mut frames = Vec::new();
        while let Ok(Some(Ok(frame))) = timeout(Duration::from_secs(1), body.frame()).await {
            frames.push(frame.into_data().unwrap_or_default());
        }
        (encoding.map(|own| own.to_str().unwrap_or_default().to_owned()), frames)
    };
    let members = |frames: &[bytes::Bytes]| {
        frames.iter().filter(|frame| frame.starts_with(&[0x1f, 0x8b, 8])).count()
    };
    let (list, events) = ("/api/v1/configmaps", "/api/v1/configmaps?watch=true&resourceVersion=0");
    assert_eq!(ask(list, "gzip").await.0, None, "not before it is allowed");
    server.set_gzip(true);
    assert_eq!(ask(list, "identity").await.0, None);
    let (encoding, frames) = ask(list, "gzip, br").await;
    assert_eq!((encoding.as_deref(), members(&frames)), (Some("gzip"), 1));
    let (encoding, frames) = ask(events, "gzip").await;
    assert_eq!((encoding.as_deref(), frames.len(), members(&frames)), (Some("gzip"), 2, 2));
    assert_eq!(ask("/api/v1", "gzip").await.0, None, "nor is anything else encoded");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_no_longer_served_is_gone() -> Tested {
    let server = ApiServer::new();
    server.apply(&crd())?;
    server.apply(&foo("f"))?;
    let version = server.resource_version().to_string();
    let mut old = foos(&server, "v1beta1").watch(&WatchParams::default(), &version).await?.boxed();
    let mut new = foos(&server, "v1").watch(&WatchParams::default(), &version).await?.boxed();
    server.apply(&foo("g"))?;
    server.apply(&crd())?;
    assert_eq!(kinds(&mut old).await, ["added"], "the same again changes nothing");

    let mut next = crd();
    next["spec"]["versions"][1]["served"] = false.into();
    server.apply(&next)?;
    // Other versions are read from the new storage too, as on a real server.
    assert_eq!(kinds(&mut old).await, ["end"]);
    assert_eq!(kinds(&mut new).await, ["added", "end"]);
    let everything = ListParams::default();
    assert_eq!(code(foos(&server, "v1beta1").list(&everything).await), 404);
    assert_eq!(
        code(foos(&server, "v1beta1").watch(&WatchParams::default(), "0").await.map(drop)),
        404
    );
    assert_eq!(foos(&server, "v1").list(&everything).await?.items.len(), 2);
    let group = discovery::group(&server.client(), "a.io").await?;
    assert_eq!(group.versions().collect::<Vec<_>>(), ["v1"]);
    let mut again = foos(&server, "v1").watch(&WatchParams::default(), &version).await?.boxed();
    assert_eq!(kinds(&mut again).await, ["added"], "the history goes on");

    server.apply(&crd())?;
    assert_eq!(foos(&server, "v1beta1").list(&everything).await?.items.len(), 2);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_kind_can_come_back_with_another_scope() -> Tested {
    let server = ApiServer::new();
    server.apply(&crd())?;
    server.apply(&foo("f"))?;
    let version = server.resource_version().to_string();
    let mut events = foos(&server, "v1").watch(&WatchParams::default(), &version).await?.boxed();
    let mut other = crd();
    other["spec"]["scope"] = "Cluster".into();
    let refused = server.apply(&other).expect_err("a scope is for ever");
    assert_eq!(
        refused.status().ok_or("a Status")?.message,
        "CustomResourceDefinition.apiextensions.k8s.io \"foos.a.io\" is invalid: spec.scope: \
         Invalid value: \"Cluster\": field is immutable"
    );

    // Deleted and installed again before the watch continues.
    server.delete("customresourcedefinitions", "", "foos.a.io")?;
    server.apply(&other)?;
    server.apply(&foo("g"))?;
    assert_eq!(kinds(&mut events).await, ["deleted", "end"]);
    let everything = ListParams::default();
    let list = foos(&server, "v1").list(&everything).await?;
    assert_eq!(list.items.len(), 1);
    assert_eq!(list.items[0].metadata.namespace, None);
    let (resource, capabilities) =
        discovery::pinned_kind(&server.client(), &GroupVersionKind::gvk("a.io", "v1", "Foo"))
            .await?;
    assert_eq!(capabilities.scope, Scope::Cluster);
    let placed: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &resource);
    assert_eq!(code(placed.list(&everything).await), 404);
    Ok(())
}
