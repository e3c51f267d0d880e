//! Watching: SEMANTICS section W, against the in-process API server and in virtual time.

use std::{fmt::Write, pin::pin, time::Duration};

use futures::{Stream, StreamExt, stream::FusedStream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    runtime::watcher::{self, watcher},
};
use kube_weir::{
    Change, Error, EventStreamExt, FieldFilter, FieldSelector, Gvr, Index, Snapshot, Store,
    SyncPolicy, WatchEvent,
    testing::{Answer, ApiServer, Fault, On, Verb},
    watch, watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    support::{deltas, name},
    wire::widgets,
};

fn config(identity: &str, data: &str) -> Value {
    let (namespace, name) = identity.split_once('/').expect("namespace/name");
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": namespace, "name": name, "labels": { "app": data } },
        "data": { "key": data },
    })
}

fn server_with(identities: &[&str]) -> ApiServer {
    let server = ApiServer::new();
    for identity in identities {
        server.apply(&config(identity, "web")).unwrap();
    }
    server
}

fn configs(server: &ApiServer) -> kube_weir::Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

fn names(snapshot: &Snapshot<ConfigMap>) -> Vec<String> {
    snapshot.iter().map(|object| name(object)).collect()
}

/// Returns the next item, which must arrive within a minute or two of virtual time.
async fn next<S: Stream + Unpin>(stream: &mut S) -> S::Item {
    let patience = Duration::from_secs(400);
    timeout(patience, stream.next()).await.expect("an item in time").expect("no end")
}

