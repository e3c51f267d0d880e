//! A page that shows a world live, with server-sent events.
//!
//! ```sh
//! cargo run --example axum_sse                  # http://127.0.0.1:8377, until ctrl-c
//! cargo run --example axum_sse -- --port 0      # on any free port
//! cargo run --example axum_sse -- --cluster     # the own namespace of the current kube context
//! ```
//!
//! Each kind is watched once, by its own task. Each visitor is an additional consumer: a world of the
//! stores' `changes()`, debounced for this visitor. A visitor gets the whole state first, and then
//! only changes; a slow visitor gets fewer, larger batches, and holds up nobody.
//!
//! The page is `page.html`. On a cluster it writes nothing, and needs `list` and `watch` on the resources in
//! `TABLES`. Everyone who can open the port sees all data, so it is bound to this machine.

mod script;
#[path = "../support/mod.rs"]
mod support;

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::{Html, Sse, sse},
    routing::get,
};
use futures::{Stream, stream};
use kube_weir::{Kinds, prelude::*, worlds::ByName};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::interval};

/// Names of the columns, and paths of their values.
type Columns = &'static [(&'static str, &'static str)];

/// A table for each kind.
const TABLES: [(&str, &str, Columns); 3] = [
    (
        "deployments",
        "apps/v1/deployments",
        &[
            ("wanted", "spec.replicas"),
            ("ready", "status.readyReplicas"),
            ("images", "spec.template.spec.containers[*].image"),
        ],
    ),
    (
        "pods",
        "v1/pods",
        &[("app", "metadata.labels.app"), ("phase", "status.phase"), ("node", "spec.nodeName")],
    ),
    (
        "services",
        "v1/services",
        &[("type", "spec.type"), ("address", "spec.clusterIP"), ("ports", "spec.ports[*].port")],
    ),
];

/// A watched kind.
struct Watched {
    name: &'static str,
    columns: Vec<&'static str>,
    paths: Vec<FieldPath>,
    store: Store<Document>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script::run).await?;
    let mut kinds = Vec::new();
    for (name, resource, columns) in TABLES {
        let changes = watch_resource(client.clone(), resource)?
            .namespaces([client.default_namespace()])
            .filter_fields("metadata.managedFields")?
            .index(());
        let store = changes.store();
        changes.spawn(); // until the program ends
        kinds.push(Watched {
            name,
            columns: columns.iter().map(|(column, _)| *column).collect(),
            paths: columns
                .iter()
                .map(|(_, path)| FieldPath::parse(path))
                .collect::<Result<_, _>>()?,
            store,
        });
    }

    let page = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/events", get(visit))
        .with_state(Arc::<[Watched]>::from(kinds));
    let listener = TcpListener::bind(("127.0.0.1", port()?)).await?;
    println!("http://{}", listener.local_addr()?);
    // The streams of the visitors never end, so don't wait for them.
    tokio::select! {
        served = axum::serve(listener, page) => served?,
        () = end => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

fn port() -> Result<u16, std::num::ParseIntError> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--port").skip(1);
    arguments.next().map_or(Ok(8377), |port| port.parse())
}

/// Returns the events for one visitor, while the page is open.
async fn visit(
    State(kinds): State<Arc<[Watched]>>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let columns: Value =
        kinds.iter().map(|kind| (kind.name.to_owned(), json!(kind.columns))).collect();
    let own = kinds.iter().fold(Kinds::new(), |own, kind| own.add(kind.name, kind.store.changes()));
    let changes = world(own).debounce(Duration::from_millis(250)).log_errors();
    let mut health = Box::pin(health(Arc::clone(&kinds)));
    let changes = changes.map(move |change| shown(&kinds, &change));

    // `select` guarantees no order, and the page shows the state of each watch from the start.
    let first = [Some(("tables", columns)), health.next().await];
    let first = stream::iter(first.into_iter().flatten());
    let messages = first.chain(stream::select(health, changes));
    let events =
        messages.map(|(name, data)| sse::Event::default().event(name).data(data.to_string()));
    // Keep-alives show proxies that this connection is in use.
    Sse::new(events.map(Ok)).keep_alive(sse::KeepAlive::default())
}

/// Returns all rows for the first change; afterwards changed rows, and the names of deleted ones.
fn shown(kinds: &[Watched], change: &WorldChange<ByName>) -> (&'static str, Value) {
    let row = |kind: &Watched, object: &Document| -> Vec<String> {
        let cells = kind.paths.iter().map(|path| object.get(path).join(", "));
        [object.name().to_owned()].into_iter().chain(cells).collect()
    };
    match change.batch() {
        None => {
            let kinds = kinds.iter().filter_map(|kind| {
                let objects = change.world().kind(kind.name)?.iter();
                let rows: Vec<_> = objects.map(|object| row(kind, object)).collect();
                Some((kind.name.to_owned(), json!(rows)))
            });
            ("world", kinds.collect())
        }
        Some(batch) => {
            let kinds = kinds.iter().filter_map(|kind| {
                let deltas = batch.kind(kind.name)?.deltas();
                let set: Vec<_> =
                    deltas.iter().filter_map(Delta::after).map(|new| row(kind, new)).collect();
                let gone = deltas.iter().filter(|delta| delta.after().is_none());
                let gone: Vec<_> = gone.map(|delta| delta.object().name()).collect();
                Some((kind.name.to_owned(), json!({ "set": set, "gone": gone })))
            });
            ("batch", kinds.collect())
        }
    }
}

/// Returns a stream of the state of each watch, yielded when it changes. State is no change of a store, so it
/// is polled.
fn health(kinds: Arc<[Watched]>) -> impl Stream<Item = (&'static str, Value)> {
    let start = (interval(Duration::from_secs(1)), Value::Null);
    stream::unfold(start, move |(mut clock, before)| {
        let kinds = Arc::clone(&kinds);
        async move {
            loop {
                clock.tick().await;
                let all = kinds.iter().map(|kind| {
                    let own = kind.store.report();
                    (kind.name.to_owned(), json!({ "state": own.state, "error": own.last_error }))
                });
                let now: Value = all.collect();
                if now != before {
                    return Some((("health", now.clone()), (clock, now)));
                }
            }
        }
    })
}
