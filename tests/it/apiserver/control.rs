//! Starting and stopping the two processes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use http::Request;
use tokio::time::{Instant, sleep, timeout};

use super::cluster::{ADMIN, Cluster};
use super::process::{Process, tail};
use super::{Exclusive, assets, certs, etcd};

/// Longest time from the start of a process until it says that it is ready.
const READY: Duration = Duration::from_secs(60);
/// Time to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// The two processes, as far as they run.
#[derive(Default)]
pub(super) struct Pair {
    etcd: Option<Process>,
    apiserver: Option<Process>,
    /// Why a start failed: the next test need not wait for the same.
    broken: Option<String>,
}

impl Pair {
    pub(super) fn is_running(&self) -> bool {
        self.etcd.is_some() && self.apiserver.is_some()
    }

    /// Forgets processes that ended without being asked to.
    fn bury(&mut self) {
        for slot in [&mut self.etcd, &mut self.apiserver] {
            if let Some(status) = slot.as_mut().and_then(Process::exited) {
                assets::say(&format!("a server of the tests ended by itself: {status}\n"));
                *slot = None;
            }
        }
    }
}

impl Exclusive {
    /// Stops the API server in its orderly way: watches end, connections are closed.
    pub(crate) async fn stop_apiserver(&mut self) {
        if let Some(process) = self.pair.apiserver.take() {
            process.stop(GRACE).await;
        }
    }

    /// Ends the API server as a crash would: connections break off in the middle.
    pub(crate) async fn kill_apiserver(&mut self) {
        if let Some(process) = self.pair.apiserver.take() {
            process.stop(Duration::ZERO).await;
        }
    }

    /// Starts it again, on the same port and data. Does nothing when it runs.
    pub(crate) async fn start_apiserver(&mut self) {
        if self.pair.apiserver.is_none() {
            self.cluster.start_apiserver(&mut self.pair).await;
        }
    }

    /// Makes the API server hang: connections stay open and nothing is answered.
    pub(crate) fn freeze_apiserver(&mut self) {
        self.signal_apiserver("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw_apiserver(&mut self) {
        self.signal_apiserver("CONT");
    }

    /// Ends etcd. The API server runs on, without storage.
    pub(crate) async fn stop_etcd(&mut self) {
        if let Some(process) = self.pair.etcd.take() {
            // Asked nicely it waits for the API server's streams. What it wrote is with the
            // operating system, so killing it loses nothing.
            process.stop(Duration::ZERO).await;
        }
    }

    /// Starts it again, on the same port and data; waits for the API server, if that runs.
    pub(crate) async fn start_etcd(&mut self) {
        if self.pair.etcd.is_none() {
            self.cluster.start_etcd(&mut self.pair).await;
        }
        if self.pair.apiserver.is_some() {
            self.cluster.apiserver_ready(&mut self.pair).await;
        }
    }

    /// Drops all history that etcd has and returns the revision that is left.
    ///
    /// The API server still remembers, so nothing changes for clients until it is restarted. Then
    /// a watch at an older resourceVersion gets an `ERROR` event 410 (a restart alone does that
    /// too), and a list at one or an old continue token is answered by 410.
    pub(crate) async fn compact_etcd(&self) -> u64 {
        etcd::compact(self.cluster.etcd_port).await
    }

    fn signal_apiserver(&mut self, signal: &str) {
        let process = self.pair.apiserver.as_mut();
        process.expect("the API server runs").signal(signal);
    }
}

impl Drop for Exclusive {
    /// What is stopped is started for the next test, but a frozen server looks like a running one.
    fn drop(&mut self) {
        if let Some(process) = &mut self.pair.apiserver {
            process.signal("CONT");
        }
    }
}

impl Cluster {
    /// Starts whatever does not run, at first or because a test ended between stop and start.
    pub(super) async fn start_missing(&self, pair: &mut Pair) {
        if let Some(why) = &pair.broken {
            panic!("the server did not start for an earlier test: {why}");
        }
        pair.bury();
        if pair.etcd.is_none() {
            self.start_etcd(pair).await;
        }
        if pair.apiserver.is_none() {
            self.start_apiserver(pair).await;
        }
        self.apiserver_ready(pair).await;
    }

