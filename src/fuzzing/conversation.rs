//! Fuzz target: conversations of a watch with a server that may answer anything.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeMap,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt};
use http::Request;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, client::Body, runtime::reflector::Lookup};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    runtime::Runtime,
    time::{Instant, timeout_at},
};
use tower::Service;

use super::script::Script;
use crate::{
    change::{Change, Delta},
    error::Error,
    ext::EventStreamExt,
    index::Index,
    namespaced_name::owned_identity,
    source::{Gvr, Watch, watch, watch_resource},
    store::Store,
    testing::ApiServer,
};

/// Time limit for all answers of a script: each may be late, and be followed by a delay.
const SCRIPT: Duration = Duration::from_secs(2 * 86_400);

/// Time limit for a watch to recover: the longest accepted `Retry-After`, the last answer, which
/// never ends, and some delays.
const RECOVERY: Duration = Duration::from_secs(20 * 60);

/// Time without changes after the store equals the server. A watch is resumed meanwhile.
const QUIET: Duration = Duration::from_secs(6 * 60);

/// Maximum length of an error message.
const LONGEST: usize = 512;

/// Checks that the store of a watch equals the server's state soon after the server starts to answer
/// correctly, whatever it answered before; and that the deltas lead to that state. The first two bytes choose
/// the watch, the rest is a [`Script`].
pub fn conversation(data: &[u8]) {
    let Some((choice, script)) = data.split_first_chunk::<2>() else { return };
    // A client can't detect an answer with an object of the server in a correct version, but with other
    // content.
    if script.windows(6).any(|part| part == b"-8000-") {
        return;
    }
    let choices = Choices(u16::from_le_bytes(*choice));
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            let server = ApiServer::new();
            let script =
                Script::new(server.clone(), script, choices.is_typed(), choices.is(Choice::Event));
            let talk = Talk { server, script: Arc::new(Mutex::new(script)), choices };
            if choices.is(Choice::Objects) {
                talk.write(0);
                talk.write(3);
            }
            let client = talk.client();
            if choices.is_typed() {
                talk.goes_well(watch(Api::<ConfigMap>::all(client))).await;
            } else {
                let configs = Gvr::known("", "v1", "configmaps");
                talk.goes_well(watch_resource(client, configs).unwrap()).await;
            }
        });
    });
}

thread_local! {
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap(),
    );
}

/// Settings of the watch and the initial state of the server, one bit each.
#[derive(Clone, Copy)]
struct Choices(u16);

#[derive(Clone, Copy)]
enum Choice {
    /// The kind has a Rust type.
    Typed,
    /// The server refuses to resume with an event, not with the status of the answer.
    Event,
    /// Only some of the objects are watched.
    Matching,
    /// There are objects before the first list.
    Objects,
    Streaming,
    MaxSilence,
    Pages,
    Namespace,
    /// Another stage is between the watch and the index.
    Behind,
}

impl Choices {
    fn is(self, choice: Choice) -> bool {
        self.0 & (1 << choice as u16) != 0
    }

    fn is_typed(self) -> bool {
        self.is(Choice::Typed)
    }
}

/// A server whose answers a script replaces.
struct Talk {
    server: ApiServer,
    script: Arc<Mutex<Script>>,
    choices: Choices,
}

impl Talk {
    fn client(&self) -> Client {
        let (server, script) = (self.server.clone(), Arc::clone(&self.script));
        let answer = move |request: Request<Body>| {
            script.lock().unwrap_or_else(PoisonError::into_inner).answer(request.uri());
            server.clone().call(request)
        };
        Client::new(tower::service_fn(answer), "default")
    }

    fn set_up<K>(&self, watch: Watch<K>) -> Watch<K> {
        let mut watch = watch.streaming_list(self.choices.is(Choice::Streaming));
        if self.choices.is(Choice::MaxSilence) {
            watch = watch.max_silence(Duration::from_secs(90));
        }
        if self.choices.is(Choice::Pages) {
            watch = watch.page_size(2);
        }
        if self.choices.is(Choice::Namespace) {
            watch = watch.namespace("default");
        }
        if self.choices.is(Choice::Matching) {
            watch = watch.matching("data.on=yes").unwrap();
        }
        watch
    }

