//! Answers of a server that is throttled or starting, with a client like that of `Client::try_default`. A
//! real socket and the real clock, because that client's own retries are part of the test.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config};
use kube_weir::{SyncPolicy, watch};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::wire::list;

/// A server on a socket that answers the first request of each kind with a failure, and all others
/// normally.
async fn server(code: u16, retry_after: Option<u32>) -> (Client, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut buffer = vec![0; 16 << 10];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer);
                    let request = text.lines().next().unwrap_or_default().to_owned();
                    let is_watch = request.contains("watch=true");
                    let is_first = {
                        let mut seen = seen.lock().unwrap();
                        let is_same = |own: &&String| own.contains("watch=true") == is_watch;
                        let is_first = !seen.iter().any(|own| is_same(&own));
                        seen.push(request);
                        is_first
                    };
                    let (line, header, body) = if is_first {
                        let header = retry_after
                            .map_or(String::new(), |wait| format!("retry-after: {wait}\r\n"));
                        let body = crate::wire::status(code, "Busy", "initializing").to_string();
                        (format!("{code} Busy"), header, body)
                    } else if is_watch {
                        // Open, and silent.
                        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                        let _ = stream.write_all(head.as_bytes()).await;
                        return std::future::pending().await;
                    } else {
                        ("200 OK".to_owned(), String::new(), list(9, Vec::<u8>::new()).to_string())
                    };
                    let answer = format!(
                        "HTTP/1.1 {line}\r\n{header}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (Client::try_from(Config::new(address.parse().unwrap())).unwrap(), requests)
}

/// SEMANTICS: W17
#[tokio::test]
async fn answers_reach_the_user_with_the_client_that_users_have() {
    for (code, retry_after) in [(429, Some(1)), (503, None), (504, Some(0)), (503, Some(1))] {
        let (client, requests) = server(code, retry_after).await;
        let changes = watch(Api::<ConfigMap>::all(client)).index(());
        let changes = changes.sync_policy(SyncPolicy::default().deadline(Duration::from_secs(60)));
        let store = changes.store();
        let driven = crate::wire::drive_changes(changes, store);
        driven.store.synced().await.unwrap();
        while requests.lock().unwrap().len() < 4 {
            tokio::task::yield_now().await;
        }
        // The list and the watch: each failed once, and was repeated once.
        let statuses: Vec<_> = driven.errors().iter().map(kube_weir::Error::status).collect();
        assert_eq!(statuses, [Some(code); 2], "{:?}", driven.errors());
        assert!(driven.errors().iter().all(|own| own.to_string().contains("initializing")));
        let asked = requests.lock().unwrap().clone();
        let watches = asked.iter().filter(|own| own.contains("watch=true")).count();
        assert_eq!((asked.len(), watches), (4, 2), "{asked:?}");
    }
}

/// A delay that this client would interpret differently.
///
/// SEMANTICS: W17
#[tokio::test]
async fn a_long_wait_is_not_cut_short_by_the_client() {
    let (client, requests) = server(429, Some(80)).await;
    let fast = SyncPolicy::default().deadline(Duration::from_secs(2));
    let changes = watch(Api::<ConfigMap>::all(client)).index(()).sync_policy(fast);
    let store = changes.store();
    let driven = crate::wire::drive_changes(changes, store);
    let error = driven.store.synced().await.unwrap_err();
    let cause = std::error::Error::source(&error).expect("the cause").to_string();
    assert!(cause.contains("429") && cause.contains("initializing"), "{cause}");
    assert_eq!(requests.lock().unwrap().len(), 1, "asked again in spite of Retry-After");
}
