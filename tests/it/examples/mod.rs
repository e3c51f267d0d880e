//! The examples, as programs: what they print and how they end.

mod axum_sse;
mod leader_gated;
mod snapshot_readers;
mod with_controller;

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::apiserver::{self, ADMIN};

/// Longest wait for a line or an end that should come at once.
const SOON: Duration = Duration::from_secs(20);

/// An example that runs, until it is dropped.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The `watch` example, printing JSON.
    fn watch(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let mut command = example("watch");
        command.env("KUBECONFIG", kubeconfig).args(arguments).args(["-o", "json"]);
        let mut child = command.spawn().expect("the example starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    /// The next line on stdout.
    async fn line(&mut self) -> Value {
        let line = timeout(SOON, self.lines.next_line()).await.expect("a line in time");
        let Some(line) = line.expect("text") else {
            panic!("it ended: {:?}", self.end().await);
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next line about a change, without the time.
    async fn change(&mut self) -> Value {
        let mut line = self.line().await;
        let elapsed = line.as_object_mut().and_then(|line| line.remove("elapsed_ms"));
        assert!(elapsed.is_some_and(|elapsed| elapsed.is_u64()), "no elapsed_ms: {line}");
        line
    }

    /// The exit code and stderr, once it has ended by itself and nothing more is on stdout.
    async fn end(&mut self) -> (i32, String) {
        let more = timeout(SOON, self.lines.next_line()).await.expect("an end in time");
        assert_eq!(more.expect("text"), None, "more than was expected");
        self.exit().await
    }

    async fn exit(&mut self) -> (i32, String) {
        let status = timeout(SOON, self.child.wait()).await.expect("an end in time");
        let mut stderr = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut stderr).await.expect("text");
        }
        (status.expect("a status").code().expect("no signal"), stderr)
    }
}

/// A command for an example, with nothing of this environment that would lead elsewhere.
pub(crate) fn example(name: &str) -> Command {
    // target/debug/deps/it-... -> target/debug/examples/...
    let own = std::env::current_exe().expect("the path of this test");
    let target = own.ancestors().nth(2).expect("a folder above deps");
    let path = target.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --examples`, with --release if the tests are",
        path.display()
    );
    let mut command = Command::new(path);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Output {
    timeout(SOON, command.output()).await.expect("an end in time").expect("it starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A kubeconfig for a server that is not there.
fn unreachable() -> (TempDir, PathBuf) {
    // Nobody listens on a port that was free a moment ago; the socket is closed again here.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://{}", free.local_addr().expect("an address"));
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{ "name": "nowhere", "cluster": { "server": server } }],
        "users": [{ "name": "nobody", "user": {} }],
        "contexts": [
            { "name": "here", "context": { "cluster": "nowhere", "user": "nobody", "namespace": "own" } },
            { "name": "bare", "context": { "cluster": "nowhere", "user": "nobody" } },
        ],
    });
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, config.to_string()).expect("a file");
    (folder, path)
}

fn config_map(name: &str, data: &Value) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": data })).expect("valid")
}

async fn create(api: &Api<ConfigMap>, name: &str, data: &Value) -> ConfigMap {
    api.create(&PostParams::default(), &config_map(name, data)).await.expect("it is created")
}

/// A Live line with one change and what `--get` found.
fn live(op: &str, object: &ConfigMap, total: usize, get: &[&str]) -> Value {
    let count = |other: &str| usize::from(op == other);
    let namespace = object.namespace();
    let get: Vec<_> =
        get.iter().map(|name| json!({ "namespace": namespace, "name": name })).collect();
    json!({
        "phase": "Live",
        "created": count("created"),
        "modified": count("modified"),
        "deleted": count("deleted"),
        "total": total,
        "changed": [{
            "op": op,
            "namespace": namespace,
            "name": object.name_any(),
            "uid": object.uid(),
            "resourceVersion": object.resource_version(),
        }],
        "get": get,
    })
}

fn synced(total: usize) -> Value {
    json!({
        "phase": "Synced", "created": 0, "modified": 0, "deleted": 0, "total": total, "changed": [],
    })
}

#[tokio::test]
async fn the_quickstart_needs_nothing_and_ends() {
    let begun = tokio::time::Instant::now();
    let ended = output(example("quickstart")).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    assert!(stdout.starts_with("Synced  36 ingresses\n"), "{stdout}");
    let live: Vec<_> = stdout.lines().filter(|line| line.starts_with("Live")).collect();
    let [first, second, third, burst @ ..] = &live[..] else { panic!("{stdout}") };
    assert_eq!(
        [*first, second, third],
        ["Live    +1 ~0 -0", "Live    +0 ~1 -0", "Live    +0 ~0 -1"]
    );
    // How many depends on the machine; without the debounce it would be 30.
    assert!((2..6).contains(&burst.len()), "{stdout}");
}

#[tokio::test]
async fn only_the_backends_that_were_touched_are_rendered() {
    let folder = TempDir::new().unwrap();
    let mut command = example("ingress_config");
    let ended = output({
        command.arg("--output").arg(folder.path());
        command
    })
    .await;
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    assert!(stdout.starts_with("Synced  3 ingresses, 9 services, 9 slices"), "{stdout}");
    let rendered = stdout.lines().filter_map(|line| line.trim().split_once(" backends rendered"));
    let rendered: Vec<_> = rendered.map(|(rendered, _)| rendered).collect();
    let [all, slice, ingress, burst @ .., service] = &rendered[..] else { panic!("{stdout}") };
    assert_eq!([*all, slice, ingress, service], ["9 of 9", "1 of 9", "0 of 8", "1 of 8"]);
    assert!((2..6).contains(&burst.len()), "{stdout}");
    assert!(burst.iter().all(|rendered| *rendered == "1 of 8"), "{stdout}");
    let config = std::fs::read_to_string(folder.path().join("haproxy.cfg")).unwrap();
    assert!(config.contains("    server s1 10.0.2.30:8080\n"), "{config}");
}

#[tokio::test]
async fn what_cannot_be_used_is_pointed_out() {
    let (_folder, kubeconfig) = unreachable();
    let rejected: &[(&[&str], &str)] = &[
        (&[], "<RESOURCE>"),
        (&["pods"], "expected group/version/plural"),
        (&["v1/Pod"], "looks like a kind"),
        (
            &["v1/pods", "--index-by", "metadata.labels[app]"],
            "\n  metadata.labels[app]\n                  ^\n",
        ),
        (&["v1/pods", "--by", "app=spec."], "\n  spec.\n       ^\n"),
        (&["v1/pods", "--by", "spec.type"], "the name of an index"),
        (&["v1/pods", "--by", "main=spec.type"], "--index-by"),
        (
            &["v1/pods", "--match", "spec.type=A,spec."],
            "\n  spec.type=A,spec.\n                   ^\n",
        ),
        (&["v1/pods", "--ignore", "metadata.uid"], "\n  metadata.uid\n  ^\n"),
        (&["v1/pods", "--field-selector", "x"], "\n  x\n   ^\n"),
        (&["v1/pods", "-l", "a b"], "\n  a b\n    ^\n"),
        (&["v1/pods", "--debounce", "5"], "such as 500ms"),
        (&["v1/pods", "--debounce=-1s"], "can't be negative"),
        (&["v1/pods", "--quiet", "1s", "--debounce", "1s"], "cannot be used with"),
        (&["v1/pods", "--max-wait", "1s"], "--quiet"),
        (&["v1/pods", "--changes", "0"], "--changes"),
        (&["v1/pods", "--get", "a,b,c"], "has 2 key parts"),
        (&["v1/pods", "--get-by", "host=a"], "no index `host`"),
        (&["v1/pods", "--namespace", "A/B"], "`A/B` can't be the name of a namespace"),
        (&["v1/pods", "--namespace", "a", "--own-namespace"], "cannot be used with"),
        (
            &["v1/pods", "--source", "kube", "--namespace", "a", "--namespace", "b"],
            "--namespace once",
        ),
        (&["v1/pods", "--context", "there"], "there"),
        (&["v1/pods", "--context", "bare", "--own-namespace"], "the own namespace is unknown"),
    ];
    for (arguments, expected) in rejected {
        let mut command = example("watch");
        command.env("KUBECONFIG", &kubeconfig).args(*arguments);
        let ended = output(command).await;
        let stderr = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_eq!(text(&ended.stdout), "", "{arguments:?}");
    }
}

#[tokio::test]
async fn without_a_server_it_tries_and_then_gives_up() {
    let (_folder, kubeconfig) = unreachable();
    for source in ["weir", "kube"] {
        let arguments = ["v1/pods", "--source", source, "--sync-timeout", "2s"];
        let mut watch = Running::watch(&kubeconfig, &arguments);
        let error = watch.line().await;
        assert_eq!((&error["phase"], &error["cause"]), (&json!("Error"), &json!("Connection")));
        assert_eq!(watch.line().await["phase"], "Error", "it tried only once");
        while let Some(line) = watch.lines.next_line().await.expect("text") {
            assert!(line.contains("Connection"), "{line}");
        }
        let (code, stderr) = watch.end().await;
        assert_eq!(code, 3, "{stderr}");
        assert!(stderr.starts_with("error: not synced: Connection: "), "{stderr}");
    }
}

#[tokio::test]
async fn it_ends_in_peace_when_nobody_wants_more() {
    let (_folder, kubeconfig) = unreachable();
    let Running { mut child, mut lines } = Running::watch(&kubeconfig, &["v1/pods"]);
    assert!(lines.next_line().await.expect("text").is_some());
    drop(lines);
    let ended = timeout(SOON, child.wait()).await.expect("an end in time").expect("a status");
    assert_eq!(ended.code(), Some(0), "after its reader was gone");

    if cfg!(unix) {
        let mut watch = Running::watch(&kubeconfig, &["v1/pods"]);
        watch.line().await;
        let pid = watch.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().await.expect("kill");
        assert!(sent.success());
        while watch.lines.next_line().await.expect("text").is_some() {}
        assert_eq!(watch.exit().await, (0, String::new()), "after ctrl-c");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_tells_what_changes() {
    let Some(cluster) = apiserver::server().await else { return };
    for source in ["weir", "kube"] {
        let namespace = cluster.namespace("example").await;
        let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
        #[rustfmt::skip]
        let mut watch = Running::watch(&cluster.kubeconfig(ADMIN), &[
            "v1/configmaps", "--source", source, "--namespace", &namespace,
            "--index-by", "metadata.namespace", "--index-by", "metadata.name",
            "--get", &namespace, "--debounce", "10ms",
        ]);
        let mut expected = synced(0);
        expected["get"] = json!([]);
        assert_eq!(watch.change().await, expected, "{source}");

        let a = create(&api, "a", &json!({})).await;
        assert_eq!(watch.change().await, live("created", &a, 1, &["a"]), "{source}");
        let b = create(&api, "b", &json!({})).await;
        assert_eq!(watch.change().await, live("created", &b, 2, &["a", "b"]), "{source}");

        let patch = Patch::Merge(json!({ "data": { "key": "other" } }));
        let b = api.patch("b", &PatchParams::default(), &patch).await.expect("it is patched");
        assert_eq!(watch.change().await, live("modified", &b, 2, &["a", "b"]), "{source}");

        // In its last known version.
        api.delete("b", &DeleteParams::default()).await.expect("it is deleted");
        assert_eq!(watch.change().await, live("deleted", &b, 1, &["a"]), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_and_ends_it_at_last() {
    let Some(cluster) = apiserver::server().await else { return };
    let namespace = cluster.namespace("example").await;
    let kubeconfig = cluster.kubeconfig(&cluster.user());
    let arguments = ["v1/configmaps", "--namespace", &namespace, "--sync-timeout", "1s"];
    let mut watch = Running::watch(&kubeconfig, &arguments);

    let error = watch.line().await;
    assert_eq!((&error["phase"], &error["cause"]), (&json!("Error"), &json!("Forbidden")));
    assert!(error["message"].as_str().is_some_and(|message| message.contains("configmaps")));
    assert_eq!(error.as_object().map(serde_json::Map::len), Some(3), "{error}");

    let (code, stderr) = watch.end().await;
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.starts_with("error: not synced: Forbidden: "), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_it_has_seen_enough() {
    let Some(cluster) = apiserver::server().await else { return };
    let namespace = cluster.namespace("example").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        create(&api, name, &json!({ "color": color })).await;
    }
    let kubeconfig = cluster.kubeconfig(ADMIN);
    let run = |more: &[&str]| {
        let common = ["v1/configmaps", "--namespace", &namespace, "--debounce", "0s"];
        Running::watch(&kubeconfig, &[&common, more].concat())
    };
    let done = (0, String::new());

    let mut watch = run(&["--exit-after-synced"]);
    assert_eq!(watch.change().await, synced(3));
    assert_eq!(watch.end().await, done);

    // The loading is told, and what is selected on may be dropped.
    #[rustfmt::skip]
    let mut watch = run(&[
        "--exit-after-synced", "--progress", "--match", "data.color=red", "--ignore", "data",
    ]);
    let mut loaded = 0;
    let last = loop {
        let change = watch.change().await;
        if change["phase"] == "Synced" {
            break change;
        }
        assert_eq!(change["phase"], "InitialSync");
        loaded += change["created"].as_u64().expect("a number");
    };
    assert_eq!((loaded, last), (2, synced(2)));
    assert_eq!(watch.end().await, done);

    // A change that begins or ends a match is a creation or a deletion.
    for source in ["weir", "kube"] {
        #[rustfmt::skip]
        let mut watch = run(&[
            "--source", source, "--changes", "2", "--match", "data.color=red",
            "--by", "color=data.color", "--get-by", "color=red",
        ]);
        assert_eq!(watch.change().await["get"].as_array().map(Vec::len), Some(2));
        let mut names = vec!["a", "b", "c"];
        for (color, op) in [("red", "created"), ("blue", "deleted")] {
            let patch = Patch::Merge(json!({ "data": { "color": color } }));
            let old = api.get("b").await.expect("it is there");
            let new = api.patch("b", &PatchParams::default(), &patch).await.expect("patched");
            // What is deleted is told in the version that still matched.
            let told = if op == "created" { new } else { old };
            let expected = live(op, &told, names.len(), &names);
            assert_eq!(watch.change().await, expected, "{source}");
            names = vec!["a", "c"];
        }
        assert_eq!(watch.end().await, done, "{source}");
    }
}
