use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::value::CowStrDeserializer;
use serde::de::{Error, IntoDeserializer, Unexpected, Visitor};

/// The name of a field, handed on as `serde_json` itself would: maps may ask for numbers and truth values.
pub(super) struct Key<'de, E> {
    name: Cow<'de, str>,
    error: PhantomData<E>,
}

impl<'de, E: Error> Key<'de, E> {
    pub(super) fn new(name: Cow<'de, str>) -> Self {
        Self { name, error: PhantomData }
    }

    /// The text as a number of JSON, white space not included.
    fn number<T>(
        &self,
        visitor: &dyn serde::de::Expected,
        parse: impl FnOnce(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<T, E> {
        let is_number = self.name.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && !self.name.ends_with(|c: char| c.is_ascii_whitespace());
        if is_number {
            return parse(self.name.as_bytes()).map_err(E::custom);
        }
        Err(E::invalid_type(Unexpected::Str(&self.name), visitor))
    }
}

macro_rules! numbers {
    ($($method:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            // Nothing is borrowed from the text of a number, so it may be read as from a stream.
            self.number(&"a number in quotes", |text| {
                let mut inner = serde_json::Deserializer::from_reader(text);
                let value = inner.$method(visitor)?;
                inner.end()?;
                Ok(value)
            })
        }
    )*};
}

impl<'de, E: Error> Deserializer<'de> for Key<'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.name {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_str(&name),
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

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match &*self.name {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(E::invalid_type(Unexpected::Str(other), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V>(self, _name: &'static str, visitor: V) -> Result<V::Value, E>
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
    ) -> Result<V::Value, E>
    where
        V: Visitor<'de>,
    {
        let inner: CowStrDeserializer<'_, E> = self.name.into_deserializer();
        inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.name {
            Cow::Borrowed(name) => visitor.visit_borrowed_bytes(name.as_bytes()),
            Cow::Owned(name) => visitor.visit_bytes(name.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.deserialize_bytes(visitor)
    }

    serde::forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
