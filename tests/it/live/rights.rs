//! Without the rights, and with them.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, config::AuthInfo};
use kube_weir::{SyncPolicy, watch, watch_resource};
use tokio::time::Instant;

use super::*;
use crate::apiserver::{Scope, server};

/// SEMANTICS: S6, W5, W10
#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_kind_says_so_and_begins_once_it_is_granted() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("forbidden").await;
    let client = cluster.client().await;
    create(&Api::namespaced(client.clone(), &namespace), "a").await;
    let user = cluster.user();
    let restricted = cluster.client_for(&user).await;
    let api: Api<ConfigMap> = Api::namespaced(restricted.clone(), &namespace);

    let deadline = Duration::from_secs(2);
    let patient = SyncPolicy::default().deadline(deadline);
    let typed = watch(api.clone()).index(()).sync_policy(patient);
    let documents = watch_resource(restricted, config_maps()).unwrap().namespace(&namespace);
    let hasty = SyncPolicy::default().fail_fast(true);
    let documents = documents.index(()).sync_policy(hasty);
    let (store, document_store) = (typed.store(), documents.store());
    let begun = Instant::now();
    let (mut typed, mut documents) = (Consumer::of(typed), Consumer::of(documents));

    let error = soon("the refusal", document_store.synced()).await.unwrap_err();
    assert!(error.is_forbidden() && begun.elapsed() < deadline, "{error:?}");
    let error = soon("the deadline", store.synced()).await.unwrap_err();
    assert!(error.is_forbidden(), "{error:?}");
    // From the start, and from the first failure at the latest.
    assert!((deadline..2 * deadline).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    for message in [error.to_string(), typed.seen().errors[0].to_string()] {
        let asked = format!("list v1/configmaps in `{namespace}`: ");
        assert!(message.starts_with(&asked), "{message}");
        assert!(message.contains(&user) && message.contains("403"), "{message}");
    }
    assert!(store.report().last_error.is_some_and(|error| error.contains("configmaps")));
    assert_eq!(store.report().state, "loading");

    let _ = cluster
        .grant(&user, Scope::Namespace(&namespace), &["list", "watch"], &["configmaps"])
        .await;
    typed.synced().await;
    documents.synced().await;
    assert_eq!(store.synced().await.unwrap().len(), 1);
    assert_eq!(document_store.synced().await.unwrap().len(), 1);
    create(&Api::namespaced(client.clone(), &namespace), "b").await;
    typed.logged(&["+b"]).await;
    documents.logged(&["+b"]).await;
    assert_equal_to_list(&client, &path_of(&namespace), &store).await;
    assert_eq!(store.report().last_error, None);
    // Slowly: at most one attempt in a second and a half.
    let most = 1 + begun.elapsed().as_millis() / 1500;
    assert!(u128::try_from(typed.seen().errors.len()).unwrap() <= most, "{:?}", typed.seen());
}

/// SEMANTICS: S6, W5, W10
#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_watch_may_come_later_and_go_again() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("list-only").await;
    let own: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&own, "a").await;
    let user = cluster.user();
    let scope = Scope::Namespace(&namespace);
    let list = cluster.grant(&user, scope, &["list"], &["configmaps"]).await;
    let requests = Requests::default();
    let restricted = requests.client(cluster.config(&user).await);
    let watch = watch(Api::<ConfigMap>::namespaced(restricted, &namespace))
        .watch_timeout(Duration::from_secs(2))
        .index(());
    let store = watch.store();
    let mut consumer = Consumer::of(watch);
    assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), 1);
    let refusals = |seen: &consumer::Seen<ConfigMap>| {
        seen.errors.iter().filter(|error| error.is_forbidden()).count()
    };
    consumer.until("a refused watch", |seen| refusals(seen) == 1).await;
    let message = consumer.seen().errors[0].to_string();
    let asked = format!("watch v1/configmaps in `{namespace}`: ");
    assert!(message.starts_with(&asked), "{message}");

    create(&own, "b").await;
    let watch = cluster.grant(&user, scope, &["watch"], &["configmaps"]).await;
    consumer.logged(&["+b"]).await;
    // The open watch continues until the server ends it.
    let before = refusals(&consumer.seen());
    cluster.revoke(watch).await;
    consumer.until("a refusal", |seen| refusals(seen) > before).await;
    cluster.revoke(list).await; // not needed any more
    delete(&own, "a").await;
    let _ = cluster.grant(&user, scope, &["watch"], &["configmaps"]).await;
    consumer.logged(&["+b", "-a"]).await;
    assert_eq!(requests.lists().len(), 1);
    assert!(consumer.seen().errors.iter().all(kube_weir::Error::is_forbidden));
}

/// SEMANTICS: S6
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_user_gets_an_error() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("unauthorized").await;
    let mut config = cluster.config(&cluster.user()).await;
    let token = Some(String::from("nobody's").into());
    config.auth_info = AuthInfo { token, ..AuthInfo::default() };
    let client = kube::Client::try_from(config).unwrap();
    // Discovery is not allowed either, which must not prevent the start.
    let watch = watch_resource(client, config_maps()).unwrap().namespace(&namespace);
    let watch = watch.index(()).sync_policy(SyncPolicy::default().fail_fast(true));
    let store = watch.store();
    let mut consumer = Consumer::of(watch);
    let error = soon("the refusal", store.synced()).await.unwrap_err();
    assert!(error.is_unauthorized(), "{error:?}");
    assert!(!format!("{error:?}").contains("nobody's"));
    consumer.until("the item", |seen| !seen.errors.is_empty()).await;
    assert!(consumer.seen().errors[0].is_unauthorized());
}
