//! The identity and types of an object.

use serde::de::Error as _;
use serde_json::Value;

use crate::{
    json::{Cursor, Malformed, ValueKind},
    tape::{Writer, dictionary},
};

/// The identity of an object, as written in its JSON: escapes stay in a name.
#[derive(Default)]
pub(crate) struct ObjectMetaRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) uid: Option<&'a str>,
    pub(crate) resource_version: Option<&'a str>,
}

impl<'a> ObjectMetaRef<'a> {
    /// Returns the identity of the object in the text; fails if the object has no name.
    ///
    /// Reads no further than `metadata`. The text must be valid JSON.
    pub(crate) fn of(json: &'a str) -> Result<Self, serde_json::Error> {
        let found = Self::seek(json).ok().flatten();
        found.filter(|own| !own.name.is_empty()).ok_or_else(nameless)
    }

    fn seek(json: &'a str) -> Result<Option<Self>, Malformed> {
        let Some(mut cursor) = metadata(json)? else { return Ok(None) };
        let mut own = Self::default();
        cursor.enter_object()?;
        while let Some((_, name)) = cursor.next_field()? {
            let place = match () {
                () if name.is("name") => {
                    own.name = string(&mut cursor)?.unwrap_or_default();
                    continue;
                }
                () if name.is("namespace") => &mut own.namespace,
                () if name.is("uid") => &mut own.uid,
                () if name.is("resourceVersion") => &mut own.resource_version,
                () => {
                    cursor.skip_value()?;
                    continue;
                }
            };
            *place = string(&mut cursor)?;
        }
        Ok(Some(own))
    }
}

/// Returns a cursor at the metadata of the object in the text.
fn metadata(json: &str) -> Result<Option<Cursor<'_>>, Malformed> {
    let mut cursor = Cursor::new(json);
    cursor.enter_object()?;
    while let Some((_, name)) = cursor.next_field()? {
        if name.is("metadata") {
            return Ok(Some(cursor));
        }
        cursor.skip_value()?;
    }
    Ok(None)
}

/// Steps over a value, and returns it if it is a string.
fn string<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, Malformed> {
    match (cursor.kind()?, cursor.value()?) {
        (ValueKind::String, quoted) => quoted.get(1..quoted.len() - 1).map(Some).ok_or(Malformed),
        _ => Ok(None),
    }
}

fn nameless() -> serde_json::Error {
    serde_json::Error::custom("no metadata.name")
}

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
