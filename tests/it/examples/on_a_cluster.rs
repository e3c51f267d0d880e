//! The examples with `--cluster` on a real API server, by users with only the rights that each example
//! documents.

use std::path::PathBuf;

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use super::{Running, SOON, example, kubeconfig, unreachable};
use crate::{
    apiserver::{self, Cluster, Scope},
    live::custom::{install, make_first},
};

const WATCH: [&str; 2] = ["list", "watch"];

/// The user of an example, and a namespace for its exclusive use.
struct User<'c> {
    cluster: &'c Cluster,
    name: String,
    namespace: String,
    kubeconfig: (TempDir, PathBuf),
    /// A client with all rights, for changes in the namespace.
    admin: Client,
}

impl<'c> User<'c> {
    async fn new(cluster: &'c Cluster) -> Self {
        let name = cluster.user();
        let namespace = cluster.namespace("example").await;
        let config = std::fs::read(cluster.kubeconfig(&name)).expect("a kubeconfig");
        let mut config: Value = serde_json::from_slice(&config).expect("JSON");
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        let (kubeconfig, admin) = (kubeconfig(&config), cluster.client().await);
        Self { cluster, name, namespace, kubeconfig, admin }
    }

    /// Grants rights in all namespaces.
    async fn may(self, verbs: &[&str], resources: &[&str]) -> Self {
        let _ = self.cluster.grant(&self.name, Scope::Cluster, verbs, resources).await;
        self
    }

    /// Grants rights in the own namespace.
    async fn may_here(self, verbs: &[&str], resources: &[&str]) -> Self {
        let own = Scope::Namespace(&self.namespace);
        let _ = self.cluster.grant(&self.name, own, verbs, resources).await;
        self
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Running {
        let mut command = example(name);
        command.env("KUBECONFIG", &self.kubeconfig.1).arg("--cluster").args(arguments);
        Running::start(command)
    }

    fn api(&self, kind: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.admin.clone(), &self.namespace, kind)
    }

    /// Creates an object, or replaces the one applied before.
    async fn apply(&self, kind: &ApiResource, name: &str, mut object: Value) {
        object["apiVersion"] = json!(kind.api_version);
        object["kind"] = json!(kind.kind);
        object["metadata"]["name"] = json!(name);
        let params = PatchParams::apply("test");
        self.api(kind).patch(name, &params, &Patch::Apply(object)).await.expect("it is applied");
    }

    async fn delete(&self, kind: &ApiResource, name: &str) {
        let at_once = DeleteParams::default().grace_period(0);
        self.api(kind).delete(name, &at_once).await.expect("it is deleted");
    }
}

