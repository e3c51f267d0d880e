//! Servers restored from a backup, in virtual time: how the loss is detected, and the resulting
//! difference.

use std::pin::pin;

use futures::{FutureExt, Stream, StreamExt, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{
    Change, Error, EventStreamExt, Watch, Write,
    testing::{Answer, ApiServer, End, Fault, On, Verb},
    watch, watch_resource,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::wire::{
    HOUR, MINUTE, SECOND, asked, config, data, drive, event, in_store, is_list, list, on_server,
    sent,
};

fn configs(server: &ApiServer) -> Watch<ConfigMap> {
    watch(Api::all(server.client()))
}

/// Returns a pipeline, with or without a stage between the watch and the index.
fn pipeline(
    server: &ApiServer,
    is_between: bool,
) -> BoxStream<'static, Result<Change<ConfigMap>, Error>> {
    let events = configs(server);
    if is_between {
        events.inspect(|_| {}).boxed().index(()).boxed()
    } else {
        events.index(()).boxed()
    }
}

/// Restores the server to a version while it is unreachable, and then allows writes.
fn restore(server: &ApiServer, version: u64, write: impl FnOnce(&ApiServer)) {
    server.fault(On::any(), usize::MAX, Fault::Refused);
    server.restore(version).unwrap();
    server.disconnect();
    write(server);
}

async fn back(server: &ApiServer) {
    sleep(5 * SECOND).await;
    server.clear_faults();
}

/// Returns the changes until nothing more arrives soon, as `+a`, `~a=value`, `-a`.
async fn deltas<K, S>(changes: &mut S) -> Vec<String>
where
    K: kube::runtime::reflector::Lookup + serde::Serialize,
    S: Stream<Item = Result<Change<K>, Error>> + Unpin,
{
    let mut log = Vec::new();
    while let Ok(Some(item)) = timeout(MINUTE, changes.next()).await {
        let Ok(Change::Live(batch)) = item else { continue };
        log.extend(batch.deltas().iter().map(|delta| {
            let object = serde_json::to_value(&**delta.object()).unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let sign = match (delta.before(), delta.after()) {
                (None, _) => '+',
                (_, None) => '-',
                _ => '~',
            };
            let (name, value) = (&object["metadata"]["name"], &object["data"]["key"]);
            format!("{sign}{}={}", text(name), text(value))
        }));
    }
    log
}

/// An object may be written at the same version in both histories.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn other_content_in_the_same_version_is_a_change() {
    let server = ApiServer::new();
    let write = |identity: &str, value: &str| drop(server.apply(&config(identity, value)).unwrap());
    write("a/one", "first");
    write("a/two", "first");
    let backup = server.resource_version();
    let typed = configs(&server).index(());
    let documents = watch_resource(server.client(), "v1/configmaps").unwrap();
    let (mut typed, mut documents) = (typed, documents.index(()));
    let (store, document_store) = (typed.store(), documents.store());
    typed.next().await.unwrap().unwrap();
    documents.next().await.unwrap().unwrap();
    for (identity, value) in [("a/one", "lost"), ("a/two", "lost"), ("a/three", "lost")] {
        write(identity, value);
    }
    sleep(SECOND).await;
    let lost = ["~one=lost", "+three=lost", "~two=lost"];
    assert_eq!(deltas(&mut typed).await, lost);
    assert_eq!(deltas(&mut documents).await, lost);

    // `one` is written first, and gets the same version.
    restore(&server, backup, |server| {
        for identity in ["a/one", "a/four", "a/five", "a/six"] {
            server.apply(&config(identity, "new")).unwrap();
        }
    });
    let ((), typed, documents) =
        futures::join!(back(&server), deltas(&mut typed), deltas(&mut documents));
    for log in [typed, documents] {
        let mut log = log;
        log.sort();
        let wanted =
            ["+five=new", "+four=new", "+six=new", "-three=lost", "~one=new", "~two=first"];
        assert_eq!(log, wanted);
    }
    for value in [
        json!(store.get(("a", "one")).unwrap().data),
        document_store.get(("a", "one")).unwrap().to_value()["data"].clone(),
    ] {
        assert_eq!(value["key"], "new");
    }
}

