//! The server, the way to it, and all who watch.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube_weir::{
    Debounce, Document, EventStreamExt, FieldFilter, FieldSelector, Gvr, Store, watch,
    watch_resource,
};
use tokio::time::{Instant, sleep};

use super::{
    apiserver::{ADMIN, Exclusive},
    consumer::{Checked, Consumer, tier},
    listed,
    proxy::{Fault, On, Proxy},
    requests::Requests,
    say, soon, writers,
};

/// A watch is renewed, and a dead one noticed, often enough to be part of a round.
const WATCH: Duration = Duration::from_secs(5);

/// Longest time until everybody is where the server is, once nothing goes wrong any more: what a
/// list waits for an answer that doesn't come, and the longest delay before the next try, twice.
const RECOVERY: Duration = Duration::from_secs(180);

const WRITERS: usize = 4;

pub(crate) struct World {
    pub(crate) cluster: Exclusive,
    pub(crate) proxy: Proxy,
    pub(crate) namespaces: Vec<String>,
    /// Clients that don't go through the proxy, of those who write.
    pub(crate) straight: Vec<Client>,
    pub(crate) writes: Arc<AtomicUsize>,
    /// Counts of the blows to the server, by name.
    pub(crate) blows: BTreeMap<String, usize>,
    client: Client,
    requests: Requests,
    consumers: Vec<Box<dyn Checked>>,
    /// Consumers that joined in the middle of a round, and leave at its end.
    late: Vec<Box<dyn Checked>>,
    typed: Store<ConfigMap>,
    documents: Store<Document>,
}

impl World {
    pub(crate) async fn begin(cluster: Exclusive) -> Self {
        let client = cluster.client().await;
        let mut namespaces = Vec::new();
        for name in ["one", "two", "three"] {
            namespaces.push(cluster.namespace(name).await);
        }
        let mut straight = Vec::new();
        for _ in 0..WRITERS {
            straight.push(cluster.client().await);
        }
        let mut config = cluster.config(ADMIN).await;
        let proxy = Proxy::to(&mut config).await;
        let requests = Requests::default();
        let proxied = requests.client(config);
        let api: Api<ConfigMap> = Api::all(proxied.clone());
        let [one, two, _] = &namespaces[..] else { panic!() };
        let in_one: Api<ConfigMap> = Api::namespaced(proxied.clone(), one);

        // Everything, as it comes, in pages.
        let typed = watch(api.clone()).watch_timeout(WATCH).page_size(40).index(tier());
        // Several watches in one, strained and debounced.
        let documents = watch_resource(proxied.clone(), config_maps()).unwrap();
        let documents = documents.namespaces(&namespaces).watch_timeout(WATCH).page_size(25);
        let strained = FieldFilter::new(["metadata.managedFields"]).unwrap();
        let documents = documents.filter_fields(strained).unwrap().index(tier());
        let streamed = watch_resource(proxied.clone(), config_maps()).unwrap();
        let streamed =
            streamed.namespace(two).streaming_list(true).watch_timeout(WATCH).index(tier());
        let selected =
            watch(in_one).labels("tier=front").unwrap().watch_timeout(WATCH).index(tier());
        let back = FieldSelector::parse("metadata.labels.tier=back").unwrap();
        let matching = watch(api).matching(back).unwrap().watch_timeout(WATCH).index(tier());

        let (typed_store, document_store) = (typed.store(), documents.store());
        let (streamed_store, selected_store) = (streamed.store(), selected.store());
        let matching_store = matching.store();
        let slow = typed_store.changes().then(|item| async {
            sleep(Duration::from_millis(300)).await;
            item
        });
        let quiet = Debounce::quiet(Duration::from_millis(50));
        let (all, own, other) = (namespaces.clone(), one.clone(), two.clone());
        let consumers: Vec<Box<dyn Checked>> = vec![
            Box::new(Consumer::of("typed, in pages", &typed_store, typed, |_| true)),
            Box::new(Consumer::of(
                "documents of three namespaces, debounced",
                &document_store,
                documents.debounce(Duration::from_millis(100)),
                move |object| all.iter().any(|own| object["metadata"]["namespace"] == **own),
            )),
            Box::new(Consumer::of(
                "documents, by a streaming list",
                &streamed_store,
                streamed,
                move |object| object["metadata"]["namespace"] == *other,
            )),
            Box::new(Consumer::of("typed, by a label", &selected_store, selected, move |object| {
                object["metadata"]["namespace"] == *own
                    && object["metadata"]["labels"]["tier"] == "front"
            })),
            Box::new(Consumer::of(
                "typed, matching, debounced",
                &matching_store,
                matching.debounce(quiet),
                |object| object["metadata"]["labels"]["tier"] == "back",
            )),
            Box::new(Consumer::of("changes(), read slowly", &typed_store, slow, |_| true)),
        ];
        Self {
            cluster,
            proxy,
            straight,
            writes: Arc::default(),
            blows: BTreeMap::new(),
            client,
            requests,
            consumers,
            late: Vec::new(),
            typed: typed_store,
            documents: document_store,
            namespaces,
        }
    }

