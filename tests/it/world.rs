//! Many kinds as one: SEMANTICS O4 and O5, and O6 for all kinds. All in virtual time.

use std::{
    collections::BTreeMap,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret, Service},
    networking::v1::Ingress,
};
use kube::{Api, runtime::watcher::Event};
use kube_weir::{
    Batch, Debounce, Document, Error, EventStreamExt, Index, Kinds, ObjectKey, Snapshot,
    SyncPolicy, World, WorldChange, WorldStore,
    adapters::Indexed,
    testing::{ApiServer, Events, Fault, Verb},
    watch, watch_resource, world,
    worlds::{ByName, View, WorldOverlay},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, timeout};

use crate::support::{Feed, Poller, deltas, feed, forbidden, object, state, status, versioned};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(600);

type Two = (Snapshot<ConfigMap>, Snapshot<ConfigMap>);

/// Returns a line for each item of a world of two kinds, each kind separately.
fn line(item: &Result<WorldChange<Two>, Error>) -> String {
    let batches = |kinds: &(Option<Batch<ConfigMap>>, Option<Batch<ConfigMap>>)| {
        let own = |batch: &Option<Batch<ConfigMap>>| batch.as_ref().map(deltas).unwrap_or_default();
        format!("{} | {}", own(&kinds.0).join(" "), own(&kinds.1).join(" "))
    };
    match item {
        Ok(WorldChange::InitialSync(batch)) => format!("initial {}", batches(batch.kinds())),
        Ok(WorldChange::Synced(world)) => format!("synced {}", whole(world)),
        Ok(WorldChange::Live(batch)) => format!("live {}", batches(batch.kinds())),
        Err(error) => format!("error {} {}", error.of_kind().unwrap_or("-"), error.reason()),
    }
}

fn whole(world: &World<Two>) -> String {
    let (a, b) = world.kinds();
    format!("{} | {}", state(a).join(" "), state(b).join(" "))
}

fn lines<S>(poller: &mut Poller<S>) -> Vec<String>
where
    S: Stream<Item = Result<WorldChange<Two>, Error>> + Unpin,
{
    poller.drain().iter().map(line).collect()
}

fn pipeline() -> (Feed, Indexed<crate::support::Events, ConfigMap>) {
    let (feed, events) = feed();
    (feed, events.index(()))
}

/// SEMANTICS: O4
#[test]
fn the_first_item_comes_when_all_kinds_are_synced() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let worlds = world((("a", one), ("b", two)));
    let store = worlds.store();
    let mut poller = Poller::new(worlds);
    assert!(poller.poll().is_pending());

    a.list([object("n/x", 1)]);
    assert_eq!(poller.wakes(), 1);
    assert!(lines(&mut poller).is_empty());
    a.apply("n/x", 2);
    assert!(lines(&mut poller).is_empty());
    assert!(!store.is_synced() && store.world().kinds().0.is_empty());
    assert_eq!(store.world().generation(), 0);

    b.list([object("n/y", 7)]);
    assert_eq!(lines(&mut poller), ["synced n/x@2 | n/y@7"]);
    assert!(store.is_synced());
    let world = store.world();
    assert_eq!((whole(&world).as_str(), world.generation()), ("n/x@2 | n/y@7", 1));
    let versions = [("a".into(), Some("2".to_owned())), ("b".into(), Some("7".to_owned()))];
    assert_eq!(world.resource_versions(), versions);

    // A relist is no second start.
    a.list([object("n/x", 2)]);
    assert!(lines(&mut poller).is_empty());
    assert_eq!(store.world().generation(), 1);
}