    async fn start_etcd(&self, pair: &mut Pair) {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let mut command = Command::new(&self.assets.etcd);
        command
            .arg("--name=test")
            .arg(flag("--data-dir", self.path("etcd")))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=test={peer}"))
            // Data need not survive the machine, only the process.
            .arg("--unsafe-no-fsync")
            // Without it the bookmarks of a kind that does not change stand still for 10 minutes.
            .arg("--watch-progress-notify-interval=5s");
        pair.etcd = Some(Process::spawn("etcd", &command, &self.log("etcd")));
        let ready = async || etcd::is_healthy(self.etcd_port).await;
        let outcome = wait_ready(pair.etcd.as_mut(), ready).await;
        self.or_broken(pair, "etcd", outcome).await;
    }

    async fn start_apiserver(&self, pair: &mut Pair) {
        let path = |name| self.path(name);
        let mut command = Command::new(&self.assets.apiserver);
        command
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            // Tests compact when they want to.
            .arg("--etcd-compaction-interval=0")
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
            // The server does not list a loopback address as an endpoint of itself: list none.
            .arg("--endpoint-reconciler-type=none")
            .arg(format!("--secure-port={}", self.apiserver_port))
            .arg("--service-cluster-ip-range=10.0.0.0/24")
            .arg(flag("--cert-dir", path("generated")))
            .arg(flag("--tls-cert-file", path(certs::SERVER.0)))
            .arg(flag("--tls-private-key-file", path(certs::SERVER.1)))
            .arg(flag("--client-ca-file", path(certs::CA)))
            .arg(flag("--token-auth-file", path("tokens.csv")))
            .arg("--authorization-mode=RBAC")
            .arg("--service-account-issuer=https://127.0.0.1")
            .arg(flag("--service-account-key-file", path(certs::TOKENS.0)))
            .arg(flag("--service-account-signing-key-file", path(certs::TOKENS.1)))
            // Without it a stopping server leaves its watches open until it is killed.
            .arg("--shutdown-watch-termination-grace-period=1s")
            // Nothing makes the service accounts that it would ask of every pod.
            .arg("--disable-admission-plugins=ServiceAccount")
            .arg("--allow-privileged=true");
        let process = Process::spawn("kube-apiserver", &command, &self.log("kube-apiserver"));
        pair.apiserver = Some(process);
        self.apiserver_ready(pair).await;
    }

    async fn apiserver_ready(&self, pair: &mut Pair) {
        let mut config = self.config(ADMIN).await;
        config.default_retry = false; // the loop below retries
        let client = kube::Client::try_from(config).expect("a valid configuration");
        let ready = async || {
            let request = Request::get("/readyz").body(Vec::new());
            let request = request.expect("a valid request");
            client.request_text(request).await.is_ok()
        };
        let outcome = wait_ready(pair.apiserver.as_mut(), ready).await;
        self.or_broken(pair, "kube-apiserver", outcome).await;
    }

    /// Turns a failed start into a panic that says all there is to know, for all tests.
    async fn or_broken(&self, pair: &mut Pair, name: &str, outcome: Result<(), String>) {
        let Err(why) = outcome else { return };
        for process in [pair.apiserver.take(), pair.etcd.take()].into_iter().flatten() {
            process.stop(Duration::ZERO).await;
        }
        let logs = ["etcd", "kube-apiserver"].map(|name| tail(&self.log(name)));
        let why = format!("{name} {why}\n{}", logs.concat());
        pair.broken = Some(why.clone());
        panic!("{why}");
    }

    fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }
}

/// Asks until the answer is yes, the process ends or the time is up.
async fn wait_ready(
    process: Option<&mut Process>,
    ready: impl AsyncFn() -> bool,
) -> Result<(), String> {
    let process = process.ok_or("does not run")?;
    let deadline = Instant::now() + READY;
    loop {
        if let Some(status) = process.exited() {
            return Err(format!("ended while starting: {status}"));
        }
        if timeout(Duration::from_secs(5), ready()).await == Ok(true) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("was not ready after {READY:?}"));
        }
        sleep(POLL).await;
    }
}

fn flag(name: &str, path: PathBuf) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from(name);
    flag.push("=");
    flag.push(path);
    flag
}
