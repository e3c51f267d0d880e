//! A page of a list, read while it arrives.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};

use super::incoming::Incoming;
use crate::{
    document::Types,
    error::Error,
    json::{Fault, Malformed, Scanner, Skip},
};

/// The body of a list. Its items are read one by one where they came in: there is never more of a
/// page in memory than an item and what arrived with it.
pub(super) struct Page {
    incoming: Incoming,
    patience: Duration,
    place: Place,
    api_version: Option<String>,
    kind: Option<String>,
    /// What the fields say that came before the items.
    types: Types,
    meta: Meta,
}

/// Before what in the body.
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

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

impl Page {
    /// A silence of `patience` is a failure.
    pub(super) fn new(incoming: Incoming, patience: Duration) -> Self {
        Self {
            incoming,
            patience,
            place: Place::Start,
            api_version: None,
            kind: None,
            types: Types::default(),
            meta: Meta::default(),
        }
    }

    /// The version of the list; once there are no more items.
    pub(super) fn version(&self) -> String {
        self.meta.resource_version.clone()
    }

    /// What to ask for the next page with, if there is one; once there are no more items.
    pub(super) fn next(&self) -> Option<String> {
        Some(self.meta.next.clone()).filter(|token| !token.is_empty())
    }

    /// The next item, as understood by `read`, which is given bytes that begin with it and the types
    /// that all of them share, and gives where the item ends; `None` at the end of the page.
    pub(super) async fn item<T>(
        &mut self,
        read: impl Fn(&[u8], &Types) -> Result<(T, usize), Fault>,
    ) -> Result<Option<T>, Error> {
        loop {
            match self.place {
                Place::Start => {
                    self.parse(|scanner| scanner.eat(b'{')).await?;
                    self.place = Place::Field(Nth::First);
                }
                Place::Field(nth) => {
                    self.place = Place::Field(Nth::Later);
                    match self.parse(|scanner| field(scanner, nth)).await?.as_deref() {
                        None => return Ok(None),
                        Some("items") if self.incoming.bytes().first() == Some(&b'[') => {
                            self.incoming.take(1);
                            self.types =
                                Types::new(self.api_version.as_deref(), self.kind.as_deref());
                            self.place = Place::Item(Nth::First);
                        }
                        Some("metadata") => self.meta = self.value().await?.unwrap_or_default(),
                        Some("apiVersion") => self.api_version = self.value().await?,
                        // A `PodList` is one of `Pod`s.
                        Some("kind") => {
                            let kind: Option<String> = self.value().await?;
                            self.kind =
                                kind.and_then(|kind| kind.strip_suffix("List").map(str::to_owned));
                        }
                        Some(_) => self.parse(|scanner| scanner.skip_value(1)).await?,
                    }
                }
                Place::Item(nth) => {
                    self.place = Place::Item(Nth::Later);
                    if self.parse(|scanner| one_more(scanner, nth, b']')).await? {
                        return self.object(read).await.map(Some);
                    }
                    self.place = Place::Field(Nth::Later);
                }
            }
        }
    }

    /// The object that comes now.
    async fn object<T>(
        &mut self,
        read: impl Fn(&[u8], &Types) -> Result<(T, usize), Fault>,
    ) -> Result<T, Error> {
        if self.incoming.bytes().first() != Some(&b'{') {
            return Err(self.malformed());
        }
        self.incoming.prefetch();
        let mut found = read(self.incoming.bytes(), &self.types);
        if matches!(found, Err(Fault::Incomplete)) {
            // Nothing of it is read again until its end is there.
            let end = self.end_of_object().await?;
            found = read(&self.incoming.bytes()[..end], &self.types);
        }
        let (item, end) = found.map_err(|_| self.malformed())?;
        self.incoming.take(end);
        Ok(item)
    }

    /// Where the object ends that comes now, all of which has arrived then.
    async fn end_of_object(&mut self) -> Result<usize, Error> {
        let mut skip = Skip::new(0);
        let mut searched = 1;
        loop {
            match skip.step(&self.incoming.bytes()[searched..]) {
                Ok(Some(end)) => return Ok(searched + end),
                Ok(None) => {
                    searched = self.incoming.bytes().len();
                    self.more().await?;
                }
                Err(Malformed) => return Err(self.malformed()),
            }
        }
    }

