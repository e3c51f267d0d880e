//! Answers that a test writes byte by byte.

use std::{fmt::Display, io, time::Duration};

use bytes::Bytes;
use futures::future;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::testing::server::body::Body;

/// A raw answer: status, headers, and a body in chunks with pauses between them.
///
/// It imitates proxies that answer in place of an API server, and API servers
/// with a defect: the login page of a proxy, an aggregated server that sends half a document, lists
/// with `null` among the items, bytes that are not UTF-8, bookmarks without a resourceVersion.
///
/// A client sees exactly these bytes, in these chunks. [`Fault::Answer`](crate::testing::Fault)
/// sends it to requests, which are then not carried out.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::Api;
/// use kube_weir::{prelude::*, testing::{Answer, ApiServer, End, Fault, Verb}};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let page = Answer::new(200)
///     .header("content-type", "text/html")
///     .chunk("<html>")
///     .pause(Duration::from_secs(5))
///     .chunk("Please log in")
///     .end(End::Reset);
/// server.fault(Verb::List, 1, Fault::Answer(page));
///
/// let begun = tokio::time::Instant::now();
/// let api = Api::<ConfigMap>::all(server.client());
/// assert!(api.list(&Default::default()).await.is_err());
/// assert_eq!(begun.elapsed().as_secs(), 5);
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    code: StatusCode,
    headers: HeaderMap,
    late_head: Option<Duration>,
    parts: Vec<Part>,
    end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Chunk(Bytes),
    Pause(Duration),
}

/// The way in which a body ends.
///
/// ```
/// use futures::StreamExt;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::{Api, api::WatchParams};
/// use kube_weir::testing::{ApiServer, End, On};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let api = Api::<ConfigMap>::all(server.client());
/// let mut clean = api.watch(&WatchParams::default(), "1").await?.boxed();
/// server.end_watches(On::any(), End::Fin);
/// assert!(clean.next().await.is_none());
///
/// let mut broken = api.watch(&WatchParams::default(), "1").await?.boxed();
/// server.end_watches(On::any(), End::Reset);
/// assert!(broken.next().await.is_some_and(|event| event.is_err()));
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum End {
    /// The body ends like a complete body: the server, or a proxy, closed the connection
    /// cleanly. A client sees no error.
    #[default]
    Fin,
    /// The connection is reset. A client reads an [`io::Error`] of the kind
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset) from the body.
    Reset,
    /// The body stays open and nothing more arrives: a peer that vanished, or a firewall that
    /// dropped the connection. A client without a timeout waits forever.
    Never,
}

impl Answer {
    /// Returns an answer with this HTTP status, without headers and with an empty body.
    /// [Example](Answer).
    ///
    /// # Panics
    ///
    /// If the code is no HTTP status: below 100 or above 999.
    pub fn new(code: u16) -> Self {
        let Ok(code) = StatusCode::from_u16(code) else { panic!("{code} is no HTTP status") };
        Self { code, headers: HeaderMap::new(), late_head: None, parts: Vec::new(), end: End::Fin }
    }

