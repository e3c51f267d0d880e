//! Rights in one of several namespaces that are revoked and granted again.

use std::{fmt, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::Lookup;
use kube::{Api, Client};
use kube_weir::{Backoff, Document, Error, Store, watch, watch_resource};
use serde::Serialize;
use tokio::time::Instant;

use super::*;
use crate::apiserver::{Scope, exclusive};

/// Time until the server ends a watch, so that missing rights are noticed.
const WATCH: Duration = Duration::from_secs(2);

/// A pipeline of all three namespaces.
struct Pipeline<K> {
    consumer: Consumer<K>,
    store: Store<K>,
    requests: Requests,
}

impl<K: Lookup + Serialize + fmt::Debug + Send + Sync + 'static> Pipeline<K> {
    fn errors(&self) -> Vec<Error> {
        self.consumer.seen().errors
    }

    async fn until_has(&mut self, namespace: &str, name: &str) {
        let identity = (namespace.to_owned(), name.to_owned());
        self.consumer.until(name, |seen| seen.objects.contains_key(&identity)).await;
    }

    fn has(&self, namespace: &str, name: &str) -> bool {
        self.store.get((namespace, name)).is_some()
    }

    /// Waits until only this namespace fails, because of missing rights.
    async fn until_forbidden(&mut self, namespace: &str, before: usize) {
        let of = |error: &Error| error.is_forbidden() && error.namespace() == Some(namespace);
        self.consumer
            .until("a refusal", |seen| {
                seen.errors[before..].iter().filter(|own| of(own)).count() > 1
            })
            .await;
        let (error, _) = self.store.status().failing.expect("a failure that goes on");
        assert!(of(&error), "{error:?}");
        for own in self.store.collections() {
            let is_own = own.collection.namespace() == Some(namespace);
            assert_eq!(own.failing.is_some(), is_own, "{own:?}");
            assert_eq!(own.connected.is_none(), is_own, "{own:?}");
        }
        assert!(self.store.is_synced());
    }
}

/// SEMANTICS: W10, W23
#[tokio::test(flavor = "multi_thread")]
async fn rights_in_one_namespace_go_and_come_back_and_the_others_go_on() {
    let Some(mut cluster) = exclusive().await else {
        return;
    };
    let admin = cluster.client().await;
    let user = cluster.user();
    let mut namespaces = Vec::new();
    let mut granted = Vec::new();
    for prefix in ["first", "second", "third"] {
        let namespace = cluster.namespace(prefix).await;
        create(&api(&admin, &namespace), "a").await;
        let scope = Scope::Namespace(&namespace);
        granted.push(cluster.grant(&user, scope, &["list", "watch"], &["configmaps"]).await);
        namespaces.push(namespace);
    }
    let [first, second, third] = &namespaces[..] else { panic!() };

    let requests = Requests::default();
    let client = requests.client(cluster.config(&user).await);
    let backoff = Backoff::default().refused(Duration::from_secs(1)).longest(4 * WATCH);
    let typed = watch(Api::<ConfigMap>::all(client)).namespaces(&namespaces);
    let typed = typed.watch_timeout(WATCH).backoff(backoff).index(());
    let store = typed.store();
    let mut typed = Pipeline { consumer: Consumer::of(typed), store, requests };
    let requests = Requests::default();
    let client = requests.client(cluster.config(&user).await);
    let documents = watch_resource(client, config_maps()).unwrap().namespaces(&namespaces);
    let documents = documents.watch_timeout(WATCH).backoff(backoff).index(());
    let store = documents.store();
    let mut documents = Pipeline { consumer: Consumer::of(documents), store, requests };
    typed.consumer.synced().await;
    documents.consumer.synced().await;

    cluster.revoke(granted.remove(1)).await;
    typed.until_forbidden(second, 0).await;
    documents.until_forbidden(second, 0).await;
    for error in typed.errors().iter().chain(&documents.errors()) {
        assert_eq!(error.namespace(), Some(second.as_str()), "{error}");
    }
    // The other namespaces continue, and no object of this one is lost.
    for namespace in &namespaces {
        create(&api(&admin, namespace), "b").await;
    }
    both_have(&mut typed, &mut documents, first, "b").await;
    both_have(&mut typed, &mut documents, third, "b").await;
    for (name, is_there) in [("a", true), ("b", false)] {
        assert_eq!((typed.has(second, name), documents.has(second, name)), (is_there, is_there));
    }

    cluster.stop_apiserver().await;
    cluster.start_apiserver().await;
    let before = [typed.errors().len(), documents.errors().len()];
    for namespace in &namespaces {
        create(&api(&admin, namespace), "c").await;
    }
    delete(&api(&admin, second), "a").await;
    both_have(&mut typed, &mut documents, first, "c").await;
    both_have(&mut typed, &mut documents, third, "c").await;
    typed.until_forbidden(second, before[0]).await;
    documents.until_forbidden(second, before[1]).await;
    assert!(!typed.has(second, "c") && typed.has(second, "a"));

    let _ =
        cluster.grant(&user, Scope::Namespace(second), &["list", "watch"], &["configmaps"]).await;
    let begun = Instant::now();
    both_have(&mut typed, &mut documents, second, "c").await;
    let took = begun.elapsed();
    for namespace in &namespaces {
        create(&api(&admin, namespace), "live").await;
        both_have(&mut typed, &mut documents, namespace, "live").await;
    }
    typed.ends(&admin, &namespaces).await;
    documents.ends(&admin, &namespaces).await;
    say(&format!(
        "granted: seen {took:.1?} after the rights came back; lists of the namespace: {}; failures: {} \
         and {}",
        typed.requests.lists_in(second),
        typed.errors().len(),
        documents.errors().len(),
    ));
}

impl<K: Lookup + Serialize + fmt::Debug + Send + Sync + 'static> Pipeline<K> {
    /// Checks everything: state, changes, requests and health.
    async fn ends(&self, admin: &Client, namespaces: &[String]) {
        let mut listed = std::collections::BTreeMap::new();
        for namespace in namespaces {
            listed.extend(listed::list(admin, &path_of(namespace)).await);
        }
        listed::assert_equal(listed, &self.store).await;
        let [first, second, third] = namespaces else { panic!() };
        for namespace in [first, third] {
            // A restarted server loses its history, which requires a list.
            let of_it = |error: &&Error| error.namespace() == Some(namespace);
            let errors = self.errors();
            let forgotten = errors.iter().filter(of_it).filter(|error| error.is_desynced()).count();
            let lists = self.requests.lists_in(namespace);
            assert_eq!(lists, 1 + forgotten, "{namespace} was listed again: {errors:#?}");
        }
        assert!(self.requests.lists_in(second) > 1);
        let seen = self.consumer.seen();
        // Three namespaces with three objects each.
        assert_eq!((seen.synced, seen.stats.created, seen.stats.deleted), (1, 9, 1), "{seen:?}");
        assert_eq!(seen.stats.modified, 0);
        assert!(self.store.status().failing.is_none(), "{:?}", self.store.status());
        assert!(self.store.healthy(Duration::from_secs(60)).is_ok());
    }
}

async fn both_have(
    typed: &mut Pipeline<ConfigMap>,
    documents: &mut Pipeline<Document>,
    namespace: &str,
    name: &str,
) {
    typed.until_has(namespace, name).await;
    documents.until_has(namespace, name).await;
}

fn api(client: &Client, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), namespace)
}
