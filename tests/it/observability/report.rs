//! Reports of stores.

use std::time::Duration;

use kube::runtime::watcher::Event;
use kube_weir::{
    Document, EventStreamExt, Index,
    testing::{ApiServer, Fault, Verb},
    watch, watch_resource,
};
use tokio::time::advance;

use super::stories::{SECOND, configs, next, server_with, silence};
use crate::support::{Poller, feed, labelled, object};

#[tokio::test(start_paused = true)]
async fn keys_are_counted_once() {
    let (feed, events) = feed();
    let namespace = Index::path("metadata.namespace").unwrap();
    let app = Index::path("metadata.labels.app").unwrap();
    let mut poller = Poller::new(events.index((namespace, app)));
    let store = poller.stream.store();
    let app = |identity: &str, app: &str| labelled(identity, 1, "app", app);
    feed.list([app("a/x", "web"), app("a/y", "db"), app("b/x", "web"), object("one", 1)]);
    poller.drain();
    let report = store.report();
    let counts = |index: &kube_weir::IndexReport| (index.keys, index.entries, index.absent);
    assert_eq!(report.indexes.iter().map(counts).collect::<Vec<_>>(), [(2, 3, 1), (2, 3, 1)]);
    // The first index is the order of the objects; of another stream only the type is known.
    assert_eq!((&*report.resource, report.name), ("ConfigMap", None));
    assert_eq!(report.bytes, None, "of typed objects that is not known");
}

#[tokio::test(start_paused = true)]
async fn documents_say_how_large_they_are() {
    let server = server_with(&["x", "y"]);
    let mut configs = watch_resource(server.client(), "v1/configmaps").unwrap().index(());
    let store = configs.store();
    assert_eq!(store.report().bytes, Some(0));
    configs.first_synced().await.unwrap();
    let before = store.report().bytes.unwrap();
    let json: usize = store.snapshot().iter().map(|object| object.to_json().len()).sum();
    assert!(before > 100 && before < json, "{before} of {json}");
    let mut sizes = Vec::new();
    for length in [400, 900] {
        server.apply(&super::stories::config("x", &"x".repeat(length))).unwrap();
        next(&mut configs).await.unwrap();
        sizes.push(store.report().bytes.unwrap());
    }
    assert!((500..510).contains(&(sizes[1] - sizes[0])), "{sizes:?}");
    let mut configs =
        watch(kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::all(server.client()))
            .index_keys(())
            .unwrap();
    configs.first_synced().await.unwrap();
    assert!(configs.store().report().bytes.is_some_and(|keys| keys < before));
    // With a path beside a closure the bytes are known, too.
    let closure = Index::with(|object: &Document| [object.name().to_owned()]);
    let label = Index::path("metadata.labels.app").unwrap();
    let events = futures::stream::iter([Event::<Document>::Init, Event::InitDone]);
    assert_eq!(events.index((closure, label)).store().report().bytes, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_list_on_its_way_is_pending() {
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    let store = configs.store();
    assert_eq!((store.report().pending, store.report().silent_ms), (0, None));
    // Two pages, of which the second is late.
    server.fault(Verb::List, 1, Fault::Trickle { chunk: 250, pause: SECOND });
    silence(&mut configs, Duration::from_millis(2500)).await;
    let report = store.report();
    assert_eq!((report.state, report.objects, report.pending), ("loading", 0, 1), "{report:?}");
    configs.first_synced().await.unwrap();
    let report = store.report();
    assert_eq!((report.state, report.objects, report.pending), ("synced", 2, 0));
    assert_eq!(report.name.as_deref(), Some("settings"));
}

#[tokio::test(start_paused = true)]
async fn anything_received_breaks_the_silence() {
    let server: ApiServer = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    let store = configs.store();
    configs.first_synced().await.unwrap();
    advance(SECOND * 3).await;
    assert_eq!(store.report().silent_ms, Some(3000));
    silence(&mut configs, SECOND).await;
    server.apply(&super::stories::config("x", "debug")).unwrap();
    next(&mut configs).await.unwrap();
    assert_eq!(store.report().silent_ms, Some(0));
    silence(&mut configs, SECOND * 5).await;
    assert_eq!(store.report().silent_ms, Some(5000));
    server.bookmark();
    silence(&mut configs, SECOND).await;
    assert_eq!(store.report().silent_ms, Some(1000));
}
