//! Decodes a tape into any type.
//!
//! The result equals that of `serde_json` on the JSON. If that isn't certain, the decoder gives up, and
//! `serde_json` decides. The decoder reports no errors of its own: it gives up on them, too.

use serde::{
    Deserialize,
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
        VariantAccess, Visitor,
    },
};

use super::{
    Tape,
    read::{Name, Value, unescape},
};
use crate::json::{Declined, FieldName, RAW};

impl Tape<'_> {
    /// Decodes the value at the position.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
        let mut decoder = Decoder { tape: self, lost: false };
        match T::deserialize(&mut decoder) {
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

    fn number<V: Visitor<'t>>(
        &mut self,
        visitor: V,
        visit: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::StrRead<'t>>,
            V,
        ) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::Integer(integer) => visitor.visit_u64(integer),
            Value::Number(text) => {
                let mut inner = serde_json::Deserializer::from_str(text);
                visit(&mut inner, visitor).or_else(|_| self.decline())
            }
            _ => self.decline(),
        }
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

    fn array<V: Visitor<'t>>(&mut self, visitor: V, count: bool) -> Result<V::Value, Declined> {
        let Value::Array(end) = self.tape.next() else { return self.decline() };
        let left = count.then(|| self.tape.count(end));
        self.inside(end, |inside| visitor.visit_seq(Inside { left, ..inside }))
    }

    fn object<V: Visitor<'t>>(&mut self, visitor: V) -> Result<V::Value, Declined> {
        let Value::Object(end) = self.tape.next() else { return self.decline() };
        self.inside(end, |inside| visitor.visit_map(inside))
    }
}

macro_rules! numbers {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.number(visitor, |inner, visitor| inner.$method(visitor))
        }
    )*};
}

/// Methods for types that are too rare to be handled here.
macro_rules! declined {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'t>>(self, _: V) -> Result<V::Value, Declined> {
            self.decline()
        }
    )*};
}

impl<'t> Deserializer<'t> for &mut Decoder<'t> {
    type Error = Declined;

    #[inline]
    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        let mut ahead = self.tape;
        match ahead.next() {
            Value::Object(_) => self.object(visitor),
            Value::Array(_) => self.array(visitor, false),
            Value::Integer(_) | Value::Number(_) => {
                self.number(visitor, |inner, visitor| inner.deserialize_any(visitor))
            }
            Value::String(_) | Value::Escaped(_) => self.deserialize_str(visitor),
            Value::Bool(value) => {
                self.tape = ahead;
                visitor.visit_bool(value)
            }
            Value::Null => {
                self.tape = ahead;
                visitor.visit_unit()
            }
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

    declined! {
        deserialize_i128;
        deserialize_u128;
        deserialize_bytes;
        deserialize_byte_buf;
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => self.decline(),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Escaped(quoted) => visitor.visit_str(&unescape(quoted)),
            _ => self.decline(),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        let mut ahead = self.tape;
        if let Value::Null = ahead.next() {
            self.tape = ahead;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.tape.next() {
            Value::Null => visitor.visit_unit(),
            _ => self.decline(),
        }
    }

    fn deserialize_unit_struct<V>(self, _: &'static str, visitor: V) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        if name == RAW {
            return self.decline();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.array(visitor, true)
    }

    fn deserialize_tuple<V>(self, _len: usize, visitor: V) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        self.array(visitor, false)
    }

    fn deserialize_tuple_struct<V>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        self.array(visitor, false)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.object(visitor)
    }

    fn deserialize_struct<V>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        let mut ahead = self.tape;
        match ahead.next() {
            Value::Array(_) => self.array(visitor, false),
            _ => self.object(visitor),
        }
    }

    fn deserialize_enum<V>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        match self.tape.next() {
            Value::String(text) => {
                FieldName::Written(text).deserialize_enum(name, variants, visitor)
            }
            Value::Escaped(quoted) => {
                FieldName::Unescaped(&unescape(quoted)).deserialize_enum(name, variants, visitor)
            }
            Value::Object(end) if self.tape.is_before(end) => {
                let value = self.inside(end, |inside| visitor.visit_enum(inside));
                value.or_else(|_| self.decline())
            }
            _ => self.decline(),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.tape.skip();
        visitor.visit_unit()
    }

    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.deserialize_str(visitor)
    }
}

/// Access to the elements of an array, the fields of an object, or the one field that is an enum's
/// variant.
struct Inside<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    end: usize,
    /// The number of elements that are still to come, if known.
    left: Option<usize>,
}

impl<'t> Inside<'_, 't> {
    fn name<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Declined> {
        let name = self.decoder.tape.name();
        let found = match name {
            Name::Escaped(quoted) => seed.deserialize(FieldName::Unescaped(&unescape(quoted))),
            name => seed.deserialize(FieldName::Written(name.plain())),
        };
        // After this error, `serde_json` would go on within the name.
        found.or_else(|_| self.decoder.decline())
    }
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
        seed.deserialize(&mut *self.decoder).map(Some)
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
        self.name(seed).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Declined> {
        seed.deserialize(&mut *self.decoder)
    }
}

impl<'t> EnumAccess<'t> for Inside<'_, 't> {
    type Error = Declined;
    type Variant = Self;

    fn variant_seed<S>(mut self, seed: S) -> Result<(S::Value, Self), Declined>
    where
        S: DeserializeSeed<'t>,
    {
        let name = self.name(seed)?;
        Ok((name, self))
    }
}

impl<'t> VariantAccess<'t> for Inside<'_, 't> {
    type Error = Declined;

    fn unit_variant(self) -> Result<(), Declined> {
        Deserialize::deserialize(self.decoder)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Declined> {
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'t>>(self, len: usize, visitor: V) -> Result<V::Value, Declined> {
        self.decoder.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'t>,
    {
        self.decoder.deserialize_struct("", fields, visitor)
    }
}
