//! Steps of a list.

use super::resume::Open;
use crate::{error::Error, event::WatchEvent};

/// A step of a list, [streamed](super::streamed) or in [pages](super::paged).
pub(super) enum Listing<K> {
    Event(WatchEvent<K>),
    /// A failure that is retried, or that concerns one object.
    Failed(Error),
    /// All objects were sent. The last step.
    Complete(Start),
    /// The server has no streaming lists. The last step.
    Unsupported,
    /// The list can't be completed and must be started anew. The last step.
    Broken(Error),
}

/// The place where a watch begins.
pub(super) struct Start {
    pub(super) version: Option<String>,
    /// The connection of a streaming list, which continues as a watch.
    pub(super) open: Option<Open>,
}
