//! Measures the cost of a whole client, from the network to its consumer.
//!
//! `cargo bench --bench live [-- PERCENT]` serves 20,000 Pods and 10,000 Ingresses over loopback HTTP to one
//! client after the other, each in a separate process. Clients list in pages of 500, store the objects under
//! two indexes if they can (by namespace; by host or node), then receive changes as fast as they can process
//! them. Our changes go through a debounce of 50 ms. It prints a table for each kind and writes
//! `target/bench/live.json`; a number limits the run to that percentage of the objects and changes.
//!
//! client-go runs if Go is installed (`benches/peers`), with JSON and pages like the others, on all cores;
//! the clients in Rust run on one thread. All drop the fields that ours does not decode: managedFields, and
//! the status of Pods. CPU time is that of the client's process only, `resident` is the growth of its RSS
//! once it is synced (Go: after a garbage collection), peaks are of its RSS.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../support/mod.rs"]
mod support;

mod clients;
mod server;

use serde_json::{Map, Value, json};

use clients::{Program, Task};
use server::Server;
use support::{
    child,
    corpus::{CHANGED, Corpus, Kind},
    measure::{float, median},
    report::{self, short, table},
};

/// The served kinds, with the numbers of objects and changes.
const SERVED: [(Kind, usize, usize); 2] =
    [(Kind::Pod, 20_000, 10_000), (Kind::Ingress, 10_000, 100_000)];

const ROUNDS: usize = 3;

fn main() {
    if let Some(orders) = child::orders() {
        return clients::follow(&orders);
    }
    let percent: usize = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100);
    std::fs::create_dir_all("target/bench").expect("a directory to write to");
    let go = clients::build_go();
    let programs = Program::ALL.into_iter().filter(|program| go || !program.is_go());
    let programs: Vec<_> = programs.collect();
    let (mut served, mut measured) = (Map::new(), Map::new());
    for (kind, objects, events) in SERVED {
        let (objects, events) = (objects * percent / 100, events * percent / 100);
        let (of, rows) = measure(kind, objects, events, &programs);
        served.insert(kind.plural().to_owned(), of);
        measured.insert(kind.plural().to_owned(), rows);
    }
    report::write("live", &served.into(), &measured.into());
}

/// Measures all clients with one kind; returns the size of the input, and the costs.
fn measure(kind: Kind, objects: usize, events: usize, programs: &[Program]) -> (Value, Value) {
    let corpus = Corpus::new(kind, objects);
    let size = float(corpus.bytes()) / float(objects);
    let server = Server::start(corpus, events).expect("a port to listen on");
    let last = (CHANGED + events - 1).to_string();
    let bytes = server.bytes_of_watch;
    let task = Task { server: server.url(), kind, objects, last, bytes };

    let mut runs: Vec<Vec<Value>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (program, runs) in programs.iter().zip(&mut runs) {
            server.open(false);
            let mut client = program.start(&task);
            let mut run = client.next();
            server.open(true);
            let live = client.next();
            let seconds = |name: &str| live[name].as_f64().unwrap_or(f64::NAN);
            run["events_per_second"] = json!(float(events) / seconds("live_wall"));
            run["event_us"] = json!(seconds("live_cpu") * 1e6 / float(events));
            run["live_peak"] = live["live_peak"].clone();
            runs.push(run);
        }
    }
    let rows = programs.iter().zip(&runs).map(|(program, runs)| {
        let figures = runs[0].as_object().expect("an object").keys().map(|figure| {
            let values = runs.iter().filter_map(|run| run[figure].as_f64()).collect();
            (figure.clone(), json!(median(values)))
        });
        (program.name(), Value::Object(figures.collect()))
    });
    let rows: Vec<_> = rows.collect();
    print(&format!("{objects} {} of {size:.0} bytes, {events} changes", kind.plural()), &rows);
    let rows = rows.into_iter().map(|(name, row)| (name.to_owned(), row)).collect();
    (json!({ "objects": objects, "bytes": size, "changes": events }), Value::Object(rows))
}

fn print(title: &str, rows: &[(&str, Value)]) {
    let head = [
        "client",
        "sync, CPU µs/object",
        "sync, s",
        "resident, bytes/object",
        "heap, bytes/object",
        "peak at sync, MB",
        "peak live, MB",
        "events/s",
        "CPU µs/event",
    ];
    let cells = |(name, row): &(&str, Value)| {
        let figure = |name: &str, unit: f64| short(row[name].as_f64().unwrap_or(f64::NAN) / unit);
        vec![
            (*name).to_owned(),
            figure("sync_us", 1.0),
            figure("sync_wall", 1.0),
            figure("resident", 1.0),
            figure("heap", 1.0),
            figure("peak", 1e6),
            figure("live_peak", 1e6),
            figure("events_per_second", 1.0),
            figure("event_us", 1.0),
        ]
    };
    table(&format!("live: {title}"), &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
