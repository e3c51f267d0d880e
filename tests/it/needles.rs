//! Puts a needle into each place of each answer, and searches for it in all output.

use std::{error::Error as _, fmt::Write as _};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api,
    runtime::watcher::{self, watcher},
};
use kube_weir::{
    Error, EventStreamExt, FetchConfig, Gvr, Index, Store,
    testing::{Answer, ApiServer, Fault, On, Verb},
    watch, watch_one, watch_resource,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    observability::measured::Scrape,
    wire::{SECOND, bookmark, config, end_of_list, event, list, sent, status},
};

const NEEDLE: &str = "hunter2";

/// Returns the value with the needle in each of its places in turn: strings, names of fields, numbers,
/// and whole values; except in the message of a `Status`.
fn with_needles(value: &Value) -> Vec<Value> {
    let mut all = vec![json!(NEEDLE), json!({ NEEDLE: NEEDLE })];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name == "message" && value["kind"] == "Status" {
                    continue;
                }
                // Objects are named in output, and a version is sent in the next request.
                let is_shown = matches!(&**name, "name" | "namespace" | "resourceVersion");
                for inner in with_needles(field).into_iter().skip(is_shown.into()) {
                    let mut other = fields.clone();
                    other.insert(name.clone(), inner);
                    all.push(other.into());
                }
            }
            let mut other = fields.clone();
            other.insert(NEEDLE.to_owned(), json!([NEEDLE]));
            all.push(other.into());
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                for inner in with_needles(item) {
                    let mut other = items.clone();
                    other[at] = inner;
                    all.push(other.into());
                }
            }
        }
        _ => {}
    }
    all
}

/// Returns an object with all kinds of fields.
fn object() -> Value {
    let mut object = sent("a/x", 7);
    object["metadata"]["labels"] = json!({ "app": "shop" });
    object["metadata"]["annotations"] = json!({ "note": "text" });
    object["metadata"]["ownerReferences"] = json!([{ "name": "owner", "uid": "u" }]);
    object
}

/// Bodies and lines: description, request, and content.
fn bodies() -> Vec<(Verb, u16, Vec<u8>)> {
    let mut all = Vec::new();
    let json = |value: &Value| value.to_string().into_bytes();
    for value in with_needles(&list(9, vec![object()])) {
        all.push((Verb::List, 200, json(&value)));
    }
    for code in [400, 401, 403, 404, 410, 422, 429, 500, 502, 503, 504] {
        let mut said = status(code, "Expired", "no");
        said["details"] = json!({ "name": "n", "kind": "k", "retryAfterSeconds": 1, "causes": [{ "reason": "r" }] });
        for value in with_needles(&said) {
            all.push((Verb::List, code, json(&value)));
            all.push((Verb::Watch, code, json(&value)));
        }
        let secret = json!({ "kind": "Secret", "message": NEEDLE, "data": { "password": NEEDLE } });
        for text in [secret.to_string(), NEEDLE.to_owned(), format!("<html>{NEEDLE}</html>")] {
            all.push((Verb::List, code, text.clone().into_bytes()));
            all.push((Verb::Watch, code, text.into_bytes()));
        }
    }
    let events = ["ADDED", "MODIFIED", "DELETED"].map(|kind| event(kind, object()));
    let mut expired = status(410, "Expired", "no");
    expired["details"] = json!({ "name": "n", "causes": [] });
    let others = [bookmark(9), end_of_list(9, "true"), event("ERROR", expired)];
    for line in events.iter().chain(&others) {
        for value in with_needles(line) {
            all.push((Verb::Watch, 200, json(&value)));
        }
    }
    for text in [
        format!("{NEEDLE}\n"),
        format!("{{\"type\":\"ADDED\",\"object\":{NEEDLE}}}\n"),
        format!(
            "{{\"type\":\"ADDED\",\"object\":{{\"metadata\":{{\"name\":\"x\",\"resourceVersion\":\"8\"}},\"{NEEDLE}"
        ),
    ] {
        all.push((Verb::Watch, 200, text.clone().into_bytes()));
        all.push((Verb::List, 200, text.into_bytes()));
    }
    for bytes in
        [&b"\xffhunter2\n"[..], b"{\"kind\":\"ConfigMapList\",\"items\":[\"hunter2\xff\"]}"]
    {
        all.push((Verb::Watch, 200, bytes.to_vec()));
        all.push((Verb::List, 200, bytes.to_vec()));
    }
    all
}

fn said(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {} {}", error.reason(), error.trouble());
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, " {error} {error:?}");
        cause = error.source();
    }
    text
}

fn told<K: kube::runtime::reflector::Lookup>(store: &Store<K>) -> String {
    let report = store.report();
    let json = serde_json::to_string(&report).unwrap();
    let (status, all) = (store.status(), store.collections());
    format!("{report:?} {json} {store:?} {status:?} {all:?} {:?}", store.snapshot())
}