/// Nothing in the watched namespace was lost, but the writes to it since are before the resume point.
///
/// SEMANTICS: W14, W10
#[tokio::test(start_paused = true)]
async fn all_namespaces_hear_of_a_loss_that_one_notices() {
    let server = ApiServer::new();
    for identity in ["a/kept", "b/kept"] {
        server.apply(&config(identity, "first")).unwrap();
    }
    let backup = server.resource_version();
    let watch = configs(&server).namespaces(["a", "b"]);
    let mut changes = watch.index(());
    changes.next().await.unwrap().unwrap();
    for i in 0..5 {
        server.apply(&config(&format!("a/lost-{i}"), "lost")).unwrap();
    }
    assert_eq!(deltas(&mut changes).await.len(), 5);
    server.bookmark();
    assert!(deltas(&mut changes).await.is_empty());

    restore(&server, backup, |server| {
        server.apply(&config("b/new", "new")).unwrap();
        for i in 0..8 {
            server.apply(&config(&format!("a/new-{i}"), "new")).unwrap();
        }
    });
    let ((), log) = futures::join!(back(&server), deltas(&mut changes));
    assert!(log.contains(&"+new=new".to_owned()), "{log:?}");
    assert_eq!(log.len(), 5 + 1 + 8, "{log:?}");
}

/// The newest objects were written in both histories, so older ones are compared.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn objects_that_are_written_all_the_time_hide_no_loss() {
    let server = ApiServer::new();
    for identity in ["a/busy", "a/idle"] {
        server.apply(&config(identity, "first")).unwrap();
    }
    let backup = server.resource_version();
    let mut changes = configs(&server).index(());
    changes.next().await.unwrap().unwrap();
    server.apply(&config("a/idle", "lost")).unwrap();
    for i in 0..5 {
        server.apply(&config("a/busy", &i.to_string())).unwrap();
    }
    deltas(&mut changes).await;
    restore(&server, backup, |server| {
        for i in 0..50 {
            server.apply(&config("a/busy", &format!("again-{i}"))).unwrap();
        }
    });
    let ((), mut log) = futures::join!(back(&server), deltas(&mut changes));
    log.sort();
    assert_eq!(log, ["~busy=again-49", "~idle=first"]);
}

/// A single write is lost, a deletion or an update, and since then only other kinds are written.
///
/// SEMANTICS: W14, W28
#[tokio::test(start_paused = true)]
async fn the_only_write_that_was_lost_is_enough() {
    for deletes in [true, false] {
        for is_between in [false, true] {
            let server = ApiServer::new();
            for identity in ["a/kept", "a/other"] {
                server.apply(&config(identity, "first")).unwrap();
            }
            let backup = server.resource_version();
            let mut changes = pipeline(&server, is_between);
            changes.next().await.unwrap().unwrap();
            if deletes {
                server.delete("configmaps", "a", "kept").unwrap();
            } else {
                server.apply(&config("a/kept", "lost")).unwrap();
            }
            assert_eq!(deltas(&mut changes).await.len(), 1);
            restore(&server, backup, |server| {
                for i in 0..8 {
                    let mut secret = config("b/s", &i.to_string());
                    secret["kind"] = "Secret".into();
                    server.apply(&secret).unwrap();
                }
            });
            let ((), log) = futures::join!(back(&server), deltas(&mut changes));
            let wanted = if deletes { "+kept=first" } else { "~kept=first" };
            assert_eq!(log, [wanted], "between: {is_between}");
        }
    }
}

/// Objects that differ from the last seen version, each for a reason other than a loss.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn an_outage_alone_is_no_loss() {
    let undecodable = |server: &ApiServer| {
        let mut odd = config("a/kept", "odd");
        odd["data"]["key"] = 7.into();
        server.apply(&odd).unwrap();
    };
    let deleted = |server: &ApiServer| {
        server.apply(&config("a/kept", "last")).unwrap();
        server.delete("configmaps", "a", "kept").unwrap();
    };
    let created = |server: &ApiServer| {
        deleted(server);
        server.apply(&config("a/kept", "again")).unwrap();
    };
    let stories: [&dyn Fn(&ApiServer); 3] = [&undecodable, &deleted, &created];
    for (number, write) in stories.into_iter().enumerate() {
        for (is_between, meanwhile) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let server = ApiServer::new();
            server.apply(&config("a/kept", "first")).unwrap();
            let mut changes = pipeline(&server, is_between);
            changes.next().await.unwrap().unwrap();
            if !meanwhile {
                write(&server);
                deltas(&mut changes).await;
            }
            server.fault(On::any(), usize::MAX, Fault::Refused);
            server.disconnect();
            if meanwhile {
                write(&server);
            }
            sleep(5 * SECOND).await;
            server.clear_faults();
            let items = changes.take_until(sleep(10 * MINUTE)).collect::<Vec<_>>().await;
            let lost: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
            let at = format!("story {number}, between: {is_between}, meanwhile: {meanwhile}");
            assert!(!lost.iter().any(|error| error.is_desynced()), "{at}: {lost:?}");
        }
    }
}

