//! Index and store: SEMANTICS section I.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
};

use futures::{StreamExt, stream};
use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};
use kube::runtime::watcher::Event;
use kube_weir::{Document, EventStreamExt, Index, Key, ObjectKey, Snapshot};
use serde_json::json;

use crate::support::{Poller, feed, labelled, name, object, reborn, state, versioned};

fn names<'a>(hits: impl Iterator<Item = &'a std::sync::Arc<ConfigMap>>) -> Vec<String> {
    hits.map(|object| name(object)).collect()
}

fn identity() -> Index<ConfigMap> {
    Index::paths(["metadata.namespace", "metadata.name"]).unwrap()
}

fn app() -> Index<ConfigMap> {
    Index::path("metadata.labels.app").unwrap()
}

/// Returns the equivalent of [`identity`] by a closure, which has its own entries.
fn closure() -> Index<ConfigMap> {
    Index::with(|object: &ConfigMap| {
        object.metadata.namespace.is_some().then(|| ObjectKey::of(object))
    })
}

/// Returns the panic message of a call.
fn panic_of<T>(call: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(call)).map(drop).unwrap_err();
    payload.downcast_ref::<String>().expect("a formatted message").clone()
}

/// SEMANTICS: I2
#[test]
fn fewer_parts_are_a_prefix_and_more_are_a_mistake() {
    let objects = ["a/x", "a/y", "b/x"].map(|identity| object(identity, 1));
    for index in [identity(), identity().numeric(), closure()] {
        let index = index.named("own");
        let snapshot = Snapshot::from_objects(&index, objects.clone()).unwrap();
        let view = snapshot.by(&index);
        assert_eq!(names(view.get("a")), ["a/x", "a/y"]);
        assert_eq!(names(view.get(("a", "y"))), ["a/y"]);
        assert_eq!(names(view.get(ObjectKey::new("a", "y"))), ["a/y"]);
        assert_eq!(names(view.get(())), ["a/x", "a/y", "b/x"]);
        assert_eq!(view.get("c").count(), 0);

        let many = ["a", "x", "more"];
        let message = "index `own` has 2 key parts, not 3";
        assert_eq!(panic_of(|| view.get(many)), message);
        assert_eq!(panic_of(|| view.get_one(many)), message);
        assert_eq!(panic_of(|| view.starts_with(many)), message);
        assert_eq!(panic_of(|| view.range(many..)), message);
        assert_eq!(panic_of(|| view.range(..=many)), message);
        let error = view.try_get(many).unwrap_err();
        assert!(error.is_index());
        assert_eq!(error.to_string(), message);
        assert_eq!(names(view.try_get("a").unwrap()), ["a/x", "a/y"]);
    }
}

/// SEMANTICS: I2
#[test]
fn an_index_that_is_not_there_is_named_and_so_are_those_that_are() {
    let snapshot = Snapshot::from_objects((app(), identity().named("own")), []).unwrap();
    let there = "there are: metadata.labels.app, own; pass it to `.index(..)`";
    for other in [
        Index::path("spec.nodeName").unwrap(),
        app().named("app"),
        app().numeric(),
        app().max_keys(1),
        closure(),
        Index::with(|object: &ConfigMap| object.metadata.labels.as_ref()?.get("app").cloned()),
    ] {
        let message = format!("no index `{}`; {there}", other.name());
        assert_eq!(panic_of(|| snapshot.by(&other)), message);
    }
    let error = snapshot.by_name("app").unwrap_err();
    assert!(error.is_index());
    assert_eq!(error.to_string(), format!("no index `app`; {there}"));
    assert_eq!(snapshot.by_name("own").unwrap().index(), &identity().named("own"));

    let none = Snapshot::from_objects((), [object("a/x", 1)]).unwrap();
    let message = "no index `metadata.labels.app`, and no other; pass it to `.index(..)`";
    assert_eq!(panic_of(|| none.by(&app())), message);
    assert_eq!(none.by_name("metadata.labels.app").unwrap_err().to_string(), message);
}

