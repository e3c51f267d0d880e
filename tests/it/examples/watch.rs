//! `watch`, a tool: its output as JSON, its exit codes, and its errors.

use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Running, SOON, example, output, text, unreachable};
use crate::apiserver::{self, ADMIN};

impl Running {
    /// Starts the tool with JSON output.
    fn watch(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let mut command = example("watch");
        command.env("KUBECONFIG", kubeconfig).args(arguments).args(["-o", "json"]);
        Self::start(command)
    }

    /// Returns the next line on stdout.
    async fn json(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Returns the next line of a change, without the time.
    async fn change(&mut self) -> Value {
        let mut line = self.json().await;
        let elapsed = line.as_object_mut().and_then(|line| line.remove("elapsed_ms"));
        assert!(elapsed.is_some_and(|elapsed| elapsed.is_u64()), "no elapsed_ms: {line}");
        line
    }
}

fn config_map(name: &str, data: &Value) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name }, "data": data })).expect("valid")
}

async fn create(api: &Api<ConfigMap>, name: &str, data: &Value) -> ConfigMap {
    api.create(&PostParams::default(), &config_map(name, data)).await.expect("it is created")
}

/// Returns a Live line with one change and the objects that `--get` found.
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
async fn unusable_options_are_pointed_out() {
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
        (
            &["v1/pods", "--context", "bare", "--own-namespace"],
            "the namespace of this program is unknown",
        ),
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
        let error = watch.json().await;
        assert_eq!((&error["phase"], &error["cause"]), (&json!("Error"), &json!("Connection")));
        assert_eq!(watch.json().await["phase"], "Error", "it tried only once");
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
        watch.json().await;
        watch.interrupt().await;
        while watch.lines.next_line().await.expect("text").is_some() {}
        assert_eq!(watch.exit().await, (0, String::new()), "after ctrl-c");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_reports_changes() {
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

        // The object in its last known version.
        api.delete("b", &DeleteParams::default()).await.expect("it is deleted");
        assert_eq!(watch.change().await, live("deleted", &b, 1, &["a"]), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_reported_and_ends_it_at_last() {
    let Some(cluster) = apiserver::server().await else { return };
    let namespace = cluster.namespace("example").await;
    let kubeconfig = cluster.kubeconfig(&cluster.user());
    let arguments = ["v1/configmaps", "--namespace", &namespace, "--sync-timeout", "1s"];
    let mut watch = Running::watch(&kubeconfig, &arguments);

    let error = watch.json().await;
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

    // The load is printed, and the selected field may be dropped.
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

    // A change that starts or ends a match is a creation or a deletion.
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
            // A deletion has the version that still matched.
            let told = if op == "created" { new } else { old };
            let expected = live(op, &told, names.len(), &names);
            assert_eq!(watch.change().await, expected, "{source}");
            names = vec!["a", "c"];
        }
        assert_eq!(watch.end().await, done, "{source}");
    }
}