    fn write(&self, choice: u8) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).write(choice);
    }

    async fn goes_well<K>(&self, watch: Watch<K>)
    where
        K: Lookup + Serialize + Send + Sync + 'static,
    {
        let watch = self.set_up(watch);
        if self.choices.is(Choice::Behind) {
            // With another stage in between, the watch has no access to the store.
            let changes = EventStreamExt::index(watch.boxed(), &data_on());
            let store = changes.store();
            let _ = self.recovers(changes, &store).await;
        } else {
            let changes = watch.index(data_on());
            let store = changes.store();
            let _ = self.recovers(changes, &store).await;
        }
    }

    async fn recovers<K: Lookup + Serialize + 'static>(
        &self,
        changes: impl Stream<Item = Result<Change<K>, Error>>,
        store: &Store<K>,
    ) -> Result<(), Refused> {
        let mut consumer = Consumer::new(changes);
        let is_over = || self.script.lock().unwrap_or_else(PoisonError::into_inner).is_over();
        let until = Instant::now() + SCRIPT;
        // A request yields no item, so check the script regularly.
        while !is_over() {
            consumer.next((Instant::now() + Duration::from_secs(60)).min(until)).await?;
            assert!(Instant::now() < until, "the script takes too long");
        }
        let until = Instant::now() + RECOVERY;
        while !store.is_synced() || shown(store) != self.there() {
            assert!(consumer.next(until).await?, "{:?} is not {:?}", shown(store), self.there());
        }
        // From now on each write is delivered, and nothing else is.
        for choice in [1, 9, 4, 0, 7] {
            self.write(choice);
        }
        let until = Instant::now() + QUIET;
        let mut items = 0;
        while consumer.next(until).await? {
            items += 1;
        }
        let there = self.there();
        assert_eq!(shown(store), there);
        assert!(items <= 8, "{items} items of 5 writes");
        store.healthy(QUIET / 2).unwrap();
        let status = store.status();
        assert!(status.failing.is_none() && status.connected.is_some(), "{status:?}");
        let snapshot = store.snapshot();
        for on in ["yes", "no"] {
            let of = there.values().filter(|object| object["data"]["on"] == on).count();
            assert_eq!(snapshot.by(&data_on()).get(on).len(), of);
        }
        assert_eq!(consumer.objects.len(), there.len());
        Ok(())
    }

    /// Returns the watched objects of the server.
    fn there(&self) -> BTreeMap<String, Value> {
        let is_watched = |object: &Value| {
            (!self.choices.is(Choice::Namespace) || object["metadata"]["namespace"] == "default")
                && (!self.choices.is(Choice::Matching) || object["data"]["on"] == "yes")
        };
        by_identity(self.server.objects("configmaps").unwrap().into_iter().filter(is_watched))
    }
}

/// Returns the objects of the store.
fn shown<K: Lookup + Serialize>(store: &Store<K>) -> BTreeMap<String, Value> {
    let snapshot = store.snapshot();
    by_identity(snapshot.iter().map(|object| serde_json::to_value(&**object).unwrap()))
}

fn by_identity(objects: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
    let own = |object: Value| {
        (format!("{}/{}", object["metadata"]["namespace"], object["metadata"]["name"]), object)
    };
    objects.map(own).collect()
}

/// End of a watch, because the first answer of discovery rules out the requested resource.
struct Refused;

/// A consumer that applies the changes to its own objects.
struct Consumer<S, K> {
    changes: Pin<Box<S>>,
    is_synced: bool,
    is_refused: bool,
    objects: BTreeMap<(String, String), Arc<K>>,
}

impl<S, K> Consumer<S, K>
where
    S: Stream<Item = Result<Change<K>, Error>>,
    K: Lookup,
{
    fn new(changes: S) -> Self {
        Self {
            changes: Box::pin(changes),
            is_synced: false,
            is_refused: false,
            objects: BTreeMap::new(),
        }
    }

    /// Applies the next item, if one arrives in time.
    async fn next(&mut self, until: Instant) -> Result<bool, Refused> {
        let Ok(item) = timeout_at(until, self.changes.next()).await else {
            return Ok(false);
        };
        match item {
            Some(Ok(change)) => self.follow(&change),
            Some(Err(error)) => {
                check(&error);
                self.is_refused = error.is_namespace() || error.is_resource();
            }
            None => {
                assert!(self.is_refused && !self.is_synced, "the stream goes on");
                return Err(Refused);
            }
        }
        Ok(true)
    }

    fn follow(&mut self, change: &Change<K>) {
        match change {
            Change::InitialSync(_) => panic!("nobody asked for progress"),
            Change::Synced(snapshot) => {
                assert!(!mem::replace(&mut self.is_synced, true), "synced twice");
                for object in snapshot {
                    self.objects.insert(owned_identity(&**object), Arc::clone(object));
                }
            }
            Change::Live(batch) => {
                assert!(self.is_synced, "live before the sync");
                for delta in batch.deltas() {
                    let identity = owned_identity(&**delta.object());
                    let old = match delta {
                        Delta::Created(new) => self.objects.insert(identity, Arc::clone(new)),
                        Delta::Modified { after: new, .. } => {
                            self.objects.insert(identity, Arc::clone(new))
                        }
                        Delta::Deleted(_) => self.objects.remove(&identity),
                    };
                    let is_same = match (&old, delta.before()) {
                        (Some(own), Some(old)) => same(own, old),
                        (None, None) => true,
                        _ => false,
                    };
                    assert!(is_same, "another object was there before");
                }
            }
        }
        let all: Vec<_> = change.snapshot().iter().collect();
        assert_eq!(all.len(), self.objects.len());
        for (shown, own) in all.into_iter().zip(self.objects.values()) {
            assert!(same(shown, own), "the deltas lead to another snapshot");
        }
    }
}

/// Returns whether both are the same version of an object: receiving it again is no change.
fn same<K: Lookup>(one: &Arc<K>, other: &Arc<K>) -> bool {
    let version = |own: &K| {
        (
            owned_identity(own),
            own.uid().map(Cow::into_owned),
            own.resource_version().map(Cow::into_owned),
        )
    };
    Arc::ptr_eq(one, other) || version(one) == version(other)
}

/// Checks that an error is safe to log.
fn check(error: &Error) {
    assert!(!error.is_panic(), "{error:?}");
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        assert!(text.chars().count() <= LONGEST, "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
        next = cause.source();
    }
}

/// Returns the index that all stores of this module have.
fn data_on<K: Serialize + 'static>() -> Index<K> {
    Index::path("data.on").unwrap()
}