/// SEMANTICS: O4
#[test]
fn ready_changes_of_all_kinds_are_one_change_and_one_moment() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two))));
    a.list([]);
    b.list([object("n/y", 1)]);
    lines(&mut poller);
    let store = poller.stream.store();
    let before = store.world();

    a.apply("n/x", 2);
    a.apply("n/x", 3);
    b.delete("n/y", 4);
    let items = poller.drain();
    assert_eq!(items.iter().map(line).collect::<Vec<_>>(), ["live +n/x@3 | -n/y@1"]);
    let Ok(WorldChange::Live(batch)) = &items[0] else { panic!() };
    assert_eq!((batch.stats().created, batch.stats().deleted, batch.stats().total()), (1, 1, 2));
    assert_eq!((whole(batch.before()), whole(batch.after())), (whole(&before), "n/x@3 | ".into()));
    assert_eq!(whole(&before), " | n/y@1", "a world never changes");
    assert_eq!(store.world().generation(), 2);
    assert_eq!(store.world().resource_versions()[1].1.as_deref(), Some("4"));

    b.apply("n/z", 5);
    let items = poller.drain();
    let Ok(WorldChange::Live(batch)) = &items[0] else { panic!() };
    assert!(batch.kinds().0.is_none() && batch.kinds().1.is_some());
}

/// SEMANTICS: O4
#[tokio::test(start_paused = true)]
async fn one_debounce_settles_all_kinds() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let debounced = world((("a", one), ("b", two))).debounce(200 * MS);
    let flusher = debounced.handle();
    let mut poller = Poller::new(debounced);
    a.list([]);
    b.list([]);
    assert_eq!(lines(&mut poller), ["synced  | "]);

    a.apply("n/x", 1);
    assert_eq!(lines(&mut poller), ["live +n/x@1 | "], "a lone change goes out at once");
    for version in 2..9 {
        advance(10 * MS).await;
        let (changed, other) = if version % 2 == 0 { (&a, &b) } else { (&b, &a) };
        changed.apply("n/x", version);
        other.apply("n/gone", version);
        other.delete("n/gone", version);
        assert!(lines(&mut poller).is_empty());
    }
    advance(200 * MS).await;
    assert_eq!(lines(&mut poller), ["live ~n/x@1->n/x@8 | +n/x@7"]);

    b.apply("n/y", 9);
    assert!(lines(&mut poller).is_empty());
    flusher.flush();
    assert_eq!(lines(&mut poller), ["live  | +n/y@9"]);

    // Changes that cancel out are none, although another world was published meanwhile.
    a.apply("n/z", 10);
    assert!(lines(&mut poller).is_empty());
    a.delete("n/z", 11);
    assert!(lines(&mut poller).is_empty());
    advance(LONG).await;
    assert!(lines(&mut poller).is_empty());
    drop((a, b));
    assert!(matches!(poller.poll(), Poll::Ready(None)));
}

/// SEMANTICS: O4
#[test]
fn progress_is_reported_on_request() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two.with_progress()))).with_progress());
    b.send(Event::Init);
    b.send(Event::InitApply(object("n/y", 1)));
    assert_eq!(lines(&mut poller), ["initial  | +n/y@1"]);
    a.list([object("n/x", 1)]);
    assert_eq!(lines(&mut poller), ["initial +n/x@1 | "]);
    b.send(Event::InitApply(object("n/z", 1)));
    b.send(Event::InitDone);
    assert_eq!(lines(&mut poller), ["initial  | +n/z@1", "synced n/x@1 | n/y@1 n/z@1"]);

    // A kind's own progress is not the world's, unless the world requests progress.
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two.with_progress()))));
    a.list([]);
    b.send(Event::Init);
    b.send(Event::InitApply(object("n/y", 1)));
    assert!(lines(&mut poller).is_empty());
    b.send(Event::InitDone);
    assert_eq!(lines(&mut poller), ["synced  | n/y@1"]);
}

/// SEMANTICS: O5
#[test]
fn a_failing_kind_is_named_and_holds_up_no_other() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two))));
    b.fail(forbidden());
    a.list([object("n/x", 1)]);
    assert_eq!(lines(&mut poller), ["error b Forbidden"]);
    b.list([]);
    assert_eq!(lines(&mut poller), ["synced n/x@1 | "]);

    for version in 2..50 {
        b.fail(status(500, "Broken"));
        a.apply("n/x", version);
    }
    let told = lines(&mut poller);
    let last = told.iter().rposition(|line| line.starts_with("live")).unwrap();
    assert!(last < 2, "changes wait for no failure: {told:?}");
    assert_eq!(told.iter().filter(|line| *line == "error b Other").count(), 48);

    b.fail(forbidden());
    let items = poller.drain();
    let Err(error) = &items[0] else { panic!() };
    assert!(error.is_forbidden() && error.is_refusal());
    let bare = forbidden().to_string();
    assert_eq!(error.to_string(), format!("b: {bare}"));
    assert!(std::error::Error::source(error).is_none_or(|cause| cause.to_string() != bare));
}

