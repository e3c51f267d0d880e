//! Parsing of list items and watch lines.

use std::borrow::Cow;

use kube::runtime::reflector::Lookup;
use serde::{Deserialize, de};

use super::{
    page::Expected,
    query::{Query, Stored},
    request::Verb,
    status::Status,
    target::Target,
};
use crate::{
    decode::{Decoded, kind_in},
    document::ObjectMetaRef,
    error::{Error, ErrorKind},
    event::WatchEvent,
    json::{Fault, Scanner},
    namespaced_name::identity,
    resource_version::is_valid,
};

/// The types of events about objects.
const ADDED: &str = "ADDED";
const MODIFIED: &str = "MODIFIED";
const DELETED: &str = "DELETED";

/// An item of a list.
pub(super) enum Item<K> {
    Object(K),
    /// The store has exactly this version of the object.
    Known {
        namespace: String,
        name: String,
    },
    /// The object is not selected.
    LeftOut,
    Undecodable(Error),
    /// The object was not requested, for this reason.
    Foreign(&'static str),
}

/// The reason why JSON could not be decoded as an object.
pub(super) enum Unread {
    OtherKind,
    Undecodable(serde_json::Error),
}

/// A line of a watch.
pub(super) enum Read<K> {
    /// A change; the watch is now at this version.
    Event(WatchEvent<K>, String),
    /// An object that the store has already. Only in a streaming list.
    Known { namespace: String, name: String },
    /// No change; the watch is now at this version, if there is one.
    Bookmark { version: Option<String>, ends_list: bool },
    /// A changed object whose new version can't be decoded; the watch is now at this version.
    Undecodable { error: Error, version: String },
    /// A deleted object whose last version can't be decoded.
    Gone { namespace: String, name: String, version: Option<String> },
    /// The server reports, or shows, that it can't go on.
    Failed(Error),
}

impl<K: Lookup> Item<K> {
    /// Returns the namespace and name of the object, if it has them.
    pub(super) fn identity(&self) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        match self {
            Self::Object(object) => Some(identity(object)),
            Self::Known { namespace, name } => Some((namespace.into(), name.into())),
            Self::Undecodable(error) => {
                error.object().map(|(namespace, name)| (namespace.into(), name.into()))
            }
            Self::LeftOut | Self::Foreign(_) => None,
        }
    }
}

impl<K: Lookup> Read<K> {
    /// Returns the namespace and name of the object that the line is about, if any.
    fn identity(&self) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
        match self {
            Self::Event(event, _) => match event {
                WatchEvent::Listed(object)
                | WatchEvent::Applied(object)
                | WatchEvent::Deleted(object) => Some(identity(object)),
                _ => None,
            },
            Self::Known { namespace, name } | Self::Gone { namespace, name, .. } => {
                Some((namespace.into(), name.into()))
            }
            Self::Undecodable { error, .. } => {
                error.object().map(|(namespace, name)| (namespace.into(), name.into()))
            }
            Self::Bookmark { .. } | Self::Failed(_) => None,
        }
    }
}

impl<K: Lookup> Query<K> {
    /// Parses the item at the start of the bytes, and returns where it ends.
    pub(super) fn item(
        &self,
        bytes: &[u8],
        expected: &Expected,
        target: &Target,
    ) -> Result<(Item<K>, usize), Fault> {
        let (item, end) = self.any_item(bytes, expected)?;
        let is_foreign = item
            .identity()
            .is_some_and(|(namespace, name)| !self.asks_for(target, &namespace, &name));
        let why = "the list has an object that was not requested";
        Ok((if is_foreign { Item::Foreign(why) } else { item }, end))
    }

    /// Parses one line of a watch, or of a streaming list if `listing`.
    pub(super) fn read(
        &self,
        line: &[u8],
        listing: bool,
        target: &Target,
        expected: &Expected,
    ) -> Read<K> {
        let first = self.read_first(line, listing, expected);
        let read = first.unwrap_or_else(|| self.read_any(line, listing, target, expected));
        match read.identity() {
            Some((namespace, name)) if !self.asks_for(target, &namespace, &name) => {
                let why = "an event is about an object that was not requested";
                Read::Failed(self.error(Verb::Watch, target, ErrorKind::Connection, why))
            }
            _ => read,
        }
    }
}

