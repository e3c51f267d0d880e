//! The two programs while they run.

use std::time::Duration;

use super::{error::Error, process::Process};

/// Time for a program to end by itself before it is killed.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// The two programs, if they run.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) apiserver: Option<Process>,
    pub(super) etcd: Option<Process>,
    /// Set from a pause of the API server until it is resumed.
    pub(super) paused: bool,
}

impl Pair {
    pub(super) async fn stop_both(&mut self) -> Result<(), Error> {
        self.stop_apiserver(GRACE).await?;
        self.stop_etcd().await
    }

    pub(super) async fn stop_apiserver(&mut self, grace: Duration) -> Result<(), Error> {
        self.paused = false;
        match self.apiserver.take() {
            Some(process) => process.stop(grace).await,
            None => Ok(()),
        }
    }

    pub(super) async fn stop_etcd(&mut self) -> Result<(), Error> {
        match self.etcd.take() {
            // On SIGTERM etcd waits for the streams of the API server. Its writes are with the
            // system already, so killing it loses nothing.
            Some(process) => process.stop(Duration::ZERO).await,
            None => Ok(()),
        }
    }

    pub(super) async fn pause_apiserver(&mut self, paused: bool) -> Result<(), Error> {
        self.forget_ended();
        let process = self.apiserver.as_mut();
        let process = process.ok_or_else(|| Error::other("kube-apiserver does not run"))?;
        process.signal(if paused { "STOP" } else { "CONT" }).await;
        self.paused = paused;
        Ok(())
    }

    /// Removes programs that ended by themselves.
    pub(super) fn forget_ended(&mut self) {
        self.paused &= self.apiserver.as_mut().is_some_and(|process| process.exited().is_none());
        for slot in [&mut self.apiserver, &mut self.etcd] {
            if slot.as_mut().is_some_and(|process| process.exited().is_some()) {
                *slot = None;
            }
        }
    }
}
