//! etcd is restored from a backup, so the server has another history than the watches saw.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::runtime::reflector::Lookup;
use kube::{Api, Client};
use kube_weir::{Document, Error, Store, watch, watch_resource};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::*;
use crate::apiserver::{ADMIN, Exclusive, exclusive};

/// The timeout of the watches; a watch lasts up to twice as long.
const WATCH: Duration = Duration::from_secs(5);

/// Number of writes between the backup and its restore.
const LOST: usize = 20;

/// A pipeline of the whole cluster, or of both namespaces.
struct Pipeline<K> {
    name: &'static str,
    consumer: Consumer<K>,
    store: Store<K>,
    is_clusterwide: bool,
}

/// The tested pipelines, with their connection, which can be cut.
struct Restored {
    cluster: Exclusive,
    client: Client,
    wire: Wire,
    namespaces: [String; 2],
    typed: [Pipeline<ConfigMap>; 2],
    documents: [Pipeline<Document>; 2],
}

/// The connections while etcd is restored.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    /// There are no connections, and new ones fail.
    Cut,
    /// Old connections stay open and silent; new ones work.
    Silent,
}

/// SEMANTICS: W14
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_noticed_whatever_is_written_afterwards() {
    let Some(cluster) = exclusive().await else {
        return;
    };
    let mut scene = Restored::begin(cluster).await;
    // The writes after the restore are as many as were lost, or fewer, or more.
    let [first, second] = scene.namespaces.clone();
    for namespace in [&first, &second] {
        create(&scene.api(namespace), "deleted-later").await;
        create(&scene.api(namespace), "changed-later").await;
    }
    scene.until_equal().await;
    let backup = scene.cluster.backup().await;
    scene.until_equal().await;
    for (meanwhile, written) in [
        (Meanwhile::Cut, 0),
        (Meanwhile::Cut, LOST / 4),
        (Meanwhile::Cut, 3 * LOST),
        (Meanwhile::Silent, 0),
        (Meanwhile::Silent, LOST / 4),
        (Meanwhile::Silent, 3 * LOST),
    ] {
        scene.write_what_is_lost().await;
        scene.until_equal().await;
        let before = scene.seen();
        let (old, _) = scene.version().await;
        match meanwhile {
            Meanwhile::Cut => scene.wire.cut(),
            Meanwhile::Silent => {
                scene.until_bookmarked(old).await;
                scene.wire.silence();
            }
        }
        scene.cluster.restore(&backup).await;
        // The writes happen while nobody watches, so that they are beyond the resume point.
        for i in 0..written {
            create(&scene.api(&scene.namespaces[i % 2]), &format!("new-{i:03}")).await;
        }
        let (new, _) = scene.version().await;
        assert_eq!(new < old, written < LOST, "{old} and then {new}");
        let begun = Instant::now();
        scene.wire.mend();
        let took = scene.until_recovered(&before, written).await;
        let total = begun.elapsed();
        say(&format!(
            "restores: {meanwhile:?}, {written} writes after {LOST} lost ones, {old} then {new}: {took}; \
             all equal after {total:.1?}",
        ));
        scene.go_on(written).await;
    }
}

impl Restored {
    async fn begin(cluster: Exclusive) -> Self {
        let first = cluster.namespace("restored").await;
        let second = cluster.namespace("restored").await;
        let client = cluster.client().await;
        let mut config = cluster.config(ADMIN).await;
        let wire = Wire::to(&mut config).await;
        let way = || async { Client::try_from(config.clone()).unwrap() };
        let both = || [first.clone(), second.clone()];
        // Each pipeline has its own connections.
        let api = Api::all(way().await);
        let typed = watch(api.clone()).watch_timeout(WATCH).index(());
        let of_both = watch(Api::all(way().await)).namespaces(both()).watch_timeout(WATCH);
        let of_both = of_both.index(());
        let documents = watch_resource(way().await, config_maps()).unwrap();
        let documents = documents.watch_timeout(WATCH).index(());
        let documents_of_both =
            watch_resource(way().await, config_maps()).unwrap().namespaces(both());
        let documents_of_both = documents_of_both.watch_timeout(WATCH).index(());
        let typed = [
            Pipeline::new("typed", typed.store(), Consumer::of(typed), true),
            Pipeline::new("typed of two", of_both.store(), Consumer::of(of_both), false),
        ];
        let documents = [
            Pipeline::new("documents", documents.store(), Consumer::of(documents), true),
            Pipeline::new(
                "documents of two",
                documents_of_both.store(),
                Consumer::of(documents_of_both),
                false,
            ),
        ];
        Self { cluster, client, wire, namespaces: [first, second], typed, documents }
    }

    fn api(&self, namespace: &str) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Returns the newest version of the server, and the number of objects.
    async fn version(&self) -> (u64, usize) {
        let (api, params) = (Api::<ConfigMap>::all(self.client.clone()), ListParams::default());
        let list = soon("a list", api.list(&params)).await.unwrap();
        (list.metadata.resource_version.unwrap().parse().unwrap(), list.items.len())
    }

    /// Creates, changes and deletes objects that differ in the backup.
    async fn write_what_is_lost(&self) {
        for (at, namespace) in self.namespaces.iter().enumerate() {
            let api = self.api(namespace);
            delete(&api, "deleted-later").await;
            set_value(&api, "changed-later", "second").await;
            for i in 0..LOST / 2 - 2 {
                create(&api, &format!("lost-{at}-{i}")).await;
            }
        }
    }

