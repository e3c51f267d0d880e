//! Reads documents from received bytes.

mod duplicates;
mod pass;
mod reader;
mod shape;

#[cfg(any(fuzzing, test))]
pub(crate) use self::reader::with_tape;
pub(crate) use self::{pass::ObjectTape, reader::Reader};
