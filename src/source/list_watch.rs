//! The life of one collection, from top to bottom: list, watch, resume, list again.

use std::{mem, pin::pin, sync::Arc, time::Duration};

use async_stream::stream;
use futures::{
    Stream, StreamExt,
    future::{Either, select},
};
use kube::runtime::reflector::Lookup;
use tokio::time::{Instant, sleep};

use super::{
    backoff::{LONGEST, Tries},
    history::{self, Doubt, Verdict},
    list::{Listing, Start, list},
    query::Query,
    read::Read,
    request::Verb,
    resolve::Resolved,
    target::Target,
};
use crate::{
    clock::{after, random},
    error::{Error, Reason},
    event::WatchEvent,
    measure,
    namespaced_name::identity,
    resource_version::is_before,
};

/// A watch that the server ends without a word within this time is a failure, as in client-go.
const SUSPECT: Duration = Duration::from_secs(1);

/// After an outage of this length the server may be another one, or an older self.
const OUTAGE: Duration = Duration::from_secs(3);

/// How often in a row a resume may be rejected at one version before that is given up for a list.
const REJECTIONS: u32 = 3;

/// Everything that one collection yields, for ever.
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
        let mut resume = Resume::new(&query);
        let mut reason = "Initial";
        let mut anew = false;
        let mut served = String::new();
        let mut in_pages = false;
        let mut is_doubtful = false;
        let restarted = |anew| {
            Ok(WatchEvent::Restarted { collection: target.collection.clone(), anew })
        };
        'list: loop {
            let begun = Instant::now();
            let history = query.histories.current();
            lists.begin(reason);
            let resolved = loop {
                let found = query.resolved().await;
                match found.and_then(|found| query.suits(&target, &found).map(|()| found)) {
                    Ok(found) => break found,
                    Err(error) => {
                        query.resolver.forget().await;
                        let delay = resume.lists.after(&error);
                        query.tries_again(&error, delay);
                        yield Err(of_target(error));
                        sleep(delay).await;
                    }
                }
            };
            // In another version the same objects are others.
            anew |= !served.is_empty() && served != resolved.version;
            if mem::take(&mut is_doubtful) && !anew {
                // A list of another history may have the versions that are stored, with other content.
                let verdict = history::compare(&query, &target, &resolved, &resume.version).await;
                anew = !matches!(verdict, Verdict::Same);
            }
            served.clone_from(&resolved.version);
            yield restarted(anew);

            let streaming = query.streams() && !in_pages;
            in_pages = false;
            let query_ = if anew { Arc::new(query.knowing_nothing()) } else { Arc::clone(&query) };
            let target_ = Arc::clone(&target);
            let mut steps = Box::pin(list(query_, target_, Arc::clone(&resolved), streaming));
            let mut start = None;
            while let Some(step) = steps.next().await {
                match step {
                    Listing::Event(event) => yield Ok(event),
                    Listing::Failed(error) => yield Err(of_target(error)),
                    Listing::Complete(complete) => start = Some(complete),
                    Listing::Broken(error) => {
                        in_pages = streaming;
                        if error.is_not_installed() {
                            query.resolver.forget().await;
                        }
                        let delay = resume.lists.after(&error);
                        reason = error.reason();
                        query.lists_again(&error, delay);
                        yield Err(of_target(error));
                        sleep(delay).await;
                        continue 'list;
                    }
                }
            }
            drop(steps);
            let Some(Start { version, mut open }) = start else { return };
            lists.complete(begun);
            if let Some(version) = version.as_deref().filter(|own| is_before(own, &resume.version)) {
                // It took objects for known by the versions of the other history.
                let error = query.lost(&target, version, &resume.version);
                query.histories.lost(history);
                resume.version.clear();
                anew = true;
                yield restarted(anew);
                let delay = resume.lists.after(&error);
                reason = error.reason();
                query.lists_again(&error, delay);
                yield Err(of_target(error));
                sleep(delay).await;
                continue 'list;
            }
            yield Ok(WatchEvent::ListComplete {
                collection: target.collection.clone(),
                version: version.clone(),
            });
            anew = false;
            if let Some(interval) = query.poll {
                reason = "Poll";
                sleep(interval).await;
                continue 'list;
            }
            // Without a version there is no watch, and so such a list is not complete.
            resume.begin_at(version.unwrap_or_default());
            // Events that may be those of another history, until it is known which one it is.
            let mut held = Vec::new();

            let (error, delay) = loop {
                let timeout = query.next_timeout();
                let begun = Instant::now();
                let connected = if let Some(body) = open.take() {
                    Ok(body)
                } else {
                    // An answer that takes long may be that of another server.
                    resume.outage.get_or_insert(begun);
                    let watch = query.watch(&target, &resolved, &resume.version, timeout, false);
                    let lost = pin!(query.histories.until_lost(history));
                    match select(lost, pin!(watch)).await {
                        // Another collection has noticed.
                        Either::Left(_) => Err(None),
                        Either::Right((connected, _)) => connected.map_err(Some),
                    }
                };
                let mut failure = None;
                let is_open = connected.is_ok();
                match connected {
                    Err(None) => {
                        let error = query.lost(&target, "another history", &resume.version);
                        failure = Some(Failure::Lost(error));
                    }
                    Err(Some(error)) => {
                        resume.opens();
                        failure = Some(Failure::of_request(error));
                    }
                    Ok(mut body) => {
                        let must_compare = resume.must_compare(timeout);
                        resume.opens();
                        resume.outage = None;
                        query.watches(&target, &resume.version);
                        if must_compare {
                            let verdict = history::compare(&query, &target, &resolved, &resume.version).await;
                            failure = resume.compared(verdict).then(|| {
                                Failure::Lost(query.lost(&target, "another history", &resume.version))
                            });
                        }
                        let end = Query::<K>::end_of_watch(begun, timeout);
                        // After a failure the store is informed as soon as the watch holds, since an
                        // idle kind may not even have bookmarks.
                        let mut proof = resume.fails().then(|| begun + SUSPECT);
                        while failure.is_none() {
                            let until = match query.max_silence.filter(|_| resume.bookmarks) {
                                _ if proof.is_some() => proof.unwrap_or(end),
                                Some(silence) => after(Instant::now(), silence).min(end),
                                None => end,
                            };
                            let lost = pin!(query.histories.until_lost(history));
                            let line = match select(pin!(body.line(until)), lost).await {
                                Either::Left((line, _)) => line,
                                // Another collection has noticed.
                                Either::Right(_) => {
                                    let error = query.lost(&target, "another history", &resume.version);
                                    failure = Some(Failure::Lost(error));
                                    break;
                                }
                            };
                            let line = match line {
                                Ok(Some(line)) => line,
                                Ok(None) if resume.is_at_once(begun) => {
                                    let why = "the server ended it at once";
                                    let error = query.error(Verb::Watch, &target, Reason::Connection, why);
                                    failure = Some(Failure::Rejected(error));
                                    break;
                                }
                                // The server ends every watch at its timeout.
                                Ok(None) => break,
                                Err(error) if proof.take().is_some() && error.is_timeout() => {
                                    resume.tries.reset();
                                    if resume.doubt.is_none() {
                                        yield Ok(query.bookmark(&target, &resume.version));
                                    }
                                    continue;
                                }
                                Err(error) => {
                                    failure = Some(Failure::Interrupted(error));
                                    break;
                                }
                            };
                            match query.read(line, false, &target) {
                                Read::Event(event, at) => {
                                    resume.reached(at);
                                    if let WatchEvent::Deleted(object) = &event {
                                        let (namespace, name) = identity(object);
                                        resume.sees(&namespace, &name);
                                    }
                                    query.has_event(&event, &resume.version);
                                    held.push(event);
                                }
                                Read::Bookmark { version: Some(at), .. } => {
                                    if is_before(&at, &resume.version) {
                                        let error = query.lost(&target, &at, &resume.version);
                                        failure = Some(Failure::Lost(error));
                                        break;
                                    }
                                    resume.bookmarked(at);
                                    held.push(query.bookmark(&target, &resume.version));
                                }
                                Read::Bookmark { version: None, .. } | Read::Known { .. } => {}
                                Read::Undecodable { error, version } => {
                                    resume.reached(version);
                                    yield Err(of_target(error));
                                    // Once the store knows what it lacks.
                                    held.push(query.bookmark(&target, &resume.version));
                                }
                                Read::Gone { namespace, name, version } => {
                                    if let Some(at) = &version {
                                        resume.reached(at.clone());
                                    }
                                    resume.sees(&namespace, &name);
                                    held.push(WatchEvent::Gone { namespace, name, version });
                                }
                                Read::Failed(error) => failure = Some(Failure::of_answer(error)),
                            }
                            if resume.is_doubt_confirmed() {
                                let error = query.lost(&target, "another history", &resume.version);
                                failure = Some(Failure::Lost(error));
                            } else if resume.doubt.is_none() {
                                for event in held.drain(..) {
                                    yield Ok(event);
                                }
                            }
                        }
                    }
                }
                match resume.after(failure, begun, is_open.then_some(timeout)) {
                    Next::AtOnce(error) => query.resumes(&target, &resume.version, error.as_ref()),
                    Next::Later(error, delay) => {
                        query.tries_again(&error, delay);
                        yield Err(of_target(error));
                        select(pin!(sleep(delay)), pin!(query.histories.until_lost(history))).await;
                    }
                    Next::List(error, delay) => {
                        is_doubtful = resume.must_compare(timeout);
                        break (error, delay);
                    }
                    Next::ListAnew(error, delay) => {
                        query.histories.lost(history);
                        anew = true;
                        // Before the error: from then on nobody is answered from the lost history.
                        yield restarted(anew);
                        break (error, delay);
                    }
                }
            };
            if error.is_not_installed() {
                query.resolver.forget().await;
            }
            reason = error.reason();
            query.lists_again(&error, delay);
            yield Err(of_target(error));
            sleep(delay).await;
        }
    }
}

