//! Deserializer for the names of fields.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, IntoDeserializer, Visitor, value::StrDeserializer},
};

/// The name of the newtype by which `serde_json` asks for undecoded text.
pub(crate) const RAW: &str = "$serde_json::private::RawValue";

/// Returns whether `serde_json` reserves the name.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with("$serde_json::private::")
}

/// The decoder can't handle the value; `serde_json` has to decode it.
#[derive(Debug)]
pub(crate) struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("left to serde_json")
    }
}

impl std::error::Error for Declined {}

impl de::Error for Declined {
    fn custom<T: fmt::Display>(_: T) -> Self {
        // The message is not needed: `serde_json` finds the error again.
        Declined
    }
}

/// The name of a field. It deserializes as in `serde_json`: the keys of a map may be numbers and
/// booleans.
pub(crate) enum FieldName<'d, 'j> {
    Written(&'j str),
    Unescaped(&'d str),
}

impl<'j> FieldName<'_, 'j> {
    /// Returns the name if it was written without escapes; a number has none.
    fn written(self) -> Result<&'j str, Declined> {
        match self {
            Self::Written(name) => Ok(name),
            Self::Unescaped(_) => Err(Declined),
        }
    }
}

impl<'d> FieldName<'d, 'd> {
    #[inline]
    pub(crate) fn name(self) -> &'d str {
        let (Self::Written(name) | Self::Unescaped(name)) = self;
        name
    }
}

macro_rules! numbers {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
            let name = self.written()?;
            let is_number = name.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                && !name.ends_with(|c: char| c.is_ascii_whitespace());
            if !is_number {
                return Err(Declined);
            }
            let mut inner = serde_json::Deserializer::from_str(name);
            let value = inner.$method(visitor).map_err(|_| Declined)?;
            inner.end().map_err(|_| Declined)?;
            Ok(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for FieldName<'_, 'de> {
    type Error = Declined;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self {
            Self::Written(name) => visitor.visit_borrowed_str(name),
            Self::Unescaped(name) => visitor.visit_str(name),
        }
    }

    numbers! {
        deserialize_i8;
        deserialize_i16;
        deserialize_i32;
        deserialize_i64;
        deserialize_i128;
        deserialize_u8;
        deserialize_u16;
        deserialize_u32;
        deserialize_u64;
        deserialize_u128;
        deserialize_f32;
        deserialize_f64;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self.written()? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Declined),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'de>,
    {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'de>,
    {
        let inner: StrDeserializer<'_, Declined> = self.name().into_deserializer();
        inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
        match self {
            Self::Written(name) => visitor.visit_borrowed_bytes(name.as_bytes()),
            Self::Unescaped(name) => visitor.visit_bytes(name.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.deserialize_bytes(visitor)
    }

    serde::forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
