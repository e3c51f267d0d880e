//! Helpers of the tests of a watch against scripted answers: JSON as on the wire, and a pipeline whose
//! items are recorded while it runs.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, runtime::reflector::Lookup};
use kube_weir::{
    Change, Error, Snapshot, Store, Watch,
    testing::{Answer, ApiServer, Fault, Verb},
    watch,
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::logs::Logs;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Returns a `ConfigMap` at `namespace/name`, for `apply`.
pub(crate) fn config(identity: &str, data: &str) -> Value {
    let (namespace, name) = identity.split_once('/').expect("namespace/name");
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": namespace, "name": name },
        "data": { "key": data },
    })
}

/// Returns a `ConfigMap` as sent by a server.
pub(crate) fn sent(identity: &str, version: u64) -> Value {
    let mut object = config(identity, &version.to_string());
    object["metadata"]["uid"] = identity.into();
    object["metadata"]["resourceVersion"] = version.to_string().into();
    object
}

/// Returns a list of `ConfigMaps` as sent by a server.
pub(crate) fn list(version: u64, items: impl Into<Value>) -> Value {
    json!({
        "kind": "ConfigMapList", "apiVersion": "v1",
        "metadata": { "resourceVersion": version.to_string() }, "items": items.into(),
    })
}

pub(crate) fn event(kind: &str, object: impl Into<Value>) -> Value {
    json!({ "type": kind, "object": object.into() })
}

pub(crate) fn bookmark(version: u64) -> Value {
    let metadata = json!({ "resourceVersion": version.to_string() });
    event("BOOKMARK", json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata }))
}

/// Returns the bookmark that ends a streaming list, if the annotation has the right value.
pub(crate) fn end_of_list(version: u64, value: &str) -> Value {
    let mut end = bookmark(version);
    end["object"]["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": value });
    end
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}

/// Returns an answer that is a `Status`, with its code as the HTTP status.
pub(crate) fn failure(code: u16, reason: &str) -> Answer {
    Answer::json(code, &status(code, reason, "no"))
}

pub(crate) fn server_with(identities: &[&str]) -> ApiServer {
    let server = ApiServer::new();
    for identity in identities {
        server.apply(&config(identity, "first")).unwrap();
    }
    server
}

pub(crate) fn configs(server: &ApiServer) -> Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

type Item = Result<Change<ConfigMap>, Error>;

/// Makes a store log each of its lines about an outage once, and returns a subscriber to hold. With only
/// one subscriber, a line that another thread logs for the first time stays disabled. So a test that counts
/// lines begins with this, and its own subscriber is the second.
pub(crate) async fn warm_up_logs() -> Logs {
    let spare = crate::logs::capture();
    let server = server_with(&["a/x"]);
    server.fault(Verb::List, 3, Fault::status(503));
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(SECOND).await;
    spare
}

/// A pipeline that a task drives, and its items.
pub(crate) struct Driven {
    pub(crate) store: Store<ConfigMap>,
    items: Arc<Mutex<Vec<(Instant, Item)>>>,
    task: JoinHandle<()>,
}

pub(crate) fn drive(watch: Watch<ConfigMap>) -> Driven {
    let changes = watch.index(());
    let store = changes.store();
    drive_changes(changes, store)
}

pub(crate) fn drive_changes(
    changes: impl Stream<Item = Result<Change<ConfigMap>, Error>> + Send + 'static,
    store: Store<ConfigMap>,
) -> Driven {
    let items = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&items);
    let task = tokio::spawn(async move {
        let mut changes = Box::pin(changes);
        while let Some(item) = changes.next().await {
            seen.lock().expect("no panic").push((Instant::now(), item));
        }
    });
    Driven { store, items, task }
}

impl Driven {
    pub(crate) fn errors(&self) -> Vec<Error> {
        self.timed_errors().into_iter().map(|(_, error)| error).collect()
    }

    pub(crate) fn timed_errors(&self) -> Vec<(Instant, Error)> {
        let items = self.items.lock().expect("no panic");
        items.iter().filter_map(|(at, item)| Some((*at, item.as_ref().err()?.clone()))).collect()
    }

