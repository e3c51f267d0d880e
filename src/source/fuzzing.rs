//! Checks of the parsers of API server answers, for the fuzzer.
#![expect(clippy::missing_panics_doc, reason = "the fuzzer looks for panics")]

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::{Client, client::Body};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};
use tokio::runtime::Runtime;

use super::{
    Watch,
    gvr::segment,
    incoming::Incoming,
    page::{Expected, Page},
    query::Query,
    read::{Item, Read, split},
    request::{ANSWER, Endpoint},
    resolve::{Resolved, Resolver},
    status::Status,
    target::Target,
};
use crate::{
    document::{Document, fuzzing::is_object},
    error::Error,
    event::WatchEvent,
    resource_version::is_valid,
    rfc1123::is_label,
    source::Gvr,
};

/// Checks that a list yields the same items in any frames, and the items that `serde_json` reads. The first
/// bytes are the number of frames and the length of each; the rest is the body.
pub fn list(data: &[u8]) {
    let Some((count, data)) = data.split_first() else { return };
    let Some((lengths, body)) = data.split_at_checked(usize::from(*count % 8)) else { return };
    let whole = read(vec![Bytes::copy_from_slice(body)]);
    let mut frames = Vec::new();
    let mut rest = body;
    let mut lengths = lengths.iter().cycle();
    while let Some((frame, left)) =
        lengths.next().and_then(|len| rest.split_at_checked(usize::from(*len) + 1))
    {
        frames.push(Bytes::copy_from_slice(frame));
        rest = left;
    }
    frames.push(Bytes::copy_from_slice(rest));
    assert_eq!(read(frames), whole);

    let Ok(list) = serde_json::from_slice::<List>(body) else { return };
    // The order of the fields decides if several say what the answer is.
    let is_list = list.kind.as_deref().is_some_and(|kind| kind.ends_with("List"));
    let meta = list.metadata.unwrap_or_default();
    let (version, next) = (meta.resource_version, meta.next);
    if !is_list || list.items.is_none() || !is_valid(&version) {
        return;
    }
    let items = list.items.unwrap_or_default();
    let of_list = list.kind.as_deref().and_then(|kind| kind.strip_suffix("List"));
    let of_item = |item: &RawValue| {
        let item = serde_json::from_str::<Value>(item.get()).unwrap_or_default();
        item["kind"].as_str().map(str::to_owned)
    };
    let is_other = |item: &RawValue| of_item(item).is_some_and(|kind| of_list != Some(&*kind));
    if whole.is_none() && of_list != Some("") && items.iter().any(|item| is_other(item)) {
        return;
    }
    let next = Some(next).filter(|token| !token.is_empty());
    let (mut parsed, parsed_version, parsed_next) = whole.unwrap();
    assert_eq!((parsed.len(), parsed_version, parsed_next), (items.len(), Some(version), next));
    for (parsed, item) in parsed.iter_mut().zip(items) {
        let want = serde_json::from_str::<Value>(item.get()).ok().filter(is_object);
        if let (Some(Value::Object(parsed)), Some(want)) = (parsed.as_mut(), &want)
            && want.get("apiVersion").or(want.get("kind")).is_none()
        {
            // The types of the list.
            parsed.remove("apiVersion");
            parsed.remove("kind");
        }
        assert_eq!(*parsed, want);
    }
}

/// The items, `None` for each one that can't be decoded; the version; and the continue token.
type Parsed = (Vec<Option<Value>>, Option<String>, Option<String>);