impl<K> Query<K> {
    fn any_item(&self, bytes: &[u8], expected: &Expected) -> Result<(Item<K>, usize), Fault> {
        let enough = bytes.len() >= self.decoder.enough();
        match enough.then(|| self.first(bytes, expected, true)).flatten() {
            Some(Ok(Decoded { object, end, kind })) => {
                let is_own = expected.may_be(bytes, kind);
                let item = if is_own { self.selected(object) } else { Item::Foreign(OTHER_KIND) };
                return Ok((item, end));
            }
            Some(Err(Fault::Incomplete)) => return Err(Fault::Incomplete),
            // The slow path finds the reason.
            Some(Err(Fault::Malformed)) | None => {}
        }
        let mut scanner = Scanner::new(bytes, 0);
        scanner.skip_value()?;
        let bytes = scanner.since(0);
        let json = text(bytes);
        let item = if let Some(meta) = self.known(&json) {
            let namespace = meta.namespace.unwrap_or_default().to_owned();
            Item::Known { namespace, name: meta.name.to_owned() }
        } else if self.selects(&json) {
            match self.decode(&json, matches!(json, Cow::Borrowed(_)), expected) {
                Ok(object) => self.selected(object),
                Err(Unread::OtherKind) => Item::Foreign(OTHER_KIND),
                Err(Unread::Undecodable(cause)) => {
                    Item::Undecodable(self.undecodable(&json, &cause))
                }
            }
        } else {
            Item::LeftOut
        };
        Ok((item, scanner.position()))
    }

    /// Decodes the object at the start of the bytes, if nothing else in it needs to be examined.
    fn first(
        &self,
        bytes: &[u8],
        expected: &Expected,
        listing: bool,
    ) -> Option<Result<Decoded<K>, Fault>> {
        let plain = self.matching.is_empty() && !(listing && self.stored().is_some());
        plain.then(|| self.decoder.first(bytes, &expected.types))
    }

    /// Returns whether the selectors match an object as it was received.
    fn selects(&self, json: &str) -> bool {
        self.matching.iter().all(|selector| selector.matches_json(json))
    }

    /// Returns whether the closures select this object.
    fn admits(&self, object: &K) -> bool {
        self.closures.iter().all(|own| own.holds(object))
    }

    fn selected(&self, object: K) -> Item<K> {
        if self.admits(&object) { Item::Object(object) } else { Item::LeftOut }
    }

    /// Returns the event of an object: a deletion if the object isn't selected.
    fn event(&self, kind: &str, object: K, listing: bool) -> Result<Read<K>, &'static str>
    where
        K: Lookup,
    {
        let kind = if self.admits(&object) { kind } else { DELETED };
        event(kind, object, listing)
    }

    /// Returns the store, unless it is empty.
    fn stored(&self) -> Option<&dyn Stored> {
        self.stored.as_deref().filter(|store| !store.is_empty())
    }

