//! The identity of an object, in its text.

use serde::de::Error as _;

use crate::json::{Fault, Scanner};

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
        Self::seek(json).ok().filter(|own| !own.name.is_empty()).ok_or_else(nameless)
    }

    fn seek(json: &'a str) -> Result<Self, Fault> {
        let mut scan = Scanner::of_text(json);
        let mut own = Self::default();
        if !scan.seek("metadata")? {
            return Ok(own);
        }
        scan.fields(|scan, name| {
            let is_string = scan.peek()? == b'"';
            let start = scan.position() + 1;
            scan.skip_value()?;
            let value = is_string.then(|| &json[start..scan.position() - 1]);
            match () {
                () if scan.is(name, "name") => own.name = value.unwrap_or_default(),
                () if scan.is(name, "namespace") => own.namespace = value,
                () if scan.is(name, "uid") => own.uid = value,
                () if scan.is(name, "resourceVersion") => own.resource_version = value,
                () => {}
            }
            Ok(())
        })?;
        Ok(own)
    }
}

fn nameless() -> serde_json::Error {
    serde_json::Error::custom("no metadata.name")
}
