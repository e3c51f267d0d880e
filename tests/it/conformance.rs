//! The conformance suite, on every kind of stream of changes.

use std::{cell::Cell, time::Duration};

use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use kube_weir::{
    Change, Debounce, Error, EventStreamExt, Index,
    testing::{
        ApiServer,
        conformance::{self, Chapter, Life, Rule, Summary, Violation},
    },
    watch, watch_resource,
};

type Item = Result<Change<ConfigMap>, Error>;

/// Returns the order of the objects as an index, and an index with its own keys.
fn indexes() -> [Index<ConfigMap>; 2] {
    let identity = Index::paths(["metadata.namespace", "metadata.name"]).expect("paths");
    [identity, Index::path("metadata.annotations.*").expect("a path")]
}

fn source(client: Client) -> kube_weir::Watch<ConfigMap> {
    watch(Api::all(client)).page_size(4)
}

fn by_kube(client: Client, config: watcher::Config) -> impl Stream<Item = Item> {
    watcher(Api::<ConfigMap>::all(client), config).default_backoff().index(indexes())
}

/// Runs the whole life, and checks that all of its events happened.
async fn lives<S>(pipeline: impl FnOnce(Client) -> S) -> Result<Summary, Violation>
where
    S: Stream<Item = Item>,
{
    let server = ApiServer::new();
    let summary = conformance::run(&server, pipeline).await?;
    assert_eq!(summary.unmet, 0, "{summary:?}");
    assert!(summary.changes > 30 && summary.errors > 20, "{summary:?}");
    Ok(summary)
}

/// SEMANTICS: S1, S2, S7, S8, I4, I5, I7, I8, I9, I11, D4, W5, W6, W8
#[tokio::test(start_paused = true)]
async fn our_source_conforms() -> Result<(), Violation> {
    lives(|client| source(client).index(indexes())).await?;
    let initial = Cell::new(0);
    lives(|client| {
        let changes = source(client).index(indexes()).with_progress();
        changes.inspect(|item| {
            let is_initial = matches!(item, Ok(Change::InitialSync(_)));
            initial.set(initial.get() + usize::from(is_initial));
        })
    })
    .await?;
    assert!(initial.get() > 0, "with progress the load comes in parts");
    Ok(())
}

/// SEMANTICS: S1, S2, S7, S8
#[tokio::test(start_paused = true)]
async fn our_source_conforms_without_pages() -> Result<(), Violation> {
    let server = ApiServer::new();
    conformance::run(&server, |client| source(client).streaming_list(true).index(indexes()))
        .await?;
    server.set_streaming_lists(false);
    conformance::run(&server, |client| source(client).streaming_list(true).index(indexes()))
        .await?;
    Ok(())
}

/// SEMANTICS: S1, S2, D3, D4, D6
#[tokio::test(start_paused = true)]
async fn debounced_changes_conform() -> Result<(), Violation> {
    let second = Duration::from_secs(1);
    for debounce in [Debounce::interval(second), Debounce::quiet(second / 2).into()] {
        lives(|client| source(client).index(indexes()).debounce(debounce)).await?;
        lives(|client| source(client).index(indexes()).with_progress().debounce(debounce)).await?;
    }
    Ok(())
}

