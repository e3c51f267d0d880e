//! Many concurrent writers and consumers.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::reflector::Lookup;
use kube_weir::{Document, FieldPath, FieldSelector, Snapshot, Store, watch, watch_resource};
use tokio::time::{Instant, sleep};

use super::*;
use crate::apiserver::{ADMIN, server};

const CHURN: Duration = Duration::from_secs(10);
const DEBOUNCE: Duration = Duration::from_millis(100);
const NAMES: u64 = 120;
const TIERS: [&str; 4] = ["front", "middle", "back", "none"];

/// SEMANTICS: I3, I4, I5, I7, I8, S7, S9, W4, W5
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_consumers_end_where_the_writers_do() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("churn").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_many(&api, "object", 60).await;

    let typed = watch(api.clone()).index(by_tier());
    let typed_store = typed.store();
    let mut typed = Consumer::of(typed.debounce(DEBOUNCE));
    // A pipeline that reconnects all the time, without lists.
    let requests = Requests::default();
    let recorded = requests.client(cluster.config(ADMIN).await);
    let documents = watch_resource(recorded, config_maps()).unwrap().namespace(&namespace);
    // Each watch lasts up to twice the timeout.
    let documents = documents.watch_timeout(Duration::from_secs(1)).page_size(7).index(by_tier());
    let document_store = documents.store();
    let mut documents = Consumer::of(documents);
    // Selected by the server, by the client, and by both.
    let by_server = watch(api.clone()).labels("tier=front").unwrap().index(());
    let selector = FieldSelector::parse("metadata.labels.tier=front").unwrap();
    let by_us = watch(api.clone()).matching(selector).unwrap().index(());
    let (server_store, our_store) = (by_server.store(), by_us.store());
    let (mut by_server, mut by_us) = (Consumer::of(by_server), Consumer::of(by_us));
    for store in [&typed_store, &server_store, &our_store] {
        soon("the sync", store.synced()).await.unwrap();
    }
    soon("the sync", document_store.synced()).await.unwrap();
    let mut early = Consumer::of(typed_store.changes());
    early.synced().await;

    let running = Arc::new(AtomicBool::new(true));
    let reader = tokio::spawn(read(typed_store.clone(), Arc::clone(&running)));
    let began = Instant::now();
    let tasks = (0..4).map(|_| async {
        let api = Api::namespaced(cluster.client().await, &namespace);
        tokio::spawn(write(api, began + CHURN)).await.expect("a writer that goes on")
    });
    let writes = join_all(tasks);
    // A late consumer, and two pipelines that load during the changes.
    let late = async {
        sleep(CHURN / 2).await;
        let paged = watch(api.clone()).page_size(5).index(());
        let streamed = watch(api.clone()).streaming_list(true).index(());
        let stores = [paged.store(), streamed.store()];
        (
            Consumer::of(document_store.changes()),
            [Consumer::of(paged), Consumer::of(streamed)],
            stores,
        )
    };
    let (writes, (mut late, loading, stores)) = tokio::join!(writes, late);
    let writes: usize = writes.into_iter().sum();
    let seconds = began.elapsed().as_secs_f64();
    running.store(false, Ordering::Relaxed);
    let checks = reader.await.expect("snapshots that agree with themselves");

    let path = path_of(&namespace);
    let typed_end = assert_equal_to_list(&client, &path, &typed_store).await;
    let document_end = assert_equal_to_list(&client, &path, &document_store).await;
    let path = format!("{path}?labelSelector=tier%3Dfront");
    let server_end = assert_equal_to_list(&client, &path, &server_store).await;
    let our_end = assert_equal_to_list(&client, &path, &our_store).await;
    // Debounced and slow consumers reach the same state.
    ended(&mut typed, &typed_end).await;
    ended(&mut early, &typed_end).await;
    ended(&mut documents, &document_end).await;
    ended(&mut late, &document_end).await;
    ended(&mut by_server, &server_end).await;
    ended(&mut by_us, &our_end).await;
    for (mut consumer, store) in loading.into_iter().zip(&stores) {
        let end = assert_equal_to_list(&client, &path_of(&namespace), store).await;
        ended(&mut consumer, &end).await;
        assert!(consumer.seen().synced == 1 && consumer.seen().live > 0, "{:?}", consumer.seen());
    }

    check_tiers(&typed_end, |object| object.metadata.labels.as_ref()?.get("tier").cloned());
    let path = FieldPath::parse("metadata.labels.tier").unwrap();
    check_tiers(&document_end, |object: &Document| object.get(&path).pop());
    assert_eq!(requests.lists().len(), 60usize.div_ceil(7), "a relist");
    let watches = requests.watches().len();
    assert!(watches >= 5, "{watches}");
    assert_eq!(server_end.len(), typed_end.by(&by_tier()).get("front").count());

    say(&format!(
        "churn: {writes} writes in {seconds:.1} s, {:.0} a second; {} objects in the end; \
         {checks} snapshots read meanwhile; {watches} watches of one pipeline",
        f64::from(u32::try_from(writes).unwrap()) / seconds,
        typed_end.len(),
    ));
    for (name, items, stats) in [
        ("typed, debounced", typed.seen().live, typed.seen().stats),
        ("documents", documents.seen().live, documents.seen().stats),
        ("changes(), from the start", early.seen().live, early.seen().stats),
        ("changes(), from the middle", late.seen().live, late.seen().stats),
        ("label selector", by_server.seen().live, by_server.seen().stats),
        ("matching", by_us.seen().live, by_us.seen().stats),
    ] {
        say(&format!("churn: {name}: {items} items, {} deltas: {stats:?}", stats.total()));
        assert!(items > 0);
    }
    let most = 2 + began.elapsed().as_millis() / DEBOUNCE.as_millis();
    assert!(u128::try_from(typed.seen().live).unwrap() <= most, "more than one in an interval");
}

