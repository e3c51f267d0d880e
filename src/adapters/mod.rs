//! The stages of a pipeline, returned by the methods of
//! [`EventStreamExt`](crate::EventStreamExt) and [`Watch`](crate::Watch).
//!
//! Each stage is a named type, for struct fields and signatures, as in the example of [`Debounced`]. A stage
//! owns the stages before it, so dropping the last stage stops all. Each stage takes at most a fixed number
//! of items per poll. [`EventItem`], [`ChangeItem`] and [`Subject`] are bounds for functions that work on any
//! stage.

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
