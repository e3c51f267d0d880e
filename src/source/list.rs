//! One list of a collection: in pages, or streamed.

use std::{collections::HashSet, sync::Arc};

use async_stream::stream;
use futures::Stream;
use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, sleep};

use super::{
    backoff::Tries,
    incoming::Incoming,
    query::{Part, Query},
    read::{Item, Read},
    request::Verb,
    resolve::Resolved,
    target::Target,
};
use crate::{
    clock::after,
    document::ObjectMetaRef,
    error::{Error, Reason},
    event::WatchEvent,
};

/// How many pages in a row may be empty. A selector may leave one empty, but not all of them.
const EMPTY_PAGES: usize = 100;

/// A step of a list.
pub(super) enum Listing<K> {
    Event(WatchEvent<K>),
    /// Something failed, and is tried again, or concerns one object.
    Failed(Error),
    /// All objects were sent. The last step.
    Complete(Start),
    /// The list can't be completed, only begun anew. The last step.
    Broken(Error),
}

/// The place where a watch begins.
pub(super) struct Start {
    pub(super) version: Option<String>,
    /// The connection of a streaming list, which goes on as a watch.
    pub(super) open: Option<Incoming>,
}

/// Lists a collection. A streaming list that this server does not know becomes one of pages.
pub(super) fn list<K>(
    query: Arc<Query<K>>,
    target: Arc<Target>,
    resolved: Arc<Resolved>,
    streaming: bool,
) -> impl Stream<Item = Listing<K>> + Send
where
    K: Lookup + Send + 'static,
{
    stream! {
        let begun = Instant::now();
        let mut objects = 0_usize;
        query.list_begins(&target, streaming);
        if streaming {
            let timeout = query.next_timeout();
            let mut incoming = match query.watch(&target, &resolved, "", timeout, true).await {
                Ok(incoming) => Some(incoming),
                // What servers without streaming lists answer.
                Err(error) if error.is_rejected() => {
                    query.lists_in_pages(&error);
                    query.stop_streaming();
                    None
                }
                Err(error) => {
                    yield Listing::Broken(error);
                    return;
                }
            };
            // The end must come while the server would let the watch be open.
            let end = Query::<K>::end_of_watch(begun, timeout);
            // Only objects are progress: bookmarks may go on for ever.
            let mut progressed = Instant::now();
            let mut counted = 0;
            while let Some(body) = &mut incoming {
                if counted != objects {
                    counted = objects;
                    progressed = Instant::now();
                }
                let until = after(progressed, query.list_patience).min(end);
                // Nothing shows which part of a list was cut off: whatever breaks it off, it begins
                // anew.
                let line = match body.line(until).await {
                    Ok(Some(line)) => line,
                    Ok(None) => {
                        query.stop_streaming();
                        let why = "the streaming list ended before it was complete";
                        let error = query.error(Verb::Watch, &target, Reason::Connection, why);
                        yield Listing::Broken(error);
                        return;
                    }
                    // A server that ignores the parameter never ends such a list.
                    Err(error) if error.is_timeout() => {
                        query.stop_streaming();
                        yield Listing::Broken(error);
                        return;
                    }
                    Err(error) => {
                        yield Listing::Broken(error);
                        return;
                    }
                };
                match query.read(line, true, &target) {
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
                        let open = incoming.take();
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
        let mut tries = Tries::new(query.backoff);
        let mut next: Option<String> = None;
        let mut pages = Pages::default();
        loop {
            let mut came = false;
            let mut is_new = false;
            let failure = match query.page(&target, &resolved, Part::Page(next.as_deref())).await {
                Ok(mut page) => loop {
                    let read = |bytes: &[u8], types: &_| {
                        let (item, end) = query.item(bytes, types)?;
                        let identity = (!is_new).then(|| Pages::identity(&item, &bytes[..end]));
                        Ok(((item, identity.flatten()), end))
                    };
                    match page.item(read).await {
                        Ok(Some((item, identity))) => {
                            if let Some(identity) = identity {
                                if !pages.is_new(identity) {
                                    break Some(Error::new(
                                        Reason::Other,
                                        pages.repeats(&query, &target),
                                    ));
                                }
                                is_new = true;
                            }
                            came = true;
                            objects += 1;
                            match item {
                                Item::Object(object) => {
                                    yield Listing::Event(WatchEvent::Listed(object));
                                }
                                Item::Known { namespace, name } => {
                                    yield Listing::Event(WatchEvent::Unchanged { namespace, name });
                                }
                                Item::Undecodable(error) => yield Listing::Failed(error),
                                Item::LeftOut => objects -= 1,
                            }
                        }
                        Ok(None) => {
                            tries.reset();
                            let token = page.next();
                            if token.is_none() {
                                let version = page.version();
                                let shown = version.as_deref().unwrap_or_default();
                                query.list_is_complete(&target, objects, shown, begun);
                                yield Listing::Complete(Start { version, open: None });
                                return;
                            }
                            if token == next || !pages.go_on(is_new) {
                                yield Listing::Broken(
                                    Error::new(Reason::Other, pages.repeats(&query, &target)),
                                );
                                return;
                            }
                            next = token;
                            break None;
                        }
                        Err(error) => break Some(error),
                    }
                },
                Err(error) => Some(error),
            };
            match failure {
                None => {}
                // The continue token is too old; the first page broke off, and another try will be
                // of another moment; or the resource must be looked up again.
                Some(error)
                    if error.is_desynced()
                        || error.is_not_installed()
                        || (came && next.is_none())
                        || pages.repeated =>
                {
                    yield Listing::Broken(error);
                    return;
                }
                Some(error) => {
                    let delay = tries.after(&error);
                    query.tries_again(&error, delay);
                    yield Listing::Failed(error);
                    sleep(delay).await;
                }
            }
        }
    }
}

/// The pages so far, to notice a server that sends the same ones for ever.
#[derive(Default)]
struct Pages {
    /// The objects that pages began with.
    first: HashSet<(String, String)>,
    empty: usize,
    repeated: bool,
    /// A page that broke off is asked for again, and begins with the same object.
    last: Option<(String, String)>,
}

impl Pages {
    /// Returns the identity of an item, if it has one.
    fn identity<K: Lookup>(item: &Item<K>, bytes: &[u8]) -> Option<(String, String)> {
        let own = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        match item {
            Item::Object(object) => Some(crate::namespaced_name::owned_identity(object)),
            Item::Known { namespace, name } => Some(own(namespace, name)),
            Item::Undecodable(error) => {
                error.object().map(|(namespace, name)| own(namespace, name))
            }
            Item::LeftOut => {
                let json = String::from_utf8_lossy(bytes);
                let meta = ObjectMetaRef::of(&json).ok()?;
                Some(own(meta.namespace.unwrap_or_default(), meta.name))
            }
        }
    }

    /// Returns whether no other page began with the object of this identity.
    fn is_new(&mut self, identity: (String, String)) -> bool {
        if self.last.as_ref() == Some(&identity) {
            return true;
        }
        self.repeated = !self.first.insert(identity.clone());
        self.last = Some(identity);
        !self.repeated
    }

    /// Counts a page that is complete, and returns whether another one may come. One without an
    /// object that has a name is empty.
    fn go_on(&mut self, is_new: bool) -> bool {
        self.last = None;
        self.empty = if is_new { 0 } else { self.empty + 1 };
        self.empty < EMPTY_PAGES
    }

    fn repeats<K>(&self, query: &Query<K>, target: &Target) -> String {
        let what = query.asked(Verb::List, target).what;
        format!("{what}: the server sends the same pages again and again")
    }
}
