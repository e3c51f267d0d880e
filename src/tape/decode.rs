//! Decodes a tape into any type.

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::{
    Tape,
    read::{Name, Value, unescape},
};
use crate::json::{
    Declined, Deserialize, FieldName, Kind, NextValue, NumberDeserializer, TextDeserializer,
    Variant,
};

impl Tape<'_> {
    /// Decodes the value at the position.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        let mut decoder = Decoder { tape: self, lost: false };
        match T::deserialize(Deserialize(&mut decoder)) {
            Ok(value) if !decoder.lost => Ok(value),
            _ => serde_json::from_slice(self.to_json().as_bytes()),
        }
    }
}

struct Decoder<'t> {
    tape: Tape<'t>,
    /// True if `serde_json` might be at another position. Types may swallow errors and go on, so this
    /// can happen without an error.
    lost: bool,
}

impl<'t> Decoder<'t> {
    #[cold]
    fn decline<T>(&mut self) -> Result<T, Declined> {
        self.lost = true;
        Err(Declined)
    }

    /// Reads the content of a container. Fails unless `visit` consumes all of it.
    fn inside<T>(
        &mut self,
        end: usize,
        visit: impl FnOnce(Inside<'_, 't>) -> Result<T, Declined>,
    ) -> Result<T, Declined> {
        let value = visit(Inside { decoder: self, end, left: None });
        if self.tape.is_before(end) {
            return self.decline();
        }
        value
    }
}

impl<'t> NextValue<'t> for &mut Decoder<'t> {
    #[inline]
    fn kind(&mut self) -> Result<Kind, Declined> {
        let mut ahead = self.tape;
        Ok(match ahead.next() {
            Value::Object(_) => Kind::Object,
            Value::Array(_) => Kind::Array,
            Value::Integer(_) | Value::Number(_) => Kind::Number,
            Value::String(_) | Value::Escaped(_) => Kind::String,
            Value::Bool(_) => Kind::Bool,
            Value::Null => Kind::Null,
        })
    }

    fn null(self) -> Result<(), Declined> {
        match self.tape.next() {
            Value::Null => Ok(()),
            _ => self.decline(),
        }
    }

    fn bool(self) -> Result<bool, Declined> {
        match self.tape.next() {
            Value::Bool(value) => Ok(value),
            _ => self.decline(),
        }
    }

    #[inline]
    fn string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Escaped(quoted) => visitor.visit_str(&unescape(quoted)),
            _ => self.decline(),
        }
    }

    fn number<V: Visitor<'t>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut NumberDeserializer<'t>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::Integer(integer) => visitor.visit_u64(integer),
            Value::Number(text) => {
                let mut inner = NumberDeserializer::from_slice(text.as_bytes());
                visit(&mut inner, visitor).or_else(|_| self.decline())
            }
            _ => self.decline(),
        }
    }

    fn array<V: Visitor<'t>>(self, visitor: V, count: bool) -> Result<V::Value, Declined> {
        let Value::Array(end) = self.tape.next() else { return self.decline() };
        let left = count.then(|| self.tape.count(end));
        self.inside(end, |inside| visitor.visit_seq(Inside { left, ..inside }))
    }

    fn object<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Value::Object(end) = self.tape.next() else { return self.decline() };
        self.inside(end, |inside| visitor.visit_map(inside))
    }

    fn variant<V: Visitor<'t>>(self, visitor: Variant<V>) -> Result<V::Value, Declined> {
        (&mut *self).object(visitor).or_else(|_| self.decline())
    }

    fn rare<V: Visitor<'t>>(
        self,
        _: V,
        _: impl FnOnce(&mut TextDeserializer<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        self.decline()
    }

    fn skip(self) -> Result<(), Declined> {
        self.tape.skip();
        Ok(())
    }
}

/// Access to the elements of an array, or the fields of an object.
struct Inside<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    end: usize,
    /// The number of elements that are still to come, if known.
    left: Option<usize>,
}

impl<'t> SeqAccess<'t> for Inside<'_, 't> {
    type Error = Declined;

    #[inline]
    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Declined>
    where
        S: DeserializeSeed<'t>,
    {
        if !self.decoder.tape.is_before(self.end) {
            return Ok(None);
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        seed.deserialize(Deserialize(&mut *self.decoder)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

impl<'t> MapAccess<'t> for Inside<'_, 't> {
    type Error = Declined;

    #[inline]
    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Declined>
    where
        S: DeserializeSeed<'t>,
    {
        if !self.decoder.tape.is_before(self.end) {
            return Ok(None);
        }
        let name = self.decoder.tape.name();
        let found = match name {
            Name::Escaped(quoted) => seed.deserialize(FieldName::Unescaped(&unescape(quoted))),
            name => seed.deserialize(FieldName::Written(name.plain())),
        };
        // After this error, `serde_json` would go on within the name.
        found.map(Some).or_else(|_| self.decoder.decline())
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Declined> {
        seed.deserialize(Deserialize(&mut *self.decoder))
    }
}
