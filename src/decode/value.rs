//! Decodes JSON text to any type, and skips removed fields.

use serde::de::{DeserializeOwned, Visitor};

use super::{
    decode::Decoded,
    items::{Elements, Fields},
    kind::kind_in,
    text::{Decoder, Here, Text},
};
use crate::{
    filter::{Place, cut},
    json::{
        Declined, Deserialize, Fault, Kind, NextValue, NumberDeserializer, TextDeserializer,
        Variant,
    },
};

/// Decodes the value at the start of the bytes, without everything that ends at `place` or below.
/// Returns `None` if `serde_json` has to decide.
///
/// `text` is a prefix of the bytes that is known to be UTF-8.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    text: &str,
    place: Option<&Place<'_>>,
) -> Option<Decoded<T>> {
    let mut decoder = Decoder::new(bytes, text);
    decoder.scan.space();
    let object = T::deserialize(Deserialize(Here { decoder: &mut decoder, place })).ok()?;
    if decoder.lost {
        return None;
    }
    let end = decoder.scan.position();
    let kind = if decoder.is_object { decoder.kind } else { kind_in(&bytes[..end]) };
    Some(Decoded { object, end, kind })
}

impl<'j> NextValue<'j> for Here<'_, 'j, '_> {
    #[inline]
    fn kind(&mut self) -> Result<Kind, Declined> {
        Ok(match self.decoder.step(|decoder| decoder.scan.peek())? {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ => Kind::Number,
        })
    }

    fn null(self) -> Result<(), Declined> {
        self.decoder.step(|decoder| decoder.scan.null())
    }

    fn bool(self) -> Result<bool, Declined> {
        self.decoder.step(|decoder| match decoder.scan.peek()? {
            first @ (b't' | b'f') => decoder.scan.literal().map(|_| first == b't'),
            _ => Err(Fault::Malformed),
        })
    }

    #[inline]
    fn string<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, .. } = self;
        match decoder.step(Decoder::string)? {
            Text::Written(text) => visitor.visit_borrowed_str(text),
            Text::Unescaped => visitor.visit_str(&decoder.unescaped),
        }
    }

    fn number<V: Visitor<'j>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut NumberDeserializer<'j>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        let Self { decoder, .. } = self;
        if let Some(integer) = decoder.scan.small_integer() {
            return match u64::try_from(integer) {
                Ok(integer) => visitor.visit_u64(integer),
                Err(_) => visitor.visit_i64(integer),
            };
        }
        let start = decoder.scan.position();
        decoder.step(|decoder| decoder.scan.number())?;
        let mut inner = NumberDeserializer::from_slice(decoder.scan.since(start));
        visit(&mut inner, visitor).map_err(|_| decoder.decline())
    }

    fn array<V: Visitor<'j>>(self, visitor: V, count: bool) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let count = count || place.is_some_and(Place::counts_back);
        let start = decoder.scan.position();
        let is_empty = decoder.step(|decoder| {
            decoder.scan.enter(b'[')?;
            decoder.scan.space();
            Ok(decoder.scan.peek()? == b']')
        })?;
        let elements = || decoder.counts.elements(decoder.scan.from(0), start);
        let len = if is_empty { Some(0) } else { count.then(elements) };
        let mut elements = Elements::new(decoder, place, len);
        let value = visitor.visit_seq(&mut elements);
        elements.end()?;
        value
    }

    fn object<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        decoder.step(|decoder| decoder.scan.enter(b'{'))?;
        let mut fields = Fields::new(decoder, place);
        let value = visitor.visit_map(&mut fields);
        fields.end()?;
        value
    }

    fn variant<V: Visitor<'j>>(self, visitor: Variant<V>) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let value = Here { decoder: &mut *decoder, place }.object(visitor);
        value.map_err(|_| decoder.decline())
    }

    fn rare<V: Visitor<'j>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut TextDeserializer<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let start = decoder.scan.position();
        decoder.step(Decoder::skip)?;
        let text = str::from_utf8(decoder.scan.since(start)).map_err(|_| decoder.decline())?;
        let text = match place {
            Some(place) => cut::from_json(text, place).map_err(|_| decoder.decline())?,
            None => text.into(),
        };
        let mut inner = TextDeserializer::from_reader(text.as_bytes());
        let value = visit(&mut inner, visitor).and_then(|value| inner.end().map(|()| value));
        value.map_err(|_| decoder.decline())
    }

    fn skip(self) -> Result<(), Declined> {
        self.decoder.step(|decoder| decoder.scan.check_value())
    }
}
