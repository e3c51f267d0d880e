//! The compared stores.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, RwLock},
    task::Poll,
};

use foldhash::fast::RandomState;
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use kube::{
    core::{ApiResource, DynamicObject},
    runtime::{
        reflector::{self, ObjectRef},
        watcher::Event,
    },
};
use kube_weir::{Change, Document, Error, EventStreamExt, Index, Snapshot, Store};

use super::world::Probe;

/// A store with a writer and readers.
pub(crate) trait Candidate: Send {
    type Change: Clone + Send + Sync;
    type Key: Sync;
    type Reader: Send + Sync;
    /// The object of a reader's lookups: a snapshot, if the store has one.
    type Held;
    type Object;

    fn load(objects: impl Iterator<Item = String>) -> Self;

    fn change(json: &str) -> Self::Change;

    /// Publishes all of these changes. Returns replaced values, so that they are freed
    /// outside of the measured time.
    fn publish(&mut self, changes: Vec<Self::Change>) -> Vec<Self::Change>;

    fn reader(&self) -> Self::Reader;

    fn hold(reader: &Self::Reader) -> Self::Held;

    fn key(probe: &Probe) -> Self::Key;

    /// Returns whether an object exists; a reference to it is enough, if the store returns one.
    fn has(held: &Self::Held, key: &Self::Key) -> bool;

    fn get(held: &Self::Held, key: &Self::Key) -> Option<Self::Object>;

    /// Returns an object of the current state.
    fn get_now(reader: &Self::Reader, key: &Self::Key) -> Option<Self::Object> {
        Self::get(&Self::hold(reader), key)
    }

    fn version(object: &Self::Object) -> Option<&str>;

    /// Returns the number of objects in a namespace.
    fn namespace(held: &Self::Held, namespace: &str) -> usize;

    /// Returns the number of objects with this label, if the store has the index.
    fn app(held: &Self::Held, app: &str) -> Option<usize>;

    /// Returns the length of all versions.
    fn all(held: &Self::Held) -> usize;
}

static APP: LazyLock<Index<Document>> =
    LazyLock::new(|| Index::path("metadata.labels.app").expect("a path"));

/// Our store, on a stream of events that is fed here; with or without an additional index.
pub(crate) struct Weir<const INDEXED: bool> {
    events: Arc<Mutex<VecDeque<Event<Document>>>>,
    changes: BoxStream<'static, Result<Change<Document>, Error>>,
    store: Store<Document>,
}

impl<const INDEXED: bool> Weir<INDEXED> {
    fn send(&self, events: impl IntoIterator<Item = Event<Document>>) {
        self.events.lock().expect("no panic").extend(events);
    }
}

impl<const INDEXED: bool> Candidate for Weir<INDEXED> {
    type Change = Event<Document>;
    type Key = (String, String);
    type Reader = Store<Document>;
    type Held = Snapshot<Document>;
    type Object = Arc<Document>;

    fn load(objects: impl Iterator<Item = String>) -> Self {
        let events = Arc::new(Mutex::new(VecDeque::new()));
        let feed = Arc::clone(&events);
        let feed = stream::poll_fn(move |_| {
            feed.lock()
                .expect("no panic")
                .pop_front()
                .map_or(Poll::Pending, |e| Poll::Ready(Some(e)))
        });
        let changes = if INDEXED { feed.index(&*APP) } else { feed.index(()) };
        let mut this = Self { events, store: changes.store(), changes: changes.boxed() };
        this.send([Event::Init]);
        for json in objects {
            let document = Document::from_json(&json).expect("a document");
            this.send([Event::InitApply(document)]);
            assert!(this.changes.next().now_or_never().is_none());
        }
        this.send([Event::InitDone]);
        let synced = this.changes.next().now_or_never();
        assert!(matches!(synced, Some(Some(Ok(Change::Synced(_))))));
        this
    }

    fn change(json: &str) -> Self::Change {
        Event::Apply(Document::from_json(json).expect("a document"))
    }

    fn publish(&mut self, changes: Vec<Self::Change>) -> Vec<Self::Change> {
        self.send(changes);
        let published = self.changes.next().now_or_never();
        assert!(matches!(published, Some(Some(Ok(Change::Live(_))))));
        Vec::new()
    }

    fn reader(&self) -> Self::Reader {
        self.store.clone()
    }

    fn hold(reader: &Self::Reader) -> Self::Held {
        reader.snapshot()
    }

    fn get_now(reader: &Self::Reader, key: &Self::Key) -> Option<Self::Object> {
        reader.get(key)
    }

    fn key(probe: &Probe) -> Self::Key {
        (probe.namespace.clone(), probe.name.clone())
    }

    fn has(held: &Self::Held, key: &Self::Key) -> bool {
        held.get(key).is_some()
    }

    fn get(held: &Self::Held, key: &Self::Key) -> Option<Self::Object> {
        held.get(key).cloned()
    }

    fn version(object: &Self::Object) -> Option<&str> {
        object.resource_version()
    }

    fn namespace(held: &Self::Held, namespace: &str) -> usize {
        held.in_namespace(namespace).filter(|object| !object.name().is_empty()).count()
    }

    fn app(held: &Self::Held, app: &str) -> Option<usize> {
        let hits = INDEXED.then(|| held.by(&APP).get(app));
        hits.map(|hits| hits.filter(|object| !object.name().is_empty()).count())
    }