    /// Returns an answer whose body is this JSON, with the content type `application/json`.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::{Api, api::ListParams};
    /// use kube_weir::testing::{Answer, ApiServer, Fault, Verb};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// // Each page has the continue token of its request.
    /// let page = json!({
    ///     "kind": "PodList", "apiVersion": "v1", "items": [],
    ///     "metadata": {"resourceVersion": "7", "continue": "token"},
    /// });
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, usize::MAX, Fault::Answer(Answer::json(200, &page)));
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// for params in [ListParams::default(), ListParams::default().continue_token("token")] {
    ///     let page = pods.list(&params).await?;
    ///     assert_eq!(page.metadata.continue_.as_deref(), Some("token"));
    /// }
    /// # Ok(()) });
    /// ```
    ///
    /// # Panics
    ///
    /// If the code is no HTTP status: below 100 or above 999.
    pub fn json(code: u16, body: &Value) -> Self {
        Self::new(code).header("content-type", "application/json").chunk(body.to_string())
    }

    /// Returns an answer with the status 200 whose body has these lines, each in a separate chunk:
    /// the events of a watch.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::{WatchEvent, WatchParams}};
    /// use kube_weir::testing::{Answer, ApiServer, End, Fault, Verb};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// // A bookmark whose resourceVersion is empty, and then silence.
    /// let bookmark = json!({"type": "BOOKMARK", "object": {
    ///     "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": ""},
    /// }});
    /// let server = ApiServer::new();
    /// let events = Answer::lines([bookmark]).end(End::Never);
    /// server.fault(Verb::Watch, 1, Fault::Answer(events));
    ///
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let mut events = api.watch(&WatchParams::default(), "1").await?.boxed();
    /// let Some(Ok(WatchEvent::Bookmark(bookmark))) = events.next().await else { panic!() };
    /// assert_eq!(bookmark.metadata.resource_version, "");
    /// # Ok(()) });
    /// ```
    pub fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> Self {
        let answer = Self::new(200).header("content-type", "application/json");
        lines.into_iter().fold(answer, |answer, line| answer.chunk(format!("{line}\n")))
    }

    /// Sets a header; replaces an earlier one of this name. [Example](Answer).
    ///
    /// # Panics
    ///
    /// If the name or the value is not allowed in HTTP.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let header = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(own), Ok(content)) = header else { panic!("{name}: {value} is no HTTP header") };
        self.headers.insert(own, content);
        self
    }

    /// Adds bytes to the body. They need not be JSON, nor UTF-8, nor a whole line.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::Api;
    /// use kube_weir::testing::{Answer, ApiServer, Fault, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let list = Answer::new(200)
    ///     .chunk(r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"#)
    ///     .chunk(&b"\"items\":[{\"metadata\":{\"name\":\"a\"},\"data\":{\"b\":\"\xff\"}}]}"[..]);
    /// let server = ApiServer::new();
    /// server.fault(Verb::List, 1, Fault::Answer(list));
    /// let api = Api::<ConfigMap>::all(server.client());
    /// assert!(api.list(&Default::default()).await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn chunk(mut self, bytes: impl Into<Bytes>) -> Self {
        self.parts.push(Part::Chunk(bytes.into()));
        self
    }

    /// Adds a pause, before the next chunk or before the end. [Example](Answer).
    pub fn pause(mut self, pause: Duration) -> Self {
        self.parts.push(Part::Pause(pause));
        self
    }

    /// Delays the whole answer, including status and headers, by this time. Default: no delay.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Answer, ApiServer, Fault, Verb}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let gateway = Answer::new(504).late_head(Duration::from_secs(60)).chunk("upstream timed out");
    /// server.fault(Verb::Discovery, 1, Fault::Answer(gateway));
    ///
    /// let begun = tokio::time::Instant::now();
    /// let answer = server.client().apiserver_version().await;
    /// assert!(matches!(answer, Err(kube::Error::Api(status)) if status.code == 504));
    /// assert_eq!(begun.elapsed().as_secs(), 60);
    /// # Ok(()) });
    /// ```
    pub fn late_head(mut self, late: Duration) -> Self {
        self.late_head = Some(late);
        self
    }

    /// Sets the end of the body. Default: [`End::Fin`]. [Example](Answer).
    pub fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Waits until the head is due and returns the response.
    pub(super) async fn respond(self) -> Response<Body> {
        if let Some(late) = self.late_head {
            tokio::time::sleep(late).await;
        }
        let (parts, end) = (self.parts, self.end);
        let body = Body::streaming(async_stream::stream! {
            for part in parts {
                match part {
                    Part::Chunk(bytes) => yield Ok(bytes),
                    Part::Pause(pause) => tokio::time::sleep(pause).await,
                }
            }
            if let Some(error) = end.reached().await {
                yield Err(error);
            }
        });
        let mut response = Response::new(body);
        *response.status_mut() = self.code;
        *response.headers_mut() = self.headers;
        response
    }
}

impl End {
    /// Returns the error with which a body ends, if any; never returns for a body without an end.
    pub(super) async fn reached(self) -> Option<io::Error> {
        match self {
            Self::Fin => None,
            Self::Reset => Some(io::ErrorKind::ConnectionReset.into()),
            Self::Never => future::pending().await,
        }
    }
}
