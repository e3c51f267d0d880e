//! The parameters of a watch, and its requests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::{
    api::{ListParams, WatchParams},
    core::Request,
};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use super::{
    backoff::Backoff,
    incoming::Incoming,
    namespaces::Namespaces,
    page::{Custom, Expected, Page},
    request::{ANSWER, Endpoint, RequestInfo, Verb},
    resolve::{Resolved, Resolver},
    target::Target,
};
use crate::{
    clock::{after, random},
    decode::Decode,
    document::ObjectMetaRef,
    error::{Error, ErrorKind},
    filter::{FieldSelector, LabelSelector},
    measure,
    origin::Origin,
    printed::{LONGEST_NAMESPACE, printed},
    stages::Named,
    tape::Types,
};

/// The time after the end of a watch for its last bytes to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// The maximum number of lists that wait for their first byte at once.
const BUDGET: usize = 16;

/// The published snapshot of the store that a watch feeds, as far as the watch uses it.
pub(crate) trait Stored: Send + Sync {
    /// Returns whether nothing is stored, as in the initial load: then nothing needs to be looked up.
    fn is_empty(&self) -> bool;

    /// Returns whether exactly this version of an object is stored, so that it need not be decoded again.
    fn has(&self, meta: &ObjectMetaRef<'_>) -> bool;

    /// Returns the objects of a namespace, or of all, that were written last; newest first, and at most
    /// `count`.
    fn newest(&self, namespace: Option<&str>, count: usize) -> Vec<Witness>;
}

/// The last seen version of an object, by which the server's history is checked.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The version of the object, or of its deletion.
    pub(crate) version: String,
    pub(crate) is_deleted: bool,
}

/// The parameters of a watch, and the state that its collections share.
pub(super) struct Query<K> {
    pub(super) origin: Origin,
    pub(super) endpoint: Endpoint,
    pub(super) resolver: Resolver,
    pub(super) namespaces: Namespaces,
    pub(super) labels: Option<LabelSelector>,
    pub(super) field_selector: Option<FieldSelector>,
    /// The name of the watched object, if only one is watched.
    pub(super) name: Option<Arc<str>>,
    pub(super) matching: Vec<FieldSelector>,
    /// The closures that select decoded objects.
    pub(super) closures: Vec<Named<K>>,
    pub(super) page_size: u32,
    pub(super) streaming_list: bool,
    pub(super) watch_timeout: Duration,
    pub(super) max_silence: Option<Duration>,
    pub(super) list_patience: Duration,
    pub(super) backoff: Backoff,
    pub(super) poll: Option<Duration>,
    pub(super) decoder: Arc<dyn Decode<K>>,
    pub(super) stored: Option<Arc<dyn Stored>>,
    /// Set once this server was found to have no streaming lists. All collections share this flag.
    no_streaming: Arc<AtomicBool>,
    budget: Arc<Semaphore>,
    /// The history of the server. All collections share it.
    pub(super) histories: Arc<Histories>,
}

/// The number of the server's history, which rises when a collection of the watch notices that it is lost.
///
/// All collections share it: once one of them has noticed, the objects and versions of the others are
/// invalid, even if none of their own requests could show it.
#[derive(Debug)]
pub(super) struct Histories(watch::Sender<u64>);

impl Histories {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Returns the number of the history that a list has if it begins now.
    pub(super) fn current(&self) -> u64 {
        *self.0.borrow()
    }

    /// Records that a history is lost, unless another collection was first.
    pub(super) fn lost(&self, number: u64) {
        self.0.send_if_modified(|current| {
            let is_first = *current == number;
            *current += u64::from(is_first);
            is_first
        });
    }

    /// Waits until a history is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn until_lost(&self, number: u64) {
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(|current| *current > number).await;
    }
}

