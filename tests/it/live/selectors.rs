//! Selection of objects.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use kube_weir::{FieldFilter, FieldSelector, watch, watch_resource};

use super::*;
use crate::apiserver::server;

/// SEMANTICS: W4
#[tokio::test(flavor = "multi_thread")]
async fn objects_enter_and_leave_a_label_selector() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("labels").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create_in(&api, "a", "front").await;
    create_in(&api, "b", "back").await;
    create_in(&api, "c", "back").await;

    let typed = watch(api.clone()).labels("tier in (front, edge)").unwrap().index(());
    let documents = watch_resource(client.clone(), config_maps()).unwrap();
    let documents = documents.namespace(&namespace).labels("tier!=back,tier").unwrap();
    let documents = documents.index(());
    let (store, document_store) = (typed.store(), documents.store());
    let (mut typed, mut documents) = (Consumer::of(typed), Consumer::of(documents));
    typed.synced().await;
    documents.synced().await;
    assert_eq!((typed.seen().objects.len(), documents.seen().objects.len()), (1, 1));

    // Wait for each delta, because two could merge into one net change.
    let mut log = Vec::new();
    for (name, tier, delta) in [
        ("b", "edge", "+b"),
        ("a", "back", "-a"),
        ("b", "front", "~b"),
        ("a", "front", "+a"),
        ("b", "back", "-b"),
    ] {
        set_tier(&api, name, tier).await;
        log.push(delta);
        typed.logged(&log).await;
        documents.logged(&log).await;
        let unseen = if log.contains(&"-b") { "b" } else { "c" };
        set_value(&api, unseen, delta).await;
    }
    let path = format!("{}?labelSelector=tier%21%3Dback", path_of(&namespace));
    assert_eq!(assert_equal_to_list(&client, &path, &store).await.len(), 1);
    assert_equal_to_list(&client, &path, &document_store).await;
}

/// SEMANTICS: W4
#[tokio::test(flavor = "multi_thread")]
async fn the_server_selects_by_field() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("fields").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    for name in ["a", "b", "c"] {
        create(&api, name).await;
    }

    let mut all = Vec::new();
    for (selector, before, log) in [
        ("metadata.name=a", 1, &["~a", "-a", "+a"][..]),
        ("metadata.name==a", 1, &["~a", "-a", "+a"]),
        ("metadata.name!=a", 2, &["~b", "+d"]),
        ("metadata.name!=a,metadata.name!=b", 1, &["+d"]),
    ] {
        let watch = watch(api.clone()).fields(selector).unwrap().index(());
        let store = watch.store();
        let mut consumer = Consumer::of(watch);
        consumer.synced().await;
        assert_eq!(consumer.seen().objects.len(), before, "{selector}");
        all.push((selector, store, consumer, log));
    }
    // Separate writes, so that no two merge into one net change.
    set_value(&api, "a", "second").await;
    for (selector, _, consumer, log) in &mut all {
        if selector.contains("name=a") || selector.contains("==a") {
            consumer.logged(&log[..1]).await;
        }
    }
    delete(&api, "a").await;
    for (selector, _, consumer, log) in &mut all {
        if selector.contains("name=a") || selector.contains("==a") {
            consumer.logged(&log[..2]).await;
        }
    }
    create(&api, "a").await;
    set_value(&api, "b", "second").await;
    create(&api, "d").await;
    for (selector, store, consumer, log) in &mut all {
        consumer.logged(log).await;
        let selector = selector.replace('=', "%3D").replace('!', "%21").replace(',', "%2C");
        let path = format!("{}?fieldSelector={selector}", path_of(&namespace));
        assert_equal_to_list(&client, &path, store).await;
    }
}

/// SEMANTICS: W1
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_server_does_not_know_is_an_error_and_never_everything() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("unknown-field").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    create(&api, "a").await;
    let watch = watch(api).fields("data.value=first").unwrap().index(());
    let store = watch.store();
    let mut consumer = Consumer::of(watch);
    consumer.until("an error", |seen| !seen.errors.is_empty()).await;
    assert!(consumer.seen().errors[0].to_string().contains("data.value"), "{:?}", consumer.seen());
    assert!(!store.is_synced());
    assert!(store.snapshot().is_empty());
}

