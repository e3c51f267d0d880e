//! The state that requests and the handle share.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::testing::server::{
    rules::{Rights, Script},
    store::Store,
};

/// The number of requests that the log keeps.
const LOGGED: usize = 10_000;

/// The state behind a lock.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the watches after a write or a signal.
    wake: watch::Sender<()>,
}

/// The part of the state that changes.
pub(super) struct State {
    pub(super) store: Store,
    pub(super) script: Script,
    pub(super) log: VecDeque<String>,
    pub(super) rights: Rights,
    pub(super) streaming_lists: bool,
    pub(super) gzip: bool,
}

impl Shared {
    pub(super) fn new() -> Self {
        let state = State {
            store: Store::new(),
            script: Script::default(),
            log: VecDeque::new(),
            rights: Rights::default(),
            streaming_lists: true,
            gzip: false,
        };
        Self { state: Mutex::new(state), wake: watch::Sender::new(()) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock must not hide the panic that caused it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.wake.send_replace(());
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }
}

impl State {
    pub(super) fn log(&mut self, request: String) {
        if self.log.len() == LOGGED {
            self.log.pop_front();
        }
        self.log.push_back(request);
    }
}
