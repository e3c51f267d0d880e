//! Selection: by text, by parsed types of this crate and of kube, and by closures.

use futures::{Stream, StreamExt, stream::BoxStream};
use k8s_openapi::{
    api::{apps::v1::DeploymentSpec, core::v1::ConfigMap},
    apimachinery::pkg::apis::meta::v1,
};
use kube::{
    Api,
    core::{ApiResource, Expression, GroupVersionResource, Selector},
    runtime::watcher::{self, watcher},
};
use kube_weir::{
    Change, Document, Error, EventStreamExt, FetchConfig, FieldFilter, FieldPath, FieldSelector,
    Gvr, LabelSelector, Watch, WatchEvent,
    testing::{ApiServer, Events},
    watch, watch_one, watch_resource,
};
use serde_json::{Value, json};

use crate::support::{name, object};

fn config(name: &str, keys: &[&str]) -> Value {
    let data: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).into(), "".into())).collect();
    json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "a", "name": name, "labels": { "app": name } }, "data": data })
}

fn configs(server: &ApiServer) -> Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

fn is_large(config: &ConfigMap) -> bool {
    config.data.as_ref().is_some_and(|data| data.len() > 1)
}

type Changes = BoxStream<'static, Result<Change<ConfigMap>, Error>>;

async fn stats(changes: &mut Changes) -> (usize, usize, usize) {
    let stats = changes.next().await.unwrap().unwrap().batch().unwrap().stats();
    (stats.created, stats.modified, stats.deleted)
}

/// SEMANTICS: W4, O6
#[tokio::test(start_paused = true)]
async fn a_closure_selects_as_a_selector_does_on_every_way() {
    for way in 0..5 {
        let server = ApiServer::new();
        server.apply(&config("x", &["a", "b"])).unwrap();
        server.apply(&config("y", &["a"])).unwrap();
        let kubes = || watcher(Api::<ConfigMap>::all(server.client()), watcher::Config::default());
        let (own, any) = (configs(&server), configs(&server).inspect(|_| ()));
        let mut changes: Changes = match way {
            0 => own.matching_with("large", is_large).index(()).boxed(),
            1 => {
                let streaming = own.streaming_list(true).matching_with("large", is_large);
                streaming.index(()).boxed()
            }
            2 => {
                let also = own.matching("metadata.name!=z").unwrap();
                also.matching_with("large", is_large).index(()).boxed()
            }
            3 => any.matching_with("large", is_large).index(()).boxed(),
            _ => kubes().matching_with("large", is_large).index(()).boxed(),
        };
        let snapshot = changes.first_synced().await.unwrap();
        let names = snapshot.iter().map(|object| name(object)).collect::<Vec<_>>();
        assert_eq!(names, ["a/x"], "{way}");

        server.apply(&config("y", &["a", "b"])).unwrap();
        assert_eq!(stats(&mut changes).await, (1, 0, 0), "{way}: entering is Created");
        server.apply(&config("x", &["a"])).unwrap();
        assert_eq!(stats(&mut changes).await, (0, 0, 1), "{way}: leaving is Deleted");
        server.apply(&config("x", &[])).unwrap();
        server.apply(&config("y", &["a", "b", "c"])).unwrap();
        assert_eq!(stats(&mut changes).await, (0, 1, 0), "{way}");

        let small: ConfigMap = serde_json::from_value(config("y", &["a"])).unwrap();
        let large: ConfigMap = serde_json::from_value(config("v", &["a", "b"])).unwrap();
        let overlay = snapshot.overlay().apply(small).unwrap().apply(large).unwrap().build();
        let names = overlay.iter().map(|object| name(object)).collect::<Vec<_>>();
        assert_eq!(names, ["a/v", "a/x"], "{way}: an overlay selects likewise");
    }
}

/// SEMANTICS: W4, O6
#[tokio::test(start_paused = true)]
async fn a_closure_sees_what_is_stored() {
    let server = ApiServer::new();
    server.apply(&config("x", &["a", "b"])).unwrap();
    let labels = FieldPath::parse("metadata.labels.app").unwrap();
    let has_label = move |config: &Document| !config.get(&labels).is_empty();
    let watch = || watch_resource(server.client(), "v1/configmaps").unwrap();
    let kept = watch().matching_with("labelled", has_label.clone()).index(());
    assert_eq!({ kept }.first_synced().await.unwrap().len(), 1);
    let dropped = watch().matching_with("labelled", has_label);
    let dropped = dropped.filter_fields("metadata.labels").unwrap().index(());
    let snapshot = { dropped }.first_synced().await.unwrap();
    assert!(snapshot.is_empty());
    let hypothetical = Document::from_json(&config("y", &[]).to_string()).unwrap();
    assert!(snapshot.overlay().apply(hypothetical).unwrap().build().is_empty());
}

