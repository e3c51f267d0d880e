//! The types of an object, on its tape.

use serde_json::Value;

use super::{dictionary, write::Writer};

/// An object's `kind` and `apiVersion`, as fields on a tape. The order is that in which an API server
/// writes single objects of built-in kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types(Vec<u8>);

impl Types {
    pub(crate) fn new(api_version: Option<&str>, kind: Option<&str>) -> Self {
        let mut fields = Writer::default();
        for (name, value) in [("kind", kind), ("apiVersion", api_version)] {
            let Some(value) = value else { continue };
            match dictionary::learn(name) {
                Some(number) => fields.name(number),
                None => fields.other_name(name.as_bytes()),
            }
            let quoted = Value::from(value).to_string();
            if quoted[1..quoted.len() - 1] == *value {
                fields.string(value.as_bytes(), value.len());
            } else {
                fields.escaped(quoted.as_bytes());
            }
        }
        Self(fields.into_bytes())
    }

    /// Returns the fields; empty if there are none.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
