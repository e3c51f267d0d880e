//! Inputs of 1 MiB, and the times of the polls that process them.

use std::{future::poll_fn, time::Duration};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Document, Error, EventStreamExt, FieldFilter, Gvr, Index, testing::ApiServer, watch,
    watch_resource,
};

use super::{
    served::{by, in_frames, line, list, object, objects, run, with_list, with_watch},
    support::measure::thread_cpu,
};

/// CPU time of polls.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) all: Duration,
    pub(crate) longest: Duration,
}

const MIB: usize = 1 << 20;

/// Function that runs a pipeline on an input.
type Run = fn() -> Times;

pub(crate) const CASES: [(&str, Run); 18] = [
    ("watch: one object, typed", || of_typed(&with_watch(in_frames(&event(&one()), MIB)))),
    ("watch: one object, Document", || of_documents(&with_watch(in_frames(&event(&one()), MIB)))),
    ("watch: one object in frames of 8 KiB, typed", || {
        of_typed(&with_watch(in_frames(&event(&one()), 8 << 10)))
    }),
    ("watch: one object of small fields, typed", || {
        of_typed(&with_watch(in_frames(&event(&of_fields()), MIB)))
    }),
    ("watch: one object of small fields, Document", || {
        of_documents(&with_watch(in_frames(&event(&of_fields()), MIB)))
    }),
    ("watch: one object of small fields, half of them dropped", || {
        dropping(&with_watch(in_frames(&event(&of_fields()), MIB)))
    }),
    ("list: 8,000 objects, typed", || of_typed(&with_list(in_frames(&many(8_000), MIB)))),
    ("list: 8,000 objects, Document", || of_documents(&with_list(in_frames(&many(8_000), MIB)))),
    ("list: 100,000 objects of 12 MiB, Document", || {
        of_documents(&with_list(in_frames(&many(100_000), MIB)))
    }),
    ("list: 15 objects with 10,000 keys each", || {
        keyed(&with_list(in_frames(&list("", &of_keys().join(",")), MIB)))
    }),
    ("watch: 15 objects with 10,000 keys each", || {
        let lines = of_keys().iter().map(|object| event(object)).collect::<String>();
        keyed(&with_watch(in_frames(&lines, MIB)))
    }),
    ("index: one object with 10,000 keys", || keys(1, 10_000)),
    ("index: one object with 100 x 100 keys", || keys(2, 100)),
    ("watch: one object of small fields and a number with an exponent, Document", || {
        of_documents(&with_watch(in_frames(&event(&of_fields_and(r#""odd":1e3"#)), MIB)))
    }),
    ("watch: one object of small fields and a name that repeats, Document", || {
        of_documents(&with_watch(in_frames(&event(&of_fields_and(r#""odd":1,"odd":2"#)), MIB)))
    }),
    ("watch: one object of small fields, one dropped by a search, Document", || {
        let configs = Gvr::parse("v1/configmaps").expect("a resource");
        let server = with_watch(in_frames(&event(&of_fields_and(r#""odd":1"#)), MIB));
        run(async {
            let configs = watch_resource(server.client(), configs).unwrap();
            timed(configs.filter_fields("data..odd").expect("a path").index(by())).await
        })
    }),
    ("index: one object with 149,000 values, too many", || {
        let values = (0..149_000).map(|at| format!("{:06}", 100_000 + at));
        indexed(&format!("[{}]", values.collect::<Vec<_>>().join(",")), "spec[*]")
    }),
    ("index: one deep object that is searched three times", || {
        let level = format!("{}1{}", r#"{"a":"#.repeat(100), r#","b":"x"}"#.repeat(100));
        indexed(&format!("[{}]", vec![level; MIB / 1_500].join(",")), "spec..a..a..b")
    }),
];

fn one() -> String {
    object(0, &format!(r#","data":{{"key":"{}"}}"#, "x".repeat(MIB)))
}

fn of_fields() -> String {
    let fields = (0..MIB / 32).map(|at| format!(r#""key-{at:08}":"value-{at:06}""#));
    object(0, &format!(r#","data":{{{}}}"#, fields.collect::<Vec<_>>().join(",")))
}

/// Returns an object of small fields, followed by the fields `more`.
fn of_fields_and(more: &str) -> String {
    of_fields().replace("}}", &format!(",{more}}}}}"))
}

fn many(n: usize) -> String {
    list("", &objects(n, r#","data":{"key":"value"}"#))
}

fn event(object: &str) -> String {
    line("ADDED", object)
}

fn of_typed(server: &ApiServer) -> Times {
    run(async { timed(watch(Api::<ConfigMap>::all(server.client())).index(by())).await })
}

fn of_documents(server: &ApiServer) -> Times {
    documents(server, by())
}

fn documents(server: &ApiServer, by: Index<Document>) -> Times {
    let configs = Gvr::parse("v1/configmaps").expect("a resource");
    run(async { timed(watch_resource(server.client(), configs).unwrap().index(by)).await })
}

fn dropping(server: &ApiServer) -> Times {
    let keys = (0..MIB / 64).map(|at| format!("data.key-{:08}", 2 * at));
    let filter = FieldFilter::new(keys).expect("paths");
    run(async {
        let configs = watch(Api::<ConfigMap>::all(server.client()));
        timed(configs.filter_fields(filter).unwrap().index(by())).await
    })
}

/// Returns objects of 70 KB whose elements are different short texts.
fn of_keys() -> Vec<String> {
    let keys =
        |at: usize| (0..10_000).map(move |key| format!(r#""{:x}""#, 150_000 - 10_000 * at + key));
    let keys = |at| keys(at).collect::<Vec<_>>().join(",");
    (0..15).map(|at| object(at, &format!(r#","spec":[{}]"#, keys(at)))).collect()
}

fn keyed(server: &ApiServer) -> Times {
    documents(server, Index::path("spec[*]").expect("a path"))
}

/// Indexes an object that has `values` to the power of `paths` keys.
fn keys(paths: usize, values: usize) -> Times {
    let text = "x".repeat(MIB / values / paths - 8);
    let value = |at: usize| format!(r#""{at:05}{text}""#);
    let values = (0..values).map(value).collect::<Vec<_>>().join(",");
    let names = ["one", "two"];
    let lists = names[..paths].iter().map(|name| format!(r#""{name}":[{values}]"#));
    let lists = lists.collect::<Vec<_>>().join(",");
    let object = object(0, &format!(r#","spec":{{{lists}}}"#));
    let object = Document::from_json(&object).expect("an object");
    let names = names[..paths].iter().map(|name| format!("spec.{name}[*]"));
    let by = Index::paths(names).expect("paths");
    taken_in(object, by)
}

/// Indexes an object by a path in its `spec`.
fn indexed(spec: &str, path: &str) -> Times {
    let object = Document::from_json(&object(0, &format!(r#","spec":{spec}"#)));
    taken_in(object.expect("an object"), Index::path(path).expect("a path"))
}

fn taken_in(object: Document, by: Index<Document>) -> Times {
    let events = [Event::Init, Event::InitDone, Event::Apply(object)].map(Ok::<_, Error>);
    run(async { timed(stream::iter(events).index(by)).await })
}

/// Polls a stream, in turn with other tasks, until it yields nothing for a second.
async fn timed<T>(stream: impl Stream<Item = T>) -> Times {
    let mut times = Times::default();
    let mut stream = std::pin::pin!(stream);
    let polled = async {
        while let Some(item) = poll_fn(|cx| {
            let begun = thread_cpu();
            let item = stream.poll_next_unpin(cx);
            let took = thread_cpu().saturating_sub(begun);
            times.all += took;
            times.longest = times.longest.max(took);
            item
        })
        .await
        {
            drop(item);
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), polled).await;
    times
}
