//! A page of a list, decoded while it arrives.

use std::{sync::Arc, time::Duration};

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tokio::time::Instant;

use super::{
    incoming::Incoming,
    status::{Part, Status},
};
use crate::{
    clock::after,
    error::Error,
    json::{Fault, Scanner, Skip, is_space},
    resource_version::is_valid,
    tape::Types,
};

/// The body of a list. Its items are decoded one by one in place: there is never more of a page in memory
/// than an item and the bytes that arrived with it.
pub(super) struct Page {
    incoming: Incoming,
    expected: Expected,
    /// The maximum time for each item.
    patience: Duration,
    /// The time at which the current item is overdue, however many bytes trickle in.
    until: Instant,
    place: Place,
    api_version: Option<String>,
    kind: Option<String>,
    has_items: bool,
    is_misfit: bool,
    /// The fields of a `Status`, if the answer is one.
    status: Status,
    meta: Meta,
}

/// The requested list.
#[derive(Default)]
pub(super) struct Expected {
    /// The kind of the objects, if it is known.
    pub(super) kind: Option<String>,
    /// The resource, if its list may be of any kind.
    pub(super) custom: Option<Custom>,
    /// True if only metadata was requested, which has a kind of its own.
    pub(super) metadata_only: bool,
    /// True if the list must have a resourceVersion.
    pub(super) is_versioned: bool,
    /// The types of items without types of their own; not those of metadata, which are not the object's.
    pub(super) types: Types,
}

/// A custom resource. Its definition also names the kind of its lists, as `listKind`.
pub(super) struct Custom {
    pub(super) api_version: String,
    /// The kinds of the other resources of its version, as far as they are known.
    pub(super) others: Arc<[String]>,
}

impl Expected {
    /// Returns whether objects of this kind are the requested ones.
    fn is_of(&self, kind: &str) -> bool {
        self.kind.as_ref().is_none_or(|expected| kind == expected)
            || self.metadata_only && kind == "PartialObjectMetadata"
    }

    /// Returns whether an object is of the requested kind. `kind` is the position of the object's own kind
    /// in its JSON.
    pub(super) fn may_be(&self, object: &[u8], kind: Option<usize>) -> bool {
        let Some(at) = kind.filter(|_| self.kind.is_some()) else { return true };
        let mut scanner = Scanner::new(object, at);
        let said = scanner.string().and_then(|kind| scanner.unescape(kind));
        // Only a string is a kind, unless it is empty.
        said.map_or(true, |kind| kind.is_empty() || self.is_of(&kind))
    }

    /// Returns whether a list of objects of this kind is acceptable. A list of mixed kinds has no kind.
    fn fits(&self, kind: &str, api_version: Option<&str>) -> bool {
        let is_custom = |own: &Custom| {
            api_version.is_none_or(|version| version == own.api_version)
                && !own.others.iter().any(|other| other == kind)
        };
        kind.is_empty() || self.is_of(kind) || self.custom.as_ref().is_some_and(is_custom)
    }

    /// Returns the expectation of the items of a list that has these types before its items.
    fn of_items(mut self, api_version: Option<&str>, kind: Option<&str>) -> Self {
        let own = kind.map(|kind| match &self.kind {
            Some(expected) if !self.is_of(kind) => expected,
            _ => kind,
        });
        if !self.metadata_only {
            self.types = Types::new(api_version, own);
        }
        if self.kind.is_none() && self.custom.is_none() {
            // The kind of the list is the only source.
            self.kind = kind.filter(|kind| !kind.is_empty()).map(str::to_owned);
        }
        self
    }
}

/// The position in the body: before which part it is.
enum Place {
    Start,
    /// A field of the list, or its end.
    Field(Nth),
    /// An item, or the end of the items.
    Item(Nth),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nth {
    First,
    Later,
}

/// A field of a list, or of a `Status` in place of the list.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Items,
    Metadata,
    ApiVersion,
    Kind,
    Status(Part),
}

/// The maximum length of an `apiVersion` and a kind: a group, a slash and a version.
const LONGEST_TYPE: usize = 253 + 1 + 63;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

