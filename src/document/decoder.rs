//! Decodes received bytes to documents.

use std::sync::Arc;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::Value;

use super::{
    document::Document,
    read::{ObjectTape, Reader},
};
use crate::{
    decode::{Decode, Decoded},
    error::{Error, ErrorKind},
    filter::FieldFilter,
    json::{self, Fault, Scanner},
    tape::Types,
};

/// The decoder of [`Document`]s. It learns the usual shape of its objects.
#[derive(Default)]
pub(crate) struct Documents {
    filter: FieldFilter,
    reader: Reader,
}

impl Documents {
    pub(crate) fn new(filter: FieldFilter) -> Self {
        Self { filter, reader: Reader::default() }
    }

    /// Reads the object at the start of the bytes.
    fn read(&self, bytes: &[u8], types: &Types) -> Result<ObjectTape, Fault> {
        if !self.filter.has_tests() {
            return self.reader.read(bytes, self.filter.place(None).as_ref(), true, types);
        }
        let mut scan = Scanner::new(bytes, 0);
        scan.space();
        if scan.peek()? != b'{' {
            return Err(Fault::Malformed);
        }
        scan.skip_value()?;
        let value = json::to_value(&bytes[..scan.position()])?;
        let found = self.filter.found(&value);
        let place = self.filter.place(found.as_ref());
        self.reader.read(bytes, place.as_ref(), false, types)
    }
}

impl Decode<Document> for Documents {
    fn first(&self, bytes: &[u8], types: &Types) -> Result<Decoded<Document>, Fault> {
        let ObjectTape { tape, identity, end, kind } = self.read(bytes, types)?;
        Ok(Decoded { object: Document::new(tape, identity), end, kind })
    }

    fn whole(&self, json: &str, types: &Types) -> Result<Decoded<Document>, serde_json::Error> {
        match self.first(json.as_bytes(), types) {
            Ok(decoded) if decoded.is_all_of(json) => Ok(decoded),
            _ => Err(match serde_json::from_str::<IgnoredAny>(json) {
                Err(error) => error,
                Ok(_) => serde_json::Error::custom("not an object with metadata.name"),
            }),
        }
    }

    fn enough(&self) -> usize {
        0
    }

    fn filter(&self) -> &FieldFilter {
        &self.filter
    }

    fn and(&self, filter: FieldFilter) -> Arc<dyn Decode<Document>> {
        Arc::new(Self::new(self.filter.clone().and(filter)))
    }
}

impl Document {
    /// Parses an object.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the text is not a JSON object with a
    /// `metadata.name`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::Document;
    ///
    /// let document = Document::from_json(r#"{ "metadata": { "name": "node-1" }, "spec": {} }"#)?;
    /// assert_eq!(document.name(), "node-1");
    ///
    /// let nameless = Document::from_json(r#"{ "metadata": {}, "spec": {} }"#);
    /// assert!(nameless.unwrap_err().is_undecodable());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let decoded = Documents::default().whole(json, &Types::default());
        let why = "not a JSON object with metadata.name";
        let error = |_| Error::new(ErrorKind::Undecodable, why);
        decoded.map(|decoded| decoded.object).map_err(error)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?.to_string();
        let decoded = Documents::default().whole(&json, &Types::default());
        decoded.map(|decoded| decoded.object).map_err(D::Error::custom)
    }
}
