//! What the fuzzer drives, each in a target of its name; and, for a bounded time, an ordinary test.

pub use crate::{
    document::fuzzing::document,
    filter::fuzzing::{path, removal},
    source::fuzzing::{line, list},
};

#[cfg(test)]
mod smoke;