#[derive(Deserialize)]
struct List {
    items: Option<Vec<Box<RawValue>>>,
    metadata: Option<Meta>,
    kind: Option<String>,
    // The field may come after the items, and is ignored then.
    #[serde(default, rename = "apiVersion")]
    _api_version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

/// Returns the parsed list, or `None` if it isn't one.
fn read(frames: Vec<Bytes>) -> Option<Parsed> {
    WORLD.with_borrow(|world| {
        world.runtime.block_on(async {
            world.answers.set([(StatusCode::OK, frames)]);
            let request = Request::new(Body::empty());
            let answer = world.query.endpoint.client.send(request).await.unwrap();
            let expected = Expected { is_versioned: true, ..Expected::default() };
            let incoming = Incoming::new("list".into(), answer.into_body());
            let mut page = Page::new(incoming, ANSWER, expected);
            let (mut items, cluster) = (Vec::new(), Target::cluster());
            while let Some(item) = page
                .item(|bytes, expected| world.query.item(bytes, expected, &cluster))
                .await
                .ok()?
            {
                items.push(match item {
                    Item::Object(object) => Some(object.to_value()),
                    Item::Undecodable(_) => None,
                    // The item is of another kind than the list.
                    Item::Foreign(_) => return None,
                    Item::Known { .. } | Item::LeftOut => panic!("nothing is known, nor left out"),
                });
            }
            Some((items, page.version(), page.next()))
        })
    })
}

/// Checks that a line of a watch is parsed as `serde_json` reads it. The first byte selects whether it
/// belongs to a streaming list.
pub fn line(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else { return };
    if line.contains(&b'\n') {
        return;
    }
    let read = WORLD.with_borrow(|world| {
        world.query.read(line, choice % 2 == 0, &Target::cluster(), &Expected::default())
    });
    // `serde_json` accepts bytes that are not UTF-8 in fields that it ignores.
    let text = str::from_utf8(line).ok();
    // `serde_json` also accepts a list for a struct.
    let text = text.filter(|text| text.trim_ascii_start().starts_with('{'));
    let said = text.and_then(|text| serde_json::from_str::<Line<'_>>(text).ok());
    if let (Some(said), Some(text)) = (&said, text) {
        let (kind, object) = split(text).unwrap();
        assert_eq!((&*kind, object), (&*said.kind, said.object.get()));
    }
    let object = said.as_ref().map(|said| serde_json::from_str::<Value>(said.object.get()));
    let object = object.and_then(Result::ok);
    let version = object.as_ref().and_then(|object| object["metadata"]["resourceVersion"].as_str());
    let kind = said.as_ref().map(|said| &*said.kind);
    match (&read, kind) {
        (Read::Event(event, at), Some(kind)) => {
            let (parsed, gone) = match event {
                WatchEvent::Applied(parsed) | WatchEvent::Listed(parsed) => (parsed, false),
                WatchEvent::Deleted(parsed) => (parsed, true),
                _ => panic!("a line is about one object"),
            };
            assert_eq!(Some(&parsed.to_value()), object.as_ref());
            assert!(if gone { kind == "DELETED" } else { kind == "ADDED" || kind == "MODIFIED" });
            assert_eq!(version, Some(&**at));
        }
        (Read::Bookmark { version: at, .. }, Some("BOOKMARK")) => {
            let version = version.filter(|version| is_valid(version));
            assert!(object.is_none() || version == at.as_deref());
        }
        (Read::Undecodable { .. }, Some(_)) => {
            assert!(!object.is_some_and(|object| is_object(&object)));
        }
        (Read::Gone { .. }, Some(kind)) => {
            assert_eq!(kind, "DELETED");
            assert!(!object.is_some_and(|object| is_object(&object)));
        }
        (Read::Failed(_), Some("ADDED" | "MODIFIED" | "DELETED")) => {
            let name = object.as_ref().and_then(|object| object["metadata"]["name"].as_str());
            assert!(!version.is_some_and(is_valid) || name.is_none_or(str::is_empty));
        }
        // Only decoding shows whether an object is valid.
        (Read::Failed(_), _) | (Read::Undecodable { .. } | Read::Gone { .. }, None) => {}
        (Read::Known { .. }, _) => panic!("nothing is known"),
        // `serde_json` rejects repeated fields, and ignored values are only skipped here. The line must
        // still be an object.
        (_, None) => assert!(split(&String::from_utf8_lossy(line)).is_ok()),
        (_, Some(kind)) => panic!("{kind} is read as something else"),
    }
}

#[derive(Deserialize)]
struct Line<'l> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    object: &'l RawValue,
}

/// Checks that an error has the message of a `Status` and nothing else of a body, and the status and delay
/// that the body names. The first byte selects the status of the answer, the rest is the body.
pub fn status(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let code = [None, Some(404), Some(410), Some(429), Some(500)][usize::from(choice % 5)];
    let error = Status::read(body).into_error("get v1/things", code, Some("a"));
    let found = match serde_json::from_slice(body) {
        Ok(found) => found,
        // `serde_json` accepts anything in fields that it ignores.
        Err(_) if serde_json::from_slice::<IgnoredAny>(body).is_ok() => return is_short(&error),
        Err(_) => Value::Null,
    };
    let own = found["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    let code = code.or(own).unwrap_or_default();
    assert_eq!(error.status(), Some(code).filter(|code| *code > 0));
    assert_eq!(
        error.retry_after().map(|wait| wait.as_secs()),
        found["details"]["retryAfterSeconds"].as_u64()
    );
    let is_about_it = found["details"]["name"].as_str().is_some_and(|name| name == "a");
    assert_eq!(error.is_not_found(), code == 404 && is_about_it);
    assert_eq!(error.is_not_installed(), code == 404 && !is_about_it);
    assert_eq!(error.is_throttled(), code == 429 && !error.is_desynced());

    let text = error.to_string();
    let said = text.strip_prefix("get v1/things: ").expect("the request is named");
    let message = found["message"].as_str().filter(|_| found["kind"] == "Status");
    let message = message.unwrap_or_default().trim();
    let (said, reason) = if message.is_empty() {
        let rest = said.strip_prefix(&format!("HTTP status {code}")).expect("the status");
        ("", rest.trim_start())
    } else {
        let (said, rest) = said.rsplit_once(" (").expect("the message, and the status");
        let rest = rest.strip_suffix(')').and_then(|rest| rest.strip_prefix(&code.to_string()));
        (said, rest.expect("the status").trim_start())
    };
    assert!(reason.is_empty() || found["reason"] == reason, "{text}");
    assert!(reason.bytes().all(|byte| byte.is_ascii_alphabetic()), "{text}");
    is_harmless(said);
    let shown = said.strip_suffix('…').unwrap_or(said);
    let plain = |c: &char| !c.is_control() && !is_direction(*c);
    let plain: String = message.chars().take_while(plain).take(400).collect();
    assert!(shown.starts_with(&plain), "{text}");
    assert!(text.chars().count() <= 512, "{text}");
}

/// Checks that a text can be logged unchanged.
fn is_harmless(text: &str) {
    assert!(!text.contains(|c: char| c.is_control() || is_direction(c)), "{text:?}");
}

/// Returns whether the character changes the direction of the following text.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks that discovery finds what `serde_json` reads in its answers, and requests only paths of a group.
/// The first byte selects the resource, each line of the rest is an answer.
pub fn discovery(data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else { return };
    let texts = ["v1/things", "x.io/v1/things", "x.io/things", "x.io/v2,v1/things", "v2,v1/things"];
    let resource = Gvr::parse(texts[usize::from(*choice) % texts.len()]).unwrap();
    let answers: Vec<_> = answers.split(|byte| *byte == b'\n').take(8).collect();
    let (found, asked) = WORLD.with_borrow(|world| {
        let bodies = answers.iter().map(|body| vec![Bytes::copy_from_slice(body)]);
        world.answers.set(bodies.map(|frames| (StatusCode::OK, frames)));
        let endpoint = Endpoint::new(world.query.endpoint.client.clone(), resource.clone());
        let found = world.runtime.block_on(Resolver::asking().resolved(&endpoint));
        (found, world.answers.asked())
    });
    let base = if resource.group().is_empty() { "/api" } else { "/apis/x.io" };
    for uri in &asked {
        let rest = uri.path().strip_prefix(base).expect("a path of the group");
        assert!(rest.is_empty() || rest.strip_prefix('/').is_some_and(is_label), "{uri}");
        assert_eq!(uri.query(), None);
    }
    // The answer to the last request, if there was one.
    let last = answers.get(asked.len() - 1).copied().unwrap_or_default();
    // `serde_json` accepts anything in fields that it ignores, and a list for a struct.
    let Ok(last) = serde_json::from_slice::<Value>(last) else { return };
    let mut served = last["resources"].as_array().into_iter().flatten();
    if last.is_array() || served.any(Value::is_array) {
        return;
    }
    match found {
        Ok(found) => {
            let version = asked.last().and_then(|uri| uri.path().rsplit('/').next());
            assert_eq!(version, Some(&*found.version));
            let allowed = resource.versions();
            assert!(allowed.is_empty() || allowed.contains(&found.version));
            is_found(&found, &last, resource.version().is_some());
        }
        Err(error) if error.is_resource() => {
            // The resource is served under another name.
            let own = |own: &Value| own["name"] == resource.plural();
            assert!(!last["resources"].as_array().unwrap().iter().any(own), "{error}");
            is_short(&error);
        }
        Err(error) => {
            assert_eq!(resource.version(), None, "{error}");
            is_short(&error);
        }
    }
}

/// Checks a resource against the discovery answer in which it was found.
fn is_found(found: &Resolved, answer: &Value, may_be_unknown: bool) {
    let none = Vec::new();
    let served = answer["resources"].as_array().unwrap_or(&none);
    let Some(namespaced) = found.is_namespaced else {
        assert!(may_be_unknown, "nothing is known of {}", found.version);
        assert!(found.kind.is_none() && found.is_watchable.is_none() && found.others.is_empty());
        return;
    };
    let own = served.iter().find(|own| own["name"] == "things").expect("the resource");
    let kind = own["kind"].as_str().unwrap_or_default();
    assert_eq!(own["namespaced"], namespaced);
    assert_eq!(found.kind.as_deref().unwrap_or_default(), kind);
    let verbs = own["verbs"].as_array().filter(|verbs| !verbs.is_empty());
    let watches = verbs.map(|verbs| verbs.iter().any(|verb| verb == "watch"));
    assert_eq!(found.is_watchable, watches);
    let others = served.iter().map(|own| own["kind"].as_str().unwrap_or_default());
    assert!(found.others.iter().map(|kind| &**kind).eq(others.filter(|own| *own != kind)));
}

fn is_short(error: &Error) {
    let text = error.to_string();
    assert!(text.chars().count() <= 512, "{text}");
    is_harmless(&text);
}

/// Checks that an accepted resource parses again from its text, and that any text becomes one segment of a
/// path, which decodes to the text.
pub fn resource(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let part = segment(text);
    assert!(!part.contains(['/', '?', '#', ' ']) && !matches!(&*part, "." | ".."), "{part}");
    assert_eq!(decoded(&part), data, "{part}");
    let resource = match Gvr::parse(text) {
        Ok(resource) => resource,
        Err(error) => {
            assert!(error.is_resource());
            return;
        }
    };
    assert_eq!(resource.to_string(), text.trim());
    assert_eq!(Gvr::parse(&resource.to_string()).unwrap(), resource);
    let version = resource.versions().first().map_or("v1", |version| version);
    let url = resource.url(version, Some(text));
    let uri: Uri = url.parse().unwrap();
    assert_eq!((uri.path(), uri.query()), (&*url, None));
    assert_eq!(url.rsplit('/').next(), Some(resource.plural()));
}

/// Returns the bytes that a segment of a path stands for.
fn decoded(segment: &str) -> Vec<u8> {
    let mut bytes = segment.bytes();
    let mut all = Vec::new();
    while let Some(byte) = bytes.next() {
        all.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    all
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// A runtime, a query and answers, to parse an answer.
struct World {
    runtime: Runtime,
    query: Query<Document>,
    answers: Answers,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answers = Answers::default();
        let client = {
            let _in_runtime = runtime.enter();
            answers.client()
        };
        let things = Gvr::known("", "v1", "things");
        Self { runtime, query: Watch::of_resource(client, things).query, answers }
    }
}

/// Prepared answers, and the paths that were requested.
#[derive(Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Exchanged>>);

#[derive(Default)]
struct Exchanged {
    next: VecDeque<(StatusCode, Vec<Bytes>)>,
    asked: Vec<Uri>,
}

impl Answers {
    /// Returns a client that gets these answers, and 503 once there are no more.
    ///
    /// Only a client can make kube's body.
    pub(crate) fn client(&self) -> Client {
        let own = self.clone();
        let answer = move |request: Request<Body>| {
            let mut own = own.lock();
            own.asked.push(request.uri().clone());
            let (code, frames) =
                own.next.pop_front().unwrap_or((StatusCode::SERVICE_UNAVAILABLE, Vec::new()));
            let frames = stream::iter(frames).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
            let mut answer = Response::new(StreamBody::new(frames));
            *answer.status_mut() = code;
            async { Ok::<_, Infallible>(answer) }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    /// Replaces the prepared answers.
    pub(crate) fn set(&self, answers: impl IntoIterator<Item = (StatusCode, Vec<Bytes>)>) {
        let next = answers.into_iter().collect();
        *self.lock() = Exchanged { next, asked: Vec::new() };
    }

    /// Returns the paths requested since.
    pub(crate) fn asked(&self) -> Vec<Uri> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Exchanged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
