//! A connection to the server that a test can cut.

use std::net::Ipv4Addr;
use std::pin::pin;

use http::Uri;
use kube::config::Config;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections to the server byte by byte, until stopped or dropped.
pub(super) struct Wire {
    port: u16,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Whole,
    /// All connections are closed, and new ones, too.
    Cut,
    /// Existing connections stay open without data; new ones work.
    Dead,
}

impl Wire {
    /// Starts a proxy to the server of a configuration, and changes the configuration to use it.
    pub(super) async fn to(config: &mut Config) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = config.cluster_url.port_u16().expect("a port");
        config.cluster_url = format!("https://127.0.0.1:{port}").parse::<Uri>().unwrap();
        let (state, watched) = watch::channel(State::Whole);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut state = watched.clone();
                if *state.borrow_and_update() != State::Cut {
                    tokio::spawn(carry(client, server, state));
                }
            }
        });
        Self { port, state }
    }

    pub(super) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(super) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// Silences existing connections, as if a firewall dropped them.
    pub(super) fn silence(&self) {
        self.state.send_replace(State::Dead);
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "port {}: {:?}", self.port, *self.state.borrow())
    }
}

async fn carry(mut client: TcpStream, server: u16, mut state: watch::Receiver<State>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
    {
        let mut carrying = pin!(copy_bidirectional(&mut client, &mut server));
        loop {
            let changed = tokio::select! {
                _ = &mut carrying => return,
                changed = state.changed() => changed,
            };
            if changed.is_err() {
                return; // the test is over
            }
            match *state.borrow_and_update() {
                State::Whole => {}
                State::Cut => return,
                State::Dead => break,
            }
        }
    }
    // Open and silent, until the end of the test.
    while state.changed().await.is_ok() {}
}
