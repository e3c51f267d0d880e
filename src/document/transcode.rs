//! Writes JSON text to any serializer, without a tree of it.

use std::cell::Cell;

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};
use serde_json::Number;

use crate::json::{Cursor, Kind, Malformed, RawStr};

/// A value in text that is known to be JSON, without names that repeat.
pub(super) struct Transcoded<'j> {
    /// Stands before the value.
    start: Cursor<'j>,
    /// Stands behind it, once it has been written.
    end: Cell<Option<Cursor<'j>>>,
}

impl<'j> Transcoded<'j> {
    pub(super) fn new(json: &'j str) -> Self {
        Self::at(Cursor::new(json))
    }

    fn at(start: Cursor<'j>) -> Self {
        Self { start, end: Cell::new(None) }
    }

    /// Steps over the value, if the serializer did not ask for it.
    fn end(self) -> Result<Cursor<'j>, Malformed> {
        let Self { start: mut cursor, end } = self;
        if let Some(end) = end.into_inner() {
            return Ok(end);
        }
        cursor.skip_value()?;
        Ok(cursor)
    }
}

impl Serialize for Transcoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cursor = self.start.clone();
        let ok = match cursor.kind().map_err(broken)? {
            Kind::String => {
                let string = cursor.string().and_then(RawStr::unescape).map_err(broken)?;
                serializer.serialize_str(&string)?
            }
            Kind::Literal => literal(cursor.value().map_err(broken)?, serializer)?,
            Kind::Array => {
                let mut elements = serializer.serialize_seq(None)?;
                cursor.enter_array().map_err(broken)?;
                while cursor.next_element().map_err(broken)? {
                    let element = Self::at(cursor);
                    elements.serialize_element(&element)?;
                    cursor = element.end().map_err(broken)?;
                }
                elements.end()?
            }
            Kind::Object => {
                let mut fields = serializer.serialize_map(None)?;
                cursor.enter_object().map_err(broken)?;
                while let Some((_, name)) = cursor.next_field().map_err(broken)? {
                    let value = Self::at(cursor);
                    fields.serialize_entry(&name.unescape().map_err(broken)?, &value)?;
                    cursor = value.end().map_err(broken)?;
                }
                fields.end()?
            }
        };
        self.end.set(Some(cursor));
        Ok(ok)
    }
}

fn literal<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        "true" => serializer.serialize_bool(true),
        "false" => serializer.serialize_bool(false),
        "null" => serializer.serialize_unit(),
        // As serde_json has it, "-0" is no integer.
        _ if text != "-0" && text.parse::<i64>().is_ok() => {
            let number: i64 = text.parse().map_err(S::Error::custom)?;
            match u64::try_from(number) {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => serializer.serialize_i64(number),
            }
        }
        _ => text.parse::<Number>().map_err(S::Error::custom)?.serialize(serializer),
    }
}

fn broken<E: Error>(_: Malformed) -> E {
    E::custom("the text is no JSON")
}
