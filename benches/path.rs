//! How fast is a path read?
//!
//! `cargo bench --bench path` reads paths as an index does, to a list of strings: out of a `Value`
//! by [`FieldPath::keys`], by a compiled query of `serde_json_path`, and by `Value::pointer` where
//! the path is one; and out of the text of a [`Document`], by [`Document::get`] and by parsing it
//! for a query. Each is read of one object over and over (hot), and of one object after the other
//! of more than fit into a cache (cold). It writes `target/bench/path.json`.

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use kube_weir::{Document, FieldPath};
use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

use support::{
    corpus::{Corpus, Kind},
    measure::nanoseconds,
    report::{self, short, table},
};

const OBJECTS: usize = 5_000;

/// The same place in three notations; not all are one for a pointer.
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
    report::write("path", &tables.into());
}

/// Objects as values and as documents, without what is ignored in each.
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

    /// Nanoseconds for each way to read.
    fn measure(&self, path: &str, query: &str, pointer: Option<&str>) -> Value {
        let path = FieldPath::parse(path).expect("a path");
        let query = JsonPath::parse(query).expect("a query");
        let queried = |value: &Value| -> Vec<String> {
            query.query(value).iter().filter_map(|found| scalar(found)).collect()
        };
        // What disagrees must not be compared.
        for (value, document) in self.values.iter().zip(&self.documents) {
            let keys = path.keys(value);
            assert!(!keys.is_empty());
            assert_eq!(keys, document.get(&path));
            let mut distinct = queried(value);
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(keys.len(), distinct.len());
        }
        let by_pointer = pointer.map(|pointer| {
            let read = |value: &Value| value.pointer(pointer).and_then(scalar);
            each(&self.values, |value| read(value).into_iter().collect::<Vec<_>>())
        });
        json!({
            "value_ns": each(&self.values, |value| path.keys(value)),
            "value_query_ns": each(&self.values, queried),
            "value_pointer_ns": by_pointer,
            "document_ns": each(&self.documents, |document| document.get(&path)),
            "document_query_ns": each(&self.documents, |document| queried(&document.to_value())),
        })
    }
}

/// A key as an index has it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn each<T, R>(objects: &[T], read: impl Fn(&T) -> R) -> f64 {
    let mut objects = objects.iter().cycle();
    nanoseconds(1, || read(objects.next().expect("endless")))
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
