//! Finds the places on a tape of values that a query found in the decoded object.

use std::collections::HashMap;

use serde_json::Value;

use crate::tape::{self, Tape};

/// Returns the places of the values `found` on the tape of `root`, in the order of `found`.
pub(in crate::path) fn places<'t>(tape: Tape<'t>, root: &Value, found: &[&Value]) -> Vec<Tape<'t>> {
    let mut located = found.iter().map(|value| (std::ptr::from_ref(*value), None)).collect();
    locate(tape, root, &mut located);
    found.iter().filter_map(|value| located[&std::ptr::from_ref(*value)]).collect()
}

fn locate<'t>(
    mut tape: Tape<'t>,
    value: &Value,
    located: &mut HashMap<*const Value, Option<Tape<'t>>>,
) {
    if let Some(place) = located.get_mut(&std::ptr::from_ref(value)) {
        *place = Some(tape);
    }
    match (tape.next(), value) {
        (tape::Value::Object(end), Value::Object(fields)) => {
            while tape.is_before(end) {
                let name = tape.name().text();
                if let Some(below) = fields.get(&*name) {
                    locate(tape, below, located);
                }
                tape.skip();
            }
        }
        (tape::Value::Array(end), Value::Array(elements)) => {
            for below in elements {
                if tape.is_before(end) {
                    locate(tape, below, located);
                    tape.skip();
                }
            }
        }
        _ => {}
    }
}
