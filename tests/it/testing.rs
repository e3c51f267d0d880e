//! The in-process API server, through real clients.

use std::{pin::pin, time::Duration};

use futures::{StreamExt, TryStreamExt};
use http_body::Body;
use k8s_openapi::api::{
    coordination::v1::Lease,
    core::v1::{ConfigMap, Pod},
    networking::v1::Ingress,
};
use kube::{
    Api, Client, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
        Preconditions, WatchEvent, WatchParams,
    },
    core::{GroupVersionKind, PartialObjectMeta},
    discovery::{self, Scope},
    runtime::{WatchStreamExt, watcher},
};
use kube_weir::testing::{ApiServer, Fault, On, Verb};
use serde_json::{Value, json};

mod abilities;
mod answers;
mod restores;

type Tested = Result<(), Box<dyn std::error::Error>>;

fn config(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"app": app}}})
}

fn configs(server: &ApiServer) -> Api<ConfigMap> {
    Api::default_namespaced(server.client())
}

/// Returns a server with config maps c0..cn.
fn filled(n: usize) -> ApiServer {
    let server = ApiServer::new();
    for i in 0..n {
        server.apply(&config(&format!("c{i}"), "web")).expect("valid");
    }
    server
}

fn code<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("no Status: {other:?}"),
    }
}

/// Returns all events that arrive within a second, as text.
async fn seen(
    events: &mut (impl futures::Stream<Item = Result<WatchEvent<ConfigMap>, kube::Error>> + Unpin),
) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(next) = tokio::time::timeout(Duration::from_secs(1), events.next()).await {
        let version = |object: &ConfigMap| object.resource_version().unwrap_or_default();
        all.push(match next {
            None => "end".to_owned(),
            Some(Err(error)) => format!("failed {error}"),
            Some(Ok(WatchEvent::Added(o))) => format!("+{}@{}", o.name_any(), version(&o)),
            Some(Ok(WatchEvent::Modified(o))) => format!("~{}@{}", o.name_any(), version(&o)),
            Some(Ok(WatchEvent::Deleted(o))) => format!("-{}@{}", o.name_any(), version(&o)),
            Some(Ok(WatchEvent::Bookmark(b))) if b.metadata.annotations.is_empty() => {
                format!("b@{}", b.metadata.resource_version)
            }
            Some(Ok(WatchEvent::Bookmark(b))) => format!("synced@{}", b.metadata.resource_version),
            Some(Ok(WatchEvent::Error(status))) => format!("{} {}", status.code, status.reason),
        });
        if all.last().is_some_and(|last| last == "end") {
            break;
        }
    }
    all
}

async fn watch(
    api: &Api<ConfigMap>,
    params: WatchParams,
    version: &str,
) -> Result<
    impl futures::Stream<Item = Result<WatchEvent<ConfigMap>, kube::Error>> + Unpin + use<>,
    kube::Error,
> {
    Ok(api.watch(&params, version).await?.boxed())
}

