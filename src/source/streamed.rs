//! A streaming list: a watch that sends the whole state first.

use std::sync::Arc;

use async_stream::stream;
use futures::Stream;
use kube::runtime::reflector::Lookup;
use tokio::time::Instant;

use super::{
    list::{Listing, Start},
    query::Query,
    read::Read,
    request::Verb,
    resolve::Resolved,
    resume::{Open, Span},
    target::Target,
};
use crate::{clock::after, error::ErrorKind, event::WatchEvent};

/// Lists a collection over one connection, which continues as the watch.
///
/// A list that breaks off starts anew, because nothing shows which part is missing.
pub(super) fn streamed<K>(
    query: Arc<Query<K>>,
    target: Arc<Target>,
    resolved: Arc<Resolved>,
) -> impl Stream<Item = Listing<K>> + Send
where
    K: Lookup + Send + 'static,
{
    stream! {
        let begun = Instant::now();
        let mut objects = 0_usize;
        let expected = query.expected(&resolved);
        query.list_begins(&target, true);
        let timeout = query.next_timeout();
        let mut body = match query.watch(&target, &resolved, "", timeout, true).await {
            Ok(body) => body,
            // The answer of a server without streaming lists.
            Err(error) if error.is_rejected() => {
                query.lists_in_pages(&error);
                query.stop_streaming();
                yield Listing::Unsupported;
                return;
            }
            Err(error) => {
                yield Listing::Broken(error);
                return;
            }
        };
        let span = Span { begun, answered: Instant::now(), timeout };
        // The list must end within the timeout of the watch.
        let end = Query::<K>::end_of_watch(begun, timeout);
        // Only objects are progress: bookmarks may go on forever.
        let mut progressed = Instant::now();
        let mut counted = 0;
        loop {
            if counted != objects {
                counted = objects;
                progressed = Instant::now();
            }
            let until = after(progressed, query.list_patience).min(end);
            let line = match body.line(until).await {
                Ok(Some(line)) => line,
                Ok(None) => {
                    // A server that took the list for a normal watch ends it at its timeout.
                    if begun.elapsed() >= timeout {
                        query.stop_streaming();
                    }
                    let why = "the streaming list ended before it was complete";
                    let error = query.error(Verb::Watch, &target, ErrorKind::Connection, why);
                    yield Listing::Broken(error);
                    return;
                }
                Err(error) => {
                    // A server that ignores the parameter never ends such a list.
                    if error.is_timeout() {
                        query.stop_streaming();
                    }
                    yield Listing::Broken(error);
                    return;
                }
            };
            match query.read(line, true, &target, &expected) {
                Read::Event(event, _) => {
                    objects += 1;
                    yield Listing::Event(event);
                }
                Read::Known { namespace, name } => {
                    objects += 1;
                    yield Listing::Event(WatchEvent::Unchanged { namespace, name });
                }
                Read::Gone { namespace, name, version } => {
                    yield Listing::Event(WatchEvent::Gone { namespace, name, version });
                }
                Read::Undecodable { error, .. } => yield Listing::Failed(error),
                Read::Bookmark { version: Some(version), ends_list: true } => {
                    query.list_is_complete(&target, objects, &version, begun);
                    let open = Some(Open { body, span });
                    yield Listing::Complete(Start { version: Some(version), open });
                    return;
                }
                Read::Bookmark { .. } => {}
                Read::Failed(error) => {
                    yield Listing::Broken(error);
                    return;
                }
            }
        }
    }
}
