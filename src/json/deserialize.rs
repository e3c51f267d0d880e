//! The deserializer of JSON text and of tapes.
//!
//! The result equals that of `serde_json` on the text. If that isn't certain, the deserializer gives up,
//! and `serde_json` decides. It reports no errors of its own: it gives up on them, too.

use serde::de::{
    DeserializeSeed, Deserializer, MapAccess, Visitor,
    value::{MapAccessDeserializer, StrDeserializer},
};
use serde_json::de::{IoRead, SliceRead};

use super::field_name::{Declined, RAW};

/// The kind of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// The value at a position, which each method except [`kind`](Self::kind) steps over.
pub(crate) trait NextValue<'v>: Sized {
    fn kind(&mut self) -> Result<Kind, Declined>;

    fn null(self) -> Result<(), Declined>;

    fn bool(self) -> Result<bool, Declined>;

    fn string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined>;

    /// Visits a number. One that is not just an integer of few digits is visited by `visit`.
    fn number<V: Visitor<'v>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut NumberDeserializer<'v>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined>;

    /// Visits an array. If `count`, the elements are counted first, so that a `Vec` gets the right
    /// capacity at once.
    fn array<V: Visitor<'v>>(self, visitor: V, count: bool) -> Result<V::Value, Declined>;

    fn object<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined>;

    /// Visits the object of one field that is an enum's variant. `serde_json` goes on within the object
    /// after any error, so any error declines.
    fn variant<V: Visitor<'v>>(self, visitor: Variant<V>) -> Result<V::Value, Declined>;

    /// Visits a value of a type that is too rare to be handled here. It is left to `serde_json`.
    fn rare<V: Visitor<'v>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut TextDeserializer<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined>;

    fn skip(self) -> Result<(), Declined>;
}

/// A `serde_json` deserializer of a number as written.
pub(crate) type NumberDeserializer<'v> = serde_json::Deserializer<SliceRead<'v>>;

/// A `serde_json` deserializer that borrows nothing from the text.
pub(crate) type TextDeserializer<'a> = serde_json::Deserializer<IoRead<&'a [u8]>>;

/// Visitor of the two forms of an enum: a string, or an object of one field.
pub(crate) struct Variant<V>(V);

impl<'v, V: Visitor<'v>> Visitor<'v> for Variant<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<V::Value, E> {
        self.0.visit_enum(StrDeserializer::new(name))
    }

    fn visit_map<A: MapAccess<'v>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(MapAccessDeserializer::new(Variants(map)))
    }
}

/// Access to an object whose one field is an enum's variant. A name is text here, though the keys of a map
/// may be numbers.
struct Variants<A>(A);

impl<'v, A: MapAccess<'v>> MapAccess<'v> for Variants<A> {
    type Error = A::Error;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'v>,
    {
        self.0.next_key_seed(Named(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'v>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// Seed, and deserializer, of a name that is text.
struct Named<T>(T);

impl<'v, S: DeserializeSeed<'v>> DeserializeSeed<'v> for Named<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'v>>(self, name: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Named(name))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Deserializer of the next value.
pub(crate) struct Deserialize<N>(pub(crate) N);

macro_rules! numbers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.0.number(visitor, |inner, visitor| inner.$method(visitor))
        }
    )*};
}

macro_rules! rare {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.0.rare(visitor, |inner, visitor| inner.$method(visitor))
        }
    )*};
}

macro_rules! strings {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
            self.0.string(visitor)
        }
    )*};
}

impl<'v, N: NextValue<'v>> Deserializer<'v> for Deserialize<N> {
    type Error = Declined;

    #[inline]
    fn deserialize_any<V: Visitor<'v>>(mut self, visitor: V) -> Result<V::Value, Declined> {
        match self.0.kind()? {
            Kind::Object => self.0.object(visitor),
            Kind::Array => self.0.array(visitor, false),
            Kind::String => self.0.string(visitor),
            Kind::Number => self.0.number(visitor, |inner, visitor| inner.deserialize_any(visitor)),
            Kind::Bool => visitor.visit_bool(self.0.bool()?),
            Kind::Null => self.deserialize_unit(visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    rare! { deserialize_i128 deserialize_u128 deserialize_bytes deserialize_byte_buf }

    strings! { deserialize_str deserialize_string deserialize_char deserialize_identifier }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
        visitor.visit_bool(self.0.bool()?)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'v>>(mut self, visitor: V) -> Result<V::Value, Declined> {
        if self.0.kind()? == Kind::Null {
            self.0.null()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.0.null()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        if name == RAW {
            return self
                .0
                .rare(visitor, |inner, visitor| inner.deserialize_newtype_struct(RAW, visitor));
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.0.array(visitor, true)
    }

    fn deserialize_tuple<V: Visitor<'v>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        self.0.array(visitor, false)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Declined> {
        self.0.array(visitor, false)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.0.object(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'v>>(
        mut self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined> {
        match self.0.kind()? {
            Kind::Array => self.0.array(visitor, false),
            _ => self.0.object(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'v>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined> {
        match self.0.kind()? {
            Kind::Object => self.0.variant(Variant(visitor)),
            _ => self.0.string(Variant(visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Declined> {
        self.0.skip()?;
        visitor.visit_unit()
    }
}
