//! The stages of a pipeline, one a file. Made by the methods of
//! [`EventStreamExt`](crate::EventStreamExt) and of [`Watch`](crate::Watch).

mod debounce;
mod filter_fields;
mod index;
mod index_keys;
pub(crate) mod item;
mod log_errors;
mod matching;
mod spawn;
mod strained;
pub(crate) mod subject;
mod while_leading;

pub use self::{
    debounce::{Debounce, Debounced, Flusher},
    filter_fields::FilterFields,
    index::Indexed,
    item::{ChangeItem, EventItem},
    log_errors::LogErrors,
    matching::Matching,
    spawn::Spawned,
    while_leading::WhileLeading,
};
