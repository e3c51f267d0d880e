//! All collections of a watch as one stream. Each collection is independent; they share only a budget of
//! lists that start at once.

use std::{
    collections::BTreeMap,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{
    FutureExt, Stream, StreamExt,
    future::BoxFuture,
    stream::{AbortHandle, Abortable, BoxStream, FuturesUnordered, StreamFuture, abortable},
};
use kube::runtime::reflector::Lookup;
use tokio_stream::wrappers::WatchStream;

use super::{list_watch::list_watch, namespaces, query::Query, target::Target};
use crate::{
    document::Document,
    error::{Error, ErrorKind},
    event::{self, Collection, Scope, WatchEvent},
    filter::FieldFilter,
    rfc1123::is_label,
    stages::{Condition, Stages},
};

/// How many items one collection may yield in a row while others wait.
const TURN: usize = 64;

type Item<K> = Result<WatchEvent<K>, Error>;

/// The running collections of a watch.
pub(super) struct Collections<K> {
    query: Arc<Query<K>>,
    phase: Phase,
    members: Members,
    /// The streams that run, by their collection.
    running: BTreeMap<Collection, Running>,
    /// The stream that yielded last. It is polled first, as long as it has items.
    current: Option<Own<K>>,
    turn: usize,
    waiting: FuturesUnordered<StreamFuture<Own<K>>>,
    /// Items to yield before all others, in reverse order.
    first: Vec<Item<K>>,
}

/// The stream of one collection.
type Own<K> = Abortable<BoxStream<'static, Item<K>>>;

/// A running collection. Dropping it stops its stream.
struct Running {
    target: Arc<Target>,
    stream: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stream.abort();
    }
}

enum Phase {
    /// The first discovery request.
    Resolving(BoxFuture<'static, Result<(), Error>>),
    Running,
    Ended,
}

/// The source of changes in the set of namespaces.
enum Members {
    Fixed,
    /// A set that a handle changes; the stream yields at each change.
    Set(BoxStream<'static, ()>),
    /// A watch of `Namespace` objects, the names that it lists, and the names so far.
    Labelled(Box<Labelled>),
}

struct Labelled {
    watch: BoxStream<'static, Item<Document>>,
    /// An incomplete list.
    listed: Option<Listed>,
    names: Vec<Collection>,
    is_known: bool,
    /// True while the last item was a failure.
    fails: bool,
}

/// The names of a list.
#[derive(Default)]
struct Listed {
    names: Vec<Collection>,
    /// Set by an item that can't be decoded and has no name. It may be any namespace of the previous list.
    is_vague: bool,
}

impl<K: Lookup + Send + 'static> Collections<K> {
    /// Makes the collections of a query. `labelled` watches its namespaces if a selector selects them.
    pub(super) fn new(
        query: Arc<Query<K>>,
        labelled: Option<BoxStream<'static, Item<Document>>>,
    ) -> Self {
        let members = if let Some(watch) = labelled {
            let (listed, names) = (None, Vec::new());
            Members::Labelled(Box::new(Labelled {
                watch,
                listed,
                names,
                is_known: false,
                fails: false,
            }))
        } else if let Some(changes) = query.namespaces.changes() {
            Members::Set(WatchStream::from_changes(changes).map(drop).boxed())
        } else {
            Members::Fixed
        };
        let mut collections = Self {
            phase: Phase::Running,
            members,
            running: BTreeMap::new(),
            current: None,
            turn: 0,
            waiting: FuturesUnordered::new(),
            first: Vec::new(),
            query,
        };
        let targets = collections.targets();
        let names = targets.iter().flatten().filter_map(|target| target.collection.namespace());
        let own = collections.query.name.as_deref().map_or(Ok(()), check_name);
        let wrong = names.map(namespaces::check).chain([own]).find_map(Result::err);
        collections.phase = match wrong {
            Some(error) => {
                collections.first.push(Err(error));
                Phase::Ended
            }
            // No request without a namespace.
            None if targets.as_ref().is_some_and(Vec::is_empty) => Phase::Running,
            None => {
                let query = Arc::clone(&collections.query);
                Phase::Resolving(async move { query.check_resource().await }.boxed())
            }
        };
        let scope = collections.scope();
        collections.first.push(Ok(WatchEvent::Scope(scope)));
        collections
    }

    /// Returns the wanted collections; `None` while they are being looked up.
    fn targets(&self) -> Option<Vec<Target>> {
        match &self.members {
            Members::Labelled(own) => own.is_known.then(|| {
                let of = |collection: &Collection| Target {
                    collection: collection.clone(),
                    selection: None,
                };
                own.names.iter().map(of).collect()
            }),
            _ => self.query.namespaces.targets(),
        }
    }

