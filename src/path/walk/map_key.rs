//! Comparison of a map's key with a name.

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

use super::unreadable::Unreadable;

/// A serializer that returns whether a key equals this name.
pub(super) struct Is<'n>(pub(super) &'n str);

/// Methods for integers, which `serde_json` writes as decimal keys.
macro_rules! integers {
    ($($method:ident: $type:ty;)*) => {$(
        fn $method(self, key: $type) -> Result<bool, Unreadable> {
            Ok(key.to_string() == self.0)
        }
    )*};
}

/// Methods for types that are no keys in JSON, or are written in a special way.
macro_rules! unreadable {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, Unreadable> {
            Err(Unreadable::Unknown)
        }
    )*};
}

type Never = Impossible<bool, Unreadable>;
type Name = &'static str;

impl Serializer for Is<'_> {
    type Ok = bool;
    type Error = Unreadable;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_str(self, key: &str) -> Result<bool, Unreadable> {
        Ok(key == self.0)
    }

    fn serialize_unit_variant(self, _: Name, _: u32, variant: Name) -> Result<bool, Unreadable> {
        Ok(variant == self.0)
    }

    fn serialize_newtype_struct<T>(self, _: Name, key: &T) -> Result<bool, Unreadable>
    where
        T: Serialize + ?Sized,
    {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<bool, Unreadable> {
        Err(Unreadable::Unknown)
    }

    fn serialize_newtype_variant<T>(
        self,
        _: Name,
        _: u32,
        _: Name,
        _: &T,
    ) -> Result<bool, Unreadable>
    where
        T: Serialize + ?Sized,
    {
        Err(Unreadable::Unknown)
    }

    integers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_char: char;
    }

    unreadable! {
        serialize_bool(bool) -> bool;
        serialize_f32(f32) -> bool;
        serialize_f64(f64) -> bool;
        serialize_bytes(&[u8]) -> bool;
        serialize_none() -> bool;
        serialize_unit() -> bool;
        serialize_unit_struct(Name) -> bool;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(Name, usize) -> Never;
        serialize_tuple_variant(Name, u32, Name, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(Name, usize) -> Never;
        serialize_struct_variant(Name, u32, Name, usize) -> Never;
    }
}
