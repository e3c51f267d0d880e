//! What to watch, and how it is asked for and read.

use std::{borrow::Cow, sync::Arc, time::Duration};

use kube::{
    api::{ListParams, WatchParams},
    core::{Request, Status},
    runtime::{reflector::Lookup, watcher::Event},
};
use serde::{Deserialize, de};

use super::{
    Downstream,
    incoming::Incoming,
    page::Page,
    request::{ANSWER, Endpoint, Verb},
};
use crate::{
    document::{Document, ObjectMetaRef, Types},
    error::{Error, Reason},
    filter::{FieldFilter, FieldSelector, LabelSelector},
    json::{Cursor, Fault, Malformed, Scanner},
    rfc1123::is_label,
};

/// Beyond the time at which the server should have ended a watch, for its last bytes to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// The types of events about objects: two of those that are there, and one of those that are gone.
const ADDED: &str = "ADDED";
const MODIFIED: &str = "MODIFIED";
const DELETED: &str = "DELETED";

/// All that a watch needs to know.
pub(super) struct Query<K> {
    pub(super) endpoint: Endpoint,
    /// `None` is all of them, and the cluster-scoped.
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) labels: Option<LabelSelector>,
    pub(super) field_selector: Option<FieldSelector>,
    pub(super) filter: FieldFilter,
    pub(super) matching: Vec<FieldSelector>,
    pub(super) page_size: u32,
    pub(super) streaming_list: bool,
    pub(super) watch_timeout: Duration,
    pub(super) decode: Decode<K>,
    pub(super) downstream: Option<Arc<dyn Downstream>>,
}

/// The objects of a namespace, or all of them.
pub(super) struct Collection {
    /// `""` is all of them.
    pub(super) namespace: String,
    pub(super) url: String,
}

/// Makes an object out of its JSON, without the fields to drop; with the types that it shares with
/// the list it is in.
pub(super) struct Decode<K> {
    pub(super) whole: fn(&FieldFilter, &str, Option<&Types>) -> Result<K, serde_json::Error>,
    /// That at the start of the bytes, and where it ends, in one pass.
    pub(super) first: First<K>,
    /// How many bytes must be there to begin with an item before it is known to be complete. To
    /// begin anew costs what was decoded.
    pub(super) enough: usize,
}

impl Decode<Document> {
    pub(super) const DOCUMENT: Self =
        Self { whole: Document::decode, first: Document::decode_first, enough: 0 };

    /// Without types, which are not those of the object where only its metadata was asked for.
    pub(super) const KEYS: Self = Self {
        whole: |filter, json, _| Document::decode(filter, json, None),
        first: |filter, bytes, _| Document::decode_first(filter, bytes, None),
        enough: 0,
    };
}

impl<K> Clone for Decode<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Decode<K> {}

type First<K> = fn(&FieldFilter, &[u8], Option<&Types>) -> Result<(K, usize), Fault>;

impl<K> Query<K> {
    /// Finds out what is wrong with the namespaces before they become part of a path.
    pub(super) fn check_namespaces(&self) -> Result<(), Error> {
        let Some(names) = &self.namespaces else { return Ok(()) };
        let why = if self.endpoint.cluster_scoped {
            format!("{} are not in namespaces", self.endpoint.resource)
        } else if let Some(name) = names.iter().find(|name| !is_label(name)) {
            format!("`{name}` can't be the name of a namespace")
        } else {
            return Ok(());
        };
        Err(Error::new(Reason::Namespace, why))
    }

    /// What to watch: one collection for each namespace.
    pub(super) fn collections(&self) -> Vec<Arc<Collection>> {
        let collection = |namespace: Option<&str>| {
            let url = self.endpoint.resource.url(namespace);
            Arc::new(Collection { namespace: namespace.unwrap_or_default().to_owned(), url })
        };
        match &self.namespaces {
            None => vec![collection(None)],
            Some(names) => names.iter().map(|name| collection(Some(name))).collect(),
        }
    }

    /// Tells the store, if there is one, how far the watch of a collection is.
    pub(super) fn reached(&self, collection: &Collection, version: &str) {
        if let Some(store) = &self.downstream {
            store.reached(&collection.namespace, version);
        }
    }

    /// One page of a list, the first unless `next` says which.
    pub(super) async fn list(&self, url: &str, next: Option<&str>) -> Result<Page, Error> {
        let params = ListParams {
            label_selector: self.labels.as_ref().map(ToString::to_string),
            field_selector: self.field_selector.as_ref().map(ToString::to_string),
            limit: Some(self.page_size),
            continue_token: next.map(str::to_owned),
            ..ListParams::default()
        };
        let request = Request::new(url).list(&params);
        let incoming = self.endpoint.open(Verb::List, request, ANSWER).await?;
        Ok(Page::new(incoming, ANSWER))
    }

