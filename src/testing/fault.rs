//! Faults of requests, answers and watches.

use std::time::Duration;

use crate::testing::answer::{Answer, End};

/// A failure of one request, as a real cluster has them.
///
/// Each variant says which bytes the server sends, and how a client sees them. The faults that
/// count events count the items of a list; they do not count bookmarks. If there are fewer events,
/// nothing goes wrong.
///
/// A request uses up the first fault that is due for it, even one that cannot harm it: faults of a
/// body harm lists and watches only, and faults of events, as they say, watches only. So name the
/// verb with [`On`](crate::testing::On).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::{Api, api::{WatchEvent, WatchParams}};
/// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
/// # use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = ApiServer::new();
/// # server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
/// server.fault(Verb::List, 1, Fault::too_many_requests(Duration::from_secs(1)));
/// server.fault(Verb::Watch, 1, Fault::ErrorEvent { code: 410, after_events: 1 });
///
/// let api = Api::<ConfigMap>::default_namespaced(server.client());
/// let Err(kube::Error::Api(busy)) = api.list(&Default::default()).await else { panic!() };
/// assert_eq!(busy.details.as_ref().unwrap().retry_after_seconds, 1);
///
/// let events: Vec<_> = api.watch(&WatchParams::default(), "0").await?.collect().await;
/// let [Ok(WatchEvent::Added(_)), Ok(WatchEvent::Error(gone))] = &events[..] else { panic!() };
/// assert_eq!(gone.code, 410);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The answer is this HTTP status, with a `Status` in the body, and the request is not carried
    /// out: a role that is missing, a server that is busy or starting, a version or a continue
    /// token that expired.
    ///
    /// Sent: the status, a `Retry-After` header if there is one, and
    /// `{"kind":"Status","code":403,"reason":"Forbidden",…}`. A client sees [`kube::Error::Api`],
    /// and [`watch`](crate::watch) gives the error that the code [stands for](crate::Error).
    Status {
        /// The HTTP status, for instance 403, 410, 429, 500 or 503.
        code: u16,
        /// The `Retry-After` header, in whole seconds: less than one is none.
        retry_after: Option<Duration>,
    },
    /// The server sends these bytes instead of its own answer, and does not carry out the request: a
    /// proxy that answers for it, or a server with a defect. A client sees exactly this
    /// [`Answer`]; [`On::query`](crate::testing::On::query) and
    /// [`On::version`](crate::testing::On::version) give different answers to different requests.
    Answer(Answer),
    /// There is no answer, and the request is not carried out: the connection is refused, as while
    /// a server restarts. A client sees [`kube::Error::Service`], [`watch`](crate::watch)
    /// [`is_connection`](crate::Error::is_connection).
    Refused,
    /// The request is carried out, but its answer is lost: the connection is reset before it. A
    /// client sees [`kube::Error::Service`], as with [`Refused`](Fault::Refused), and can't know
    /// whether it has written.
    Lost,
    /// The request is carried out, and answered, so much later: a server, or a webhook, that is
    /// slow. A client that gives up before has not written; one without a time limit waits.
    Delay(Duration),
    /// The request is carried out at once, but the whole answer is held back for so long, its
    /// status and headers included: a proxy that forwards nothing before the first bytes of a body,
    /// which a quiet watch has only at its first bookmark.
    ///
    /// A watch sees every change since the request, and its `timeoutSeconds` count from the request
    /// as well. A client that gives up before may have written, as with [`Lost`](Fault::Lost).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::api::{WatchEvent, WatchParams};
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(Verb::Watch, 1, Fault::LateHead(Duration::from_secs(62)));
    ///
    /// let begun = tokio::time::Instant::now();
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let version = server.resource_version().to_string();
    /// let params = WatchParams::default();
    /// let write = async {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))
    /// };
    /// let (events, written) = tokio::join!(api.watch(&params, &version), write);
    /// written?;
    /// assert_eq!(begun.elapsed().as_secs(), 62);
    /// assert!(matches!(events?.boxed().next().await, Some(Ok(WatchEvent::Added(_)))));
    /// # Ok(()) }
    /// ```
    LateHead(Duration),
    /// The connection is reset after so many events, as by a load balancer that has had enough.
    ///
    /// Sent: so many whole lines of a watch, or items of a list, and then an error instead of the
    /// next chunk. A client sees [`kube::Error::ReadEvents`] from a watch, and a list that fails as
    /// a whole.
    Disconnect {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// The body ends without an error after so many events: a server that shuts down, or a proxy
    /// that ends long connections in order.
    ///
    /// Sent: so many whole lines of a watch, or items of a list, and then the end. With 0 events it
    /// is a 200 with an empty body. A client sees a watch that ended, or a list that does not
    /// decode.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::WatchParams};
    /// use kube_weir::testing::{ApiServer, Fault, Verb};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// for name in ["a", "b"] {
    ///     let metadata = json!({"name": name});
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    /// }
    /// server.fault(Verb::Watch, 1, Fault::End { after_events: 1 });
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let events = api.watch(&WatchParams::default(), "1").await?;
    /// assert_eq!(events.count().await, 1);
    /// # Ok(()) }
    /// ```
    End {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// The body ends as soon as nothing was sent for so long: a load balancer that cuts idle
    /// connections. Bookmarks count as traffic, and so do the pieces of a list.
    ///
    /// With [`End::Reset`] a client sees an error, with [`End::Fin`] a watch that ended, and with
    /// [`End::Never`] nothing: later events are lost in a connection that looks open.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::WatchParams};
    /// use kube_weir::{prelude::Duration, testing::{ApiServer, End, Fault, Verb}};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// let idle = Fault::Idle { after: Duration::from_secs(45), end: End::Reset };
    /// // Each connection, as long as the test lasts.
    /// server.fault(Verb::Watch, usize::MAX, idle);
    ///
    /// let begun = tokio::time::Instant::now();
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let mut events = api.watch(&WatchParams::default(), "1").await?.boxed();
    /// assert!(events.next().await.is_some_and(|event| event.is_err()));
    /// assert_eq!(begun.elapsed().as_secs(), 45, "before the first bookmark");
    /// # Ok(()) }
    /// ```
    Idle {
        /// The silence that the connection survives.
        after: Duration,
        /// The way in which the body ends.
        end: End,
    },
    /// The connection is reset after so many bytes of the body, wherever in an event that is. A
    /// client sees what it sees of a [`Disconnect`](Fault::Disconnect), with a beginning of an
    /// event before.
    Cut {
        /// The number of bytes that arrive.
        after_bytes: usize,
    },
    /// The body ends without an error in the middle of an event, as where a proxy hides what
    /// happened behind it.
    ///
    /// Sent: so many whole lines or items, and the first half of the next, at which the body ends
    /// as if it were complete. kube's client takes the rest of a watch for nothing, and the watch
    /// for ended; a list fails to decode. [`watch`](crate::watch) sees
    /// [`is_connection`](crate::Error::is_connection).
    Torn {
        /// The number of whole events that arrive before.
        after_events: usize,
    },
    /// Nothing arrives any more after so many events, and the connection stays open: a peer that
    /// went away without a word.
    ///
    /// A client without a time limit of its own waits for ever: the `timeoutSeconds` of a watch end
    /// it no more. [`watch`](crate::watch) sees [`is_timeout`](crate::Error::is_timeout), of a list
    /// after 60 seconds, of a watch 5 seconds after its
    /// [`watch_timeout`](crate::Watch::watch_timeout).
    Stall {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// A watch sends an `ERROR` event and ends: the history it reads from was compacted, or its
    /// storage fails.
    ///
    /// Sent: HTTP 200, so many whole lines, and
    /// `{"type":"ERROR","object":{"kind":"Status","code":410,…}}`. A client sees
    /// [`WatchEvent::Error`](kube::api::WatchEvent::Error), and the end; [`watch`](crate::watch)
    /// gives the error that the code [stands for](crate::Error).
    ErrorEvent {
        /// The code of the `Status` in the event, for instance 410.
        code: u16,
        /// The number of events that arrive before.
        after_events: usize,
    },
    /// Every object of a name is sent with `"labels": 7` in its metadata, which no typed decoder
    /// accepts: an object of another schema than the client was built with. Also in the answers to
    /// gets and writes.
    ///
    /// A client sees a [`kube::Error::SerdeError`] from a list or a get, and an empty
    /// [`kube::Error::Api`] from a watch. [`watch`](crate::watch) sees
    /// [`is_undecodable`](crate::Error::is_undecodable) of a typed kind, and all other objects.
    Garble {
        /// The name of the object.
        name: String,
    },
    /// A watch sends every event about an object twice, with one resourceVersion. A client sees
    /// both; [a store](crate::Store) changes once.
    Duplicate,
    /// A watch begins so many changes before the version that it is asked to begin after: events
    /// that the client has already, as after it resumed from an older version than it had. A get
    /// answers as it would have so many changes ago: a cache that is behind.
    ///
    /// A watch that begins with the current state has nothing to rewind. An object that was not
    /// there so many changes ago is answered 404.
    Rewind {
        /// The number of changes, of all resources.
        changes: u64,
    },
    /// A watch sends the event after so many behind the one that follows it, as where several
    /// servers, each with its own cache, stand behind one address. Until then it is held back.
    /// If a bookmark or the end follows, it changes nothing.
    OutOfOrder {
        /// The number of events that arrive in order before.
        after_events: usize,
    },
    /// The lines of a watch are `{"object":{…},"type":"ADDED"}`, as JSON allows, and as proxies
    /// that decode and encode write them. A client should see no difference.
    ObjectFirst,
    /// A watch sends no bookmarks, not even the one that ends the initial events: a server that
    /// takes them as the mere hint that they are. A client that [streams its
    /// list](crate::Watch::streaming_list) waits for that one, until the watch ends.
    NoBookmarks,
    /// Every bookmark of a watch, also the one that ends the initial events, comes so much later,
    /// and what follows it, too: a cache that is behind its storage. An end of the connection is not
    /// late.
    LateBookmarks(Duration),
    /// The body arrives in chunks of so many bytes, whatever the boundaries of events, with a pause
    /// before each: a slow network. A client should see no difference but the time that it takes.
    Trickle {
        /// Bytes in a chunk, at least 1.
        chunk: usize,
        /// The pause before each chunk.
        pause: Duration,
    },
}

impl Fault {
    /// The answer is this HTTP status, without a `Retry-After`: [`Fault::Status`].
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, Fault, Verb};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(Verb::Get, 1, Fault::status(403));
    /// let api = Api::<Secret>::default_namespaced(server.client());
    /// let refused = api.get("tls").await;
    /// assert!(matches!(refused, Err(kube::Error::Api(status)) if status.reason == "Forbidden"));
    /// # Ok(()) }
    /// ```
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// 429 with a `Retry-After` header, in whole seconds: [example](Fault).
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::Status { code: 429, retry_after: Some(retry_after) }
    }

    /// Returns whether the fault can damage a list.
    pub(super) fn meets_lists(&self) -> bool {
        !matches!(
            self,
            Self::ErrorEvent { .. }
                | Self::Duplicate
                | Self::Rewind { .. }
                | Self::OutOfOrder { .. }
                | Self::ObjectFirst
        )
    }
}
