//! Objects without a Rust type, and how they are made of received bytes.

mod decoder;
mod document;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod object_meta;
mod read;
#[cfg(test)]
mod tests;
mod view;

#[cfg(any(fuzzing, test))]
pub(crate) use self::read::with_tape;
pub(crate) use self::{
    decoder::Documents,
    document::{bytes_of, is_equal, keys_of, matches},
    object_meta::ObjectMetaRef,
};
pub use self::{document::Document, view::DocumentView};
