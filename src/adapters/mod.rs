//! The stages of a pipeline, one a file. Made by the methods of
//! [`EventStreamExt`](crate::EventStreamExt) and of [`Watch`](crate::Watch).
//!
//! Each has a name, to stand in a struct or a signature, as in the example of [`Debounced`]. It owns
//! those before it, so dropping the last one stops them all. None takes in more than a fixed number
//! of items in one poll.
//! [`EventItem`], [`ChangeItem`] and [`Subject`] are for functions that work on any of them.

mod debounce;
mod debounce_text;
mod filter_fields;
pub(crate) mod has_store;
mod index;
mod index_keys;
mod into_events;
pub(crate) mod item;
mod log_errors;
mod matching;
mod scoping;
mod spawn;
pub(crate) mod subject;
mod while_leading;

pub use self::{
    debounce::{Debounce, DebounceHandle, Debounced, Quiet},
    filter_fields::FilterFields,
    has_store::HasStore,
    index::Indexed,
    into_events::IntoEvents,
    item::{ChangeItem, EventItem},
    log_errors::LogErrors,
    matching::Matching,
    spawn::Spawned,
    subject::Subject,
    while_leading::WhileLeading,
};
