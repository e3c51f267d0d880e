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
/// In text without names that repeat in an object (`unique`), stops where the last key is found.
pub(super) fn keys_in_json(
    json: &str,
    steps: &[Step],
    unique: bool,
) -> Result<Vec<String>, Malformed> {
    let mut walk = Walk { cursor: Cursor::new(json), unique, keys: Vec::new() };
    walk.scan(steps, unique)?;
    Ok(walk.keys)
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

struct Walk<'j> {
    cursor: Cursor<'j>,
    unique: bool,
    keys: Vec<String>,
}

impl<'j> Walk<'j> {
    /// Collects keys on the way over the value at the cursor. If it is the `last` thing to look
    /// at, need not go all the way.
    fn scan(&mut self, steps: &[Step], last: bool) -> Result<(), Malformed> {
        let cursor = &mut self.cursor;
        let kind = cursor.kind()?;
        let Some((step, below)) = steps.split_first() else {
            match kind {
                Kind::String => self.keys.push(cursor.string()?.unescape()?.into_owned()),
                Kind::Literal => self.keys.extend(key::of_literal(cursor.value()?)),
                Kind::Object | Kind::Array => {
                    cursor.skip_value()?;
                }
            }
            return Ok(());
        };
        match (kind, step) {
            (Kind::Object, Step::Name(name)) => self.scan_field(name, below, last),
            (Kind::Object, Step::Any) => self.scan_fields(below),
            (Kind::Array, Step::Any) => {
                cursor.enter_array()?;
                while self.cursor.next_element()? {
                    self.scan(below, false)?;
                }
                Ok(())
            }
            (Kind::Array, Step::Index(index)) => self.scan_element(*index, below, last),
            _ => cursor.skip_value().map(drop),
        }
    }

    fn scan_field(&mut self, name: &str, below: &[Step], last: bool) -> Result<(), Malformed> {
        let before = self.keys.len();
        self.cursor.enter_object()?;
        while let Some((_, own)) = self.cursor.next_field()? {
            if !own.is(name) {
                self.cursor.skip_value()?;
                continue;
            }
            // Of fields with one name the last counts.
            self.keys.truncate(before);
            self.scan(below, last)?;
            if last {
                break;
            }
            if self.unique {
                return self.cursor.leave();
            }
        }
        Ok(())
    }

    fn scan_fields(&mut self, below: &[Step]) -> Result<(), Malformed> {
        let mut values: Vec<Cursor<'j>> = Vec::new();
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
        self.cursor.enter_object()?;
        while let Some((_, name)) = self.cursor.next_field()? {
            if self.unique {
                self.scan(below, false)?;
                continue;
            }
            let place = *places.entry(name.unescape()?).or_insert(values.len());
            if place < values.len() {
                values[place] = self.cursor.clone();
            } else {
                values.push(self.cursor.clone());
            }
            self.cursor.skip_value()?;
        }
        let after = self.cursor.clone();
        for value in values {
            self.cursor = value;
            self.scan(below, false)?;
        }
        self.cursor = after;
        Ok(())
    }

    fn scan_element(&mut self, index: i64, below: &[Step], last: bool) -> Result<(), Malformed> {
        let wanted = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => place_in(index, self.cursor.clone().count_elements()?),
        };
        self.cursor.enter_array()?;
        let mut here = 0;
        while self.cursor.next_element()? {
            if Some(here) == wanted {
                self.scan(below, last)?;
                return if last { Ok(()) } else { self.cursor.leave() };
            }
            self.cursor.skip_value()?;
            here += 1;
        }
        Ok(())
    }
}
