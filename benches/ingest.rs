//! Measures the CPU cost of ingesting objects, from the bytes of an answer to a published snapshot.
//!
//! `cargo bench --bench ingest [-- OBJECTS]` passes the same bytes, in frames and without a network,
//! to each client and prints CPU time per object: for a list in pages of 500, for a watch at full
//! rate, and for single changes that are each published before the next one arrives. It writes
//! `target/bench/ingest.json`. `memory` measures the memory of the stored objects.
//!
//! Clients take turns, so that a temporary slowdown of the machine affects all of them, and each turn runs in
//! a separate process.

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;

use support::{
    canned, child,
    clients::{Options, Seen, Way, open},
    corpus::{CHANGED, Corpus, Kind},
    measure::{float, median, micros, process_cpu},
    report::{self, short, table},
};

const OBJECTS: usize = 3000;
const SINGLE_CHANGES: usize = 500;
const ROUNDS: usize = 5;
const PAGE: u32 = 500;

fn main() {
    if let Some(orders) = child::orders() {
        let [plural, way, objects] = &orders[..] else { panic!("not {orders:?}") };
        let world = World::new(Kind::named(plural), objects.parse().expect("a number"));
        println!("{}", world.run(Way::named(way)));
        return;
    }
    // Cargo passes `--bench`; a number is the number of objects of each kind.
    let objects = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS);
    let kinds = Kind::ALL.map(|kind| (kind.plural().to_owned(), measure(kind, objects)));
    report::write("ingest", &json!({ "objects": objects }), &Map::from_iter(kinds).into());
}

/// The figures of each client, in CPU microseconds per object.
const FIGURES: [&str; 3] = ["list_us", "watch_us", "single_us"];

/// Measures all clients with one kind of object.
fn measure(kind: Kind, objects: usize) -> Value {
    let mut runs: Vec<Vec<Value>> = Way::ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (way, runs) in Way::ALL.into_iter().zip(&mut runs) {
            let orders = [kind.plural(), way.name(), &objects.to_string()];
            runs.push(child::measured(&orders));
        }
    }
    let middle = |runs: &[Value], figure: &str| {
        median(runs.iter().filter_map(|run| run[figure].as_f64()).collect())
    };
    let rows = runs.iter().map(|runs| FIGURES.map(|figure| middle(runs, figure)));
    let rows: Vec<_> = Way::ALL.into_iter().zip(rows).collect();
    print(kind, objects, &rows);
    let figures = rows.iter().map(|(way, figures)| {
        let figures =
            FIGURES.iter().zip(figures).map(|(name, figure)| ((*name).to_owned(), json!(figure)));
        (way.name().to_owned(), Value::Object(figures.collect()))
    });
    Value::Object(figures.collect())
}

fn print(kind: Kind, objects: usize, rows: &[(Way, [f64; 3])]) {
    let plain = rows.iter().find(|(way, _)| *way == Way::KubeDynamic).expect("a row for each").1;
    let rows = rows.iter().map(|(way, figures)| {
        let cells = figures
            .iter()
            .zip(plain)
            .flat_map(|(figure, plain)| [short(*figure), format!("{}x", short(plain / figure))]);
        [way.name().to_owned()].into_iter().chain(cells).collect()
    });
    let title = format!(
        "ingest: {objects} {} of {:.0} bytes, CPU µs per object, and times faster than kube dynamic",
        kind.plural(),
        float(Corpus::new(kind, objects).bytes()) / float(objects),
    );
    let head = ["client", "list", "", "watch, full rate", "", "watch, one by one", ""];
    table(&title, &head, &rows.collect::<Vec<_>>());
}

/// The input bytes of all clients.
struct World {
    kind: Kind,
    objects: usize,
    pages: Vec<Bytes>,
    changes: Vec<Bytes>,
    single: Vec<Bytes>,
}

impl World {
    fn new(kind: Kind, objects: usize) -> Self {
        let corpus = Corpus::new(kind, objects);
        let mut changes = corpus.changes(objects + SINGLE_CHANGES);
        Self {
            kind,
            objects,
            pages: corpus.pages(PAGE as usize),
            single: changes.split_off(objects),
            changes,
        }
    }

    fn run(&self, way: Way) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let (send, receive) = mpsc::unbounded_channel();
            let client = self.client(receive);
            let last = (CHANGED + self.changes.len() - 1).to_string();
            let options = Options {
                kind: self.kind,
                page_size: PAGE,
                indexed: false,
                debounce: None,
                relists: false,
                last,
            };

            let start = process_cpu();
            let mut seen = open(way, client, options);
            let Some(Seen::Synced { objects }) = seen.next().await else { panic!("no sync") };
            let synced = process_cpu();
            assert_eq!(objects, self.objects);

            for line in &self.changes {
                send.send(line.clone()).expect("the watch goes on");
            }
            while !matches!(seen.next().await, Some(Seen::Live { last: true })) {}
            let watched = process_cpu();

            for line in &self.single {
                send.send(line.clone()).expect("the watch goes on");
                let Some(Seen::Live { .. }) = seen.next().await else { panic!("no change") };
            }
            let done = process_cpu();
            json!({
                "list_us": micros(synced.saturating_sub(start), self.objects),
                "watch_us": micros(watched.saturating_sub(synced), self.changes.len()),
                "single_us": micros(done.saturating_sub(watched), self.single.len()),
            })
        })
    }

    /// Returns a client whose single watch sends the lines from a channel.
    fn client(&self, lines: mpsc::UnboundedReceiver<Bytes>) -> kube::Client {
        let lines = Arc::new(Mutex::new(Some(lines)));
        let watches = move |_| match lines.try_lock().ok().and_then(|mut lines| lines.take()) {
            Some(lines) => UnboundedReceiverStream::new(lines).boxed(),
            None => stream::pending().boxed(),
        };
        canned::client(self.kind.url(), self.pages.clone(), Box::new(watches))
    }
}