    /// Returns the identity of the object, if the store has this version of it.
    fn known<'j>(&self, json: &'j str) -> Option<ObjectMetaRef<'j>> {
        let store = self.stored()?;
        ObjectMetaRef::of(json).ok().filter(|meta| store.has(meta))
    }

    /// Decodes an object of the requested kind, unless its text had to be repaired to be UTF-8.
    pub(super) fn decode(
        &self,
        json: &str,
        is_utf8: bool,
        expected: &Expected,
    ) -> Result<K, Unread> {
        let decoded = if is_utf8 {
            self.decoder.whole(json, &expected.types)
        } else {
            Err(de::Error::custom("not UTF-8"))
        };
        // A Rust type may fail to decode another kind.
        let kind = decoded.as_ref().map_or_else(|_| kind_in(json.as_bytes()), |own| own.kind);
        if !expected.may_be(json.as_bytes(), kind) {
            return Err(Unread::OtherKind);
        }
        decoded.map(|decoded| decoded.object).map_err(Unread::Undecodable)
    }

    /// Returns the error for an object that can't be decoded.
    fn undecodable(&self, json: &str, cause: &serde_json::Error) -> Error {
        match ObjectMetaRef::of(json) {
            Ok(own) => Error::undecodable(own.namespace.unwrap_or_default(), own.name, cause),
            Err(_) => Error::undecodable_nameless(&self.endpoint.resource.to_string(), cause),
        }
    }

    fn read_any(&self, line: &[u8], listing: bool, target: &Target, expected: &Expected) -> Read<K>
    where
        K: Lookup,
    {
        let failed =
            |why| Read::Failed(self.error(Verb::Watch, target, ErrorKind::Connection, why));
        let line = text(line);
        let Ok((kind, json)) = split(&line) else { return failed("an event is not valid JSON") };
        match &*kind {
            "BOOKMARK" => match serde_json::from_str(json) {
                Ok(Bookmark { metadata: Some(metadata) }) => Read::Bookmark {
                    ends_list: metadata.annotations.is_some_and(|own| own.ends_list()),
                    version: metadata.resource_version.filter(|version| is_valid(version)),
                },
                Ok(Bookmark { metadata: None }) => {
                    Read::Bookmark { version: None, ends_list: false }
                }
                Err(_) => failed("a bookmark is not valid"),
            },
            "ERROR" => {
                let what = self.request_info(Verb::Watch, target).what;
                Read::Failed(Status::read(json.as_bytes()).into_error(&what, None, None))
            }
            kind @ (ADDED | MODIFIED | DELETED) => {
                let is_utf8 = matches!(line, Cow::Borrowed(_));
                self.change(kind, json, is_utf8, listing, expected).unwrap_or_else(failed)
            }
            // Treated as any other type, it would leave the store wrong for good.
            _ => failed("an event is of an unknown type"),
        }
    }

    /// Parses an event about an object.
    fn change(
        &self,
        kind: &str,
        json: &str,
        is_utf8: bool,
        listing: bool,
        expected: &Expected,
    ) -> Result<Read<K>, &'static str>
    where
        K: Lookup,
    {
        if listing
            && kind != DELETED
            && let Some(own) = self.known(json)
        {
            let namespace = own.namespace.unwrap_or_default().to_owned();
            return Ok(Read::Known { namespace, name: own.name.to_owned() });
        }
        let kind = if self.selects(json) { kind } else { DELETED };
        let cause = match self.decode(json, is_utf8, expected) {
            Ok(object) => return self.event(kind, object, listing),
            Err(Unread::OtherKind) => return Err("an event is about an object of another kind"),
            Err(Unread::Undecodable(cause)) => cause,
        };
        let own =
            ObjectMetaRef::of(json).map_err(|_| "an event is about an object without a name")?;
        let version = own.resource_version.filter(|version| is_valid(version));
        if kind == DELETED {
            return Ok(Read::Gone {
                namespace: own.namespace.unwrap_or_default().to_owned(),
                name: own.name.to_owned(),
                version: version.map(str::to_owned),
            });
        }
        let version = version.ok_or(NO_VERSION)?.to_owned();
        Ok(Read::Undecodable { error: self.undecodable(json, &cause), version })
    }

    /// Parses a line in one pass, if it is written as the API server writes it. The slow path finds out
    /// what is wrong with any other line.
    fn read_first(&self, line: &[u8], listing: bool, expected: &Expected) -> Option<Read<K>>
    where
        K: Lookup,
    {
        let line = line.strip_prefix(br#"{"type":""#)?;
        let (kind, object) = line.split_at_checked(memchr::memchr(b'"', line)?)?;
        let object = object.strip_prefix(br#"","object":"#)?;
        let kind = str::from_utf8(kind).ok().filter(|kind| is_about_object(kind))?;
        let found = self.first(object, expected, listing)?.ok()?;
        let whole = object[found.end..].trim_ascii_end() == b"}";
        let is_own = whole && expected.may_be(object, found.kind);
        is_own.then(|| self.event(kind, found.object, listing).ok()).flatten()
    }
}

const NO_VERSION: &str = "an event has no resourceVersion";

const OTHER_KIND: &str = "the list has an object of another kind";

fn is_about_object(kind: &str) -> bool {
    matches!(kind, ADDED | MODIFIED | DELETED)
}

fn event<K: Lookup>(kind: &str, object: K, listing: bool) -> Result<Read<K>, &'static str> {
    let version = object.resource_version().filter(|version| is_valid(version));
    let version = version.map(Cow::into_owned).ok_or(NO_VERSION)?;
    let event = match kind {
        DELETED => WatchEvent::Deleted,
        ADDED if listing => WatchEvent::Listed,
        _ => WatchEvent::Applied,
    };
    Ok(Read::Event(event(object), version))
}

