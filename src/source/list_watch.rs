//! The loop of one collection, from top to bottom: list, watch, resume, list again.

use std::{mem, pin::pin, sync::Arc};

use async_stream::stream;
use futures::{Stream, StreamExt, future::select, stream::BoxStream};
use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, sleep};

use super::{
    connection::{Connection, Held, Step},
    history::{self, Verdict},
    list::{Listing, Start},
    paged::paged,
    query::Query,
    request::Verb,
    resolve::Resolved,
    resume::{Next, Resume},
    streamed::streamed,
    target::Target,
};
use crate::{
    error::{Error, ErrorKind},
    event::WatchEvent,
    measure,
    resource_version::is_before,
};

/// Lists and watches one collection forever.
#[expect(clippy::too_many_lines, reason = "the loop reads from top to bottom")]
pub(super) fn list_watch<K>(
    query: Arc<Query<K>>,
    target: Arc<Target>,
) -> impl Stream<Item = Result<WatchEvent<K>, Error>> + Send
where
    K: Lookup + Send + 'static,
{
    let of_target = {
        let target = Arc::clone(&target);
        move |error: Error| error.in_namespace(target.collection.namespace())
    };
    stream! {
        let lists = measure::Lists::new(&query.origin);
        let mut resume = Resume::new(query.backoff, query.watch_timeout);
        let mut reason = "Initial";
        let mut anew = false;
        let mut served = String::new();
        let mut in_pages = false;
        'life: loop {
            // Each cycle ends with the reason for the next one and its delay.
            let (error, delay) = 'cycle: {
                let mut history = query.histories.current();
                let resolved = match query.suitable(&target).await {
                    Ok(resolved) => resolved,
                    Err(error) => break 'cycle resume.lists_after(error),
                };
                let begun = Instant::now();
                lists.begin(reason);
                // In another API version the objects are different.
                anew |= !served.is_empty() && served != resolved.version;
                if !anew && resume.is_doubtful() {
                    let Resume { version, seen, doubt, .. } = &resume;
                    let verdict = match doubt {
                        // The store has the objects of the state before the held items.
                        Some(_) => Verdict::Unknown,
                        None => history::compare(&query, &target, &resolved, version, seen).await,
                    };
                    if matches!(verdict, Verdict::Lost) {
                        query.histories.lost(history);
                        history = query.histories.current();
                    }
                    // A list of another history may have the stored versions with other content.
                    anew = !matches!(verdict, Verdict::Same);
                }
                served.clone_from(&resolved.version);
                yield Ok(restarted(&target, anew));
                resume.seen.list_begins(anew);

                let streaming = query.streams() && !mem::take(&mut in_pages);
                // In another history an object's version doesn't identify its content.
                let lister = if anew { Arc::new(query.decoding_all()) } else { Arc::clone(&query) };
                let mut steps = steps(&lister, &target, &resolved, streaming);
                let mut start = None;
                let (mut came, mut is_broken) = (false, false);
                while let Some(step) = steps.next().await {
                    match step {
                        Listing::Event(event) => {
                            came = true;
                            resume.seen.note(&query, &event);
                            yield Ok(event);
                        }
                        Listing::Failed(error) if error.is_undecodable() => yield Err(of_target(error)),
                        // The answer to the next attempt may be of another history.
                        Listing::Failed(error) if !came && !resume.version.is_empty() => {
                            break 'cycle resume.lists_after(error);
                        }
                        Listing::Failed(error) => {
                            is_broken = true;
                            yield Err(of_target(error));
                        }
                        Listing::Complete(complete) => start = Some(complete),
                        Listing::Unsupported => steps = self::steps(&lister, &target, &resolved, false),
                        Listing::Broken(error) => {
                            in_pages = streaming;
                            break 'cycle resume.lists_after(error);
                        }
                    }
                }
                let Some(Start { version, mut open }) = start else { return };
                lists.complete(begun);
                if let Some(at) = version.as_deref().filter(|at| is_before(at, &resume.version)) {
                    // Objects were taken as known by versions of the other history.
                    anew = true;
                    query.histories.lost(history);
                    break 'cycle resume.loses(query.lost(&target, at, &resume.version));
                }
                let collection = target.collection.clone();
                yield Ok(WatchEvent::ListComplete { collection, version: version.clone() });
                anew = false;
                if let Some(interval) = query.poll {
                    reason = "Poll";
                    sleep(interval).await;
                    continue 'life;
                }
                // Only a list that is polled may have no version.
                resume.begin_at(version.unwrap_or_default());
                if is_broken {
                    // The pages of the list may be of two histories.
                    resume.stays_unproven();
                }
                let mut held = Held::new();
                loop {
                    let opened = match open.take() {
                        Some(open) => Ok(open),
                        None => resume.connect(&query, &target, &resolved, history).await,
                    };
                    let span = opened.as_ref().ok().map(|open| open.span);
                    let failure = match opened {
                        Err(failure) => Some(failure),
                        Ok(open) => {
                            let must_compare = resume.opens();
                            let mut connection =
                                Connection::new(&query, &target, &resolved, &mut resume, open, history, &mut held);
                            match connection.check_history(must_compare).await {
                                Some(lost) => Some(lost),
                                None => loop {
                                    match connection.step().await {
                                        Step::Item(item) => yield item.map_err(&of_target),
                                        Step::Over(failure) => break failure,
                                    }
                                },
                            }
                        }
                    };
                    match resume.after(failure, span) {
                        Next::AtOnce(error) => {
                            query.resumes(&target, &resume.version, error.as_ref());
                        }
                        Next::Later(error, delay) => {
                            query.tries_again(&error, delay);
                            yield Err(of_target(error));
                            // Another collection may notice that the history is lost.
                            let lost = query.histories.until_lost(history);
                            select(pin!(sleep(delay)), pin!(lost)).await;
                        }
                        Next::List { error, delay, is_lost } => {
                            anew = is_lost;
                            if is_lost {
                                query.histories.lost(history);
                            }
                            break 'cycle (error, delay);
                        }
                    }
                }
            };
            if error.is_not_installed() {
                query.resolver.forget().await;
            }
            reason = error.reason();
            query.lists_again(&error, delay);
            if anew {
                // Yielded before the delay, so that no reader gets the old history.
                yield Ok(restarted(&target, anew));
            }
            yield Err(of_target(error));
            sleep(delay).await;
        }
    }
}

