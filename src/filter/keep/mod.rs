//! Reads an object into a tape, without removed fields, in one pass over the received bytes.

mod pass;

use std::sync::{Mutex, PoisonError};

use self::pass::{Pass, Stop};
use super::{
    duplicates::{self, Duplicates},
    shape::Shape,
    tree::Place,
};
#[cfg(any(fuzzing, test))]
use crate::tape::Tape;
use crate::{json::Fault, tape::Writer};

/// A checked object as a tape, without removed fields and without fields that a later field of the same
/// name replaces.
#[derive(Debug)]
pub(crate) struct ObjectTape {
    /// The object, followed by those strings of its identity that are written with escapes (here
    /// unescaped).
    pub(crate) tape: Box<str>,
    /// The ranges of `metadata.name`, `namespace`, `uid` and `resourceVersion` in `tape`; (0, 0) for a
    /// field that is missing.
    pub(crate) identity: [(u32, u32); 4],
    /// The end of the object in its JSON.
    pub(crate) end: usize,
    /// The start of the value of `kind` in the JSON, even if the field is removed.
    pub(crate) kind: Option<usize>,
}

/// A reader that is reused for each object that is read with a filter.
#[derive(Debug, Default)]
pub(super) struct CachedReader(Mutex<Option<Box<ObjectReader>>>);

/// A reader of objects, with its buffers and the shape that it has learned.
#[derive(Debug, Default)]
struct ObjectReader {
    shape: Shape,
    out: Writer,
    duplicates: Duplicates,
}

/// A clone starts empty and learns anew.
impl Clone for CachedReader {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl CachedReader {
    /// Reads the object at the start of the bytes, without what `place` removes. `learn` means that
    /// `place` is the same for all objects. The object gets these `types`, unless it has types itself.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        place: Option<&Place<'_>>,
        learn: bool,
        types: &[u8],
    ) -> Result<ObjectTape, Fault> {
        let own = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A concurrent call finds no reader here, and makes a new one.
        let mut reader = own().take().unwrap_or_default();
        let kept = reader.read(bytes, place, learn, types);
        *own() = Some(reader);
        kept
    }
}

impl ObjectReader {
    fn read(
        &mut self,
        bytes: &[u8],
        place: Option<&Place<'_>>,
        learn: bool,
        mut types: &[u8],
    ) -> Result<ObjectTape, Fault> {
        let mut replaced = None;
        loop {
            let at = (learn && replaced.is_none()).then_some(Shape::ROOT);
            match Pass::new(self, bytes, replaced.as_ref()).run(place, at, types) {
                Ok(kept) => return Ok(kept),
                Err(Stop::Fault(fault)) => return Err(fault),
                Err(Stop::Typed) => types = &[],
                Err(Stop::Duplicate) => replaced = Some(duplicates::replaced(bytes)?),
            }
        }
    }
}

/// Calls `read` with a value of an object on its tape; returns `None` if the object would not be kept.
#[cfg(any(fuzzing, test))]
pub(crate) fn with_tape<T>(json: &str, read: impl FnOnce(Tape<'_>) -> T) -> Option<T> {
    let object = format!(r#"{{"metadata":{{"name":"x"}},"v":{json}}}"#);
    let kept = CachedReader::default().read(object.as_bytes(), None, true, &[]).ok()?;
    let mut tape = Tape::new(&kept.tape);
    (kept.end == object.len() && tape.seek("v")).then(|| read(tape))
}
