//! Faults of requests, answers and watches.

use std::time::Duration;

use crate::testing::server::answer::{Answer, End};

/// A failure of one request, as in a real cluster.
///
/// Each variant documents the bytes that the server sends, and what a client sees. Faults that
/// count events count the items of a list; they do not count bookmarks. If there are fewer events,
/// nothing fails.
///
/// A request uses up the first fault that is due for it, even if the fault has no effect on it: faults of a
/// body affect only lists and watches, and faults of events, as documented there, only watches. So name the
/// verb with [`On`](crate::testing::On).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::{Api, api::{WatchEvent, WatchParams}};
/// use kube_weir::{prelude::*, testing::{Fault, Verb}};
///
/// # kube_weir::testing::fixture::with_server(async |server| {
/// server.fault(Verb::List, 1, Fault::too_many_requests(Duration::from_secs(1)));
/// server.fault(Verb::Watch, 1, Fault::ErrorEvent { code: 410, after_events: 1 });
///
/// let api = Api::<ConfigMap>::namespaced(server.client(), "web");
/// let Err(kube::Error::Api(busy)) = api.list(&Default::default()).await else { panic!() };
/// assert_eq!(busy.details.as_ref().unwrap().retry_after_seconds, 1);
///
/// let events: Vec<_> = api.watch(&WatchParams::default(), "0").await?.collect().await;
/// let [Ok(WatchEvent::Added(_)), Ok(WatchEvent::Error(gone))] = &events[..] else { panic!() };
/// assert_eq!(gone.code, 410);
/// # Ok(()) });
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
    /// and [`watch`](crate::watch) yields the error that the code [stands for](crate::Error).
    Status {
        /// The HTTP status, for instance 403, 410, 429, 500 or 503.
        code: u16,
        /// The `Retry-After` header, in whole seconds; no header for less than a second.
        retry_after: Option<Duration>,
    },
    /// The server sends these bytes instead of its own answer, and does not carry out the request: a
    /// proxy that answers in its place, or a server with a defect. A client sees exactly this
    /// [`Answer`]; [`On::query`](crate::testing::On::query) and
    /// [`On::version`](crate::testing::On::version) select different answers for different requests.
    Answer(Answer),
    /// There is no answer, and the request is not carried out: the connection is refused, as during a
    /// restart of the server. A client sees [`kube::Error::Service`], [`watch`](crate::watch)
    /// [`is_connection`](crate::Error::is_connection).
    Refused,
    /// The request is carried out, but the connection is reset before its answer. A
    /// client sees [`kube::Error::Service`], as with [`Refused`](Fault::Refused), and can't know
    /// whether its write was applied.
    Lost,
    /// The request is carried out, and answered, after this delay: a slow server or webhook.
    /// If a client gives up earlier, its write is not applied; a client without a timeout waits.
    Delay(Duration),
    /// The request is carried out at once, but the whole answer is delayed by this time, including
    /// status and headers: a proxy that forwards nothing before the first bytes of a body,
    /// which an idle watch has only at its first bookmark.
    ///
    /// A watch sees every change since the request, and its `timeoutSeconds` count from the request,
    /// too. If a client gives up earlier, its write may have been applied, as with [`Lost`](Fault::Lost).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::api::{WatchEvent, WatchParams};
    /// use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
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
    /// # Ok(()) });
    /// ```
    LateHead(Duration),
    /// The connection is reset after a number of events, as by a load balancer with a limit.
    ///
    /// Sent: that many whole lines of a watch, or items of a list, and then an error instead of the
    /// next chunk. A client sees [`kube::Error::ReadEvents`] from a watch, and a list that fails as
    /// a whole.
    Disconnect {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// The body ends without an error after a number of events: a server that shuts down, or a proxy
    /// that ends long connections cleanly.
    ///
    /// Sent: that many whole lines of a watch, or items of a list, and then the end. With 0 events it
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
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// for name in ["a", "b"] {
    ///     let metadata = json!({"name": name});
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    /// }
    /// server.fault(Verb::Watch, 1, Fault::End { after_events: 1 });
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let events = api.watch(&WatchParams::default(), "1").await?;
    /// assert_eq!(events.count().await, 1);
    /// # Ok(()) });
    /// ```
    End {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// The body ends as soon as nothing was sent for this time: a load balancer that cuts idle
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
    /// # kube_weir::testing::fixture::run(async {
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
    /// # Ok(()) });
    /// ```
    Idle {
        /// The silence that the connection survives.
        after: Duration,
        /// The way in which the body ends.
        end: End,
    },
    /// The connection is reset after a number of bytes of the body, possibly inside an event. A
    /// client sees the same as with [`Disconnect`](Fault::Disconnect), after the beginning of an
    /// event.
    Cut {
        /// The number of bytes that arrive.
        after_bytes: usize,
    },
    /// The body ends without an error in the middle of an event, as if a proxy hid a failure behind it.
    ///
    /// Sent: a number of whole lines or items, and the first half of the next one, after which the body ends
    /// as if it were complete. kube's client ignores the incomplete line of a watch, and takes the watch
    /// for ended; a list fails to decode. [`watch`](crate::watch) sees
    /// [`is_connection`](crate::Error::is_connection).
    Torn {
        /// The number of whole events that arrive before.
        after_events: usize,
    },
    /// Nothing arrives after a number of events, and the connection stays open: a peer that
    /// vanished silently.
    ///
    /// A client without a timeout waits forever: the `timeoutSeconds` of a watch don't end
    /// it. [`watch`](crate::watch) sees [`is_timeout`](crate::Error::is_timeout): for a list
    /// after 60 seconds, for a watch 5 seconds after its
    /// [`watch_timeout`](crate::Watch::watch_timeout).
    Stall {
        /// The number of events that arrive.
        after_events: usize,
    },
    /// A watch sends an `ERROR` event and ends: the history it reads from was compacted, or its
    /// storage fails.
    ///
    /// Sent: HTTP 200, a number of whole lines, and
    /// `{"type":"ERROR","object":{"kind":"Status","code":410,…}}`. A client sees
    /// [`WatchEvent::Error`](kube::api::WatchEvent::Error), and the end; [`watch`](crate::watch)
    /// yields the error that the code [stands for](crate::Error).
    ErrorEvent {
        /// The code of the `Status` in the event, for instance 410.
        code: u16,
        /// The number of events that arrive before.
        after_events: usize,
    },
    /// Every object of a name is sent with `"labels": 7` in its metadata, which no typed decoder
    /// accepts: an object of a different schema than the client was built with. This includes the answers to
    /// gets and writes.
    ///
    /// A client sees a [`kube::Error::SerdeError`] from a list or a get, and an empty
    /// [`kube::Error::Api`] from a watch. [`watch`](crate::watch) sees
    /// [`is_undecodable`](crate::Error::is_undecodable) of a typed kind, and all other objects.
    Garble {
        /// The name of the object.
        name: String,
    },
    /// A watch sends every event about an object twice, with the same resourceVersion. A client sees
    /// both events; [a store](crate::Store) changes once.
    Duplicate,
    /// A watch begins a number of changes before its requested version: it repeats events
    /// that the client already has, as if it had resumed from an older version. A get
    /// answers with the state of that many changes ago: a cache that lags.
    ///
    /// A watch that begins with the current state has nothing to rewind. A get of an object that did not
    /// exist that many changes ago is answered 404.
    Rewind {
        /// The number of changes, of all resources.
        changes: u64,
    },
    /// A watch swaps two events: after a number of events, the next one is held back and sent after its
    /// successor, as if several servers, each with its own cache, had one address.
    /// If a bookmark or the end follows instead, the order is unchanged.
    OutOfOrder {
        /// The number of events that arrive in order before.
        after_events: usize,
    },
    /// The lines of a watch are `{"object":{…},"type":"ADDED"}`, as JSON allows, and as proxies
    /// that decode and encode write them. A client should see no difference.
    ObjectFirst,
    /// A watch sends no bookmarks, not even the one that ends the initial events: bookmarks are only a hint,
    /// and a server may ignore it. A client that [streams its list](crate::Watch::streaming_list) waits for
    /// that bookmark until the watch ends.
    NoBookmarks,
    /// Every bookmark of a watch, including the one that ends the initial events, is delayed by this time,
    /// together with everything after it: a cache that lags behind its storage. The end of the connection is
    /// not delayed.
    LateBookmarks(Duration),
    /// The body arrives in chunks of a fixed size, regardless of the boundaries of events, with a pause
    /// before each: a slow network. A client should see no difference except the time.
    Trickle {
        /// Bytes in a chunk, at least 1.
        chunk: usize,
        /// The pause before each chunk.
        pause: Duration,
    },
}

impl Fault {
    /// Returns an answer with this HTTP status, without a `Retry-After`: [`Fault::Status`].
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, Fault, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(Verb::Get, 1, Fault::status(403));
    /// let api = Api::<Secret>::default_namespaced(server.client());
    /// let refused = api.get("tls").await;
    /// assert!(matches!(refused, Err(kube::Error::Api(status)) if status.reason == "Forbidden"));
    /// # Ok(()) });
    /// ```
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// Returns a 429 with a `Retry-After` header, in whole seconds: [example](Fault).
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