    /// More consumers, in the midst of it.
    pub(crate) fn join_late(&mut self) {
        let typed = self.typed.changes();
        self.late.push(Box::new(Consumer::of("changes(), late", &self.typed, typed, |_| true)));
        let (documents, all) = (self.documents.changes(), self.namespaces.clone());
        self.late.push(Box::new(Consumer::of(
            "changes() of documents, late",
            &self.documents,
            documents.debounce(Duration::from_millis(200)),
            move |object| all.iter().any(|own| object["metadata"]["namespace"] == **own),
        )));
    }

    /// Lets nothing go wrong any more, waits until everybody has what the server has, and says how
    /// long that took.
    pub(crate) async fn quiet(&self) -> Duration {
        self.proxy.set(Fault::None, On::All);
        let begun = Instant::now();
        loop {
            let list = listed::list(&self.client, "/api/v1/configmaps").await;
            let consumers = || self.consumers.iter().chain(&self.late);
            let differ: Vec<_> = consumers()
                .filter_map(|consumer| {
                    assert!(!consumer.is_broken(), "{} ended", consumer.name());
                    let what = consumer.differs(&list)?;
                    Some(format!("{}: {what}: {:?}", consumer.name(), consumer.told()))
                })
                .collect();
            if differ.is_empty() {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < RECOVERY,
                "not equal in {RECOVERY:?}: {differ:#?}\n{:?}\n{:?}",
                self.typed.report(),
                self.documents.report(),
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Lets everybody see one and the same state, whatever came before.
    pub(crate) async fn settle(&mut self) {
        writers::settle(&self.client, &self.namespaces).await;
        self.quiet().await;
        self.late.clear();
    }

    pub(crate) fn report(&self) {
        say(&format!(
            "chaos: {} writes; {} connections of which there were {:?}; the server was {:?}",
            self.writes.load(Ordering::Relaxed),
            self.proxy.accepted(),
            self.proxy.hit(),
            self.blows,
        ));
        say(&format!(
            "chaos: {} lists and {} watches begun by {} pipelines",
            self.requests.lists(),
            self.requests.watches(),
            self.consumers.len() - 1,
        ));
        for consumer in &self.consumers {
            let told = consumer.told();
            say(&format!(
                "chaos: {}: {} items, {} changes; failures told: {:?}",
                consumer.name(),
                told.items,
                told.stats.total(),
                told.errors,
            ));
        }
    }

    /// Drops all but the server, and waits until the last connection is gone.
    pub(crate) async fn end(mut self) -> Exclusive {
        self.consumers.clear();
        let closed = async {
            while self.proxy.open() > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the end of all connections", closed).await;
        self.cluster
    }
}

fn config_maps() -> Gvr {
    Gvr::parse("v1/configmaps").unwrap()
}