    /// A watch from a version on; from nothing, with the whole state first, where `initial`.
    pub(super) async fn watch(
        &self,
        url: &str,
        version: &str,
        initial: bool,
    ) -> Result<Incoming, Error> {
        let params = WatchParams {
            label_selector: self.labels.as_ref().map(ToString::to_string),
            field_selector: self.field_selector.as_ref().map(ToString::to_string),
            timeout: u32::try_from(self.watch_timeout.as_secs()).ok(),
            bookmarks: true,
            send_initial_events: initial,
        };
        let request = Request::new(url).watch(&params, version);
        self.endpoint.open(Verb::Watch, request, self.patience().min(ANSWER)).await
    }

    /// The next line of a watch. A connection that is silent for longer than the server would let
    /// it be open is dead.
    pub(super) async fn line<'i>(
        &self,
        incoming: &'i mut Incoming,
    ) -> Result<Option<&'i [u8]>, Error> {
        incoming.line(self.patience()).await
    }

    fn patience(&self) -> Duration {
        self.watch_timeout + GRACE
    }

    /// Understands the item of a list at the start of the bytes, with the types of all items, and
    /// gives where it ends. `None` if the store has it, or if it is not selected.
    pub(super) fn item(
        &self,
        bytes: &[u8],
        types: &Types,
    ) -> Result<(Option<Result<K, Error>>, usize), Fault> {
        let enough = bytes.len() >= self.decode.enough;
        match enough.then(|| self.first(bytes, Some(types), true)).flatten() {
            Some(Ok((object, end))) => return Ok((Some(Ok(object)), end)),
            Some(Err(Fault::Incomplete)) => return Err(Fault::Incomplete),
            // Why is for the longer way to find out.
            Some(Err(Fault::Malformed)) | None => {}
        }
        let mut scanner = Scanner::new(bytes, 0);
        scanner.skip_value(0)?;
        let bytes = scanner.since(0);
        // The lossy way looks at bytes one by one.
        let json =
            str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let wanted = !self.knows(&json) && self.selects(&json);
        let object = wanted.then(|| match json {
            Cow::Borrowed(json) => self.decode(json, Some(types)),
            Cow::Owned(json) => Err(undecodable(&json, &de::Error::custom("not UTF-8"))),
        });
        Ok((object, scanner.position()))
    }

    /// The object at the start of the bytes, and where it ends, if nothing else of it is to be
    /// looked at.
    fn first(
        &self,
        bytes: &[u8],
        types: Option<&Types>,
        listing: bool,
    ) -> Option<Result<(K, usize), Fault>> {
        let plain = self.matching.is_empty() && !(listing && self.stored().is_some());
        plain.then(|| (self.decode.first)(&self.filter, bytes, types))
    }

    /// Whether an object, as it was received, is one of those that are selected here.
    fn selects(&self, json: &str) -> bool {
        self.matching.iter().all(|selector| selector.matches_json(json))
    }

    /// The store, if there is anything in it.
    fn stored(&self) -> Option<&dyn Downstream> {
        self.downstream.as_deref().filter(|store| !store.is_empty())
    }

    /// Whether the store has this object already, as it is.
    fn knows(&self, json: &str) -> bool {
        self.stored()
            .is_some_and(|store| ObjectMetaRef::of(json).is_ok_and(|meta| store.has(&meta)))
    }

    fn decode(&self, json: &str, types: Option<&Types>) -> Result<K, Error> {
        (self.decode.whole)(&self.filter, json, types).map_err(|cause| undecodable(json, &cause))
    }

    /// Understands one line of a watch, or, where `listing`, of a streaming list.
    pub(super) fn read(&self, line: &[u8], listing: bool) -> Read<K>
    where
        K: Lookup,
    {
        if let Some(read) = self.read_first(line, listing) {
            return read;
        }
        let split = str::from_utf8(line).map_err(|_| Malformed).and_then(split);
        let Ok((kind, json)) = split else {
            return Read::Failed(self.error(Reason::Connection, "an event is not valid JSON"));
        };
        match &*kind {
            "BOOKMARK" => match serde_json::from_str(json) {
                Ok(Bookmark { metadata }) => Read::Bookmark {
                    end_of_list: metadata
                        .annotations
                        .is_some_and(|own| own.initial_events_end.is_some()),
                    version: metadata.resource_version,
                },
                Err(_) => Read::Failed(
                    self.error(Reason::Connection, "a bookmark has no resourceVersion"),
                ),
            },
            "ERROR" => {
                let Status { code, reason, message, .. } =
                    serde_json::from_str(json).unwrap_or_default();
                let what = format!("watch {}", self.endpoint.resource);
                Read::Failed(Error::from_status(&what, code, &reason, &message))
            }
            ADDED | MODIFIED | DELETED if listing && self.knows(json) => Read::Known,
            kind @ (ADDED | MODIFIED | DELETED) => {
                let gone = kind == DELETED || !self.selects(json);
                match self.decode(json, None) {
                    Ok(object) => self.event(object, gone),
                    Err(error) => {
                        let version =
                            ObjectMetaRef::of(json).ok().and_then(|own| own.resource_version);
                        Read::Undecodable { error, version: version.map(str::to_owned), gone }
                    }
                }
            }
            // Taken for any of the others, it would make the store wrong for good.
            _ => Read::Failed(self.error(Reason::Connection, "an event is of an unknown type")),
        }
    }

    /// Understands a line in one pass, if it is as the API server writes them. What is wrong with
    /// any other is for the longer way to find out.
    fn read_first(&self, line: &[u8], listing: bool) -> Option<Read<K>>
    where
        K: Lookup,
    {
        let line = line.strip_prefix(br#"{"type":""#)?;
        let (kind, object) = line.split_at_checked(memchr::memchr(b'"', line)?)?;
        let object = object.strip_prefix(br#"","object":"#)?;
        let gone = match str::from_utf8(kind) {
            Ok(ADDED | MODIFIED) => false,
            Ok(DELETED) => true,
            _ => return None,
        };
        let (found, end) = self.first(object, None, listing)?.ok()?;
        let whole = object[end..].trim_ascii_end() == b"}";
        whole.then(|| self.event(found, gone))
    }

    fn event(&self, object: K, gone: bool) -> Read<K>
    where
        K: Lookup,
    {
        let event = if gone { Event::Delete } else { Event::Apply };
        match object.resource_version().map(Cow::into_owned) {
            Some(version) => Read::Event(event(object), version),
            None => Read::Failed(self.error(Reason::Other, "an event has no resourceVersion")),
        }
    }

    /// A failure of this watch that no answer of the server describes.
    pub(super) fn error(&self, reason: Reason, why: &str) -> Error {
        Error::new(reason, format!("watch {}: {why}", self.endpoint.resource))
    }
}

/// Of an object that will not decode, which one it is and why.
fn undecodable(json: &str, cause: &serde_json::Error) -> Error {
    let identity = ObjectMetaRef::of(json).map(|own| (own.namespace.unwrap_or_default(), own.name));
    let (namespace, name) = identity.unwrap_or(("", "without a name"));
    Error::undecodable(namespace, name, cause)
}

/// What a line of a watch says.
pub(super) enum Read<K> {
    /// Something changed; the watch is now at this version.
    Event(Event<K>, String),
    /// The store has it already.
    Known,
    /// Nothing changed; the watch is now at this version.
    Bookmark { version: String, end_of_list: bool },
    /// Something changed that can't be told, or (`gone`) that should be there no more.
    Undecodable { error: Error, version: Option<String>, gone: bool },
    /// The server says, or shows, that it can't go on.
    Failed(Error),
}

/// The type of an event and its object, in whatever order they come. What is in the object is left
/// to those who decode it.
pub(super) fn split(line: &str) -> Result<(Cow<'_, str>, &str), Malformed> {
    let line = line.trim_ascii_end();
    let mut cursor = Cursor::new(line);
    let (mut kind, mut object) = (None, None);
    cursor.enter_object()?;
    while let Some((_, name)) = cursor.next_field()? {
        if name.is("type") {
            kind = Some(cursor.string()?.unescape()?);
        } else if name.is("object") {
            object = Some(cursor.value()?);
        } else {
            cursor.skip_value()?;
        }
    }
    let whole = cursor.position() == line.len();
    kind.zip(object).filter(|_| whole).ok_or(Malformed)
}

#[derive(Deserialize)]
struct Bookmark {
    metadata: BookmarkMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMeta {
    resource_version: String,
    annotations: Option<BookmarkAnnotations>,
}

#[derive(Deserialize)]
struct BookmarkAnnotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    initial_events_end: Option<String>,
}

impl<K> Clone for Query<K> {
    fn clone(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            namespaces: self.namespaces.clone(),
            labels: self.labels.clone(),
            field_selector: self.field_selector.clone(),
            filter: self.filter.clone(),
            matching: self.matching.clone(),
            downstream: self.downstream.clone(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::Client;

    use super::*;
    use crate::source::{Gvr, Watch};

    #[tokio::test]
    async fn only_what_is_said_to_be_gone_is_gone() {
        let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<String>, std::convert::Infallible>>()
        });
        let endpoint = Endpoint {
            client: Client::new(silent, "default"),
            resource: Gvr::known("", "v1", "things"),
            metadata_only: false,
            cluster_scoped: false,
        };
        let query = Watch::new(endpoint, None, Decode::DOCUMENT).query;
        let read = |kind: &str| {
            let object = r#"{"metadata":{"name":"n","resourceVersion":"1"}}"#;
            let line = format!(r#"{{"type":"{kind}","object":{object}}}"#);
            match query.read(line.as_bytes(), false) {
                Read::Event(Event::Apply(_), _) => "there",
                Read::Event(Event::Delete(_), _) => "gone",
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
