//! The first item of an outage, with kube's default client: its own retries hide nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::Config;
use kube::{Api, Client};
use kube_weir::{watch, watch_resource};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::apiserver::{ADMIN, exclusive};

/// Longest time from an outage to the first item about it.
const PROMPT: Duration = Duration::from_secs(4);

/// A server that answers every request like an API server that is not ready.
async fn unready(requests: Arc<AtomicUsize>) -> Config {
    let answer = move || {
        requests.fetch_add(1, Ordering::Relaxed);
        async {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503,
                "reason": "ServiceUnavailable", "message": "apiserver not ready",
            });
            let headers = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::SERVICE_UNAVAILABLE, headers, status.to_string()).into_response()
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let mut config = Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    config.proxy_url = None;
    assert!(config.default_retry, "as `Client::try_default` has it");
    config
}

/// SEMANTICS: W17
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_ready_is_an_item_at_once() {
    let requests = Arc::new(AtomicUsize::new(0));
    let client = Client::try_from(unready(Arc::clone(&requests)).await).unwrap();
    let begun = Instant::now();
    let typed = watch(Api::<ConfigMap>::all(client.clone())).index(());
    let mut typed = Consumer::of(typed);
    typed.until("an item", |seen| !seen.errors.is_empty()).await;
    let (took, asked) = (begun.elapsed(), requests.load(Ordering::Relaxed));
    assert!(took < PROMPT, "{took:.1?}");
    assert_eq!(asked, 1, "each try is one request");
    let documents = Consumer::of(watch_resource(client, config_maps()).unwrap().index(()));
    let mut documents = documents;
    let begun = Instant::now();
    documents.until("an item", |seen| !seen.errors.is_empty()).await;
    let of_documents = begun.elapsed();
    assert!(of_documents < PROMPT, "{of_documents:.1?}");
    for error in [typed.seen().errors[0].clone(), documents.seen().errors[0].clone()] {
        assert_eq!(error.status(), Some(503), "{error:?}");
        assert!(error.to_string().contains("apiserver not ready"), "{error}");
    }
    say(&format!(
        "retries: 503 is an item after {took:.1?}, and {of_documents:.1?} with discovery"
    ));
}

/// SEMANTICS: W17, W29
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_an_item_within_seconds() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("retries").await;
    let config = cluster.config(ADMIN).await;
    assert!(config.default_retry, "as `Client::try_default` has it");
    let client = Client::try_from(config).unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&api, "a").await;
    let running = watch(api.clone()).index(());
    let store = running.store();
    let mut running = Consumer::of(running);
    running.synced().await;

    let begun = Instant::now();
    cluster.stop_apiserver().await;
    running.until("an item", |seen| !seen.errors.is_empty()).await;
    let noticed = begun.elapsed();
    let late = watch(api.clone()).index(());
    let begun = Instant::now();
    let mut late = Consumer::of(late);
    late.until("an item", |seen| !seen.errors.is_empty()).await;
    let at_start = begun.elapsed();
    // The server ends its watches shortly before its own end.
    assert!(noticed < 2 * PROMPT && at_start < PROMPT, "{noticed:.1?}, {at_start:.1?}");
    assert!(store.status().failing.is_some());
    cluster.start_apiserver().await;
    let begun = Instant::now();
    late.synced().await;
    create(&api, "b").await;
    running.logged(&["+b"]).await;
    let recovered = begun.elapsed();
    assert!(store.status().failing.is_none());
    say(&format!(
        "retries: a stopped server is an item after {noticed:.1?}, and {at_start:.1?} at the start; \
         recovered {recovered:.1?} after it was ready",
    ));
}
