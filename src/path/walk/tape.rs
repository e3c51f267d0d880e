//! Following a plain path along a tape.

use crate::{
    path::{Step, place_in, scalar},
    tape::{self, Tape},
};

/// The keys of what a plain path leads to on a tape.
pub(in crate::path) fn keys(tape: Tape<'_>, steps: &[Step]) -> Vec<String> {
    let mut keys = Vec::new();
    follow(tape, steps, &mut keys);
    keys
}

fn follow(mut tape: Tape<'_>, steps: &[Step], keys: &mut Vec<String>) {
    let Some((step, below)) = steps.split_first() else {
        match tape.next() {
            tape::Value::String(text) => keys.push(text.to_owned()),
            tape::Value::Escaped(quoted) => keys.push(tape::unescape(quoted)),
            tape::Value::Integer(integer) => keys.push(integer.to_string()),
            tape::Value::Bool(value) => keys.push(value.to_string()),
            tape::Value::Number(text) => keys.extend(scalar::of_literal(text)),
            tape::Value::Null | tape::Value::Object(_) | tape::Value::Array(_) => {}
        }
        return;
    };
    if let Step::Name(name) = step {
        if tape.seek(name) {
            follow(tape, below, keys);
        }
        return;
    }
    match (tape.next(), step) {
        (tape::Value::Object(end), Step::Any) => {
            while tape.is_before(end) {
                tape.name();
                follow(tape, below, keys);
                tape.skip();
            }
        }
        (tape::Value::Array(end), Step::Any) => {
            while tape.is_before(end) {
                follow(tape, below, keys);
                tape.skip();
            }
        }
        (tape::Value::Array(end), Step::Index(index)) => {
            let place = match usize::try_from(*index) {
                Ok(index) => Some(index),
                Err(_) => place_in(*index, tape.count(end)),
            };
            let Some(place) = place else { return };
            let mut before = place;
            while before > 0 && tape.is_before(end) {
                tape.skip();
                before -= 1;
            }
            if tape.is_before(end) {
                follow(tape, below, keys);
            }
        }
        _ => {}
    }
}
