//! Measures the time to read a path.
//!
//! `cargo bench --bench path` reads paths as an index does, to a list of strings: from a `Value`
//! by [`FieldPath::keys`], by a compiled query of `serde_json_path`, and by `Value::pointer` if
//! the path can be a pointer; and from a [`Document`], by [`Document::get`] and by parsing its text
//! for a query. Each path is read from one object repeatedly (hot), and from many objects that are not in
//! a cache (cold). The methods take turns, and times are CPU times. It writes `target/bench/path.json`.

use std::hint::black_box;

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use kube_weir::{Document, FieldPath};
use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use support::{
    corpus::{Corpus, Kind},
    measure::{median, micros, thread_cpu},
    report::{self, short, table},
};

const OBJECTS: usize = 5_000;

/// Number of reads of one method per turn.
const READS: usize = OBJECTS;
const ROUNDS: usize = 15;

/// More bytes than fit in the caches of a core.
const CACHES: usize = 128 << 20;

/// A path in three notations; not every path can be a pointer.
const PATHS: [(Kind, &str, &str, Option<&str>); 6] = [
    (Kind::Pod, "metadata.name", "$.metadata.name", Some("/metadata/name")),
    (
        Kind::Pod,
        "metadata.labels['app.kubernetes.io/name']",
        "$.metadata.labels['app.kubernetes.io/name']",
        Some("/metadata/labels/app.kubernetes.io~1name"),
    ),
    (Kind::Pod, "spec.nodeName", "$.spec.nodeName", Some("/spec/nodeName")),
    (Kind::Pod, "spec.containers[*].image", "$.spec.containers[*].image", None),
    (
        Kind::Pod,
        "spec.containers[0].ports[1].containerPort",
        "$.spec.containers[0].ports[1].containerPort",
        Some("/spec/containers/0/ports/1/containerPort"),
    ),
    (Kind::Ingress, "spec.rules[*].host", "$.spec.rules[*].host", None),
];

fn main() {
    let mut tables = Map::new();
    for (title, count) in [("hot", 1), ("cold", OBJECTS)] {
        let pods = World::new(Kind::Pod, count);
        let ingresses = World::new(Kind::Ingress, count);
        let rows = PATHS.map(|(kind, path, query, pointer)| {
            let world = if kind == Kind::Pod { &pods } else { &ingresses };
            (path, world.measure(path, query, pointer))
        });
        print(title, &rows);
        let rows = rows.into_iter().map(|(path, row)| (path.to_owned(), row));
        tables.insert(title.into(), Value::Object(rows.collect()));
    }
    report::write("path", &json!({ "objects": OBJECTS }), &tables.into());
}

/// Objects as values and as documents, without the ignored fields.
struct World {
    values: Vec<Value>,
    documents: Vec<Document>,
}

impl World {
    fn new(kind: Kind, count: usize) -> Self {
        let corpus = Corpus::new(kind, count);
        let values = corpus.items.iter().map(|item| {
            let mut value: Value = serde_json::from_str(item).expect("an object");
            value["metadata"].as_object_mut().expect("an object").remove("managedFields");
            if kind.ignored().contains(&"status") {
                value.as_object_mut().expect("an object").remove("status");
            }
            value
        });
        let values: Vec<_> = values.collect();
        let document = |value: &Value| Document::from_json(&value.to_string());
        let documents = values.iter().map(document).collect::<Result<_, _>>();
        Self { documents: documents.expect("objects with names"), values }
    }

    /// Returns the nanoseconds of each method.
    fn measure(&self, path: &str, query: &str, pointer: Option<&str>) -> Value {
        let path = FieldPath::parse(path).expect("a path");
        let query = JsonPath::parse(query).expect("a query");
        let queried = |value: &Value| -> Vec<String> {
            query.query(value).iter().filter_map(|found| scalar(found)).collect()
        };
        // The methods must agree before they are compared.
        for (value, document) in self.values.iter().zip(&self.documents) {
            let keys = path.keys(value);
            assert!(!keys.is_empty());
            assert_eq!(keys, document.get(&path));
            let mut distinct = queried(value);
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(keys.len(), distinct.len());
        }
        let by_pointer = |value: &Value| -> Vec<String> {
            pointer.and_then(|path| value.pointer(path)).and_then(scalar).into_iter().collect()
        };
        let mut ways: Vec<(&str, Pass)> = vec![
            ("value_ns", pass(&self.values, |value| path.keys(value))),
            ("value_query_ns", pass(&self.values, queried)),
            ("document_ns", pass(&self.documents, |document| document.get(&path))),
            ("document_query_ns", pass(&self.documents, |document| queried(&document.to_value()))),
        ];
        if pointer.is_some() {
            ways.push(("value_pointer_ns", pass(&self.values, by_pointer)));
        }
        let others = vec![1_u64; CACHES / 8];
        let mut runs: Vec<Vec<f64>> = ways.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            for ((_, pass), runs) in ways.iter_mut().zip(&mut runs) {
                // Flush the caches between passes.
                black_box(others.iter().sum::<u64>());
                let start = thread_cpu();
                pass();
                let elapsed = thread_cpu().saturating_sub(start);
                runs.push(micros(elapsed, READS) * 1e3);
            }
        }
        let figures = ways
            .iter()
            .zip(runs)
            .map(|((name, _), runs)| ((*name).to_owned(), json!(median(runs))));
        Value::Object(figures.collect())
    }
}

type Pass<'a> = Box<dyn FnMut() + 'a>;

/// Returns a pass of [`READS`] reads, one object after the other.
fn pass<'a, T, R>(objects: &'a [T], read: impl Fn(&T) -> R + 'a) -> Pass<'a> {
    Box::new(move || {
        for object in objects.iter().cycle().take(READS) {
            black_box(read(black_box(object)));
        }
    })
}

/// Returns a value as the key of an index.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn print(title: &str, rows: &[(&str, Value)]) {
    let cells = |(path, row): &(&str, Value)| {
        let figure = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        let times = |peer: &str, own: &str| format!("{}x", short(figure(peer) / figure(own)));
        vec![
            (*path).to_owned(),
            short(figure("value_ns")),
            short(figure("value_query_ns")),
            times("value_query_ns", "value_ns"),
            short(figure("value_pointer_ns")),
            short(figure("document_ns")),
            short(figure("document_query_ns")),
            times("document_query_ns", "document_ns"),
        ]
    };
    let head = [
        "path",
        "FieldPath, Value, ns",
        "serde_json_path",
        "",
        "pointer",
        "Document, ns",
        "parsed, serde_json_path",
        "",
    ];
    table(&format!("path: {title}"), &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
