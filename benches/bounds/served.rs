//! Answers of a server, and pipelines that process them.

use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{
    Change, Error, Index, Store, Watch,
    testing::{Answer, ApiServer, End, Fault, Verb},
    watch,
};
use serde::Serialize;
use tokio::time::timeout;

/// Runs a future on a new runtime, in virtual time.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime").block_on(future)
}

pub(crate) fn by<K: Serialize + 'static>() -> Index<K> {
    Index::path("metadata.name").expect("a path")
}

pub(crate) fn configs(server: &ApiServer) -> Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

/// Returns a server with this answer to a list.
pub(crate) fn with_list(answer: Answer) -> ApiServer {
    let server = ApiServer::new();
    server.fault(Verb::List, 1, Fault::Answer(answer));
    server.fault(Verb::Watch, 1, Fault::Answer(Answer::new(200).end(End::Never)));
    server
}

/// Returns a server with an empty list, and this answer to a watch.
pub(crate) fn with_watch(answer: Answer) -> ApiServer {
    let server = ApiServer::new();
    server.fault(Verb::List, 1, Fault::Answer(Answer::new(200).chunk(list("", ""))));
    server.fault(Verb::Watch, 1, Fault::Answer(answer.end(End::Never)));
    server
}

/// Polls changes until the store has a number of objects, and a number of failures were yielded.
pub(crate) async fn until<K: kube::runtime::reflector::Lookup>(
    changes: &mut (impl Stream<Item = Result<Change<K>, Error>> + Unpin),
    store: &Store<K>,
    kept: usize,
    failures: usize,
) {
    let mut failed = 0;
    let all = async {
        while store.snapshot().len() < kept || failed < failures || !store.is_synced() {
            failed += usize::from(changes.next().await.expect("an item").is_err());
        }
    };
    timeout(Duration::from_secs(60), all).await.expect("all of it within a minute");
}

/// Returns a `ConfigMap` with the fields `more`.
pub(crate) fn object(at: usize, more: &str) -> String {
    format!(
        r#"{{"metadata":{{"namespace":"a","name":"object-{at:06}","uid":"{at}","resourceVersion":"{}"}}{more}}}"#,
        at + 2
    )
}

/// Returns `n` objects with the fields `more`.
pub(crate) fn objects(n: usize, more: &str) -> String {
    (0..n).map(|at| object(at, more)).collect::<Vec<_>>().join(",")
}

/// Returns a list with an additional field.
pub(crate) fn list(field: &str, items: &str) -> String {
    format!(
        r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},{field}"items":[{items}]}}"#
    )
}

/// Returns a line of a watch.
pub(crate) fn line(kind: &str, object: &str) -> String {
    format!(r#"{{"type":"{kind}","object":{object}}}"#) + "\n"
}

/// Returns an answer in frames of this many bytes.
pub(crate) fn in_frames(body: &str, bytes: usize) -> Answer {
    let frames = body.as_bytes().chunks(bytes);
    frames.fold(Answer::new(200), |answer, frame| answer.chunk(frame.to_vec()))
}

/// Returns `n` fields, each followed by a comma.
pub(crate) fn fields(n: usize) -> String {
    (0..n).map(|at| [r#""unknown-"#, &at.to_string(), r#"":"value","#].concat()).collect()
}

pub(crate) fn nested(n: usize) -> String {
    format!(r#""unknown":{}1{},"#, r#"{"a":"#.repeat(n), "}".repeat(n))
}
