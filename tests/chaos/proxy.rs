//! A way to the server on which things go wrong.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use kube::config::Config;
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

/// A fault of a connection. TLS passes through unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    None,
    /// Received bytes wait for so long, in either direction.
    Delay(Duration),
    /// A few bytes at a time.
    Trickle,
    /// The connection ends in order, with a FIN.
    Cut,
    /// It ends with a RST, as when a router has forgotten it.
    Reset,
    /// It stays open, takes everything, and never carries anything again.
    Stall,
    /// It breaks off after so many bytes more from the server: in the middle of a body.
    Break(usize),
    /// A byte from the server is changed, which TLS notices.
    Garble,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Delay(_) => "delayed",
            Self::Trickle => "trickled",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Stall => "stalled",
            Self::Break(_) => "broken off in a body",
            Self::Garble => "garbled",
        }
    }
}

/// The connections that have a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Old,
    New,
    All,
}

#[derive(Clone, Copy)]
struct Weather {
    fault: Fault,
    on: On,
    /// The first connection that came after it.
    first_new: usize,
    /// The number of the current weather.
    serial: usize,
}

impl Weather {
    fn of(&self, number: usize) -> Fault {
        let hit = match self.on {
            On::Old => number < self.first_new,
            On::New => number >= self.first_new,
            On::All => true,
        };
        if hit { self.fault } else { Fault::None }
    }
}

/// Carries connections to the server, and what goes wrong with them on the way.
pub(crate) struct Proxy {
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
    /// Connections that a fault came to, by its name.
    hit: Mutex<BTreeMap<&'static str, usize>>,
}

impl Proxy {
    /// To the server of a configuration, which is changed to lead here.
    pub(crate) async fn to(config: &mut Config) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = config.cluster_url.port_u16().expect("a port");
        config.cluster_url = format!("https://127.0.0.1:{port}").parse::<Uri>().unwrap();
        let fair = Weather { fault: Fault::None, on: On::All, first_new: 0, serial: 0 };
        let (weather, watched) = watch::channel(fair);
        let counts = Arc::new(Counts::default());
        let proxy = Self { weather, counts: Arc::clone(&counts) };
        tokio::spawn(async move {
            let mut watched = watched;
            loop {
                let client = tokio::select! {
                    client = listener.accept() => client,
                    // Else the port outlives the proxy.
                    () = gone(&mut watched) => return,
                };
                let Ok((client, _)) = client else { continue };
                let number = counts.accepted.fetch_add(1, Ordering::SeqCst);
                let line = Line {
                    number,
                    weather: watched.clone(),
                    counts: Arc::clone(&counts),
                    noted: AtomicUsize::new(0),
                };
                tokio::spawn(line.carry(client, server));
            }
        });
        proxy
    }

    /// From now on this goes wrong.
    pub(crate) fn set(&self, fault: Fault, on: On) {
        let first_new = self.accepted();
        self.weather.send_modify(|weather| {
            *weather = Weather { fault, on, first_new, serial: weather.serial + 1 };
        });
    }

    /// Connections that it took so far.
    pub(crate) fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// Connections that are there.
    pub(crate) fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// How many connections had to do with a fault, by its name.
    pub(crate) fn hit(&self) -> BTreeMap<&'static str, usize> {
        self.counts.hit.lock().unwrap().clone()
    }
}

async fn gone(weather: &mut watch::Receiver<Weather>) {
    while weather.changed().await.is_ok() {}
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

/// A connection.
struct Line {
    number: usize,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
    /// The last weather whose fault came to this.
    noted: AtomicUsize,
}

impl Line {
    async fn carry(self, mut client: TcpStream, server: u16) {
        self.counts.open.fetch_add(1, Ordering::SeqCst);
        let end = match self.ends_now() {
            Some(end) => end,
            None => match TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await {
                Ok(server) => self.exchange(&mut client, server).await,
                // A client without a proxy sees the same.
                Err(_) => End::Reset,
            },
        };
        finish(&mut client, end).await;
        self.counts.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn exchange(&self, client: &mut TcpStream, mut server: TcpStream) -> End {
        let end = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                end = self.pump(from_client, to_server, false) => end,
                end = self.pump(from_server, to_client, true) => end,
                end = self.ended() => end,
            }
        };
        finish(&mut server, end).await;
        end
    }

    /// Copies in one direction, until it ends.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        down: bool,
    ) -> End {
        let mut buffer = vec![0; 16 << 10];
        let mut breaking = (0, 0);
        loop {
            let Ok(read @ 1..) = from.read(&mut buffer).await else { return End::Closed };
            let bytes = &mut buffer[..read];
            let weather = *self.weather.borrow();
            let fault = weather.of(self.number);
            let written = match fault {
                Fault::Delay(delay) => {
                    self.note(weather);
                    sleep(delay).await;
                    to.write_all(bytes).await
                }
                Fault::Trickle => {
                    self.note(weather);
                    self.trickle(&mut to, bytes, weather.serial).await
                }
                Fault::Stall => {
                    self.note(weather);
                    return swallow(from, buffer).await;
                }
                Fault::Break(after) if down => {
                    if breaking.0 != weather.serial {
                        breaking = (weather.serial, after);
                    }
                    let carried = read.min(breaking.1);
                    breaking.1 -= carried;
                    let written = to.write_all(&bytes[..carried]).await;
                    if breaking.1 == 0 {
                        self.note(weather);
                        return if self.number.is_multiple_of(2) {
                            End::Closed
                        } else {
                            End::Reset
                        };
                    }
                    written
                }
                Fault::Garble if down => {
                    if self.note(weather) {
                        bytes[read / 2] ^= 1;
                    }
                    to.write_all(bytes).await
                }
                Fault::None | Fault::Cut | Fault::Reset | Fault::Break(_) | Fault::Garble => {
                    to.write_all(bytes).await
                }
            };
            if written.is_err() {
                return End::Closed;
            }
        }
    }

    /// Slowly, as long as the weather lasts.
    async fn trickle(
        &self,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
        serial: usize,
    ) -> io::Result<()> {
        for piece in bytes.chunks(100) {
            to.write_all(piece).await?;
            if self.weather.borrow().serial == serial {
                sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Returns when the weather ends the connection.
    async fn ended(&self) -> End {
        let mut weather = self.weather.clone();
        loop {
            if weather.changed().await.is_err() {
                return End::Closed; // the test is over
            }
            if let Some(end) = self.ends_now() {
                return end;
            }
        }
    }

    fn ends_now(&self) -> Option<End> {
        let weather = *self.weather.borrow();
        let end = match weather.of(self.number) {
            Fault::Cut => End::Closed,
            Fault::Reset => End::Reset,
            _ => return None,
        };
        self.note(weather);
        Some(end)
    }

    /// Counts this connection among those that the fault came to, and says whether it is new.
    fn note(&self, weather: Weather) -> bool {
        let new = self.noted.swap(weather.serial, Ordering::SeqCst) != weather.serial;
        if new {
            *self.counts.hit.lock().unwrap().entry(weather.fault.name()).or_default() += 1;
        }
        new
    }
}

async fn finish(stream: &mut TcpStream, end: End) {
    // Either fails where the other side was faster.
    match end {
        End::Closed => drop(stream.shutdown().await),
        End::Reset => drop(stream.set_zero_linger()),
    }
}

/// Takes everything, until whoever sends gives up.
async fn swallow(mut from: impl AsyncRead + Unpin, mut buffer: Vec<u8>) -> End {
    while let Ok(1..) = from.read(&mut buffer).await {}
    End::Closed
}
