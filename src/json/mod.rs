//! Reads JSON text in place: no tree, no copies.
//!
//! A [`Scanner`] checks received bytes as it steps over them, and skips values unread. [`Skip`] finds the
//! end of a value that arrives in pieces. [`Counts`] counts the elements of arrays. [`Deserialize`]
//! decodes what they, or a tape, step over.

mod count;
mod deserialize;
mod field_name;
mod mask;
mod scan;
mod skip;

pub(crate) use self::{
    count::Counts,
    deserialize::{Deserialize, Kind, NextValue, NumberDeserializer, TextDeserializer, Variant},
    field_name::{Declined, FieldName, is_reserved},
    scan::{Fault, Quoted, Scanner, is_space, to_value},
    skip::Skip,
};
#[cfg(test)]
pub(crate) use self::{scan::DECODED, skip::taken_looked_at};
