//! Measures the memory of stored objects, and the transient memory while they are received.
//!
//! `cargo bench --bench memory [-- OBJECTS]` passes the same bytes to each client under a counting
//! allocator and prints the allocated bytes per object once the client is synced, and the additional bytes
//! at its peak; for ours also for a list in one page and for a relist. It writes
//! `target/bench/memory.json`. Allocations don't vary, so each client is measured once, in a separate
//! process. The answers themselves are allocated before, and don't count.

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use std::{alloc::System, hint::black_box};

use bytes::Bytes;
use cap::Cap;
use futures::{StreamExt, stream};
use serde_json::{Map, Value, json};

use support::{
    canned, child,
    clients::{Options, Seen, Way, open},
    corpus::{CHANGED, Corpus, Kind},
    measure::float,
    report::{self, short, table},
};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A multiple of the page size, so that the last page, where most memory is allocated, is full.
const OBJECTS: usize = 5000;
const PAGE: u32 = 500;

fn main() {
    if let Some(orders) = child::orders() {
        let [plural, way, objects, page] = &orders[..] else { panic!("not {orders:?}") };
        let number = |text: &str| text.parse().expect("a number");
        let (kind, objects) = (Kind::named(plural), number(objects));
        println!("{}", run(Way::named(way), kind, objects, number(page)));
        return;
    }
    // Cargo passes `--bench`; a number is the number of objects of each kind.
    let objects = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS);
    let kinds = Kind::ALL.map(|kind| (kind.plural().to_owned(), measure(kind, objects)));
    report::write("memory", &json!({ "objects": objects }), &Map::from_iter(kinds).into());
}

/// Measures all clients with one kind of object.
fn measure(kind: Kind, objects: usize) -> Value {
    let pages = [("", PAGE as usize), (", one page", objects)];
    let ways = pages.iter().flat_map(|page| Way::ALL.map(|way| (way, page)));
    let rows = ways.map(|(way, (suffix, page))| {
        let orders = [kind.plural(), way.name(), &objects.to_string(), &page.to_string()];
        (format!("{}{suffix}", way.name()), child::measured(&orders))
    });
    let rows: Vec<_> = rows.collect();
    print(kind, objects, &rows);
    Value::Object(rows.into_iter().collect())
}

fn print(kind: Kind, objects: usize, rows: &[(String, Value)]) {
    let figure = |row: &Value, name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    let plain = rows.iter().find(|(name, _)| name == Way::KubeDynamic.name());
    let plain = plain.map_or(f64::NAN, |(_, row)| figure(row, "kept"));
    let rows = rows.iter().map(|(name, row)| {
        let kept = figure(row, "kept");
        let megabytes = |name| short(figure(row, name) / 1e6);
        vec![
            name.clone(),
            short(kept),
            format!("1/{}", short(plain / kept)),
            megabytes("transient"),
            short(figure(row, "relist_peak")),
        ]
    });
    let corpus = Corpus::new(kind, objects);
    let title = format!(
        "memory: {objects} {} of {:.0} bytes, the largest of {}",
        kind.plural(),
        float(corpus.bytes()) / float(objects),
        corpus.items.iter().map(String::len).max().unwrap_or_default(),
    );
    let head = [
        "client",
        "kept per object, bytes",
        "of kube dynamic's",
        "list, on top of that, MB",
        "peak of a relist / kept",
    ];
    table(&title, &head, &rows.collect::<Vec<_>>());
}

fn run(way: Way, kind: Kind, objects: usize, page: usize) -> Value {
    let corpus = Corpus::new(kind, objects);
    let pages = corpus.pages(page);
    let gone: Bytes = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n".into();
    let change = corpus.changes(1).remove(0);
    drop(corpus);
    // The first watch gets an error that its history is lost; the first change of the second watch
    // shows that the relist is complete.
    let watches =
        move |watch| stream::iter([if watch == 0 { gone.clone() } else { change.clone() }]).boxed();
    let options = Options {
        kind,
        page_size: u32::try_from(page).expect("below 2^32"),
        indexed: false,
        debounce: None,
        relists: true,
        last: CHANGED.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = canned::client(kind.url(), pages, Box::new(watches));
        let (_ballast, before) = level();
        let mut seen = open(way, client, options);
        let Some(Seen::Synced { objects: found }) = seen.next().await else { panic!("no sync") };
        assert_eq!(found, objects);
        let (synced, peak) = (ALLOCATOR.allocated(), ALLOCATOR.max_allocated());
        let kept = synced - before;

        let (_ballast, before) = level();
        while !matches!(seen.next().await, Some(Seen::Live { last: true })) {}
        let relist_peak = kept + ALLOCATOR.max_allocated() - before;
        json!({
            "kept": float(kept) / float(objects),
            "transient": float(peak - synced),
            "relist_peak": float(relist_peak) / float(kept),
        })
    })
}

/// Allocates up to the peak so far, without touching the memory. The allocator can't reset
/// its peak, but everything above this level is a new peak.
fn level() -> (Vec<u8>, usize) {
    let missing = ALLOCATOR.max_allocated() - ALLOCATOR.allocated();
    let ballast = black_box(Vec::with_capacity(missing));
    (ballast, ALLOCATOR.allocated())
}