/// SEMANTICS: O5
#[tokio::test(start_paused = true)]
async fn a_wait_says_who_is_missing_and_why() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let hasty = SyncPolicy::default().fail_fast(true);
    let worlds = world((("a", one), ("b", two.sync_policy(hasty))));
    let store = worlds.store();
    assert!(format!("{store:?}").contains("loading"));
    let polling = tokio::spawn(worlds.for_each(|_| async {}));
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.synced().await })
    };
    b.fail(forbidden());
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_forbidden());
    assert_eq!(error.to_string(), "the world is not synced, missing: a, b");
    let cause = std::error::Error::source(&error).unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(cause.of_kind(), Some("b"));

    a.list([]);
    tokio::task::yield_now().await;
    let error = timeout(LONG, store.synced()).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the world is not synced, missing: b");
    let report = store.report();
    assert_eq!((report.state, report.kinds["a"].state), ("loading", "synced"));
    assert!(report.kinds["b"].last_error.as_ref().is_some_and(|error| error.contains("Forbidden")));

    b.list([object("n/y", 1)]);
    tokio::task::yield_now().await;
    let world = timeout(LONG, store.synced()).await.unwrap().unwrap();
    assert_eq!(whole(&world), " | n/y@1");

    polling.abort();
    assert!(polling.await.unwrap_err().is_cancelled());
    assert_eq!(store.report().state, "ended");
    assert!(store.synced().await.is_ok(), "it was synced");
}

/// SEMANTICS: O4
#[tokio::test(start_paused = true)]
async fn any_number_of_tasks_may_wait() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let worlds = world((one, two));
    let store = worlds.store();
    let wait =
        |store: WorldStore<Two>| async move { store.synced().await.map(|world| whole(&world)) };
    let waits: Vec<_> = (0..3).map(|_| tokio::spawn(wait(store.clone()))).collect();
    tokio::spawn(worlds.for_each(|_| async {}));
    tokio::time::sleep(Duration::from_secs(20)).await;
    a.list([object("n/x", 1)]);
    b.list([]);
    for wait in waits {
        assert_eq!(timeout(MS, wait).await.unwrap().unwrap().unwrap(), "n/x@1 | ");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_fails_the_wait() {
    let ((_a, one), (_b, two)) = (pipeline(), pipeline());
    let worlds = world((one, two));
    let store = worlds.store();
    let waiting = tokio::spawn(async move { store.synced().await });
    tokio::task::yield_now().await;
    drop(worlds);
    assert!(timeout(LONG, waiting).await.unwrap().unwrap().unwrap_err().is_ended());
}

/// SEMANTICS: O5
#[test]
fn a_kind_that_ends_early_is_named_and_the_rest_goes_on() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((one, ("b", two))));
    drop(a);
    assert_eq!(lines(&mut poller), ["error ConfigMap Ended"]);
    b.list([]);
    assert!(lines(&mut poller).is_empty());
    drop(b);
    assert!(matches!(poller.poll(), Poll::Ready(None)));
    assert!(matches!(poller.poll(), Poll::Ready(None)));

    // After the sync the end of a kind is no failure: the others continue.
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two))));
    a.list([object("n/x", 1)]);
    b.list([]);
    drop(a);
    assert_eq!(lines(&mut poller), ["synced n/x@1 | "]);
    b.apply("n/y", 2);
    assert_eq!(lines(&mut poller), ["live  | +n/y@2"]);
}

fn service(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "n", "name": name } })
}

