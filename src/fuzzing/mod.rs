//! What the fuzzer drives, each in a target of its name; and, for a bounded time, an ordinary test.

mod conversation;
mod script;

pub use self::conversation::conversation;
pub use crate::{
    document::fuzzing::document,
    filter::fuzzing::{path, removal, selector},
    leader::fuzzing::lease,
    source::fuzzing::{discovery, line, list, resource, status},
};

#[cfg(test)]
mod smoke;