    fn all(held: &Self::Held) -> usize {
        held.iter().filter_map(|object| object.resource_version()).map(str::len).sum()
    }
}

fn dynamic(json: &str) -> DynamicObject {
    serde_json::from_str(json).expect("an object")
}

fn is_in(object: &DynamicObject, namespace: &str) -> bool {
    object.metadata.namespace.as_deref() == Some(namespace)
}

fn is_labelled(object: &DynamicObject, app: &str) -> bool {
    let labels = object.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app")).is_some_and(|own| own == app)
}

fn version(object: &DynamicObject) -> Option<&str> {
    object.metadata.resource_version.as_deref()
}

/// kube-runtime's store.
pub(crate) struct Kube(reflector::store::Writer<DynamicObject>);

fn resource() -> ApiResource {
    ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(&())
}

impl Candidate for Kube {
    type Change = Event<DynamicObject>;
    type Key = ObjectRef<DynamicObject>;
    type Reader = reflector::Store<DynamicObject>;
    type Held = reflector::Store<DynamicObject>;
    type Object = Arc<DynamicObject>;

    fn load(objects: impl Iterator<Item = String>) -> Self {
        let mut writer = reflector::store::Writer::new(resource());
        writer.apply_watcher_event(&Event::Init);
        objects.for_each(|json| writer.apply_watcher_event(&Event::InitApply(dynamic(&json))));
        writer.apply_watcher_event(&Event::InitDone);
        Self(writer)
    }

    fn change(json: &str) -> Self::Change {
        Event::Apply(dynamic(json))
    }

    fn publish(&mut self, changes: Vec<Self::Change>) -> Vec<Self::Change> {
        for event in &changes {
            self.0.apply_watcher_event(event);
        }
        changes
    }

    fn reader(&self) -> Self::Reader {
        self.0.as_reader()
    }

    fn hold(reader: &Self::Reader) -> Self::Held {
        reader.clone()
    }

    fn key(probe: &Probe) -> Self::Key {
        ObjectRef::new_with(&probe.name, resource()).within(&probe.namespace)
    }

    fn has(held: &Self::Held, key: &Self::Key) -> bool {
        held.get(key).is_some()
    }

    fn get(held: &Self::Held, key: &Self::Key) -> Option<Self::Object> {
        held.get(key)
    }

    fn version(object: &Self::Object) -> Option<&str> {
        version(object)
    }

    fn namespace(held: &Self::Held, namespace: &str) -> usize {
        held.state_filter(|object| is_in(object, namespace)).len()
    }

    fn app(held: &Self::Held, app: &str) -> Option<usize> {
        Some(held.state_filter(|object| is_labelled(object, app)).len())
    }

    fn all(held: &Self::Held) -> usize {
        held.state().iter().filter_map(|object| version(object)).map(str::len).sum()
    }
}

type Table = HashMap<(String, String), Arc<DynamicObject>, RandomState>;

/// A hash table under a lock, as in a first implementation.
pub(crate) struct Plain(Arc<RwLock<Table>>);

fn insert(table: &mut Table, object: Arc<DynamicObject>) -> Option<Arc<DynamicObject>> {
    let metadata = &object.metadata;
    let key = (metadata.namespace.clone(), metadata.name.clone());
    table.insert((key.0.unwrap_or_default(), key.1.unwrap_or_default()), object)
}

impl Candidate for Plain {
    type Change = Arc<DynamicObject>;
    type Key = (String, String);
    type Reader = Arc<RwLock<Table>>;
    type Held = Arc<RwLock<Table>>;
    type Object = Arc<DynamicObject>;

    fn load(objects: impl Iterator<Item = String>) -> Self {
        let mut table = Table::default();
        objects.for_each(|json| drop(insert(&mut table, Arc::new(dynamic(&json)))));
        Self(Arc::new(RwLock::new(table)))
    }

    fn change(json: &str) -> Self::Change {
        Arc::new(dynamic(json))
    }

    fn publish(&mut self, changes: Vec<Self::Change>) -> Vec<Self::Change> {
        for object in changes {
            // Replaced objects are freed after the lock is released.
            let before = insert(&mut self.0.write().expect("no panic"), object);
            drop(before);
        }
        Vec::new()
    }

    fn reader(&self) -> Self::Reader {
        Arc::clone(&self.0)
    }

    fn hold(reader: &Self::Reader) -> Self::Held {
        Arc::clone(reader)
    }

    fn key(probe: &Probe) -> Self::Key {
        (probe.namespace.clone(), probe.name.clone())
    }

    fn has(held: &Self::Held, key: &Self::Key) -> bool {
        held.read().expect("no panic").contains_key(key)
    }

    fn get(held: &Self::Held, key: &Self::Key) -> Option<Self::Object> {
        held.read().expect("no panic").get(key).cloned()
    }

    fn version(object: &Self::Object) -> Option<&str> {
        version(object)
    }

    fn namespace(held: &Self::Held, namespace: &str) -> usize {
        held.read().expect("no panic").values().filter(|object| is_in(object, namespace)).count()
    }

    fn app(held: &Self::Held, app: &str) -> Option<usize> {
        let table = held.read().expect("no panic");
        Some(table.values().filter(|object| is_labelled(object, app)).count())
    }

    fn all(held: &Self::Held) -> usize {
        let table = held.read().expect("no panic");
        table.values().filter_map(|object| version(object)).map(str::len).sum()
    }
}
