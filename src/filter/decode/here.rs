//! Deserializer for the next value.

use serde::de::{Deserializer, Visitor};

use super::items::{Elements, Fields};
use super::variant::Variant;
use super::{Decoder, Text};
use crate::filter::cut;
use crate::filter::tree::Place;
use crate::json::{Declined, Fault, RAW};

/// Deserializer for the value at the decoder's position.
pub(super) struct Here<'d, 'j, 't> {
    pub(super) decoder: &'d mut Decoder<'j>,
    /// `None` if no part of the value is removed.
    pub(super) place: Option<&'d Place<'t>>,
}

/// A `serde_json` deserializer that borrows nothing from the text.
type Cut<'a> = serde_json::Deserializer<serde_json::de::IoRead<&'a [u8]>>;

impl<'j> Here<'_, 'j, '_> {
    fn string<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, .. } = self;
        match decoder.step(Decoder::string)? {
            Text::Written(text) => visitor.visit_borrowed_str(text),
            Text::Unescaped => visitor.visit_str(&decoder.unescaped),
        }
    }

    fn null(&mut self) -> Result<(), Declined> {
        self.decoder.step(|decoder| decoder.scan.null())
    }

    fn bool<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let value = self.decoder.peek()? == b't';
        self.decoder.step(|decoder| decoder.scan.literal())?;
        visitor.visit_bool(value)
    }

    fn number<V: Visitor<'j>>(
        self,
        visitor: V,
        visit: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::SliceRead<'j>>,
            V,
        ) -> Result<V::Value, serde_json::Error>,
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
        let mut inner = serde_json::Deserializer::from_slice(decoder.scan.since(start));
        visit(&mut inner, visitor).map_err(|_| decoder.decline())
    }

    /// Decodes an array. If `count`, the elements are counted first, so that a `Vec` gets the right
    /// capacity at once.
    fn array<V: Visitor<'j>>(self, visitor: V, count: bool) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let count = count || place.is_some_and(Place::counts_back);
        let start = decoder.scan.position();
        decoder.step(|decoder| decoder.enter(b'['))?;
        decoder.scan.space();
        let len = match decoder.peek()? {
            b']' => Some(0),
            _ => count.then(|| decoder.counts.elements(decoder.bytes, start)),
        };
        let mut elements = Elements::new(decoder, place, len);
        let value = visitor.visit_seq(&mut elements);
        elements.end()?;
        value
    }

    fn object<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        decoder.step(|decoder| decoder.enter(b'{'))?;
        let mut fields = Fields::new(decoder, place);
        let value = visitor.visit_map(&mut fields);
        fields.end()?;
        value
    }

    /// Decodes the value with `serde_json`; for types that are too rare to be handled here.
    fn by_text<V>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut Cut<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'j>,
    {
        let Self { decoder, place } = self;
        let start = decoder.scan.position();
        decoder.step(Decoder::skip)?;
        let text = str::from_utf8(decoder.scan.since(start)).map_err(|_| decoder.decline())?;
        let text = match place {
            Some(place) => cut::from_json(text, place).map_err(|_| decoder.decline())?,
            None => text.into(),
        };
        let mut inner = serde_json::Deserializer::from_reader(text.as_bytes());
        let value = visit(&mut inner, visitor).and_then(|value| inner.end().map(|()| value));
        value.map_err(|_| decoder.decline())
    }
}

macro_rules! numbers {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.number(visitor, |inner, visitor| inner.$method(visitor))
        }
    )*};
}

macro_rules! by_text {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.by_text(visitor, |cut, visitor| cut.$method(visitor))
        }
    )*};
}

impl<'j> Deserializer<'j> for Here<'_, 'j, '_> {
    type Error = Declined;

    fn deserialize_any<V: Visitor<'j>>(mut self, visitor: V) -> Result<V::Value, Declined> {
        match self.decoder.peek()? {
            b'"' => self.string(visitor),
            b'{' => self.object(visitor),
            b'[' => self.array(visitor, false),
            b't' | b'f' => self.bool(visitor),
            b'n' => {
                self.null()?;
                visitor.visit_unit()
            }
            _ => self.number(visitor, |inner, visitor| inner.deserialize_any(visitor)),
        }
    }

    numbers! {
        deserialize_i8;
        deserialize_i16;
        deserialize_i32;
        deserialize_i64;
        deserialize_u8;
        deserialize_u16;
        deserialize_u32;
        deserialize_u64;
        deserialize_f32;
        deserialize_f64;
    }

    by_text! {
        deserialize_i128;
        deserialize_u128;
        deserialize_bytes;
        deserialize_byte_buf;
    }

    fn deserialize_bool<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.decoder.peek()? {
            b't' | b'f' => self.bool(visitor),
            _ => Err(self.decoder.decline()),
        }
    }

    fn deserialize_str<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.string(visitor)
    }

    fn deserialize_option<V: Visitor<'j>>(mut self, visitor: V) -> Result<V::Value, Declined> {
        if self.decoder.peek()? == b'n' {
            self.null()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'j>>(mut self, visitor: V) -> Result<V::Value, Declined> {
        self.null()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'j>,
    {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'j>,
    {
        if name == RAW {
            return self
                .by_text(visitor, |cut, visitor| cut.deserialize_newtype_struct(RAW, visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.array(visitor, true)
    }

    fn deserialize_tuple<V: Visitor<'j>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        self.array(visitor, false)
    }

    fn deserialize_tuple_struct<V: Visitor<'j>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        self.array(visitor, false)
    }

    fn deserialize_map<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.object(visitor)
    }

    fn deserialize_struct<V: Visitor<'j>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined> {
        match self.decoder.peek()? {
            b'[' => self.array(visitor, false),
            _ => self.object(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'j>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined> {
        if self.place.is_some() {
            // The variant's name is a field, which the filter may remove.
            return self
                .by_text(visitor, |cut, visitor| cut.deserialize_enum(name, variants, visitor));
        }
        let Self { decoder, .. } = self;
        if decoder.peek()? != b'{' {
            let variant = decoder.step(Decoder::string)?;
            return decoder.key(variant).deserialize_enum(name, variants, visitor);
        }
        decoder.step(|decoder| {
            decoder.enter(b'{')?;
            if decoder.next(true, b'}')? { Ok(()) } else { Err(Fault::Malformed) }
        })?;
        let value = visitor.visit_enum(Variant { decoder }).map_err(|_| decoder.decline())?;
        decoder.step(|decoder| decoder.leave(b'}'))?;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.decoder.step(Decoder::check)?;
        visitor.visit_unit()
    }

    fn deserialize_char<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.string(visitor)
    }

    fn deserialize_string<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.string(visitor)
    }
}