    /// Waits until all watches have had a bookmark at or after a version.
    async fn until_bookmarked(&self, version: u64) {
        let reached = |stores: Vec<Vec<kube_weir::CollectionStatus>>| {
            stores.iter().flatten().all(|own| {
                let reached =
                    own.resource_version.as_deref().and_then(|own| own.parse::<u64>().ok());
                reached.is_some_and(|own| own >= version)
            })
        };
        let stores = || {
            let typed = self.typed.iter().map(|own| own.store.collections());
            typed.chain(self.documents.iter().map(|own| own.store.collections())).collect()
        };
        let all = async {
            while !reached(stores()) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("bookmarks", all).await;
    }

    async fn until_equal(&self) {
        let all = listed::list(&self.client, "/api/v1/configmaps").await;
        for own in &self.typed {
            own.assert_equal(&all, &self.namespaces).await;
        }
        for own in &self.documents {
            own.assert_equal(&all, &self.namespaces).await;
        }
    }

    /// Returns the numbers of changes and failures that each pipeline has yielded.
    fn seen(&self) -> Vec<(usize, usize)> {
        let typed = self.typed.iter().map(Pipeline::counts);
        typed.chain(self.documents.iter().map(Pipeline::counts)).collect()
    }

    /// Waits until each has the state of the server, and checks its items. Returns the time until the
    /// loss was detected.
    async fn until_recovered(&mut self, before: &[(usize, usize)], written: usize) -> String {
        let begun = Instant::now();
        let api = self.api(&self.namespaces[0]);
        let restored = soon("a get", api.get("changed-later")).await.unwrap();
        let mut took = Vec::new();
        for (own, before) in self.typed.iter_mut().zip(before) {
            took.push((own.name, own.until_lost(before.1, begun, &restored).await));
        }
        for (own, before) in self.documents.iter_mut().zip(&before[2..]) {
            took.push((own.name, own.until_lost(before.1, begun, &restored).await));
        }
        self.until_equal().await;
        let all = LOST + written;
        for (own, before) in self.typed.iter_mut().zip(before) {
            own.consumer.until("all changes", |seen| seen.log.len() >= before.0 + all).await;
        }
        for (own, before) in self.documents.iter_mut().zip(&before[2..]) {
            own.consumer.until("all changes", |seen| seen.log.len() >= before.0 + all).await;
        }
        let expected = |log: &[String]| {
            let count = |sign: &str| log.iter().filter(|own| own.starts_with(sign)).count();
            // In each of the namespaces two objects are unchanged, and later ones are deleted.
            assert_eq!(count("-lost"), LOST - 4, "{log:?}");
            assert_eq!(count("+deleted-later"), 2, "{log:?}");
            assert_eq!(count("~changed-later"), 2, "{log:?}");
            assert_eq!(count("+new"), written, "{log:?}");
            assert_eq!(log.len(), all, "{log:?}");
        };
        for (own, before) in self.typed.iter().zip(before) {
            expected(&own.consumer.seen().log[before.0..]);
        }
        for (own, before) in self.documents.iter().zip(&before[2..]) {
            expected(&own.consumer.seen().log[before.0..]);
        }
        took.iter().map(|(name, took)| format!("{name} {took:.1?}")).collect::<Vec<_>>().join(", ")
    }

    /// Checks that the pipelines continue, and deletes the objects that the backup does not have.
    async fn go_on(&self, written: usize) {
        for i in 0..written {
            delete(&self.api(&self.namespaces[i % 2]), &format!("new-{i:03}")).await;
        }
        for namespace in &self.namespaces {
            create(&self.api(namespace), "live").await;
            delete(&self.api(namespace), "live").await;
        }
        self.until_equal().await;
        for store in self.typed.iter().map(|own| own.store.status()) {
            assert!(store.failing.is_none(), "{store:?}");
        }
        for store in self.documents.iter().map(|own| own.store.status()) {
            assert!(store.failing.is_none(), "{store:?}");
        }
    }
}

impl<K: Lookup + Serialize + std::fmt::Debug + Send + Sync + 'static> Pipeline<K> {
    fn new(
        name: &'static str,
        store: Store<K>,
        consumer: Consumer<K>,
        is_clusterwide: bool,
    ) -> Self {
        Self { name, consumer, store, is_clusterwide }
    }

    fn counts(&self) -> (usize, usize) {
        let seen = self.consumer.seen();
        (seen.log.len(), seen.errors.len())
    }

    async fn assert_equal(
        &self,
        all: &BTreeMap<consumer::Identity, Value>,
        namespaces: &[String; 2],
    ) {
        let own = all.iter().filter(|(own, _)| self.is_clusterwide || namespaces.contains(&own.0));
        let own = own.map(|(identity, object)| (identity.clone(), object.clone())).collect();
        listed::assert_equal(own, &self.store).await;
    }

    /// Waits until it has reported the lost history, and the store answers from the new one.
    async fn until_lost(&mut self, before: usize, begun: Instant, now: &ConfigMap) -> Duration {
        let own = now.namespace().unwrap();
        let is_own = |error: &Error| error.namespace().is_none_or(|namespace| namespace == own);
        let is_lost = |error: &Error| {
            error.is_desynced() && error.to_string().contains("history") && is_own(error)
        };
        let name = self.name;
        self.consumer.until(name, |seen| seen.errors[before..].iter().any(is_lost)).await;
        let took = begun.elapsed();
        // The object's version in the lost history is later than the awaited one.
        let snapshot = soon("the wait", self.store.wait_for(now)).await.unwrap();
        let (namespace, name) = (now.namespace().unwrap(), Lookup::name(now).unwrap());
        let found = snapshot.get((&namespace, &name)).expect("the object");
        assert_eq!(found.resource_version(), now.resource_version(), "{}", self.name);
        took
    }
}