/// SEMANTICS: W4, P8
#[tokio::test(flavor = "multi_thread")]
async fn a_field_may_be_selected_on_and_dropped() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("matching").await;
    let client = cluster.client().await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&api, "a").await;
    create(&api, "b").await;
    set_value(&api, "b", "second").await;

    let selector = || FieldSelector::parse("data.value=first").unwrap();
    let filter = || FieldFilter::new(["data", "metadata.managedFields"]).unwrap();
    let typed =
        watch(api.clone()).filter_fields(filter()).unwrap().matching(selector()).unwrap().index(());
    let documents = watch_resource(client.clone(), config_maps()).unwrap();
    let documents = documents
        .namespace(&namespace)
        .matching(selector())
        .unwrap()
        .filter_fields(filter())
        .unwrap();
    let documents = documents.index(());
    let (mut typed, mut documents) = (Consumer::of(typed), Consumer::of(documents));
    typed.synced().await;
    documents.synced().await;

    let mut log = Vec::new();
    for (name, value, delta) in [
        ("b", "first", "+b"),
        ("a", "second", "-a"),
        ("a", "third", ""),
        ("a", "first", "+a"),
        ("b", "second", "-b"),
    ] {
        set_value(&api, name, value).await;
        log.extend((!delta.is_empty()).then_some(delta));
        typed.logged(&log).await;
        documents.logged(&log).await;
    }
    set_tier(&api, "a", "front").await;
    log.push("~a");
    typed.logged(&log).await;
    documents.logged(&log).await;

    assert_eq!((typed.seen().objects.len(), documents.seen().objects.len()), (1, 1));
    for object in typed.seen().objects.values() {
        assert_eq!((&object.data, &object.metadata.managed_fields), (&None, &None));
    }
    for object in documents.seen().objects.values() {
        let value = object.to_value();
        assert!(value.get("data").is_none() && value["metadata"].get("managedFields").is_none());
        assert_eq!(value["metadata"]["labels"]["tier"], "front");
        assert_eq!((&value["apiVersion"], &value["kind"]), (&json!("v1"), &json!("ConfigMap")));
    }
}

/// SEMANTICS: S1, I7
#[tokio::test(flavor = "multi_thread")]
async fn several_namespaces_are_one_stream() {
    let Some(cluster) = server().await else {
        return;
    };
    let client = cluster.client().await;
    let mut namespaces = Vec::new();
    for _ in 0..3 {
        let namespace = cluster.namespace("several").await;
        create(&Api::namespaced(client.clone(), &namespace), "same").await;
        namespaces.push(namespace);
    }
    let api = |i: usize| Api::<ConfigMap>::namespaced(client.clone(), &namespaces[i]);
    // The unknown one is empty, like any other.
    let watched = [&namespaces[2], &namespaces[0], "does-not-exist", &namespaces[0]];
    let watch = watch(Api::<ConfigMap>::all(client.clone())).namespaces(watched).index(());
    let store = watch.store();
    let mut consumer = Consumer::of(watch);
    assert_eq!(soon("the sync", store.synced()).await.unwrap().len(), 2);

    create(&api(1), "unseen").await;
    create(&api(0), "a").await;
    consumer.logged(&["+a"]).await;
    create(&api(2), "b").await;
    consumer.logged(&["+a", "+b"]).await;
    set_value(&api(2), "same", "second").await;
    consumer.logged(&["+a", "+b", "~same"]).await;
    delete(&api(0), "same").await;
    consumer.logged(&["+a", "+b", "~same", "-same"]).await;

    let snapshot = store.snapshot();
    let found: Vec<_> = snapshot.iter().map(|object| consumer::identity(&**object)).collect();
    let expected = [(0, "a"), (2, "b"), (2, "same")];
    let mut expected = expected.map(|(i, name)| (namespaces[i].clone(), name.to_owned()));
    expected.sort(); // `several-10` is before `several-9`
    assert_eq!(found, expected);
    for (namespace, count) in [(0, 1), (1, 0), (2, 2)] {
        assert_eq!(snapshot.in_namespace(&namespaces[namespace]).count(), count);
    }
    assert!(consumer.seen().errors.is_empty());
}