impl Running {
    /// Returns the next line with this prefix, of an example that also prints other namespaces.
    async fn line_of(&mut self, start: &str) -> String {
        loop {
            let line = self.line().await;
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Ends it by ctrl-c, and checks the exit.
    async fn stop(self) {
        assert_eq!(self.stop_and_read().await, "");
    }

    /// Ends an example that has logged something, and returns the lines.
    async fn stop_and_read(mut self) -> String {
        self.interrupt().await;
        while self.lines.next_line().await.expect("text").is_some() {}
        let (code, logged) = self.exit().await;
        assert_eq!(code, 0, "{logged}");
        logged
    }
}

fn kind(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

#[tokio::test]
async fn failures_are_logged_and_are_not_the_end() {
    let (_folder, kubeconfig) = unreachable();
    let mut command = example("pod_changes");
    command.env("KUBECONFIG", kubeconfig).arg("--cluster");
    let mut example = Running::start(command);
    let mut log = BufReader::new(example.child.stderr.take().expect("a pipe")).lines();
    let logged = async {
        // kube's client logs, too.
        while !log.next_line().await.unwrap().expect("a line").contains("stream degraded") {}
    };
    timeout(SOON, logged).await.expect("a failure in time");
    example.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_changes() {
    let Some(cluster) = apiserver::server().await else { return };
    let user = User::new(&cluster).await.may_here(&WATCH, &["pods"]).await;
    let pods = kind("", "Pod");
    let mut example = user.run("pod_changes", &[]);
    assert_eq!(example.line().await, "0 pods");

    let spec = json!({ "containers": [{ "name": "main", "image": "none" }] });
    user.apply(&pods, "web", json!({ "spec": spec })).await;
    assert_eq!(example.line().await, "+ web: Pending, 0 ready");
    // The example prints no line for this; the next line belongs to the following write.
    user.apply(&pods, "web", json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec })).await;
    let container = json!({
        "name": "main", "ready": true, "restartCount": 0, "image": "none", "imageID": "none",
    });
    let status = json!({ "phase": "Running", "containerStatuses": [container] });
    let patch = Patch::Merge(json!({ "status": status }));
    user.api(&pods).patch_status("web", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(example.line().await, "~ web: Pending, 0 ready -> Running, 1 ready");
    user.delete(&pods, "web").await;
    assert_eq!(example.line().await, "- web: was Running, 1 ready");
    example.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn service_endpoints() {
    let Some(cluster) = apiserver::server().await else { return };
    let slices = "endpointslices.discovery.k8s.io";
    let user = User::new(&cluster).await.may(&WATCH, &[slices]).await;
    let slices = kind("discovery.k8s.io", "EndpointSlice");
    let put = async |name: &str, address: &str| {
        let slice = json!({
            "metadata": { "labels": { "kubernetes.io/service-name": "web" } },
            "addressType": "IPv6",
            "ports": [{ "port": 80 }],
            "endpoints": [{ "addresses": [address] }],
        });
        user.apply(&slices, name, slice).await;
    };
    put("web-1", "fd00::1").await;
    let mut example = user.run("service_endpoints", &[]);
    assert!(example.line().await.contains(" slices"));

    let start = format!("{}, web: ", user.namespace);
    put("web-2", "fd00::2").await;
    assert_eq!(example.line_of(&start).await, start.clone() + "{[fd00::1]:80, [fd00::2]:80}");
    user.delete(&slices, "web-1").await;
    assert_eq!(example.line_of(&start).await, start.clone() + "{[fd00::2]:80}");
    user.delete(&slices, "web-2").await;
    assert_eq!(example.line_of(&start).await, start.clone() + "{}");
    example.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crd_dynamic() {
    let Some(cluster) = apiserver::server().await else { return };
    let group = "stable.example.com";
    let user = User::new(&cluster).await.may(&WATCH, &["crontabs.stable.example.com"]).await;
    let crontabs = kind(group, "CronTab");
    let mut example = user.run("crd_dynamic", &[]);
    let waiting = "waiting for stable.example.com/v1/crontabs";
    assert_eq!(example.line().await, waiting);

    install(&user.admin, group, json!({ "kind": "CronTab", "plural": "crontabs" })).await;
    let synced = loop {
        let line = example.line().await;
        if line != waiting {
            break line;
        }
    };
    assert_eq!(synced, "0 crontabs");
    let spec = json!({ "spec": { "cronSpec": "0 3 * * *", "image": "backup", "replicas": 1 } });
    let backup = DynamicObject::new("backup", &crontabs).data(spec);
    make_first(&user.api(&crontabs), &backup).await;
    assert_eq!(example.line().await, "+ backup: 0 3 * * *, 1 of backup");
    // Without the type's fields the object is still valid for a watch.
    let spec = json!({ "spec": { "cronSpec": "@daily", "image": 7 } });
    make_first(&user.api(&crontabs), &DynamicObject::new("odd", &crontabs).data(spec)).await;
    let undecodable = format!("+ odd: @daily, object {}/odd can't be decoded: ", user.namespace);
    let line = example.line().await;
    assert!(line.starts_with(&undecodable), "{line}");
    let logged = example.stop_and_read().await;
    assert!(logged.contains("reason=\"NotInstalled\"") && logged.lines().count() == 1, "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configmap_one() {
    let Some(cluster) = apiserver::server().await else { return };
    let user = User::new(&cluster).await.may_here(&WATCH, &["configmaps"]).await;
    let maps = kind("", "ConfigMap");
    let mut example = user.run("configmap_one", &[]);
    let defaults = r#"Settings { level: "info", workers: 4 }"#;
    assert_eq!(example.line().await, defaults);

    user.apply(&maps, "another", json!({ "data": { "workers": "1" } })).await;
    user.apply(&maps, "weir-settings", json!({ "data": { "workers": "8" } })).await;
    assert_eq!(example.line().await, r#"Settings { level: "info", workers: 8 }"#);
    user.delete(&maps, "weir-settings").await;
    assert_eq!(example.line().await, defaults);
    example.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_cached() {
    let Some(cluster) = apiserver::server().await else { return };
    let user = User::new(&cluster).await.may(&["get", "list", "watch"], &["secrets"]).await;
    let secrets = kind("", "Secret");
    let app = user.namespace.as_str();
    let put = async |name: &str, value: &str| {
        let metadata = json!({ "labels": { "app": app } });
        user.apply(&secrets, name, json!({ "metadata": metadata, "stringData": { "key": value } }))
            .await;
    };
    put("tls", "hidden").await;
    put("token", "hidden").await;
    let mut example = user.run("secrets_cached", &[app]);
    assert!(example.line().await.ends_with(" secrets"));
    assert_eq!(example.line().await, "  tls: bytes of key 6");
    assert_eq!(example.line().await, "  token: bytes of key 6");
    assert_eq!(example.line().await, "so far 2 fetched, 0 found in the cache");

    put("tls", "hidden, too").await;
    assert_eq!(example.line_of("  tls").await, "  tls: bytes of key 11");
    assert_eq!(example.line().await, "  token: bytes of key 6");
    assert_eq!(example.line().await, "so far 3 fetched, 1 found in the cache");
    example.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn world() {
    let Some(cluster) = apiserver::server().await else { return };
    let resources = ["services", "ingresses.networking.k8s.io"];
    let user = User::new(&cluster).await.may(&WATCH, &resources).await;
    let services = kind("", "Service");
    let web = format!("  {}, web ", user.namespace);
    let mut example = user.run("world", &[]);
    assert!(example.line().await.contains(" ingresses, "));

    user.apply(&services, "web", json!({ "spec": { "ports": [{ "port": 80 }] } })).await;
    assert_eq!(example.line_of(&web).await, web.clone() + "could go");
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    let rules = json!([{ "http": { "paths": [path] } }]);
    let ingresses = kind("networking.k8s.io", "Ingress");
    user.apply(&ingresses, "shop", json!({ "spec": { "rules": rules } })).await;
    user.delete(&services, "web").await;
    let missing = web.clone() + "is routed to, and not there";
    while example.line_of(&web).await != missing {}
    example.stop().await;
}
