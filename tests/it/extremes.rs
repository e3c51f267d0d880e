//! Settings at their limits, and futures in separate tasks.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{
    Backoff, Debounce, Document, Election, EventStreamExt, FetchConfig, FieldFilter, FieldPath,
    FieldSelector, Gvr, Index, Key, LabelSelector, LeaseRef, LeaseTiming, Namespaces, SyncPolicy,
    Watch, Write,
    testing::{Answer, ApiServer, End, Events, Fault, On, Verb},
    watch, watch_one, watch_resource, world,
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::wire::{
    HOUR, MINUTE, SECOND, config, configs, drive, drive_changes, server_with, status,
};

const EXTREMES: [Duration; 4] =
    [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(u64::MAX / 1000), Duration::MAX];

type Set = fn(Watch<ConfigMap>, Duration) -> Watch<ConfigMap>;

/// A watch lists, sees a change, and resumes after its connection broke, with each of these times.
///
/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_watch_lives_with_any_time() {
    let settings: [(&str, Set); 7] = [
        ("watch_timeout", Watch::watch_timeout),
        ("max_silence", Watch::max_silence),
        ("list_patience", Watch::list_patience),
        ("first", |watch, time| watch.backoff(Backoff::default().first(time))),
        ("refused", |watch, time| watch.backoff(Backoff::default().refused(time))),
        ("longest", |watch, time| watch.backoff(Backoff::default().longest(time))),
        ("page_size", |watch, time| {
            watch.page_size(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
        }),
    ];
    for (name, set) in settings {
        for time in EXTREMES {
            let server = server_with(&["a/x"]);
            let driven = drive(set(configs(&server), time));
            // Nothing can be listed in zero time.
            if name == "list_patience" && time < SECOND {
                sleep(SECOND).await;
                assert!(
                    driven.errors().iter().all(kube_weir::Error::is_timeout),
                    "{name} {time:?}"
                );
                continue;
            }
            sleep(SECOND).await;
            assert_eq!(driven.names(), ["a/x"], "{name} {time:?}");
            server.end_watches(On::any(), End::Fin);
            server.apply(&config("a/y", "new")).unwrap();
            sleep(MINUTE).await;
            assert_eq!(driven.names(), ["a/x", "a/y"], "{name} {time:?}");
        }
    }
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_store_and_a_poll_live_with_any_time() {
    for time in EXTREMES {
        let server = server_with(&["a/x"]);
        let policy = SyncPolicy::default().deadline(time).partial(true);
        let changes = configs(&server).poll(time).index(()).sync_policy(policy);
        let store = changes.store();
        let driven = drive_changes(changes, store);
        sleep(SECOND).await;
        assert_eq!(driven.names(), ["a/x"], "{time:?}");
        assert_eq!(driven.store.healthy(time).is_ok(), time > SECOND, "{time:?}");
    }
}

/// An election leads with each timing that it accepts, and rejects the others.
///
/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn an_election_lives_with_any_timing_that_it_takes() {
    let longest = u64::try_from(i32::MAX).unwrap();
    let [longest, shorter] = [longest, longest - 1].map(Duration::from_secs);
    let others = [longest, shorter, SECOND, SECOND / 2];
    let durations: Vec<_> = EXTREMES.into_iter().chain(others).collect();
    let mut taken = 0;
    for lease in &durations {
        for renew in &durations {
            for retry in durations.iter().chain([&Duration::from_millis(10)]) {
                for jitter in [f64::NAN, f64::INFINITY, f64::MIN, -0.0, 0.0, 1.0, 100.0, f64::MAX] {
                    let timing = LeaseTiming::default()
                        .lease_duration(*lease)
                        .renew_deadline(*renew)
                        .retry_period(*retry)
                        .jitter(jitter);
                    let server = ApiServer::new();
                    let election =
                        Election::new(server.client(), LeaseRef::new("a", "web"), "me").unwrap();
                    let Ok(election) = election.timing(timing) else { continue };
                    taken += 1;
                    let mut campaign = election.campaign();
                    let state = campaign.next().await.unwrap().unwrap();
                    assert!(state.term().is_some(), "{timing:?}");
                    campaign.release().await.unwrap();
                }
            }
        }
    }
    assert!(taken > 10, "{taken} timings are taken");
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn fetching_lives_with_any_limit() {
    for time in EXTREMES {
        for limit in [0, 1, usize::MAX] {
            let server = server_with(&["a/x"]);
            let api = Api::<ConfigMap>::all(server.client());
            let keys = watch(api.clone()).index_keys(());
            let keys = keys.unwrap();
            let config = FetchConfig::default()
                .ttl(time)
                .deadline(time)
                .max_objects(limit)
                .max_bytes(limit)
                .concurrency(limit);
            let fetching = keys.store().fetching(api, config);
            let _driven = keys.spawn();
            fetching.store().synced().await.unwrap();
            match fetching.get(("a", "x")).await {
                Ok(found) => assert!(found.is_some(), "{time:?} {limit}"),
                Err(error) => assert!(error.is_timeout() && time < SECOND, "{time:?}: {error}"),
            }
        }
    }
}

/// SEMANTICS: B5
#[tokio::test(start_paused = true)]
async fn a_world_lives_with_any_time() {
    for time in EXTREMES {
        for debounce in [
            Debounce::interval(time),
            Debounce::quiet(time).into(),
            Debounce::quiet(SECOND).max_wait(time).into(),
        ] {
            let server = server_with(&["a/x"]);
            let policy = SyncPolicy::default().deadline(time).partial(true);
            let kind = || configs(&server).index(()).sync_policy(policy);
            let changes = world((("one", kind()), ("two", kind())));
            let store = changes.store();
            let mut changes = changes.debounce(debounce);
            let polled = async { while changes.next().await.is_some() {} };
            assert!(timeout(MINUTE, polled).await.is_err(), "it goes on for ever");
            let is_given_up = time < SECOND;
            assert!(store.is_synced() || is_given_up, "{debounce:?}, deadline {time:?}");
        }
    }
}

/// A server may request any delay.
///
/// SEMANTICS: B5, B6
#[tokio::test(start_paused = true)]
async fn a_watch_lives_with_any_time_that_a_server_says() {
    let numbers = ["0", "-1", "1e9", "18446744073709551615", "18446744073709551616", "Fri, 31 Dec"];
    for number in numbers {
        for code in [429, 503] {
            let server = server_with(&["a/x"]);
            let mut said = status(code, "TooManyRequests", "later");
            said["details"] = json!({ "retryAfterSeconds": u32::MAX });
            let answer = Answer::json(code, &said).header("retry-after", number);
            server.fault(Verb::List, 1, Fault::Answer(answer.clone()));
            server.fault(Verb::Watch, 1, Fault::Answer(answer));
            let driven = drive(configs(&server));
            sleep(2 * HOUR).await;
            assert_eq!(driven.names(), ["a/x"], "{code} {number}");
            server.apply(&config("a/y", "new")).unwrap();
            sleep(2 * HOUR).await;
            assert_eq!(driven.names(), ["a/x", "a/y"], "{code} {number}");
        }
    }
}

/// Everything that can be built without a runtime is built without one.
///
/// SEMANTICS: B5
#[test]
fn nothing_needs_a_runtime_to_be_made() {
    let server = server_with(&["a/x"]);
    // kube's client needs a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = {
        let _entered = runtime.enter();
        server.client()
    };
    let api = || Api::<ConfigMap>::all(client.clone());
    let gvr = || Gvr::parse("v1/configmaps").unwrap();
    let mut all: Vec<Box<dyn std::any::Any>> = Vec::new();
    for time in EXTREMES {
        for debounce in [
            Debounce::interval(time),
            Debounce::quiet(time).into(),
            Debounce::quiet(SECOND).max_wait(time).into(),
        ] {
            let changes = watch(api()).index(());
            let store = changes.store();
            all.push(Box::new(changes.debounce(debounce)));
            all.push(Box::new(store.changes().debounce(debounce)));
            let changes = Events::<ConfigMap>::new().index(());
            all.push(Box::new(changes.debounce(debounce)));
        }
        let config = FetchConfig::default().ttl(time).deadline(time);
        let keys = watch(api()).index_keys(()).unwrap();
        let store = keys.store();
        all.push(Box::new(keys));
        all.push(Box::new(store.fetching(api(), config)));
    }
    all.push(Box::new(watch_resource(client.clone(), gvr()).unwrap().one("x")));
    all.push(Box::new(watch_one(Api::<ConfigMap>::namespaced(client.clone(), "a"), "x")));
    drop(all);
}

/// SEMANTICS: B5, B1
#[test]
fn a_million_is_much_and_empty_is_little() {
    let many = 1_000_000;
    let long = "a".repeat(many);
    let all: Vec<String> = (0..many).map(|number| format!("n{number}")).collect();
    assert_eq!(Key::new(&all).parts().count(), many);
    assert_eq!(Key::new(()).parts().count(), 0);
    drop(Namespaces::new(all.iter().map(String::as_str)));
    let _ = FieldFilter::new(all.iter().map(|name| format!("data.{name}"))).unwrap();
    assert!(Index::<ConfigMap>::paths([""; 0]).is_err());
    let _ = LabelSelector::parse(&format!("app in ({})", all.join(",")));
    for text in ["", ".", "[", "]", "$", "=", "!", ",", "/", "//", "\\0", "\\u{202e}", &long] {
        let _ = FieldPath::parse(text);
        let _ = FieldFilter::new([text]);
        let _ = FieldSelector::parse(text);
        let _ = LabelSelector::parse(text);
        let _ = Gvr::parse(text);
        let _ = Index::<Document>::path(text);
        let _ = Namespaces::new([text]);
        let _ = Document::from_json(text);
    }
    let deep = "[".repeat(many);
    let _ = FieldPath::parse(&deep);
    let _ = FieldPath::parse(&format!("$[?{}]", "(".repeat(many)));
    let _ = Document::from_json(&format!(r#"{{"metadata":{{"name":"x"}},"spec":{deep}}}"#));
}

/// SEMANTICS: B7
#[tokio::test(start_paused = true)]
async fn all_futures_and_streams_run_in_tasks() {
    let server = server_with(&["a/x"]);
    let api = Api::<ConfigMap>::all(server.client());
    let name = Index::path("metadata.name").unwrap();
    let changes = configs(&server).index(&name);
    let store = changes.store();
    let mut tasks = tokio::task::JoinSet::new();
    let own = store.clone();
    tasks.spawn(async move { drop(own.synced().await) });
    let own = store.clone();
    tasks.spawn(async move { drop(own.wait_for(Write::of(("a", "x"), "1")).await) });
    let own = store.clone();
    tasks.spawn(async move { drop(own.changes().next().await) });
    let own = store.clone();
    tasks.spawn(async move { drop(own.changes().debounce(Debounce::quiet(SECOND)).next().await) });
    let other = store.watch_key(&name, "x");
    tasks.spawn(async move { drop(other.await) });
    let mut one = watch_one(Api::<ConfigMap>::namespaced(server.client(), "a"), "x");
    tasks.spawn(async move { drop(one.next().await) });
    let namespace = Index::path("metadata.namespace").unwrap();
    let keys = watch(api.clone()).index_keys(&namespace).unwrap();
    let fetching = keys.store().fetching(api.clone(), FetchConfig::default());
    let _keys = keys.spawn();
    let own = fetching.clone();
    tasks.spawn(async move { drop(own.by(&namespace).get("a").await) });
    let own = fetching.clone();
    tasks.spawn(async move { drop(own.get(("a", "x")).await) });
    let _driving = changes.spawn();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
