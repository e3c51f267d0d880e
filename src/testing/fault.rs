//! What can be made to go wrong, and when.

use std::time::Duration;

use kube::core::{Status, response::StatusDetails};

use crate::testing::status;

/// What a request does, in the words of
/// [RBAC](https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb).
///
/// ```
/// use kube_weir::testing::{ApiServer, Fault, Verb};
///
/// let server = ApiServer::new();
/// server.fault(Verb::Update, 1, Fault::status(409));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads a collection, or a page of it.
    List,
    /// Watches a collection.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object, or its status.
    Update,
    /// Changes part of an object, or of its status.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
    /// Asks which resources there are, or which version the server has.
    Discovery,
}

/// Which requests a [`Fault`] meets: those with a verb, and only those about a resource or in a
/// namespace where that is set. A [`Verb`] is one, too.
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kube::Api;
/// use kube_weir::testing::{ApiServer, Fault, On, Verb};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = ApiServer::new();
/// server.fault(On::verb(Verb::List).resource("pods").namespace("a").skip(1), 1, Fault::status(503));
///
/// let list = async |namespace: &str| {
///     Api::<Pod>::namespaced(server.client(), namespace).list(&Default::default()).await.is_ok()
/// };
/// assert!(list("b").await, "of another namespace");
/// assert!(list("a").await, "skipped");
/// assert!(!list("a").await);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct On {
    verb: Option<Verb>,
    resource: Option<String>,
    namespace: Option<String>,
    skip: usize,
}

impl On {
    /// Every request, also of discovery.
    ///
    /// ```
    /// use kube_weir::testing::{ApiServer, Fault, On};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = ApiServer::new();
    /// server.fault(On::any(), 1, Fault::Refused);
    /// assert!(server.client().apiserver_version().await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request with this verb: [example](On).
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Only requests about this resource, by its plural name or as `plural.group`. Default: every
    /// resource. [Example](On).
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Only requests in this namespace. Default: every namespace, and those about all namespaces.
    /// [Example](On).
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Lets so many of these requests pass before; those that meet another fault don't count.
    /// Default: 0. [Example](On).
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    pub(super) fn is_about(&self, verb: Verb) -> bool {
        self.verb == Some(verb)
    }

    fn matches(&self, seen: &Seen<'_>) -> bool {
        let is_resource = |name: &String| name == seen.storage || name == seen.plural;
        self.verb.is_none_or(|verb| verb == seen.verb)
            && self.resource.as_ref().is_none_or(is_resource)
            && self.namespace.as_deref().is_none_or(|namespace| seen.namespace == Some(namespace))
    }
}

impl From<Verb> for On {
    fn from(verb: Verb) -> Self {
        Self::verb(verb)
    }
}

/// What goes wrong with a request, and what of a real cluster it imitates.
///
/// Each variant says what is sent, and what a client sees of it. The faults that count events count
/// on a list its items; bookmarks are not counted. Where there are fewer, nothing goes wrong.
///
/// A request uses up the first fault that is due for it, whether that can harm it or not: those
/// about a body meet lists and watches only, those about events, as they say, watches only. So name
/// the verb with [`On`].
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
    /// and [`watch`](crate::watch) what that code [means](crate::Error).
    Status {
        /// The HTTP status, for instance 403, 410, 429, 500 or 503.
        code: u16,
        /// The `Retry-After` header, in whole seconds: less than one is none.
        retry_after: Option<Duration>,
    },
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
    /// The connection is reset after so many events, as by a load balancer that has had enough.
    ///
    /// Sent: so many whole lines of a watch, or items of a list, and then an error instead of the
    /// next chunk. A client sees [`kube::Error::ReadEvents`] from a watch, and a list that fails as
    /// a whole.
    Disconnect {
        /// How many events arrive.
        after_events: usize,
    },
    /// The connection is reset after so many bytes of the body, wherever in an event that is. A
    /// client sees what it sees of a [`Disconnect`](Fault::Disconnect), with a beginning of an
    /// event before.
    Cut {
        /// How many bytes arrive.
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
        /// How many whole events arrive before.
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
        /// How many events arrive.
        after_events: usize,
    },
    /// A watch sends an `ERROR` event and ends: the history it reads from was compacted, or its
    /// storage fails.
    ///
    /// Sent: HTTP 200, so many whole lines, and
    /// `{"type":"ERROR","object":{"kind":"Status","code":410,…}}`. A client sees
    /// [`WatchEvent::Error`](kube::api::WatchEvent::Error), and the end; [`watch`](crate::watch)
    /// what that code [means](crate::Error).
    ErrorEvent {
        /// The code of the `Status` in the event, for instance 410.
        code: u16,
        /// How many events arrive before.
        after_events: usize,
    },
    /// Every object of a name is sent with `"labels": 7` in its metadata, which no typed decoder
    /// accepts: an object of another schema than the client was built with. Also in the answers to
    /// gets and writes.
    ///
    /// Of a list or an object kube's client makes [`kube::Error::SerdeError`], of an event of a
    /// watch a [`kube::Error::Api`] with nothing in it. [`watch`](crate::watch) sees
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
        /// How many changes, of all resources.
        changes: u64,
    },
    /// A watch sends the event after so many behind the one that follows it, as where several
    /// servers, each with its own cache, stand behind one address. Until then it is held back.
    /// Where a bookmark, or the end, follows, it changes nothing.
    OutOfOrder {
        /// How many events arrive in order before.
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
    /// and what follows it, too: a cache that is behind its storage.
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

    /// Whether there is something in a list that it could damage.
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

/// What is known of a request when faults are chosen.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) verb: Verb,
    /// `plural.group`.
    pub(super) storage: &'a str,
    pub(super) plural: &'a str,
    pub(super) namespace: Option<&'a str>,
}

/// The faults that are still to come, oldest first.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    on: On,
    times: usize,
    fault: Fault,
}

impl Script {
    pub(super) fn add(&mut self, on: On, times: usize, fault: Fault) {
        self.rules.push(Rule { on, times, fault });
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// How many times faults are still to happen.
    pub(super) fn left(&self) -> usize {
        self.rules.iter().map(|rule| rule.times).sum()
    }

    /// The fault that meets this request, if any. The first rule that is due is used up by one.
    pub(super) fn take(&mut self, seen: &Seen<'_>) -> Option<Fault> {
        self.rules.retain(|rule| rule.times > 0);
        for rule in self.rules.iter_mut().filter(|rule| rule.on.matches(seen)) {
            if rule.on.skip == 0 {
                rule.times -= 1;
                return Some(rule.fault.clone());
            }
            rule.on.skip -= 1;
        }
        None
    }
}

/// The `Status` of [`Fault::Status`].
pub(super) fn status_for(code: u16, retry_after: Option<Duration>) -> Box<Status> {
    let mut failure = status::failure(code, &format!("the script of the test answers {code}"));
    if let Some(after) = retry_after {
        let seconds = u32::try_from(after.as_secs()).unwrap_or(u32::MAX);
        failure.details =
            Some(StatusDetails { retry_after_seconds: seconds, ..status::no_details() });
    }
    failure
}