async fn ended<T>(stream: impl Stream<Item = Result<T, Error>>) {
    let items = stream.collect::<Vec<_>>().await;
    assert!(matches!(items.last(), Some(Err(error)) if error.is_panic()));
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_ends_the_stream() {
    let server = ApiServer::new();
    server.apply(&config("x", &[])).unwrap();
    let panics = |_: &ConfigMap| panic!("it does");
    ended(configs(&server).matching_with("panics", panics)).await;
    ended(Events::listed([object("a/x", 1)]).matching_with("panics", panics)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_not_selected_by_closures() {
    let watch = configs(&ApiServer::new()).matching_with("large", is_large);
    assert!(format!("{watch:?}").contains(r#"selectors: ["large"]"#), "{watch:?}");
    let error = watch.index_keys(()).unwrap_err();
    assert!(error.is_index());
    assert!(error.to_string().contains("`large` is a closure"), "{error}");
}

/// SEMANTICS: W1
#[tokio::test(start_paused = true)]
async fn the_scope_says_what_is_selected_by() {
    let watch = configs(&ApiServer::new()).labels("app in (x, y)").unwrap();
    let watch = watch.matching(" data.a = 1 ").unwrap().matching_with("large", is_large);
    let behind = watch.inspect(|_| ()).matching("data.b!=2").unwrap();
    let mut events = behind.matching_with("small", |config| !is_large(config));
    let Some(Ok(WatchEvent::Scope(scope))) = events.next().await else { panic!() };
    assert_eq!(scope.selectors(), ["app in (x, y)", "data.a = 1", "large", "data.b!=2", "small"]);
    assert!(format!("{scope:?}").contains("small"));
}

/// SEMANTICS: W1
#[tokio::test(start_paused = true)]
async fn methods_that_take_text_take_parsed_types() -> Result<(), Error> {
    let server = ApiServer::new();
    let client = || server.client();
    let own = || configs(&server);

    let labels = LabelSelector::parse("app=web")?;
    let expression = Expression::Equal("app".into(), "web".into());
    let of_kube = Selector::from(expression.clone());
    let of_object = DeploymentSpec {
        selector: v1::LabelSelector {
            match_labels: Some([("app".into(), "web".into())].into()),
            ..v1::LabelSelector::default()
        },
        ..DeploymentSpec::default()
    };
    let watches = [
        own().labels("app=web")?,
        own().labels("app=web".to_owned())?,
        own().labels(&labels)?,
        own().labels(&of_kube)?,
        own().labels(of_kube)?,
        own().labels(expression)?,
        own().labels(&of_object.selector)?,
        own().labels(of_object.selector)?,
        own().labels(labels.clone())?,
    ];
    let mut seen = 0;
    for (index, watch) in watches.into_iter().enumerate() {
        watch.index(()).first_synced().await?;
        let requests = server.requests();
        assert!(requests[seen].contains("labelSelector=app%3Dweb"), "{index}: {requests:?}");
        seen = requests.len();
    }
    drop(own().namespaces_labelled(&labels)?.namespaces_labelled("app=web")?);

    let fields = FieldSelector::parse("metadata.name=x")?;
    drop(own().fields("metadata.name=x")?.fields(&fields)?.fields(fields.clone())?);
    drop(own().matching("metadata.name=x")?.matching(&fields)?.matching(fields.clone())?);
    let events = Events::<ConfigMap>::listed([]);
    drop(events.matching("metadata.name=x")?.matching(&fields)?.matching(fields)?);

    let filter = FieldFilter::new([FieldPath::parse("data")?])?;
    let watch = own().filter_fields("data")?.filter_fields("data,metadata.labels")?;
    let watch = watch.filter_fields(["data", "metadata.labels"])?.filter_fields(vec!["data"])?;
    drop(watch.filter_fields(&["data"][..])?.filter_fields(&filter)?);
    drop(Events::<ConfigMap>::listed([]).filter_fields(["data"])?.filter_fields(&filter)?);
    drop(FetchConfig::default().filter_fields("data")?.filter_fields(&filter)?);
    let one = watch_one(Api::<ConfigMap>::all(client()), "x");
    drop(one.filter_fields("data")?.filter_fields(filter)?);

    let gvr = Gvr::parse("v1/configmaps")?;
    let resource = ApiResource::erase::<ConfigMap>(&());
    let watches = [
        watch_resource(client(), "v1/configmaps")?,
        watch_resource(client(), "v1/configmaps".to_owned())?,
        watch_resource(client(), &gvr)?,
        watch_resource(client(), &resource)?,
        watch_resource(client(), resource)?,
        watch_resource(client(), GroupVersionResource::gvr("", "v1", "configmaps"))?,
        watch_resource(client(), gvr)?,
    ];
    for watch in watches {
        watch.index(()).first_synced().await?;
        assert!(server.requests().last().unwrap().starts_with("GET /api/v1/configmaps?"));
    }
    Ok(())
}

/// SEMANTICS: W1
#[test]
fn a_mistake_in_text_is_an_error_at_once() {
    let server = ApiServer::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let own = || configs(&server);
    let events = || Events::<ConfigMap>::listed([]);
    for error in [
        own().labels("a in").unwrap_err(),
        own().labels(Selector::default()).unwrap_err(),
        own().namespaces_labelled("").unwrap_err(),
        own().fields("a").unwrap_err(),
        own().matching("a>1").unwrap_err(),
        events().matching("a in (b)").unwrap_err(),
    ] {
        assert!(error.is_selector() && error.path().is_some(), "{error}");
    }
    for error in [
        own().filter_fields("metadata").unwrap_err(),
        own().filter_fields("a,").unwrap_err(),
        events().filter_fields(["a", "b."]).unwrap_err(),
        FetchConfig::default().filter_fields("a[").unwrap_err(),
    ] {
        assert!(error.is_path() && error.path().is_some(), "{error}");
    }
    let error = watch_resource(server.client(), "Pod").unwrap_err();
    assert!(error.is_resource(), "{error}");
    assert!(server.requests().is_empty());
}