/// SEMANTICS: O5
#[tokio::test(start_paused = true)]
async fn a_world_starts_and_goes_on_through_what_its_server_refuses() {
    let server = ApiServer::new();
    server.apply(&service("web")).unwrap();
    server.fault(
        kube_weir::testing::On::verb(Verb::List).resource("secrets"),
        3,
        Fault::status(403),
    );
    let worlds = world((
        watch(Api::<Service>::all(server.client())).index(()),
        watch(Api::<Secret>::all(server.client())).index(()),
    ));
    let mut changes = pin!(worlds.debounce(500 * MS));
    let mut refusals = 0;
    let synced = loop {
        match timeout(LONG, changes.next()).await.unwrap().unwrap() {
            Ok(WorldChange::Synced(world)) => break world,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!((error.of_kind(), error.is_forbidden()), (Some("Secret"), true));
                refusals += 1;
            }
        }
    };
    assert_eq!((refusals, synced.kinds().0.len(), synced.kinds().1.len()), (3, 1, 0));
}

const GATEWAYS: &str = "example.com/v1/gateways";

fn gateways(server: &ApiServer) -> Indexed<kube_weir::Watch<Document>, Document> {
    let watch = watch_resource(server.client(), GATEWAYS).unwrap();
    watch.index(())
}

fn install(server: &ApiServer) {
    server
        .apply(&json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": "gateways.example.com" },
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": { "plural": "gateways", "kind": "Gateway" },
                "versions": [{ "name": "v1", "served": true, "storage": true }],
            },
        }))
        .unwrap();
}

/// SEMANTICS: O5
#[tokio::test(start_paused = true)]
async fn optional_kinds_do_not_hold_up_the_start_and_wake_up_when_they_appear() {
    let server = ApiServer::new();
    let gateways = gateways(&server).optional();
    let own = gateways.store();
    let services = watch(Api::<Service>::all(server.client())).index(());
    let worlds = world((services, ("gateways", gateways)));
    let store = worlds.store();
    let mut changes = pin!(worlds.debounce(500 * MS));

    let first = timeout(LONG, changes.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(first, WorldChange::Synced(_)), "no error is told of it: {first:?}");
    assert_eq!(own.synced().await.unwrap().len(), 0);
    assert!(store.report().kinds["gateways"].last_error.is_some());
    assert!(timeout(LONG, changes.next()).await.is_err(), "that it isn't there is no news");

    server.apply(&service("web")).unwrap();
    let Ok(WorldChange::Live(batch)) = changes.next().await.unwrap() else { panic!() };
    assert_eq!(batch.after().kinds().0.len(), 1);

    install(&server);
    let gateway = json!({
        "apiVersion": "example.com/v1",
        "kind": "Gateway",
        "metadata": { "namespace": "n", "name": "edge" },
    });
    server.apply(&gateway).unwrap();
    let Ok(WorldChange::Live(batch)) = timeout(LONG, changes.next()).await.unwrap().unwrap() else {
        panic!()
    };
    assert_eq!(batch.kinds().1.as_ref().unwrap().stats().created, 1);
    assert!(store.report().kinds["gateways"].last_error.is_none());
}

/// SEMANTICS: O5, W27
#[test]
fn a_refusal_is_optional_only_on_request() {
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two.optional()))));
    a.list([]);
    b.send(Event::Init);
    b.fail(forbidden());
    assert_eq!(lines(&mut poller), ["error b Forbidden"]);
    b.fail(status(404, "NotFound"));
    assert_eq!(lines(&mut poller), ["synced  | "]);

    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let forgiving = two.optional_if(Error::is_refusal);
    let mut poller = Poller::new(world((("a", one), ("b", forgiving))));
    a.list([]);
    b.send(Event::Init);
    b.fail(status(500, "Broken"));
    assert_eq!(lines(&mut poller), ["error b Other"], "it may be there: wait");
    b.fail(forbidden());
    assert_eq!(lines(&mut poller), ["error b Forbidden", "synced  | "]);
    b.send(Event::InitApply(object("n/y", 1)));
    assert!(lines(&mut poller).is_empty());
    b.fail(forbidden());
    b.send(Event::InitApply(object("n/z", 1)));
    b.send(Event::InitDone);
    assert_eq!(lines(&mut poller), ["error b Forbidden", "live  | +n/y@1 +n/z@1"]);
    b.fail(status(404, "NotFound"));
    assert!(lines(&mut poller).is_empty());

    // The received part is a pending list.
    let ((a, one), (b, two)) = (pipeline(), pipeline());
    let mut poller = Poller::new(world((("a", one), ("b", two.optional()))));
    a.list([]);
    b.send(Event::Init);
    b.send(Event::InitApply(object("n/y", 1)));
    b.fail(forbidden());
    assert_eq!(lines(&mut poller), ["error b Forbidden"]);
    b.send(Event::InitDone);
    assert_eq!(lines(&mut poller), ["synced  | n/y@1"]);
}

