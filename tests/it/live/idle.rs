//! When nothing happens.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{watch, watch_resource};
use tokio::time::sleep;

use super::*;
use crate::apiserver::{ADMIN, exclusive};

/// SEMANTICS: W9, S7
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_watch_moves_on_and_needs_no_list() {
    // Exclusive, so that only this test causes events.
    let Some(cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("idle").await;
    let elsewhere = cluster.namespace("busy").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&api, "a").await;
    let requests = Requests::default();
    let recorded = requests.client(cluster.config(ADMIN).await);

    // A pipeline that lists in pages, and a pipeline with a streaming list.
    let timeout = Duration::from_secs(3);
    let paged = watch(Api::<ConfigMap>::namespaced(recorded.clone(), &namespace));
    let paged = paged.watch_timeout(timeout).index(());
    let streamed = watch_resource(recorded, config_maps()).unwrap().namespace(&namespace);
    let streamed = streamed.watch_timeout(timeout).streaming_list(true).index(());
    let (store, streamed_store) = (paged.store(), streamed.store());
    let (mut paged, mut streamed) = (Consumer::of(paged), Consumer::of(streamed));
    paged.synced().await;
    streamed.synced().await;

    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), &elsewhere);
    let busy = create(&elsewhere, "a").await.metadata.resource_version.unwrap();
    let busy: u64 = busy.parse().unwrap();
    cluster.compact_etcd().await;
    let beyond = || {
        let versions = requests.watches();
        let versions =
            versions.iter().filter_map(|watch| requests::param(watch, "resourceVersion"));
        versions.filter(|version| version.parse().is_ok_and(|version: u64| version >= busy)).count()
    };
    let moved = async {
        // Both pipelines, twice.
        while beyond() < 4 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    soon("resumed from a bookmark", moved).await;

    for seen in [paged.seen().log, streamed.seen().log] {
        assert!(seen.is_empty(), "{seen:?}");
    }
    assert_eq!(requests.lists().len(), 1, "a relist");
    let streamed_lists = |watch: &&String| requests::param(watch, "sendInitialEvents").is_some();
    assert_eq!(requests.watches().iter().filter(streamed_lists).count(), 1, "a relist");
    set_value(&api, "a", "second").await;
    paged.logged(&["~a"]).await;
    streamed.logged(&["~a"]).await;
    assert!(paged.seen().errors.is_empty(), "{:?}", paged.seen());
    assert!(streamed.seen().errors.is_empty(), "{:?}", streamed.seen());
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_equal_to_list(&client, &path_of(&namespace), &streamed_store).await;
}