/// SEMANTICS: I2
#[test]
fn one_object_or_none_or_ambiguous() {
    let objects = ["a/x", "a/y"].map(|identity| object(identity, 1));
    for index in [identity(), closure()] {
        let snapshot = Snapshot::from_objects(&index, objects.clone()).unwrap();
        let view = snapshot.by(&index);
        assert_eq!(versioned(view.get_one(("a", "x")).unwrap().unwrap()), "a/x@1");
        assert!(view.get_one(("a", "z")).unwrap().is_none());
        let error = view.get_one("a").unwrap_err();
        assert!(error.is_ambiguous());
        assert_eq!(
            error.to_string(),
            format!("2 objects under one key of index `{}`", index.name())
        );
    }
}

/// Handles are equal if their definitions are, wherever they were created.
///
/// SEMANTICS: I2
#[test]
fn equal_handles_find_the_same_index() {
    let objects = [labelled("a/x", 1, "app", "7"), labelled("a/y", 1, "app", "07")];
    let by_closure = closure();
    let all =
        (app(), app().numeric(), &by_closure, app().named("other"), app(), by_closure.clone());
    let snapshot = Snapshot::from_objects(all, objects).unwrap();
    for own in [app(), app().numeric(), app().named("other")] {
        assert_eq!(names(snapshot.by(&own).get("7")), ["a/x"]);
    }
    assert_eq!(names(snapshot.by(&by_closure).get("a")), ["a/x", "a/y"]);
    // The order of the keys is significant.
    let keys = |index: &Index<ConfigMap>| -> Vec<String> {
        snapshot.by(index).keys().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        (keys(&app()), keys(&app().numeric())),
        (vec!["07".into(), "7".into()], vec!["7".into(), "07".into()])
    );
}

/// SEMANTICS: I2
#[tokio::test]
async fn indexes_of_one_name_are_distinguished() {
    let name = Index::path("metadata.name").unwrap().named("own");
    let label = app().named("own");
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index([&name, &label, &name]));
    feed.list([labelled("a/x", 1, "app", "web")]);
    poller.drain();
    let store = poller.stream.store();
    let snapshot = store.snapshot();
    assert_eq!(names(snapshot.by(&name).get("x")), ["a/x"]);
    assert_eq!(names(snapshot.by(&label).get("web")), ["a/x"]);
    assert_eq!(snapshot.by_name("own").unwrap().index(), &name);
    assert_eq!(snapshot.by_name("own#2").unwrap().index(), &label);
    assert!(snapshot.by_name("own#3").unwrap_err().is_index());
    let report = store.report();
    assert_eq!(
        report.indexes.iter().map(|index| &*index.name).collect::<Vec<_>>(),
        ["own", "own#2"]
    );
}

/// Indexes from a configuration, and lookups in them.
///
/// SEMANTICS: I2
#[test]
fn a_configuration_has_indexes() {
    #[derive(serde::Deserialize)]
    struct Config {
        indexes: Vec<Index<Document>>,
        /// An index, and the parts of a key.
        lookups: Vec<(String, Vec<String>)>,
    }

    let config: Config = serde_json::from_value(json!({
        "indexes": [
            "metadata.namespace, spec.nodeName",
            ["metadata.labels.app"],
            { "paths": ["spec.ports[*]"], "name": "port", "numeric": true, "max_keys": 2 },
        ],
        "lookups": [
            ["metadata.namespace,spec.nodeName", ["a"]],
            ["metadata.namespace,spec.nodeName", ["a", "node-1"]],
            ["metadata.labels.app", ["web"]],
            ["port", ["443"]],
            ["port", []],
        ],
    }))
    .unwrap();
    let document = |name: &str, ports: &[u16]| {
        let metadata = json!({ "namespace": "a", "name": name, "labels": { "app": "web" } });
        let spec = json!({ "nodeName": "node-1", "ports": ports });
        Document::from_json(&json!({ "metadata": metadata, "spec": spec }).to_string()).unwrap()
    };
    let objects = [document("x", &[443, 80]), document("y", &[443]), document("z", &[1, 2, 443])];
    let snapshot = Snapshot::from_objects(&config.indexes, objects).unwrap();
    let mut found = Vec::new();
    for (index, key) in &config.lookups {
        let view = snapshot.by_name(index).unwrap();
        found.push(view.try_get(key).unwrap().map(|object| object.name()).collect::<String>());
        assert!(config.indexes.contains(view.index()));
    }
    assert_eq!(found, ["xyz", "xyz", "xyz", "xy", "xy"]);
    let keys = snapshot.by_name("port").unwrap().keys();
    assert_eq!(keys, [80, 443].map(Key::numeric));
    assert!(snapshot.by_name("port").unwrap().try_get(["1", "2"]).unwrap_err().is_index());
    // Indexes are written in the form in which they are read.
    let written = serde_json::to_value(&config.indexes).unwrap();
    assert_eq!(serde_json::from_value::<Vec<Index<Document>>>(written).unwrap(), config.indexes);
}

