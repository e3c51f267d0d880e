//! Evaluates a plain path on JSON text.

use std::collections::HashMap;

use crate::{
    json::{Fault, Scanner},
    path::{Step, place_in, scalar},
};

/// Returns the keys of the values that a plain path selects in JSON text; the same as for the decoded
/// value.
pub(in crate::path) fn keys(json: &str, steps: &[Step]) -> Result<Vec<String>, Fault> {
    let mut keys = Vec::new();
    scan(&mut Scanner::of_text(json), steps, &mut keys)?;
    Ok(keys)
}

/// Steps over a value and collects keys in it.
fn scan(text: &mut Scanner<'_>, steps: &[Step], keys: &mut Vec<String>) -> Result<(), Fault> {
    let first = text.peek()?;
    let Some((step, below)) = steps.split_first() else {
        return match first {
            b'"' => {
                let own = text.string()?;
                keys.push(text.unescape(own)?.into_owned());
                Ok(())
            }
            b'{' | b'[' => text.skip_value(),
            _ => {
                let start = text.position();
                text.skip_value()?;
                let literal = str::from_utf8(text.since(start)).map_err(|_| Fault::Malformed)?;
                keys.extend(scalar::of_literal(literal));
                Ok(())
            }
        };
    };
    match (first, step) {
        (b'{', Step::Name(name)) => {
            let before = keys.len();
            text.fields(|text, own| {
                if !text.is(own, name) {
                    return text.skip_value();
                }
                // The last of several fields with the same name counts.
                keys.truncate(before);
                scan(text, below, keys)
            })
        }
        (b'{', Step::Any) => {
            let mut values: Vec<Scanner<'_>> = Vec::new();
            let mut places = HashMap::new();
            text.fields(|text, name| {
                let place = *places.entry(text.unescape(name)?).or_insert(values.len());
                if place < values.len() {
                    values[place] = text.clone();
                } else {
                    values.push(text.clone());
                }
                text.skip_value()
            })?;
            values.into_iter().try_for_each(|mut value| scan(&mut value, below, keys))
        }
        (b'[', Step::Any) => text.elements(|text, _| scan(text, below, keys)),
        (b'[', Step::Index(index)) => {
            let wanted = match usize::try_from(*index) {
                Ok(index) => Some(index),
                Err(_) => place_in(*index, text.count_elements()?),
            };
            text.enter(b'[')?;
            let mut here = 0;
            while text.next(here == 0, b']')? {
                if Some(here) == wanted {
                    scan(text, below, keys)?;
                    return text.skip_rest();
                }
                text.skip_value()?;
                here += 1;
            }
            text.leave(b']')
        }
        _ => text.skip_value(),
    }
}
