use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::key;
use super::segment::{Step, place_in};
use crate::json::{Cursor, Kind, Malformed};

/// The keys of what a plain path leads to in a value.
pub(super) fn keys(value: &Value, steps: &[Step]) -> Vec<String> {
    let mut keys = Vec::new();
    collect(value, steps, &mut keys);
    keys
}

/// The keys of what a plain path leads to in JSON text, as they would be in the decoded value.
pub(super) fn keys_in_json(json: &str, steps: &[Step]) -> Result<Vec<String>, Malformed> {
    let mut keys = Vec::new();
    scan(&mut Cursor::new(json), steps, &mut keys)?;
    Ok(keys)
}

fn collect(value: &Value, steps: &[Step], keys: &mut Vec<String>) {
    let Some((step, below)) = steps.split_first() else {
        keys.extend(key::of_value(value));
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

/// Steps over the value at the cursor and collects keys on the way.
fn scan(cursor: &mut Cursor<'_>, steps: &[Step], keys: &mut Vec<String>) -> Result<(), Malformed> {
    let kind = cursor.kind()?;
    let Some((step, below)) = steps.split_first() else {
        match kind {
            Kind::String => keys.push(cursor.string()?.unescape()?.into_owned()),
            Kind::Literal => keys.extend(key::of_literal(cursor.value()?)),
            Kind::Object | Kind::Array => {
                cursor.skip_value()?;
            }
        }
        return Ok(());
    };
    match (kind, step) {
        (Kind::Object, Step::Name(name)) => scan_field(cursor, name, below, keys),
        (Kind::Object, Step::Any) => scan_fields(cursor, below, keys),
        (Kind::Array, Step::Any) => {
            cursor.enter_array()?;
            while cursor.next_element()? {
                scan(cursor, below, keys)?;
            }
            Ok(())
        }
        (Kind::Array, Step::Index(index)) => scan_element(cursor, *index, below, keys),
        _ => cursor.skip_value().map(drop),
    }
}

fn scan_field(
    cursor: &mut Cursor<'_>,
    name: &str,
    below: &[Step],
    keys: &mut Vec<String>,
) -> Result<(), Malformed> {
    let before = keys.len();
    cursor.enter_object()?;
    while let Some((_, own)) = cursor.next_field()? {
        if own.is(name) {
            // Of fields with one name the last counts.
            keys.truncate(before);
            scan(cursor, below, keys)?;
        } else {
            cursor.skip_value()?;
        }
    }
    Ok(())
}

fn scan_fields(
    cursor: &mut Cursor<'_>,
    below: &[Step],
    keys: &mut Vec<String>,
) -> Result<(), Malformed> {
    let mut values: Vec<Cursor<'_>> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    cursor.enter_object()?;
    while let Some((_, name)) = cursor.next_field()? {
        let place = *places.entry(name.unescape()?).or_insert(values.len());
        if place < values.len() {
            values[place] = cursor.clone();
        } else {
            values.push(cursor.clone());
        }
        cursor.skip_value()?;
    }
    values.iter_mut().try_for_each(|value| scan(value, below, keys))
}

fn scan_element(
    cursor: &mut Cursor<'_>,
    index: i64,
    below: &[Step],
    keys: &mut Vec<String>,
) -> Result<(), Malformed> {
    let wanted = match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => place_in(index, cursor.clone().count_elements()?),
    };
    cursor.enter_array()?;
    let mut here = 0;
    while cursor.next_element()? {
        if Some(here) == wanted {
            scan(cursor, below, keys)?;
        } else {
            cursor.skip_value()?;
        }
        here += 1;
    }
    Ok(())
}
