//! Evaluates a plain path on JSON text.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::{
    json::{Cursor, Malformed, ValueKind},
    path::{Step, place_in, scalar},
};

/// Returns the keys of the values that a plain path selects in JSON text; the same as for the decoded
/// value.
pub(in crate::path) fn keys(json: &str, steps: &[Step]) -> Result<Vec<String>, Malformed> {
    let mut walk = Walk { cursor: Cursor::new(json), keys: Vec::new() };
    walk.scan(steps)?;
    Ok(walk.keys)
}

struct Walk<'j> {
    cursor: Cursor<'j>,
    keys: Vec<String>,
}

impl<'j> Walk<'j> {
    /// Steps over the value at the cursor and collects keys in it.
    fn scan(&mut self, steps: &[Step]) -> Result<(), Malformed> {
        let cursor = &mut self.cursor;
        let kind = cursor.kind()?;
        let Some((step, below)) = steps.split_first() else {
            match kind {
                ValueKind::String => self.keys.push(cursor.string()?.unescape()?.into_owned()),
                ValueKind::Literal => self.keys.extend(scalar::of_literal(cursor.value()?)),
                ValueKind::Object | ValueKind::Array => {
                    cursor.skip_value()?;
                }
            }
            return Ok(());
        };
        match (kind, step) {
            (ValueKind::Object, Step::Name(name)) => self.scan_field(name, below),
            (ValueKind::Object, Step::Any) => self.scan_fields(below),
            (ValueKind::Array, Step::Any) => {
                cursor.enter_array()?;
                while self.cursor.next_element()? {
                    self.scan(below)?;
                }
                Ok(())
            }
            (ValueKind::Array, Step::Index(index)) => self.scan_element(*index, below),
            _ => cursor.skip_value().map(drop),
        }
    }

    fn scan_field(&mut self, name: &str, below: &[Step]) -> Result<(), Malformed> {
        let before = self.keys.len();
        self.cursor.enter_object()?;
        while let Some((_, own)) = self.cursor.next_field()? {
            if !own.is(name) {
                self.cursor.skip_value()?;
                continue;
            }
            // The last of several fields with the same name counts.
            self.keys.truncate(before);
            self.scan(below)?;
        }
        Ok(())
    }

    fn scan_fields(&mut self, below: &[Step]) -> Result<(), Malformed> {
        let mut values: Vec<Cursor<'j>> = Vec::new();
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
        self.cursor.enter_object()?;
        while let Some((_, name)) = self.cursor.next_field()? {
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
            self.scan(below)?;
        }
        self.cursor = after;
        Ok(())
    }

    fn scan_element(&mut self, index: i64, below: &[Step]) -> Result<(), Malformed> {
        let wanted = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => place_in(index, self.cursor.clone().count_elements()?),
        };
        self.cursor.enter_array()?;
        let mut here = 0;
        while self.cursor.next_element()? {
            if Some(here) == wanted {
                self.scan(below)?;
                return self.cursor.leave();
            }
            self.cursor.skip_value()?;
            here += 1;
        }
        Ok(())
    }
}
