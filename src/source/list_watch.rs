//! The life of a watch, from top to bottom: list, watch, resume, list again.

use std::{future, sync::Arc, time::Duration};

use async_stream::stream;
use futures::{Stream, StreamExt, stream::SelectAll};
use kube::runtime::{reflector::Lookup, watcher::Event};
use tokio::time::{Instant, sleep};

use super::{
    backoff::Backoff,
    incoming::Incoming,
    query::{Collection, Query, Read},
};
use crate::error::{Error, Reason};

/// A watch that the server ends without a word within this time is a failure, as in client-go.
const SUSPECT: Duration = Duration::from_secs(1);

/// Everything that a watch yields, for ever.
pub(super) fn list_watch<K>(
    query: Arc<Query<K>>,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Lookup + Send + 'static,
{
    stream! {
        if let Err(error) = query.check_namespaces() {
            yield Err(error);
            return;
        }
        // Grows with every list that had to be begun anew; only a watch that holds resets it.
        let mut restarts = Backoff::default();
        let mut streaming = query.streaming_list;
        'list: loop {
            yield Ok(Event::Init);
            let mut watches = SelectAll::new();
            let mut starts = Vec::new();
            for collection in query.collections() {
                let mut list = Box::pin(list(Arc::clone(&query), Arc::clone(&collection), streaming));
                while let Some(step) = list.next().await {
                    match step {
                        Listing::Object(object) => yield Ok(Event::InitApply(object)),
                        Listing::Failed(error) => yield Err(error),
                        Listing::Complete(start) => {
                            let collection = Arc::clone(&collection);
                            starts.push((Arc::clone(&collection), start.version.clone()));
                            watches.push(watch(Arc::clone(&query), collection, start).boxed());
                        }
                        Listing::Desynced(error) => {
                            // A server that ignores what it was asked for never ends a streaming
                            // list: the next one is paged, and only that one.
                            streaming = false;
                            let delay = restarts.after(&error);
                            yield Err(error);
                            sleep(delay).await;
                            continue 'list;
                        }
                    }
                }
            }
            streaming = query.streaming_list;
            // Only now: until all of them are complete, the store shows none of the lists.
            for (collection, version) in starts {
                query.reached(&collection, &version);
            }
            yield Ok(Event::InitDone);
            while let Some(step) = watches.next().await {
                match step {
                    Watching::Event(event) => {
                        restarts.reset();
                        yield Ok(event);
                    }
                    Watching::Bookmark => restarts.reset(),
                    Watching::Failed(error) => yield Err(error),
                    Watching::Desynced(error) => {
                        let delay = restarts.after(&error);
                        yield Err(error);
                        sleep(delay).await;
                        continue 'list;
                    }
                }
            }
            // Of no namespace there is nothing to see, ever.
            future::pending::<()>().await;
        }
    }
}

/// What a list has to tell.
enum Listing<K> {
    Object(K),
    /// Something failed, and is tried again.
    Failed(Error),
    /// All objects were told. The last word.
    Complete(Start),
    /// The list can't be completed, only begun anew. The last word.
    Desynced(Error),
}

/// Where a watch begins.
struct Start {
    version: String,
    /// The connection of a streaming list, which goes on as a watch.
    open: Option<Incoming>,
}

