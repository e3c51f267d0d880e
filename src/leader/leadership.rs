//! The current leader, and a handle by which any task can ask for it.

use std::fmt;

use tokio::sync::watch;

use super::term::Term;
use crate::{
    error::{Error, ErrorKind},
    printed::{LONGEST_NAME, printed},
};

/// The current leader, as a [`Campaign`](crate::Campaign) yields it.
///
/// ```
/// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let lease = LeaseRef::new("default", "web");
/// let mut campaign = Election::new(client, lease, "replica-a")?.campaign();
/// match campaign.next().await.expect("never the end")? {
///     Leadership::Leading(term) => assert_eq!(term.holder(), "replica-a"),
///     Leadership::Following { leader } => println!("{leader:?} leads"),
/// }
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub enum Leadership {
    /// This replica leads, as long as the [`Term`] is valid.
    Leading(Term),
    /// Another replica leads, or nobody does.
    Following {
        /// The holder named in the Lease; never this replica. `None` if the holder is unknown or there is
        /// none.
        leader: Option<String>,
    },
}

impl Leadership {
    /// Returns the term, if this replica leads and its term is not over.
    ///
    /// ```
    /// use kube_weir::Leadership;
    ///
    /// assert!(Leadership::Following { leader: Some("replica-b".into()) }.term().is_none());
    /// ```
    pub fn term(&self) -> Option<&Term> {
        match self {
            Self::Leading(term) => Some(term).filter(|term| term.is_open()),
            Self::Following { .. } => None,
        }
    }
}

/// An observer of a [`Campaign`](crate::Campaign): cheap to clone, usable from any task.
///
/// It asks the term's clock, so it is right even if the campaign isn't polled: a replica that doesn't renew
/// doesn't lead for long.
///
/// ```
/// use kube_weir::{Election, LeaseRef, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let lease = LeaseRef::new("default", "web");
/// let mut campaign = Election::new(client, lease, "replica-a")?.campaign();
/// let leadership = campaign.watch();
/// assert!(!leadership.is_leading());
/// assert_eq!(leadership.leader(), None);
///
/// campaign.next().await;
/// assert!(leadership.is_leading());
/// assert_eq!(leadership.leader().as_deref(), Some("replica-a"));
///
/// // Nobody polls the campaign, so nothing renews the Lease.
/// tokio::time::sleep(Duration::from_secs(10)).await;
/// assert!(leadership.term().is_none());
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct LeadershipWatch(watch::Receiver<Leadership>);

impl LeadershipWatch {
    pub(super) fn new(receiver: watch::Receiver<Leadership>) -> Self {
        Self(receiver)
    }

    /// Returns a receiver of the leadership changes that the campaign publishes from now on.
    pub(crate) fn receiver(&self) -> watch::Receiver<Leadership> {
        self.0.clone()
    }

    /// Returns the current leader: the one that the campaign reported last, unless that term has ended
    /// meanwhile.
    ///
    /// ```
    /// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let lease = LeaseRef::new("default", "web");
    /// let mut campaign = Election::new(client, lease, "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// assert!(matches!(leadership.current(), Leadership::Following { leader: None }));
    /// campaign.next().await;
    /// assert!(matches!(leadership.current(), Leadership::Leading(_)));
    /// # Ok(()) });
    /// ```
    pub fn current(&self) -> Leadership {
        match &*self.0.borrow() {
            Leadership::Leading(term) if !term.is_open() => Leadership::Following { leader: None },
            leadership => leadership.clone(),
        }
    }

    /// Returns whether this replica leads now: [example](LeadershipWatch).
    pub fn is_leading(&self) -> bool {
        self.0.borrow().term().is_some()
    }

    /// Returns the term if this replica leads, to [guard](Term::guard) work with.
    /// [Example](LeadershipWatch).
    pub fn term(&self) -> Option<Term> {
        self.0.borrow().term().cloned()
    }

    /// Returns the name of the leader: this replica if its term is valid, otherwise the holder named in the
    /// Lease. `None` if the leader is unknown or there is none: [example](LeadershipWatch).
    pub fn leader(&self) -> Option<String> {
        match self.current() {
            Leadership::Leading(term) => Some(term.holder().to_owned()),
            Leadership::Following { leader } => leader,
        }
    }

    /// Returns the leadership in words and figures, for people and dashboards. It serializes as follows:
    ///
    /// ```
    /// use futures::StreamExt;
    /// use kube_weir::{Election, LeaseRef};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "replica-a")?.campaign();
    /// campaign.next().await;
    /// # tokio::time::advance(std::time::Duration::from_secs(1)).await;
    /// let expected = r#"{
    ///   "leading": true,
    ///   "leader": "replica-a",
    ///   "number": 0,
    ///   "remaining_ms": 8999
    /// }"#;
    /// assert_eq!(serde_json::to_string_pretty(&campaign.watch().report())?, expected);
    /// # Ok(()) });
    /// ```
    pub fn report(&self) -> LeadershipReport {
        let term = self.term();
        let remaining = term.as_ref().map(|term| term.remaining().as_millis());
        LeadershipReport {
            leading: term.is_some(),
            leader: self.leader().map(|leader| printed(&leader, LONGEST_NAME)),
            number: term.as_ref().map(Term::number),
            remaining_ms: remaining.map(|left| u64::try_from(left).unwrap_or(u64::MAX)),
        }
    }

    /// Waits until this replica leads.
    ///
    /// The campaign must be polled meanwhile, in another task or beside this future.
    ///
    /// # Errors
    ///
    /// [`is_ended`](Error::is_ended) if the campaign was released or dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let lease = LeaseRef::new("default", "web");
    /// let campaign = Election::new(client, lease, "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// let competing = tokio::spawn(campaign.log_errors().for_each(|_| async {}));
    /// assert!(leadership.leading().await?.is_valid());
    ///
    /// competing.abort();
    /// tokio::time::sleep(Duration::from_secs(10)).await;
    /// assert!(leadership.leading().await.unwrap_err().is_ended());
    /// # Ok(()) });
    /// ```
    pub async fn leading(&self) -> Result<Term, Error> {
        let mut receiver = self.0.clone();
        loop {
            if let Some(term) = receiver.borrow_and_update().term() {
                return Ok(term.clone());
            }
            receiver.changed().await.map_err(|_| {
                Error::new(ErrorKind::Ended, "the campaign ended before it was won")
            })?;
        }
    }
}

/// The current leader in words and figures; from [`LeadershipWatch::report`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LeadershipReport {
    /// True if this replica leads.
    pub leading: bool,
    /// The name of the leader. `None` if the leader is unknown or there is none.
    pub leader: Option<String>,
    /// The number of this replica's term, while it leads.
    pub number: Option<u32>,
    /// The time in milliseconds for which the term is valid if it is not renewed.
    pub remaining_ms: Option<u64>,
}

impl fmt::Debug for LeadershipWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeadershipWatch").field(&self.current()).finish()
    }
}
