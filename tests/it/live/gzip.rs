//! Compressed answers: with kube's feature `gzip`, and without.
//!
//! `just test-gzip` runs these tests with the feature; this crate's own tests don't enable it.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::Config;
use kube::{Api, Client};
use kube_weir::{watch, watch_resource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::apiserver::{ADMIN, server};

const OBJECTS: usize = 600;

/// Returns whether kube's client requests compressed answers.
async fn asks_for_gzip() -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8(head).unwrap().to_lowercase()
    });
    let mut config = Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    config.proxy_url = None;
    let request = http::Request::get("/version").body(Vec::new()).unwrap();
    soon("an answer", Client::try_from(config).unwrap().request_text(request)).await.unwrap();
    let head = answering.await.unwrap();
    head.lines().any(|line| line.starts_with("accept-encoding:") && line.contains("gzip"))
}

/// The server compresses watches only since 1.37, each event separately.
///
/// SEMANTICS: W22
#[tokio::test(flavor = "multi_thread")]
async fn a_streaming_list_of_many_pages_is_one_request() {
    let Some(cluster) = server().await else {
        return;
    };
    let gzip = asks_for_gzip().await;
    let namespace = cluster.namespace("gzip").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let objects = (0..OBJECTS).map(|i| {
        let numbers: Vec<_> = (0..128).map(|j| format!("{:08x}", i * 7919 + j * 104_729)).collect();
        let value = numbers.concat();
        config_map(&format!("object-{i:04}"), "none", &value)
    });
    let creates = stream::iter(objects.map(|object| {
        let api = &api;
        async move { api.create(&PostParams::default(), &object).await.map(drop) }
    }));
    let all = creates.buffer_unordered(WRITERS).try_collect::<()>();
    timeout(4 * SOON, all).await.expect("the creates in time").unwrap();

    let requests = Requests::default();
    let recorded = requests.client(cluster.config(ADMIN).await);
    let typed = watch(Api::<ConfigMap>::namespaced(recorded.clone(), &namespace));
    let typed = typed.streaming_list(true).index(());
    let documents = watch_resource(recorded.clone(), config_maps()).unwrap().namespace(&namespace);
    let documents = documents.streaming_list(true).index(());
    let (store, document_store) = (typed.store(), documents.store());
    let (mut typed, mut documents) = (Consumer::of(typed), Consumer::of(documents));
    assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), OBJECTS);
    assert_eq!(soon("the sync", document_store.synced()).await.unwrap().len(), OBJECTS);
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_equal_to_list(&client, &path_of(&namespace), &document_store).await;
    set_value(&api, "object-0000", "second").await;
    typed.logged(&["~object-0000"]).await;
    documents.logged(&["~object-0000"]).await;
    assert_eq!((requests.lists().len(), requests.watches().len()), (0, 2));

    // Lists in pages, which all versions of the server compress.
    let paged = watch(Api::<ConfigMap>::namespaced(recorded, &namespace)).index(());
    let paged_store = paged.store();
    let mut paged = Consumer::of(paged);
    assert_eq!(soon("the sync", paged_store.synced()).await.unwrap().len(), OBJECTS);
    delete(&api, "object-0001").await;
    paged.logged(&["-object-0001"]).await;
    typed.logged(&["~object-0000", "-object-0001"]).await;
    documents.logged(&["~object-0000", "-object-0001"]).await;
    assert_equal_to_list(&client, &path_of(&namespace), &paged_store).await;
    assert_eq!((requests.lists().len(), requests.watches().len()), (2, 3));
    for errors in [typed.seen().errors, documents.seen().errors, paged.seen().errors] {
        assert!(errors.is_empty(), "{errors:?}");
    }
    say(&format!("gzip: {OBJECTS} objects, each by one request; compressed: {gzip}"));
}
