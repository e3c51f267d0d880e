//! The output of the example `ingress_config`, served by `HAProxy`.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use kube::Api;
use kube_weir::{prelude::*, testing::ApiServer};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{http::request, programs};

#[path = "../../examples/ingress_config/render.rs"]
mod render;

use render::{Listen, Renderer};

const SOON: Duration = Duration::from_secs(20);

/// A backend that answers every request with its name.
async fn shop(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Returns the status and the body of an answer.
async fn get(proxy: SocketAddr, host: &str, path: &str) -> std::io::Result<(u16, String)> {
    request(proxy, host, "GET", path, "").await
}

/// `HAProxy` with workers that replace each other; stopped when dropped.
struct Proxy(Child);

impl Proxy {
    fn start(config: &Path) -> Self {
        let mut command = Command::new("haproxy");
        command.args(["-W", "-f"]).arg(config).kill_on_drop(true);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn reload(&self) {
        let pid = self.0.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-USR2", &pid]).status().await.unwrap().success());
    }
}

async fn check(config: &Path) {
    let checked = Command::new("haproxy").arg("-c").arg("-f").arg(config).output().await.unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    let config = std::fs::read_to_string(config).unwrap();
    assert!(checked.status.success(), "{said}\n{config}");
}

fn service(server: &ApiServer, shops: &[SocketAddr]) {
    server
        .apply(&json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": { "ports": [{ "name": "http", "port": 80 }] },
        }))
        .unwrap();
    // A slice has one port for all of its endpoints.
    let name = |shop: &SocketAddr| format!("port-{}", shop.port());
    for shop in shops {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "namespace": "shop", "name": name(shop), "labels": { "kubernetes.io/service-name": "web" } },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": shop.port() }],
            "endpoints": [{ "addresses": ["127.0.0.1"], "conditions": { "ready": true } }],
        });
        server.apply(&slice).unwrap();
    }
    // New endpoints exist before old ones are removed, as in a rollout.
    for slice in server.objects("endpointslices").unwrap() {
        let slice = slice["metadata"]["name"].as_str().unwrap().to_owned();
        if !shops.iter().any(|shop| name(shop) == slice) {
            server.delete("endpointslices", "shop", &slice).unwrap();
        }
    }
}

fn ingress(server: &ApiServer) {
    let to = |service| json!({ "service": { "name": service, "port": { "name": "http" } } });
    let path = |path, of, service| json!({ "path": path, "pathType": of, "backend": to(service) });
    let paths = [
        path("/shop", "Prefix", "web"),
        path("/gone", "Exact", "missing"),
        path("/x y\n", "Exact", "web"),
    ];
    server
        .apply(&json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "namespace": "shop", "name": "shop" },
            "spec": { "rules": [{ "host": "shop.example.com", "http": { "paths": paths } }] },
        }))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_through_while_endpoints_change() {
    if !programs::is_there("haproxy").await {
        return;
    }
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("haproxy.cfg");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_at = free.local_addr().unwrap();
    drop(free);
    let [one, two] = [shop("one").await, shop("two").await];
    let server = ApiServer::new();
    service(&server, &[one]);
    ingress(&server);

    let client = server.client();
    let by_service = Index::paths(render::SERVICE).unwrap();
    let worlds = world((
        watch(Api::all(client.clone())).index(()),
        watch(Api::all(client.clone())).index(()),
        watch(Api::all(client.clone())).index(&by_service),
        watch(Api::all(client.clone())).index(()),
        watch(Api::all(client)).index(()),
    ));
    let mut changes = pin!(worlds.debounce(Duration::from_millis(50)).log_errors());
    let mut renderer = Renderer::new(by_service);
    let control = folder.path().join("control.sock");
    let mut proxy: Option<Proxy> = None;
    let serve = async {
        while let Some(change) = changes.next().await {
            let listen = Listen {
                control: &control.to_string_lossy(),
                http: &proxy_at.to_string(),
                https: "127.0.0.1:0",
                certificates: "none",
            };
            let result = renderer.render(change.world(), change.batch(), &listen);
            // No batch touches `missing`.
            assert_eq!((result.backends, result.certificates.len()), (2, 0));
            assert_eq!(result.anew, if change.batch().is_some() { 1 } else { 2 });
            std::fs::write(&config, &result.config).unwrap();
            check(&config).await;
            match &proxy {
                Some(proxy) => proxy.reload().await,
                None => proxy = Some(Proxy::start(&config)),
            }
        }
    };

    let visit = async {
        while get(proxy_at, "shop.example.com", "/").await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        let visit = async |path| get(proxy_at, "SHOP.example.com:80", path).await.unwrap();
        assert_eq!(visit("/shop").await, (200, "one".into()));
        assert_eq!(visit("/shop/cart").await, (200, "one".into()));
        for (path, status) in [("/shopping", 404), ("/gone", 503), ("/gone/on", 404)] {
            assert_eq!(visit(path).await.0, status, "{path}");
        }
        assert_eq!(get(proxy_at, "example.com", "/shop").await.unwrap().0, 404);

        let mut visits = 0;
        for (shops, expected) in
            [(&[one, two][..], "two"), (&[two], "two"), (&[one], "one"), (&[two, one], "two")]
        {
            service(&server, shops);
            // While the answers show the old state, and a bit longer.
            let mut seen = 0;
            while seen < 20 {
                let (status, name) = visit("/shop").await;
                assert_eq!(status, 200);
                seen += usize::from(name == expected);
                visits += 1;
            }
        }
        eprintln!("{visits} requests, none failed");
    };
    tokio::select! {
        () = serve => unreachable!("a pipeline does not end"),
        visited = timeout(SOON, visit) => visited.expect("in time"),
    }
}