/// Returns the next item that is no error, and the errors before it.
async fn next_change<S>(stream: &mut S) -> (Vec<&'static str>, Change<ConfigMap>)
where
    S: Stream<Item = Result<Change<ConfigMap>, Error>> + Unpin,
{
    let mut errors = Vec::new();
    loop {
        match next(stream).await {
            Ok(change) => return (errors, change),
            Err(error) => errors.push(error.reason()),
        }
    }
}

/// Returns the numbers of lists and watches. A list of one object is neither: it shows whether the server
/// still has its history.
fn asked(server: &ApiServer) -> (usize, usize) {
    let mut requests = server.requests();
    requests.retain(|request| !request.ends_with("limit=1"));
    let watches = requests.iter().filter(|request| request.contains("watch=true")).count();
    (requests.len() - watches, watches)
}

/// SEMANTICS: W1
#[tokio::test]
async fn an_invalid_selector_is_an_error_at_construction() {
    let server = ApiServer::new();
    for bad in ["", " ", "app in", "app in (a", "a b", "=x", "app=,,", "app=a,", "-a=b", "app=a b"]
    {
        let error = configs(&server).labels(bad).unwrap_err();
        assert!(error.is_selector(), "{bad}: {error}");
        assert!(error.to_string().contains(bad), "{error}");
    }
    for bad in ["", " ", "metadata.name", "=x", "metadata.name=a,", ",", "a b=c"] {
        let error = configs(&server).fields(bad).unwrap_err();
        assert!(error.is_selector(), "{bad}: {error}");
    }
    for good in ["app", "!app", "app=a", "app in (a,b),tier!=x", "x.io/app notin (a)", "app="] {
        assert!(configs(&server).labels(good).is_ok(), "{good}");
    }
    assert!(server.requests().is_empty(), "nothing is asked before it is polled");
}

/// SEMANTICS: W1
#[tokio::test(start_paused = true)]
async fn selectors_reach_the_server() {
    let server = server_with(&["a/x", "a/y", "b/x"]);
    server.apply(&config("a/other", "db")).unwrap();
    let watch = configs(&server).labels("app=web").unwrap().fields("metadata.name=x").unwrap();
    let mut changes = pin!(watch.index(()));
    assert_eq!(names(&changes.first_synced().await.unwrap()), ["a/x", "b/x"]);
    assert!(server.requests().iter().all(|request| {
        request.contains("labelSelector=app%3Dweb")
            && request.contains("fieldSelector=metadata.name%3Dx")
    }));
}

/// SEMANTICS: W1
#[tokio::test(start_paused = true)]
async fn a_selector_more_selects_less() {
    let server = server_with(&["a/x", "a/y", "b/x"]);
    server.apply(&config("b/other", "db")).unwrap();
    let watch = configs(&server).labels("app").unwrap().labels("app!=db").unwrap();
    let watch = watch.fields("metadata.name!=y").unwrap().fields("metadata.namespace=b").unwrap();
    let mut changes = watch.index(());
    let snapshot = changes.first_synced().await.unwrap();
    assert_eq!(names(&snapshot), ["b/x"]);
    // Hypothetical objects are selected likewise.
    let other = serde_json::from_value(config("b/other", "db")).unwrap();
    assert_eq!(names(&snapshot.overlay().apply(other).unwrap().build()), ["b/x"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ended_has_ended() {
    let mut events = configs(&ApiServer::new()).namespace("-");
    assert!(!events.is_terminated());
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Scope(_))));
    assert!(next(&mut events).await.unwrap_err().is_namespace());
    for _ in 0..2 {
        assert!(events.next().await.is_none() && events.is_terminated());
    }
}

/// SEMANTICS: W2
#[tokio::test(start_paused = true)]
async fn the_own_namespace_is_that_of_the_context() {
    let server = server_with(&["team/x", "other/x"]);
    let watch = watch::<ConfigMap>(Api::all(server.client_in("team"))).own_namespace().unwrap();
    let mut changes = pin!(watch.index(()));
    assert_eq!(names(&changes.first_synced().await.unwrap()), ["team/x"]);
}

#[tokio::test(start_paused = true)]
async fn several_namespaces_are_one_stream() {
    let server = server_with(&["a/x", "b/x", "c/x"]);
    let watch = configs(&server).namespaces(["b", "a", "b"]);
    let mut changes = pin!(watch.index(()));
    assert_eq!(names(&changes.first_synced().await.unwrap()), ["a/x", "b/x"]);
    for (identity, seen) in [("b/y", true), ("c/y", false), ("a/y", true)] {
        server.apply(&config(identity, "web")).unwrap();
        if seen {
            let change = next(&mut changes).await.unwrap();
            assert_eq!(change.batch().unwrap().stats().created, 1, "{identity}");
        }
    }
    assert_eq!(asked(&server), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn no_namespace_is_nothing_and_never_everything() {
    let server = server_with(&["a/x"]);
    let mut changes = pin!(configs(&server).namespaces([""; 0]).index(()));
    assert!(changes.first_synced().await.unwrap().is_empty());
    assert!(timeout(Duration::from_secs(600), changes.next()).await.is_err());
    assert!(server.requests().is_empty());

    for name in ["a/../b", "-a", "a-", "-"] {
        let pipeline = configs(&server).namespaces([name]).index(());
        let store = pipeline.store();
        let items: Vec<_> = pipeline.take(2).collect().await;
        assert!(matches!(&items[..], [Err(error)] if error.is_namespace()), "{name}: {items:?}");
        assert!(store.synced().await.unwrap_err().is_ended());
        assert!(server.requests().is_empty());
    }
}

/// An `Api` writes any text into its path.
///
/// SEMANTICS: B8
#[tokio::test(start_paused = true)]
async fn no_text_in_the_place_of_a_namespace_leads_elsewhere() {
    let server = server_with(&["a/x"]);
    for name in ["", "a/b", "a/", "/a", "..", "a?watch=1", "a/configmaps/x#"] {
        let watch = watch::<ConfigMap>(Api::namespaced(server.client(), name));
        let items: Vec<_> = watch.index(()).take(2).collect().await;
        assert!(matches!(&items[..], [Err(error)] if error.is_namespace()), "{name}: {items:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn namespaces_of_what_has_none_are_an_error() {
    let server = ApiServer::new();
    let nodes = watch_resource(server.client(), "v1/nodes").unwrap();
    let pipeline = nodes.namespace("a").index(());
    let items: Vec<_> = pipeline.collect().await;
    assert!(
        matches!(&items[..], [Err(error)] if error.is_namespace() && error.to_string().contains("v1/nodes"))
    );
}

/// A silent server must not prevent a watch from starting and failing.
#[tokio::test(start_paused = true)]
async fn discovery_is_not_waited_for_for_ever() {
    let server = ApiServer::new();
    server.fault(On::any(), 2, Fault::Delay(Duration::from_secs(86_400)));
    let pods = watch_resource(server.client(), "v1/pods").unwrap();
    let mut changes = pin!(pods.index(()));
    assert!(next(&mut changes).await.unwrap_err().is_timeout());
    assert!(changes.first_synced().await.unwrap().is_empty());
}

/// SEMANTICS: W3, S6
#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_installed_begins_once_it_is() {
    let server = ApiServer::new();
    let gvr = Gvr::parse("example.com/v1/widgets").unwrap();
    let watch = watch_resource(server.client(), gvr).unwrap();
    let pipeline = watch.index(());
    let store = pipeline.store();
    let mut changes = pin!(pipeline);
    let error = next(&mut changes).await.unwrap_err();
    assert!(error.is_not_installed(), "{error:?}");
    let waiting = store.synced();
    tokio::select! {
        error = waiting => assert!(error.unwrap_err().is_not_installed()),
        () = changes.by_ref().for_each(|_| async {}) => unreachable!("the stream goes on"),
    }
    server.apply(&widgets(&["v1"])).unwrap();
    let widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": { "namespace": "a", "name": "x" },
    });
    server.apply(&widget).unwrap();
    let snapshot = changes.first_synced().await.unwrap();
    let document = snapshot.get("a/x").unwrap();
    assert_eq!(document.to_value()["kind"], "Widget");

    // The kind is gone, and back with another history.
    server.delete("customresourcedefinitions", "", "widgets.example.com").unwrap();
    server.disconnect();
    sleep(Duration::from_secs(1)).await;
    server.apply(&widgets(&["v1"])).unwrap();
    loop {
        match next(&mut changes).await {
            Ok(Change::Live(batch)) => {
                assert_eq!(batch.stats().deleted, 1);
                break;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.is_not_installed() || error.is_connection(), "{error:?}"),
        }
    }
}

/// SEMANTICS: W3
#[tokio::test]
async fn a_kind_in_the_place_of_a_plural_is_an_error_that_names_the_plural() {
    let server = ApiServer::new();
    for wrong in ["v1/configmap", "networking.k8s.io/v1/ingress"] {
        let mut watch = watch_resource(server.client(), wrong).unwrap();
        assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Scope(_)))));
        let error = watch.next().await.unwrap().unwrap_err();
        assert!(watch.next().await.is_none());
        assert!(error.is_resource());
        let plural = if wrong.ends_with("map") { "v1/configmaps" } else { "v1/ingresses" };
        assert!(error.to_string().contains(plural), "{error}");
    }
}