/// Returns the bytes as text. Bytes that are not UTF-8 are copied, with replacements.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    // The lossy conversion examines bytes one by one.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Returns the type of an event and its object, in any order. The object is not parsed.
pub(super) fn split(line: &str) -> Result<(Cow<'_, str>, &str), Fault> {
    let line = line.trim_ascii_end();
    let mut scan = Scanner::of_text(line);
    let (mut kind, mut object) = (None, None);
    scan.fields(|scan, name| {
        if scan.is(name, "type") {
            let own = scan.string()?;
            kind = Some(scan.unescape(own)?);
            return Ok(());
        }
        let start = scan.position();
        scan.skip_value()?;
        if scan.is(name, "object") {
            object = Some(&line[start..scan.position()]);
        }
        Ok(())
    })?;
    let whole = scan.position() == line.len();
    kind.zip(object).filter(|_| whole).ok_or(Fault::Malformed)
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: Option<BookmarkMeta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMeta {
    resource_version: Option<String>,
    annotations: Option<BookmarkAnnotations>,
}

#[derive(Deserialize)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: Option<String>,
}

impl BookmarkAnnotations {
    fn ends_list(&self) -> bool {
        self.initial_events_end.as_deref() == Some("true")
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        NamespaceResourceScope, api::core::v1::ConfigMap,
        apimachinery::pkg::apis::meta::v1::ObjectMeta,
    };
    use kube::{Api, Client, Resource};

    use super::*;
    use crate::{
        document::Document,
        source::{Gvr, Watch, watch},
        tape::Types,
    };