impl Page {
    /// Reads a body whose items must each arrive within `patience`.
    pub(super) fn new(incoming: Incoming, patience: Duration, expected: Expected) -> Self {
        Self {
            incoming,
            expected,
            patience,
            until: after(Instant::now(), patience),
            place: Place::Start,
            api_version: None,
            kind: None,
            has_items: false,
            is_misfit: false,
            status: Status::default(),
            meta: Meta::default(),
        }
    }

    /// Returns the version of the list, if it has one; valid once there are no more items.
    pub(super) fn version(&self) -> Option<String> {
        Some(self.meta.resource_version.clone()).filter(|version| is_valid(version))
    }

    /// Returns the continue token of the next page, if there is one; valid once there are no more items.
    pub(super) fn next(&self) -> Option<String> {
        Some(self.meta.next.clone()).filter(|token| !token.is_empty())
    }

    /// Returns the next item as parsed by `read`, or `None` at the end of the page. `read` gets bytes that
    /// begin with the item and the expectation of it, and returns where the item ends.
    pub(super) async fn item<T>(
        &mut self,
        read: impl Fn(&[u8], &Expected) -> Result<(T, usize), Fault>,
    ) -> Result<Option<T>, Error> {
        loop {
            match self.place {
                Place::Start => {
                    self.eat(b'{').await?;
                    self.place = Place::Field(Nth::First);
                }
                Place::Field(nth) => {
                    self.place = Place::Field(Nth::Later);
                    let Some(field) = self.field(nth).await? else {
                        return self.check().map(|()| None);
                    };
                    match field {
                        Field::Items => {
                            self.has_items = true;
                            self.check_kind()?;
                            if self.peek().await? == b'[' {
                                self.incoming.take(1);
                                let expected = std::mem::take(&mut self.expected);
                                let version = self.api_version.as_deref();
                                self.expected = expected.of_items(version, self.item_kind());
                                self.place = Place::Item(Nth::First);
                            } else {
                                // An empty list may be `null`.
                                let () = self.value().await?;
                            }
                        }
                        Field::Metadata => {
                            self.meta = self.value::<Option<_>>().await?.unwrap_or_default();
                        }
                        Field::ApiVersion => self.api_version = self.name().await?,
                        Field::Kind => self.kind = self.name().await?,
                        // The fields of a `Status`, whose kind may follow them.
                        Field::Status(
                            part @ (Part::Code | Part::Reason | Part::Message | Part::Details),
                        ) if self.kind.is_none() || self.is_status() => {
                            let len = self.end_of_value().await?;
                            let read = self.status.read_part(part, self.incoming.take(len));
                            read.map_err(|_| self.malformed())?;
                        }
                        Field::Status(_) => self.skip().await?,
                    }
                }
                Place::Item(nth) => {
                    self.place = Place::Item(Nth::Later);
                    if self.one_more(nth, b']').await? {
                        return self.object(read).await.map(Some);
                    }
                    self.place = Place::Field(Nth::Later);
                }
            }
        }
    }

    fn is_status(&self) -> bool {
        self.kind.as_deref() == Some("Status")
    }

    /// Returns the kind of the objects: a `PodList` is one of `Pod`s.
    fn item_kind(&self) -> Option<&str> {
        self.kind.as_deref().and_then(|kind| kind.strip_suffix("List"))
    }

    /// Checks the kind of the list, if it is known already.
    fn check_kind(&mut self) -> Result<(), Error> {
        let version = self.api_version.as_deref();
        let fits = self.item_kind().is_none_or(|kind| self.expected.fits(kind, version));
        if fits { Ok(()) } else { Err(self.misfit()) }
    }

    /// Returns the error for an answer of another kind.
    fn misfit(&mut self) -> Error {
        self.is_misfit = true;
        self.incoming.broken("the answer is a list of another kind")
    }

    /// Returns whether the server answered with objects of another kind. A retry would get the same answer.
    pub(super) fn is_misfit(&self) -> bool {
        self.is_misfit
    }

