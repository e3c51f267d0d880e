//! Delays that a server requests, endless lists, slow bodies, and kinds that can't be watched.

use kube_weir::{
    EventStreamExt, FieldSelector, SyncPolicy,
    testing::{Answer, ApiServer, Fault, On, Verb},
    watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::wire::{
    DAY, HOUR, MINUTE, SECOND, config, configs, drive, event, is_list, list, sent, server_with,
    status, timed_requests,
};

/// SEMANTICS: W18
#[tokio::test(start_paused = true)]
async fn no_wait_that_a_server_asks_for_is_for_good() {
    let mut asking = Vec::new();
    for seconds in ["0", "1", "99999999", "18446744073709551615", "340282366920938463463374607"] {
        let answer = Answer::json(429, &status(429, "TooManyRequests", "slow down"));
        asking.push((seconds, answer.header("retry-after", seconds)));
    }
    for seconds in ["0", "-1", "99999999", "18446744073709551615", "null", "\"x\"", "1e300"] {
        let mut body = status(503, "ServiceUnavailable", "slow down");
        body["details"] =
            serde_json::from_str(&format!("{{\"retryAfterSeconds\":{seconds}}}")).unwrap();
        asking.push((seconds, Answer::json(503, &body)));
    }
    for verb in [Verb::List, Verb::Watch] {
        for (seconds, answer) in &asking {
            let server = server_with(&["a/x"]);
            server.fault(verb, 10, Fault::Answer(answer.clone()));
            let driven = drive(configs(&server));
            let of_verb = |request: &str| (verb == Verb::Watch) == request.contains("watch=");
            let asked = timed_requests(&server, HOUR, SECOND / 10, of_verb).await;
            let gaps: Vec<_> =
                asked.windows(2).take(10).map(|pair| pair[1].saturating_sub(pair[0])).collect();
            let case = format!("{verb:?} {seconds}: {gaps:?}");
            assert!(gaps.len() == 10 || verb == Verb::Watch, "{case}");
            assert!(gaps.iter().all(|gap| *gap <= 301 * SECOND), "{case}");
            assert!(gaps.iter().all(|gap| *gap >= 3 * SECOND / 10), "{case}");
            server.apply(&config("a/y", "new")).unwrap();
            sleep(SECOND).await;
            assert_eq!(driven.names(), ["a/x", "a/y"], "{case}");
        }
    }
}

/// SEMANTICS: W18
#[tokio::test(start_paused = true)]
async fn details_ask_for_a_wait_as_the_header_does() {
    let mut body = status(503, "ServiceUnavailable", "slow down");
    body["details"] = json!({ "retryAfterSeconds": 77 });
    let as_event = Answer::lines([event("ERROR", body.clone())]);
    let as_list = Answer::json(200, &body);
    for (verb, answer) in [
        (Verb::List, Answer::json(503, &body)),
        (Verb::List, as_list),
        (Verb::Watch, Answer::json(503, &body)),
        (Verb::Watch, as_event),
    ] {
        let server = server_with(&["a/x"]);
        server.fault(verb, 1, Fault::Answer(answer.clone()));
        let begun = Instant::now();
        let driven = drive(configs(&server));
        while server.requests().iter().filter(|own| own.contains("watch=")).count()
            < if verb == Verb::Watch { 2 } else { 1 }
        {
            sleep(SECOND / 10).await;
        }
        let took = begun.elapsed();
        assert!((77..79).contains(&took.as_secs()), "{verb:?}: {took:?}");
        assert_eq!(driven.errors().len(), 1, "{answer:?}");
    }
}

/// Endless pages: with one token, with ever new tokens, without items.
///
/// SEMANTICS: W19
#[tokio::test(start_paused = true)]
async fn pages_without_an_end_are_an_error() {
    let page = |token: &str, items: Value| {
        let mut page = list(9, items);
        page["metadata"]["continue"] = token.into();
        Fault::Answer(Answer::json(200, &page))
    };
    let one = || json!([sent("a/one", 7)]);
    let selector = || FieldSelector::parse("metadata.name!=one").unwrap();
    for (name, items, has_one_token, selects) in [
        ("one token", one(), true, false),
        ("one token and nothing", json!([]), true, false),
        ("the same page", one(), false, false),
        ("empty pages", json!([]), false, false),
        ("pages of null", json!([null]), false, false),
        ("items that are null", Value::Null, false, false),
        ("an object that is not selected", one(), false, true),
    ] {
        let server = ApiServer::new();
        if has_one_token {
            server.fault(Verb::List, usize::MAX, page("token", items));
        } else {
            // Two tokens in turn; the same token twice in a row is another case.
            let of = |token: &str| On::verb(Verb::List).query("continue", token);
            server.fault(of(""), usize::MAX, page("1", items.clone()));
            server.fault(of("1"), usize::MAX, page("2", items.clone()));
            server.fault(of("2"), usize::MAX, page("1", items));
        }
        let watch = configs(&server);
        let driven = drive(if selects { watch.matching(selector()).unwrap() } else { watch });
        let mut requests = 0;
        for _ in 0..600 {
            sleep(SECOND).await;
            requests += server.take_requests().len();
        }
        assert!((20..5000).contains(&requests), "{name}: {requests} in 10 minutes");
        assert!(driven.synced() == 0, "{name}");
        let errors = driven.timed_errors();
        let repeats = errors.iter().filter(|(_, error)| !error.is_undecodable());
        let times: Vec<_> = repeats.map(|(at, _)| *at).collect();
        assert!((15..60).contains(&times.len()), "{name}: {} errors", times.len());
        let last = times[times.len() - 1] - times[times.len() - 2];
        assert!(last >= 10 * SECOND, "{name}: {last:?}");
    }
}

/// Pages that are empty because of a selector, and a page that broke off and is requested again.
///
/// SEMANTICS: W19
#[tokio::test(start_paused = true)]
async fn long_lists_are_no_repetition() {
    let identities: Vec<_> = (0..60).map(|number| format!("a/{number:02}")).collect();
    let identities: Vec<_> = identities.iter().map(String::as_str).collect();
    let server = server_with(&identities);
    server.fault(On::verb(Verb::List).next_page(), 5, Fault::Torn { after_events: 1 });
    let driven = drive(configs(&server).page_size(2));
    assert_eq!(driven.store.synced().await.unwrap().len(), 60);
    assert_eq!(driven.errors().len(), 5);

    // Only the last object is selected, after empty pages.
    let last = FieldSelector::parse("metadata.name=59").unwrap();
    let driven = drive(configs(&server).page_size(2).matching(last).unwrap());
    assert_eq!(driven.store.synced().await.unwrap().len(), 1);
}

/// SEMANTICS: W25
#[tokio::test(start_paused = true)]
async fn a_list_that_trickles_is_given_up_unless_objects_come() {
    let server = server_with(&["a/x", "a/y"]);
    // A byte every 10 seconds: never a minute of silence, never an object in a minute.
    let trickle = Fault::Trickle { chunk: 1, pause: 10 * SECOND };
    server.fault(Verb::List, 1, trickle.clone());
    let begun = Instant::now();
    let driven = drive(configs(&server));
    while !driven.store.is_synced() {
        sleep(SECOND).await;
    }
    assert!(begun.elapsed() < 70 * SECOND, "{:?}", begun.elapsed());
    assert!(driven.errors()[0].is_timeout(), "{:?}", driven.errors());

    // An object every half minute, for more than a minute in total.
    let server = server_with(&["a/1", "a/2", "a/3", "a/4", "a/5", "a/6"]);
    server.fault(Verb::List, 1, Fault::Trickle { chunk: 200, pause: 20 * SECOND });
    let begun = Instant::now();
    let driven = drive(configs(&server));
    while !driven.store.is_synced() {
        sleep(SECOND).await;
    }
    assert!(begun.elapsed() > 2 * MINUTE, "{:?}", begun.elapsed());
    assert_eq!((driven.errors().len(), driven.names().len()), (0, 6));

    // The time of a watch is limited in total.
    let server = server_with(&["a/x"]);
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(Verb::Watch, 1, trickle);
    server.disconnect();
    server.apply(&config("a/x", "second")).unwrap();
    sleep(310 * SECOND).await;
    assert_eq!(driven.data("a", "x").as_deref(), Some("second"));
}

/// A proxy that forwards nothing before the first byte of a body: a long delay for an idle watch.
///
/// SEMANTICS: W25
#[tokio::test(start_paused = true)]
async fn a_head_that_is_held_back_is_no_failure() {
    for late in [5, 62, 149, 600] {
        let server = server_with(&["a/x"]);
        server.fault(Verb::Watch, usize::MAX, Fault::LateHead(late * SECOND));
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        sleep(SECOND).await;
        server.apply(&config("a/x", "second")).unwrap();
        sleep(700 * SECOND).await;
        if late < 600 {
            assert_eq!(driven.data("a", "x").as_deref(), Some("second"), "{late}");
            assert_eq!(driven.errors().len(), 0, "{late}: {:?}", driven.errors());
        } else {
            assert!(driven.errors().iter().any(kube_weir::Error::is_timeout), "{late}");
        }
        let lists = timed_requests(&server, DAY / 24, SECOND, is_list).await;
        assert!(lists.len() <= 1 || late == 600, "{late}: {lists:?}");
    }
}

/// SEMANTICS: W21
#[tokio::test(start_paused = true)]
async fn a_kind_that_can_not_be_watched_says_so_and_can_be_polled() {
    // Discovery shows it.
    let server = server_with(&["a/x"]);
    server.set_verbs("configmaps", &[Verb::Get, Verb::List]).unwrap();
    server.set_versions("configmaps", false).unwrap();
    let documents = || watch_resource(server.client(), "v1/configmaps").unwrap();
    let fast = SyncPolicy::default().fail_fast(true);
    let changes = documents().index(()).sync_policy(fast);
    let store = changes.store();
    let _driving = changes.spawn();
    let begun = Instant::now();
    let error = store.synced().await.unwrap_err();
    assert!(error.is_not_watchable() && error.is_refusal(), "{error:?}");
    assert!(begun.elapsed() < SECOND && error.to_string().contains("poll"), "{error}");

    // Only the answer shows it: a list without a version can't be watched, and one with a version is not
    // kept up to date.
    let driven = drive(configs(&server));
    assert!(driven.store.synced().await.is_err());
    let versioned = server_with(&["a/x"]);
    versioned.set_verbs("configmaps", &[Verb::Get, Verb::List]).unwrap();
    let driven = drive(configs(&versioned));
    sleep(MINUTE).await;
    let (error, _) = driven.store.status().failing.unwrap();
    assert!(error.is_not_watchable() && error.is_refusal(), "{error:?}");

    // Polled, without any versions.
    let mut polled = documents().poll(30 * SECOND).index(()).log_errors();
    assert_eq!(polled.first_synced().await.unwrap().len(), 1);
    server.take_requests();
    server.apply(&config("a/x", "second")).unwrap();
    server.apply(&config("a/y", "second")).unwrap();
    let change = futures::StreamExt::next(&mut polled).await.unwrap();
    let stats = change.batch().unwrap().stats();
    assert_eq!((stats.created, stats.modified), (1, 1));
    server.delete("configmaps", "a", "x").unwrap();
    let change = futures::StreamExt::next(&mut polled).await.unwrap();
    assert_eq!(change.batch().unwrap().stats().deleted, 1);
}