/// SEMANTICS: B4
#[tokio::test(start_paused = true)]
async fn no_output_contains_what_a_server_or_an_object_says() {
    let all = bodies();
    let scrape = Scrape::begin();
    let mut seen = 0;
    for (number, (verb, code, body)) in all.iter().enumerate() {
        let logs = crate::logs::capture();
        let server = ApiServer::new();
        server.apply(&config("a/kept", "first")).unwrap();
        let answer = Answer::new(*code)
            .header("content-type", "application/json")
            .header("warning", &format!("299 - \"{NEEDLE}\""))
            .header("x-hunter2", NEEDLE)
            .header("retry-after", NEEDLE)
            .chunk(body.clone());
        server.fault(*verb, 2, Fault::Answer(answer));
        let at = || format!("{verb:?} {code}: {}", String::from_utf8_lossy(body));
        let mut texts = Vec::new();
        let streaming = number % 2 == 0;
        let typed = watch(Api::<ConfigMap>::all(server.client())).streaming_list(streaming);
        let mut typed = typed.index(());
        let stores = typed.store();
        let items = typed.by_ref().take_until(sleep(10 * SECOND)).collect::<Vec<_>>().await;
        let errors = items.into_iter().filter_map(Result::err);
        texts.extend(errors.map(|error| said(&error)));
        texts.push(told(&stores));

        server.fault(*verb, 2, Fault::Answer(Answer::new(*code).chunk(body.clone())));
        server.disconnect();
        let gvr = Gvr::parse("v1/configmaps").unwrap();
        let documents = watch_resource(server.client(), gvr).unwrap();
        let mut documents = documents.index(Index::path("data.key").unwrap());
        let store = documents.store();
        let items = documents.by_ref().take_until(sleep(5 * SECOND)).collect::<Vec<_>>().await;
        texts.extend(items.into_iter().filter_map(Result::err).map(|error| said(&error)));
        texts.push(told(&store));
        seen += texts.len();
        for text in texts {
            assert!(!text.contains(NEEDLE), "{}\nis in {text}", at());
        }
        let logged = logs.text();
        let hidden = logged.find(NEEDLE).map(|at| logged[..at].chars().rev().take(300).collect());
        let hidden = hidden.map(|text: String| text.chars().rev().collect::<String>());
        assert!(hidden.is_none() && !logged.is_empty(), "{}\nis logged: {hidden:?}", at());
    }
    let page = scrape.page();
    assert!(page.contains("kube_weir_requests_total") && !page.contains(NEEDLE), "{page}");
    println!("needles: {} answers, {seen} texts", all.len());
    assert!(all.len() > 600 && seen > 2 * all.len(), "{} answers, {seen} texts", all.len());
}

/// The streams of kube's watcher, single objects, and fetched objects.
///
/// SEMANTICS: B4
#[tokio::test(start_paused = true)]
async fn other_ways_to_read_say_no_more() {
    let secret = json!({
        "kind": "Secret", "apiVersion": "v1", "message": NEEDLE, "reason": NEEDLE,
        "metadata": { "namespace": "a", "name": "other", "resourceVersion": "9" },
        "data": { "password": NEEDLE },
    });
    for code in [200, 403, 404, 500, 503] {
        let server = ApiServer::new();
        server.apply(&config("a/x", "first")).unwrap();
        let answer = || Fault::Answer(Answer::json(code, &secret));
        let mut texts = Vec::new();
        let keys = watch(Api::<ConfigMap>::all(server.client()));
        let mut keys = keys.index_keys(()).unwrap();
        let api = Api::<ConfigMap>::all(server.client());
        let config = FetchConfig::default().deadline(SECOND);
        let fetching = keys.store().fetching(api.clone(), config);
        keys.next().await.unwrap().unwrap();
        server.fault(Verb::Get, usize::MAX, answer());
        texts.extend(fetching.get(("a", "x")).await.map_err(|error| said(&error)).err());
        texts.push(format!("{fetching:?} {:?}", fetching.report()));

        server.fault(On::any(), 3, answer());
        let mut one = watch_one(Api::<Secret>::namespaced(server.client(), "a"), "x");
        let items = one.by_ref().take_until(sleep(5 * SECOND)).collect::<Vec<_>>().await;
        texts.extend(items.iter().filter_map(|item| item.as_ref().err()).map(said));
        texts.push(format!("{one:?}"));

        server.fault(On::any(), 3, answer());
        let kubes = watcher(api, watcher::Config::default());
        let mut kubes = Box::pin(kubes.index(()));
        let items = kubes.by_ref().take_until(sleep(5 * SECOND)).collect::<Vec<_>>().await;
        texts.extend(items.iter().filter_map(|item| item.as_ref().err()).map(said));
        for text in texts {
            assert!(!text.contains(NEEDLE), "{code}: {text}");
        }
    }
}
