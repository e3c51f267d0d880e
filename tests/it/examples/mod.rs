//! The examples as programs: their output and exit codes.

mod axum_sse;
mod leader_gated;
mod metrics_prometheus;
mod migrated;
mod on_a_cluster;
mod opentelemetry;
mod printed;
mod probes;
mod snapshot_readers;
mod watch;
mod with_controller;

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Longest wait for a line or an exit that should be immediate.
const SOON: Duration = Duration::from_secs(20);

/// A running example; killed when dropped.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the example starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    /// Returns the next line on stdout.
    async fn line(&mut self) -> String {
        let line = timeout(SOON, self.lines.next_line()).await.expect("a line in time");
        match line.expect("text") {
            Some(line) => line,
            None => panic!("it ended: {:?}", self.end().await),
        }
    }

    /// Sends ctrl-c.
    async fn interrupt(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().await.expect("kill");
        assert!(sent.success());
    }

    /// Returns the exit code and stderr, after it has ended by itself without more lines on stdout.
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

/// Returns a command for an example.
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
    command(&path)
}

/// Returns a command for a program, without environment variables that would redirect it.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
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

/// Returns a kubeconfig for a server that does not exist.
fn unreachable() -> (TempDir, PathBuf) {
    // Nobody listens on a port that was free a moment ago; the socket is closed again here.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://{}", free.local_addr().expect("an address"));
    kubeconfig(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{ "name": "nowhere", "cluster": { "server": server } }],
        "users": [{ "name": "nobody", "user": {} }],
        "contexts": [
            { "name": "here", "context": { "cluster": "nowhere", "user": "nobody", "namespace": "own" } },
            { "name": "bare", "context": { "cluster": "nowhere", "user": "nobody" } },
        ],
    }))
}

/// A kubeconfig file and its folder.
fn kubeconfig(config: &Value) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, config.to_string()).expect("a file");
    (folder, path)
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
    // The number depends on the machine; without the debounce it would be 30.
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
