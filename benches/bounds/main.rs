//! Does an input cost more than it weighs?
//!
//! `cargo bench --bench bounds` runs entry points on inputs of n, 2n and 4n parts, such as keys or fields,
//! and prints CPU time for a thousand of them, and how it grows from n to 4n: 1.0 is linear, and 1.2 is the
//! bound. It writes `target/bench/bounds.json`.

use std::hint::black_box;

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Change, Document, Error, EventStreamExt, IndexBy, Snapshot,
    testing::{Answer, ApiServer, End, Fault, Verb},
    watch,
};
use serde_json::{Map, Value, json};

use support::{
    measure::{median, micros, thread_cpu},
    report::{self, short, table},
};

/// How often each is run with each size.
const ROUNDS: usize = 7;

/// How much more than linear a cost may grow.
const BOUND: f64 = 1.2;

/// Prepares an input of a size, and returns what is measured.
type Prepare = fn(usize) -> Box<dyn FnOnce()>;

const CASES: [(&str, usize, Prepare); 8] = [
    ("keys of one wildcard path", 10_000, |n| put(1, n)),
    ("keys of two wildcard paths, all combinations", 10_000, |n| put(2, n)),
    ("another version with half of the keys", 10_000, change),
    ("objects that can't be decoded", 4_000, failures),
    ("white space in a list", 1_000_000, |n| listed(&" ".repeat(n))),
    ("unknown fields in a list", 50_000, |n| listed(&fields(n))),
    ("levels of nesting in a list", 100_000, |n| listed(&nested(n))),
    ("touched keys of a batch", 10_000, touched),
];

fn main() {
    let mut measured = Map::new();
    let mut rows = Vec::new();
    for (name, n, prepare) in CASES {
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        // Sizes take turns.
        for _ in 0..ROUNDS {
            for (times, size) in times.iter_mut().zip([n, 2 * n, 4 * n]) {
                let run = prepare(size);
                let begun = thread_cpu();
                run();
                times.push(1e3 * micros(thread_cpu().saturating_sub(begun), size));
            }
        }
        let [one, two, four] = times.map(median);
        let growth = four / one;
        let verdict = if growth <= BOUND { "yes" } else { "no" };
        let mut row = vec![name.to_owned(), n.to_string()];
        row.extend([one, two, four, growth].map(short));
        row.push(verdict.to_owned());
        rows.push(row);
        let of_case = json!({ "n": n, "us": [one, two, four], "growth": growth });
        measured.insert(name.to_owned(), of_case);
    }
    let head = ["input", "n", "n", "2n", "4n", "growth", "within 1.2"];
    table("bounds: CPU µs for a thousand parts of an input", &head, &rows);
    report::write("bounds", &json!({ "rounds": ROUNDS }), &Value::Object(measured));
}

/// Runs a future on a runtime of its own, in virtual time.
fn run<T>(future: impl Future<Output = T>) -> T {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime").block_on(future)
}

/// Returns an index by one or two wildcard paths, and an object with about `n` keys in it.
fn keyed(paths: usize, n: usize, version: usize) -> (IndexBy<Document>, Document) {
    let each = if paths == 1 { n } else { n.isqrt() };
    let mut spec = Map::new();
    let mut names = Vec::new();
    for path in 0..paths {
        let values = (0..each).map(|at| format!("host-{version}-{at}.example.com"));
        spec.insert(format!("list{path}"), values.collect());
        names.push(format!("spec.list{path}[*]"));
    }
    let object = json!({
        "metadata": { "name": "large", "uid": "1", "resourceVersion": version.to_string() },
        "spec": spec,
    });
    let document = Document::from_json(&object.to_string()).expect("an object");
    (IndexBy::paths(names).expect("paths"), document)
}

fn put(paths: usize, n: usize) -> Box<dyn FnOnce()> {
    let (by, object) = keyed(paths, n, 1);
    Box::new(move || drop(black_box(Snapshot::from_objects(by, [object]))))
}

/// Returns the changes of an object with `n` keys that gets a version with other ones.
fn changes(n: usize, later: usize) -> impl Stream<Item = Result<Change<Document>, Error>> {
    let (by, first) = keyed(1, n, 1);
    let (_, second) = keyed(1, later, 2);
    let events = [Event::Init, Event::InitApply(first), Event::InitDone, Event::Apply(second)];
    stream::iter(events.map(Ok::<_, Error>)).index(by)
}

fn change(n: usize) -> Box<dyn FnOnce()> {
    let changes = changes(n, n / 2);
    Box::new(move || assert_eq!(run(changes.count()), 2))
}

fn touched(n: usize) -> Box<dyn FnOnce()> {
    let changes = run(changes(n, n).collect::<Vec<_>>());
    Box::new(move || {
        let batches = changes.iter().flatten().filter_map(Change::batch);
        let keys =
            batches.map(|batch| batch.touched(IndexBy::<Document>::MAIN).expect("an index").len());
        assert_eq!(keys.sum::<usize>(), 2 * n);
    })
}

/// Syncs a watch of `ConfigMap`s with an answer to its list.
fn synced(answer: String, kept: usize) -> Box<dyn FnOnce()> {
    let server = ApiServer::new();
    server.fault(Verb::List, 1, Fault::Answer(Answer::new(200).chunk(answer)));
    server.fault(Verb::Watch, 1, Fault::Answer(Answer::new(200).end(End::Never)));
    let synced = async move {
        let configs = watch(Api::<ConfigMap>::all(server.client()));
        let mut changes = configs.index(IndexBy::path("metadata.name").expect("a path"));
        let store = changes.store();
        while !store.is_synced() {
            changes.next().await.expect("an item").ok();
        }
        assert_eq!(store.snapshot().len(), kept);
    };
    Box::new(move || run(synced))
}

fn failures(n: usize) -> Box<dyn FnOnce()> {
    let object = |at: usize| {
        format!(
            r#"{{"metadata":{{"namespace":"a","name":"object-{at:06}","resourceVersion":"1"}},"data":7}}"#
        )
    };
    synced(list("", &(0..n).map(object).collect::<Vec<_>>().join(",")), 0)
}

fn listed(value: &str) -> Box<dyn FnOnce()> {
    let object = r#"{"metadata":{"namespace":"a","name":"one","resourceVersion":"1"}}"#;
    synced(list(value, object), 1)
}

/// Returns a list that has this among its fields.
fn list(field: &str, items: &str) -> String {
    format!(
        r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},{field}"items":[{items}]}}"#
    )
}

fn fields(n: usize) -> String {
    (0..n).map(|at| [r#""unknown-"#, &at.to_string(), r#"":"value","#].concat()).collect()
}

fn nested(n: usize) -> String {
    format!(r#""unknown":{}1{},"#, r#"{"a":"#.repeat(n), "}".repeat(n))
}