    fn query() -> Query<Document> {
        let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<String>, std::convert::Infallible>>()
        });
        Watch::of_resource(Client::new(silent, "default"), Gvr::known("", "v1", "things")).query
    }

    /// SEMANTICS: W12
    #[tokio::test]
    async fn an_object_with_an_invalid_part_is_reported_by_identity() {
        let plain = query();
        let mut selecting = query();
        selecting.matching.push("spec.class=x".parse().unwrap());
        for object in [
            r#"{"metadata":{"generation":01,"name":"n","resourceVersion":"7"},"spec":{"class":"x"}}"#,
            r#"{"\x":1,"metadata":{"name":"n","resourceVersion":"7"},"spec":{"n":01,"class":"x"}}"#,
        ] {
            for query in [&plain, &selecting] {
                let (target, expected) = (Target::cluster(), Expected::default());
                let line = format!(r#"{{"type":"MODIFIED","object":{object}}}"#);
                match query.read(line.as_bytes(), false, &target, &expected) {
                    Read::Undecodable { error, version } => {
                        assert_eq!((error.object(), &*version), (Some(("", "n")), "7"));
                    }
                    _ => panic!("{object}"),
                }
                match query.item(object.as_bytes(), &expected, &target) {
                    Ok((Item::Undecodable(error), end)) => {
                        assert_eq!((error.object(), end), (Some(("", "n")), object.len()));
                    }
                    _ => panic!("{object}"),
                }
            }
        }
    }

    #[tokio::test]
    async fn only_what_is_said_to_be_gone_is_gone() {
        let query = query();
        let read = |kind: &str| {
            let object = r#"{"metadata":{"name":"n","resourceVersion":"1"}}"#;
            let line = format!(r#"{{"type":"{kind}","object":{object}}}"#);
            match query.read(line.as_bytes(), false, &Target::cluster(), &Expected::default()) {
                Read::Event(WatchEvent::Applied(_), _) => "there",
                Read::Event(WatchEvent::Deleted(_), _) => "gone",
                Read::Failed(_) => "failed",
                _ => "else",
            }
        };
        for (kind, wanted) in [
            ("ADDED", "there"),
            ("MODIFIED", "there"),
            ("M\\u004fDIFIED", "there"),
            ("DELETED", "gone"),
            ("\\u0044ELETED", "gone"),
            ("DELETE", "failed"),
            ("DELETED\u{1}", "failed"),
            ("", "failed"),
        ] {
            assert_eq!(read(kind), wanted, "{kind}");
        }
    }

    /// SEMANTICS: W12
    #[tokio::test]
    async fn the_content_of_an_object_stops_nobody() {
        let query = query();
        let read = |kind: &str, spec: &[u8]| {
            let head = format!(
                r#"{{"type":"{kind}","object":{{"metadata":{{"name":"n","resourceVersion":"7"}},"spec":"#
            );
            let line = [head.as_bytes(), spec, b"}}\n"].concat();
            match query.read(&line, false, &Target::cluster(), &Expected::default()) {
                Read::Undecodable { error, version } => {
                    assert_eq!(error.object(), Some(("", "n")));
                    format!("undecodable at {version}")
                }
                Read::Gone { name, version, .. } => format!("{name} gone at {version:?}"),
                Read::Event(..) => "decoded".to_owned(),
                _ => "else".to_owned(),
            }
        };
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for spec in [deep(127).as_bytes(), deep(100_000).as_bytes(), b"\"\xff\""] {
            assert_eq!(read("MODIFIED", spec), "undecodable at 7");
            assert_eq!(read("DELETED", spec), r#"n gone at Some("7")"#);
        }
        assert_eq!(read("MODIFIED", deep(100).as_bytes()), "decoded");
    }

    /// SEMANTICS: B6
    #[tokio::test]
    async fn an_event_about_another_object_is_no_news() {
        let mut query = query();
        query.name = Some("n".into());
        let target = Target::of_objects_in("a");
        let expected = Expected { kind: Some("Thing".to_owned()), ..Expected::default() };
        let read = |types: &str, namespace: &str, name: &str| {
            let object = format!(
                r#"{{{types}"metadata":{{"namespace":"{namespace}","name":"{name}","resourceVersion":"1"}}}}"#
            );
            ["ADDED", "MODIFIED", "DELETED"].map(|kind| {
                let lines = [
                    format!(r#"{{"type":"{kind}","object":{object}}}"#),
                    format!(r#"{{"object":{object},"type":"{kind}"}}"#),
                ];
                let all = lines.map(|line| {
                    matches!(
                        query.read(line.as_bytes(), false, &target, &expected),
                        Read::Event(..)
                    )
                });
                assert_eq!(all[0], all[1], "{types} {namespace}/{name}");
                all[0]
            })
        };
        for types in [
            r#""kind":"Thing","apiVersion":"v1","#,
            r#""apiVersion":"v1", "kind" : "Thing","#,
            r#""apiVersion":"v1","#,
            "",
        ] {
            assert_eq!(read(types, "a", "n"), [true; 3], "{types}");
            assert_eq!(read(types, "b", "n"), [false; 3], "{types}");
            assert_eq!(read(types, "a", "m"), [false; 3], "{types}");
        }
        for types in
            [r#""kind":"Other","apiVersion":"v1","#, r#""apiVersion":"v1","k\u0069nd":"Other","#]
        {
            assert_eq!(read(types, "a", "n"), [false; 3], "{types}");
        }
    }

    /// A type without fields for its `apiVersion` and kind.
    #[derive(Clone, Debug, Deserialize)]
    struct Thing {
        metadata: ObjectMeta,
    }

    impl Resource for Thing {
        type DynamicType = ();
        type Scope = NamespaceResourceScope;

        fn kind((): &()) -> Cow<'_, str> {
            "ConfigMap".into()
        }

        fn group((): &()) -> Cow<'_, str> {
            "".into()
        }

        fn version((): &()) -> Cow<'_, str> {
            "v1".into()
        }

        fn plural((): &()) -> Cow<'_, str> {
            "configmaps".into()
        }

        fn meta(&self) -> &ObjectMeta {
            &self.metadata
        }

        fn meta_mut(&mut self) -> &mut ObjectMeta {
            &mut self.metadata
        }
    }

    /// Reads an object as an item and in an event; returns the results, which must agree.
    fn read<K: Lookup>(query: &Query<K>, object: &str) -> &'static str {
        let (target, kind) = (Target::cluster(), Some("ConfigMap".to_owned()));
        let types = Types::new(Some("v1"), Some("ConfigMap"));
        let in_list = Expected { kind: kind.clone(), types, ..Expected::default() };
        let alone = Expected { kind, ..Expected::default() };
        let item = match query.item(object.as_bytes(), &in_list, &target).unwrap().0 {
            Item::Object(_) => "own",
            Item::Foreign(why) => {
                assert!(why.contains("another kind"), "{why}");
                "other"
            }
            Item::Undecodable(_) => "undecodable",
            Item::Known { .. } | Item::LeftOut => "else",
        };
        for kind in ["ADDED", "DELETED"] {
            for line in [
                format!(r#"{{"type":"{kind}","object":{object}}}"#),
                format!(r#"{{"object":{object},"type":"{kind}"}}"#),
            ] {
                let event = match query.read(line.as_bytes(), false, &target, &alone) {
                    Read::Event(..) => "own",
                    Read::Failed(_) => "other",
                    Read::Undecodable { .. } | Read::Gone { .. } => "undecodable",
                    _ => "else",
                };
                assert_eq!(event, item, "{line}");
            }
        }
        item
    }

    /// SEMANTICS: B6
    #[tokio::test]
    async fn an_object_of_another_kind_is_no_news_wherever_it_says_so() {
        let documents = query();
        let client = documents.endpoint.client.clone();
        let configs = watch(Api::<ConfigMap>::all(client.clone())).query;
        let things = watch(Api::<Thing>::all(client.clone())).query;
        let keys = watch(Api::<Thing>::all(client)).keys_only(&[]).query;
        let metadata = r#""metadata":{"name":"n","resourceVersion":"1"}"#;
        // More than must have arrived to decode a typed item before its end is known.
        let long = format!(r#""binaryData":{{"a":"{}"}}"#, "A".repeat(20_000));
        for (object, wanted) in [
            (format!("{{{metadata}}}"), "own"),
            (format!(r#"{{"kind":"ConfigMap",{metadata}}}"#), "own"),
            (format!(r#"{{{metadata},{long},"kind":"ConfigMap"}}"#), "own"),
            (format!(r#"{{"kind":"Secret",{metadata}}}"#), "other"),
            (format!(r#"{{{metadata},"kind" : "Secret"}}"#), "other"),
            (format!(r#"{{{metadata},{long},"k\u0069nd":"Secret"}}"#), "other"),
            // The last one counts.
            (format!(r#"{{"kind":"ConfigMap",{metadata},{long},"kind":"Secret"}}"#), "other"),
            (
                r#"{"metadata":{"name":"n","resourceVersion":"1","kind":"Secret"}}"#.to_owned(),
                "own",
            ),
        ] {
            let found = [
                read(&documents, &object),
                read(&configs, &object),
                read(&things, &object),
                read(&keys, &object),
            ];
            assert_eq!(found, [wanted; 4], "{object:.200}");
        }
        // Nor if it can't be decoded.
        let broken = format!(r#"{{{metadata},"data":7,"kind":"Secret"}}"#);
        assert_eq!(read(&configs, &broken), "other");
        let broken = format!(r#"{{{metadata},"data":7,"kind":"ConfigMap"}}"#);
        assert_eq!(read(&configs, &broken), "undecodable");
    }

    /// SEMANTICS: W15
    #[tokio::test]
    async fn an_empty_version_is_none() {
        let query = query();
        let read = |line: &str| {
            query.read(line.as_bytes(), false, &Target::cluster(), &Expected::default())
        };
        for metadata in ["{}", r#"{"resourceVersion":""}"#, "null"] {
            let line = format!(r#"{{"type":"BOOKMARK","object":{{"metadata":{metadata}}}}}"#);
            assert!(matches!(read(&line), Read::Bookmark { version: None, .. }), "{line}");
        }
        for version in ["", r#","resourceVersion":"""#] {
            let line =
                format!(r#"{{"type":"ADDED","object":{{"metadata":{{"name":"n"{version}}}}}}}"#);
            assert!(matches!(read(&line), Read::Failed(_)), "{line}");
        }
    }

    /// SEMANTICS: W22
    #[tokio::test]
    async fn only_true_ends_a_streaming_list() {
        let query = query();
        for (value, wanted) in [(r#""true""#, true), (r#""false""#, false), ("null", false)] {
            let line = format!(
                r#"{{"type":"BOOKMARK","object":{{"metadata":{{"resourceVersion":"7","annotations":{{"k8s.io/initial-events-end":{value}}}}}}}}}"#
            );
            match query.read(line.as_bytes(), true, &Target::cluster(), &Expected::default()) {
                Read::Bookmark { ends_list, .. } => assert_eq!(ends_list, wanted, "{value}"),
                _ => panic!("{value}"),
            }
        }
    }

    #[test]
    fn events_are_split_in_any_order() {
        let object = r#"{"a":[{"type":"x"}],"object":"}"}"#;
        for line in [
            format!(r#"{{"type":"ADDED","object":{object}}}"#),
            format!(" {{ \"object\" : {object} , \"new\":[1], \"type\" : \"ADDED\" }} \r\n"),
        ] {
            let (kind, json) = split(&line).unwrap();
            assert_eq!((&*kind, json), ("ADDED", object));
        }
        for line in [
            "",
            "{}",
            "[]",
            r#"{"type":"ADDED"}"#,
            r#"{"type":"A","object":{}}x"#,
            r#"{"type":7,"object":{}}"#,
        ] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