/// SEMANTICS: W4, P8
#[tokio::test(start_paused = true)]
async fn selecting_here_is_on_the_object_as_it_was_received() {
    let server = server_with(&["a/x"]);
    server.apply(&config("a/y", "db")).unwrap();
    let selector = FieldSelector::parse("data.key=web,metadata.name!=z").unwrap();
    let filter = FieldFilter::new(["data", "metadata.labels"]).unwrap();
    // In both orders; and with kube's watcher, where the user chooses the order.
    for order in 0..3 {
        let server = server.clone();
        let (selector, filter) = (selector.clone(), filter.clone());
        let mut changes = match order {
            0 => configs(&server)
                .matching(selector)
                .unwrap()
                .filter_fields(filter)
                .unwrap()
                .index(())
                .boxed(),
            1 => configs(&server)
                .filter_fields(filter)
                .unwrap()
                .matching(selector)
                .unwrap()
                .index(())
                .boxed(),
            _ => watcher(Api::<ConfigMap>::all(server.client()), watcher::Config::default())
                .matching(selector)
                .unwrap()
                .filter_fields(filter)
                .unwrap()
                .index(())
                .boxed(),
        };
        let snapshot = changes.first_synced().await.unwrap();
        assert_eq!(names(&snapshot), ["a/x"], "{order}");
        let object = snapshot.get(("a", "x")).unwrap();
        assert_eq!((&object.data, &object.metadata.labels), (&None, &None));

        server.apply(&config("a/y", "web")).unwrap();
        assert_eq!(stats(&next(&mut changes).await), (1, 0, 0), "entering is Created");
        server.apply(&config("a/x", "db")).unwrap();
        assert_eq!(stats(&next(&mut changes).await), (0, 0, 1), "leaving is Deleted");
        server.apply(&config("a/x", "dbx")).unwrap();
        server.apply(&config("a/z", "web")).unwrap();
        server.delete("configmaps", "a", "z").unwrap();
        server.apply(&config("a/x", "web")).unwrap();
        assert_eq!(stats(&next(&mut changes).await), (1, 0, 0));
        server.apply(&config("a/y", "db")).unwrap();
    }
}

fn stats(item: &Result<Change<ConfigMap>, Error>) -> (usize, usize, usize) {
    let stats = item.as_ref().unwrap().batch().unwrap().stats();
    (stats.created, stats.modified, stats.deleted)
}

/// Returns a synced watch of `a/x` on a server with that one object.
async fn synced(
    server: &ApiServer,
) -> std::pin::Pin<Box<impl Stream<Item = Result<Change<ConfigMap>, Error>>>> {
    let mut changes = Box::pin(configs(server).index(()));
    assert_eq!(names(&changes.first_synced().await.unwrap()), ["a/x"]);
    // The watch is open once the first bookmark or event has arrived through it.
    server.apply(&config("a/x", "opened")).unwrap();
    let (errors, _) = next_change(&mut changes).await;
    assert_eq!(errors, [""; 0]);
    server.take_requests();
    changes
}

