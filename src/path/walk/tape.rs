//! Evaluates a plain path on a tape.

use crate::{
    path::{Step, TooManyKeys, keys::Keys, place_in, scalar},
    tape::{self, Tape},
};

/// Adds the keys of the values that a plain path selects on a tape.
pub(in crate::path) fn keys<'t>(
    mut tape: Tape<'t>,
    steps: &[Step],
    found: &mut Keys<'t>,
) -> Result<(), TooManyKeys> {
    let Some((step, below)) = steps.split_first() else {
        return match tape.next() {
            tape::Value::String(text) => found.push(text),
            tape::Value::Escaped(quoted) => found.push(tape::unescape(quoted)),
            tape::Value::Integer(integer) => found.push(integer.to_string()),
            tape::Value::Bool(value) => found.push(value.to_string()),
            tape::Value::Number(text) => found.extend(scalar::of_literal(text)),
            tape::Value::Null | tape::Value::Object(_) | tape::Value::Array(_) => Ok(()),
        };
    };
    if let Step::Name(name) = step {
        if tape.seek(name) {
            keys(tape, below, found)?;
        }
        return Ok(());
    }
    match (tape.next(), step) {
        (tape::Value::Object(end), Step::Any) => {
            while tape.is_before(end) {
                tape.name();
                keys(tape, below, found)?;
                tape.skip();
            }
        }
        (tape::Value::Array(end), Step::Any) => {
            while tape.is_before(end) {
                keys(tape, below, found)?;
                tape.skip();
            }
        }
        (tape::Value::Array(end), Step::Index(index)) => {
            let place = match usize::try_from(*index) {
                Ok(index) => Some(index),
                Err(_) => place_in(*index, tape.count(end)),
            };
            let Some(place) = place else { return Ok(()) };
            let mut before = place;
            while before > 0 && tape.is_before(end) {
                tape.skip();
                before -= 1;
            }
            if tape.is_before(end) {
                keys(tape, below, found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Returns the place of the first value that a plain path selects.
pub(in crate::path) fn first<'t>(mut tape: Tape<'t>, steps: &[Step]) -> Option<Tape<'t>> {
    let Some((step, below)) = steps.split_first() else { return Some(tape) };
    if let Step::Name(name) = step {
        return if tape.seek(name) { first(tape, below) } else { None };
    }
    let (end, has_names) = match tape.next() {
        tape::Value::Object(end) => (end, true),
        tape::Value::Array(end) => (end, false),
        _ => return None,
    };
    let mut before = match step {
        Step::Any => 0,
        Step::Index(_) if has_names => return None,
        Step::Index(index) => match usize::try_from(*index) {
            Ok(index) => index,
            Err(_) => place_in(*index, tape.count(end))?,
        },
        Step::Name(_) => return None,
    };
    while tape.is_before(end) {
        if has_names {
            tape.name();
        }
        if before > 0 {
            before -= 1;
        } else if let Some(place) = first(tape, below) {
            return Some(place);
        } else if *step != Step::Any {
            return None;
        }
        tape.skip();
    }
    None
}