fn by_tier<K: serde::Serialize + 'static>() -> Index<K> {
    Index::path("metadata.labels.tier").unwrap()
}

/// Waits until a consumer's own map equals a snapshot, and checks that nothing failed.
async fn ended<K>(consumer: &mut Consumer<K>, end: &Snapshot<K>)
where
    K: Lookup + Send + Sync + 'static,
{
    let own = |seen: &consumer::Seen<K>| {
        seen.objects.values().map(Arc::as_ptr).eq(end.iter().map(Arc::as_ptr))
    };
    consumer.until("the end", own).await;
    assert!(consumer.seen().errors.is_empty(), "{:?}", consumer.seen());
}

/// Writes until the deadline and returns the number of writes.
async fn write(api: Api<ConfigMap>, deadline: Instant) -> usize {
    let random = || RandomState::new().build_hasher().finish();
    let mut writes = 0;
    while Instant::now() < deadline {
        let name = format!("object-{:04}", random() % NAMES);
        let tier = TIERS[usize::try_from(random() % 4).unwrap()];
        let value = "x".repeat(usize::try_from(random() % 2000).unwrap());
        let object = config_map(&name, tier, &value);
        let create = PostParams::default();
        let outcome = match random() % 10 {
            0..3 => api.create(&create, &object).await.map(drop),
            3..5 => api.delete(&name, &DeleteParams::default()).await.map(drop),
            // Delete and create again at once, with another uid.
            5 => match api.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {
                    writes += 1;
                    api.create(&create, &object).await.map(drop)
                }
                Err(error) => Err(error),
            },
            6 => {
                let tier = json!({ "metadata": { "labels": { "tier": null } } });
                api.patch(&name, &PatchParams::default(), &Patch::Merge(tier)).await.map(drop)
            }
            _ => {
                let patch = Patch::Merge(&object);
                api.patch(&name, &PatchParams::default(), &patch).await.map(drop)
            }
        };
        match outcome {
            Ok(()) => writes += 1,
            // Another writer was faster.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writes
}

/// Reads snapshots at a moderate pace, and returns their number.
async fn read(store: Store<ConfigMap>, running: Arc<AtomicBool>) -> usize {
    let mut checks = 0;
    while running.load(Ordering::Relaxed) {
        let snapshot = store.snapshot();
        check_tiers(&snapshot, |object| object.metadata.labels.as_ref()?.get("tier").cloned());
        checks += 1;
        sleep(Duration::from_millis(5)).await;
    }
    checks
}

/// Compares an index by tier with a scan of all objects.
fn check_tiers<K>(snapshot: &Snapshot<K>, tier: impl Fn(&K) -> Option<String>)
where
    K: Lookup + serde::Serialize + 'static,
{
    let index = by_tier();
    let tiers: BTreeSet<_> = snapshot.iter().filter_map(|object| tier(object)).collect();
    for wanted in TIERS.into_iter().chain(["other"]) {
        let naive = snapshot.iter().filter(|object| tier(object).as_deref() == Some(wanted));
        let found = snapshot.by(&index).get(wanted);
        assert!(naive.map(Arc::as_ptr).eq(found.map(Arc::as_ptr)), "{wanted}");
    }
    let keys = snapshot.by(&index).keys();
    assert!(keys.iter().map(ToString::to_string).eq(tiers));
    let identities: Vec<_> = snapshot.iter().map(|object| consumer::identity(&**object)).collect();
    assert!(identities.is_sorted_by(|a, b| a < b));
}
