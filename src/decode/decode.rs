//! `Decode`: the trait of decoders.

use std::sync::Arc;

use crate::{
    filter::FieldFilter,
    json::{Fault, is_space},
    tape::Types,
};

/// A decoder of objects. It drops the fields of its filter.
pub(crate) trait Decode<K>: Send + Sync {
    /// Decodes the object at the start of the bytes, in one pass. Returns `Malformed` if the object is
    /// invalid or takes more than one pass; [`whole`](Self::whole) then decides.
    ///
    /// The object gets these `types` if it has none, as the items of a list, and if its type keeps them.
    fn first(&self, bytes: &[u8], types: &Types) -> Result<Decoded<K>, Fault>;

    /// Decodes the object that is the whole text.
    fn whole(&self, json: &str, types: &Types) -> Result<Decoded<K>, serde_json::Error>;

    /// Returns the number of bytes that must have arrived to start with an item before it is known to be
    /// complete. Starting anew wastes the bytes decoded so far.
    fn enough(&self) -> usize;

    fn filter(&self) -> &FieldFilter;

    /// Returns a decoder that also drops the fields of another filter.
    fn and(&self, filter: FieldFilter) -> Arc<dyn Decode<K>>;
}

/// A decoded object.
pub(crate) struct Decoded<K> {
    pub(crate) object: K,
    /// The end of the object in the JSON.
    pub(crate) end: usize,
    /// The start of the value of `kind`, even if the field is removed; the last one if there are several.
    pub(crate) kind: Option<usize>,
}

impl<K> Decoded<K> {
    /// Returns whether nothing but white space follows the object in its text.
    pub(crate) fn is_all_of(&self, json: &str) -> bool {
        json.as_bytes()[self.end..].iter().all(|byte| is_space(*byte))
    }
}