/// A document of a name at a version.
fn document(name: &str, version: u32) -> Document {
    let metadata =
        json!({ "namespace": "n", "name": name, "resourceVersion": version.to_string() });
    Document::from_json(&json!({ "metadata": metadata }).to_string()).unwrap()
}

fn told(world: &World<ByName>) -> Vec<String> {
    let kind = |(name, own): (&str, &Snapshot<Document>)| {
        let objects = own.iter().map(|object| object.name().to_owned());
        format!("{name}: {}", objects.collect::<Vec<_>>().join(" "))
    };
    world.kinds().iter().map(kind).collect()
}

/// SEMANTICS: O4, O5
#[test]
fn kinds_come_and_go_while_the_world_runs() {
    let open = |objects: Vec<Document>| Events::listed(objects).stay_open().index(());
    let kinds = Kinds::new().add("b", open(vec![document("y", 1)]));
    let handle = kinds.handle();
    let worlds = world(kinds.add("a", open(vec![document("x", 1)])));
    let store = worlds.store();
    let mut poller = Poller::new(worlds);
    let items = poller.drain();
    assert!(matches!(&items[..], [Ok(WorldChange::Synced(_))]), "{items:?}");
    assert_eq!(told(&store.world()), ["a: x", "b: y"]);

    // The kind joins when it is complete.
    let (sender, events) = futures::channel::mpsc::unbounded();
    handle.add("c", events.index(()));
    assert_eq!(poller.wakes(), 1);
    assert!(poller.drain().is_empty());
    let send = |event: Event<Document>| sender.unbounded_send(event).unwrap();
    [Event::Init, Event::InitApply(document("z", 1)), Event::InitDone].into_iter().for_each(send);
    let items = poller.drain();
    let [Ok(WorldChange::Live(batch))] = &items[..] else { panic!("{items:?}") };
    assert_eq!(batch.kind("c").unwrap().stats().created, 1);
    assert!(batch.kind("a").is_none());
    assert_eq!(told(batch.after()), ["a: x", "b: y", "c: z"]);

    // A replaced kind stays until the new one is complete.
    let (other, events) = futures::channel::mpsc::unbounded();
    handle.add("a", events.index(()));
    assert!(poller.drain().is_empty());
    assert_eq!(told(&store.world()), ["a: x", "b: y", "c: z"]);
    for event in [Event::Init, Event::InitApply(document("w", 2)), Event::InitDone] {
        other.unbounded_send(event).unwrap();
    }
    let items = poller.drain();
    let [Ok(WorldChange::Live(batch))] = &items[..] else { panic!("{items:?}") };
    let stats = batch.kind("a").unwrap().stats();
    assert_eq!((stats.created, stats.modified, stats.deleted), (1, 0, 1));

    handle.remove("b");
    handle.remove("nothing");
    let items = poller.drain();
    let [Ok(WorldChange::Live(batch))] = &items[..] else { panic!("{items:?}") };
    assert_eq!((batch.stats().deleted, batch.kinds().iter().count()), (1, 1));
    assert_eq!(told(&store.world()), ["a: w", "c: z"]);
    assert_eq!(store.report().kinds.len(), 2);

    // A kind without objects is a change, too.
    handle.add("empty", open(vec![]));
    let items = poller.drain();
    let [Ok(WorldChange::Live(batch))] = &items[..] else { panic!("{items:?}") };
    assert_eq!(batch.stats().total(), 0);
    assert!(batch.after().kind("empty").is_some());

    handle.remove("empty");
    poller.drain();
    drop((sender, other));
    assert!(poller.drain().is_empty() && poller.poll().is_pending(), "more may come");
    poller.wakes();
    drop(handle);
    assert_eq!(poller.wakes(), 1);
    assert!(matches!(poller.poll(), Poll::Ready(None)));
}

