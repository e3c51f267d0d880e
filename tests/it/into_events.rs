//! Changes as events again: kube's view of them, and that nothing is lost.

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    runtime::{WatchStreamExt, reflector, watcher::Event},
};
use kube_weir::{
    Change, EventStreamExt,
    testing::{
        ApiServer, Events,
        conformance::{Chapter, Life},
    },
    watch,
};

use crate::support::{feed, object, reborn, versioned};

fn line(event: &Event<ConfigMap>) -> String {
    match event {
        Event::Init => "init".to_owned(),
        Event::InitApply(object) => format!("listed {}", versioned(object)),
        Event::InitDone => "done".to_owned(),
        Event::Apply(object) => format!("apply {}", versioned(object)),
        Event::Delete(object) => format!("delete {}", versioned(object)),
    }
}

#[tokio::test(start_paused = true)]
async fn each_phase_becomes_what_kube_would_have_sent() {
    let (feed, events) = feed();
    let changes = events.index(()).with_progress().log_errors();
    let mut events = changes.into_events();
    let mut told = || {
        let mut lines = Vec::new();
        while let Some(Some(event)) = events.next().now_or_never() {
            lines.push(line(&event.expect("never an error")));
        }
        lines
    };
    feed.send(Event::Init);
    feed.send(Event::InitApply(object("a/x", 1)));
    // Progress is not part of the list, which may still fail.
    assert!(told().is_empty());
    feed.send(Event::InitApply(object("a/y", 2)));
    feed.send(Event::InitDone);
    assert_eq!(told(), ["init", "listed a/x@1", "listed a/y@2", "done"]);

    feed.apply("a/x", 3);
    feed.apply("a/z", 4);
    feed.delete("a/y", 5);
    assert_eq!(told(), ["apply a/x@3", "delete a/y@2", "apply a/z@4"]);

    // The change becomes two events, because the two objects may have different owners.
    feed.send(Event::Delete(object("a/x", 6)));
    feed.send(Event::Apply(reborn("a/x", 7, "2")));
    assert_eq!(told(), ["delete a/x@3", "apply a/x@7"]);

    // A relist becomes its differences.
    feed.list([reborn("a/x", 7, "2"), object("a/z", 8)]);
    assert_eq!(told(), ["apply a/z@8"]);
    drop(feed);
    assert!(events.next().now_or_never().is_some_and(|end| end.is_none()));
}

/// A `Synced` for each term of a leader.
#[tokio::test(start_paused = true)]
async fn a_state_that_comes_again_replaces_the_one_before() {
    let mut snapshots = Vec::new();
    for objects in [vec![object("a/x", 1), object("a/y", 2)], vec![object("a/y", 3)]] {
        let mut changes = Events::listed(objects).index(());
        snapshots.push(changes.first_synced().await.expect("synced"));
    }
    let (reader, writer) = reflector::store();
    let changes = stream::iter(snapshots.into_iter().map(Change::Synced));
    assert_eq!(changes.into_events().reflect(writer).count().await, 7);
    let stored: Vec<_> = reader.state().iter().map(|object| versioned(object)).collect();
    assert_eq!(stored, ["a/y@3"]);
}

/// Converting to events and back preserves the state and the changes.
///
/// SEMANTICS: S1, S2, S7, I4, I5
#[tokio::test(start_paused = true)]
async fn a_stream_through_events_conforms() -> Result<(), Box<dyn std::error::Error>> {
    let summary = Life::new()
        // The error is logged before, and not yielded as an event.
        .without(Chapter::Undecodable)
        .run(&ApiServer::new(), |client| {
            let source = watch(Api::<ConfigMap>::all(client)).page_size(4);
            let events = source.index(()).log_errors().into_events();
            events.index(())
        })
        .await?;
    assert_eq!((summary.errors, summary.unmet), (0, 0), "{summary:?}");
    assert!(summary.changes > 30, "{summary:?}");
    Ok(())
}