/// The deletion that identifies the history arrives late, and the server goes away before it does.
///
/// SEMANTICS: W14, W12
#[tokio::test(start_paused = true)]
async fn an_outage_while_a_deletion_is_due_is_no_loss() {
    let server = ApiServer::new();
    for identity in ["a/other", "a/odd", "a/kept"] {
        server.apply(&config(identity, "first")).unwrap();
    }
    let mut changes = configs(&server).index(());
    let store = changes.store();
    changes.next().await.unwrap().unwrap();
    server.fault(On::any(), usize::MAX, Fault::Refused);
    server.disconnect();
    server.apply(&config("a/other", "second")).unwrap();
    server.apply(&config("a/odd", "second")).unwrap();
    let mut odd = config("a/odd", "");
    odd["data"]["key"] = 7.into();
    server.apply(&odd).unwrap();
    server.delete("configmaps", "a", "kept").unwrap();
    let meanwhile = async {
        sleep(5 * SECOND).await;
        server.clear_faults();
        server.fault(Verb::Watch, 1, Fault::Disconnect { after_events: 3 });
        server.fault(Verb::Watch, 5, Fault::Refused);
    };
    let seen = async {
        let items = changes.by_ref().take_until(sleep(2 * MINUTE)).collect::<Vec<_>>().await;
        let errors = items.iter().filter_map(|item| item.as_ref().err()).cloned();
        let (undecodable, others): (Vec<_>, Vec<_>) = errors.partition(Error::is_undecodable);
        assert_eq!(undecodable.len(), 1, "{undecodable:?}");
        assert!(!others.iter().any(Error::is_desynced), "{others:?}");
        items.iter().filter(|item| matches!(item, Ok(Change::Live(_)))).count()
    };
    let ((), batches) = futures::join!(meanwhile, seen);
    assert!(batches > 0);
    let value = |name: &str| data(&store, "a", name);
    assert_eq!((value("other").as_deref(), value("kept")), (Some("second"), None));
    assert_eq!(value("odd").as_deref(), Some("second"));
    assert_eq!(store.report().stale, ["a/odd"], "the error came after the version before");
    let lists = server.requests().into_iter().filter(|request| is_list(request)).count();
    assert_eq!(lists, 1);
}

/// A server that knows no field selector, or whose versions are no numbers, shows no loss.
///
/// SEMANTICS: W14, B6
#[tokio::test(start_paused = true)]
async fn an_answer_about_another_object_is_no_loss() {
    let with = |version: &str, identity: &str, own: &str| {
        let mut list = list(0, vec![sent(identity, 0)]);
        list["metadata"]["resourceVersion"] = version.into();
        list["items"][0]["metadata"]["resourceVersion"] = own.into();
        list
    };
    let mut none = with("r8", "a/x", "r8");
    none["items"] = json!([]);
    for (first, answer) in [
        (with("7", "a/x", "7"), with("9", "a/other", "3")),
        (with("7", "a/x", "7"), with("9", "b/x", "7")),
        (with("r7", "a/x", "r7"), with("r8", "a/x", "r8")),
        (with("r7", "a/x", "r7"), none),
    ] {
        let server = ApiServer::new();
        let json = |body: &Value| Fault::Answer(Answer::json(200, body));
        let watch = |lines: &[Value]| Answer::lines(lines).pause(10 * SECOND);
        server.fault(Verb::List, 1, json(&first));
        server.fault(Verb::Watch, 1, Fault::Answer(watch(&[]).end(End::Reset)));
        server.fault(Verb::Watch, 5, Fault::Refused);
        server.fault(Verb::List, usize::MAX, json(&answer));
        let mut last = sent("a/x", 0);
        last["data"]["key"] = "last".into();
        last["metadata"]["resourceVersion"] =
            if first["metadata"]["resourceVersion"] == "7" { "10".into() } else { "r9".into() };
        let lines = [event("MODIFIED", last)];
        server.fault(Verb::Watch, 1, Fault::Answer(watch(&lines).pause(HOUR)));
        let driven = drive(configs(&server));
        driven.store.synced().await.unwrap();
        sleep(2 * MINUTE).await;
        let errors = driven.errors();
        assert!(!errors.is_empty(), "there was an outage");
        assert!(!errors.iter().any(Error::is_desynced), "{answer}: {errors:?}");
        assert_eq!(driven.data("a", "x").as_deref(), Some("last"), "{answer}");
        assert_eq!(asked(&server).0, 1, "{answer}: {:?}", server.requests());
    }

    // The version of the list shows a loss, regardless of its items.
    let server = ApiServer::new();
    let json = |body: &Value| Fault::Answer(Answer::json(200, body));
    server.fault(Verb::List, 1, json(&with("7", "a/x", "7")));
    server.fault(
        Verb::Watch,
        1,
        Fault::Answer(Answer::new(200).pause(10 * SECOND).end(End::Reset)),
    );
    server.fault(Verb::Watch, 5, Fault::Refused);
    server.fault(Verb::List, usize::MAX, json(&with("6", "a/other", "3")));
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * MINUTE).await;
    assert!(driven.errors().iter().any(Error::is_desynced), "{:?}", driven.errors());
    assert_eq!(driven.names(), ["a/other"]);
}

