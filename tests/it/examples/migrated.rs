//! Programs before and after their migration, on one server: both print the same lines.

use std::{
    future::IntoFuture,
    path::{Path, PathBuf},
};

use axum::{Router, body::Body, extract::Request};
use kube_weir::testing::ApiServer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};
use tower::ServiceExt;

use super::{Running, command, example, kubeconfig};
use crate::programs;

/// Serves an in-process server by HTTP, and returns a kubeconfig for it.
async fn serve(server: &ApiServer) -> (TempDir, PathBuf) {
    let server = server.clone();
    let answer = move |request: Request| async move {
        server.oneshot(request).await.expect("an answer").map(Body::new)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    kubeconfig(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{ "name": "here", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "somebody", "user": {} }],
        "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "somebody" } }],
    }))
}

/// Two programs that watch one server.
struct Both {
    before: Running,
    after: Running,
}

impl Both {
    fn start(mut before: Command, mut after: Command, kubeconfig: &Path) -> Self {
        before.env("KUBECONFIG", kubeconfig);
        after.env("KUBECONFIG", kubeconfig).arg("--cluster");
        Self { before: Running::start(before), after: Running::start(after) }
    }

    /// Waits until both have printed these lines, in any order.
    async fn print(&mut self, expected: &[&str]) {
        for (running, program) in [(&mut self.before, "before"), (&mut self.after, "after")] {
            let mut lines = Vec::new();
            for _ in expected {
                lines.push(running.line().await);
            }
            lines.sort_unstable();
            assert_eq!(lines, expected, "{program}");
        }
    }

    /// Ends both by ctrl-c.
    async fn stop(mut self) {
        for (running, program) in [(&mut self.before, "before"), (&mut self.after, "after")] {
            running.interrupt().await;
            assert_eq!(running.end().await, (0, String::new()), "{program}");
        }
    }
}

fn ingress(name: &str, hosts: &[&str]) -> Value {
    let rules: Vec<_> = hosts.iter().map(|host| json!({ "host": host })).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "rules": rules },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn from_kube_runtime() {
    let server = ApiServer::new();
    server.apply(&ingress("blog", &["a.example"])).unwrap();
    server.apply(&ingress("shop", &["a.example", "b.example"])).unwrap();
    let (_folder, kubeconfig) = serve(&server).await;
    let (before, after) = (example("from_kube_runtime_before"), example("from_kube_runtime"));
    let mut both = Both::start(before, after, &kubeconfig);
    both.print(&["a.example -> {default/blog, default/shop}", "b.example -> {default/shop}"]).await;

    server.apply(&ingress("shop", &["b.example", "c.example"])).unwrap();
    both.print(&[
        "a.example -> {default/blog}",
        "b.example -> {default/shop}",
        "c.example -> {default/shop}",
    ])
    .await;
    server.apply(&ingress("wiki", &["a.example"])).unwrap();
    both.print(&["a.example -> {default/blog, default/wiki}"]).await;
    server.delete("ingresses", "default", "shop").unwrap();
    both.print(&["b.example -> {}", "c.example -> {}"]).await;
    let mut internal = ingress("admin", &["a.example"]);
    internal["metadata"]["labels"] = json!({ "internal": "" });
    server.apply(&internal).unwrap();
    server.delete("ingresses", "default", "blog").unwrap();
    both.print(&["a.example -> {default/wiki}"]).await;
    both.stop().await;
}

fn slice(service: &str, name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default", "name": name,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": [address] }],
    })
}

fn service(name: &str) -> Value {
    let metadata = json!({ "namespace": "default", "name": name });
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata })
}

#[tokio::test(flavor = "multi_thread")]
async fn from_client_go() {
    let before = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/from_client_go/before.go");
    let Some(before) = programs::built_in_go("from_client_go", &before).await else { return };
    let server = ApiServer::new();
    for name in ["blog", "shop"] {
        server.apply(&service(name)).unwrap();
        server.apply(&slice(name, name, "10.0.0.1")).unwrap();
    }
    let (_folder, kubeconfig) = serve(&server).await;
    let mut both = Both::start(command(&before), example("from_client_go"), &kubeconfig);
    both.print(&["default/blog -> 10.0.0.1", "default/shop -> 10.0.0.1"]).await;

    server.apply(&slice("shop", "shop-2", "10.0.0.2")).unwrap();
    both.print(&["default/shop -> 10.0.0.1, 10.0.0.2"]).await;
    // A slice goes to another Service: both are computed again.
    server.apply(&slice("blog", "shop-2", "10.0.0.2")).unwrap();
    both.print(&["default/blog -> 10.0.0.1, 10.0.0.2", "default/shop -> 10.0.0.1"]).await;
    server.delete("endpointslices", "default", "blog").unwrap();
    both.print(&["default/blog -> 10.0.0.2"]).await;
    server.delete("services", "default", "blog").unwrap();
    both.print(&["default/blog is gone"]).await;
    server.apply(&service("wiki")).unwrap();
    both.print(&["default/wiki -> "]).await;
    both.stop().await;
}