fn restarted<K>(target: &Target, anew: bool) -> WatchEvent<K> {
    WatchEvent::Restarted { collection: target.collection.clone(), anew }
}

/// Lists a collection, streamed or in pages.
fn steps<K>(
    query: &Arc<Query<K>>,
    target: &Arc<Target>,
    resolved: &Arc<Resolved>,
    streaming: bool,
) -> BoxStream<'static, Listing<K>>
where
    K: Lookup + Send + 'static,
{
    let (query, target, resolved) = (Arc::clone(query), Arc::clone(target), Arc::clone(resolved));
    if streaming {
        streamed(query, target, resolved).boxed()
    } else {
        paged(query, target, resolved).boxed()
    }
}

impl<K> Query<K> {
    /// Returns the resource as it is served, if it can be watched as requested. Otherwise it is looked up
    /// anew the next time.
    async fn suitable(&self, target: &Target) -> Result<Arc<Resolved>, Error> {
        let found = self.resolved().await;
        let found = found.and_then(|found| self.suits(target, &found).map(|()| found));
        if found.is_err() {
            self.resolver.forget().await;
        }
        found
    }

    /// Checks that a resource, as it is served, can be watched as requested.
    pub(super) fn suits(&self, target: &Target, resolved: &Resolved) -> Result<(), Error> {
        let resource = &self.endpoint.resource;
        if resolved.is_namespaced == Some(false) && target.collection.namespace().is_some() {
            return Err(Error::new(
                ErrorKind::Namespace,
                format!("{resource} are not in namespaces"),
            ));
        }
        if resolved.is_watchable == Some(false) && self.poll.is_none() {
            let why = "the API server can list these, but not watch them: poll them instead";
            return Err(self.error(Verb::Watch, target, ErrorKind::NotWatchable, why));
        }
        Ok(())
    }

    /// Returns the error for a server whose version went back.
    pub(super) fn lost(&self, target: &Target, found: &str, version: &str) -> Error {
        let why = format!(
            "the server has lost its history: it is at {found}, and the watch at {version}; etcd may have been restored from a backup"
        );
        self.error(Verb::Watch, target, ErrorKind::Desynced, &why)
    }
}
