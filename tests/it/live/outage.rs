//! The server, or the connection to it, is down for a while.

use futures::Stream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::config::Config;
use kube_weir::{Document, Error, Store, watch, watch_resource};
use tokio::time::Instant;

use super::*;
use crate::apiserver::{ADMIN, Cluster, Exclusive, exclusive, server};

/// Two pipelines of one namespace, with their requests.
struct Watched {
    namespace: String,
    /// The test's own connection, which is not cut.
    client: kube::Client,
    api: Api<ConfigMap>,
    requests: Requests,
    typed: Consumer<ConfigMap>,
    typed_store: Store<ConfigMap>,
    documents: Consumer<Document>,
    document_store: Store<Document>,
}

impl Watched {
    /// Creates `a`, `b` and `c`, and waits until both are synced.
    async fn begin(cluster: &Cluster, mut config: Config, timeout: Duration) -> Self {
        let namespace = cluster.namespace("outage").await;
        let client = cluster.client().await;
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
        for name in ["a", "b", "c"] {
            create(&api, name).await;
        }
        config.default_retry = false; // no retries but ours
        let requests = Requests::default();
        let recorded = requests.client(config);
        let typed = watch(Api::<ConfigMap>::namespaced(recorded.clone(), &namespace));
        let typed = typed.watch_timeout(timeout).index(());
        let documents = watch_resource(recorded, config_maps()).unwrap();
        let documents = documents.namespace(&namespace).watch_timeout(timeout).index(());
        let (typed_store, document_store) = (typed.store(), documents.store());
        let (mut typed, mut documents) = (Consumer::of(typed), Consumer::of(documents));
        typed.synced().await;
        documents.synced().await;
        Self { namespace, client, api, requests, typed, typed_store, documents, document_store }
    }

    /// Deletes `a`, changes `b` and creates `d`.
    async fn change(&self) {
        delete(&self.api, "a").await;
        set_value(&self.api, "b", "second").await;
        create(&self.api, "d").await;
    }

    /// Waits for the net difference of [`change`](Self::change), which must be yielded once, and without
    /// other changes.
    async fn until_changed(&mut self) {
        for log in
            [until_logged(&mut self.typed, 3).await, until_logged(&mut self.documents, 3).await]
        {
            assert_eq!(log, ["+d", "-a", "~b"]);
        }
        self.assert_equal().await;
    }

    /// Checks that the pipelines have the server's state, and that they continue from there.
    async fn until_live_again(&mut self) {
        let (typed, documents) = (self.typed.seen().log.len(), self.documents.seen().log.len());
        create(&self.api, "live").await;
        until_logged(&mut self.typed, typed + 1).await;
        until_logged(&mut self.documents, documents + 1).await;
        self.assert_equal().await;
        assert_eq!(self.typed.seen().log.last().unwrap(), "+live");
        assert_eq!(self.documents.seen().log.last().unwrap(), "+live");
        assert_eq!((self.typed.seen().synced, self.documents.seen().synced), (1, 1));
    }

    async fn assert_equal(&self) {
        let path = path_of(&self.namespace);
        assert_equal_to_list(&self.client, &path, &self.typed_store).await;
        assert_equal_to_list(&self.client, &path, &self.document_store).await;
    }

    fn errors(&self) -> Vec<Error> {
        [self.typed.seen().errors, self.documents.seen().errors].concat()
    }

    /// Waits until both have yielded a failure.
    async fn until_failed(&mut self) {
        self.typed.until("a failure", |seen| !seen.errors.is_empty()).await;
        self.documents.until("a failure", |seen| !seen.errors.is_empty()).await;
    }
}

/// Waits for a number of deltas, and returns them sorted: a relist may find some of them earlier.
async fn until_logged<K>(consumer: &mut Consumer<K>, deltas: usize) -> Vec<String>
where
    K: kube::runtime::reflector::Lookup + Send + Sync + 'static,
{
    consumer.until(&format!("{deltas} deltas"), |seen| seen.log.len() >= deltas).await;
    let mut log = consumer.seen().log;
    if log.len() == 3 {
        log.sort();
    }
    log
}

const LONG: Duration = Duration::from_secs(290);

/// SEMANTICS: S7, W5
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_awaited_and_nothing_is_lost() {
    let Some(cluster) = exclusive().await else {
        return;
    };
    goes_away(cluster, false).await;
}

/// SEMANTICS: S7, W5
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_awaited_and_nothing_is_lost() {
    let Some(cluster) = exclusive().await else {
        return;
    };
    goes_away(cluster, true).await;
}

