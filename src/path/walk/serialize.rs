//! Evaluates a plain path on anything that is `Serialize`.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::{map_key::Is, unreadable::Unreadable};
use crate::path::{
    Step, TooManyKeys,
    keys::{Keys, Mark},
    place_in, scalar,
};

/// Returns the keys of the values that a plain path selects in an object, if there are no more than
/// `most`. Only these values are serialized. Returns `None` if the path can't be evaluated step by step:
/// then the object must be turned into a `Value`.
pub(in crate::path) fn keys<T: Serialize + ?Sized>(
    object: &T,
    steps: &[Step],
    most: usize,
) -> Option<Result<Vec<String>, TooManyKeys>> {
    let mut keys = Keys::new(most);
    match object.serialize(Reader { steps, keys: &mut keys }) {
        Ok(()) => Some(keys.finish()),
        Err(Unreadable::TooManyKeys) => Some(Err(TooManyKeys)),
        Err(Unreadable::Unknown) => None,
    }
}

/// A serializer that follows the steps into a value.
struct Reader<'a> {
    steps: &'a [Step],
    keys: &'a mut Keys<'static>,
}

/// The elements of a sequence; `wanted` selects those to read.
struct Elements<'a> {
    wanted: Wanted,
    here: usize,
    below: &'a [Step],
    keys: &'a mut Keys<'static>,
}

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    None,
    All,
    At(usize),
}

/// The fields of an object; those that match `step` are read.
struct Fields<'a> {
    step: Option<&'a Step>,
    below: &'a [Step],
    /// The keys before this object: the last of several fields with the same name counts.
    before: Mark,
    /// True if the value of the last key is to be read.
    taken: bool,
    keys: &'a mut Keys<'static>,
}

type Done = Result<(), Unreadable>;

impl<'a> Reader<'a> {
    fn scalar(self, key: impl FnOnce() -> Option<String>) -> Done {
        if self.steps.is_empty() {
            self.keys.extend(key()).map_err(|TooManyKeys| Unreadable::TooManyKeys)?;
        }
        Ok(())
    }

    fn fields(self) -> Fields<'a> {
        let before = self.keys.mark();
        let (step, below) = match self.steps.split_first() {
            Some((step, below)) => (Some(step), below),
            None => (None, self.steps),
        };
        Fields { step, below, before, taken: false, keys: self.keys }
    }

    fn elements(self, len: Option<usize>) -> Result<Elements<'a>, Unreadable> {
        let wanted = match self.steps.first() {
            Some(Step::Any) => Wanted::All,
            Some(Step::Index(index)) => match (usize::try_from(*index), len) {
                (Ok(index), _) => Wanted::At(index),
                (Err(_), Some(len)) => place_in(*index, len).map_or(Wanted::None, Wanted::At),
                (Err(_), None) => return Err(Unreadable::Unknown),
            },
            _ => Wanted::None,
        };
        let below = self.steps.get(1..).unwrap_or_default();
        Ok(Elements { wanted, here: 0, below, keys: self.keys })
    }

    /// Steps into `{variant: ...}`. If the path leads elsewhere, there are no steps left, so that no
    /// part is read.
    fn variant(self, variant: &str) -> (bool, Self) {
        match self.steps.split_first() {
            Some((step, below)) if step.takes_name(variant) => {
                (true, Self { steps: below, ..self })
            }
            _ => (false, Self { steps: &[], ..self }),
        }
    }
}

impl<'a> Serializer for Reader<'a> {
    type Ok = ();
    type Error = Unreadable;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Elements<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    fn serialize_bool(self, v: bool) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_i8(self, v: i8) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_i16(self, v: i16) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_i32(self, v: i32) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_i64(self, v: i64) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_i128(self, v: i128) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_u8(self, v: u8) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_u16(self, v: u16) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_u32(self, v: u32) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_u64(self, v: u64) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_u128(self, v: u128) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_f32(self, v: f32) -> Done {
        self.scalar(|| scalar::of_f32(v))
    }

    fn serialize_f64(self, v: f64) -> Done {
        self.scalar(|| scalar::of_f64(v))
    }

    fn serialize_char(self, v: char) -> Done {
        self.scalar(|| Some(v.to_string()))
    }

    fn serialize_str(self, v: &str) -> Done {
        self.scalar(|| Some(v.to_owned()))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        self.scalar(|| Some(value.to_string()))
    }

    fn serialize_bytes(self, v: &[u8]) -> Done {
        v.serialize(self)
    }

    fn serialize_none(self) -> Done {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T>(self, _name: &'static str, value: &T) -> Done
    where
        T: Serialize + ?Sized,
    {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done
    where
        T: Serialize + ?Sized,
    {
        let (leads_here, below) = self.variant(variant);
        if leads_here { value.serialize(below) } else { Ok(()) }
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>, Unreadable> {
        self.elements(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Elements<'a>, Unreadable> {
        self.elements(Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Elements<'a>, Unreadable> {
        self.elements(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements<'a>, Unreadable> {
        self.variant(variant).1.elements(Some(len))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Fields<'a>, Unreadable> {
        Ok(self.fields())
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Fields<'a>, Unreadable> {
        // serde_json passes raw text, and numbers as text, in private structs.
        if name.starts_with("$serde_json::private::") {
            Err(Unreadable::Unknown)
        } else {
            Ok(self.fields())
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Fields<'a>, Unreadable> {
        Ok(self.variant(variant).1.fields())
    }
}

impl Elements<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let here = self.here;
        self.here += 1;
        if self.wanted == Wanted::All || self.wanted == Wanted::At(here) {
            value.serialize(Reader { steps: self.below, keys: self.keys })?;
        }
        Ok(())
    }
}

impl Fields<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.taken = self.step.is_some_and(|step| step.takes_name(name));
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !self.taken {
            return Ok(());
        }
        if matches!(self.step, Some(Step::Name(_))) {
            self.keys.take_back(self.before).ok_or(Unreadable::Unknown)?;
        }
        value.serialize(Reader { steps: self.below, keys: self.keys })
    }
}

impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Unreadable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.taken = match self.step {
            Some(Step::Name(name)) => key.serialize(Is(name))?,
            Some(Step::Any) => true,
            Some(Step::Index(_)) | None => false,
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

/// Implements serde's traits for parts of an object, which differ only in names.
macro_rules! parts {
    ($($trait:ident for $type:ident: $method:ident($($name:ident)?) is $own:ident;)*) => {$(
        impl ser::$trait for $type<'_> {
            type Ok = ();
            type Error = Unreadable;

            fn $method<T>(&mut self, $($name: &'static str,)? value: &T) -> Done
            where
                T: Serialize + ?Sized,
            {
                self.$own($($name,)? value)
            }

            fn end(self) -> Done {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq for Elements: serialize_element() is element;
    SerializeTuple for Elements: serialize_element() is element;
    SerializeTupleStruct for Elements: serialize_field() is element;
    SerializeTupleVariant for Elements: serialize_field() is element;
    SerializeStruct for Fields: serialize_field(name) is field;
    SerializeStructVariant for Fields: serialize_field(name) is field;
}