    fn scope(&self) -> Scope<K> {
        let targets = self.targets();
        let is_known = targets.is_some();
        let collections = targets.into_iter().flatten().map(|target| target.collection).collect();
        // A watch that ends at once never becomes complete.
        let is_known = is_known && !matches!(self.phase, Phase::Ended);
        Scope::of(collections, is_known, self.query.context())
    }

    /// Starts the collections that are not running yet, and stops those that are no longer wanted.
    fn follow(&mut self) {
        let Some(targets) = self.targets() else { return };
        let wanted: BTreeMap<_, _> =
            targets.into_iter().map(|target| (target.collection.clone(), target)).collect();
        self.running.retain(|collection, own| {
            wanted.get(collection).is_some_and(|target| own.target.is_same(target))
        });
        for (collection, target) in wanted {
            if self.running.contains_key(&collection) {
                continue;
            }
            let target = Arc::new(target);
            let events = list_watch(Arc::clone(&self.query), Arc::clone(&target)).boxed();
            let (events, stream) = abortable(events);
            self.running.insert(collection, Running { target, stream });
            self.waiting.push(events.into_future());
        }
    }

    /// Polls the source of the set of collections; returns whether the set changed.
    fn poll_members(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.members {
            Members::Fixed => false,
            Members::Set(sets) => {
                let mut changed = false;
                while let Poll::Ready(Some(())) = sets.poll_next_unpin(cx) {
                    changed = true;
                }
                changed
            }
            Members::Labelled(own) => {
                let (is_new, failure) = own.poll(cx);
                self.first.extend(failure.map(Err));
                is_new
            }
        }
    }