async fn goes_away(mut cluster: Exclusive, by_force: bool) {
    let mut watched = Watched::begin(&cluster, cluster.config(ADMIN).await, LONG).await;
    // In the server's last moment: the event may or may not still be sent.
    delete(&watched.api, "a").await;
    set_value(&watched.api, "b", "second").await;
    if by_force {
        cluster.kill_apiserver().await;
    } else {
        cluster.stop_apiserver().await;
    }
    watched.until_failed().await;
    assert!(watched.typed_store.is_synced() && !watched.typed_store.snapshot().is_empty());
    cluster.start_apiserver().await;
    let begun = Instant::now();
    // In the server's first moment: the watches are most likely not connected yet.
    create(&watched.api, "d").await;
    watched.until_changed().await;
    let took = begun.elapsed();
    watched.until_live_again().await;
    let errors = watched.errors();
    // The failures on the way are no refusals, and name the cause.
    for error in &errors {
        assert!(
            error.is_connection() || error.is_desynced() || error.reason() == "Other",
            "{error:?}"
        );
    }
    say(&format!("outage: equal {took:.1?} after the restart; failures told: {}", tell(&errors)));
}

/// Compaction while disconnected: changes meanwhile can only be found by a list.
///
/// SEMANTICS: S7, W5
#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_history_is_made_up_for_by_a_list() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let mut config = cluster.config(ADMIN).await;
    let wire = Wire::to(&mut config).await;
    let mut watched = Watched::begin(&cluster, config, LONG).await;
    wire.cut();
    watched.until_failed().await;
    assert!(watched.errors().iter().all(Error::is_connection), "{:?}", watched.errors());
    delete(&watched.api, "a").await;
    set_value(&watched.api, "b", "second").await;
    cluster.compact_etcd().await;
    cluster.stop_apiserver().await;
    cluster.start_apiserver().await;
    create(&watched.api, "d").await;
    assert!(watched.typed.seen().log.is_empty() && watched.documents.seen().log.is_empty());
    wire.mend();

    watched.until_changed().await;
    // Each yielded the cause once, and listed once more.
    for errors in [watched.typed.seen().errors, watched.documents.seen().errors] {
        assert_eq!(errors.iter().filter(|error| error.is_desynced()).count(), 1, "{errors:?}");
    }
    assert_eq!(watched.requests.lists().len(), 4);
    watched.until_live_again().await;
    say(&format!("outage: failures told, with compaction: {}", tell(&watched.errors())));
}

/// More changes than all buffers on the way can hold; the second time, they are also compacted.
///
/// SEMANTICS: S7, W5
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_nobody_polled_for_a_while_catches_up() {
    const OBJECTS: usize = 150;

    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let namespace = cluster.namespace("unpolled").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_many(&api, "first", OBJECTS).await;
    let pipeline = watch(api.clone()).index(());
    let store = pipeline.store();
    let (polling, polled) = tokio::sync::watch::channel(true);
    let mut consumer = Consumer::of(while_open(pipeline, polled));
    consumer.synced().await;

    for (round, forgotten) in [false, true].into_iter().enumerate() {
        polling.send(false).unwrap();
        create_many(&api, &format!("round-{round}"), OBJECTS).await;
        let value = "x".repeat(160_000);
        for i in 0..OBJECTS {
            if i % 3 == round {
                delete(&api, &format!("first-{i:04}")).await;
            }
            set_value(&api, &format!("round-{round}-{i:04}"), &value).await;
        }
        if forgotten {
            cluster.compact_etcd().await;
            cluster.stop_apiserver().await;
            cluster.start_apiserver().await;
        }
        let before = consumer.seen();
        assert_eq!(before.objects.len(), OBJECTS + round * (OBJECTS - OBJECTS / 3));
        polling.send(true).unwrap();
        let end = assert_equal_to_list(&client, &path_of(&namespace), &store).await;
        consumer.until("all of it", |seen| seen.objects.len() == end.len()).await;
        let seen = consumer.seen();
        assert_eq!(seen.stats.deleted - before.stats.deleted, OBJECTS / 3);
        assert_eq!(seen.stats.created - before.stats.created, OBJECTS);
        assert_eq!(seen.errors.iter().any(Error::is_desynced), forgotten, "{seen:?}");
        say(&format!(
            "outage: unpolled, round {round}: {} items; failures told: {}",
            seen.live - before.live,
            tell(&seen.errors),
        ));
    }
}

