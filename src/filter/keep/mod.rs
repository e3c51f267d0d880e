//! What is kept of an object: one pass over the bytes as they were received.

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

/// What to keep of an object's JSON: checked, and without fields that a later one of the same name
/// replaces.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The object; behind it, strings of the identity that are written with escapes.
    pub(crate) tape: Box<str>,
    /// Where `metadata.name`, `namespace`, `uid` and `resourceVersion` stand in the text; where
    /// there is none, nowhere (0).
    pub(crate) identity: [(u32, u32); 4],
    /// The end of the object.
    pub(crate) end: usize,
    /// The start of its `kind` in its JSON, kept or not.
    pub(crate) kind: Option<usize>,
}

/// What is used again for each object that is read with a filter.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<Box<Means>>>);

#[derive(Debug, Default)]
struct Means {
    shape: Shape,
    out: Writer,
    duplicates: Duplicates,
}

/// Whoever has another filter learns anew.
impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Memory {
    /// Reads the object at the start of the bytes, but for what goes by its place, which is the same
    /// for all objects where `learn`. It has these `types`, unless it has any itself.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        place: Option<&Place<'_>>,
        learn: bool,
        types: &[u8],
    ) -> Result<Kept, Fault> {
        let own = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may be reading at the same time, and has its own then.
        let mut means = own().take().unwrap_or_default();
        let kept = means.read(bytes, place, learn, types);
        *own() = Some(means);
        kept
    }
}

impl Means {
    fn read(
        &mut self,
        bytes: &[u8],
        place: Option<&Place<'_>>,
        learn: bool,
        mut types: &[u8],
    ) -> Result<Kept, Fault> {
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

/// What is done with a value as it is kept in an object, if it would be kept.
#[cfg(any(fuzzing, test))]
pub(crate) fn with_tape<T>(json: &str, read: impl FnOnce(Tape<'_>) -> T) -> Option<T> {
    let object = format!(r#"{{"metadata":{{"name":"x"}},"v":{json}}}"#);
    let kept = Memory::default().read(object.as_bytes(), None, true, &[]).ok()?;
    let mut tape = Tape::new(&kept.tape);
    (kept.end == object.len() && tape.seek("v")).then(|| read(tape))
}