#[test]
fn a_missing_kind_can_be_given_up_and_no_kind_is_a_world() {
    let never = Events::<Document>::new().stay_open().index(());
    let kinds = Kinds::new().add("never", never);
    let handle = kinds.handle();
    let mut poller = Poller::new(world(kinds));
    assert!(poller.drain().is_empty());
    handle.remove("never");
    let items = poller.drain();
    assert!(matches!(&items[..], [Ok(WorldChange::Synced(world))] if world.kinds().is_empty()));
    drop(handle);
    assert!(matches!(poller.poll(), Poll::Ready(None)));
}

/// SEMANTICS: O4
#[tokio::test]
async fn consumers_of_stores_make_a_world_too() {
    let pipeline =
        stream::iter([Event::Init, Event::InitApply(object("n/x", 1)), Event::InitDone]).index(());
    let other = Events::listed([object("n/y", 1)]).index(());
    let changes = pipeline.store().changes();
    let mut worlds = pin!(world((("a", changes), ("b", other))));
    pipeline.for_each(|_| async {}).await;
    let world = worlds.first_synced().await.unwrap();
    assert_eq!(whole(&world), "n/x@1 | n/y@1");
}

/// A stream that counts its polls.
struct Counted<S>(S, Arc<AtomicUsize>);

impl<S: Stream + Unpin> Stream for Counted<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.poll_next_unpin(cx)
    }
}

#[test]
fn only_pipelines_that_were_woken_are_polls() {
    let counts: [Arc<AtomicUsize>; 3] = Default::default();
    let counted = |at: usize| {
        let (feed, events) = feed();
        (feed, Counted(events, Arc::clone(&counts[at])).index(()))
    };
    let ((a, one), (b, two), (c, three)) = (counted(0), counted(1), counted(2));
    let mut poller = Poller::new(world((("a", one), ("b", two), ("c", three))));
    for feed in [&a, &b, &c] {
        feed.list([]);
    }
    assert_eq!(poller.drain().len(), 1);
    let polls = || counts.each_ref().map(|count| count.swap(0, Ordering::SeqCst));
    polls();
    assert!(poller.poll().is_pending());
    assert_eq!((polls(), poller.wakes()), ([0, 0, 0], 0));
    b.apply("n/x", 1);
    assert_eq!(poller.wakes(), 1);
    assert!(poller.poll().is_ready() && poller.poll().is_pending());
    let counts = polls();
    assert!(counts[0] == 0 && counts[2] == 0 && counts[1] <= 3, "{counts:?}");
    assert_eq!(poller.wakes(), 0, "it is idle");
}

#[test]
fn a_kind_that_never_rests_leaves_the_others_their_turn() {
    let mut version = 0;
    let storm =
        stream::iter([Event::Init, Event::InitDone]).chain(stream::repeat_with(move || {
            version += 1;
            Event::Apply(object("n/storm", version))
        }));
    let failing = stream::repeat_with(|| Err::<Event<ConfigMap>, _>(forbidden()));
    let (feed, quiet) = pipeline();
    let optional = failing.index(()).optional_if(Error::is_forbidden);
    let worlds = world((("a", storm.index(())), ("b", quiet), ("c", optional)));
    let mut poller = Poller::new(worlds);
    feed.list([]);
    let mut synced = false;
    for _ in 0..20 {
        synced |= matches!(poller.poll(), Poll::Ready(Some(Ok(WorldChange::Synced(_)))));
    }
    assert!(synced);
    feed.apply("n/x", 1);
    let mut seen = (false, false, false);
    for _ in 0..20 {
        match poller.poll() {
            Poll::Ready(Some(Ok(WorldChange::Live(batch)))) => {
                seen.0 |= batch.kinds().0.is_some();
                seen.1 |= batch.kinds().1.is_some();
            }
            Poll::Ready(Some(Err(error))) => seen.2 |= error.of_kind() == Some("c"),
            _ => {}
        }
    }
    assert_eq!(seen, (true, true, true));
}

