//! A reader of objects that is used again for each object.

use std::sync::{Mutex, PoisonError};

use super::{
    duplicates,
    pass::{Buffers, ObjectTape, Pass, Stop},
    shape::Shape,
};
#[cfg(any(fuzzing, test))]
use crate::tape::Tape;
use crate::{filter::Place, json::Fault, tape::Types};

/// A reader of objects, with its buffers and the shape that it has learned from earlier objects.
#[derive(Debug, Default)]
pub(crate) struct Reader(Mutex<Option<Box<Buffers>>>);

impl Reader {
    /// Reads the object at the start of the bytes, without what `place` removes. `learn` means that
    /// `place` is the same for all objects. The object gets these `types`, unless it has types itself.
    pub(crate) fn read(
        &self,
        bytes: &[u8],
        place: Option<&Place<'_>>,
        learn: bool,
        types: &Types,
    ) -> Result<ObjectTape, Fault> {
        let own = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A concurrent call finds no buffers here, and makes new ones.
        let mut buffers = own().take().unwrap_or_default();
        let read = read(&mut buffers, bytes, place, learn, types.as_bytes());
        *own() = Some(buffers);
        read
    }
}

fn read(
    buffers: &mut Buffers,
    bytes: &[u8],
    place: Option<&Place<'_>>,
    learn: bool,
    mut types: &[u8],
) -> Result<ObjectTape, Fault> {
    let mut replaced = None;
    loop {
        let at = (learn && replaced.is_none()).then_some(Shape::ROOT);
        match Pass::new(buffers, bytes, replaced.as_ref()).run(place, at, types) {
            Ok(tape) => return Ok(tape),
            Err(Stop::Fault(fault)) => return Err(fault),
            Err(Stop::Typed) => types = &[],
            Err(Stop::Duplicate) => replaced = Some(duplicates::replaced(bytes)?),
        }
    }
}

/// Calls `read` with a value of an object on its tape; returns `None` if the object would not be kept.
#[cfg(any(fuzzing, test))]
pub(crate) fn with_tape<T>(json: &str, read: impl FnOnce(Tape<'_>) -> T) -> Option<T> {
    let object = format!(r#"{{"metadata":{{"name":"x"}},"v":{json}}}"#);
    let kept = Reader::default().read(object.as_bytes(), None, true, &Types::default()).ok()?;
    let mut tape = Tape::new(&kept.tape);
    (kept.end == object.len() && tape.seek("v")).then(|| read(tape))
}