/// Breaks the watch by `fault`, while one object is created and one deleted. Returns the errors, the
/// numbers of lists and watches, and the time it took.
async fn recover(fault: impl FnOnce(&ApiServer)) -> (Vec<&'static str>, (usize, usize), Duration) {
    let server = server_with(&["a/x"]);
    let mut changes = synced(&server).await;
    fault(&server);
    server.disconnect();
    server.apply(&config("a/y", "new")).unwrap();
    server.delete("configmaps", "a", "x").unwrap();
    let start = Instant::now();
    let mut seen = Vec::new();
    let mut errors = Vec::new();
    while seen.len() < 2 {
        let (more, change) = next_change(&mut changes).await;
        errors.extend(more);
        let Change::Live(batch) = change else { panic!("Synced again") };
        seen.extend(deltas(&batch).into_iter().map(|delta| delta[..4].to_owned()));
        if seen.len() == 2 {
            assert_eq!(names(batch.after()), ["a/y"]);
        }
    }
    seen.sort();
    assert_eq!(seen, ["+a/y", "-a/x"]);
    (errors, asked(&server), start.elapsed())
}

/// SEMANTICS: W5, S7
#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_resumes_without_a_relist() {
    let (errors, asked, _) = recover(|_| ()).await;
    assert_eq!(asked.0, 0, "no list");
    assert!(errors.len() <= 1, "{errors:?}");
}

/// SEMANTICS: W5
#[tokio::test(start_paused = true)]
async fn server_failures_resume_without_a_relist() {
    for (fault, times, reason) in [
        // A third rejection would cause a list.
        (Fault::status(500), 2, "Other"),
        (Fault::status(503), 3, "Other"),
        (Fault::Refused, 2, "Connection"),
        (Fault::Torn { after_events: 0 }, 3, "Connection"),
    ] {
        let text = format!("{fault:?}");
        let (errors, asked, took) = recover(|server| server.fault(Verb::Watch, times, fault)).await;
        let failures = errors.iter().filter(|error| **error == reason).count();
        assert!(failures >= times, "{text}: {errors:?}");
        assert_eq!(asked.0, 0, "{text}: no list");
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(20), "{took:?}");
    }
}

/// SEMANTICS: W5, S7
#[tokio::test(start_paused = true)]
async fn history_that_the_server_has_lost_is_listed_again() {
    // The rejection is an event.
    let server = server_with(&["a/x"]);
    let mut changes = synced(&server).await;
    server.fault(Verb::Watch, 1, Fault::ErrorEvent { code: 410, after_events: 0 });
    server.disconnect();
    server.apply(&config("a/y", "new")).unwrap();
    server.delete("configmaps", "a", "x").unwrap();
    let (errors, change) = next_change(&mut changes).await;
    assert!(errors.contains(&"Desynced"), "{errors:?}");
    assert_eq!(stats(&Ok(change)), (1, 0, 1), "the net difference, at once");
    assert_eq!(asked_lists(&server), 1);

    // The rejection is a status.
    let (errors, asked, _) =
        recover(|server| server.fault(Verb::Watch, 1, Fault::status(410))).await;
    assert!(errors.contains(&"Desynced"), "{errors:?}");
    assert_eq!(asked.0, 1);
}

fn asked_lists(server: &ApiServer) -> usize {
    asked(server).0
}

/// A server that always answers 410 must not be requested in a tight loop, though each relist works.
/// SEMANTICS: W5
#[tokio::test(start_paused = true)]
async fn relists_that_lead_nowhere_slow_down() {
    let server = server_with(&["a/x"]);
    let mut changes = synced(&server).await;
    server.fault(Verb::Watch, 1000, Fault::status(410));
    server.disconnect();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 12 {
        match next(&mut changes).await {
            Err(error) if error.is_desynced() => times.push(start.elapsed()),
            Err(error) => assert!(error.is_connection(), "{error:?}"),
            Ok(change) => panic!("nothing changed: {change:?}"),
        }
    }
    let last = times[11].saturating_sub(times[10]);
    assert!(last >= Duration::from_secs(15), "{times:?}");
}