fn list<K>(
    query: Arc<Query<K>>,
    collection: Arc<Collection>,
    mut streaming: bool,
) -> impl Stream<Item = Listing<K>> + Send
where
    K: Lookup + Send + 'static,
{
    stream! {
        let mut backoff = Backoff::default();
        while streaming {
            match query.watch(&collection.url, "", true).await {
                Ok(mut incoming) => loop {
                    // Nothing tells the part of a list that was cut from the one that follows:
                    // whatever breaks it off, begin anew.
                    let line = match query.line(&mut incoming).await {
                        Ok(Some(line)) => line,
                        Ok(None) => {
                            let why = "the streaming list ended before it was complete";
                            yield Listing::Desynced(query.error(Reason::Connection, why));
                            return;
                        }
                        Err(error) => {
                            yield Listing::Desynced(error);
                            return;
                        }
                    };
                    match query.read(line, true) {
                        Read::Event(Event::Apply(object), _) => yield Listing::Object(object),
                        Read::Undecodable { error, gone: false, .. } => yield Listing::Failed(error),
                        Read::Bookmark { version, end_of_list: true } => {
                            yield Listing::Complete(Start { version, open: Some(incoming) });
                            return;
                        }
                        Read::Known
                        | Read::Event(..)
                        | Read::Undecodable { .. }
                        | Read::Bookmark { .. } => {}
                        Read::Failed(error) => {
                            yield Listing::Desynced(error);
                            return;
                        }
                    }
                },
                // What servers without streaming lists answer.
                Err(error) if error.is_rejected() => {
                    tracing::debug!(%error, "no streaming list here, listing in pages");
                    streaming = false;
                }
                Err(error) => {
                    let delay = backoff.after(&error);
                    yield Listing::Failed(error);
                    sleep(delay).await;
                }
            }
        }
        let mut next: Option<String> = None;
        loop {
            let mut told = false;
            let failure = match query.list(&collection.url, next.as_deref()).await {
                Ok(mut page) => loop {
                    match page.item(|bytes, types| query.item(bytes, types)).await {
                        Ok(Some(item)) => {
                            told = true;
                            match item {
                                Some(Ok(object)) => yield Listing::Object(object),
                                Some(Err(error)) => yield Listing::Failed(error),
                                None => {}
                            }
                        }
                        Ok(None) => {
                            backoff.reset();
                            next = page.next();
                            if next.is_none() {
                                yield Listing::Complete(Start { version: page.version(), open: None });
                                return;
                            }
                            break None;
                        }
                        Err(error) => break Some(error),
                    }
                },
                Err(error) => Some(error),
            };
            match failure {
                None => {}
                // The continue token is too old; or the first page broke off, and another try will
                // be of another moment.
                Some(error) if error.is_desynced() || (told && next.is_none()) => {
                    yield Listing::Desynced(error);
                    return;
                }
                Some(error) => {
                    let delay = backoff.after(&error);
                    yield Listing::Failed(error);
                    sleep(delay).await;
                }
            }
        }
    }
}

/// What a watch has to tell.
enum Watching<K> {
    Event(Event<K>),
    /// Nothing changed, and the watch holds.
    Bookmark,
    /// Something failed; the watch resumes where it was.
    Failed(Error),
    /// It can't resume: list again. The last word.
    Desynced(Error),
}

fn watch<K>(
    query: Arc<Query<K>>,
    collection: Arc<Collection>,
    start: Start,
) -> impl Stream<Item = Watching<K>> + Send
where
    K: Lookup + Send + 'static,
{
    stream! {
        let Start { mut version, mut open } = start;
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let connected = match open.take() {
                Some(incoming) => Ok(incoming),
                None => query.watch(&collection.url, &version, false).await,
            };
            let failure = match connected {
                Err(error) => Some(error),
                Ok(mut incoming) => loop {
                    let line = match query.line(&mut incoming).await {
                        Ok(Some(line)) => line,
                        Ok(None) if begun.elapsed() < SUSPECT => {
                            break Some(query.error(Reason::Connection, "the server ended it at once"));
                        }
                        // The server ends every watch at its timeout.
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    };
                    match query.read(line, false) {
                        Read::Event(event, at) => {
                            version = at;
                            query.reached(&collection, &version);
                            yield Watching::Event(event);
                        }
                        Read::Bookmark { version: at, .. } => {
                            version = at;
                            query.reached(&collection, &version);
                            yield Watching::Bookmark;
                        }
                        Read::Undecodable { error, version: Some(at), gone: false } => {
                            version = at;
                            yield Watching::Failed(error);
                            // Once the store knows what it lacks.
                            query.reached(&collection, &version);
                        }
                        // That something is gone can't be told without an object, only by its
                        // absence from a list.
                        Read::Undecodable { error, .. } => {
                            yield Watching::Desynced(error);
                            return;
                        }
                        Read::Known => {}
                        Read::Failed(error) => break Some(error),
                    }
                    backoff.reset();
                },
            };
            match failure {
                None => {}
                // A resource that comes back after it was gone has another history.
                Some(error) if error.is_desynced() || error.is_not_installed() => {
                    yield Watching::Desynced(error);
                    return;
                }
                Some(error) => {
                    let delay = backoff.after(&error);
                    yield Watching::Failed(error);
                    sleep(delay).await;
                }
            }
        }
    }
}