    /// Checks that the answer was a list, and the requested one. Anything else would empty a store.
    fn check(&mut self) -> Result<(), Error> {
        if self.is_status() {
            let mut status = std::mem::take(&mut self.status);
            status.quotable = true;
            return Err(status.into_error(self.incoming.what(), None, None));
        }
        self.check_kind()?;
        let why = match self.item_kind() {
            None => "the answer is not a list",
            _ if !self.has_items => "the answer is a list without `items`",
            _ if self.expected.is_versioned && !is_valid(&self.meta.resource_version) => {
                "the list has no resourceVersion"
            }
            _ => return Ok(()),
        };
        Err(self.incoming.broken(why))
    }

    /// Returns the next object, or whatever is in its place.
    async fn object<T>(
        &mut self,
        read: impl Fn(&[u8], &Expected) -> Result<(T, usize), Fault>,
    ) -> Result<T, Error> {
        self.incoming.pay().await;
        if self.incoming.bytes().first() != Some(&b'{') {
            self.end_of_value().await?;
        }
        self.incoming.prefetch();
        let mut found = read(self.incoming.bytes(), &self.expected);
        if matches!(found, Err(Fault::Incomplete)) {
            // The object is not parsed again until its end has arrived.
            let end = self.end_of_value().await?;
            found = read(&self.incoming.bytes()[..end], &self.expected);
        }
        let (item, end) = found.map_err(|_| self.malformed())?;
        self.incoming.take(end);
        self.until = after(Instant::now(), self.patience);
        Ok(item)
    }

    /// Skips the name of a field, up to its value; returns `None` at the end of the object.
    async fn field(&mut self, nth: Nth) -> Result<Option<Field>, Error> {
        if !self.one_more(nth, b'}').await? {
            return Ok(None);
        }
        let field = self.value().await?;
        self.eat(b':').await?;
        self.peek().await?;
        Ok(Some(field))
    }

    /// Advances to the next element, or past the end of the list; returns whether there is one.
    #[inline]
    async fn one_more(&mut self, nth: Nth, end: u8) -> Result<bool, Error> {
        let mut needs_comma = nth == Nth::Later;
        loop {
            match self.peek_now() {
                None => self.more().await?,
                Some(byte) if byte == end && needs_comma == (nth == Nth::Later) => {
                    self.incoming.take(1);
                    return Ok(false);
                }
                Some(b',') if needs_comma => {
                    self.incoming.take(1);
                    needs_comma = false;
                }
                Some(_) if needs_comma => return Err(self.malformed()),
                Some(_) => return Ok(true),
            }
        }
    }

    async fn eat(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek().await? != byte {
            return Err(self.malformed());
        }
        self.incoming.take(1);
        Ok(())
    }

    /// Skips white space, and returns the byte after it.
    async fn peek(&mut self) -> Result<u8, Error> {
        loop {
            match self.peek_now() {
                Some(byte) => return Ok(byte),
                None => self.more().await?,
            }
        }
    }

    /// Does the same as [`peek`](Self::peek), with the bytes that have arrived.
    #[inline]
    fn peek_now(&mut self) -> Option<u8> {
        let bytes = self.incoming.bytes();
        let space = bytes.iter().take_while(|byte| is_space(**byte)).count();
        let found = bytes.get(space).copied();
        if space > 0 {
            self.incoming.take(space);
        }
        found
    }

    /// Waits until the next value has arrived completely, and returns its length. Each byte is examined
    /// once, however many frames there are.
    async fn end_of_value(&mut self) -> Result<usize, Error> {
        let mut skip = Skip::new();
        let mut searched = 0;
        loop {
            match skip.step(&self.incoming.bytes()[searched..]) {
                Some(end) if searched + end == 0 => return Err(self.malformed()),
                Some(end) => return Ok(searched + end),
                None => {
                    searched = self.incoming.bytes().len();
                    self.more().await?;
                }
            }
        }
    }

