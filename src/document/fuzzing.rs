//! A way in for the fuzzer and for measurements.

use super::{Document, Types};
use crate::{json::Fault, path::FieldFilter};

/// What there is of an object at the start of the bytes.
#[derive(Debug)]
pub enum First {
    /// The object, and where it ends.
    Whole(Document, usize),
    /// It goes on where the bytes end.
    Incomplete,
    /// It is none.
    Malformed,
}

/// Reads the object at the start of the bytes, with the types of the list that it is in.
pub fn decode_first(filter: &FieldFilter, bytes: &[u8], types: Option<(&str, &str)>) -> First {
    let types = types.map(|(api_version, kind)| Types::new(Some(api_version), Some(kind)));
    match Document::decode_first(filter, bytes, types.as_ref()) {
        Ok((document, end)) => First::Whole(document, end),
        Err(Fault::Incomplete) => First::Incomplete,
        Err(Fault::Malformed) => First::Malformed,
    }
}
