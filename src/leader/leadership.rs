//! Who leads, and the handle that tells it to any task.

use std::fmt;

use tokio::sync::watch;

use super::term::Term;
use crate::error::{Error, Reason};

/// Who leads.
#[derive(Clone, Debug)]
pub enum Leadership {
    /// This replica does, as long as the [`Term`] is valid.
    Leading(Term),
    /// Another one does, or nobody.
    Following {
        /// Whom the Lease names; never oneself. `None` while that is unknown, or nobody.
        leader: Option<String>,
    },
}

impl Leadership {
    /// The term, if this replica leads and its term is not over.
    pub fn term(&self) -> Option<&Term> {
        match self {
            Self::Leading(term) => Some(term).filter(|term| term.is_open()),
            Self::Following { .. } => None,
        }
    }
}

/// An observer of a [`Campaign`](crate::Campaign): cheap to clone, usable from any task.
///
/// It asks the term's clock, so it is right also where the campaign isn't polled: who doesn't renew
/// doesn't lead for long.
#[derive(Clone)]
pub struct LeadershipWatch(watch::Receiver<Leadership>);

impl LeadershipWatch {
    pub(super) fn new(told: watch::Receiver<Leadership>) -> Self {
        Self(told)
    }

    /// What the campaign tells, from now on.
    pub(crate) fn told(&self) -> watch::Receiver<Leadership> {
        self.0.clone()
    }

    /// Who leads, as of now.
    pub fn current(&self) -> Leadership {
        match &*self.0.borrow() {
            Leadership::Leading(term) if !term.is_open() => Leadership::Following { leader: None },
            told => told.clone(),
        }
    }

    /// Whether this replica leads.
    pub fn is_leading(&self) -> bool {
        self.0.borrow().term().is_some()
    }

    /// The term, if this replica leads.
    pub fn term(&self) -> Option<Term> {
        self.0.borrow().term().cloned()
    }

    /// Who leads, by name: this replica, if its term is valid, or whom the Lease names else. `None`
    /// while that is unknown, or nobody.
    pub fn leader(&self) -> Option<String> {
        match self.current() {
            Leadership::Leading(term) => Some(term.holder().to_owned()),
            Leadership::Following { leader } => leader,
        }
    }

    /// Waits until this replica leads.
    ///
    /// The campaign must be polled meanwhile, in another task or beside this.
    ///
    /// # Errors
    ///
    /// [`is_ended`](Error::is_ended) if the campaign was released or dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn leading(&self) -> Result<Term, Error> {
        let mut told = self.0.clone();
        loop {
            if let Some(term) = told.borrow_and_update().term() {
                return Ok(term.clone());
            }
            told.changed()
                .await
                .map_err(|_| Error::new(Reason::Ended, "the campaign ended before it was won"))?;
        }
    }
}

impl fmt::Debug for LeadershipWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeadershipWatch").field(&self.current()).finish()
    }
}
