//! Measures reads of a store, and publishing to it.
//!
//! `cargo bench --bench store [-- MAX_OBJECTS]` compares our store with kube's Store and with a
//! hash table under a lock, on the same objects, which are on the heap
//! in shuffled order like those of a long-running store. It prints a table per size and
//! writes `target/bench/store.json`. Each store is measured in a separate process; every figure
//! is the median of several runs.
//!
//! Readers look up keys that are already in the type that the store needs. Without an
//! index, a lookup by anything but the identity scans all objects.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

#[path = "store/contended.rs"]
mod contended;
#[path = "store/stores.rs"]
mod stores;
#[path = "store/world.rs"]
mod world;

use std::time::Instant;

use serde_json::{Map, Value, json};

use stores::{Candidate, Kube, Plain, Weir};
use support::{
    child,
    measure::{median, micros, nanoseconds},
    report::{self, short, table},
};
use world::World;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

const STORES: [&str; 4] = ["weir", "weir, indexed", "kube Store", "RwLock<HashMap>"];

/// Number of changes published per run, and number of runs.
const CHANGES: usize = 8_000;
const RUNS: usize = 9;

fn main() {
    if let Some(orders) = child::orders() {
        let [store, size] = &orders[..] else { panic!("not {orders:?}") };
        let world = World::new(size.parse().expect("a number"));
        let figures = match &**store {
            "weir" => measure::<Weir<false>>(world),
            "weir, indexed" => measure::<Weir<true>>(world),
            "kube Store" => measure::<Kube>(world),
            _ => measure::<Plain>(world),
        };
        println!("{}", Value::Object(figures));
        return;
    }
    // Cargo passes `--bench`; a number limits the size.
    let max = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(usize::MAX);
    let mut tables = Map::new();
    for size in SIZES.into_iter().filter(|size| *size <= max) {
        let rows = STORES.map(|store| (store, child::measured(&[store, &size.to_string()])));
        print(size, &rows);
        let rows = rows.into_iter().map(|(store, row)| (store.to_owned(), row));
        tables.insert(size.to_string(), Value::Object(rows.collect()));
    }
    report::write("store", &Value::Null, &tables.into());
}

fn measure<C: Candidate>(mut world: World) -> Map<String, Value> {
    let mut store = C::load(world.objects());
    world.check(&mut store);
    let mut figures = Map::new();
    let mut figure = |name: &str, value: f64| figures.insert(name.to_owned(), json!(value));

    let keys: Vec<C::Key> = world.probes.iter().map(C::key).collect();
    let reader = store.reader();
    let held = C::hold(&reader);
    let mut next = keys.iter().cycle();
    figure("get_held_ns", nanoseconds(1, || C::has(&held, next.next().expect("endless"))));
    let get = || C::get_now(&reader, next.next().expect("endless"));
    figure("get_ns", nanoseconds(1, get));
    let mut next = world.probes.iter().cycle();
    let mut probe = || next.next().expect("endless");
    figure("prefix_of_10_ns", nanoseconds(1, || C::namespace(&held, &probe().namespace)));
    if C::app(&held, "").is_some() {
        figure("index_3_hits_ns", nanoseconds(1, || C::app(&held, &probe().app)));
    }
    figure("iterate_ns_per_item", nanoseconds(world.size, || C::all(&held)));

    drop((held, reader));
    for (name, batch) in [("publish_1_us", 1), ("publish_10_us", 10), ("publish_1000_us", 1000)] {
        figure(name, publish(&mut world, &mut store, batch));
    }
    figures.extend(contended::measure(&mut world, store, &keys));
    figures
}

/// Returns the microseconds per change of publishing batches, while a reader holds the previous state.
fn publish<C: Candidate>(world: &mut World, store: &mut C, batch: usize) -> f64 {
    let reader = store.reader();
    let count = (CHANGES / batch).max(4);
    let runs = (0..RUNS).map(|_| {
        let batches: Vec<_> = (0..count).map(|_| world.batch::<C>(batch)).collect();
        let mut rest = Vec::with_capacity(count);
        let mut held = C::hold(&reader);
        let start = Instant::now();
        for batch in batches {
            rest.push(store.publish(batch));
            held = C::hold(&reader);
        }
        let elapsed = start.elapsed();
        drop((held, rest));
        micros(elapsed, count * batch)
    });
    median(runs.collect())
}

fn print(size: usize, rows: &[(&str, Value)]) {
    let columns = [
        ("get, held, ns", "get_held_ns"),
        ("get, ns", "get_ns"),
        ("10 by prefix, ns", "prefix_of_10_ns"),
        ("3 by index, ns", "index_3_hits_ns"),
        ("iterate, ns/item", "iterate_ns_per_item"),
        ("publish 1, µs", "publish_1_us"),
        ("10, µs/change", "publish_10_us"),
        ("1,000, µs/change", "publish_1000_us"),
        ("2 readers, ns", "readers_idle_ns"),
        ("and a writer, ns", "readers_written_ns"),
        ("that, CPU ns", "readers_written_cpu_ns"),
    ];
    let head: Vec<_> = ["store"].into_iter().chain(columns.iter().map(|(head, _)| *head)).collect();
    let rows = rows.iter().map(|(store, row)| {
        let figure = |name: &str| short(row[name].as_f64().unwrap_or(f64::NAN));
        let cells = columns.iter().map(|(_, name)| figure(name));
        [(*store).to_owned()].into_iter().chain(cells).collect()
    });
    table(&format!("store: {size} objects"), &head, &rows.collect::<Vec<_>>());
}