/// Valid and invalid selectors.
const LABEL_SELECTORS: &[&str] = &[
    "tier=front",
    "tier==front",
    " tier = front ",
    "tier!=front",
    "tier",
    "!tier",
    "! tier",
    "tier in (a,b)",
    "tier in (a, ,b)",
    "tier in ()",
    "tier in (a,)",
    "tier notin (a)",
    "tier in(a)",
    "tier in a",
    "tier in (a",
    "tier (a)",
    "in in (in)",
    "in",
    "notin in (a)",
    "tier=in",
    "tier=notin",
    "tier>3",
    "tier<3",
    "tier > -3",
    "tier>x",
    "tier>3.5",
    "tier>",
    "tier=",
    "tier=,other",
    "tier=a,other=b",
    "tier=a,,other=b",
    "tier=a,",
    ",tier=a",
    ",",
    "=a",
    "!=a",
    "!",
    "!tier=a",
    "!!tier",
    "tier=a=b",
    "tier===a",
    "tier=!a",
    "tier a",
    "tier=a other=b",
    "example.com/tier=a",
    "example.com/a/tier=a",
    "/tier=a",
    "example.com/=a",
    "Example.com/tier=a",
    "a..b/tier=a",
    ".a/tier=a",
    "a./tier=a",
    "-a/tier=a",
    "a-/tier=a",
    "a.-b/tier=a",
    "a_b/tier=a",
    "\u{a0}tier=a",
    "tier\u{2003}=a",
    "\u{b}tier=a",
    "tier>+3",
    "tier>03",
    "tier>99999999999999999999",
    "tier>=3",
    "tier in (,)",
    "tier in (,a)",
    "tier in (a,,b)",
    "tier in (a)(b)",
    "tier in ((a))",
    "tier,tier=a,!tier",
    "tier\n=\ta\r",
    "\"tier\"=a",
    "tier='a'",
    "-tier=a",
    "tier-=a",
    "tier=-a",
    "tier=a-",
    "tier=a b",
    "ti_er.x=a_b.c",
    "tier=a/b",
    "tier=é",
    "tiér=a",
    "tier@x=a",
    "tier=a\tb",
    "tier in (a b)",
    "tier in (a),other notin (b,c),!third",
];

/// We reject exactly the selectors that the server rejects.
///
/// SEMANTICS: W1
#[tokio::test(flavor = "multi_thread")]
async fn label_selectors_are_judged_as_by_the_server() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("grammar").await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    let (mut rejected, mut differ) = (0, Vec::new());
    let long = "x".repeat(64);
    let of_value = format!("tier={long}");
    let of_prefix = format!("{}/tier=a", "a".repeat(254));
    for selector in LABEL_SELECTORS.iter().copied().chain([&*long, &of_value, &of_prefix]) {
        let params = ListParams::default().labels(selector);
        let judged = match soon("a list", api.list(&params)).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 400 => false,
            Err(error) => panic!("{selector}: {error}"),
        };
        rejected += usize::from(!judged);
        let ours = watch(api.clone()).labels(selector);
        if let Err(error) = &ours {
            assert!(error.is_selector(), "{error:?}");
        }
        if ours.is_ok() != judged {
            differ.push(format!("{selector:?}: {:?}, by the server: {judged}", ours.err()));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(rejected > 20, "{rejected}");
    // The server treats these as selecting everything; here they never do.
    for nothing in ["", " "] {
        assert!(watch(api.clone()).labels(nothing).unwrap_err().is_selector());
        assert!(watch(api.clone()).fields(nothing).unwrap_err().is_selector());
    }
    for invalid in ["metadata.name", "metadata.=a", "=a", "metadata.name=a,"] {
        assert!(watch(api.clone()).fields(invalid).unwrap_err().is_selector(), "{invalid}");
    }
}
