//! One server: where it is, who may use it, and clients for it.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::sync::RwLock;
use tokio::time::timeout;

use super::assets::Assets;
use super::certs;
use super::control::Pair;
use super::process::Janitor;

/// The user who may do anything.
pub(crate) const ADMIN: &str = "admin";

/// Longest wait for an answer to a request of the harness itself.
pub(super) const ANSWER: Duration = Duration::from_secs(20);

/// Users without rights, `restricted-1` and on.
const USERS: usize = 32;
/// The first ones are for tests to name; [`Cluster::user`] hands out the others.
const NAMED_USERS: usize = 4;

/// One server. Lives as long as the test process.
pub(crate) struct Cluster {
    pub(super) assets: Assets,
    pub(super) folder: PathBuf,
    pub(super) etcd_port: u16,
    pub(super) peer_port: u16,
    pub(super) apiserver_port: u16,
    pub(super) pair: Arc<RwLock<Pair>>,
    names: AtomicUsize,
    users: AtomicUsize,
    _janitor: Janitor,
}

impl Cluster {
    /// Prepares the files and ports; nothing runs yet.
    pub(super) fn new(assets: Assets) -> Self {
        // Kept: the janitor removes it, since nobody drops a static.
        let folder = tempfile::Builder::new()
            .prefix("kube-weir-apiserver-")
            .tempdir()
            .expect("cannot make a temporary folder")
            .keep();
        let janitor = Janitor::of(&folder);
        certs::write(&folder);
        let [etcd_port, peer_port, apiserver_port] = free_ports();
        let cluster = Self {
            assets,
            folder,
            etcd_port,
            peer_port,
            apiserver_port,
            pair: Arc::default(),
            names: AtomicUsize::new(1),
            users: AtomicUsize::new(NAMED_USERS + 1),
            _janitor: janitor,
        };
        cluster.write_users();
        cluster
    }

    /// A client with all rights. It belongs to the runtime of the calling test.
    pub(crate) async fn client(&self) -> kube::Client {
        self.client_for(ADMIN).await
    }

    /// A client of one user: [`ADMIN`], `restricted-1` to `restricted-4` or one of [`Self::user`].
    pub(crate) async fn client_for(&self, user: &str) -> kube::Client {
        kube::Client::try_from(self.config(user).await).expect("a valid configuration")
    }

    /// The configuration behind [`Self::client_for`], for a client with settings of its own.
    pub(crate) async fn config(&self, user: &str) -> Config {
        let file = Kubeconfig::read_from(self.kubeconfig(user)).expect("a kubeconfig");
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .expect("a valid kubeconfig");
        config.proxy_url = None; // taken from HTTPS_PROXY, even for a loopback address
        config
    }

    /// The kubeconfig file of a user, for a child process.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.path(&format!("{user}.kubeconfig"))
    }

    /// A user that no other test has, without any right.
    pub(crate) fn user(&self) -> String {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        assert!(number <= USERS, "all {USERS} users are taken: raise USERS");
        format!("restricted-{number}")
    }

    /// Makes a namespace that no other test has; its name starts with `prefix`.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(self.client().await);
        answer("a new namespace", api.create(&PostParams::default(), &namespace)).await;
        name
    }

    /// The server's `gitVersion`, such as `v1.37.2`.
    pub(crate) async fn version(&self) -> String {
        let client = self.client().await;
        let version = answer("the version", client.apiserver_version()).await;
        version.git_version
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the token file of the server and a kubeconfig for each user.
    fn write_users(&self) {
        let (certificate, key) = certs::ADMIN;
        self.write_kubeconfig(
            ADMIN,
            &json!({
                "client-certificate": self.path(certificate),
                "client-key": self.path(key),
            }),
        );
        let tokens = (1..=USERS).map(|number| {
            let user = format!("restricted-{number}");
            let token = format!("token-of-{user}");
            self.write_kubeconfig(&user, &json!({ "token": token }));
            format!("{token},{user},{user}\n") // token, name, uid
        });
        write(&self.path("tokens.csv"), &tokens.collect::<String>());
    }

    fn write_kubeconfig(&self, user: &str, credentials: &serde_json::Value) {
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": user } }],
            "clusters": [{ "name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.apiserver_port),
                "certificate-authority": self.path(certs::CA),
            }}],
            "users": [{ "name": user, "user": credentials }],
        });
        // JSON is YAML too.
        write(&self.kubeconfig(user), &format!("{text:#}\n"));
    }
}

/// Waits for an answer that must come.
pub(super) async fn answer<T>(what: &str, request: impl Future<Output = kube::Result<T>>) -> T {
    timeout(ANSWER, request)
        .await
        .unwrap_or_else(|_| panic!("asking for {what}: no answer in {ANSWER:?}"))
        .unwrap_or_else(|error| panic!("asking for {what}: {error}"))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("cannot write to the temporary folder");
}

/// Ports that nobody listens on, below the range that systems take for outgoing connections: a
/// client that knocks while the server is down could else be given the server's own port.
fn free_ports<const N: usize>() -> [u16; N] {
    let mut taken = Vec::new(); // held until all are found, so that no two are the same
    std::array::from_fn(|_| {
        for _ in 0..1000 {
            let random = RandomState::new().build_hasher().finish();
            let port = 20_000 + u16::try_from(random % 10_000).expect("below 10000");
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                taken.push(listener);
                return port;
            }
        }
        panic!("no free port")
    })
}
