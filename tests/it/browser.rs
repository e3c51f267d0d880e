//! A page in headless Chromium, controlled through chromedriver's HTTP.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{http::request, programs};

/// Longest wait for immediate events, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// An open page.
pub(crate) struct Page {
    at: SocketAddr,
    session: String,
    _driver: Driver,
    _profile: TempDir,
}

/// chromedriver, and the browser that it starts, in a separate process group.
struct Driver(Child);

impl Page {
    /// Starts the browser; prints a message and returns `None` if there is no Chromium.
    pub(crate) async fn open(url: &str) -> Option<Self> {
        for program in ["chromium", "chromedriver"] {
            if !programs::is_there(program).await {
                return None;
            }
        }
        let mut driver = Driver::start();
        let at = driver.address().await;
        let profile = TempDir::new().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", folder,
        ] });
        let wanted = json!({ "alwaysMatch": { "goog:chromeOptions": options } });
        let session = ask(at, "POST", "/session", &json!({ "capabilities": wanted })).await;
        let session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        let page = Self { at, session, _driver: driver, _profile: profile };
        page.tell("/url", &json!({ "url": url })).await;
        Some(page)
    }

    /// Runs the body of a function in the page, and returns its result.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.tell("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Runs the body of a function until its result is as expected.
    pub(crate) async fn until(&self, script: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.run(script).await;
            if wanted(&found) {
                return found;
            }
            assert!(begun.elapsed() < SOON, "`{script}` is still {found}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends the browser and removes its files.
    pub(crate) async fn close(self) {
        ask(self.at, "DELETE", &self.session, &json!({})).await;
    }

    async fn tell(&self, path: &str, body: &Value) -> Value {
        ask(self.at, "POST", &format!("{}{path}", self.session), body).await
    }
}

impl Driver {
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        #[cfg(unix)]
        command.process_group(0);
        Self(command.kill_on_drop(true).spawn().expect("chromedriver starts"))
    }

    /// Returns the port of chromedriver, once it listens.
    async fn address(&mut self) -> SocketAddr {
        let mut lines = BufReader::new(self.0.stdout.take().expect("a pipe")).lines();
        loop {
            let line = timeout(SOON, lines.next_line()).await.expect("a line in time");
            let line = line.expect("text").expect("chromedriver starts");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                // Read the rest of its output, so that it doesn't block.
                self.0.stdout = Some(lines.into_inner().into_inner());
                let port = port.trim_end_matches('.').parse().expect("a port");
                return SocketAddr::from(([127, 0, 0, 1], port));
            }
        }
    }
}

/// Also ends the browser if a test fails before closing it.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = self.0.id() {
            let _ = std::process::Command::new("kill").args(["--", &format!("-{group}")]).status();
        }
    }
}

async fn ask(driver: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let asked = request(driver, "localhost", method, path, &body);
    let (status, answer) = timeout(SOON, asked).await.expect("an answer in time").expect("HTTP");
    assert_eq!(status, 200, "{path}: {answer}");
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["value"].take()
}