/// SEMANTICS: O6
#[test]
fn a_world_says_what_would_be_in_all_kinds() {
    let ingress = |name: &str, host: &str| -> Ingress {
        let metadata = json!({ "namespace": "n", "name": name });
        let rules = json!([{ "host": host }]);
        serde_json::from_value(json!({ "metadata": metadata, "spec": { "rules": rules } })).unwrap()
    };
    let host = Index::path("spec.rules[*].host").unwrap();
    let ingresses = Snapshot::from_objects(&host, [ingress("a", "a.example")]).unwrap();
    let objects = [object("n/x", 1), object("n/y", 1)];
    let config = Snapshot::from_objects((), objects).unwrap();
    let world = World::from_kinds((ingresses, config));
    let what_if = world
        .overlay()
        .apply(ingress("b", "a.example"))
        .unwrap()
        .apply(object("n/x", 2))
        .unwrap()
        .delete::<ConfigMap, _>(("n", "y"))
        .build();
    assert!(what_if.kinds().0.by(&host).get_one("a.example").unwrap_err().is_ambiguous());
    assert_eq!(state(&what_if.kinds().1), ["n/x@2"]);
    assert_eq!(state(&world.kinds().1), ["n/x@1", "n/y@1"]);
    let error = world.overlay().apply(ConfigMap::default()).unwrap_err();
    assert_eq!((error.of_kind(), error.is_undecodable()), (Some("ConfigMap"), true));

    let without = |overlay: WorldOverlay<(Snapshot<Ingress>, _)>| state(&overlay.build().kinds().1);
    let key = ObjectKey::new("n", "y");
    let overlay = || world.overlay();
    assert_eq!(without(overlay().delete::<ConfigMap, _>("n/y")), ["n/x@1"]);
    assert_eq!(without(overlay().delete::<ConfigMap, _>(&key)), ["n/x@1"]);
    // The key finds no object of another kind.
    assert_eq!(without(overlay().delete::<Ingress, _>(key)), ["n/x@1", "n/y@1"]);

    let own = Snapshot::from_objects((), [document("x", 1)]).unwrap();
    let world = World::from_kinds(ByName::from_iter([("things", own)]));
    let what_if = world.overlay().apply_to("things", document("y", 1)).unwrap();
    let key = ObjectKey::new("n", "x");
    for what_if in [
        what_if.clone().delete_from("things", "n/x"),
        what_if.clone().delete_from("things", ("n", "x")),
        what_if.delete_from("things", &key),
    ] {
        assert_eq!(told(&what_if.unwrap().build()), ["things: y"]);
    }
    assert!(world.overlay().delete_from("others", &key).unwrap_err().is_resource());
    assert_eq!(told(&world), ["things: x"]);
    let error = world.overlay().apply_to("others", document("y", 1)).unwrap_err();
    assert!(error.is_resource());
    assert_eq!(error.to_string(), "no kind `others` in the world; there are: things");
}

/// Returns the objects of each kind, as versions by name.
type Model = [BTreeMap<String, String>; 2];

fn shown(world: &World<Two>) -> Model {
    let own = |snapshot: &Snapshot<ConfigMap>| {
        snapshot.iter().map(|object| (crate::support::name(object), versioned(object))).collect()
    };
    [own(&world.kinds().0), own(&world.kinds().1)]
}

