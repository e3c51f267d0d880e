//! Methods that stop, start and pause the two programs.

use std::{process::ExitStatus, time::Duration};

use http::Request;
use kube::Client;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Cluster, Error, etcd, launch,
    pair::{GRACE, Pair},
    process::{Process, tail},
};

const POLL: Duration = Duration::from_millis(50);
/// Longest wait for one answer of a readiness check.
const READY_ANSWER: Duration = Duration::from_secs(5);

impl Cluster {
    /// Stops the API server gracefully: it ends its watches and closes its connections.
    ///
    /// # Errors
    ///
    /// If the program cannot be ended, as for all methods that stop a program.
    pub async fn stop_apiserver(&self) -> Result<(), Error> {
        self.pair.lock().await.stop_apiserver(GRACE).await
    }

    /// Kills the API server, like a crash: connections break off.
    ///
    /// # Errors
    ///
    /// If the program cannot be ended.
    pub async fn kill_apiserver(&self) -> Result<(), Error> {
        self.pair.lock().await.stop_apiserver(Duration::ZERO).await
    }

    /// Starts the API server on its port, unless it runs, and waits until it is ready. A paused server
    /// is resumed.
    ///
    /// # Errors
    ///
    /// [`is_start`](Error::is_start) or [`is_timeout`](Error::is_timeout), with the end of both
    /// logs. The program is stopped then.
    pub async fn start_apiserver(&self) -> Result<(), Error> {
        self.start_apiserver_of(&mut *self.pair.lock().await).await
    }

    /// Makes the API server hang: connections stay open and no request is answered.
    ///
    /// # Errors
    ///
    /// If the API server does not run.
    pub async fn pause_apiserver(&self) -> Result<(), Error> {
        self.pair.lock().await.pause_apiserver(true).await
    }

    /// Resumes a paused API server.
    ///
    /// # Errors
    ///
    /// If the API server does not run.
    pub async fn resume_apiserver(&self) -> Result<(), Error> {
        self.pair.lock().await.pause_apiserver(false).await
    }

    /// Stops etcd. The API server keeps running, without storage.
    ///
    /// # Errors
    ///
    /// If the program cannot be ended.
    pub async fn stop_etcd(&self) -> Result<(), Error> {
        self.pair.lock().await.stop_etcd().await
    }

    /// Starts etcd on its port and data, unless it runs. Waits until etcd is ready, and also the API server,
    /// if it runs and is not paused.
    ///
    /// # Errors
    ///
    /// [`is_start`](Error::is_start) or [`is_timeout`](Error::is_timeout), with the end of both
    /// logs. The program that is not ready is stopped then.
    pub async fn start_etcd(&self) -> Result<(), Error> {
        self.start_etcd_of(&mut *self.pair.lock().await).await
    }

    /// Drops all history of etcd, and returns the remaining revision: the resourceVersion
    /// of the last write.
    ///
    /// The API server has its own copy of the history, so nothing changes for clients until it is
    /// restarted. Afterwards a watch at an older resourceVersion gets an `ERROR` event 410, and a
    /// list at an older version or with an old continue token is answered by 410.
    ///
    /// # Errors
    ///
    /// If etcd does not answer.
    pub async fn compact(&self) -> Result<u64, Error> {
        etcd::compact(self.site.etcd_port).await
    }

    pub(super) async fn start_apiserver_of(&self, pair: &mut Pair) -> Result<(), Error> {
        pair.forget_ended();
        if pair.apiserver.is_none() {
            let command = launch::apiserver(&self.site);
            let log = self.site.log("kube-apiserver");
            pair.apiserver = Some(Process::spawn("kube-apiserver", &command, &log)?);
        } else if pair.paused {
            pair.pause_apiserver(false).await?;
        }
        self.wait_for_apiserver(pair).await
    }

    pub(super) async fn start_etcd_of(&self, pair: &mut Pair) -> Result<(), Error> {
        pair.forget_ended();
        if pair.etcd.is_none() {
            let command = launch::etcd(&self.site);
            pair.etcd = Some(Process::spawn("etcd", &command, &self.site.log("etcd"))?);
        }
        let ready = || etcd::is_healthy(self.site.etcd_port);
        self.wait("etcd", &mut pair.etcd, ready).await?;
        if pair.apiserver.is_none() || pair.paused {
            return Ok(());
        }
        self.wait_for_apiserver(pair).await
    }

    async fn wait_for_apiserver(&self, pair: &mut Pair) -> Result<(), Error> {
        let client = Client::try_from(self.config_without_retries().await?)
            .map_err(|cause| Error::client("cannot make a client", cause))?;
        let ready = || {
            let (client, request) = (client.clone(), Request::get("/readyz").body(Vec::new()));
            async move {
                let Ok(request) = request else { return false };
                client.request_text(request).await.is_ok()
            }
        };
        self.wait("kube-apiserver", &mut pair.apiserver, ready).await
    }

    /// Waits until the program is ready. If the program ends or the time is over, stops the program and
    /// returns an error.
    async fn wait<F>(
        &self,
        name: &str,
        slot: &mut Option<Process>,
        ready: impl Fn() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = bool>,
    {
        let limit = self.site.settings.start_timeout;
        let deadline = Instant::now() + limit;
        let error = loop {
            if let Some(status) = slot.as_mut().and_then(Process::exited) {
                break ended(name, status);
            }
            if timeout(READY_ANSWER, ready()).await == Ok(true) {
                return Ok(());
            }
            if Instant::now() > deadline {
                break Error::timeout(format!("{name} was not ready after {limit:?}"));
            }
            sleep(POLL).await;
        };
        if let Some(process) = slot.take() {
            process.stop(Duration::ZERO).await?;
        }
        let logs = ["etcd", "kube-apiserver"].map(|name| tail(&self.site.log(name)));
        Err(error.with_log(logs.concat()))
    }
}

fn ended(name: &str, status: ExitStatus) -> Error {
    Error::start(format!("{name} ended before it was ready ({status})"))
}