    /// Polls the collections, beginning with the one that yielded last.
    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<K>>> {
        loop {
            if let Some(mut own) = self.current.take_if(|_| self.turn < TURN) {
                match own.poll_next_unpin(cx) {
                    Poll::Ready(Some(item)) => {
                        self.turn += 1;
                        self.current = Some(own);
                        return Poll::Ready(Some(item));
                    }
                    // The collection was stopped.
                    Poll::Ready(None) => continue,
                    // Polled once more among the others, which registers its waker.
                    Poll::Pending => self.waiting.push(own.into_future()),
                }
            }
            if let Some(own) = self.current.take() {
                self.waiting.push(own.into_future());
            }
            match self.waiting.poll_next_unpin(cx) {
                Poll::Ready(Some((Some(item), own))) => {
                    self.turn = 1;
                    self.current = Some(own);
                    return Poll::Ready(Some(item));
                }
                Poll::Ready(Some((None, _))) => {}
                // Another namespace may be added.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<K: Lookup + Send + 'static> Stream for Collections<K> {
    type Item = Item<K>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let own = &mut *self;
        loop {
            if let Some(item) = own.first.pop() {
                return Poll::Ready(Some(item));
            }
            match &mut own.phase {
                Phase::Ended => return Poll::Ready(None),
                Phase::Resolving(checked) => match std::task::ready!(checked.poll_unpin(cx)) {
                    Ok(()) => {
                        own.phase = Phase::Running;
                        own.follow();
                    }
                    Err(error) => {
                        own.phase = Phase::Ended;
                        own.first.push(Err(error));
                    }
                },
                Phase::Running => {
                    if own.poll_members(cx) {
                        own.follow();
                        let scope = own.scope();
                        own.first.push(Ok(WatchEvent::Scope(scope)));
                        continue;
                    }
                    if !own.first.is_empty() {
                        continue;
                    }
                    return own.poll_own(cx);
                }
            }
        }
    }
}

impl<K> Unpin for Collections<K> {}

impl<K> Query<K> {
    /// Asks discovery, and returns an error if the resource can't be the requested one. A missing resource
    /// or server is left for the list to report.
    async fn check_resource(&self) -> Result<(), Error> {
        let found = match self.resolved().await {
            Err(error) if error.is_resource() => return Err(error),
            Err(_) => return Ok(()),
            Ok(found) => found,
        };
        let of_namespaces = Target { collection: Collection::of_namespace(""), selection: None };
        let target = if self.namespaces.is_cluster() { Target::cluster() } else { of_namespaces };
        match self.suits(&target, &found) {
            Err(error) if error.is_namespace() => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the identity of the pipeline, with the stages that the API server or the decoding performs.
    pub(super) fn context(&self) -> event::Context<K> {
        let mut stages = Stages::default();
        if let Some(selections) = self.namespaces.selections() {
            stages = stages.namespaces(selections);
        }
        if let Some(selector) = &self.labels {
            stages = stages.labels(selector.clone());
        }
        let selectors = self.field_selector.iter().chain(&self.matching);
        let stages = selectors
            .map(|own| Condition::Fields(own.clone()))
            .fold(stages, Stages::matching)
            // A decoder of their own for hypothetical objects: it learns from each what to expect next.
            .decoded_by(self.decoder.and(FieldFilter::default()));
        let closures = self.closures.iter().map(|own| Condition::Named(own.clone()));
        let stages = closures.fold(stages, Stages::matching);
        event::Context { origin: self.origin.clone(), stages }
    }
}

impl Labelled {
    /// Takes the items of the watch of `Namespace` objects, up to a failure; returns whether a scope is to
    /// be yielded before that failure. A scope also ends the previous failure.
    fn poll(&mut self, cx: &mut Context<'_>) -> (bool, Option<Error>) {
        let mut changed = false;
        for _ in 0..TURN {
            let item = match self.watch.poll_next_unpin(cx) {
                Poll::Ready(Some(item)) => item,
                Poll::Ready(None) | Poll::Pending => return (changed, None),
            };
            match item {
                Err(error) if error.is_undecodable() => {
                    changed |= self.is_there(error.object().map(|(_, name)| name));
                    return (changed, Some(error));
                }
                Err(error) => {
                    self.fails = true;
                    return (changed, Some(error));
                }
                Ok(event) => {
                    // Parts of a list don't end a failure: the list may fail again and again.
                    let is_part =
                        matches!(event, WatchEvent::Restarted { .. } | WatchEvent::Listed(_));
                    changed |= self.take(event);
                    changed |= !is_part && mem::take(&mut self.fails);
                }
            }
        }
        cx.waker().wake_by_ref();
        (changed, None)
    }

    fn take(&mut self, event: WatchEvent<Document>) -> bool {
        match event {
            WatchEvent::Restarted { .. } => {
                self.listed = Some(Listed::default());
                false
            }
            WatchEvent::Listed(object) | WatchEvent::Applied(object) => {
                self.is_there(Some(object.name()))
            }
            WatchEvent::ListComplete { .. } => {
                let Listed { mut names, is_vague } = self.listed.take().unwrap_or_default();
                if is_vague {
                    names.extend_from_slice(&self.names);
                }
                names.sort_unstable();
                names.dedup();
                let changed = !self.is_known || names != self.names;
                self.is_known = true;
                self.names = names;
                changed
            }
            WatchEvent::Deleted(object) => self.remove(object.name()),
            WatchEvent::Gone { name, .. } => self.remove(&name),
            _ => false,
        }
    }

    /// Records a namespace, whose name may be unknown; returns whether it is new.
    fn is_there(&mut self, name: Option<&str>) -> bool {
        // No namespace can have another name, whatever the server sends.
        if name.is_some_and(|name| !is_label(name)) {
            return false;
        }
        let collection = name.map(Collection::of_namespace);
        match (&mut self.listed, collection) {
            (Some(listed), Some(collection)) => listed.names.push(collection),
            (Some(listed), None) => listed.is_vague = true,
            (None, Some(collection)) => {
                let Err(at) = self.names.binary_search(&collection) else { return false };
                self.names.insert(at, collection);
                return true;
            }
            (None, None) => {}
        }
        false
    }

    fn remove(&mut self, name: &str) -> bool {
        let found = self.names.binary_search(&Collection::of_namespace(name));
        found.is_ok_and(|at| {
            self.names.remove(at);
            true
        })
    }
}

/// Finds out what is wrong with the name of the one object that is watched.
fn check_name(name: &str) -> Result<(), Error> {
    // Any other name selects nothing.
    if !name.contains('/') {
        return Ok(());
    }
    let why =
        format!("`{name}` can't be the name of an object; its namespace is that of the `Api`");
    Err(Error::new(ErrorKind::Setting, why))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::{
        source::{Gvr, Namespaces, Watch},
        testing::ApiServer,
    };

    /// SEMANTICS: W10
    #[tokio::test(start_paused = true)]
    async fn a_watch_of_a_namespace_that_leaves_is_dropped() {
        let server = ApiServer::new();
        let namespaces = Namespaces::new(["a"]);
        let handle = namespaces.handle();
        let configs = Gvr::known("", "v1", "configmaps");
        let watch = Watch::of_resource(server.client(), configs).namespaces(namespaces);
        let mut collections = Collections::new(Arc::new(watch.query), None);
        for _ in 0..50 {
            handle.add("b").unwrap();
            while timeout(Duration::from_secs(1), collections.next()).await.is_ok() {}
            assert_eq!(collections.waiting.len(), 2);
            handle.remove("b");
            while timeout(Duration::from_secs(1), collections.next()).await.is_ok() {}
            assert_eq!(collections.waiting.len(), 1);
        }
    }
}
