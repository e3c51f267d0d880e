//! Decodes objects of Rust types.

use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    decode::{Decode, Decoded},
    kind::kind_in,
    value,
};
use crate::{
    filter::{FieldFilter, Place, cut},
    json::Fault,
    tape::Types,
};

/// The decoder of a Rust type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed(FieldFilter);

impl Typed {
    pub(crate) fn new(filter: FieldFilter) -> Self {
        Self(filter)
    }
}

impl<K: DeserializeOwned> Decode<K> for Typed {
    fn first(&self, bytes: &[u8], _: &Types) -> Result<Decoded<K>, Fault> {
        if self.0.has_tests() {
            return Err(Fault::Malformed);
        }
        value::decode(bytes, "", self.0.place(None).as_ref()).ok_or(Fault::Malformed)
    }

    fn whole(&self, json: &str, _: &Types) -> Result<Decoded<K>, serde_json::Error> {
        whole(&self.0, json)
    }

    fn enough(&self) -> usize {
        // Longer than most objects.
        16 << 10
    }

    fn filter(&self) -> &FieldFilter {
        &self.0
    }

    fn and(&self, filter: FieldFilter) -> Arc<dyn Decode<K>> {
        Arc::new(Self(self.0.clone().and(filter)))
    }
}

fn whole<T>(filter: &FieldFilter, json: &str) -> Result<Decoded<T>, serde_json::Error>
where
    T: DeserializeOwned,
{
    let found = filter.found_in(json)?;
    let place = filter.place(found.as_ref());
    if let Some(decoded) = value::decode(json.as_bytes(), json, place.as_ref())
        && decoded.is_all_of(json)
    {
        return Ok(decoded);
    }
    let object = by_serde(json, place)?;
    Ok(Decoded { object, end: json.len(), kind: kind_in(json.as_bytes()) })
}

fn by_serde<T>(json: &str, place: Option<Place<'_>>) -> Result<T, serde_json::Error>
where
    T: DeserializeOwned,
{
    // Either the text is invalid, and serde_json says why, or it is valid in a way that only serde_json
    // can decode. Bytes, not a `str`: given a `str`, serde_json would take the rest of a wrong key of
    // `bool` for text too, from within a character.
    let Some(place) = place else { return serde_json::from_slice(json.as_bytes()) };
    serde_json::from_str::<IgnoredAny>(json)?;
    let cut = cut::from_json(json, &place).map_err(|_| cut::malformed(json))?;
    serde_json::from_slice(cut.as_bytes()).or_else(|error| {
        // The error's position is that in the text as given.
        let blanked = cut::blanked(json, &place).map_err(|_| error)?;
        serde_json::from_slice(blanked.as_bytes())
    })
}

impl FieldFilter {
    /// Decodes an object without the fields, which are skipped and never built. The result is the same
    /// as that of decoding the text that [`cut`](Self::cut) returns.
    ///
    /// # Errors
    ///
    /// If the rest of the text is not JSON, or does not decode as a `T`. Skipped fields are checked only
    /// as far as needed to find their end.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    /// use std::collections::BTreeMap;
    ///
    /// let filter = FieldFilter::new(["annotations.big"])?;
    /// let text = r#"{"annotations": {"big": "...", "small": "x"}}"#;
    /// let object: BTreeMap<String, BTreeMap<String, String>> = filter.deserialize(text)?;
    /// assert_eq!(object["annotations"], BTreeMap::from([("small".into(), "x".into())]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self, json: &str) -> Result<T, serde_json::Error> {
        whole(self, json).map(|decoded| decoded.object)
    }
}
