//! The events of a visitor.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    response::{Sse, sse},
};
use futures::{Stream, stream};
use kube_weir::{Kinds, prelude::*, worlds::ByName};
use serde_json::{Value, json};
use tokio::time::interval;

use crate::tables::Watched;

/// Returns the events for one visitor, while the page is open.
pub(crate) async fn visit(
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