/// SEMANTICS: W5
#[tokio::test(start_paused = true)]
async fn throttling_waits_as_long_as_asked() {
    let wait = Duration::from_secs(90);
    for verb in [Verb::List, Verb::Watch] {
        let server = server_with(&["a/x"]);
        server.fault(verb, 1, Fault::too_many_requests(wait));
        let start = Instant::now();
        let mut changes = pin!(configs(&server).index(()));
        let first = next(&mut changes).await;
        if let Err(error) = &first {
            assert!(error.is_throttled());
            changes.first_synced().await.unwrap();
            assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
        }
        server.apply(&config("a/y", "web")).unwrap();
        let (_, change) = next_change(&mut changes).await;
        assert_eq!(names(change.snapshot()), ["a/x", "a/y"]);
        assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
        assert!(start.elapsed() < wait + Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(asked(&server), if matches!(verb, Verb::List) { (2, 1) } else { (1, 2) });
    }
}

/// SEMANTICS: W5, S6
#[tokio::test(start_paused = true)]
async fn a_refusal_is_retried_slowly_and_says_so() {
    let server = server_with(&["a/x"]);
    server.fault(Verb::List, 4, Fault::status(403));
    let start = Instant::now();
    let pipeline = configs(&server)
        .index(())
        .sync_policy(SyncPolicy::default().deadline(Duration::from_secs(5)));
    let store = pipeline.store();
    let polling = tokio::spawn(
        pipeline.map(|item| item.map_err(|error| error.to_string())).collect::<Vec<_>>(),
    );
    let error = store.synced().await.unwrap_err();
    assert!(error.is_forbidden());
    assert!(error.to_string().starts_with("list v1/configmaps: "), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let store: Store<ConfigMap> = store;
    loop {
        match store.synced().await {
            Ok(snapshot) => break assert_eq!(snapshot.len(), 1),
            Err(error) => assert!(error.is_forbidden()),
        }
    }
    assert!(start.elapsed() > Duration::from_secs(15), "{:?}", start.elapsed());
    polling.abort();
}

/// SEMANTICS: W5
#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_asked_for_again_and_no_other() {
    let server = ApiServer::new();
    for i in 0..25 {
        server.apply(&config(&format!("a/{i:02}"), "web")).unwrap();
    }
    server.fault(On::verb(Verb::List).skip(1), 1, Fault::status(500));
    server.fault(On::verb(Verb::List).skip(1), 1, Fault::Refused);
    server.fault(On::verb(Verb::List).skip(1), 1, Fault::Torn { after_events: 3 });
    let mut changes = pin!(configs(&server).page_size(10).index(()));
    let mut errors = 0;
    let snapshot = loop {
        match next(&mut changes).await {
            Ok(Change::Synced(snapshot)) => break snapshot,
            Ok(other) => panic!("{other:?}"),
            Err(_) => errors += 1,
        }
    };
    assert_eq!((snapshot.len(), errors), (25, 3));
    assert_eq!(asked_lists(&server), 3 + 3);
}

/// A group lists the same version repeatedly.
///
/// SEMANTICS: W24
#[tokio::test(start_paused = true)]
async fn a_version_is_asked_for_once_in_discovery() {
    let server = ApiServer::new();
    let named = |name: &str| json!({ "groupVersion": format!("x.io/{name}"), "version": name });
    let repeated = vec![named("v1"); 1_000];
    let many: Vec<_> = (0..1_000).map(|number| named(&format!("v{number}"))).collect();
    for (versions, most) in [(repeated, 2), (many, 17)] {
        let group = json!({ "kind": "APIGroup", "name": "x.io", "versions": versions });
        server.fault(Verb::Discovery, 1, Fault::Answer(Answer::json(200, &group)));
        server.take_requests();
        let things = Gvr::parse("x.io/things").unwrap();
        let mut changes = watch_resource(server.client(), things).unwrap().index(());
        let error = changes.next().await.unwrap().unwrap_err();
        assert!(error.is_not_installed(), "{error}");
        let asked = server.take_requests();
        assert!(asked.len() <= 2 * most, "{asked:#?}");
        server.clear_faults();
    }
}

/// A token that the server can't read is answered 400, every time.
///
/// SEMANTICS: W5, S8
#[tokio::test(start_paused = true)]
async fn a_continue_token_that_is_refused_begins_the_list_anew() {
    let server = ApiServer::new();
    server.apply(&config("a/one", "web")).unwrap();
    let page = json!({
        "kind": "ConfigMapList", "apiVersion": "v1", "items": [config("a/two", "web")],
        "metadata": { "resourceVersion": "1", "continue": "of another server" },
    });
    server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &page)));
    let mut changes = pin!(configs(&server).index(()));
    let mut errors = 0;
    let snapshot = loop {
        match next(&mut changes).await {
            Ok(change) => break change.snapshot().clone(),
            Err(error) => {
                assert_eq!(error.status(), Some(400));
                errors += 1;
            }
        }
    };
    assert_eq!((snapshot.len(), errors), (1, 3));
    assert!(snapshot.get(("a", "one")).is_some());
}

/// SEMANTICS: W5, S8
#[tokio::test(start_paused = true)]
async fn a_continue_token_that_expired_begins_the_list_anew() {
    let server = ApiServer::new();
    for i in 0..25 {
        server.apply(&config(&format!("a/{i:02}"), "web")).unwrap();
    }
    server.fault(On::verb(Verb::List).skip(1), 1, Fault::status(410));
    let mut events = pin!(configs(&server).page_size(10));
    assert!(matches!(next(&mut events).await, Ok(WatchEvent::Scope(_))));
    let mut seen = Vec::new();
    loop {
        match next(&mut events).await {
            Ok(WatchEvent::Listed(object)) => {
                // Deleted before the list starts again, so only the first part of the list has it.
                if server.get("configmaps", "a", "00").is_ok() {
                    server.delete("configmaps", "a", "00").unwrap();
                }
                seen.push(name(&object));
            }
            Ok(WatchEvent::Restarted { .. }) => seen.clear(),
            Ok(WatchEvent::ListComplete { .. }) => break,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.is_desynced(), "{error:?}"),
        }
    }
    assert!(!seen.contains(&"a/00".to_owned()), "{seen:?}");
}

