//! A list in pages.

use std::{collections::HashSet, sync::Arc};

use async_stream::stream;
use futures::Stream;
use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, sleep};

use super::{
    backoff::Tries,
    list::{Listing, Start},
    query::{Part, Query},
    read::Item,
    request::Verb,
    resolve::Resolved,
    target::Target,
};
use crate::{
    document::ObjectMetaRef,
    error::{Error, ErrorKind},
    event::WatchEvent,
};

/// The maximum number of empty pages in a row. A selector may leave one empty, but not all of them.
const EMPTY_PAGES: usize = 100;

/// The number of times in a row that the server may refuse a later page before the list is started anew:
/// the server may no longer know the continue token, and not report it by a 410.
const REFUSALS: u32 = 3;

/// Lists a collection page by page. A first page that breaks off is started anew, since a retry shows
/// another moment; later pages show the moment of the first page, and are requested again.
pub(super) fn paged<K>(
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
        query.list_begins(&target, false);
        let mut tries = Tries::new(query.backoff);
        let mut next: Option<String> = None;
        let mut pages = Pages::default();
        let mut refusals = 0;
        loop {
            let mut came = false;
            let mut is_new = false;
            let failure = match query.page(&target, &resolved, Part::Page(next.as_deref())).await {
                Ok(mut page) => loop {
                    let read = |bytes: &[u8], expected: &_| {
                        let (item, end) = query.item(bytes, expected, &target)?;
                        let identity = (!is_new).then(|| identity_of(&item, &bytes[..end]));
                        Ok(((item, identity.flatten()), end))
                    };
                    match page.item(read).await {
                        Ok(Some((item, identity))) => {
                            if let Some(identity) = identity {
                                if !pages.is_new(identity) {
                                    break Some(repeats(&query, &target));
                                }
                                is_new = true;
                            }
                            came = true;
                            objects += usize::from(!matches!(item, Item::LeftOut));
                            match item {
                                Item::Object(object) => {
                                    yield Listing::Event(WatchEvent::Listed(object));
                                }
                                Item::Known { namespace, name } => {
                                    yield Listing::Event(WatchEvent::Unchanged { namespace, name });
                                }
                                Item::Undecodable(error) => yield Listing::Failed(error),
                                Item::LeftOut => {}
                                Item::Foreign(why) => {
                                    query.resolver.forget().await;
                                    yield Listing::Broken(query.foreign(&target, why));
                                    return;
                                }
                            }
                        }
                        Ok(None) => {
                            tries.reset();
                            refusals = 0;
                            let token = page.next();
                            if token.is_none() {
                                let version = page.version();
                                let shown = version.as_deref().unwrap_or_default();
                                query.list_is_complete(&target, objects, shown, begun);
                                yield Listing::Complete(Start { version, open: None });
                                return;
                            }
                            if token == next || !pages.go_on(is_new) {
                                yield Listing::Broken(repeats(&query, &target));
                                return;
                            }
                            next = token;
                            break None;
                        }
                        Err(error) if page.is_misfit() => {
                            query.resolver.forget().await;
                            yield Listing::Broken(error);
                            return;
                        }
                        Err(error) => break Some(error),
                    }
                },
                Err(error) => Some(error),
            };
            let Some(error) = failure else { continue };
            // A busy server's answer doesn't concern the token.
            let is_refused = error.status().is_some_and(|code| !matches!(code, 429 | 503));
            refusals = if is_refused && next.is_some() { refusals + 1 } else { 0 };
            // The continue token has expired, the resource must be looked up again, or a retry would be of
            // another moment.
            if refusals == REFUSALS
                || error.is_desynced()
                || error.is_not_installed()
                || (came && next.is_none())
                || pages.repeated
            {
                yield Listing::Broken(error);
                return;
            }
            let delay = tries.after(&error);
            query.tries_again(&error, delay);
            yield Listing::Failed(error);
            sleep(delay).await;
        }
    }
}

impl<K> Query<K> {
    /// Returns the error for a list with an object that was not requested.
    pub(super) fn foreign(&self, target: &Target, why: &str) -> Error {
        self.error(Verb::List, target, ErrorKind::Connection, why)
    }
}

fn repeats<K>(query: &Query<K>, target: &Target) -> Error {
    let why = "the server sends the same pages again and again";
    query.error(Verb::List, target, ErrorKind::Other, why)
}

/// Returns the identity of an item, if it has one.
fn identity_of<K: Lookup>(item: &Item<K>, bytes: &[u8]) -> Option<(String, String)> {
    if let Item::LeftOut = item {
        let json = String::from_utf8_lossy(bytes);
        let meta = ObjectMetaRef::of(&json).ok()?;
        return Some((meta.namespace.unwrap_or_default().to_owned(), meta.name.to_owned()));
    }
    item.identity().map(|(namespace, name)| (namespace.into_owned(), name.into_owned()))
}

/// The pages so far, to detect a server that sends the same pages forever.
#[derive(Default)]
struct Pages {
    /// The first objects of the pages.
    first: HashSet<(String, String)>,
    empty: usize,
    repeated: bool,
    /// The first object of a page that broke off: the page is requested again, and begins with it.
    last: Option<(String, String)>,
}

impl Pages {
    /// Returns whether no other page began with the object of this identity.
    fn is_new(&mut self, identity: (String, String)) -> bool {
        if self.last.as_ref() == Some(&identity) {
            return true;
        }
        self.repeated = !self.first.insert(identity.clone());
        self.last = Some(identity);
        !self.repeated
    }

    /// Counts a complete page, and returns whether another page may follow. A page without a named object
    /// is empty.
    fn go_on(&mut self, is_new: bool) -> bool {
        self.last = None;
        self.empty = if is_new { 0 } else { self.empty + 1 };
        self.empty < EMPTY_PAGES
    }
}