    /// A small value, whole.
    async fn value<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let read = |scanner: &mut Scanner<'_>| {
            let start = scanner.position();
            scanner.skip_value(1)?;
            serde_json::from_slice(scanner.since(start)).map_err(|_| Fault::Malformed)
        };
        self.parse(read).await
    }

    /// Takes what `read` steps over, as soon as all of that has arrived.
    async fn parse<T>(
        &mut self,
        read: impl Fn(&mut Scanner<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        loop {
            let mut scanner = Scanner::new(self.incoming.bytes(), 0);
            scanner.space();
            match read(&mut scanner) {
                Ok(found) => {
                    let len = scanner.position();
                    self.incoming.take(len);
                    return Ok(found);
                }
                Err(Fault::Incomplete) => self.more().await?,
                Err(Fault::Malformed) => return Err(self.malformed()),
            }
        }
    }

    async fn more(&mut self) -> Result<(), Error> {
        if self.incoming.more(self.patience).await? {
            return Ok(());
        }
        Err(self.incoming.broken("the connection ended within a list"))
    }

    fn malformed(&self) -> Error {
        self.incoming.broken("a list is not valid JSON")
    }
}

/// Steps over the name of a field, up to its value; `None` at the end of the object.
fn field(scanner: &mut Scanner<'_>, nth: Nth) -> Result<Option<String>, Fault> {
    if !one_more(scanner, nth, b'}')? {
        return Ok(None);
    }
    let name = scanner.string()?;
    let name = scanner.unescape(name)?.into_owned();
    scanner.space();
    scanner.eat(b':')?;
    scanner.space();
    scanner.peek()?;
    Ok(Some(name))
}

/// Steps up to the next thing of a list, or over its end.
fn one_more(scanner: &mut Scanner<'_>, nth: Nth, end: u8) -> Result<bool, Fault> {
    if scanner.peek()? == end {
        scanner.advance();
        return Ok(false);
    }
    if nth == Nth::Later {
        scanner.eat(b',')?;
        scanner.space();
    }
    scanner.peek()?;
    Ok(true)
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
    use crate::tape::{Tape, Writer};

    /// The items of a body that comes in pieces of a size, and what is known at the end.
    async fn read(
        text: &str,
        piece: usize,
    ) -> Result<(Vec<String>, String, Option<String>), Error> {
        let pieces: Vec<_> = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice).collect();
        // Only a client makes a body of kube's.
        let answer = move |_: Request<Body>| {
            let frames =
                stream::iter(pieces.clone()).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames))) }
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let answer = client.send(Request::new(Body::empty())).await.unwrap();
        let incoming = Incoming::new("list".into(), answer.into_body());
        let mut page = Page::new(incoming, Duration::from_secs(1));
        let mut items = Vec::new();
        let read = |bytes: &[u8], types: &Types| {
            let mut scanner = Scanner::new(bytes, 0);
            scanner.skip_value(0)?;
            let json = str::from_utf8(scanner.since(0)).map_err(|_| Fault::Malformed)?;
            let mut object = Writer::default();
            let open = object.object();
            object.append(types.as_bytes());
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
                .map(|item| format!(r#"{{"apiVersion":"v1","kind":"Thing"}} {item}"#))
                .to_vec(),
            "7".to_owned(),
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
        assert_eq!((items, version.as_str(), next), (vec![r#"{} {"a":1}"#.to_owned()], "7", None));
        for empty in [r#"{"items":null,"metadata":{}}"#, r#"{"items":[]}"#, r#"{"metadata":null}"#]
        {
            assert_eq!(read(empty, 4).await.unwrap(), (vec![], String::new(), None), "{empty}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_list_or_is_cut_off_is_an_error() {
        let list = r#"{"metadata":{"resourceVersion":"7"},"items":[{"a":"}"},{"b":2}]}"#;
        for cut in 0..list.len() {
            assert!(read(&list[..cut], 5).await.unwrap_err().is_connection(), "{cut}");
        }
        for text in
            ["[]", "{]", r#"{"items":[7]}"#, r#"{"items":[{}{}]}"#, r#"{"items":[{},]}"#, "{,}"]
        {
            assert!(read(text, 3).await.is_err(), "{text}");
        }
    }
}