/// SEMANTICS: W6
#[tokio::test(start_paused = true)]
async fn an_undecodable_object_is_isolated() {
    let server = server_with(&["a/bad", "a/x", "a/y"]);
    server.fault(Verb::List, 1, Fault::Garble { name: "bad".into() });
    let pipeline = configs(&server).index(());
    let store = pipeline.store();
    let mut changes = pin!(pipeline);
    let error = next(&mut changes).await.unwrap_err();
    assert_eq!(error.object(), Some(("a", "bad")));
    let change = next(&mut changes).await.unwrap();
    assert!(matches!(change, Change::Synced(_)));
    assert_eq!(names(change.snapshot()), ["a/x", "a/y"]);
    assert_eq!(store.report().stale, ["a/bad"]);

    // A good version repairs it.
    server.apply(&config("a/bad", "good")).unwrap();
    let (_, change) = next_change(&mut changes).await;
    assert_eq!(names(change.snapshot()), ["a/bad", "a/x", "a/y"]);
    assert!(store.report().stale.is_empty());

    // A bad version keeps the last good version, also through a relist.
    let good = store.snapshot().get(("a", "bad")).unwrap().metadata.resource_version.clone();
    server.fault(Verb::Watch, 1, Fault::Garble { name: "bad".into() });
    server.disconnect();
    server.apply(&config("a/bad", "worse")).unwrap();
    server.apply(&config("a/z", "after")).unwrap();
    let (errors, change) = next_change(&mut changes).await;
    assert!(errors.contains(&"Undecodable"), "{errors:?}");
    assert_eq!(names(change.snapshot()), ["a/bad", "a/x", "a/y", "a/z"]);
    let version = |store: &Store<ConfigMap>| {
        store.snapshot().get(("a", "bad")).unwrap().metadata.resource_version.clone()
    };
    assert_eq!(version(&store), good);
    assert_eq!(store.report().stale, ["a/bad"]);
    server.fault(Verb::List, 1, Fault::Garble { name: "bad".into() });
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.disconnect();
    server.delete("configmaps", "a", "z").unwrap();
    let (errors, change) = next_change(&mut changes).await;
    assert!(errors.contains(&"Undecodable"), "{errors:?}");
    assert_eq!(names(change.snapshot()), ["a/bad", "a/x", "a/y"]);
    assert_eq!(version(&store), good);
    assert_eq!(store.report().stale, ["a/bad"]);
}

/// A relist does not decode unchanged objects again: here they could not be decoded.
/// SEMANTICS: S7, I9
#[tokio::test(start_paused = true)]
async fn a_relist_decodes_only_what_changed() {
    for streaming in [false, true] {
        let server = server_with(&["a/gone", "a/x", "a/y"]);
        let watch = configs(&server).streaming_list(streaming);
        let mut changes = pin!(watch.index(()));
        let before = changes.first_synced().await.unwrap();
        server.delete("configmaps", "a", "gone").unwrap();
        server.apply(&config("a/y", "changed")).unwrap();
        server.fault(Verb::Watch, 1, Fault::status(410));
        let garble = || Fault::Garble { name: "x".into() };
        server.fault(if streaming { Verb::Watch } else { Verb::List }, 1, garble());
        server.disconnect();
        let mut total = (0, 0, 0);
        let last = loop {
            match next(&mut changes).await {
                Err(error) => assert!(!error.is_undecodable(), "{error:?}"),
                item => {
                    let (created, modified, deleted) = stats(&item);
                    total = (total.0 + created, total.1 + modified, total.2 + deleted);
                    if total == (0, 1, 1) {
                        break item.unwrap();
                    }
                }
            }
        };
        let object = |snapshot: &Snapshot<ConfigMap>| snapshot.get(("a", "x")).cloned().unwrap();
        assert!(std::sync::Arc::ptr_eq(&object(&before), &object(last.snapshot())));
        assert_eq!(names(last.snapshot()), ["a/x", "a/y"]);
    }
}