/// SEMANTICS: S9
#[tokio::test(start_paused = true)]
async fn more_consumers_of_a_store_conform() -> Result<(), Violation> {
    for debounce in [None, Some(Debounce::interval(Duration::from_secs(1)))] {
        for late in [false, true] {
            let summary = conformance::run(&ApiServer::new(), |client| {
                let pipeline = source(client).index(indexes());
                let store = pipeline.store();
                let changes = async move {
                    if late {
                        store.synced().await.expect("synced");
                    }
                    store.changes()
                };
                let changes = stream::once(changes).flatten();
                let changes = match debounce {
                    None => changes.boxed_local(),
                    Some(debounce) => changes.debounce(debounce).boxed_local(),
                };
                let polled = pipeline.filter(|_| future::ready(false));
                stream::select(polled, changes)
            })
            .await?;
            assert_eq!((summary.errors, summary.unmet), (0, 0), "the pipeline has the errors");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn objects_without_a_type_conform() -> Result<(), Box<dyn std::error::Error>> {
    let server = ApiServer::new();
    let nodes = watch_resource(server.client(), "v1/nodes")?;
    let name = Index::path("metadata.name")?;
    let node = serde_json::json!({"apiVersion": "v1", "kind": "Node"});
    Life::new().object(node).run(&server, |_| nodes.index(name)).await?;
    Ok(())
}

/// SEMANTICS: I12, S1, S2, S7, S8, I4, I5, I7, I8, I9, I11, W5, W6, W8
#[tokio::test(start_paused = true)]
async fn keys_conform() -> Result<(), Violation> {
    for path in ["metadata.annotations.*", "data.*"] {
        let index = Index::path(path).expect("a path");
        let server = ApiServer::new();
        // So few fields are decoded that no object is undecodable.
        let life = || Life::new().without(Chapter::Undecodable);
        let keys = |client| source(client).index_keys(&index).expect("paths");
        let summary = life().run(&server, keys).await?;
        assert_eq!(summary.unmet, 0, "{path} {summary:?}");
        assert!(summary.changes > 30 && summary.errors > 15, "{path} {summary:?}");
        let keys = |client| source(client).streaming_list(true).index_keys(&index).expect("paths");
        life().run(&server, keys).await?;
    }
    Ok(())
}

/// kube's watcher breaks one rule: an undecodable object fails every list that contains it, so nothing
/// else arrives either. Streaming lists are decoded item by item.
#[tokio::test(start_paused = true)]
async fn kubes_watcher_conforms() -> Result<(), Violation> {
    let config = || watcher::Config::default().page_size(4);
    let pages = |client: Client| by_kube(client, config());
    let broken = conformance::run(&ApiServer::new(), pages).await.expect_err("kube's own fault");
    assert_eq!(broken.chapter(), Some(Chapter::Undecodable), "{broken}");
    assert_eq!(broken.rule(), Rule::CatchesUp, "{broken}");

    let life = || Life::new().without(Chapter::Undecodable);
    let summary = life().run(&ApiServer::new(), pages).await?;
    assert_eq!(summary.unmet, 0, "{summary:?}");
    let debounced = |client: Client| by_kube(client, config()).debounce(Duration::from_millis(500));
    life().run(&ApiServer::new(), debounced).await?;

    let streamed = |client: Client| by_kube(client, config().streaming_lists());
    conformance::run(&ApiServer::new(), streamed).await?;
    Ok(())
}

/// The suite must detect streams that break the rules.
#[tokio::test(start_paused = true)]
async fn streams_that_do_not_conform_are_found_out() {
    async fn broken<S: Stream<Item = Item>>(pipeline: impl FnOnce(Client) -> S) -> Option<Rule> {
        let life = Life::new().without(Chapter::Load).patience(Duration::from_secs(60));
        life.run(&ApiServer::new(), pipeline).await.err().map(|violation| violation.rule())
    }
    let changes = |client| source(client).index(indexes());

    let ends = broken(|client| changes(client).take_while(|item| future::ready(item.is_ok())));
    assert_eq!(ends.await, Some(Rule::GoesOn));
    let never = broken(|client| changes(client).filter(|item| future::ready(item.is_err())));
    assert_eq!(never.await, Some(Rule::Synced));
    let is_live = |item: &Item| matches!(item, Ok(Change::Live(_)));
    let stuck = broken(|client| changes(client).filter(move |item| future::ready(!is_live(item))));
    assert_eq!(stuck.await, Some(Rule::CatchesUp));
    let twice = broken(|client| {
        changes(client).flat_map(|item| {
            let again = matches!(item, Ok(Change::Synced(_))).then(|| item.clone());
            stream::iter([item].into_iter().chain(again))
        })
    });
    assert_eq!(twice.await, Some(Rule::SyncedOnce));
    let hurries = broken(|client| {
        let failure = || -> Error { kube::runtime::watcher::Error::NoResourceVersion.into() };
        stream::select(stream::repeat_with(move || Err(failure())), changes(client))
    });
    assert_eq!(hurries.await, Some(Rule::WaitsForFailures));
    // Another watch replaces the first when that has lost its history: its items are correct, but it
    // yields `Synced` again.
    let anew = broken(|client| {
        let again = changes(client.clone());
        changes(client).take_while(|item| future::ready(item.is_ok())).chain(again)
    });
    assert_eq!(anew.await, Some(Rule::SyncedOnce));
}