    /// Returns the next value.
    async fn value<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let len = self.end_of_value().await?;
        let value = serde_json::from_slice(self.incoming.take(len));
        value.map_err(|_| self.malformed())
    }

    /// Returns the next text, which goes into each object.
    async fn name(&mut self) -> Result<Option<String>, Error> {
        let name: Option<String> = self.value().await?;
        let is_long = name.as_ref().is_some_and(|name| name.len() > LONGEST_TYPE);
        if is_long { Err(self.malformed()) } else { Ok(name) }
    }

    /// Skips a value; only the ends of strings and containers are checked.
    async fn skip(&mut self) -> Result<(), Error> {
        if matches!(self.peek().await?, b'{' | b'[' | b'"') {
            let len = self.end_of_value().await?;
            self.incoming.take(len);
        } else {
            let _: IgnoredAny = self.value().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), Error> {
        if self.incoming.more(self.until).await? {
            return Ok(());
        }
        Err(self.incoming.broken("the connection ended within a list"))
    }

    fn malformed(&self) -> Error {
        self.incoming.broken("a list is not valid JSON")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures::{StreamExt, stream};
    use http::{Request, Response};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use kube::{Client, client::Body};

    use super::*;
    use crate::{
        json::taken_looked_at,
        tape::{Tape, Writer},
    };

    type Listed = (Vec<String>, Option<String>, Option<String>);

    /// Returns the items of a body in pieces of this size, and the list's version and continue token.
    async fn read(text: &str, piece: usize) -> Result<Listed, Error> {
        read_of(None, text, piece).await
    }

    /// Does the same as [`read`], for a custom resource if an `apiVersion` is given.
    async fn read_of(api_version: Option<&str>, text: &str, piece: usize) -> Result<Listed, Error> {
        let pieces: Vec<_> = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice).collect();
        // Only a client can make kube's body.
        let answer = move |_: Request<Body>| {
            let frames =
                stream::iter(pieces.clone()).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames))) }
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let answer = client.send(Request::new(Body::empty())).await.unwrap();
        let incoming = Incoming::new("list".into(), answer.into_body());
        let custom = api_version
            .map(|own| Custom { api_version: own.to_owned(), others: ["Other".to_owned()].into() });
        let kind = Some("Thing".to_owned());
        let expected = Expected { kind, custom, is_versioned: true, ..Expected::default() };
        let mut page = Page::new(incoming, Duration::from_secs(1), expected);
        let mut items = Vec::new();
        let read = |bytes: &[u8], expected: &Expected| {
            let mut scanner = Scanner::new(bytes, 0);
            scanner.skip_value()?;
            let json = str::from_utf8(scanner.since(0)).map_err(|_| Fault::Malformed)?;
            let mut object = Writer::default();
            let open = object.object();
            object.append(expected.types.as_bytes());
            object.close(open);
            let types = object.finish().unwrap();
            Ok((format!("{} {json}", Tape::new(&types).to_json()), scanner.position()))
        };
        while let Some(item) = page.item(read).await? {
            items.push(item);
        }
        Ok((items, page.version(), page.next()))
    }

    #[tokio::test(start_paused = true)]
    async fn items_are_cut_out_wherever_the_pieces_end() {
        let first = r#"{"metadata":{"name":"}]"},"data":{"a":"\\\"]}","b":[[],{}]}}"#;
        let second = r#"{ "metadata" : {"name":"ключ"} }"#;
        let list = format!(
            r#" {{"kind":"ThingList","apiVersion":"v1","metadata":{{"resourceVersion":"7","continue":"c","remainingItemCount":1}},"other":[1,{{"items":[]}}],"items": [ {first} , {second} ] }}"#
        );
        let wanted = (
            [first, second]
                .map(|item| format!(r#"{{"kind":"Thing","apiVersion":"v1"}} {item}"#))
                .to_vec(),
            Some("7".to_owned()),
            Some("c".to_owned()),
        );
        for piece in 1..=list.len() {
            assert_eq!(read(&list, piece).await.unwrap(), wanted, "{piece}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fields_come_in_any_order() {
        let list = r#"{"items":[{"a":1}],"metadata":{"resourceVersion":"7"},"kind":"ThingList"}"#;
        let (items, version, next) = read(list, 9).await.unwrap();
        let wanted = (vec![r#"{} {"a":1}"#.to_owned()], Some("7".to_owned()), None);
        assert_eq!((items, version, next), wanted);
    }

    /// SEMANTICS: W11
    #[tokio::test(start_paused = true)]
    async fn only_the_list_that_was_asked_for_is_one() {
        let meta = r#""metadata":{"resourceVersion":"7"}"#;
        for list in [
            format!(r#"{{"kind":"ThingList","items":[],{meta}}}"#),
            format!(r#"{{"kind":"ThingList","items":null,{meta}}}"#),
            format!(r#"{{{meta},"kind":"List","items":[]}}"#),
        ] {
            let (items, version, _) = read(&list, 4).await.unwrap();
            assert_eq!((items.len(), version.as_deref()), (0, Some("7")), "{list}");
        }
        for (text, why) in [
            ("{}".to_owned(), "not a list"),
            (r#"{"status":"ok"}"#.to_owned(), "not a list"),
            (format!(r#"{{"items":[],{meta}}}"#), "not a list"),
            (format!(r#"{{"kind":"Thing","items":[],{meta}}}"#), "not a list"),
            (format!(r#"{{"kind":"Table","rows":[],{meta}}}"#), "not a list"),
            (format!(r#"{{"kind":"APIResourceList","resources":[],{meta}}}"#), "another kind"),
            (format!(r#"{{"kind":"PodList","items":[],{meta}}}"#), "another kind"),
            (format!(r#"{{"kind":"ThingList",{meta}}}"#), "without `items`"),
            (format!(r#"{{"kind":"ThingList","items":{{}},{meta}}}"#), "not valid JSON"),
            (r#"{"kind":"ThingList","items":[]}"#.to_owned(), "no resourceVersion"),
            (r#"{"kind":"ThingList","items":[],"metadata":null}"#.to_owned(), "no resourceVersion"),
            (
                r#"{"kind":"ThingList","items":[],"metadata":{"resourceVersion":""}}"#.to_owned(),
                "no resourceVersion",
            ),
            ("<html>".to_owned(), "not valid JSON"),
        ] {
            let error = read(&text, 5).await.unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
        let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"no","reason":"Forbidden","code":403}"#;
        assert!(read(status, 6).await.unwrap_err().is_forbidden());
    }

    /// SEMANTICS: W11, W24, B6
    #[tokio::test(start_paused = true)]
    async fn the_list_of_a_custom_resource_may_be_of_any_kind() {
        let list = |kind: &str, version: &str, items: &str| {
            let meta = r#""metadata":{"resourceVersion":"7"}"#;
            format!(r#"{{"kind":"{kind}","apiVersion":"{version}",{meta},"items":[{items}]}}"#)
        };
        let thing = r#"{"kind":"Thing","a":1}"#;
        for (kind, items, wanted) in [
            ("HeapOfThingsList", "", 0),
            ("HeapOfThingsList", thing, 1),
            ("HeapOfThingsList", r#"{"a":1}"#, 1),
            ("List", thing, 1),
        ] {
            let found = read_of(Some("x.io/v1"), &list(kind, "x.io/v1", items), 9).await;
            assert_eq!(found.unwrap().0.len(), wanted, "{kind} {items}");
        }
        for (custom, kind, version, items) in [
            // Nothing of what the definition could mean.
            (Some("x.io/v1"), "HeapOfThingsList", "x.io/v2", ""),
            (Some("x.io/v1"), "OtherList", "x.io/v1", ""),
            (None, "HeapOfThingsList", "v1", thing),
        ] {
            let error = read_of(custom, &list(kind, version, items), 9).await.unwrap_err();
            assert!(error.to_string().contains("another kind"), "{kind} {items}: {error}");
        }
    }

    /// SEMANTICS: B6
    #[test]
    fn without_discovery_a_list_says_of_which_kind_its_items_are() {
        for (custom, list, wanted) in [
            (false, "ThingList", Some("Thing")),
            (false, "List", None),
            // Its definition may name any kind.
            (true, "HeapOfThingsList", None),
        ] {
            let custom = custom
                .then(|| Custom { api_version: "x.io/v1".to_owned(), others: Arc::default() });
            let expected = Expected { custom, ..Expected::default() };
            let expected = expected.of_items(Some("v1"), list.strip_suffix("List"));
            assert_eq!(expected.kind.as_deref(), wanted, "{list}");
        }
    }

    /// SEMANTICS: W12
    #[tokio::test(start_paused = true)]
    async fn whatever_stands_among_the_items_is_one() {
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        let list = format!(
            r#"{{"kind":"ThingList","metadata":{{"resourceVersion":"7"}},"items":[null,7,"x",{deep},{{"a":{deep}}},{{"b":1}}]}}"#
        );
        for piece in [1, 7, 100, list.len()] {
            assert_eq!(read(&list, piece).await.unwrap().0.len(), 6, "{piece}");
        }
    }

    /// SEMANTICS: B1
    #[tokio::test(start_paused = true)]
    async fn each_byte_is_stepped_over_once_in_however_many_frames_it_comes() {
        const PIECE: usize = 100;
        let list = |field: &str, item: &str| {
            format!(
                r#"{{"kind":"ThingList",{field}"metadata":{{"resourceVersion":"7"}},"items":[{item}]}}"#
            )
        };
        let text = format!("\"{}\"", "x".repeat(100_000));
        let values = [
            text.clone(),
            "7".repeat(100_000),
            format!("[{}1]", "1,".repeat(50_000)),
            format!(r#"{{"a":{text}}}"#),
        ];
        for (value, own) in values.iter().flat_map(|value| [(value, true), (value, false)]) {
            let body = if own {
                list(&format!(r#""other":{value},"message":{value},"#), "")
            } else {
                list("", value)
            };
            taken_looked_at();
            read(&body, PIECE).await.unwrap();
            let looked_at = taken_looked_at();
            // The reader steps over an item too.
            assert!(looked_at <= 3 * body.len(), "{looked_at} of {}: {}", body.len(), &value[..9]);
        }
        for body in [
            list(&format!(r"{text}:1,"), ""),
            list(&format!(r#""other"{}:1,"#, " ".repeat(100_000)), ""),
        ] {
            taken_looked_at();
            read(&body, PIECE).await.unwrap();
            assert!(taken_looked_at() <= 2 * body.len());
        }
    }

    /// SEMANTICS: B1, W11
    #[tokio::test(start_paused = true)]
    async fn types_that_are_longer_than_any_are_none() {
        let long = "x".repeat(LONGEST_TYPE + 1);
        for types in [
            format!(r#""kind":"ThingList","apiVersion":"{long}""#),
            format!(r#""kind":"{long}List""#),
        ] {
            let list = format!(r#"{{{types},"items":[],"metadata":{{"resourceVersion":"7"}}}}"#);
            assert!(read(&list, 99).await.unwrap_err().is_connection());
        }
    }

    /// SEMANTICS: W25
    #[tokio::test(start_paused = true)]
    async fn a_list_must_make_progress_by_objects() {
        let body = stream::iter(std::iter::repeat_n(' ', 1000)).then(|_| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b" ")))
        });
        let body = std::sync::Mutex::new(Some(body.boxed()));
        let answer = move |_: Request<Body>| {
            let body = body.lock().unwrap().take().unwrap();
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(body))) }
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let answer = client.send(Request::new(Body::empty())).await.unwrap();
        let incoming = Incoming::new("list".into(), answer.into_body());
        let expected = Expected { is_versioned: true, ..Expected::default() };
        let mut page = Page::new(incoming, Duration::from_secs(1), expected);
        let error = page.item(|_, _| Ok(((), 0))).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_list_or_is_cut_off_is_an_error() {
        let list = r#"{"kind":"ThingList","metadata":{"resourceVersion":"7"},"items":[{"a":"}"},{"b":2}]}"#;
        for cut in 0..list.len() {
            assert!(read(&list[..cut], 5).await.unwrap_err().is_connection(), "{cut}");
        }
        for text in
            ["[]", "{]", r#"{"items":[x]}"#, r#"{"items":[{}{}]}"#, r#"{"items":[{},]}"#, "{,}"]
        {
            assert!(read(text, 3).await.is_err(), "{text}");
        }
    }
}