/// SEMANTICS: W7
#[tokio::test(start_paused = true)]
async fn no_log_line_and_no_error_holds_a_secret() {
    let logs = crate::logs::capture();
    let server = ApiServer::new();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "a", "name": "s" },
        "data": { "password": "aHVudGVyMg==" }, "stringData": { "password": "hunter2" },
        "type": "hunter2-type",
    });
    server.apply(&secret).unwrap();
    let garble = || Fault::Garble { name: "s".into() };
    server.fault(Verb::List, 1, garble());
    server.fault(On::verb(Verb::List).skip(1), 1, Fault::Torn { after_events: 1 });
    server.fault(Verb::Watch, 1, garble());
    server.fault(On::verb(Verb::Watch).skip(1), 1, Fault::Torn { after_events: 0 });
    let filter = FieldFilter::new(["metadata.managedFields"]).unwrap();
    let by = Index::<Secret>::path("type").unwrap();
    let mut changes =
        pin!(watch(Api::<Secret>::all(server.client())).filter_fields(filter).unwrap().index(by));
    let mut errors = String::new();
    for round in 0..8 {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "a", "name": "s" },
            "data": { "password": "aHVudGVyMg==" }, "type": format!("hunter2-{round}"),
        });
        server.apply(&secret).unwrap();
        if let Ok(Some(Err(error))) = timeout(Duration::from_secs(40), changes.next()).await {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                writeln!(errors, "{error} {error:?}").unwrap();
                cause = error.source();
            }
            tracing::warn!(%error, ?error, "as log_errors does");
        }
        server.disconnect();
    }
    assert!(errors.contains("can't be decoded"), "{errors}");
    let logs = logs.text();
    assert!(logs.contains("as log_errors does"), "logs are captured");
    for text in [&errors, &logs] {
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }
}

/// SEMANTICS: W8
#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_noticed() {
    let server = server_with(&["a/x"]);
    let watch = configs(&server).watch_timeout(Duration::from_secs(30));
    let mut changes = pin!(watch.index(()));
    server.fault(Verb::Watch, 1, Fault::Stall { after_events: 0 });
    changes.first_synced().await.unwrap();
    let start = Instant::now();
    let error = next(&mut changes).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    // The watch could last up to twice its timeout.
    assert!(start.elapsed() <= Duration::from_secs(65), "{:?}", start.elapsed());
    server.apply(&config("a/y", "web")).unwrap();
    let (_, change) = next_change(&mut changes).await;
    assert_eq!(names(change.snapshot()), ["a/x", "a/y"]);
    assert_eq!(asked_lists(&server), 1, "it resumes");
}

/// The connection is dead before the watch begins, if it was kept open since the list.
///
/// SEMANTICS: W8
#[tokio::test(start_paused = true)]
async fn a_watch_that_is_not_answered_is_noticed_as_soon() {
    let server = server_with(&["a/x"]);
    server.fault(Verb::Watch, 1, Fault::Delay(Duration::from_secs(3600)));
    let watch = configs(&server).watch_timeout(Duration::from_secs(2));
    let mut changes = pin!(watch.index(()));
    changes.first_synced().await.unwrap();
    let start = Instant::now();
    let error = next(&mut changes).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(start.elapsed() <= Duration::from_secs(9), "{:?}", start.elapsed());
    server.apply(&config("a/y", "web")).unwrap();
    let (_, change) = next_change(&mut changes).await;
    assert_eq!(names(change.snapshot()), ["a/x", "a/y"]);
    assert_eq!(asked_lists(&server), 1, "it resumes");
}

/// SEMANTICS: W8
#[tokio::test(start_paused = true)]
async fn a_list_that_stalls_is_given_up_and_begun_again() {
    let server = server_with(&["a/x"]);
    server.fault(Verb::List, 1, Fault::Stall { after_events: 0 });
    server.fault(Verb::List, 1, Fault::Delay(Duration::from_secs(3600)));
    let mut changes = pin!(configs(&server).index(()));
    for _ in 0..2 {
        assert!(next(&mut changes).await.unwrap_err().is_timeout());
    }
    changes.first_synced().await.unwrap();
}

/// SEMANTICS: W9
#[tokio::test(start_paused = true)]
async fn bookmarks_move_the_resume_point() {
    let server = server_with(&["a/x"]);
    let mut changes = synced(&server).await;
    // Other kinds change, this one is idle, and the seen history is compacted.
    for i in 0..100 {
        let other = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": "a", "name": format!("p{i}") },
        });
        server.apply(&other).unwrap();
    }
    server.bookmark();
    assert!(
        timeout(Duration::from_secs(1), changes.next()).await.is_err(),
        "a bookmark is no item"
    );
    server.compact();
    server.disconnect();
    server.apply(&config("a/x", "changed")).unwrap();
    let (errors, change) = next_change(&mut changes).await;
    assert!(!errors.contains(&"Desynced"), "{errors:?}");
    assert_eq!(stats(&Ok(change)), (0, 1, 0));
    assert_eq!(asked_lists(&server), 0);
}