/// SEMANTICS: I3, I7
#[test]
fn results_are_sorted_and_each_object_is_there_once() {
    let ingress = |identity: &str, hosts: &[&str]| -> Ingress {
        let (namespace, name) = identity.split_once('/').unwrap();
        let rules: Vec<_> = hosts.iter().map(|host| json!({ "host": host })).collect();
        let metadata = json!({ "namespace": namespace, "name": name });
        serde_json::from_value(json!({ "metadata": metadata, "spec": { "rules": rules } })).unwrap()
    };
    let host = Index::<Ingress>::path("spec.rules[*].host").unwrap();
    let in_namespace = Index::paths(["metadata.namespace", "spec.rules[*].host"]).unwrap();
    let objects = [
        ingress("b/1", &["shared.example", "b.example"]),
        ingress("a/2", &["shared.example", "shared.example", "z.example"]),
        ingress("a/1", &["z.example", "shared.example"]),
    ];
    let snapshot = Snapshot::from_objects((&host, &in_namespace), objects).unwrap();
    let names = |hits: kube_weir::Hits<'_, Ingress>| -> Vec<String> {
        let name = |object: &Ingress| object.metadata.clone();
        hits.map(|object| name(object))
            .map(|meta| format!("{}/{}", meta.namespace.unwrap(), meta.name.unwrap()))
            .collect()
    };
    let by_host = snapshot.by(&host);
    assert_eq!(names(by_host.get("shared.example")), ["a/1", "a/2", "b/1"]);
    assert_eq!(names(by_host.get("b.example")), ["b/1"]);
    // A prefix that covers several keys of one object.
    assert_eq!(names(snapshot.by(&in_namespace).get("a")), ["a/1", "a/2"]);
    assert_eq!(names(by_host.get(())), ["a/1", "a/2", "b/1"]);
    assert_eq!(by_host.keys(), ["b.example", "shared.example", "z.example"].map(Key::new));
    let all: Vec<_> = snapshot.iter().map(|object| object.metadata.name.clone().unwrap()).collect();
    assert_eq!(all, ["1", "2", "1"]);
}

/// SEMANTICS: I4
#[tokio::test]
async fn removing_one_leaves_its_siblings() {
    let objects: Vec<_> = (0..5).map(|i| labelled(&format!("a/{i}"), 1, "app", "web")).collect();
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    feed.list(objects);
    poller.drain();
    feed.delete("a/2", 9);
    poller.drain();
    let snapshot = poller.stream.store().snapshot();
    assert_eq!(names(snapshot.by(&app()).get("web")), ["a/0", "a/1", "a/3", "a/4"]);
    assert_eq!(names(snapshot.in_namespace("a")), ["a/0", "a/1", "a/3", "a/4"]);
}

/// SEMANTICS: I5
#[tokio::test]
async fn an_object_moves_from_key_to_key_in_one_snapshot() {
    let (app, by_closure) = (app(), closure());
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((&app, identity(), &by_closure)));
    feed.list([labelled("a/x", 1, "app", "old"), labelled("a/y", 1, "app", "old")]);
    poller.drain();
    feed.send(Event::Apply(labelled("a/x", 2, "app", "new")));
    let changes = poller.drain();
    let batch = changes[0].as_ref().unwrap().batch().unwrap();
    let snapshot = batch.after();
    assert_eq!(names(snapshot.by(&app).get("old")), ["a/y"]);
    assert_eq!(names(snapshot.by(&app).get("new")), ["a/x"]);
    assert_eq!(batch.touched(&app), ["new", "old"].map(Key::new).into());
    for identity in [&identity(), &by_closure] {
        assert_eq!(batch.touched(identity), [Key::new(("a", "x"))].into());
    }
    let message = panic_of(|| batch.touched(&Index::path("spec.nowhere").unwrap()));
    assert!(
        message.starts_with("no index `spec.nowhere`; there are: metadata.labels.app"),
        "{message}"
    );
    // The previous snapshot still has the object under its old key.
    assert_eq!(names(batch.before().by(&app).get("old")), ["a/x", "a/y"]);
}

