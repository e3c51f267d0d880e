//! Kinds that are installed and removed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use kube_weir::{Error, SyncPolicy, watch_resource};
use tokio::time::Instant;

use super::*;
use crate::apiserver::{Cluster, server};

const GROUP: &str = "live.example.com";

/// SEMANTICS: W3, S6, S7, W5, W11
#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_installed_later_begins_by_itself_and_may_go_and_come_back() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("custom").await;
    let client = cluster.client().await;
    let gvr = || Gvr::parse(&format!("{GROUP}/v1/widgets")).unwrap();

    let widgets = watch_resource(client.clone(), gvr()).unwrap().namespace(&namespace);
    let policy = SyncPolicy::default().deadline(Duration::from_secs(1));
    let widgets = widgets.index(()).sync_policy(policy);
    let store = widgets.store();
    let mut widgets = Consumer::of(widgets);
    let error = soon("the deadline", store.synced()).await.unwrap_err();
    assert!(error.is_not_installed(), "{error:?}");
    assert!(error.to_string().contains(&gvr().to_string()), "{error}");
    widgets.until("an item", |seen| !seen.errors.is_empty()).await;
    assert!(widgets.seen().errors.iter().all(Error::is_not_installed), "{:?}", widgets.seen());

    let api = install_widgets(&cluster, &namespace).await;
    make(&api, "a").await;
    make(&api, "b").await;
    let installed = Instant::now();
    widgets.synced().await;
    let waited = installed.elapsed();
    make(&api, "c").await;
    let three = |seen: &consumer::Seen<_>| seen.objects.len() == 3;
    widgets.until("all three", three).await;
    let path = format!("/apis/{GROUP}/v1/namespaces/{namespace}/widgets");
    let snapshot = assert_equal_to_list(&client, &path, &store).await;
    let widget = snapshot.get((&namespace, "c")).unwrap();
    assert_eq!(widget.to_value()["spec"]["size"], 3);
    assert_eq!(store.report().last_error, None);

    // The message names the resource by a word other than the plural.
    for other in ["widget", "wdg"] {
        let other = Gvr::parse(&format!("{GROUP}/v1/{other}")).unwrap();
        let error = watch_resource(client.clone(), other)
            .unwrap()
            .skip(1)
            .next()
            .await
            .unwrap()
            .unwrap_err();
        assert!(error.is_resource() && error.to_string().contains("widgets"), "{error}");
    }

    // The server deletes the objects with their kind.
    uninstall(&cluster).await;
    widgets.until("nothing left", |seen| seen.objects.is_empty()).await;
    let refused = |seen: &consumer::Seen<_>| {
        seen.errors.len() > 2 && seen.errors.last().is_some_and(Error::is_not_installed)
    };
    let before = widgets.seen().errors.len();
    widgets.until("that it is gone", |seen| seen.errors.len() > before && refused(seen)).await;
    assert!(store.is_synced());
    let api = install_widgets(&cluster, &namespace).await;
    make(&api, "b").await;
    let returned = Instant::now();
    widgets.until("the new one", |seen| seen.objects.len() == 1).await;
    assert_equal_to_list(&client, &path, &store).await;
    make(&api, "d").await;
    widgets.until("one more", |seen| seen.objects.len() == 2).await;
    let errors = widgets.seen().errors;
    say(&format!(
        "custom: synced {waited:.1?} after the first object, seen {:.1?} after the kind came back; \
         {} failures told",
        returned.elapsed(),
        errors.len(),
    ));
}

async fn install_widgets(cluster: &Cluster, namespace: &str) -> Api<DynamicObject> {
    let client = cluster.client().await;
    let names = json!({
        "kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wdg"],
        // The default would be `WidgetList`.
        "listKind": "HeapOfWidgetsList",
    });
    install(&client, GROUP, names).await;
    let kind = GroupVersionKind::gvk(GROUP, "v1", "Widget");
    Api::namespaced_with(client, namespace, &ApiResource::from_gvk(&kind))
}

/// Adds a kind with version `v1`, namespaces, and arbitrary fields.
pub(crate) async fn install(client: &Client, group: &str, names: Value) {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = format!("{}.{group}", names["plural"].as_str().expect("a plural"));
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let schema = json!({ "openAPIV3Schema": schema });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": schema });
    let crd = json!({
        "metadata": { "name": name },
        "spec": { "group": group, "scope": "Namespaced", "names": names, "versions": [version] },
    });
    let crd = serde_json::from_value(crd).unwrap();
    soon("a new kind", crds.create(&PostParams::default(), &crd)).await.unwrap();
    let established = await_condition(crds, &name, conditions::is_crd_established());
    soon("an established kind", established).await.unwrap();
}

async fn uninstall(cluster: &Cluster) {
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client().await);
    let name = format!("widgets.{GROUP}");
    let crd = soon("the kind", crds.get(&name)).await.unwrap();
    soon("its deletion", crds.delete(&name, &DeleteParams::default())).await.unwrap();
    let uid = crd.metadata.uid.unwrap();
    let gone = await_condition(crds, &name, conditions::is_deleted(&uid));
    soon("its end", gone).await.unwrap();
}

async fn make(api: &Api<DynamicObject>, name: &str) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Widget"));
    let widget = DynamicObject::new(name, &kind).data(json!({ "spec": { "size": 3 } }));
    make_first(api, &widget).await;
}

/// Just after a kind is established, the server may not serve it yet.
pub(crate) async fn make_first(api: &Api<DynamicObject>, object: &DynamicObject) {
    let made = async {
        while let Err(error) = api.create(&PostParams::default(), object).await {
            assert!(matches!(error, kube::Error::Api(status) if status.code == 404));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("an object of a new kind", made).await;
}