/// SEMANTICS: W9
#[tokio::test(start_paused = true)]
async fn an_idle_watch_outlives_its_timeouts_in_silence() {
    let server = server_with(&["a/x"]);
    let mut changes = synced(&server).await;
    assert!(
        timeout(Duration::from_secs(3 * 3600), changes.next()).await.is_err(),
        "no item at all"
    );
    let (lists, watches) = asked(&server);
    assert_eq!(lists, 0);
    assert!((30..60).contains(&watches), "{watches} watches in three hours");
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_brings_the_same() {
    let server = server_with(&["a/x", "a/y", "b/x"]);
    let mut changes = pin!(configs(&server).streaming_list(true).index(()));
    assert_eq!(names(&changes.first_synced().await.unwrap()), ["a/x", "a/y", "b/x"]);
    server.apply(&config("a/z", "web")).unwrap();
    assert_eq!(stats(&next(&mut changes).await), (1, 0, 0));
    assert_eq!(asked(&server), (0, 1), "one connection does it all");
}

/// SEMANTICS: S8
#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_is_cut_begins_anew() {
    let server = server_with(&["a/x", "a/y", "b/x"]);
    server.fault(Verb::Watch, 1, Fault::Disconnect { after_events: 2 });
    let mut changes = pin!(configs(&server).streaming_list(true).index(()));
    let (errors, change) = {
        let error = next(&mut changes).await.unwrap_err();
        server.delete("configmaps", "a", "x").unwrap();
        let (errors, change) = next_change(&mut changes).await;
        ([vec![error.reason()], errors].concat(), change)
    };
    assert_eq!(errors, ["Connection"]);
    assert_eq!(names(change.snapshot()), ["a/y", "b/x"]);
}

/// A server that treats the request for a streaming list as a plain watch.
///
/// SEMANTICS: W22
#[tokio::test(start_paused = true)]
async fn a_streaming_list_without_an_end_is_given_up_for_pages() {
    let server = server_with(&["a/x"]);
    server.fault(Verb::Watch, 1, Fault::NoBookmarks);
    let watch = configs(&server).streaming_list(true).watch_timeout(Duration::from_secs(60));
    let mut changes = pin!(watch.index(()));
    let start = Instant::now();
    let (errors, change) = next_change(&mut changes).await;
    assert_eq!(names(change.snapshot()), ["a/x"]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(start.elapsed() < Duration::from_secs(70), "{:?}", start.elapsed());
    assert_eq!(asked(&server).0, 1);
    // The client remembers this about the server.
    server.take_requests();
    server.fault(Verb::Watch, 1, Fault::status(410));
    server.disconnect();
    server.apply(&config("a/y", "web")).unwrap();
    next_change(&mut changes).await;
    assert!(server.requests().iter().all(|request| !request.contains("sendInitialEvents=true")));
    assert_eq!(asked(&server).0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_is_listed_in_pages() {
    let server = server_with(&["a/x"]);
    server.set_streaming_lists(false);
    let mut changes = pin!(configs(&server).streaming_list(true).index(()));
    let first = next(&mut changes).await.unwrap();
    assert_eq!(names(first.snapshot()), ["a/x"]);
    server.apply(&config("a/y", "web")).unwrap();
    assert_eq!(stats(&next(&mut changes).await), (1, 0, 0));
    assert_eq!(asked(&server).0, 1);
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_can_be_watched() {
    let server = server_with(&["a/x"]);
    let api: Api<kube::core::PartialObjectMeta<ConfigMap>> = Api::all(server.client());
    let app = Index::path("metadata.labels.app").unwrap();
    let mut changes = pin!(watch(api).index(&app));
    let snapshot = changes.first_synced().await.unwrap();
    assert_eq!(snapshot.by(&app).get("web").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn documents_are_strained_and_alike_from_list_and_watch() {
    let server = server_with(&["a/x"]);
    let gvr = Gvr::parse("v1/configmaps").unwrap();
    let filter = FieldFilter::new(["metadata.labels", "metadata.creationTimestamp"]).unwrap();
    let watch = watch_resource(server.client(), gvr).unwrap().filter_fields(filter).unwrap();
    let mut changes = pin!(watch.index(()));
    let listed = changes.first_synced().await.unwrap();
    server.apply(&config("a/y", "web")).unwrap();
    let watched = next(&mut changes).await.unwrap();
    let keys = |name: &str| -> Vec<String> {
        let snapshot = if name == "x" { &listed } else { watched.snapshot() };
        let value = snapshot.get(("a", name)).unwrap().to_value();
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys("x"), ["apiVersion", "data", "kind", "metadata"]);
    assert_eq!(keys("x"), keys("y"));
    let value = listed.get("a/x").unwrap().to_value();
    assert_eq!(value["metadata"].get("labels"), None);
}
