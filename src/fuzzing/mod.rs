//! Functions that the fuzz targets of the same names run; an ordinary test runs them, too, for a bounded
//! time.

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