/// Every change of an object touches its keys before and after.
///
/// SEMANTICS: I5
#[tokio::test]
async fn added_and_removed_objects_touch_their_keys() {
    let values = Index::path("data.*").unwrap().numeric();
    let with = |identity: &str, version: u32, values: &[&str]| {
        let mut config = object(identity, version);
        let values = values.iter().map(|value| (format!("of-{value}"), (*value).to_owned()));
        config.data = Some(values.collect());
        config
    };
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((&values, identity())));
    feed.list([]);
    poller.drain();
    for (event, touched, identities) in [
        (Event::Apply(with("a/x", 1, &["10", "9"])), "9 10", "a, x"),
        (Event::Apply(with("a/x", 2, &["9", "7"])), "7 9 10", "a, x"),
        (Event::Apply(with("one", 3, &["7"])), "7", ""), // it has no namespace, and so no key there
        (Event::Apply(with("one", 4, &[])), "7", ""),
        (Event::Delete(with("a/x", 5, &[])), "7 9", "a, x"),
    ] {
        feed.send(event);
        let items = poller.drain();
        let batch = items[0].as_ref().unwrap().batch().unwrap();
        let text = |index: &Index<ConfigMap>| -> String {
            batch.touched(index).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((&*text(&values), &*text(&identity())), (touched, identities));
    }
}

/// SEMANTICS: I6
#[tokio::test]
async fn an_object_without_a_key_is_kept_and_counted() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((identity(), app())));
    feed.list([labelled("a/x", 1, "app", "web"), object("a/y", 1), object("cluster-wide", 1)]);
    poller.drain();
    let store = poller.stream.store();
    let snapshot = store.snapshot();
    assert_eq!(state(&snapshot), ["cluster-wide@1", "a/x@1", "a/y@1"]);
    assert!(snapshot.get(("a", "y")).is_some());
    assert!(snapshot.get(("", "cluster-wide")).is_some());
    assert_eq!(names(snapshot.by(&app()).get(())), ["a/x"]);
    // Without a namespace there is no key of (namespace, name), not even one with an empty part.
    let by_identity = snapshot.by(&identity());
    assert_eq!(names(by_identity.get(())), ["a/x", "a/y"]);
    assert_eq!(by_identity.get("").count(), 0);
    assert_eq!(by_identity.get(("", "cluster-wide")).count(), 0);
    assert_eq!(by_identity.keys(), [("a", "x"), ("a", "y")].map(Key::new));
    // Without an index the object is found, too.
    assert_eq!(names(snapshot.in_namespace("")), ["cluster-wide"]);

    let counted = |store: &kube_weir::Store<ConfigMap>| -> Vec<(usize, usize)> {
        store.report().indexes.iter().map(|index| (index.entries, index.absent)).collect()
    };
    assert_eq!(counted(&store), [(2, 1), (1, 2)]);
    feed.send(Event::Apply(labelled("a/y", 2, "app", "web")));
    feed.delete("cluster-wide", 3);
    poller.drain();
    assert_eq!(counted(&store), [(2, 0), (2, 0)]);
}

/// SEMANTICS: B1
#[tokio::test]
async fn an_object_with_too_many_keys_is_kept_without_and_named() {
    let with = |version: u32, count: usize| {
        let mut config = object("a/x", version);
        config.data = Some((0..count).map(|key| (key.to_string(), key.to_string())).collect());
        config
    };
    let pairs = Index::paths(["data.*", "data.*"]).unwrap().named("pairs");
    let name = Index::path("metadata.name").unwrap();
    let counted = |store: &kube_weir::Store<ConfigMap>| {
        let pairs = &store.report().indexes[1];
        (pairs.entries, pairs.absent, pairs.overflowing)
    };
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index((&name, &pairs)));
    let store = poller.stream.store();
    // 100 x 100 combinations are the default maximum.
    feed.list([with(1, 101)]);
    for (version, count, wanted) in
        [(1, 101, (0, 1, 1)), (2, 100, (10_000, 0, 0)), (3, 20_000, (0, 1, 1)), (4, 0, (0, 1, 0))]
    {
        if version > 1 {
            feed.send(Event::Apply(with(version, count)));
        }
        let items = poller.drain();
        assert_eq!(counted(&store), wanted, "{count}");
        let snapshot = store.snapshot();
        assert_eq!(snapshot.by(&name).get("x").count(), 1, "it is in the other index");
        let (changes, errors): (Vec<_>, Vec<_>) = items.into_iter().partition(Result::is_ok);
        assert_eq!((changes.len(), errors.len()), (1, wanted.2), "{count}");
        for error in errors.into_iter().filter_map(Result::err) {
            assert!(error.is_too_many_keys() && error.object() == Some(("a", "x")), "{error}");
            let text = "object a/x has more than 10000 keys in index `pairs`, or too long ones, and so none";
            assert_eq!(error.to_string(), text);
        }
        let Some(Ok(change)) = changes.last() else { panic!() };
        let touched = change.batch().map(|batch| batch.touched(&pairs).len());
        // Keys of the previous version are gone, and new ones are added.
        assert_eq!(touched, [None, Some(10_000), Some(10_000), Some(0)][version as usize - 1]);
    }
    assert!(store.report().last_error.is_none());
}

