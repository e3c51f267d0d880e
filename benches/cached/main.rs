//! Measures the cost of 10,000 Secrets for a controller that reads twenty of them.
//!
//! `cargo bench --bench cached [-- OBJECTS]` serves Secrets of 10 KB over loopback HTTP to one client
//! after the other, each in a separate process: clients that store whole objects, and clients that store only
//! keys or metadata. It prints the growth of each in resident bytes once it is synced, and
//! for ours the time to fetch a Secret, and to read it again, beside a get by kube's
//! client. It writes `target/bench/cached.json`.
//!
//! client-go runs if Go is installed (`benches/peers`). See `live` for the method.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../live/clients.rs"]
mod clients;
#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../live/server.rs"]
mod server;

use std::{pin::pin, process::Command, sync::Arc, time::Instant};

use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, reflector, watcher},
};
use kube_weir::{
    Document, FetchConfig, Fetching, Gvr, Index, Indexes, Snapshot, prelude::EventStreamExt, watch,
};
use serde_json::{Map, Value, json};

use clients::{build_go, go_program};
use server::Server;
use support::{
    child::{self, Measuring},
    clients::{Options, Seen, Way, open},
    corpus::{Corpus, Kind, Random},
    measure::{float, median, micros, nanoseconds, process_cpu, status},
    report::{self, short, table},
};

const OBJECTS: usize = 10_000;

/// Bytes of the JSON of each Secret.
const BYTES: usize = 10 << 10;

/// Number of Secrets that are read.
const READ: usize = 20;

const ROUNDS: usize = 3;

const KEYS: &str = "weir keys";
const KEYS_BY_TYPE: &str = "weir keys, strained";
const KUBE_METADATA: &str = "kube metadata";

/// The clients in Rust.
const RUST: [&str; 8] = [
    "weir typed",
    "weir Document",
    KEYS,
    KEYS_BY_TYPE,
    "kube typed, stripped",
    "kube dynamic, stripped",
    "kube dynamic",
    KUBE_METADATA,
];
/// The clients in Go, with their arguments.
const GO: [(&str, &str); 3] = [
    ("client-go typed, stripped", "-typed"),
    ("client-go dynamic, stripped", "-typed=false"),
    ("client-go metadata", "-metadata"),
];

fn main() {
    if let Some(orders) = child::orders() {
        return follow(&orders);
    }
    let objects = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS);
    std::fs::create_dir_all("target/bench").expect("a directory to write to");
    let go = build_go();
    let corpus = secrets(objects);
    let size = float(corpus.bytes()) / float(objects);
    let server = Server::start(corpus, 0).expect("a port to listen on");
    let rust = RUST.map(|name| (name, None));
    let programs = rust.into_iter().chain(GO.map(|(name, flag)| (name, Some(flag))));
    let programs = programs.filter(|(_, flag)| go || flag.is_none());
    let rows: Map<_, _> = programs
        .map(|(name, flag)| {
            let runs: Vec<_> =
                (0..ROUNDS).map(|_| run(name, flag, &server.url(), objects)).collect();
            (name.to_owned(), median_of(&runs))
        })
        .collect();
    print(&format!("cached: {objects} secrets of {size:.0} bytes"), objects, &rows);
    report::write("cached", &json!({ "objects": objects, "bytes": size }), &rows.into());
}

