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

use serde_json::Value;

#[cfg(test)]
pub(crate) use self::skip::taken_looked_at;
pub(crate) use self::{
    count::Counts,
    deserialize::{Deserialize, Kind, NextValue, Number, Text, Variant},
    field_name::{Declined, FieldName, is_reserved},
    scan::{Fault, Quoted, Scanner},
    skip::Skip,
};

/// The maximum depth of nested containers to decode, as in `serde_json`. Stepping over containers has no
/// limit.
pub(crate) const MAX_DEPTH: usize = 127;

/// Returns whether a byte is white space in JSON.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Decodes the bytes with `serde_json`. A `Value` takes many times the memory of the text.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Value, Fault> {
    #[cfg(test)]
    DECODED.set(DECODED.get() + bytes.len());
    serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
thread_local! {
    /// The number of bytes [`decoded`] in this thread.
    pub(crate) static DECODED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
