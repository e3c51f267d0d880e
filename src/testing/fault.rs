//! What can be made to go wrong, and when.

use std::time::Duration;

use kube::core::{Status, response::StatusDetails};

use crate::testing::status;

/// What a request does, in the words of RBAC.
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

/// Which requests a [`Fault`] meets: those with a verb, and only those about a resource or in a namespace where
/// that is set.
///
/// ```
/// use kube_weir::testing::{On, Verb};
///
/// let second_page = On::verb(Verb::List).resource("pods").skip(1);
/// # let _ = second_page;
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
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request with this verb.
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Only requests about this resource, by its plural name or as `plural.group`. Default: every resource.
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Only requests in this namespace. Default: every namespace, and those about all namespaces.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Lets so many of these requests pass before. Default: 0.
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
/// The faults that count events count on a list its items. Those about a body meet lists and
/// watches only, and those about events, as they say, watches only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The answer is this HTTP status, with a `Status` in the body: a role that is missing, a
    /// server that is busy or starting, a version or a continue token that expired.
    Status {
        /// The HTTP status, for instance 403, 410, 429, 500 or 503.
        code: u16,
        /// The `Retry-After` header, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// There is no answer: the connection is refused, as while a server restarts.
    Refused,
    /// The request is carried out, but its answer is lost: the connection is reset before it. After
    /// that a client can't know whether it has written.
    Lost,
    /// The answer comes so much later: a server, or a webhook, that is slow.
    Delay(Duration),
    /// The connection is reset after so many events, as by a load balancer that has had enough.
    Disconnect {
        /// How many events arrive.
        after_events: usize,
    },
    /// The connection is reset after so many bytes of the body, wherever in an event that is.
    Cut {
        /// How many bytes arrive.
        after_bytes: usize,
    },
    /// The body ends without an error in the middle of an event, as where a proxy hides what
    /// happened behind it.
    Torn {
        /// How many whole events arrive before.
        after_events: usize,
    },
    /// Nothing arrives any more after so many events, and the connection stays open: a peer that
    /// went away without a word.
    Stall {
        /// How many events arrive.
        after_events: usize,
    },
    /// A watch sends an `ERROR` event and ends: the history it reads from was compacted, or its
    /// storage fails.
    ErrorEvent {
        /// The code of the `Status` in the event, for instance 410.
        code: u16,
        /// How many events arrive before.
        after_events: usize,
    },
    /// One object is sent with `"labels": 7`, which no typed decoder accepts: an object of another
    /// schema than the client was built with.
    Garble {
        /// The name of the object.
        name: String,
    },
    /// A watch sends every event about an object twice.
    Duplicate,
    /// A watch begins so many changes before the version that it is asked to begin after: events
    /// that the client has already, as after it resumed from an older version than it had. A get
    /// answers as it would have so many changes ago: a cache that is behind.
    Rewind {
        /// How many changes, of all resources.
        changes: u64,
    },
    /// A watch sends the event after so many behind the one that follows it, as where several
    /// servers, each with its own cache, stand behind one address. Where a bookmark, or the end,
    /// follows, it changes nothing.
    OutOfOrder {
        /// How many events arrive in order before.
        after_events: usize,
    },
    /// The lines of a watch have `object` before `type`, as JSON allows, and as proxies that decode
    /// and encode write them.
    ObjectFirst,
    /// A watch sends no bookmarks, not even the one that ends the initial events: a server that
    /// takes them as the mere hint that they are.
    NoBookmarks,
    /// Every bookmark of a watch, also the one that ends the initial events, comes so much later,
    /// and what follows it, too: a cache that is behind its storage.
    LateBookmarks(Duration),
    /// The body arrives in chunks of so many bytes, whatever the boundaries of events, with a pause
    /// before each: a slow network.
    Trickle {
        /// Bytes in a chunk, at least 1.
        chunk: usize,
        /// The pause before each chunk.
        pause: Duration,
    },
}

impl Fault {
    /// The answer is this HTTP status.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// 429 with a `Retry-After` header.
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