#[tokio::test(start_paused = true)]
async fn objects_are_created_read_updated_and_deleted() -> Tested {
    let server = ApiServer::new();
    let api: Api<Ingress> = Api::namespaced(server.client(), "shop");
    let new: Ingress = serde_json::from_value(
        json!({"metadata": {"name": "web"}, "spec": {"ingressClassName": "a"}, "status": {"loadBalancer": {"ingress": []}}}),
    )?;
    let created = api.create(&PostParams::default(), &new).await?;
    assert_eq!(created.metadata.namespace.as_deref(), Some("shop"));
    assert_eq!(created.metadata.generation, Some(1));
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    assert!(created.status.is_none(), "status is written apart");
    assert_eq!(code(api.create(&PostParams::default(), &new).await), 409);

    // The handle accepts typed objects too, and writes fields that clients may not.
    let mut typed = created.clone();
    typed.metadata.name = Some("typed".to_owned());
    typed.status = Some(serde_json::from_value(json!({}))?);
    assert_eq!(server.apply(&typed)?["status"], json!({}));
    assert!(server.delete("ingresses", "shop", "typed").is_ok());
    assert!(server.get("ingresses", "shop", "typed").is_err_and(|error| error.is_not_found()));

    let mut next = created.clone();
    next.spec.get_or_insert_default().ingress_class_name = Some("b".to_owned());
    let updated = api.replace("web", &PostParams::default(), &next).await?;
    assert_eq!(updated.metadata.generation, Some(2));
    assert_eq!(updated.uid(), created.uid());
    let stale = api.replace("web", &PostParams::default(), &next).await;
    assert_eq!(code(stale), 409);
    let same = api.replace("web", &PostParams::default(), &updated).await?;
    assert_eq!(same.resource_version(), updated.resource_version(), "nothing changed");

    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, "spec": {"ingressClassName": "x"}});
    let patched = api.patch_status("web", &PatchParams::default(), &Patch::Merge(&status)).await?;
    assert_eq!(patched.spec.and_then(|spec| spec.ingress_class_name).as_deref(), Some("b"));
    assert!(patched.status.is_some());
    assert_eq!(patched.metadata.generation, Some(2));

    let gone = api.delete("web", &DeleteParams::default()).await?.right().ok_or("a Status")?;
    assert!(gone.is_success());
    let missing = api.get("web").await.expect_err("deleted");
    let kube::Error::Api(status) = missing else { panic!("{missing}") };
    assert!(status.is_not_found());
    assert_eq!(status.message, "ingresses.networking.k8s.io \"web\" not found");
    let details = status.details.ok_or("details")?;
    assert_eq!(
        (details.name.as_str(), details.group.as_str(), details.kind.as_str()),
        ("web", "networking.k8s.io", "ingresses")
    );
    assert_eq!(code(api.replace("web", &PostParams::default(), &next).await), 404);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn names_are_generated_and_checked() -> Tested {
    let server = ApiServer::new();
    let api = configs(&server);
    let mut new = ConfigMap::default();
    assert_eq!(code(api.create(&PostParams::default(), &new).await), 422);
    new.metadata.generate_name = Some("c-".to_owned());
    let first = api.create(&PostParams::default(), &new).await?.name_any();
    let second = api.create(&PostParams::default(), &new).await?.name_any();
    assert!(first.starts_with("c-") && first.len() == 7 && first != second);
    new.metadata.name = Some("Not_A_Name".to_owned());
    assert_eq!(code(api.create(&PostParams::default(), &new).await), 422);
    new.metadata.name = Some("dry".to_owned());
    let dry = PostParams { dry_run: true, ..Default::default() };
    api.create(&dry, &new).await?;
    assert!(api.get_opt("dry").await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object() -> Tested {
    let server = ApiServer::new();
    let api = configs(&server);
    let mut object = config("held", "web");
    object["metadata"]["finalizers"] = json!(["a.io/b"]);
    server.apply(&object)?;
    let mut events = watch(&api, WatchParams::default(), "2").await?;
    let held = api.delete("held", &DeleteParams::default()).await?.left().ok_or("an object")?;
    assert!(held.metadata.deletion_timestamp.is_some());
    api.delete("held", &DeleteParams::default()).await?;
    let freed = json!({"metadata": {"finalizers": null}});
    api.patch("held", &PatchParams::default(), &Patch::Merge(&freed)).await?;
    assert!(api.get_opt("held").await?.is_none());
    assert_eq!(seen(&mut events).await, ["~held@3", "-held@4"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn deletes_have_preconditions_and_collections() -> Tested {
    let server = filled(3);
    server.apply(&config("other", "db"))?;
    let api = configs(&server);
    let wrong = Preconditions { uid: Some("x".to_owned()), ..Default::default() };
    let params = DeleteParams { preconditions: Some(wrong), ..Default::default() };
    assert_eq!(code(api.delete("c0", &params).await), 409);
    let deleted = api
        .delete_collection(&DeleteParams::default(), &ListParams::default().labels("app=web"))
        .await?;
    assert_eq!(deleted.left().ok_or("a list")?.items.len(), 3);
    assert_eq!(server.objects("configmaps")?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn pages_show_one_moment_while_writes_go_on() -> Tested {
    let server = filled(7);
    let api = configs(&server);
    let params = ListParams::default().limit(3);
    let first = api.list(&params).await?;
    assert_eq!(first.metadata.remaining_item_count, Some(4));
    server.apply(&config("c4", "changed"))?;
    server.apply(&config("c41", "new"))?;
    server.delete("configmaps", "default", "c5")?;
    let mut names: Vec<String> = first.items.iter().map(ResourceExt::name_any).collect();
    let mut next = first.metadata.continue_.clone();
    while let Some(token) = next.filter(|token| !token.is_empty()) {
        let page = api.list(&params.clone().continue_token(&token)).await?;
        assert_eq!(page.metadata.resource_version, first.metadata.resource_version);
        assert!(page.items.iter().all(|one| one.labels()["app"] == "web"));
        names.extend(page.items.iter().map(ResourceExt::name_any));
        next = page.metadata.continue_;
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);

    // The present, and past versions.
    let list = api.list(&ListParams::default()).await?;
    assert_eq!(list.items.len(), 7);
    let exact = ListParams::default().at("4").matching(kube::api::VersionMatch::Exact);
    assert_eq!(api.list(&exact).await?.items.len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tokens_expire_and_offer_to_go_on() -> Tested {
    let server = filled(5);
    let api = configs(&server);
    let params = ListParams::default().limit(2);
    let token = api.list(&params).await?.metadata.continue_.ok_or("token")?;
    server.delete("configmaps", "default", "c3")?;
    server.compact();
    let expired = api.list(&params.clone().continue_token(&token)).await.expect_err("expired");
    let kube::Error::Api(status) = expired else { panic!("{expired}") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    let fresh = status.metadata.and_then(|metadata| metadata.continue_).ok_or("fresh token")?;
    let rest = api.list(&params.clone().continue_token(&fresh)).await?;
    let names: Vec<_> = rest.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["c2", "c4"]);
    let exact = ListParams::default().at("3").matching(kube::api::VersionMatch::Exact);
    assert_eq!(code(api.list(&exact).await), 410);
    assert_eq!(code(api.list(&params.continue_token("nonsense")).await), 400);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lists_wait_for_a_version_that_is_to_come() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    let future = ListParams::default().at("4");
    let started = tokio::time::Instant::now();
    let late = api.list(&future).await.expect_err("too large");
    assert_eq!(started.elapsed().as_secs(), 3);
    let kube::Error::Api(status) = late else { panic!("{late}") };
    assert_eq!(status.code, 504);
    assert_eq!(status.details.ok_or("details")?.causes[0].reason, "ResourceVersionTooLarge");
    let writes = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.apply(&config("a", "a")).and_then(|_| server.apply(&config("b", "b")))
    };
    let (list, written) = tokio::join!(api.list(&future), writes);
    written?;
    assert_eq!(list?.items.len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn watches_go_on_from_a_version() -> Tested {
    let server = filled(2);
    let api = configs(&server);
    server.apply(&config("c0", "db"))?;
    server.delete("configmaps", "default", "c1")?;
    server.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}))?;
    let mut events = watch(&api, WatchParams::default(), "2").await?;
    assert_eq!(seen(&mut events).await, ["+c1@3", "~c0@4", "-c1@5"]);
    server.bookmark();
    server.apply(&config("c9", "web"))?;
    server.disconnect();
    assert_eq!(seen(&mut events).await, ["b@6", "+c9@7", "end"]);

    let mut events = watch(&api, WatchParams::default(), "0").await?;
    assert_eq!(seen(&mut events).await, ["+c0@4", "+c9@7"]);

    // Changes that the client already knows are not sent again, even future ones.
    let mut ahead = watch(&api, WatchParams::default(), "8").await?;
    server.apply(&config("c10", "web"))?;
    server.apply(&config("c11", "web"))?;
    assert_eq!(seen(&mut ahead).await, ["+c11@9"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn selectors_decide_what_an_event_is() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    let mut events = watch(&api, WatchParams::default().labels("app in (web)"), "2").await?;
    server.apply(&config("c0", "db"))?;
    server.apply(&config("c0", "cache"))?;
    server.apply(&config("c0", "web"))?;
    server.delete("configmaps", "default", "c0")?;
    assert_eq!(seen(&mut events).await, ["-c0@3", "+c0@5", "-c0@6"]);

    server.apply(&config("a", "x"))?;
    server.apply(&config("b", "y"))?;
    assert_eq!(api.list(&ListParams::default().fields("metadata.name!=a")).await?.items.len(), 1);
    assert_eq!(
        api.list(&ListParams::default().labels("app in (x,y),app!=x")).await?.items.len(),
        1
    );
    assert_eq!(code(api.list(&ListParams::default().labels("app in x")).await), 400);
    assert_eq!(code(api.list(&ListParams::default().fields("metadata.name")).await), 400);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn compacted_history_is_gone_for_new_watches_only() -> Tested {
    let server = filled(2);
    let api = configs(&server);
    let mut open = watch(&api, WatchParams::default(), "2").await?;
    server.compact();
    assert_eq!(seen(&mut open).await, ["+c1@3"]);
    let mut late = watch(&api, WatchParams::default(), "2").await?;
    assert_eq!(seen(&mut late).await, ["410 Expired", "end"]);
    let mut current = watch(&api, WatchParams::default(), "3").await?;
    assert_eq!(seen(&mut current).await, [""; 0]);

    // An open watch that reads too slowly loses its position.
    server.set_history_limit(2);
    for app in ["a", "b", "c", "d"] {
        server.apply(&config("c0", app))?;
    }
    assert_eq!(seen(&mut current).await, ["410 Expired", "end"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn watches_have_bookmarks_and_an_end() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    let started = tokio::time::Instant::now();
    let mut events = watch(&api, WatchParams::default().timeout(150), "2").await?;
    server.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}))?;
    let all: Vec<_> = events.by_ref().try_collect().await?;
    assert_eq!(started.elapsed().as_secs(), 150);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(
        |event| matches!(event, WatchEvent::Bookmark(b) if b.metadata.resource_version == "3")
    ));

    let mut quiet =
        watch(&api, WatchParams::default().disable_bookmarks().timeout(150), "2").await?;
    server.bookmark();
    assert!(quiet.next().await.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lists_can_be_streamed() -> Tested {
    let server = filled(2);
    let api = configs(&server);
    let mut events = watch(&api, WatchParams::streaming_lists(), "0").await?;
    assert_eq!(seen(&mut events).await, ["+c0@2", "+c1@3", "synced@3"]);
    server.set_streaming_lists(false);
    assert_eq!(code(api.watch(&WatchParams::streaming_lists(), "0").await.map(|_| ())), 422);
    let request =
        http::Request::get("/api/v1/configmaps?sendInitialEvents=true").body(Vec::new())?;
    server.set_streaming_lists(true);
    assert_eq!(code(server.client().request::<Value>(request).await), 422);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn kubes_watcher_works_in_both_ways() -> Tested {
    for config_of in
        [watcher::Config::default().page_size(2), watcher::Config::default().streaming_lists()]
    {
        let server = filled(5);
        let mut events =
            watcher(configs(&server), config_of).default_backoff().touched_objects().boxed();
        for i in 0..5 {
            assert_eq!(events.try_next().await?.ok_or("more")?.name_any(), format!("c{i}"));
        }
        server.apply(&config("late", "web"))?;
        assert_eq!(events.try_next().await?.ok_or("more")?.name_any(), "late");
        server.disconnect();
        server.delete("configmaps", "default", "late")?;
        assert_eq!(events.try_next().await?.ok_or("more")?.name_any(), "late");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn discovery_finds_resources() -> Tested {
    let server = ApiServer::new();
    let client = server.client();
    let gvk = GroupVersionKind::gvk("networking.k8s.io", "v1", "Ingress");
    let (resource, capabilities) = discovery::pinned_kind(&client, &gvk).await?;
    assert_eq!((resource.plural.as_str(), &capabilities.scope), ("ingresses", &Scope::Namespaced));
    assert!(capabilities.supports_operation("watch"));
    assert_eq!(capabilities.subresources.len(), 1);
    let group = discovery::group(&client, "apps").await?;
    assert_eq!(group.recommended_resources().len(), 4);
    let core = discovery::oneshot::group(&client, "").await?;
    assert!(core.recommended_kind("Pod").is_some());
    for all in [
        kube::Discovery::new(client.clone()).run().await?,
        kube::Discovery::new(client.clone()).run_aggregated().await?,
    ] {
        assert_eq!(all.groups().count(), 7);
        assert!(all.resolve_gvk(&gvk).is_some());
    }
    assert_eq!(client.apiserver_version().await?.major, "1");
    assert!(
        discovery::pinned_kind(&client, &GroupVersionKind::gvk("a.io", "v1", "A")).await.is_err()
    );
    Ok(())
}

fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "foos.a.io"},
        "spec": {
            "group": "a.io", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo", "singular": "foo"},
            "versions": [
                {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}},
                {"name": "v1beta1", "served": true, "storage": false},
                {"name": "v1alpha1", "served": false, "storage": false},
            ],
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_crd_brings_its_resource() -> Tested {
    let server = ApiServer::new();
    let client = server.client();
    let gvk = GroupVersionKind::gvk("a.io", "v1", "Foo");
    let foos: Api<DynamicObject> = Api::default_namespaced_with(
        client.clone(),
        &ApiResource::from_gvk_with_plural(&gvk, "foos"),
    );
    assert_eq!(code(foos.list(&ListParams::default()).await), 404);

    let crds: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &ApiResource::from_gvk(&GroupVersionKind::gvk(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
        )),
    );
    let stored = crds.create(&PostParams::default(), &serde_json::from_value(crd())?).await?;
    assert_eq!(stored.data["status"]["conditions"][1]["type"], "Established");
    let (resource, _) = discovery::pinned_kind(&client, &gvk).await?;
    assert_eq!(resource.plural, "foos");
    assert_eq!(
        discovery::group(&client, "a.io").await?.versions().collect::<Vec<_>>(),
        ["v1", "v1beta1"]
    );

    let foo: DynamicObject = serde_json::from_value(
        json!({"apiVersion": "a.io/v1", "kind": "Foo", "metadata": {"name": "f"}, "spec": {"n": 1}}),
    )?;
    let mut created = foos.create(&PostParams::default(), &foo).await?;
    assert_eq!(code(foos.replace("f", &PostParams::default(), &foo).await), 422);
    created.data["spec"]["n"] = 2.into();
    foos.replace("f", &PostParams::default(), &created).await?;
    let older: Api<DynamicObject> = Api::default_namespaced_with(
        client.clone(),
        &ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("a.io", "v1beta1", "Foo"),
            "foos",
        ),
    );
    let seen_as = older.get("f").await?;
    assert_eq!(seen_as.types.ok_or("types")?.api_version, "a.io/v1beta1");
    assert_eq!(seen_as.data["spec"]["n"], 2);

    let mut events =
        foos.watch(&WatchParams::default(), &server.resource_version().to_string()).await?.boxed();
    crds.delete("foos.a.io", &DeleteParams::default()).await?;
    assert!(matches!(events.try_next().await?, Some(WatchEvent::Deleted(_))));
    assert!(events.try_next().await?.is_none(), "the resource is gone");
    assert_eq!(code(foos.get("f").await), 404);
    assert!(server.objects("foos").is_err_and(|error| error.is_unknown_resource()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn resources_can_be_installed_without_a_crd() -> Tested {
    let server = ApiServer::new();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("b.io", "v1", "Bar"));
    server.install(&resource, &Scope::Cluster);
    let bars: Api<DynamicObject> = Api::all_with(server.client(), &resource);
    let mut bar = DynamicObject::new("one", &resource);
    bar.data = json!({"spec": {}});
    bars.create(&PostParams::default(), &bar).await?;
    let list = bars.list(&ListParams::default()).await?;
    assert!(list.items[0].types.is_some(), "custom resources say their kind in lists");
    let pods: Api<DynamicObject> = Api::all_with(server.client(), &ApiResource::erase::<Pod>(&()));
    server.apply(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}))?;
    assert!(pods.list(&ListParams::default()).await?.items[0].types.is_none(), "others do not");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn metadata_can_be_asked_for_alone() -> Tested {
    let server = ApiServer::new();
    server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "b"}}))?;
    let client = server.client();
    let api = configs(&server);
    let list = api.list_metadata(&ListParams::default()).await?;
    assert_eq!(list.types.kind, "PartialObjectMetadataList");
    assert_eq!(list.items[0].types.as_ref().ok_or("types")?.kind, "PartialObjectMetadata");
    let one: PartialObjectMeta<ConfigMap> = api.get_metadata("m").await?;
    assert_eq!(one.name_any(), "m");
    let mut events = api.watch_metadata(&WatchParams::default(), "0").await?.boxed();
    let Some(WatchEvent::Added(object)) = events.try_next().await? else { panic!("an event") };
    assert_eq!(object.types.ok_or("types")?.api_version, "meta.k8s.io/v1");
    let raw =
        |accept| http::Request::get("/api/v1/configmaps").header("accept", accept).body(Vec::new());
    let text = client
        .request_text(raw("application/json;as=Table;g=meta.k8s.io;v=v1,application/json")?)
        .await?;
    assert!(text.contains("\"data\":{\"a\":\"b\"}"), "{text}");
    assert_eq!(code(client.request_text(raw("application/cbor")?).await), 406);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn missing_things_are_answered_as_by_a_real_server() -> Tested {
    let server = ApiServer::new();
    let client = server.client();
    let ask = |method: &str, path: &str| {
        http::Request::builder().method(method).uri(path).body(Vec::new())
    };
    let send = async |client: &Client,
                      method: &str,
                      path: &str|
           -> Result<(u16, String), Box<dyn std::error::Error>> {
        let response = client.send(ask(method, path)?.map(kube::client::Body::from)).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await?;
        Ok((status, String::from_utf8(bytes.to_vec())?))
    };
    assert_eq!(
        send(&client, "GET", "/apis/x.io/v1/things").await?,
        (404, "404 page not found\n".to_owned())
    );
    assert_eq!(send(&client, "POST", "/api/v1/pods").await?.0, 405);
    assert_eq!(send(&client, "GET", "/readyz").await?, (200, "ok".to_owned()));
    let (_, body) = send(&client, "GET", "/api/v1/namespaces/default/pods/web").await?;
    assert_eq!(
        serde_json::from_str::<Value>(&body)?,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "NotFound",
            "message": "pods \"web\" not found", "details": {"name": "web", "kind": "pods"}, "code": 404,
        })
    );
    assert_eq!(server.take_requests()[1], "POST /api/v1/pods");
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn apply_patches_create_and_merge() -> Tested {
    let server = ApiServer::new();
    let api: Api<Lease> = Api::default_namespaced(server.client());
    let patch = |holder: &str| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": holder}});
    let params = PatchParams::apply("me");
    let first = api.patch("l", &params, &Patch::Apply(patch("a"))).await?;
    let second = api.patch("l", &params, &Patch::Apply(patch("b"))).await?;
    assert_eq!(first.uid(), second.uid());
    assert_eq!(second.spec.and_then(|spec| spec.holder_identity).as_deref(), Some("b"));
    let anonymous = api.patch("l", &PatchParams::default(), &Patch::Apply(patch("c"))).await;
    assert_eq!(code(anonymous), 422);
    let nonsense =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": "m"});
    for name in ["l", "new"] {
        let refused = api.patch(name, &params, &Patch::Apply(&nonsense)).await;
        assert_eq!(code(refused), 400);
    }
    let strategic = api.patch("l", &PatchParams::default(), &Patch::Strategic(patch("c"))).await;
    assert_eq!(code(strategic), 415);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn faults_meet_requests_in_order() -> Tested {
    let server = filled(4);
    let api = configs(&server);
    let list = ListParams::default();
    server.fault(Verb::List, 1, Fault::status(403));
    server.fault(
        On::verb(Verb::List).resource("configmaps").skip(1),
        1,
        Fault::too_many_requests(Duration::from_secs(7)),
    );
    server.fault(On::verb(Verb::List).resource("pods"), 1, Fault::status(500));
    assert_eq!(code(api.list(&list).await), 403);
    assert_eq!(api.list(&list).await?.items.len(), 4);
    let request = http::Request::get("/api/v1/configmaps").body(kube::client::Body::empty())?;
    let busy = server.client().send(request).await?;
    assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str()?), (429, "7"));
    assert_eq!(api.list(&list).await?.items.len(), 4);

    server.fault(On::any(), 1, Fault::Refused);
    assert!(matches!(api.list(&list).await, Err(kube::Error::Service(_))));
    server.fault(Verb::List, 1, Fault::Disconnect { after_events: 2 });
    assert!(api.list(&list).await.is_err());
    server.fault(Verb::List, 1, Fault::Garble { name: "c1".to_owned() });
    assert!(matches!(api.list(&list).await, Err(kube::Error::SerdeError(_))));
    server.fault(Verb::List, 1, Fault::Delay(Duration::from_secs(9)));
    let started = tokio::time::Instant::now();
    api.list(&list).await?;
    assert_eq!(started.elapsed().as_secs(), 9);
    server.fault(Verb::List, 1, Fault::Trickle { chunk: 7, pause: Duration::from_millis(1) });
    assert_eq!(api.list(&list).await?.items.len(), 4);
    server.fault(Verb::List, 1, Fault::Cut { after_bytes: 100 });
    assert!(matches!(api.list(&list).await, Err(error) if !matches!(error, kube::Error::Api(_))));
    for not_for_lists in [Fault::ObjectFirst, Fault::OutOfOrder { after_events: 0 }] {
        server.fault(Verb::List, 1, not_for_lists);
        assert_eq!(api.list(&list).await?.items[0].name_any(), "c0");
    }
    server.fault(Verb::Create, 1, Fault::Lost);
    let new: ConfigMap = serde_json::from_value(config("new", "web"))?;
    let answer = api.create(&PostParams::default(), &new).await;
    assert!(matches!(answer, Err(kube::Error::Service(_))));
    assert_eq!(code(api.create(&PostParams::default(), &new).await), 409, "it was written");
    server.fault(Verb::List, 1, Fault::status(500));
    server.clear_faults();
    api.list(&list).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn faults_damage_watches() -> Tested {
    let server = filled(3);
    let api = configs(&server);
    let streaming = WatchParams::streaming_lists;
    for (fault, expected) in [
        (Fault::ErrorEvent { code: 410, after_events: 1 }, vec!["+c0@2", "410 Expired", "end"]),
        (Fault::Stall { after_events: 2 }, vec!["+c0@2", "+c1@3"]),
        (Fault::Torn { after_events: 1 }, vec!["+c0@2", "end"]),
        (Fault::NoBookmarks, vec!["+c0@2", "+c1@3", "+c2@4"]),
        (Fault::Duplicate, vec!["+c0@2", "+c0@2", "+c1@3", "+c1@3", "+c2@4", "+c2@4", "synced@4"]),
        (
            Fault::Trickle { chunk: 5, pause: Duration::ZERO },
            vec!["+c0@2", "+c1@3", "+c2@4", "synced@4"],
        ),
        (Fault::OutOfOrder { after_events: 1 }, vec!["+c0@2", "+c2@4", "+c1@3", "synced@4"]),
        (Fault::OutOfOrder { after_events: 2 }, vec!["+c0@2", "+c1@3", "+c2@4", "synced@4"]),
        (Fault::LateBookmarks(Duration::from_secs(9)), vec!["+c0@2", "+c1@3", "+c2@4"]),
        (
            Fault::LateBookmarks(Duration::from_millis(900)),
            vec!["+c0@2", "+c1@3", "+c2@4", "synced@4"],
        ),
    ] {
        server.fault(Verb::Watch, 1, fault.clone());
        let mut events = watch(&api, streaming(), "0").await?;
        assert_eq!(seen(&mut events).await, expected, "{fault:?}");
    }
    server.fault(Verb::Watch, 1, Fault::Disconnect { after_events: 1 });
    let mut events = watch(&api, streaming(), "0").await?;
    let all = seen(&mut events).await;
    assert!(all[1].starts_with("failed"), "{all:?}");
    server.fault(Verb::Watch, 1, Fault::Garble { name: "c1".to_owned() });
    let mut events = watch(&api, streaming(), "0").await?;
    let all = seen(&mut events).await;
    assert!(all[1].starts_with("failed") && all[2] == "+c2@4", "{all:?}");
    for (fault, expected) in [
        (Fault::Rewind { changes: 1 }, vec!["+c1@3", "+c2@4"]),
        (Fault::Rewind { changes: 9 }, vec!["+c0@2", "+c1@3", "+c2@4"]),
    ] {
        server.fault(Verb::Watch, 1, fault.clone());
        let mut events = watch(&api, WatchParams::default(), "3").await?;
        assert_eq!(seen(&mut events).await, expected, "{fault:?}");
    }
    // A reset in the middle of a line: the client reports it, after the complete events.
    server.fault(Verb::Watch, 1, Fault::Cut { after_bytes: 300 });
    let mut events = watch(&api, streaming(), "0").await?;
    let all = seen(&mut events).await;
    assert!(all[0] == "+c0@2" && all[1].starts_with("failed"), "{all:?}");
    server.fault(Verb::Watch, 1, Fault::status(410));
    assert_eq!(code(api.watch(&streaming(), "0").await.map(|_| ())), 410);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn faults_turn_the_fields_of_lines_around() -> Tested {
    let server = filled(1);
    server.compact();
    for (version, begins) in [("0", r#"{"object":{"kind":"ConfigMap""#), ("1", r#"{"object":{"#)] {
        server.fault(Verb::Watch, 1, Fault::ObjectFirst);
        let path = format!("/api/v1/configmaps?watch=true&resourceVersion={version}");
        let request = http::Request::get(path).body(kube::client::Body::empty())?;
        let mut body = pin!(server.client().send(request).await?.into_body());
        let frame = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        let line = frame.ok_or("a line")??.into_data().map_err(|_| "no data")?;
        assert!(line.starts_with(begins.as_bytes()) && line.ends_with(b"\"}\n"), "{line:?}");
        let event: Value = serde_json::from_slice(&line)?;
        assert_eq!(event["type"], if version == "0" { "ADDED" } else { "ERROR" });
    }
    Ok(())
}
