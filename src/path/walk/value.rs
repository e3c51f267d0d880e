//! Evaluates a plain path on a `Value`.

use serde_json::Value;

use crate::path::{Step, TooManyKeys, keys::Keys, place_in, scalar};

/// Adds the keys of the values that a plain path selects in a value.
pub(in crate::path) fn keys(
    value: &Value,
    steps: &[Step],
    found: &mut Keys<'_>,
) -> Result<(), TooManyKeys> {
    let Some((step, below)) = steps.split_first() else {
        return found.extend(scalar::of_value(value));
    };
    match (value, step) {
        (Value::Object(fields), Step::Name(name)) => {
            if let Some(value) = fields.get(&**name) {
                keys(value, below, found)?;
            }
        }
        (Value::Object(fields), Step::Any) => {
            for value in fields.values() {
                keys(value, below, found)?;
            }
        }
        (Value::Array(elements), Step::Index(index)) => {
            if let Some(index) = place_in(*index, elements.len()) {
                keys(&elements[index], below, found)?;
            }
        }
        (Value::Array(elements), Step::Any) => {
            for value in elements {
                keys(value, below, found)?;
            }
        }
        _ => {}
    }
    Ok(())
}