/// The selection of a list that [`Query::page`] asks for.
#[derive(Clone, Copy)]
pub(super) enum Part<'p> {
    /// A page: the first one, or the page of a continue token.
    Page(Option<&'p str>),
    /// At most one object, to see the server's version: the object of a name, or any.
    One(Option<&'p str>),
}

impl<K> Query<K> {
    pub(super) fn new(endpoint: Endpoint, resolver: Resolver, decoder: Arc<dyn Decode<K>>) -> Self {
        Self {
            origin: Origin::new(endpoint.resource.to_string()),
            endpoint,
            resolver,
            namespaces: Namespaces::cluster(),
            labels: None,
            field_selector: None,
            name: None,
            matching: Vec::new(),
            closures: Vec::new(),
            page_size: 500,
            streaming_list: false,
            watch_timeout: Duration::from_secs(150),
            max_silence: None,
            list_patience: ANSWER,
            backoff: Backoff::default(),
            poll: None,
            decoder,
            stored: None,
            no_streaming: Arc::default(),
            budget: Arc::new(Semaphore::new(BUDGET)),
            histories: Arc::new(Histories::new()),
        }
    }

    /// Returns this query for objects that are decoded in another way, without its closures.
    pub(super) fn decoding<J>(self, decoder: Arc<dyn Decode<J>>) -> Query<J> {
        Query {
            origin: self.origin,
            endpoint: self.endpoint,
            resolver: self.resolver,
            namespaces: self.namespaces,
            labels: self.labels,
            field_selector: self.field_selector,
            name: self.name,
            matching: self.matching,
            closures: Vec::new(),
            page_size: self.page_size,
            streaming_list: self.streaming_list,
            watch_timeout: self.watch_timeout,
            max_silence: self.max_silence,
            list_patience: self.list_patience,
            backoff: self.backoff,
            poll: self.poll,
            decoder,
            stored: None,
            no_streaming: self.no_streaming,
            budget: self.budget,
            histories: self.histories,
        }
    }

    /// Returns this query for a list whose objects are all decoded, whatever versions are stored.
    pub(super) fn decoding_all(&self) -> Self {
        Self { stored: None, ..self.clone() }
    }

    /// Returns this query with its requests measured.
    pub(super) fn measured(&self) -> Self {
        let mut query = self.clone();
        query.endpoint.requests = measure::Requests::of_watch(&query.origin);
        query
    }

    /// Returns the resource as discovery found it, now or earlier.
    pub(super) async fn resolved(&self) -> Result<Arc<Resolved>, Error> {
        self.resolver.resolved(&self.endpoint).await
    }

    pub(super) fn url(&self, resolved: &Resolved, namespace: Option<&str>) -> String {
        self.endpoint.resource.url(&resolved.version, namespace)
    }

    /// Returns the name of a request about a collection, for errors.
    pub(super) fn request_info(&self, verb: Verb, target: &Target) -> RequestInfo {
        let (name, resource) = (verb.as_str(), &self.endpoint.resource);
        let what = match target.collection.namespace() {
            Some(namespace) => {
                format!("{name} {resource} in `{}`", printed(namespace, LONGEST_NAMESPACE))
            }
            None => format!("{name} {resource}"),
        };
        RequestInfo { verb, what, name: None }
    }

    /// Returns an error of a collection that no answer of the server describes.
    pub(super) fn error(&self, verb: Verb, target: &Target, reason: ErrorKind, why: &str) -> Error {
        Error::new(reason, format!("{}: {why}", self.request_info(verb, target).what))
    }

    /// Opens a page of a list.
    pub(super) async fn page(
        &self,
        target: &Target,
        resolved: &Resolved,
        part: Part<'_>,
    ) -> Result<Page, Error> {
        let (limit, next, name) = match part {
            Part::Page(next) => (self.page_size, next, None),
            Part::One(name) => (1, None, name),
        };
        let labels = target.labels(self.labels.as_ref()).filter(|_| name.is_none());
        let fields = match name {
            Some(name) => Some(FieldSelector::of_name(name).to_string()),
            None => target.fields(self.field_selector.as_ref()),
        };
        let params = ListParams {
            label_selector: labels,
            field_selector: fields,
            limit: Some(limit),
            continue_token: next.map(str::to_owned),
            ..ListParams::default()
        };
        let url = self.url(resolved, target.collection.namespace());
        let request = Request::new(url).list(&params);
        let info = self.request_info(Verb::List, target);
        let opening = Box::pin(self.endpoint.open(info, request, self.list_patience));
        let incoming = self.within_budget(opening).await?;
        let expected = self.expected(resolved);
        Ok(Page::new(incoming, self.list_patience, expected))
    }

    /// Returns the expectation that answers are checked against.
    pub(super) fn expected(&self, resolved: &Resolved) -> Expected {
        let resource = &self.endpoint.resource;
        Expected {
            kind: resolved.kind.clone(),
            custom: resource.is_custom().then(|| Custom {
                api_version: resource.api_version(&resolved.version),
                others: Arc::clone(&resolved.others),
            }),
            metadata_only: self.endpoint.metadata_only,
            is_versioned: self.poll.is_none(),
            types: Types::default(),
        }
    }

    /// Returns whether an answer for a collection may contain this object.
    pub(super) fn asks_for(&self, target: &Target, namespace: &str, name: &str) -> bool {
        target.collection.has(namespace) && self.name.as_deref().is_none_or(|own| own == name)
    }

    /// Limits the number of lists that start at once. A list without an answer for a second gives up its
    /// permit.
    async fn within_budget<T>(&self, opening: impl Future<Output = T>) -> T {
        let permit = Arc::clone(&self.budget).acquire_owned().await;
        let mut opening = std::pin::pin!(opening);
        let opened = tokio::time::timeout(Duration::from_secs(1), &mut opening).await;
        drop(permit);
        match opened {
            Ok(opened) => opened,
            Err(_) => opening.await,
        }
    }

    /// Opens a watch from a version on, which the server is asked to end after `timeout`; if `initial`,
    /// from no version, with the whole state first.
    pub(super) async fn watch(
        &self,
        target: &Target,
        resolved: &Resolved,
        version: &str,
        timeout: Duration,
        initial: bool,
    ) -> Result<Incoming, Error> {
        let params = WatchParams {
            label_selector: target.labels(self.labels.as_ref()),
            field_selector: target.fields(self.field_selector.as_ref()),
            timeout: u32::try_from(timeout.as_secs()).ok(),
            bookmarks: true,
            send_initial_events: initial,
        };
        let url = self.url(resolved, target.collection.namespace());
        let request = Request::new(url).watch(&params, version);
        let info = self.request_info(Verb::Watch, target);
        // A proxy may hold back the head of the response until the first event.
        let patience = if initial { self.list_patience } else { timeout.saturating_add(GRACE) };
        self.endpoint.open(info, request, patience).await
    }

    /// Returns the duration of the next watch: between once and twice the timeout, so that the watches of a
    /// fleet don't all end together.
    pub(super) fn next_timeout(&self) -> Duration {
        let spread = self.watch_timeout.mul_f64(random());
        Duration::from_secs(self.watch_timeout.saturating_add(spread).as_secs())
    }

    /// Returns the time at which a watch that began at `begun` is dead: the server should have ended it.
    pub(super) fn end_of_watch(begun: Instant, timeout: Duration) -> Instant {
        after(begun, timeout.saturating_add(GRACE))
    }

    /// Returns whether lists are to be streamed.
    pub(super) fn streams(&self) -> bool {
        self.streaming_list && self.poll.is_none() && !self.no_streaming.load(Ordering::Relaxed)
    }

    /// Remembers that this server has no streaming lists.
    pub(super) fn stop_streaming(&self) {
        self.no_streaming.store(true, Ordering::Relaxed);
    }
}

impl<K> Clone for Query<K> {
    fn clone(&self) -> Self {
        Self {
            origin: self.origin.clone(),
            endpoint: self.endpoint.clone(),
            resolver: self.resolver.clone(),
            namespaces: self.namespaces.clone(),
            labels: self.labels.clone(),
            field_selector: self.field_selector.clone(),
            name: self.name.clone(),
            decoder: Arc::clone(&self.decoder),
            matching: self.matching.clone(),
            closures: self.closures.clone(),
            stored: self.stored.clone(),
            no_streaming: Arc::clone(&self.no_streaming),
            budget: Arc::clone(&self.budget),
            histories: Arc::clone(&self.histories),
            ..*self
        }
    }
}