    /// Returns the lines of all batches after the sync, such as `+a/x@2`.
    pub(crate) fn deltas(&self) -> Vec<String> {
        let items = self.items.lock().expect("no panic");
        let live = items.iter().filter_map(|(_, item)| match item {
            Ok(Change::Live(batch)) => Some(crate::support::deltas(batch)),
            _ => None,
        });
        live.flatten().collect()
    }

    /// Returns the times of all batches after the sync.
    pub(crate) fn live(&self) -> Vec<Instant> {
        let items = self.items.lock().expect("no panic");
        let live = items.iter().filter(|(_, item)| matches!(item, Ok(Change::Live(_))));
        live.map(|(at, _)| *at).collect()
    }

    pub(crate) fn synced(&self) -> usize {
        let items = self.items.lock().expect("no panic");
        items.iter().filter(|(_, item)| matches!(item, Ok(Change::Synced(_)))).count()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.store.snapshot())
    }

    pub(crate) fn data(&self, namespace: &str, name: &str) -> Option<String> {
        data(&self.store, namespace, name)
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn data(store: &Store<ConfigMap>, namespace: &str, name: &str) -> Option<String> {
    store.get((namespace, name))?.data.as_ref()?.get("key").cloned()
}

pub(crate) fn names<K: Lookup>(snapshot: &Snapshot<K>) -> Vec<String> {
    let name = |object: &K| {
        let namespace = object.namespace().unwrap_or_default();
        format!("{namespace}/{}", object.name().unwrap_or_default())
    };
    snapshot.iter().map(|object| name(object)).collect()
}

/// Returns the numbers of lists and watches among requests.
pub(crate) fn asked(server: &ApiServer) -> (usize, usize) {
    let requests = server.requests();
    let watches = requests.iter().filter(|request| request.contains("watch=true")).count();
    let lists = requests.iter().filter(|request| is_list(request)).count();
    (lists, watches)
}

/// Returns whether a request is a list, or a page of one; a check of one object doesn't count.
pub(crate) fn is_list(request: &str) -> bool {
    request.contains("limit=") && !request.contains("limit=1&") && !request.ends_with("limit=1")
}

/// Returns the requests since the last call, with their times, sampled every `step`.
pub(crate) async fn timed_requests(
    server: &ApiServer,
    span: Duration,
    step: Duration,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Duration> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < span {
        sleep(step).await;
        let requests = server.take_requests();
        let found = requests.iter().filter(|request| wanted(request)).count();
        times.extend(std::iter::repeat_n(begun.elapsed(), found));
    }
    times
}

/// Returns the objects of a server, as `namespace/name@version`.
pub(crate) fn on_server(server: &ApiServer) -> Vec<String> {
    let objects = server.objects("configmaps").unwrap();
    let line = |object: &Value| {
        let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
        let data = object["data"]["key"].as_str().unwrap_or_default();
        format!("{}/{}@{} {data}", field("namespace"), field("name"), field("resourceVersion"))
    };
    objects.iter().map(line).collect()
}

/// Returns the objects of a store as `namespace/name@version`.
pub(crate) fn in_store(store: &Store<ConfigMap>) -> Vec<String> {
    let line = |object: &Arc<ConfigMap>| {
        let data = object.data.as_ref().and_then(|data| data.get("key"));
        let data = data.map(String::as_str).unwrap_or_default();
        format!("{} {data}", crate::support::versioned(object))
    };
    store.snapshot().iter().map(line).collect()
}

/// Returns a CRD of `widgets.example.com` that is served in these versions; the first is stored.
pub(crate) fn widgets(versions: &[&str]) -> Value {
    let version = |own: &&str| {
        json!({
            "name": own, "served": true, "storage": *own == versions[0],
            "schema": { "openAPIV3Schema": { "type": "object",
                "x-kubernetes-preserve-unknown-fields": true } },
        })
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget" },
            "versions": versions.iter().map(version).collect::<Vec<_>>(),
        },
    })
}
