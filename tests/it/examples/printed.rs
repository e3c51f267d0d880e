//! The examples on their own API server, compared with `examples/README.md`.

use std::{ffi::OsStr, path::Path};

use super::{example, output, text};

const README: &str = include_str!("../../../examples/README.md");

/// Runs an example, whose output must equal its section exactly.
async fn prints_what_is_shown(name: &str) {
    logs_and_prints_what_is_shown(name, &[]).await;
}

/// Runs an example that logs lines with these texts, and compares its output.
async fn logs_and_prints_what_is_shown(name: &str, logged: &[&str]) {
    let section = README.split("\n## ").find_map(|section| section.strip_prefix(name));
    let shown = section.and_then(|section| section.split_once("```text\n")?.1.split_once("```"));
    let ended = output(example(name)).await;
    let log: Vec<_> = text(&ended.stderr).lines().collect();
    let is_as_expected = log.len() == logged.len()
        && log.iter().zip(logged).all(|(line, expected)| line.contains(expected));
    assert!(ended.status.code() == Some(0) && is_as_expected, "{log:?}");
    assert_eq!(Some(text(&ended.stdout)), shown.map(|(shown, _)| shown), "in examples/README.md");
}

#[tokio::test]
async fn pod_changes() {
    prints_what_is_shown("pod_changes").await;
}

#[tokio::test]
async fn service_endpoints() {
    prints_what_is_shown("service_endpoints").await;
}

#[tokio::test]
async fn crd_dynamic() {
    logs_and_prints_what_is_shown("crd_dynamic", &["reason=\"NotInstalled\""]).await;
}

#[tokio::test]
async fn configmap_one() {
    prints_what_is_shown("configmap_one").await;
}

#[tokio::test]
async fn secrets_cached() {
    prints_what_is_shown("secrets_cached").await;
}

#[tokio::test]
async fn from_client_go() {
    prints_what_is_shown("from_client_go").await;
}

#[tokio::test]
async fn from_kube_runtime() {
    prints_what_is_shown("from_kube_runtime").await;
}

#[tokio::test]
async fn templates() {
    prints_what_is_shown("templates").await;
}

#[tokio::test]
async fn world() {
    prints_what_is_shown("world").await;
}

#[test]
fn every_example_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let is_example =
        |path: &Path| path.extension() == Some(OsStr::new("rs")) || path.join("main.rs").exists();
    let mut listed = 0;
    for path in entries.filter(|path| is_example(path)) {
        let name = path.file_stem().unwrap().to_string_lossy();
        let file = path.strip_prefix(&folder).unwrap().display();
        assert!(README.contains(&format!(" | [`{name}`]({file}) | ")), "{name} is in no row");
        assert!(README.contains(&format!("\n## {name}\n")), "{name} has no section");
        listed += 1;
    }
    assert!(listed >= 10, "only {listed} examples were found");
}