/// A stream that is polled only while the gate is open.
fn while_open<S>(items: S, open: tokio::sync::watch::Receiver<bool>) -> impl Stream<Item = S::Item>
where
    S: Stream + Unpin,
{
    stream::unfold((items, open), |(mut items, mut open)| async {
        loop {
            open.wait_for(|open| *open).await.ok()?;
            let item = tokio::select! {
                biased;
                closed = open.wait_for(|open| !*open) => closed.map(|_| None).ok()?,
                item = items.next() => Some(item?),
            };
            if let Some(item) = item {
                return Some((item, (items, open)));
            }
        }
    })
}

/// SEMANTICS: S7
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_etcd_is_survived() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let mut watched = Watched::begin(&cluster, cluster.config(ADMIN).await, LONG).await;
    cluster.stop_etcd().await;
    cluster.start_etcd().await;
    watched.change().await;
    watched.until_changed().await;
    watched.until_live_again().await;
    say(&format!("outage: failures told, with etcd restarted: {}", tell(&watched.errors())));
}

/// SEMANTICS: W8, W26, W5, S7
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_noticed_and_the_watch_resumed() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let timeout = Duration::from_secs(2);
    let mut watched = Watched::begin(&cluster, cluster.config(ADMIN).await, timeout).await;
    cluster.freeze_apiserver();
    let begun = Instant::now();
    watched.until_failed().await;
    let took = begun.elapsed();
    // A watch lasts up to twice its timeout; and one second for the test.
    assert!(took <= 2 * timeout + Duration::from_secs(6), "{took:?}");
    let error = watched.typed.seen().errors[0].clone();
    assert!(error.is_timeout(), "{error:?}");
    cluster.thaw_apiserver();
    watched.change().await;
    watched.until_changed().await;
    watched.until_live_again().await;
    assert_eq!(watched.requests.lists().len(), 2, "a relist");
    say(&format!("outage: frozen for {took:.1?}; failures told: {}", tell(&watched.errors())));
}

/// The server keeps running, and the changes meanwhile are sent in order.
///
/// SEMANTICS: W5, S7
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_resumed_without_a_list() {
    let Some(cluster) = server().await else {
        return;
    };
    let mut config = cluster.config(ADMIN).await;
    let wire = Wire::to(&mut config).await;
    let mut watched = Watched::begin(&cluster, config, LONG).await;
    for _ in 0..3 {
        wire.cut();
        watched.until_failed().await;
        wire.mend();
        watched.until_live_again().await;
        delete(&watched.api, "live").await;
        watched.typed.until("its end", |seen| seen.objects.len() == 3).await;
        watched.documents.until("its end", |seen| seen.objects.len() == 3).await;
    }
    let before = watched.typed.seen().log.len();
    wire.cut();
    watched.change().await;
    assert_eq!(watched.typed.seen().log.len(), before);
    wire.mend();
    watched.typed.until("the changes", |seen| seen.log.len() == before + 3).await;
    watched.until_live_again().await;
    assert_eq!(watched.requests.lists().len(), 2, "a relist");
    assert!(watched.errors().iter().all(Error::is_connection), "{:?}", watched.errors());
}

/// No byte and no end: only a timeout detects it.
///
/// SEMANTICS: W8, W26, W5, S7
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_connection_is_noticed_and_the_watch_resumed() {
    let Some(cluster) = server().await else {
        return;
    };
    let mut config = cluster.config(ADMIN).await;
    let wire = Wire::to(&mut config).await;
    let timeout = Duration::from_secs(2);
    let mut watched = Watched::begin(&cluster, config, timeout).await;
    wire.silence();
    let begun = Instant::now();
    watched.change().await;
    watched.until_failed().await;
    let noticed = begun.elapsed();
    // A watch lasts up to twice its timeout; and one second for the test.
    assert!(noticed <= 2 * timeout + Duration::from_secs(6), "{noticed:?}");
    watched.until_changed().await;
    let took = begun.elapsed();
    watched.until_live_again().await;
    assert_eq!(watched.requests.lists().len(), 2, "a relist");
    say(&format!(
        "outage: dead connection noticed after {noticed:.1?}, made up for after {took:.1?}; \
         failures told: {}",
        tell(&watched.errors()),
    ));
}

fn tell(errors: &[Error]) -> String {
    let reasons: Vec<_> = errors.iter().map(Error::reason).collect();
    format!("{reasons:?}")
}
