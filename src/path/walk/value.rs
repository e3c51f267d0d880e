//! Following a plain path through a `Value`.

use serde_json::Value;

use crate::path::{Step, place_in, scalar};

/// The keys of what a plain path leads to in a value.
pub(in crate::path) fn keys(value: &Value, steps: &[Step]) -> Vec<String> {
    let mut keys = Vec::new();
    collect(value, steps, &mut keys);
    keys
}

fn collect(value: &Value, steps: &[Step], keys: &mut Vec<String>) {
    let Some((step, below)) = steps.split_first() else {
        keys.extend(scalar::of_value(value));
        return;
    };
    match (value, step) {
        (Value::Object(fields), Step::Name(name)) => {
            if let Some(value) = fields.get(&**name) {
                collect(value, below, keys);
            }
        }
        (Value::Object(fields), Step::Any) => {
            for value in fields.values() {
                collect(value, below, keys);
            }
        }
        (Value::Array(elements), Step::Index(index)) => {
            if let Some(index) = place_in(*index, elements.len()) {
                collect(&elements[index], below, keys);
            }
        }
        (Value::Array(elements), Step::Any) => {
            for value in elements {
                collect(value, below, keys);
            }
        }
        _ => {}
    }
}
