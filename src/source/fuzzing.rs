//! What must hold of what is read from the API server, for the fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is how the fuzzer is told")]

use std::{
    cell::RefCell,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::{Client, client::Body};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tokio::runtime::Runtime;

use super::{
    Watch,
    incoming::Incoming,
    page::{Expected, Page},
    query::Query,
    read::{Item, Read, split},
    request::ANSWER,
    target::Target,
};
use crate::{
    document::{Document, fuzzing::is_object},
    event::WatchEvent,
    source::Gvr,
};

/// A list gives the same, in whatever frames it comes, and that is what `serde_json` reads. The
/// first bytes are how many there are of them, and how long each is; the rest is the body.
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
    // The order of the fields decides where several say what the answer is.
    let is_list = list.kind.as_deref().is_some_and(|kind| kind.ends_with("List"));
    let meta = list.metadata.unwrap_or_default();
    let (version, next) = (meta.resource_version, meta.next);
    if !is_list || list.items.is_none() || version.is_empty() {
        return;
    }
    let items = list.items.unwrap_or_default();
    let next = Some(next).filter(|token| !token.is_empty());
    let (mut told, told_version, told_next) = whole.unwrap();
    assert_eq!((told.len(), told_version, told_next), (items.len(), Some(version), next));
    for (told, item) in told.iter_mut().zip(items) {
        let want = serde_json::from_str::<Value>(item.get()).ok().filter(is_object);
        if let (Some(Value::Object(told)), Some(want)) = (told.as_mut(), &want)
            && want.get("apiVersion").or(want.get("kind")).is_none()
        {
            // Those of the list.
            told.remove("apiVersion");
            told.remove("kind");
        }
        assert_eq!(*told, want);
    }
}

/// The items, or that one can't be decoded; the version; and what to go on with.
type Told = (Vec<Option<Value>>, Option<String>, Option<String>);

#[derive(Deserialize)]
struct List {
    items: Option<Vec<Box<RawValue>>>,
    metadata: Option<Meta>,
    kind: Option<String>,
    // It may come after the items, and is then for nobody.
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

/// What is read of a list, or `None` if it is none.
fn read(frames: Vec<Bytes>) -> Option<Told> {
    WORLD.with_borrow(|world| {
        world.runtime.block_on(async {
            *world.frames.lock().unwrap_or_else(PoisonError::into_inner) = frames;
            let request = Request::new(Body::empty());
            let answer = world.query.endpoint.client.send(request).await.unwrap();
            let expected = Expected { is_versioned: true, ..Expected::default() };
            let incoming = Incoming::new("list".into(), answer.into_body());
            let mut page = Page::new(incoming, ANSWER, expected);
            let (mut items, cluster) = (Vec::new(), Target::cluster());
            while let Some(item) =
                page.item(|bytes, types| world.query.item(bytes, types, &cluster)).await.ok()?
            {
                items.push(match item {
                    Item::Object(object) => Some(object.to_value()),
                    Item::Undecodable(_) => None,
                    Item::Known { .. } | Item::LeftOut | Item::Foreign => {
                        panic!("nothing is known, nor left out, and all are asked for")
                    }
                });
            }
            Some((items, page.version(), page.next()))
        })
    })
}

/// A line of a watch says what `serde_json` reads in it. The first byte chooses whether it is one
/// of a streaming list.
pub fn line(data: &[u8]) {
    let Some((choice, line)) = data.split_first() else { return };
    if line.contains(&b'\n') {
        return;
    }
    let read = WORLD.with_borrow(|world| {
        world.query.read(line, choice % 2 == 0, &Target::cluster(), &Expected::default())
    });
    // In what it ignores, `serde_json` takes bytes that are not UTF-8.
    let text = str::from_utf8(line).ok();
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
            let (told, gone) = match event {
                WatchEvent::Applied(told) | WatchEvent::Listed(told) => (told, false),
                WatchEvent::Deleted(told) => (told, true),
                _ => panic!("a line is about one object"),
            };
            assert_eq!(Some(&told.to_value()), object.as_ref());
            assert!(if gone { kind == "DELETED" } else { kind == "ADDED" || kind == "MODIFIED" });
            assert_eq!(version, Some(&**at));
        }
        (Read::Bookmark { version: at, .. }, Some("BOOKMARK")) => {
            let version = version.filter(|version| !version.is_empty());
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
            assert!(version.is_none_or(str::is_empty) || name.is_none_or(str::is_empty));
        }
        // What is in an object, only those who decode it find out.
        (Read::Failed(_), _) | (Read::Undecodable { .. } | Read::Gone { .. }, None) => {}
        (Read::Known { .. }, _) => panic!("nothing is known"),
        // Of fields that repeat `serde_json` takes none, and what nobody looks at is only skipped
        // here. The line must be an object all the same.
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

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// What it takes to read an answer.
struct World {
    runtime: Runtime,
    query: Query<Document>,
    /// The next answer.
    frames: Arc<Mutex<Vec<Bytes>>>,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let frames = Arc::new(Mutex::new(Vec::<Bytes>::new()));
        let answer = Arc::clone(&frames);
        // Only a client makes a body of kube's.
        let answer = move |_: Request<Body>| {
            let frames =
                std::mem::take(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
            let frames = stream::iter(frames).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames))) }
        };
        let client = {
            let _in_runtime = runtime.enter();
            Client::new(tower::service_fn(answer), "default")
        };
        let things = Gvr::known("", "v1", "things");
        Self { runtime, query: Watch::of_resource(client, things).query, frames }
    }
}
