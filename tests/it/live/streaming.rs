//! The initial state as a stream, and kube's own watcher as the source.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use kube_weir::{Store, watch, watch_resource};

use super::*;
use crate::apiserver::{ADMIN, server};

const OBJECTS: usize = 250;

/// SEMANTICS: S1, S2, S4, S8
#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_list_has_the_same_content() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("streaming").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_many(&api, "object", OBJECTS).await;
    create_in(&api, "front", "front").await;
    let requests = Requests::default();
    let recorded = requests.client(cluster.config(ADMIN).await);
    let recorded_api: Api<ConfigMap> = Api::namespaced(recorded.clone(), &namespace);

    let typed = watch(recorded_api.clone()).streaming_list(true).index(());
    let documents = watch_resource(recorded.clone(), config_maps()).unwrap();
    let documents = documents.namespace(&namespace).streaming_list(true);
    // The connection continues as the watch, and is resumed like a watch.
    let documents = documents.watch_timeout(Duration::from_secs(2)).index(());
    let selected = watch(recorded_api).streaming_list(true).labels("tier=front").unwrap();
    let selected = selected.index(());
    let (store, document_store, selected_store) =
        (typed.store(), documents.store(), selected.store());
    let (mut typed, mut documents, mut selected) =
        (Consumer::of(typed), Consumer::of(documents), Consumer::of(selected));
    assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), OBJECTS + 1);
    assert_eq!(soon("the sync", document_store.synced()).await.unwrap().len(), OBJECTS + 1);
    assert_eq!(soon("the sync", selected_store.synced()).await.unwrap().len(), 1);
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_equal_to_list(&client, &path_of(&namespace), &document_store).await;

    set_tier(&api, "front", "back").await;
    selected.logged(&["-front"]).await;
    typed.logged(&["~front"]).await;
    documents.logged(&["~front"]).await;
    let streamed = |watch: &String| requests::param(watch, "sendInitialEvents") == Some("true");
    let resumed = || requests.watches().iter().filter(|watch| !streamed(watch)).count();
    let resume = async {
        while resumed() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the watch to be resumed", resume).await;
    delete(&api, "front").await;
    typed.logged(&["~front", "-front"]).await;
    documents.logged(&["~front", "-front"]).await;

    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_equal_to_list(&client, &path_of(&namespace), &document_store).await;
    assert_eq!(requests.watches().iter().filter(|watch| streamed(watch)).count(), 3);
    assert_eq!(requests.lists(), Vec::<String>::new());
    for errors in [typed.seen().errors, documents.seen().errors, selected.seen().errors] {
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// SEMANTICS: S1, S2, S4, S8
#[tokio::test(flavor = "multi_thread")]
async fn the_stages_work_on_the_watcher_of_kube() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("kube").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_many(&api, "object", OBJECTS).await;

    let configs = [
        watcher::Config::default().page_size(40),
        watcher::Config::default().streaming_lists(),
        watcher::Config::default().any_semantic(),
    ];
    let mut pipelines: Vec<(Store<ConfigMap>, Consumer<ConfigMap>)> = Vec::new();
    for config in configs {
        let indexed = watcher(api.clone(), config).index(());
        let store = indexed.store();
        let changes = Consumer::of(indexed.debounce(Duration::from_millis(20)));
        assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), OBJECTS);
        pipelines.push((store, changes));
    }
    create(&api, "a").await;
    for (store, changes) in &mut pipelines {
        changes.logged(&["+a"]).await;
        assert_equal_to_list(&client, &path_of(&namespace), store).await;
    }
    delete(&api, "a").await;
    for (store, changes) in &mut pipelines {
        changes.logged(&["+a", "-a"]).await;
        assert_equal_to_list(&client, &path_of(&namespace), store).await;
        assert!(changes.seen().errors.is_empty());
    }
}
