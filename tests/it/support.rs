//! Shared code of the pipeline tests: objects, and streams that a test feeds by hand.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{
    Stream, StreamExt,
    channel::mpsc::{self, UnboundedReceiver, UnboundedSender},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube_weir::{Batch, Change, Delta, Error, Snapshot};
use tokio::task::coop::unconstrained;

/// Returns `namespace/name` at a version, with a uid that depends on the name.
pub(crate) fn object(identity: &str, version: u32) -> ConfigMap {
    reborn(identity, version, "1")
}

/// Returns a later object of this name.
pub(crate) fn reborn(identity: &str, version: u32, life: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    let (namespace, name) = match identity.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, identity),
    };
    object.metadata.namespace = namespace;
    object.metadata.name = Some(name.to_owned());
    object.metadata.uid = Some(format!("{identity}-{life}"));
    object.metadata.resource_version = Some(version.to_string());
    object
}

/// Returns an object with a label.
pub(crate) fn labelled(identity: &str, version: u32, key: &str, value: &str) -> ConfigMap {
    let mut object = object(identity, version);
    object.metadata.labels = Some([(key.to_owned(), value.to_owned())].into());
    object
}

pub(crate) fn name(object: &ConfigMap) -> String {
    let namespace = object.metadata.namespace.as_deref();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// Returns `namespace/name@version` of all objects.
pub(crate) fn state(snapshot: &Snapshot<ConfigMap>) -> Vec<String> {
    snapshot.iter().map(|object| versioned(object)).collect()
}

pub(crate) fn versioned(object: &ConfigMap) -> String {
    let version = object.metadata.resource_version.as_deref().unwrap_or("-");
    format!("{}@{version}", name(object))
}

/// Returns a line for each delta, such as `~a/b@1->2`.
pub(crate) fn deltas(batch: &Batch<ConfigMap>) -> Vec<String> {
    let line = |delta: &Delta<ConfigMap>| match delta {
        Delta::Created(new) => format!("+{}", versioned(new)),
        Delta::Modified { before, after } => {
            format!("~{}->{}", versioned(before), versioned(after))
        }
        Delta::Deleted(old) => format!("-{}", versioned(old)),
    };
    batch.deltas().iter().map(line).collect()
}

/// Returns a line for an item, for comparisons of whole streams.
pub(crate) fn line(item: &Result<Change<ConfigMap>, Error>) -> String {
    match item {
        Ok(Change::InitialSync(batch)) => format!("initial {}", deltas(batch).join(" ")),
        Ok(Change::Synced(snapshot)) => format!("synced {}", state(snapshot).join(" ")),
        Ok(Change::Live(batch)) => format!("live {}", deltas(batch).join(" ")),
        Err(error) => format!("error {}", error.reason()),
    }
}

pub(crate) type Events = UnboundedReceiver<Result<Event<ConfigMap>, Error>>;

/// The sending end of a stream of events.
pub(crate) struct Feed(UnboundedSender<Result<Event<ConfigMap>, Error>>);

pub(crate) fn feed() -> (Feed, Events) {
    let (sender, receiver) = mpsc::unbounded();
    (Feed(sender), receiver)
}

impl Feed {
    pub(crate) fn send(&self, event: Event<ConfigMap>) {
        self.0.unbounded_send(Ok(event)).expect("the stream is alive");
    }

    pub(crate) fn fail(&self, error: Error) {
        self.0.unbounded_send(Err(error)).expect("the stream is alive");
    }

    pub(crate) fn apply(&self, identity: &str, version: u32) {
        self.send(Event::Apply(object(identity, version)));
    }

    pub(crate) fn delete(&self, identity: &str, version: u32) {
        self.send(Event::Delete(object(identity, version)));
    }

    /// Sends a whole list.
    pub(crate) fn list(&self, objects: impl IntoIterator<Item = ConfigMap>) {
        self.send(Event::Init);
        objects.into_iter().for_each(|object| self.send(Event::InitApply(object)));
        self.send(Event::InitDone);
    }
}

/// A waker that counts, for manual polls.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A stream that is polled by hand.
pub(crate) struct Poller<S> {
    pub(crate) stream: S,
    wakes: Arc<Wakes>,
}

impl<S: Stream + Unpin> Poller<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, wakes: Arc::default() }
    }

    /// Polls the stream, like a task with an unlimited budget.
    pub(crate) fn poll(&mut self) -> Poll<Option<S::Item>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_next(cx)));
        match pin!(unconstrained(poll)).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(polled) => polled,
            Poll::Pending => unreachable!("it is always ready"),
        }
    }

    /// Returns how often the stream requested another poll, since the last call.
    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.swap(0, Ordering::SeqCst)
    }

    /// Returns the stream, for a poll by another task, and a counter of wakes of this one's waker.
    pub(crate) fn into_parts(self) -> (S, impl Fn() -> usize) {
        self.wakes();
        let wakes = self.wakes;
        (self.stream, move || wakes.0.swap(0, Ordering::SeqCst))
    }

    /// Returns all items that are ready now.
    pub(crate) fn drain(&mut self) -> Vec<S::Item> {
        let mut items = Vec::new();
        loop {
            match self.poll() {
                Poll::Ready(Some(item)) => items.push(item),
                Poll::Pending if self.wakes() > 0 => {}
                Poll::Ready(None) | Poll::Pending => return items,
            }
        }
    }
}

impl<S> Poller<S>
where
    S: Stream<Item = Result<Change<ConfigMap>, Error>> + Unpin,
{
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.drain().iter().map(line).collect()
    }
}

/// Returns an error like that of a watch, built as a user can build it.
pub(crate) fn forbidden() -> Error {
    status(403, "Forbidden")
}

pub(crate) fn status(code: u16, reason: &str) -> Error {
    let status = kube::core::Status::failure("no", reason).with_code(code);
    kube::Error::Api(status.boxed()).into()
}

/// Collects the items of a finite stream as lines.
pub(crate) async fn lines(
    stream: impl Stream<Item = Result<Change<ConfigMap>, Error>>,
) -> Vec<String> {
    stream.map(|item| line(&item)).collect().await
}
