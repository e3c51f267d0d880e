//! The items of a source, until the program has seen enough.

use std::pin::pin;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::Lookup;
use kube_weir::{Change, EventStreamExt, SyncPolicy, adapters::EventItem};
use serde::Serialize;
use tokio::select;

use crate::{failure::Failure, options::Options, output::Output};

/// Prints items of any source, until the requested number is reached.
pub(crate) async fn follow<S, K>(
    events: S,
    options: &Options,
    output: &Output,
) -> Result<(), Failure>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + 'static,
{
    let mut indexed = events
        .index(options.indexes()?)
        .sync_policy(SyncPolicy::default().deadline(options.sync_timeout));
    if options.progress {
        indexed = indexed.with_progress();
    }
    let store = indexed.store();
    let mut changes = pin!(indexed.debounce(options.debounce()));
    let mut synced = pin!(store.synced());
    let mut live = 0;
    loop {
        let item = select! {
            biased; // an error is printed before it ends the program
            item = changes.next() => item,
            Err(error) = &mut synced, if !store.is_synced() => return Err(Failure::sync(&error)),
        };
        match item {
            None => return Ok(()),
            // An invalid namespace, or an unknown resource.
            Some(Err(error)) if error.is_namespace() || error.is_resource() => {
                return Err(error.into());
            }
            Some(Err(error)) => output.error(&error)?,
            Some(Ok(change)) => {
                output.change(&change)?;
                live += u64::from(matches!(change, Change::Live(_)));
                let synced = options.exit_after_synced && matches!(change, Change::Synced(_));
                if synced || options.changes == Some(live) {
                    return Ok(());
                }
            }
        }
    }
}