/// The server is restored between two pages of a list, which are then of two histories.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn pages_of_two_histories_are_no_list() {
    let server = ApiServer::new();
    for identity in ["a/y", "a/z"] {
        server.apply(&config(identity, "first")).unwrap();
    }
    let backup = server.resource_version();
    server.apply(&config("a/x", "lost")).unwrap();
    server.fault(Verb::List, 1, Fault::Delay(SECOND));
    let driven = drive(configs(&server).page_size(1));
    sleep(SECOND / 2).await;
    server.fault(Verb::List, usize::MAX, Fault::Refused);
    sleep(SECOND).await;
    restore(&server, backup, |server| {
        for _ in 0..4 {
            server.apply(&config("a/new", "new")).unwrap();
        }
    });
    sleep(MINUTE).await;
    server.clear_faults();
    sleep(10 * MINUTE).await;
    assert_eq!(in_store(&driven.store), on_server(&server));
}

/// A namespace detects the loss when it must list; the newest object of the other namespace was written since.
///
/// SEMANTICS: W14, W10
#[tokio::test(start_paused = true)]
async fn a_loss_that_is_found_before_a_list_is_one_for_all() {
    let server = ApiServer::new();
    for identity in ["a/kept", "b/kept"] {
        server.apply(&config(identity, "first")).unwrap();
    }
    let backup = server.resource_version();
    let events = configs(&server).namespaces(["a", "b"]).inspect(|_| {}).boxed();
    let changes = events.index(());
    let store = changes.store();
    let _driving = changes.spawn();
    store.synced().await.unwrap();
    for identity in ["b/ghost", "b/busy", "a/kept"] {
        server.apply(&config(identity, "lost")).unwrap();
    }
    sleep(SECOND).await;
    restore(&server, backup, |server| {
        for i in 0..8 {
            server.apply(&config("b/busy", &i.to_string())).unwrap();
        }
    });
    sleep(5 * SECOND).await;
    server.clear_faults();
    server.fault(On::verb(Verb::Watch).namespace("a"), 1, Fault::status(410));
    sleep(5 * MINUTE).await;
    assert_eq!(in_store(&store), on_server(&server));
}

/// Waits return the new history as soon as the error was yielded, before the next list.
///
/// SEMANTICS: W14
#[tokio::test(start_paused = true)]
async fn nobody_is_answered_from_a_history_that_is_known_to_be_lost() {
    let server = ApiServer::new();
    server.apply(&config("a/kept", "first")).unwrap();
    let backup = server.resource_version();
    let mut changes = pin!(configs(&server).index(()));
    let store = changes.store();
    changes.next().await.unwrap().unwrap();
    for i in 0..5 {
        server.apply(&config("a/kept", &i.to_string())).unwrap();
    }
    deltas(&mut changes).await;
    restore(&server, backup, |server| {
        server.apply(&config("a/kept", "new")).unwrap();
    });
    let written = server.get("configmaps", "a", "kept").unwrap();
    let version = written["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let back = back(&server);
    let lost = async {
        loop {
            match changes.next().await.unwrap() {
                Err(error) if error.is_desynced() => break,
                _ => {}
            }
        }
    };
    let ((), ()) = futures::join!(back, lost);
    let mut waiting = pin!(store.wait_for(Write::of(("a", "kept"), &version)));
    assert!(waiting.as_mut().now_or_never().is_none(), "answered from the lost history");
    let (snapshot, log) = futures::join!(waiting, deltas(&mut changes));
    assert_eq!(log, ["~kept=new"]);
    let kept = snapshot.unwrap().get(("a", "kept")).cloned().unwrap();
    assert_eq!(kept.data.as_ref().unwrap()["key"], "new");
}

/// A version may be a long text.
///
/// SEMANTICS: B4
#[tokio::test(start_paused = true)]
async fn a_long_version_makes_no_long_error() {
    let server = ApiServer::new();
    let page = json!({
        "kind": "ConfigMapList", "apiVersion": "v1", "items": [],
        "metadata": { "resourceVersion": "9".repeat(128) },
    });
    server.fault(Verb::List, 1, Fault::Answer(Answer::json(200, &page)));
    server.fault(Verb::Watch, 1, Fault::status(410));
    let mut changes = configs(&server).index(());
    let mut errors = Vec::new();
    while let Ok(Some(item)) = timeout(MINUTE, changes.next()).await {
        errors.extend(item.err().map(|error| error.to_string()));
    }
    assert!(errors.iter().any(|error| error.contains("lost its history")), "{errors:?}");
    assert!(errors.iter().all(|error| error.len() < 512));
}
