//! Steps of a list.

use super::{incoming::Incoming, resume::Span};
use crate::{error::Error, event::WatchEvent};

/// A step of a list, [streamed](super::streamed) or in [pages](super::paged).
pub(super) enum Listing<K> {
    Event(WatchEvent<K>),
    /// Something failed, and is tried again, or concerns one object.
    Failed(Error),
    /// All objects were sent. The last step.
    Complete(Start),
    /// The server has no streaming lists. The last step.
    Unsupported,
    /// The list can't be completed, only begun anew. The last step.
    Broken(Error),
}

/// The place where a watch begins.
pub(super) struct Start {
    pub(super) version: Option<String>,
    /// The connection of a streaming list, which goes on as a watch.
    pub(super) open: Option<Open>,
}

/// A connection that is open.
pub(super) struct Open {
    pub(super) body: Incoming,
    pub(super) span: Span,
}