/// Returns Secrets of one size.
fn secrets(objects: usize) -> Corpus {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const DATA: &str = r#""data":{"#;
    let mut random = Random::new(6);
    let mut corpus = Corpus::new(Kind::Secret, objects);
    for item in &mut corpus.items {
        let start = item.find(r#""data":{""#).expect("data") + DATA.len();
        let end = item.find(r#"},"type":"#).expect("a type");
        // A multiple of 4, as in base64.
        let length = (BYTES - (item.len() - (end - start)) - r#""value":"""#.len()) / 4 * 4;
        let value: String = (0..length).map(|_| char::from(ALPHABET[random.below(64)])).collect();
        item.replace_range(start..end, &format!(r#""value":"{value}""#));
    }
    corpus
}

fn run(name: &str, flag: Option<&str>, server: &str, objects: usize) -> Value {
    let objects = objects.to_string();
    let Some(flag) = flag else { return Measuring::start(&[name, server, &objects]).next() };
    let mut command = Command::new(go_program());
    // All clients list in pages.
    command.env("KUBE_FEATURE_WatchListClient", "false");
    command.args(["-server", server, "-plural", "secrets", "-objects", &objects, flag]);
    Measuring::start_program(&mut command).next()
}

fn median_of(runs: &[Value]) -> Value {
    let names = runs[0].as_object().expect("an object").keys().cloned();
    let figures = names.map(|name| {
        let values = runs.iter().filter_map(|run| run[&name].as_f64()).collect();
        (name.clone(), json!(median(values)))
    });
    Value::Object(figures.collect())
}

fn print(title: &str, count: usize, rows: &Map<String, Value>) {
    let head =
        ["client", "resident, bytes/object", "resident, MB", "peak, MB", "sync, CPU µs/object"];
    let figure = |row: &Value, name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let objects = |row: &Value| figure(row, "resident");
    let cells = rows.iter().map(|(name, row)| {
        vec![
            name.clone(),
            short(objects(row)),
            short(objects(row) * float(count) / 1e6),
            short(figure(row, "peak") / 1e6),
            short(figure(row, "sync_us")),
        ]
    });
    table(title, &head, &cells.collect::<Vec<_>>());
    let head =
        ["after reading 20", "grown by, MB", "fetch, µs", "fetch by kube, µs", "read again, ns"];
    let read = rows.iter().filter(|(_, row)| row.get("cold_us").is_some()).map(|(name, row)| {
        let names = ["cold_us", "kube_us", "warm_ns"];
        let figures = names.map(|name| short(figure(row, name)));
        let grown = short(figure(row, "after_reading") / 1e6);
        [name.clone(), grown].into_iter().chain(figures).collect()
    });
    table("cached: reading", &head, &read.collect::<Vec<Vec<_>>>());
}

/// Runs the client that the parent process requested.
fn follow(orders: &[String]) {
    let [name, server, objects] = orders else { panic!("not {orders:?}") };
    let objects = objects.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let config = kube::Config::new(server.parse().expect("a URI"));
        let client = Client::try_from(config).expect("a client");
        let meter = Meter { objects, resident: status("VmRSS"), cpu: process_cpu() };
        let figures = match &**name {
            KEYS => keys(meter, client, by_label()).await,
            KEYS_BY_TYPE => keys(meter, client, [by_label(), path("type")]).await,
            KUBE_METADATA => kube_metadata(meter, client).await,
            name => {
                let options = Options {
                    kind: Kind::Secret,
                    page_size: 500,
                    indexed: true,
                    debounce: None,
                    relists: false,
                    last: String::new(),
                };
                let mut seen = open(Way::named(name), client, options);
                let Some(Seen::Synced { objects }) = seen.next().await else { panic!("no sync") };
                meter.synced(objects)
            }
        };
        println!("{figures}");
    });
}

/// Reports the resources that this process has used.
struct Meter {
    objects: usize,
    resident: f64,
    cpu: std::time::Duration,
}

impl Meter {
    fn synced(&self, objects: usize) -> Value {
        assert_eq!(objects, self.objects);
        let used = process_cpu().saturating_sub(self.cpu);
        let resident = status("VmRSS") - self.resident;
        json!({
            "resident": resident / float(objects),
            "peak": status("VmHWM"),
            "sync_us": micros(used, objects),
        })
    }
}

fn path(path: &str) -> Index<Document> {
    Index::path(path).expect("a path")
}

fn by_label() -> Index<Document> {
    path(Kind::Secret.looked_up_by())
}

async fn keys(meter: Meter, client: Client, indexes: impl Indexes<Document>) -> Value {
    let api = Api::<Secret>::all(client.clone());
    let mut changes = watch(api.clone()).index_keys(indexes).expect("paths");
    let store = changes.store();
    let snapshot = changes.first_synced().await.expect("a sync");
    let mut figures = meter.synced(snapshot.len());
    let _driving = changes.spawn().stop_on_drop();

    // Afterwards as many connections are open as in a program that fetches one by one.
    let warm_up: Fetching<Secret> = store.fetching(api.clone(), FetchConfig::default());
    fetch_each(&warm_up, &snapshot).await;
    drop(warm_up);
    let secrets: Fetching<Secret> = store.fetching(api, FetchConfig::default());
    let begun = Instant::now();
    fetch_each(&secrets, &snapshot).await;
    figures["cold_us"] = json!(micros(begun.elapsed(), READ));
    figures["after_reading"] = json!(status("VmRSS") - meter.resident);
    let report = secrets.report();
    assert_eq!((report.gets, report.objects), (READ as u64, READ));

    let gvr = Gvr::parse("v1/secrets").expect("a resource");
    let documents = store.fetching_resource(client.clone(), gvr, FetchConfig::default()).unwrap();
    fetch_each(&documents, &snapshot).await;
    assert_eq!(documents.report().objects, READ);

    let begun = Instant::now();
    for key in chosen(&snapshot) {
        let api = Api::<Secret>::namespaced(client.clone(), key.namespace().unwrap_or_default());
        std::hint::black_box(api.get(key.name()).await.expect("it is there"));
    }
    figures["kube_us"] = json!(micros(begun.elapsed(), READ));

    let key = chosen(&snapshot).next().expect("one");
    figures["warm_ns"] = json!(nanoseconds(1, || {
        let read = secrets.get((key.namespace().unwrap_or_default(), key.name()));
        future::FutureExt::now_or_never(read).expect("it is kept").expect("no failure")
    }));
    figures
}

/// Returns the Secrets to read, which are far apart.
fn chosen(snapshot: &Snapshot<Document>) -> impl Iterator<Item = &Arc<Document>> {
    snapshot.iter().step_by(snapshot.len() / READ).take(READ)
}

async fn fetch_each<K>(fetching: &Fetching<K>, snapshot: &Snapshot<Document>)
where
    K: reflector::Lookup + Send + Sync + 'static,
{
    for key in chosen(snapshot) {
        let read = fetching.get((key.namespace().unwrap_or_default(), key.name())).await;
        assert!(read.expect("no failure").is_some());
    }
}

async fn kube_metadata(meter: Meter, client: Client) -> Value {
    let writer = reflector::store::Writer::<PartialObjectMeta<Secret>>::default();
    let store = writer.as_reader();
    let config = watcher::Config::default().page_size(500);
    let events = watcher(Api::<PartialObjectMeta<Secret>>::all(client), config);
    let events = events.modify(|object| object.metadata.managed_fields = None).reflect(writer);
    let mut events = pin!(events);
    while !matches!(events.next().await, Some(Ok(watcher::Event::InitDone))) {}
    meter.synced(store.len())
}
