//! The tested pipeline, and its consumers.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    task::ready,
    time::Duration,
};

use futures::{Stream, StreamExt, stream, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, runtime::reflector::Lookup};
use kube_weir::{
    Change, Document, Error, EventStreamExt, FieldFilter, FieldSelector, Index, Store, SyncPolicy,
    Watch, WatchEvent,
    adapters::{DebounceHandle, Indexed},
    watch, watch_resource,
};
use serde::Serialize;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::script::{Namespaces, Pace, Select, Setup, Stages};

/// Differences of pipelines by the kind of their objects.
pub(super) trait Watched: Lookup + Serialize + Send + Sync + Sized + 'static {
    fn watch(client: Client) -> impl Future<Output = Watch<Self>>;

    /// Applies the stages of any stream, as far as this kind has them.
    fn select(watch: Watch<Self>, on: Option<FieldSelector>, filter: FieldFilter) -> Events<Self>;
}

type Events<K> = BoxStream<'static, Result<WatchEvent<K>, Error>>;
pub(super) type Changes<K> = BoxStream<'static, Result<Change<K>, Error>>;
pub(super) type Seen<K> = (Instant, Result<Change<K>, Error>);

impl Watched for Document {
    async fn watch(client: Client) -> Watch<Self> {
        watch_resource(client, "v1/configmaps").unwrap()
    }

    fn select(watch: Watch<Self>, on: Option<FieldSelector>, filter: FieldFilter) -> Events<Self> {
        on.into_iter()
            .try_fold(watch, Watch::matching)
            .unwrap()
            .filter_fields(filter)
            .unwrap()
            .boxed()
    }
}

impl Watched for ConfigMap {
    async fn watch(client: Client) -> Watch<Self> {
        watch(Api::all(client))
    }

    fn select(watch: Watch<Self>, on: Option<FieldSelector>, filter: FieldFilter) -> Events<Self> {
        match on {
            Some(on) => {
                let matching = EventStreamExt::matching(watch, on).unwrap();
                EventStreamExt::filter_fields(matching, filter).unwrap().boxed()
            }
            None => EventStreamExt::filter_fields(watch, filter).unwrap().boxed(),
        }
    }
}

/// Returns the indexes of each store; the first is the order of the objects.
pub(super) fn indexes<K: Watched>() -> [Index<K>; 3] {
    let identity = Index::paths(["metadata.namespace", "metadata.name"]).unwrap();
    let tier = Index::path("metadata.labels.tier").unwrap();
    let place = Index::paths(["metadata.namespace", "metadata.labels.*"]).unwrap();
    [identity.named("identity"), tier.named("tier"), place.named("place")]
}

/// Builds the pipeline from a watch to the store and its changes.
pub(super) fn pipeline<K: Watched>(
    watch: Watch<K>,
    setup: &Setup,
) -> (Store<K>, Changes<K>, Option<DebounceHandle>) {
    let watch = watch
        .streaming_list(setup.streaming_list)
        .page_size(setup.page_size)
        .watch_timeout(Duration::from_secs(setup.watch_timeout));
    let watch = match setup.namespaces {
        Namespaces::Every => watch,
        Namespaces::One => watch.namespace("a"),
        Namespaces::Both => watch.namespaces(["a", "b"]),
    };
    let (watch, on) = match setup.select {
        Select::All => (watch, None),
        Select::Labels => (watch.labels("on=yes").unwrap(), None),
        Select::Fields => (watch, Some(FieldSelector::parse("data.on=yes").unwrap())),
    };
    match setup.stages {
        Stages::Own => {
            let watch = on.into_iter().try_fold(watch, Watch::matching).unwrap();
            outlet(watch.filter_fields(filter()).unwrap().index(indexes()), setup)
        }
        Stages::Any => outlet(K::select(watch, on, filter()).index(indexes()), setup),
    }
}

fn outlet<K: Watched, S>(
    indexed: Indexed<S, K>,
    setup: &Setup,
) -> (Store<K>, Changes<K>, Option<DebounceHandle>)
where
    Indexed<S, K>: Stream<Item = Result<Change<K>, Error>> + Send + 'static,
{
    let patient = SyncPolicy::default().deadline(Duration::from_secs(100_000));
    let indexed = indexed.sync_policy(patient);
    let indexed = if setup.progress { indexed.with_progress() } else { indexed };
    let store = indexed.store();
    let (changes, flusher) = paced(indexed, setup.pace);
    (store, changes, flusher)
}

pub(super) fn paced<K: Watched>(
    changes: impl Stream<Item = Result<Change<K>, Error>> + Send + 'static,
    pace: Pace,
) -> (Changes<K>, Option<DebounceHandle>) {
    match pace.debounce() {
        None => (changes.boxed(), None),
        Some(debounce) => {
            let changes = changes.debounce(debounce);
            let flusher = changes.handle();
            (changes.boxed(), Some(flusher))
        }
    }
}

/// The fields that are dropped.
pub(super) fn filter() -> FieldFilter {
    FieldFilter::new(["metadata.annotations.dropped", "data.on"]).unwrap()
}

/// A task that reads a stream.
pub(super) struct Consumer<K> {
    pub(super) pace: Pace,
    pub(super) seen: Arc<Mutex<Vec<Seen<K>>>>,
    pub(super) busy_until: Arc<Mutex<Instant>>,
    pub(super) task: JoinHandle<()>,
}

impl<K: Watched> Consumer<K> {
    pub(super) fn new(pace: Pace, mut changes: Changes<K>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let busy_until = Arc::new(Mutex::new(Instant::now()));
        let (log, busy) = (Arc::clone(&seen), Arc::clone(&busy_until));
        let mut rest = Box::pin(sleep_until(Instant::now()));
        // The stream is not polled while the consumer is busy.
        let mut gated = stream::poll_fn(move |cx| {
            let until = *busy.lock().unwrap();
            if Instant::now() < until {
                rest.as_mut().reset(until);
                ready!(rest.as_mut().poll(cx));
            }
            changes.poll_next_unpin(cx)
        });
        let task = tokio::spawn(async move {
            while let Some(item) = gated.next().await {
                log.lock().unwrap().push((Instant::now(), item));
            }
        });
        Self { pace, seen, busy_until, task }
    }
}
