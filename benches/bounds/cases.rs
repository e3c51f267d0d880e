//! Inputs of growing size.

use std::{hint::black_box, time::Duration};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Change, Debounce, Document, Error, EventStreamExt, FetchConfig, FieldFilter, FieldPath,
    FieldSelector, Gvr, Index, LabelSelector, Snapshot, WatchEvent,
    testing::{Answer, ApiServer, Fault, Verb},
    watch_resource,
};
use serde_json::{Map, Value, json};

use super::served::{
    by, configs, fields, in_frames, line, list, nested, object, objects, run, until, with_list,
    with_watch,
};

/// Function that prepares an input of a size, and returns the work to measure.
type Prepare = fn(usize) -> Box<dyn FnOnce()>;

pub(crate) const CASES: [(&str, usize, Prepare); 43] = [
    ("list: objects", 2_000, |n| listed(&list("", &objects(n, "")), n)),
    ("list: white space", 1_000_000, |n| listed(&list(&" ".repeat(n), &objects(1, "")), 1)),
    ("list: unknown fields", 50_000, |n| listed(&list(&fields(n), &objects(1, "")), 1)),
    ("list: levels of nesting", 100_000, |n| listed(&list(&nested(n), &objects(1, "")), 1)),
    ("list: bytes of an object in frames of 1 KiB", 500_000, |n| {
        framed_list(&list("", &objects(1, &text(n))))
    }),
    ("list: white space in frames of 1 KiB", 500_000, |n| {
        framed_list(&list(&" ".repeat(n), &objects(1, "")))
    }),
    ("list: unknown fields in frames of 1 KiB", 50_000, |n| {
        framed_list(&list(&fields(n), &objects(1, "")))
    }),
    ("list: bytes of an unknown field in frames of 1 KiB", 500_000, |n| {
        framed_list(&list(&format!(r#""unknown":["{}"],"#, "x".repeat(n)), &objects(1, "")))
    }),
    ("list: bytes of a field's name in frames of 1 KiB", 500_000, |n| {
        framed_list(&list(&format!(r#""{}":1,"#, "x".repeat(n)), &objects(1, "")))
    }),
    ("list: bytes of an item that is no object in frames of 1 KiB", 500_000, |n| {
        let items = format!(r#"["{}"],{}"#, "x".repeat(n), objects(1, ""));
        served(with_list(in_frames(&list("", &items), 1 << 10)), 1, 1)
    }),
    ("list: objects that can't be decoded", 4_000, |n| {
        failing_list(&list("", &objects(n, r#","data":7"#)), n)
    }),
    ("list: deletions while it comes in", 2_000, deleted),
    ("list again: objects that are known", 2_000, relist),
    ("watch: events", 2_000, |n| watched(in_frames(&events(n, ""), usize::MAX), n, 0)),
    ("watch: white space", 1_000_000, |n| {
        watched(in_frames(&("\n \n\r".repeat(n / 4) + &events(1, "")), usize::MAX), 1, 0)
    }),
    ("watch: unknown fields of an event", 50_000, |n| {
        let event = line("ADDED", &object(0, "")).replacen('{', &("{".to_owned() + &fields(n)), 1);
        watched(in_frames(&event, usize::MAX), 1, 0)
    }),
    ("watch: bytes of an event in frames of 1 KiB", 500_000, |n| {
        watched(in_frames(&events(1, &text(n)), 1 << 10), 1, 0)
    }),
    ("watch: annotations of a bookmark", 20_000, bookmark),
    ("watch: events that can't be decoded", 4_000, |n| {
        watched(in_frames(&events(n, r#","data":7"#), usize::MAX), 0, n)
    }),
    ("an error: bytes of its message", 1_000_000, refused),
    ("watch: causes of an error", 10_000, |n| {
        let causes = vec![r#"{"reason":"FieldValueInvalid","message":"no","field":"spec"}"#; n];
        let status = format!(
            r#"{{"kind":"Status","code":500,"message":"no","details":{{"causes":[{}]}}}}"#,
            causes.join(",")
        );
        watched(in_frames(&line("ERROR", &status), usize::MAX), 0, 1)
    }),
    ("discovery: resources", 10_000, discovered),
    ("fetch: bytes of an object", 500_000, fetched),
    ("path: names of a union", 2_000, |n| {
        let names = (0..n).map(|at| format!("'name-{at}'")).collect::<Vec<_>>();
        let text = format!("spec[{}]", names.join(","));
        Box::new(move || drop(black_box(FieldPath::parse(&text).expect("a path"))))
    }),
    ("path: values that a filter looks at", 20_000, filtered_path),
    ("filter_fields: paths", 2_000, dropped_paths),
    ("filter_fields: elements that lose a field", 20_000, dropped_elements),
    ("matching: values that a selector looks at", 20_000, matched),
    ("label selector: values", 20_000, |n| {
        let values = (0..n).map(|at| format!("value-{at}")).collect::<Vec<_>>();
        let text = format!("app in ({})", values.join(","));
        Box::new(move || drop(black_box(LabelSelector::parse(&text).expect("a selector"))))
    }),
    ("index: keys of one wildcard path", 10_000, |n| put(1, n)),
    ("index: keys of two wildcard paths, all combinations", 10_000, |n| put(2, n)),
    ("index: another version with half of the keys", 10_000, change),
    ("index: hits of a key", 10_000, hits),
    ("change: touched keys", 10_000, touched),
    ("change: deltas", 2_000, deltas),
    ("debounce: versions of one object", 4_000, debounced),
    ("report: objects that can't be decoded", 2_000, report),
    ("document: fields that are read and written", 20_000, document),
    ("document: fields beside a number with an exponent", 20_000, |n| beside(n, r#""number":1e3"#)),
    ("document: fields beside a name that repeats", 20_000, |n| {
        beside(n, r#""twice":1,"twice":2"#)
    }),
    ("index: levels that a path searches three times", 1_000, searched),
    ("index: values that a filter searches", 4_000, searched_by_filter),
    ("filter_fields: levels of nesting that are searched", 1_000, dropped_levels),
];

/// Returns a field with `n` bytes of text.
fn text(n: usize) -> String {
    format!(r#","data":{{"key":"{}"}}"#, "x".repeat(n))
}

fn events(n: usize, more: &str) -> String {
    (0..n).map(|at| line("ADDED", &object(at, more))).collect()
}

/// Returns work that syncs a watch of `ConfigMap`s, and polls it until the store has the objects of the
/// server's answers.
fn served(server: ApiServer, kept: usize, failures: usize) -> Box<dyn FnOnce()> {
    Box::new(move || {
        run(async {
            let mut changes = configs(&server).index(by());
            let store = changes.store();
            until(&mut changes, &store, kept, failures).await;
            assert_eq!(store.snapshot().len(), kept);
        });
    })
}

fn listed(body: &str, kept: usize) -> Box<dyn FnOnce()> {
    served(with_list(in_frames(body, usize::MAX)), kept, 0)
}

fn framed_list(body: &str) -> Box<dyn FnOnce()> {
    served(with_list(in_frames(body, 1 << 10)), 1, 0)
}

fn failing_list(body: &str, failures: usize) -> Box<dyn FnOnce()> {
    served(with_list(in_frames(body, usize::MAX)), 0, failures)
}

fn watched(answer: Answer, kept: usize, failures: usize) -> Box<dyn FnOnce()> {
    served(with_watch(answer), kept, failures)
}

fn relist(n: usize) -> Box<dyn FnOnce()> {
    let server = ApiServer::new();
    let page = || Fault::Answer(in_frames(&list("", &objects(n, &text(1_000))), usize::MAX));
    server.fault(Verb::List, 1, page());
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.fault(Verb::List, 1, page());
    server.fault(Verb::Watch, 1, Fault::Answer(in_frames(&line("ADDED", &object(n, "")), 1 << 20)));
    served(server, n + 1, 0)
}

fn deleted(n: usize) -> Box<dyn FnOnce()> {
    let object = |at: usize| document_of("1", &format!("object-{at}"), &Value::Null);
    let gone = |at: usize| {
        let (namespace, name) = (String::new(), format!("object-{at}"));
        Ok(WatchEvent::Gone { namespace, name, version: Some("2".to_owned()) })
    };
    let mut events = synced((0..n).map(object)).into_iter().map(|own| own.map(Into::into));
    let complete = events.next_back();
    let events: Vec<Result<WatchEvent<Document>, Error>> =
        events.chain((0..n).map(gone)).chain(complete).collect();
    Box::new(move || assert_eq!(run(stream::iter(events).index(by()).count()), 1))
}

fn bookmark(n: usize) -> Box<dyn FnOnce()> {
    let annotations = fields(n);
    let annotations = annotations.trim_end_matches(',');
    let object = format!(
        r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"resourceVersion":"2","annotations":{{{annotations}}}}}}}"#
    );
    let lines = line("BOOKMARK", &object) + &events(1, "");
    watched(in_frames(&lines, usize::MAX), 1, 0)
}

fn refused(n: usize) -> Box<dyn FnOnce()> {
    let server = ApiServer::new();
    let status = json!({ "kind": "Status", "code": 500, "message": "x".repeat(n) });
    server.fault(Verb::List, 1, Fault::Answer(Answer::json(500, &status)));
    served(server, 0, 1)
}

fn discovered(n: usize) -> Box<dyn FnOnce()> {
    let resource = |name: String, kind: String| json!({ "name": name, "kind": kind, "namespaced": true, "verbs": ["list", "watch"] });
    let others = (0..n).map(|at| resource(format!("things{at}"), format!("Thing{at}")));
    let own = resource("configmaps".to_owned(), "ConfigMap".to_owned());
    let resources: Vec<_> = others.chain([own]).collect();
    let found = json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": resources });
    let server = ApiServer::new();
    server.fault(Verb::Discovery, 1, Fault::Answer(Answer::json(200, &found)));
    Box::new(move || {
        run(async {
            let configs = Gvr::parse("v1/configmaps").expect("a resource");
            let mut changes = watch_resource(server.client(), configs).unwrap().index(by());
            changes.next().await.expect("an item").expect("a list");
        });
    })
}

fn fetched(n: usize) -> Box<dyn FnOnce()> {
    let server = ApiServer::new();
    let config = json!({
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "namespace": "a", "name": "one" },
        "data": { "key": "x".repeat(n) },
    });
    server.apply(&config).expect("an object");
    Box::new(move || {
        run(async {
            let keys = configs(&server).index_keys(by()).expect("metadata");
            let api = Api::<ConfigMap>::all(server.client());
            let fetching = keys.store().fetching(api, FetchConfig::default());
            let _driven = keys.spawn().stop_on_drop();
            assert!(fetching.get(("a", "one")).await.expect("an answer").is_some());
        });
    })
}

fn filtered_path(n: usize) -> Box<dyn FnOnce()> {
    let path = FieldPath::parse("spec.list[?(@.a == 'x7')].b").expect("a path");
    let element = |at: usize| json!({ "a": format!("x{}", at % 10), "b": at.to_string() });
    let value = json!({ "spec": { "list": (0..n).map(element).collect::<Vec<_>>() } });
    Box::new(move || assert_eq!(path.keys(&value).len(), n / 10))
}

fn dropped_paths(n: usize) -> Box<dyn FnOnce()> {
    let paths: Vec<_> = (0..n).map(|at| format!("data.key-{at}")).collect();
    let data: Map<_, _> = (0..2 * n).map(|at| (format!("key-{at}"), "value".into())).collect();
    let object = json!({ "metadata": { "name": "one" }, "data": data }).to_string();
    Box::new(move || {
        let filter = FieldFilter::new(paths).expect("paths");
        assert!(filter.cut(&object).expect("an object").len() < object.len());
    })
}

fn dropped_elements(n: usize) -> Box<dyn FnOnce()> {
    let filter = FieldFilter::new(["spec.list[*].status", "spec..note"]).expect("paths");
    let element = json!({ "name": "x", "status": { "phase": "y" }, "note": ["z"] });
    let object = json!({ "metadata": { "name": "one" }, "spec": { "list": vec![element; n] } });
    let object = object.to_string();
    Box::new(move || assert!(filter.cut(&object).expect("an object").len() < object.len()))
}

fn matched(n: usize) -> Box<dyn FnOnce()> {
    let selector = FieldSelector::parse("spec.list[*].name!=none").expect("a selector");
    let object = document_of("1", "one", &json!({ "list": vec![json!({ "name": "x" }); n] }));
    Box::new(move || {
        let events = stream::iter(synced([object])).matching(selector).unwrap().index(by());
        assert_eq!(run(events.count()), 1);
    })
}

fn document_of(version: &str, name: &str, spec: &Value) -> Document {
    let object = json!({
        "metadata": { "name": name, "uid": name, "resourceVersion": version }, "spec": spec,
    });
    Document::from_json(&object.to_string()).expect("an object")
}

/// Returns an index by one or two wildcard paths, and an object with about `n` keys in it.
fn keyed(paths: usize, n: usize, version: usize) -> (Index<Document>, Document) {
    let each = if paths == 1 { n } else { n.isqrt() };
    let mut spec = Map::new();
    let mut names = Vec::new();
    for path in 0..paths {
        let values = (0..each).map(|at| format!("host-{version}-{at}.example.com"));
        spec.insert(format!("list{path}"), values.collect());
        names.push(format!("spec.list{path}[*]"));
    }
    let by = Index::paths(names).expect("paths").max_keys(usize::MAX);
    (by, document_of(&version.to_string(), "large", &spec.into()))
}

fn put(paths: usize, n: usize) -> Box<dyn FnOnce()> {
    let (by, object) = keyed(paths, n, 1);
    Box::new(move || drop(black_box(Snapshot::from_objects(by, [object]))))
}

type Events = Vec<Result<Event<Document>, Error>>;

/// Returns the events of a list of these objects.
fn synced(objects: impl IntoIterator<Item = Document>) -> Events {
    let objects = objects.into_iter().map(Event::InitApply);
    [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).map(Ok).collect()
}

/// Returns the changes of an object with `n` keys, and a new version with different keys.
fn changes(n: usize, later: usize) -> impl Stream<Item = Result<Change<Document>, Error>> {
    let (by, first) = keyed(1, n, 1);
    let (_, second) = keyed(1, later, 2);
    let mut events = synced([first]);
    events.push(Ok(Event::Apply(second)));
    stream::iter(events).index(by)
}

fn change(n: usize) -> Box<dyn FnOnce()> {
    let changes = changes(n, n / 2);
    Box::new(move || assert_eq!(run(changes.count()), 2))
}

fn touched(n: usize) -> Box<dyn FnOnce()> {
    let changes = run(changes(n, n).collect::<Vec<_>>());
    let (by, _) = keyed(1, n, 1);
    Box::new(move || {
        let batches = changes.iter().flatten().filter_map(Change::batch);
        let keys = batches.map(|batch| batch.touched(&by).len());
        assert_eq!(keys.sum::<usize>(), 2 * n);
    })
}

fn hits(n: usize) -> Box<dyn FnOnce()> {
    let object = |at: usize| document_of("1", &format!("object-{at}"), &json!({ "host": "one" }));
    let by = Index::path("spec.host").expect("a path");
    let snapshot = Snapshot::from_objects(&by, (0..n).map(object)).expect("objects");
    Box::new(move || assert_eq!(snapshot.by(&by).get("one").count(), n))
}

/// Returns the events of `n` objects, and of another version of each.
fn twice(n: usize) -> Events {
    let object = |version: usize, at: usize| {
        document_of(&version.to_string(), &format!("object-{at}"), &json!(version))
    };
    let mut events = synced((0..n).map(|at| object(1, at)));
    events.extend((0..n).map(|at| Ok(Event::Apply(object(2, at)))));
    events
}

fn deltas(n: usize) -> Box<dyn FnOnce()> {
    let changes = stream::iter(twice(n)).index(by()).debounce(Duration::from_secs(1));
    let changes = run(changes.collect::<Vec<_>>());
    Box::new(move || {
        let batches = changes.iter().flatten().filter_map(Change::batch);
        assert_eq!(batches.map(|batch| batch.deltas().len()).sum::<usize>(), n);
    })
}

fn debounced(n: usize) -> Box<dyn FnOnce()> {
    let object = |version: usize| document_of(&version.to_string(), "one", &json!(version));
    let mut events = synced([object(0)]);
    events.extend((1..=n).map(|version| Ok(Event::Apply(object(version)))));
    Box::new(move || {
        let changes = stream::iter(events).index(by());
        assert_eq!(run(changes.debounce(Debounce::quiet(Duration::from_secs(1))).count()), 2);
    })
}

fn report(n: usize) -> Box<dyn FnOnce()> {
    let server = with_list(in_frames(&list("", &objects(n, r#","data":7"#)), usize::MAX));
    let store = run(async {
        let mut changes = configs(&server).index(by());
        let store = changes.store();
        until(&mut changes, &store, 0, n).await;
        store
    });
    Box::new(move || drop(black_box(store.report())))
}

fn document(n: usize) -> Box<dyn FnOnce()> {
    let spec: Map<_, _> = (0..n).map(|at| (format!("field-{at}"), json!([at, "x"]))).collect();
    let object = json!({ "metadata": { "name": "one" }, "spec": spec }).to_string();
    Box::new(move || {
        let document = Document::from_json(&object).expect("an object");
        assert_eq!(document.to_value()["spec"].as_object().expect("an object").len(), n);
        black_box(document.to_json());
    })
}

fn beside(n: usize, more: &str) -> Box<dyn FnOnce()> {
    let fields = fields(n);
    let object = object(0, &format!(r#","data":{{{fields}{more}}}"#));
    Box::new(move || drop(black_box(Document::from_json(&object).expect("an object"))))
}

/// Returns `n` levels of fields called `a`, in columns of 100 nested levels, each with a field `b`.
fn levels(n: usize) -> Value {
    let column = |_| (0..100).fold(json!({}), |below, at| json!({ "a": below, "b": at }));
    (0..n / 100).map(column).collect()
}

fn searched(n: usize) -> Box<dyn FnOnce()> {
    let object = document_of("1", "one", &levels(n));
    let by = Index::path("spec..a..a..b").expect("a path");
    Box::new(move || {
        let snapshot = Snapshot::from_objects(&by, [object]).expect("an object");
        assert_eq!(snapshot.by(&by).get("7").count(), 1);
    })
}

fn searched_by_filter(n: usize) -> Box<dyn FnOnce()> {
    let list: Vec<_> = (0..n).map(|at| json!({ "a": { "b": at % 10 }, "c": "x" })).collect();
    let object = document_of("1", "one", &json!({ "list": list }));
    let by = Index::path("spec.list[?@..b].c").expect("a path");
    Box::new(move || {
        let snapshot = Snapshot::from_objects(&by, [object]).expect("an object");
        assert_eq!(snapshot.by(&by).get("x").count(), 1);
    })
}

fn dropped_levels(n: usize) -> Box<dyn FnOnce()> {
    let filter = FieldFilter::new(["spec..b"]).expect("paths");
    let object = json!({ "metadata": { "name": "one" }, "spec": levels(n) }).to_string();
    Box::new(move || assert!(filter.cut(&object).expect("an object").len() < object.len()))
}
