//! The initial load.

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{watch, watch_resource};

use super::*;
use crate::apiserver::{ADMIN, server};

const OBJECTS: usize = 2000;
const PAGE: u32 = 100;

/// SEMANTICS: S1, S2, S3, S4, S5
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_objects_are_synced_in_pages() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("sync").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_many(&api, "object", OBJECTS).await;
    let requests = Requests::default();
    let recorded = requests.client(cluster.config(ADMIN).await);

    let typed =
        watch(Api::<ConfigMap>::namespaced(recorded.clone(), &namespace)).page_size(PAGE).index(());
    let store = typed.store();
    let mut typed = Consumer::of(typed);
    let waits = join_all((0..3).map(|_| store.synced()));
    for synced in soon("the sync", waits).await {
        assert_eq!(synced.unwrap().len(), OBJECTS);
    }
    assert_eq!(store.synced().await.unwrap().len(), OBJECTS); // begun after the sync
    typed.synced().await;
    assert_eq!((typed.seen().loading, typed.seen().live), (0, 0));
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    let lists = requests.lists();
    assert_eq!(lists.len(), OBJECTS / PAGE as usize, "{lists:?}");
    assert!(lists[1..].iter().all(|list| requests::param(list, "continue").is_some()), "{lists:?}");

    let documents = watch_resource(recorded, config_maps()).unwrap();
    let documents = documents.namespace(&namespace).page_size(PAGE).index(());
    let documents = documents.with_progress();
    let document_store = documents.store();
    let mut documents = Consumer::of(documents.debounce(Duration::from_millis(20)));
    assert_eq!(soon("the sync", document_store.synced()).await.unwrap().len(), OBJECTS);
    documents.synced().await;
    assert!(documents.seen().loading > 1, "{:?}", documents.seen());
    assert_eq!(documents.seen().live, 0);
    assert_equal_to_list(&client, &path_of(&namespace), &document_store).await;

    // No object of the load is yielded again, or late, as a live change.
    create(&api, "last").await;
    typed.logged(&["+last"]).await;
    documents.logged(&["+last"]).await;
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_equal_to_list(&client, &path_of(&namespace), &document_store).await;
    assert!(typed.seen().errors.is_empty() && documents.seen().errors.is_empty());
}

/// SEMANTICS: S1, S4
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_collection_is_synced_too() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("empty").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let pipeline = watch(api.clone()).index(());
    let store = pipeline.store();
    let mut pipeline = Consumer::of(pipeline);
    assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), 0);
    create(&api, "a").await;
    pipeline.logged(&["+a"]).await;
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
}