/// A long value is in the key of each combination. Without a limit, an object of 1 MiB could have keys of
/// 5 GB.
///
/// SEMANTICS: B1
#[test]
fn a_long_value_is_combined_with_few() {
    let with = |long: usize, count: usize| {
        let value = json!({
            "metadata": { "name": "x", "resourceVersion": "1" },
            "data": "x".repeat(long), "list": (0..count).collect::<Vec<_>>(),
        });
        Document::from_json(&value.to_string()).unwrap()
    };
    let by_paths = Index::paths(["data", "list[*]"]).unwrap();
    // The number of objects under any key.
    let indexed = |index: &Index<Document>, object: Document| {
        let snapshot = Snapshot::from_objects(index, [object]).unwrap();
        snapshot.by(index).get(()).count()
    };
    for (long, count, is_indexed) in [
        (500_000, 10_000, false),
        (500_000, 1, true),
        (250, 10_000, true),
        (260, 10_000, false),
        (1, 10_001, false),
    ] {
        let found = indexed(&by_paths, with(long, count));
        assert_eq!(found, usize::from(is_indexed), "{long} bytes with {count}");
    }
    let by_closure = Index::with(|object: &Document| {
        let object = object.to_value();
        let long = object["data"].as_str().unwrap_or_default().to_owned();
        let list = object["list"].as_array().cloned().unwrap_or_default();
        list.into_iter().map(move |own| (long.clone(), own.to_string()))
    });
    for (long, count, is_indexed) in [(100_000, 4_000, false), (100_000, 20, true)] {
        let found = indexed(&by_closure, with(long, count));
        assert_eq!(found, usize::from(is_indexed), "{long} bytes with {count}, by a closure");
    }
    // A few long keys are allowed, even with a low maximum number.
    for (most, is_indexed) in [(2, true), (1, false)] {
        let found = indexed(&by_paths.clone().max_keys(most), with(400_000, 2));
        assert_eq!(found, usize::from(is_indexed), "{most}");
    }
    // The values of a single path take no more memory than the object.
    let one = Index::path("data").unwrap().max_keys(1);
    assert_eq!(indexed(&one, with(3_000_000, 0)), 1);
}

/// An index by a closure reads only a limited number of keys from an endless iterator.
///
/// SEMANTICS: B1
#[test]
fn keys_without_end_are_too_many() {
    let endless = Index::with(|_: &ConfigMap| 0_u64..);
    let snapshot = Snapshot::from_objects(&endless, [object("a/x", 1)]).unwrap();
    assert_eq!((snapshot.len(), snapshot.by(&endless).get(()).count()), (1, 0));
}

/// SEMANTICS: I8
#[tokio::test]
async fn a_snapshot_never_changes() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    feed.list((0..100).map(|i| labelled(&format!("a/{i:02}"), 1, "app", "web")));
    poller.drain();
    let held = poller.stream.store().snapshot();
    let before = state(&held);
    for i in 0..100 {
        match i % 3 {
            0 => feed.delete(&format!("a/{i:02}"), 2),
            1 => feed.apply(&format!("a/{i:02}"), 2),
            _ => feed.apply(&format!("b/{i:02}"), 2),
        }
    }
    poller.drain();
    assert_eq!(state(&held), before);
    assert_eq!(held.by(&app()).get("web").count(), 100);
    assert_ne!(state(&poller.stream.store().snapshot()), before);
}

