//! Serializes a tape, as JSON or with any serializer.

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};
use serde_json::Number;

use super::{
    Tape,
    read::{Name, Value, unescape},
};

impl Tape<'_> {
    /// Returns the value at the position as compact JSON; numbers and escapes stay as written.
    pub(crate) fn to_json(mut self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    fn write(&mut self, json: &mut String) {
        let quoted = |text: &str, json: &mut String| {
            // The text needs no escapes.
            json.push('"');
            json.push_str(text);
            json.push('"');
        };
        match self.next() {
            Value::Null => json.push_str("null"),
            Value::Bool(value) => json.push_str(if value { "true" } else { "false" }),
            Value::Integer(integer) => json.push_str(&integer.to_string()),
            Value::Number(text) | Value::Escaped(text) => json.push_str(text),
            Value::String(text) => quoted(text, json),
            Value::Object(end) => {
                let mut before = '{';
                while self.is_before(end) {
                    json.push(before);
                    match self.name() {
                        Name::Escaped(name) => json.push_str(name),
                        name => quoted(name.plain(), json),
                    }
                    json.push(':');
                    self.write(json);
                    before = ',';
                }
                json.push_str(if before == '{' { "{}" } else { "}" });
            }
            Value::Array(end) => {
                let mut before = '[';
                while self.is_before(end) {
                    json.push(before);
                    self.write(json);
                    before = ',';
                }
                json.push_str(if before == '[' { "[]" } else { "]" });
            }
        }
    }
}

impl Serialize for Tape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tape = *self;
        match tape.next() {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(value),
            Value::Integer(integer) => serializer.serialize_u64(integer),
            Value::Number(text) => {
                text.parse::<Number>().map_err(S::Error::custom)?.serialize(serializer)
            }
            Value::String(text) => serializer.serialize_str(text),
            Value::Escaped(quoted) => serializer.serialize_str(&unescape(quoted)),
            Value::Object(end) => {
                let mut fields = serializer.serialize_map(None)?;
                while tape.is_before(end) {
                    fields.serialize_key(&*tape.name().text())?;
                    fields.serialize_value(&tape)?;
                    tape.skip();
                }
                fields.end()
            }
            Value::Array(end) => {
                let mut elements = serializer.serialize_seq(None)?;
                while tape.is_before(end) {
                    elements.serialize_element(&tape)?;
                    tape.skip();
                }
                elements.end()
            }
        }
    }
}