proptest! {
    /// SEMANTICS: O4
    #[test]
    fn the_batches_of_a_world_replay_to_its_snapshots(
        // Kind, object, operation, and delay; sometimes a failure or a relist.
        steps in proptest::collection::vec((0..2_usize, 0..4_u8, 0..8_u8, 0..80_u64), 1..60),
        quiet in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let ((a, one), (b, two)) = (pipeline(), pipeline());
            let feeds = [a, b];
            let debounce =
                if quiet { Debounce::quiet(30 * MS).into() } else { Debounce::interval(50 * MS) };
            let worlds = world((("a", one), ("b", two)));
            let store = worlds.store();
            let mut poller = Poller::new(worlds.debounce(debounce));
            feeds[0].list([]);
            feeds[1].list([object("n/0", 1)]);
            let mut truth: Model = Default::default();
            truth[1].insert("n/0".into(), "n/0@1".into());
            let mut replay: Option<(Model, u64)> = None;
            let mut take = |items: Vec<Result<WorldChange<Two>, Error>>| {
                for item in items {
                    match item {
                        Err(error) => prop_assert!(error.of_kind().is_some()),
                        Ok(WorldChange::Synced(world)) => {
                            prop_assert!(replay.is_none());
                            replay = Some((shown(&world), world.generation()));
                        }
                        Ok(WorldChange::InitialSync(_)) => prop_assert!(false),
                        Ok(WorldChange::Live(batch)) => {
                            let (model, generation) = replay.as_mut().expect("after Synced");
                            prop_assert_eq!(&shown(batch.before()), &*model);
                            prop_assert!(batch.after().generation() > *generation);
                            *generation = batch.after().generation();
                            let kinds = batch.kinds();
                            prop_assert!(kinds.0.is_some() || kinds.1.is_some());
                            for (own, batch) in model.iter_mut().zip([&kinds.0, &kinds.1]) {
                                for delta in batch.iter().flat_map(Batch::deltas) {
                                    let key = crate::support::name(delta.object());
                                    match delta.after() {
                                        Some(new) => own.insert(key, versioned(new)),
                                        None => own.remove(&key),
                                    };
                                }
                            }
                            prop_assert_eq!(&*model, &shown(batch.after()));
                        }
                    }
                }
                Ok(())
            };
            for (version, (kind, key, op, pause)) in steps.iter().enumerate() {
                let (feed, own) = (&feeds[*kind], &mut truth[*kind]);
                let version = u32::try_from(version).unwrap() + 2;
                let identity = format!("n/{key}");
                match op {
                    0 => feed.fail(forbidden()),
                    1 => {
                        own.retain(|other, _| *other == identity);
                        feed.list(own.keys().map(|identity| object(identity, version)));
                        for value in own.values_mut() {
                            *value = format!("{identity}@{version}");
                        }
                    }
                    2 | 3 => {
                        feed.delete(&identity, version);
                        own.remove(&identity);
                    }
                    _ => {
                        feed.apply(&identity, version);
                        own.insert(identity.clone(), format!("{identity}@{version}"));
                    }
                }
                if *pause > 20 {
                    take(poller.drain())?;
                    prop_assert_eq!(&shown(&store.world()), &truth);
                    advance(Duration::from_millis(*pause)).await;
                    take(poller.drain())?;
                }
            }
            drop(feeds);
            take(poller.drain())?;
            let (last, _) = replay.expect("it was synced");
            prop_assert_eq!(&last, &truth);
            prop_assert_eq!(&shown(&store.world()), &truth);
            Ok::<_, TestCaseError>(())
        })?;
    }
}

/// SEMANTICS: O4
#[tokio::test(start_paused = true)]
async fn a_world_is_of_one_moment_on_a_server() {
    let server = ApiServer::new();
    let client = server.client();
    let worlds = world((
        watch(Api::<Service>::all(client.clone())).index(()),
        watch(Api::<Ingress>::all(client.clone())).index(()),
        watch(Api::<ConfigMap>::all(client)).index(()),
    ));
    let store = worlds.store();
    let started = Instant::now();
    let mut changes = pin!(worlds.debounce(500 * MS).log_errors());
    let world = timeout(LONG, changes.first_synced()).await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(View::names(world.kinds()).len(), 3);

    for number in 0..10 {
        server.apply(&service(&format!("web-{number}"))).unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "n", "name": format!("web-{number}") },
        });
        server.apply(&config).unwrap();
    }
    let mut items = 0;
    loop {
        let change = timeout(LONG, changes.next()).await.unwrap().unwrap();
        items += 1;
        let (services, _, config) = change.world().kinds();
        if services.len() + config.len() == 20 {
            break;
        }
    }
    assert!(items <= 2, "{items} items");
    assert!(
        store
            .world()
            .resource_versions()
            .iter()
            .all(|(name, version)| { version.is_some() == (&**name != "Ingress") })
    );
}