/// SEMANTICS: I8
#[test]
fn a_reader_sees_all_of_a_batch_or_nothing_of_it() {
    use std::sync::atomic::{AtomicBool, Ordering};

    const OBJECTS: u32 = 50;
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    let round = |version: u32| {
        (0..OBJECTS)
            .map(move |i| labelled(&format!("a/{i:02}"), version, "app", &version.to_string()))
    };
    feed.list(round(0));
    poller.drain();
    let store = poller.stream.store();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                let snapshot = store.snapshot();
                let version = snapshot.iter().next().unwrap().metadata.resource_version.clone();
                let version = version.unwrap();
                assert_eq!(snapshot.by(&app()).get(&version).count(), OBJECTS as usize);
                assert!(snapshot.iter().all(|object| {
                    object.metadata.resource_version.as_deref() == Some(&version)
                }));
                rounds += 1;
            }
            rounds
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for version in 1..200 {
            round(version).for_each(|object| feed.send(Event::Apply(object)));
            assert_eq!(poller.drain().len(), 1, "one run of events is one change");
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}

/// SEMANTICS: I9
#[tokio::test]
async fn the_same_version_again_is_no_change() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    feed.list([object("a/x", 1), object("a/y", 1)]);
    poller.drain();
    let store = poller.stream.store();
    let before = store.snapshot();
    feed.apply("a/x", 1);
    feed.list([object("a/y", 1), object("a/x", 1)]);
    assert!(poller.drain().is_empty());
    let after = store.snapshot();
    for (old, new) in before.iter().zip(after.iter()) {
        assert!(std::sync::Arc::ptr_eq(old, new), "a relist keeps what did not change");
    }
}

/// Without a resourceVersion no object counts as the same version.
/// SEMANTICS: I9
#[tokio::test]
async fn objects_without_versions_always_change() {
    let unversioned = || {
        let mut object = object("a/x", 1);
        object.metadata.resource_version = None;
        object
    };
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    feed.list([unversioned()]);
    poller.drain();
    feed.send(Event::Apply(unversioned()));
    assert_eq!(poller.lines(), ["live ~a/x@-->a/x@-"]);
}

/// SEMANTICS: I10
#[tokio::test]
async fn a_delete_goes_by_identity_alone() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    feed.list([labelled("a/x", 1, "app", "web")]);
    poller.drain();
    feed.send(Event::Delete(labelled("a/x", 7, "app", "other")));
    // The deletion has the last known object, not the one in the event.
    assert_eq!(poller.lines(), ["live -a/x@1"]);
    let snapshot = poller.stream.store().snapshot();
    assert!(snapshot.is_empty());
    assert_eq!(snapshot.by(&app()).keys(), []);
    feed.delete("a/never-seen", 8);
    assert!(poller.drain().is_empty());
}

/// SEMANTICS: I11
#[tokio::test]
async fn the_same_name_with_another_uid_is_modified() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    feed.list([reborn("a/x", 1, "first")]);
    poller.drain();
    feed.delete("a/x", 2);
    feed.send(Event::Apply(reborn("a/x", 3, "second")));
    let items = poller.drain();
    let [Ok(change)] = &items[..] else { panic!("{items:?}") };
    let [delta] = change.batch().unwrap().deltas() else { panic!() };
    assert_eq!(delta.before().unwrap().metadata.uid.as_deref(), Some("a/x-first"));
    assert_eq!(delta.after().unwrap().metadata.uid.as_deref(), Some("a/x-second"));
}

#[tokio::test]
async fn documents_are_indexed_like_typed_objects() {
    let document = |name: &str, app: &str| {
        let json = json!({
            "metadata": { "namespace": "a", "name": name, "labels": { "app": app }, "resourceVersion": "1" },
        });
        Document::from_json(&json.to_string()).unwrap()
    };
    let app = Index::path("metadata.labels.app").unwrap();
    let events = [
        Event::Init,
        Event::InitApply(document("x", "web")),
        Event::InitApply(document("y", "db")),
        Event::InitDone,
    ];
    let mut changes = stream::iter(events).index(&app);
    let snapshot = changes.first_synced().await.unwrap();
    assert_eq!(snapshot.by(&app).get_one("db").unwrap().unwrap().name(), "y");
    assert!(changes.next().await.is_none());
}

