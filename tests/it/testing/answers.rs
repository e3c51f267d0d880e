//! Raw answers, late heads, and bodies that end.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use http_body_util::BodyExt;
use kube::api::{ListParams, PostParams, WatchParams};
use kube_weir::testing::{Answer, ApiServer, End, Fault, On, Verb};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{Tested, code, config, configs, filled, seen, watch};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the chunks of a body and their times in seconds; the end is `end` or the error.
async fn chunks(server: &ApiServer, path: &str) -> Vec<(u64, String)> {
    let begun = Instant::now();
    let request = http::Request::get(path).body(kube::client::Body::empty()).expect("a request");
    let mut body = server.client().send(request).await.expect("an answer").into_body();
    let mut all = vec![(begun.elapsed().as_secs(), "head".to_owned())];
    loop {
        let next = timeout(1000 * SECOND, body.frame()).await;
        let text = match next {
            Err(_) => "silence".to_owned(),
            Ok(None) => "end".to_owned(),
            Ok(Some(Err(_))) => "error".to_owned(),
            Ok(Some(Ok(frame))) => {
                let bytes = frame.into_data().unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        let is_last = ["silence", "end", "error"].contains(&text.as_str());
        all.push((begun.elapsed().as_secs(), text));
        if is_last {
            return all;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn raw_answers_arrive_as_they_are_written() -> Tested {
    let server = ApiServer::new();
    let page = || {
        Answer::new(302)
            .header("Location", "https://login.example.com/")
            .header("content-type", "text/plain")
            .header("content-type", "text/html")
    };
    for (end, last) in
        [(End::Fin, (5, "end")), (End::Reset, (5, "error")), (End::Never, (1002, "silence"))]
    {
        let body = page().chunk("<html>").pause(2 * SECOND).chunk("</html>").pause(3 * SECOND);
        server.fault(On::any(), 1, Fault::Answer(body.end(end)));
        let expected = [(0, "head"), (0, "<html>"), (2, "</html>"), last];
        let expected = expected.map(|(at, text)| (at, text.to_owned()));
        assert_eq!(chunks(&server, "/api/v1/configmaps").await, expected, "{end:?}");
    }
    server.fault(Verb::Create, 1, Fault::Answer(page().late_head(SECOND)));
    let request = http::Request::post("/api/v1/namespaces/default/configmaps");
    let request = request.body(serde_json::to_vec(&config("a", "web"))?.into())?;
    let begun = Instant::now();
    let answer = server.client().send(request).await?;
    assert_eq!(begun.elapsed(), SECOND);
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "https://login.example.com/");
    assert_eq!(answer.headers().get_all("content-type").iter().count(), 1);
    assert!(server.objects("configmaps")?.is_empty(), "the request was not carried out");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn answers_differ_by_query() -> Tested {
    let server = filled(3);
    let api = configs(&server);
    let too_large = json!({
        "kind": "Status", "status": "Failure", "reason": "Timeout", "code": 504,
        "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]},
    });
    let at_two = On::verb(Verb::Watch).resource("configmaps").version(2);
    server.fault(at_two, usize::MAX, Fault::Answer(Answer::json(504, &too_large)));
    // Two endless rules must not overflow the count of faults.
    server.fault(On::verb(Verb::List).next_page(), usize::MAX, Fault::status(500));
    for _ in 0..3 {
        assert_eq!(code(api.watch(&WatchParams::default(), "2").await.map(drop)), 504);
    }
    let mut events = watch(&api, WatchParams::default(), "3").await?;
    assert_eq!(seen(&mut events).await, ["+c2@4"]);
    let page = api.list(&ListParams::default().limit(1)).await?;
    let next = ListParams::default().limit(1).continue_token(&page.metadata.continue_.unwrap());
    assert_eq!(code(api.list(&next).await), 500);
    Ok(())
}

/// Returns nested arrays as JSON.
fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test(start_paused = true)]
async fn content_that_no_decoder_expects_can_be_scripted() -> Tested {
    let server = ApiServer::new();
    let object = format!(r#"{{"metadata":{{"name":"deep"}},"data":{}}}"#, nested(200));
    let list = |items: &[u8]| {
        Answer::new(200)
            .chunk(
                r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"#,
            )
            .chunk([b"\"items\":[", items, b"]}"].concat())
    };
    for items in [object.as_bytes(), b"null", b"{\"metadata\":{\"name\":\"\xff\"}}"] {
        server.fault(Verb::List, 1, Fault::Answer(list(items)));
        let arrived = chunks(&server, "/api/v1/configmaps").await;
        assert!(arrived[2].1.contains(&*String::from_utf8_lossy(items)));
    }
    let event = format!(r#"{{"type":"ADDED","object":{object}}}"#);
    let bookmark = r#"{"type":"BOOKMARK","object":{"kind":"ConfigMap","metadata":{}}}"#;
    server.fault(Verb::Watch, 1, Fault::Answer(Answer::lines([&*event, bookmark])));
    let arrived = chunks(&server, "/api/v1/configmaps?watch=true").await;
    let texts: Vec<_> = arrived.iter().map(|(_, text)| text.trim_end()).collect();
    assert_eq!(texts, ["head", &event, bookmark, "end"]);

    // A stored object may be as deeply nested as in kube-apiserver.
    let mut deep = config("deep", "web");
    deep["data"] = serde_json::from_str::<Value>(&nested(120))?;
    let deep = (0..80).fold(deep["data"].take(), |inner, _| json!([inner]));
    server.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deep"}, "data": deep,
    }))?;
    let arrived = chunks(&server, "/api/v1/configmaps").await;
    assert!(arrived[2].1.contains(&nested(200)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn late_heads_hold_back_what_is_done_already() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    server.fault(On::any(), 3, Fault::LateHead(62 * SECOND));
    let begun = Instant::now();
    let params = WatchParams::default().disable_bookmarks().timeout(100);
    let meanwhile = async {
        sleep(SECOND).await;
        server.apply(&config("c1", "web"))
    };
    let (events, written) = tokio::join!(watch(&api, params, "2"), meanwhile);
    written?;
    let mut events = events?;
    assert_eq!(begun.elapsed(), 62 * SECOND);
    assert_eq!(seen(&mut events).await, ["+c1@3"]);
    assert!(events.next().await.is_none());
    assert_eq!(begun.elapsed(), 100 * SECOND, "the time limit counts from the request");

    let everything = ListParams::default();
    let meanwhile = async {
        sleep(SECOND).await;
        server.apply(&config("c2", "web"))
    };
    let (list, written) = tokio::join!(api.list(&everything), meanwhile);
    written?;
    assert_eq!(list?.items.len(), 2, "as it was when the request came");

    let new = serde_json::from_value(config("c3", "web"))?;
    assert!(timeout(SECOND, api.create(&PostParams::default(), &new)).await.is_err());
    assert!(server.get("configmaps", "default", "c3").is_ok(), "written all the same");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bodies_end_after_events() -> Tested {
    let server = filled(3);
    let api = configs(&server);
    for (after_events, expected) in
        [(0, vec!["end"]), (2, vec!["+c0@2", "+c1@3", "end"]), (9, vec!["+c0@2", "+c1@3", "+c2@4"])]
    {
        server.fault(Verb::Watch, 1, Fault::End { after_events });
        let mut events = watch(&api, WatchParams::default(), "0").await?;
        assert_eq!(seen(&mut events).await, expected);
    }
    server.fault(Verb::List, 1, Fault::End { after_events: 2 });
    let list = chunks(&server, "/api/v1/configmaps").await;
    assert_eq!(list.len(), 5, "head, beginning, two items, end: {list:?}");
    assert_eq!(list[4].1, "end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_cut() -> Tested {
    let server = filled(1);
    let idle = |seconds, end| {
        server.fault(Verb::Watch, 1, Fault::Idle { after: seconds * SECOND, end });
    };
    let times = |all: &[(u64, String)]| -> Vec<(u64, String)> {
        all.iter().skip(1).map(|(at, text)| (*at, text.chars().take(16).collect())).collect()
    };
    let path = "/api/v1/configmaps?watch=true&resourceVersion=2&timeoutSeconds=150";
    for (end, last) in
        [(End::Fin, (45, "end")), (End::Reset, (45, "error")), (End::Never, (1000, "silence"))]
    {
        idle(45, end);
        let all = chunks(&server, path).await;
        assert_eq!(times(&all), [(last.0, last.1.to_owned())], "{end:?}");
    }

    // An event restarts the silence.
    idle(45, End::Reset);
    let write = async {
        sleep(30 * SECOND).await;
        server.apply(&config("c0", "db"))
    };
    let (all, written) = tokio::join!(chunks(&server, path), write);
    written?;
    assert_eq!(times(&all), [(30, r#"{"type":"MODIFIE"#.to_owned()), (75, "error".to_owned())]);

    // So does a bookmark, which is sent every minute.
    idle(61, End::Reset);
    let all = chunks(&server, &format!("{path}&allowWatchBookmarks=true")).await;
    let bookmark = r#"{"type":"BOOKMAR"#.to_owned();
    let expected = [(0, r#"{"type":"MODIFIE"#.to_owned()), (60, bookmark.clone()), (120, bookmark)];
    assert_eq!(times(&all)[..3], expected);
    assert_eq!(times(&all)[3], (150, "end".to_owned()), "by its own time limit");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn watches_can_be_ended_by_request() -> Tested {
    let server = filled(1);
    let api = configs(&server);
    let mut plain = watch(&api, WatchParams::default(), "1").await?;
    let mut selected = watch(&api, WatchParams::default().labels("app=web"), "2").await?;
    server.apply(&config("c1", "web"))?;
    server.end_watches(On::any().query("labelSelector", "app=web"), End::Reset);
    server.end_watches(On::any().version("7"), End::Reset);
    server.end_watches(Verb::List, End::Reset);
    server.apply(&config("c2", "web"))?;
    let all = seen(&mut selected).await;
    assert!(all[0] == "+c1@3" && all[1].starts_with("failed") && all[2] == "end", "{all:?}");
    assert_eq!(seen(&mut plain).await, ["+c0@2", "+c1@3", "+c2@4"]);

    // A later watch is not affected, even if it reads the same history.
    let mut later = watch(&api, WatchParams::default().labels("app=web"), "2").await?;
    assert_eq!(seen(&mut later).await, ["+c1@3", "+c2@4"]);
    server.end_watches(On::any(), End::Never);
    server.apply(&config("c3", "web"))?;
    assert!(later.next().now_or_never().is_none());
    assert_eq!(seen(&mut later).await, [""; 0], "open, and lost");
    Ok(())
}