impl<K> Query<K> {
    /// Checks that a resource, as it is served, can be watched as it is asked for.
    pub(super) fn suits(&self, target: &Target, resolved: &Resolved) -> Result<(), Error> {
        let resource = &self.endpoint.resource;
        if resolved.is_namespaced == Some(false) && target.collection.namespace().is_some() {
            return Err(Error::new(Reason::Namespace, format!("{resource} are not in namespaces")));
        }
        if resolved.is_watchable == Some(false) && self.poll.is_none() {
            let why = "the API server can list these, but not watch them: poll them instead";
            return Err(self.error(Verb::Watch, target, Reason::NotWatchable, why));
        }
        Ok(())
    }

    fn bookmark(&self, target: &Target, version: &str) -> WatchEvent<K> {
        let (collection, version) = (target.collection.clone(), version.to_owned());
        WatchEvent::Bookmark { collection, version }
    }

    /// Returns the error of a server that went back.
    fn lost(&self, target: &Target, found: &str, version: &str) -> Error {
        let why = format!(
            "the server has lost its history: it is at {found}, and the watch at {version}; etcd may have been restored from a backup"
        );
        self.error(Verb::Watch, target, Reason::Desynced, &why)
    }
}

/// A watch that ended other than at its timeout.
enum Failure {
    /// There was no connection, or no answer.
    Unreachable(Error),
    /// The connection broke, or the server is busy: it says nothing about the version.
    Interrupted(Error),
    /// The server answered that, or what came was no answer of an API server.
    Rejected(Error),
    /// The server has another history.
    Lost(Error),
}