/// A closure that returns inconsistent keys costs time, and leaves no wrong entries.
#[tokio::test]
async fn an_impure_closure_leaves_no_entry_behind() {
    use std::sync::atomic::{AtomicU32, Ordering};

    let count = AtomicU32::new(0);
    let impure = Index::with(move |_: &ConfigMap| [count.fetch_add(1, Ordering::Relaxed)]);
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(&impure));
    feed.list([object("a/x", 1), object("a/y", 1)]);
    poller.drain();
    feed.delete("a/x", 2);
    poller.drain();
    let snapshot = poller.stream.store().snapshot();
    assert_eq!(names(snapshot.by(&impure).get(())), ["a/y"]);
}

#[tokio::test]
async fn an_object_without_a_name_is_an_error_item() {
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(()));
    feed.list([]);
    poller.drain();
    feed.send(Event::Apply(ConfigMap::default()));
    feed.apply("a/x", 1);
    assert_eq!(poller.lines(), ["error Undecodable", "live +a/x@1"]);
    assert_eq!(state(&poller.stream.store().snapshot()), ["a/x@1"]);
}

#[test]
fn fixtures_make_snapshots() {
    let snapshot =
        Snapshot::from_objects(app(), [object("a/x", 1), labelled("a/x", 2, "app", "web")])
            .unwrap();
    assert_eq!(state(&snapshot), ["a/x@2"]);
    assert_eq!(names(snapshot.by(&app()).get("web")), ["a/x"]);
    assert!(Snapshot::from_objects((), [ConfigMap::default()]).unwrap_err().is_undecodable());
}

#[test]
fn the_last_of_several_fixtures_of_a_name_counts() {
    let [first, last] = ["shop", "blog"].map(|app| labelled("web/a", 1, "app", app));
    let app = Index::path("metadata.labels.app").unwrap();
    let snapshot = Snapshot::from_objects(&app, [first, last]).unwrap();
    assert_eq!(snapshot.by(&app).keys(), [Key::new("blog")], "also with one version");
}

/// The panic for a wrong handle, or for a key with too many parts, names the place of the lookup.
///
/// SEMANTICS: I2
#[tokio::test(start_paused = true)]
async fn a_wrong_lookup_panics_where_it_is_written() {
    thread_local!(static FILE: RefCell<String> = RefCell::default());
    let hook = take_hook();
    set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |place| place.file());
        FILE.with_borrow_mut(|own| file.clone_into(own));
        hook(panic);
    }));
    let (feed, events) = feed();
    let mut poller = Poller::new(events.index(app()));
    let store = poller.stream.store();
    feed.list([object("a/x", 1)]);
    feed.apply("a/x", 2);
    let changes = poller.drain();
    let synced = changes[0].as_ref().unwrap();
    let live = changes[1].as_ref().unwrap();
    let snapshot = store.snapshot();
    let (view, other, many) = (snapshot.by(&app()), closure(), ["a", "b"]);
    let calls: [&dyn Fn(); 11] = [
        &|| _ = snapshot.by(&other),
        &|| drop(view.get(many)),
        &|| drop(view.get_one(many)),
        &|| drop(view.starts_with(many)),
        &|| drop(view.range(many..)),
        &|| drop(live.touched(&other)),
        &|| drop(live.batch().unwrap().touched(&other)),
        &|| drop(synced.touched(&other)),
        &|| _ = snapshot.deleted().by(&other),
        &|| drop(store.watch_key(&other, "a")),
        &|| drop(store.watch_key(&app(), many)),
    ];
    for (at, call) in calls.into_iter().enumerate() {
        FILE.take();
        panic_of(call);
        assert_eq!(FILE.take(), file!(), "call {at}");
    }
}

/// An empty namespace counts as none, in every form.
///
/// SEMANTICS: I2
#[test]
fn an_object_of_an_empty_namespace_has_no_key_in_an_identity_index() {
    let mut cluster_wide = object("x", 1);
    cluster_wide.metadata.namespace = Some(String::new());
    let namespace = Index::path("metadata.namespace").unwrap();
    let snapshot =
        Snapshot::from_objects((&namespace, &identity()), [cluster_wide.clone()]).unwrap();
    for index in [&namespace, &identity()] {
        let view = snapshot.by(index);
        assert_eq!(view.get(()).len(), 0);
        assert!(view.keys().is_empty() && view.keys_of(&cluster_wide).is_empty());
    }
}
