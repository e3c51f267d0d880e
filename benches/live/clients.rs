//! The measured processes. Each prints a line when it is synced, and another when it has seen
//! the last change.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use futures::StreamExt;
use serde_json::json;

use super::support::{
    child::Measuring,
    clients::{Options, Seen, Way, open},
    corpus::Kind,
    measure::{float, micros, process_cpu, status},
};

/// A short interval: a lone change is delivered at once, changes within it together.
const DEBOUNCE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Rust(Way),
    GoDynamic,
    GoTyped,
    /// Reads from the socket and does nothing: the limit of the server.
    Socket,
}

impl Program {
    pub(crate) const ALL: [Self; 7] = [
        Self::Rust(Way::WeirDocument),
        Self::Rust(Way::WeirTyped),
        Self::Rust(Way::KubeDynamicStripped),
        Self::Rust(Way::KubeTypedStripped),
        Self::GoDynamic,
        Self::GoTyped,
        Self::Socket,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust(way) => way.name(),
            Self::GoDynamic => "client-go dynamic, stripped",
            Self::GoTyped => "client-go typed, stripped",
            Self::Socket => "socket only",
        }
    }

    pub(crate) fn is_go(self) -> bool {
        matches!(self, Self::GoDynamic | Self::GoTyped)
    }

    pub(crate) fn start(self, task: &Task) -> Measuring {
        let Task { server, kind, objects, last, bytes } = task;
        let (objects, bytes) = (objects.to_string(), bytes.to_string());
        if self.is_go() {
            let mut command = Command::new(go_program());
            // All clients list in pages.
            command.env("KUBE_FEATURE_WatchListClient", "false");
            command.args(["-server", server, "-plural", kind.plural(), "-last", last]);
            command.args(["-objects", &objects, &format!("-typed={}", self == Self::GoTyped)]);
            return Measuring::start_program(&mut command);
        }
        Measuring::start(&[self.name(), server, kind.plural(), &objects, last, &bytes])
    }
}

/// The task of a client.
pub(crate) struct Task {
    pub(crate) server: String,
    pub(crate) kind: Kind,
    pub(crate) objects: usize,
    /// The version of the last change.
    pub(crate) last: String,
    /// Bytes of the body of the watch.
    pub(crate) bytes: usize,
}

pub(crate) fn go_program() -> PathBuf {
    Path::new("target/bench").join("peers")
}

/// Builds the clients in Go; if that fails, prints the reason and returns false.
pub(crate) fn build_go() -> bool {
    let program = std::env::current_dir().expect("a directory").join(go_program());
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
    let build = Command::new("go")
        .arg("build")
        .arg("-o")
        .arg(program)
        .arg(".")
        .current_dir(module)
        .status();
    match build {
        Ok(status) if status.success() => return true,
        Ok(_) => eprintln!("client-go is left out: benches/peers does not build"),
        Err(error) => eprintln!("client-go is left out: no Go here ({error})"),
    }
    false
}

/// Runs the client that the parent process requested.
pub(crate) fn follow(orders: &[String]) {
    let [name, server, plural, objects, last, bytes] = orders else { panic!("not {orders:?}") };
    let number = |text: &str| text.parse().expect("a number");
    let kind = Kind::named(plural);
    let mut meter = Meter::new(number(objects));
    if name == Program::Socket.name() {
        return receive(&mut meter, server.trim_start_matches("http://"), kind, number(bytes));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let config = kube::Config::new(server.parse().expect("a URI"));
        let client = kube::Client::try_from(config).expect("a client");
        let options = Options {
            kind,
            page_size: 500,
            indexed: true,
            debounce: Some(DEBOUNCE),
            relists: false,
            last: last.clone(),
        };
        meter.begin();
        let mut seen = open(Way::named(name), client, options);
        let Some(Seen::Synced { objects }) = seen.next().await else { panic!("no sync") };
        meter.synced(objects);
        while !matches!(seen.next().await, Some(Seen::Live { last: true })) {}
        meter.done();
    });
}

/// Reads answers and throws them away.
fn receive(meter: &mut Meter, server: &str, kind: Kind, bytes: usize) {
    let mut connection = TcpStream::connect(server).expect("a server");
    let mut buffer = vec![0; 1 << 20];
    let ask = |query: &str, connection: &mut TcpStream| {
        let request = format!("GET {}?{query} HTTP/1.1\r\nHost: a\r\n\r\n", kind.url());
        connection.write_all(request.as_bytes()).expect("a server");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        length.map(|length| length.parse::<usize>().expect("a number"))
    };
    let mut skip = |mut left: usize, connection: &mut TcpStream| {
        while left > 0 {
            let read = connection.read(&mut buffer).expect("a body");
            assert!(read > 0, "the server hung up");
            left -= read.min(left);
        }
    };
    meter.begin();
    for page in 0..meter.objects.div_ceil(500) {
        let length = ask(&format!("limit=500&continue={page}"), &mut connection);
        skip(length.expect("a length"), &mut connection);
    }
    ask("watch=true", &mut connection);
    meter.synced(meter.objects);
    skip(bytes, &mut connection);
    meter.done();
}

/// Reports the resources that this process has used.
struct Meter {
    objects: usize,
    resident: f64,
    time: Instant,
    cpu: Duration,
}

impl Meter {
    fn new(objects: usize) -> Self {
        Self { objects, resident: 0.0, time: Instant::now(), cpu: Duration::ZERO }
    }

    fn begin(&mut self) {
        self.resident = status("VmRSS");
        (self.time, self.cpu) = (Instant::now(), process_cpu());
    }

    fn synced(&mut self, objects: usize) {
        let (wall, cpu) = (self.time.elapsed(), process_cpu().saturating_sub(self.cpu));
        assert_eq!(objects, self.objects);
        let (resident, peak) = (status("VmRSS"), status("VmHWM"));
        let figures = json!({
            "sync_us": micros(cpu, objects),
            "sync_wall": wall.as_secs_f64(),
            "resident": (resident - self.resident) / float(objects),
            "peak": peak,
        });
        println!("{figures}");
        (self.time, self.cpu) = (Instant::now(), process_cpu());
    }

    fn done(&self) {
        let (wall, cpu) = (self.time.elapsed(), process_cpu().saturating_sub(self.cpu));
        let figures = json!({
            "live_wall": wall.as_secs_f64(),
            "live_cpu": cpu.as_secs_f64(),
            "live_peak": status("VmHWM"),
        });
        println!("{figures}");
    }
}