impl Failure {
    fn of_request(error: Error) -> Self {
        if error.is_interruption() { Self::Unreachable(error) } else { Self::of_answer(error) }
    }

    fn of_answer(error: Error) -> Self {
        match error.status() {
            // A server that is busy or starting.
            Some(429 | 503) => Self::Interrupted(error),
            _ => Self::Rejected(error),
        }
    }
}

/// The next step of a watch that ended.
enum Next {
    /// Resume, without a failure that anybody need know of.
    AtOnce(Option<Error>),
    Later(Error, Duration),
    List(Error, Duration),
    /// List, and take nothing that was seen for known.
    ListAnew(Error, Duration),
}

/// The point from which a collection resumes, and how well it does.
struct Resume {
    /// The highest version seen.
    version: String,
    /// Whether there ever was a bookmark.
    bookmarks: bool,
    /// When the server last said something about the collection: an event, a bookmark or a list.
    heard: Instant,
    /// Whether something was heard since the watch was opened.
    hears: bool,
    /// Whether the last watch was silent to its end, though bookmarks came before.
    is_silent: bool,
    /// Whether the version moved since the watch was opened.
    moved: bool,
    /// Resumes in a row that were rejected at this version.
    rejections: u32,
    /// How long an interruption may last before it is time for a list.
    patience: Duration,
    /// Of watches, since one held.
    tries: Tries,
    /// Of lists that had to be begun anew, and of lists because a resume was given up.
    lists: Tries,
    given_up: Tries,
    doubt: Option<Doubt>,
    /// Since when there has been no connection that is known to have lived.
    outage: Option<Instant>,
}

impl Resume {
    fn new<K>(query: &Query<K>) -> Self {
        Self {
            version: String::new(),
            bookmarks: false,
            heard: Instant::now(),
            hears: false,
            is_silent: false,
            moved: false,
            rejections: 0,
            patience: LONGEST.mul_f64(1.0 + random() / 4.0),
            tries: Tries::new(query.backoff),
            lists: Tries::new(query.backoff),
            given_up: Tries::growing(query.backoff),
            doubt: None,
            outage: None,
        }
    }

