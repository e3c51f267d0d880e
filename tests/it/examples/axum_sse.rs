//! `axum_sse`: the page in a browser, and its messages.

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Service;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
};

use super::{Running, SOON, example, timeout};
use crate::{
    apiserver::{self, ADMIN},
    browser::Page,
};

const PODS: &str = "return [...document.querySelectorAll('#pods tbody tr')]
    .map(row => row.cells[0].textContent)";

/// The server of the page, and its address.
async fn serve(command: Command) -> (Running, SocketAddr) {
    let mut running = Running::start(command);
    let line = running.line().await;
    let address = line.strip_prefix("http://").expect("a URL").parse().expect("an address");
    (running, address)
}

/// Ends the server by ctrl-c, and returns its log.
async fn stop(mut running: Running) -> String {
    running.interrupt().await;
    let (code, logged) = running.end().await;
    assert_eq!(code, 0, "after ctrl-c: {logged}");
    logged
}

/// Checks the log: only watches of Pods fail, because of the script.
fn is_of_the_script(logged: &str) -> bool {
    let is_of_pods = |line: &str| line.contains("watch v1/pods in `default`: the script");
    logged.lines().all(|line| line.contains("WARN") && is_of_pods(line))
}

/// Returns the first messages of a visitor, with their names, up to one with this name.
async fn messages(to: SocketAddr, last: &str) -> Vec<(String, Value)> {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut lines = BufReader::new(stream).lines();
    let mut messages: Vec<(String, Value)> = Vec::new();
    while !messages.last().is_some_and(|(name, data)| name == last && !data.is_null()) {
        let line = timeout(SOON, lines.next_line()).await.expect("a line in time");
        let line = line.expect("text").expect("it goes on");
        if let Some(name) = line.strip_prefix("event: ") {
            messages.push((name.to_owned(), Value::Null));
        } else if let Some(data) = line.strip_prefix("data: ") {
            messages.last_mut().expect("a name").1 = serde_json::from_str(data).expect("JSON");
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_visitor_gets_everything_first() {
    let mut command = example("axum_sse");
    command.args(["--port", "0"]);
    let (running, address) = serve(command).await;
    for _ in 0..2 {
        let messages = messages(address, "batch").await;
        let names: Vec<_> = messages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "tables");
        assert!(names.contains(&"health"), "{names:?}");
        let world = messages.iter().rposition(|(name, _)| name == "world").expect("a world");
        let pods = messages[world].1["pods"].as_array().expect("rows");
        assert!((8..=9).contains(&pods.len()), "{pods:?}");
        let (_, batch) = messages.last().expect("a batch");
        // Nothing changes these.
        assert_eq!(batch.get("services"), None, "{batch}");
    }
    let logged = stop(running).await;
    assert!(is_of_the_script(&logged), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_comes_and_goes() {
    let mut command = example("axum_sse");
    command.args(["--port", "0"]);
    let (running, address) = serve(command).await;
    let Some(page) = Page::open(&format!("http://{address}/")).await else { return };

    let names = |value: &Value| -> Vec<String> {
        serde_json::from_value(value.clone()).expect("a list of names")
    };
    let first = names(&page.until(PODS, |pods| names(pods).len() >= 8).await);
    assert!(first.is_sorted(), "{first:?}");
    // Elements that are not drawn again keep this mark.
    page.run("document.querySelector('#services tbody tr').title = 'the same'").await;
    let later = page
        .until(PODS, |pods| {
            let pods = names(pods);
            pods.iter().any(|pod| !first.contains(pod))
                && first.iter().any(|pod| !pods.contains(pod))
        })
        .await;
    assert!(names(&later).is_sorted(), "{later}");
    let count = "return document.querySelector('#pods .count').textContent ==
        document.querySelectorAll('#pods tbody tr').length";
    assert_eq!(page.run(count).await, true);
    let kept = "return document.querySelector('#services tbody tr').title";
    assert_eq!(page.run(kept).await, "the same");

    let markup = "return document.querySelectorAll('tbody :not(tr, td)').length";
    assert_eq!(page.run(markup).await, 0);
    let images = "return [...document.querySelectorAll('#deployments tbody tr')]
        .map(row => row.cells[3].textContent)";
    assert_eq!(page.run(images).await[0], "cart:<b>1</b>");

    // Both happen by themselves: now and then watches of Pods fail.
    let state = "return document.querySelector('#pods .state').textContent";
    page.until(state, |state| state == "synced").await;
    page.until(state, |state| state.as_str().is_some_and(|state| state.ends_with("degraded")))
        .await;
    let error = "return document.querySelector('#pods .error').textContent";
    let error = page.run(error).await;
    assert!(error.as_str().is_some_and(|error| error.contains("503")), "{error}");
    page.until(state, |state| state == "synced").await;

    let logged = stop(running).await;
    assert!(!logged.is_empty() && is_of_the_script(&logged), "{logged}");
    let link = "return document.getElementById('link').textContent";
    page.until(link, |link| link == "reconnecting").await;
    let mut command = example("axum_sse");
    command.args(["--port", &address.port().to_string()]);
    let (running, _) = serve(command).await;
    page.until(link, |link| link == "connected").await;
    // A new server starts with the first Pods again.
    page.until(PODS, |pods| names(pods).iter().any(|pod| pod == "web-0003")).await;
    page.close().await;
    let logged = stop(running).await;
    assert!(is_of_the_script(&logged), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_a_real_server() {
    let Some(cluster) = apiserver::server().await else { return };
    let mut command = example("axum_sse");
    command.args(["--cluster", "--port", "0"]).env("KUBECONFIG", cluster.kubeconfig(ADMIN));
    let (running, address) = serve(command).await;
    let Some(page) = Page::open(&format!("http://{address}/")).await else { return };
    let services = "return Object.fromEntries([...document.querySelectorAll('#services tbody tr')]
        .map(row => [row.cells[0].textContent, row.cells[3].textContent]))";
    let state = "return document.querySelector('#services .state')?.textContent";
    page.until(state, |state| state == "synced").await;
    assert_eq!(page.run(services).await.get("axum-sse"), None);

    let api = Api::<Service>::default_namespaced(cluster.client().await);
    let service =
        json!({ "metadata": { "name": "axum-sse" }, "spec": { "ports": [{ "port": 80 }] } });
    let service: Service = serde_json::from_value(service).expect("a Service");
    api.create(&PostParams::default(), &service).await.expect("created");
    page.until(services, |services| services["axum-sse"] == "80").await;
    let patch = Patch::Merge(json!({ "spec": { "ports": [{ "port": 81 }] } }));
    api.patch("axum-sse", &PatchParams::default(), &patch).await.expect("patched");
    page.until(services, |services| services["axum-sse"] == "81").await;
    api.delete("axum-sse", &DeleteParams::default()).await.expect("deleted");
    page.until(services, |services| services.get("axum-sse").is_none()).await;
    page.close().await;
    assert_eq!(stop(running).await, "");
}