    /// A list is complete.
    fn begin_at(&mut self, version: String) {
        self.version = version;
        self.heard = Instant::now();
        self.rejections = 0;
        self.tries.reset();
        self.doubt = None;
        self.outage = None;
    }

    fn opens(&mut self) {
        self.hears = false;
        self.moved = false;
    }

    /// An event came.
    fn reached(&mut self, version: String) {
        self.hear();
        // The same or an older one again moves nothing.
        if version != self.version && !is_before(&version, &self.version) {
            self.moved = true;
            self.version = version;
        }
    }

    /// A bookmark came, which is not before the resume point.
    fn bookmarked(&mut self, version: String) {
        self.hear();
        self.bookmarks = true;
        self.moved |= version != self.version;
        self.version = version;
    }

    fn hear(&mut self) {
        self.heard = Instant::now();
        self.is_silent = false;
        if !self.hears {
            self.hears = true;
            self.recovers();
        }
    }

    /// The version is one from which a watch can go on.
    fn recovers(&mut self) {
        self.rejections = 0;
        self.tries.reset();
        self.lists.reset();
        self.given_up.reset();
    }

    /// Returns whether a watch that ends now never held.
    fn is_at_once(&self, begun: Instant) -> bool {
        !self.moved && begun.elapsed() < SUSPECT
    }

    fn fails(&self) -> bool {
        self.tries.last() > Duration::ZERO
    }

    /// Returns whether the server must show that its history is the one that was seen: after an outage,
    /// or where bookmarks came before and now nothing does.
    fn must_compare(&self, timeout: Duration) -> bool {
        self.is_silent
            || self.outage.is_some_and(|since| since.elapsed() >= OUTAGE)
            || (self.bookmarks && self.heard.elapsed() >= timeout)
    }

    /// Takes note of a comparison, and returns whether the history is lost.
    fn compared(&mut self, verdict: Verdict) -> bool {
        self.heard = Instant::now();
        self.is_silent = false;
        match verdict {
            Verdict::Same => false,
            Verdict::Lost => true,
            Verdict::Doubtful(doubt) => {
                self.doubt = Some(doubt);
                false
            }
        }
    }

    /// Takes note of the deletion of an object.
    fn sees(&mut self, namespace: &str, name: &str) {
        self.doubt.take_if(|doubt| doubt.is_settled_by(namespace, name));
    }

    /// Returns whether the watch is past a deletion that did not come.
    fn is_doubt_confirmed(&self) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.is_over_at(&self.version))
    }

    /// Decides how to go on after a watch that began then and ended; it has a timeout if it was open.
    fn after(
        &mut self,
        failure: Option<Failure>,
        begun: Instant,
        timeout: Option<Duration>,
    ) -> Next {
        // An answer that comes late is none that held.
        let held = timeout.is_some() && begun.elapsed() >= SUSPECT.max(self.tries.last());
        let progress = self.moved || held;
        if progress {
            self.tries.reset();
        }
        let is_over = timeout.is_some_and(|timeout| begun.elapsed() + SUSPECT >= timeout);
        self.is_silent |= is_over && self.bookmarks && !self.hears;
        match &failure {
            None | Some(Failure::Lost(_)) => {}
            // A server that is busy is there.
            Some(Failure::Interrupted(error)) if error.status() == Some(429) => {}
            // A connection that is silent may have been dead since the last word.
            Some(Failure::Interrupted(error)) if error.is_timeout() => {
                self.outage.get_or_insert(self.heard);
            }
            Some(_) => {
                self.outage.get_or_insert_with(Instant::now);
            }
        }
        match failure {
            None => {
                self.recovers();
                Next::AtOnce(None)
            }
            Some(Failure::Interrupted(error)) if progress && error.is_connection() => {
                Next::AtOnce(Some(error))
            }
            Some(Failure::Lost(error)) => {
                self.version.clear();
                let delay = self.lists.after(&error);
                Next::ListAnew(error, delay)
            }
            // A resource that comes back after it was gone has another history.
            Some(Failure::Rejected(error)) if error.is_desynced() || error.is_not_installed() => {
                let delay = self.lists.after(&error);
                Next::List(error, delay)
            }
            Some(Failure::Rejected(error)) => {
                self.rejections += 1;
                self.later(error)
            }
            Some(Failure::Unreachable(error) | Failure::Interrupted(error)) => self.later(error),
        }
    }

    fn later(&mut self, error: Error) -> Next {
        if self.rejections >= REJECTIONS || self.heard.elapsed() > self.patience {
            self.rejections = 0;
            let delay = self.given_up.after(&error);
            return Next::List(error, delay);
        }
        let delay = self.tries.after(&error);
        Next::Later(error, delay)
    }
}
