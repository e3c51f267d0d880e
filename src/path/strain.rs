use std::borrow::Cow;
use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny,
    MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::cut;
use super::strain_key::Key;
use super::tree::Place;
use crate::json::Malformed;

/// As which `serde_json` asks for text that is not decoded.
const RAW: &str = "$serde_json::private::RawValue";

/// The only field of a number, when `serde_json` is told to keep numbers as text.
const NUMBER: &str = "$serde_json::private::Number";

/// Decodes the text, but for what ends at `place` or below.
pub(super) fn decode<T: DeserializeOwned>(
    json: &str,
    place: Place<'_>,
) -> Result<T, serde_json::Error> {
    let mut inner = serde_json::Deserializer::from_str(json);
    let value = T::deserialize(Strained { inner: &mut inner, place })?;
    inner.end()?;
    Ok(value)
}

/// A deserializer, visitor, or access to the parts of a value, that leaves out what is removed.
struct Strained<'t, I> {
    inner: I,
    place: Place<'t>,
}

impl<'t, I> Strained<'t, I> {
    /// Cuts this value's text, and decodes that: for what can't be strained while decoding.
    fn by_text<'de, V>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut Cut<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, I::Error>
    where
        I: Deserializer<'de>,
        V: Visitor<'de>,
    {
        let raw = <&RawValue as de::Deserialize>::deserialize(self.inner)?;
        let text = cut::from_json_at(raw.get(), &self.place)
            .map_err(|Malformed| I::Error::custom("JSON nested too deep or with a broken name"))?;
        let mut inner = serde_json::Deserializer::from_reader(text.as_bytes());
        visit(&mut inner, visitor).map_err(I::Error::custom)
    }

    fn around<J>(&self, inner: J) -> Strained<'t, J> {
        Strained { inner, place: self.place.clone() }
    }
}

/// Decodes text that lives shorter than what is decoded.
type Cut<'a> = serde_json::Deserializer<serde_json::de::IoRead<&'a [u8]>>;

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, I::Error> {
            if self.place.counts_back() {
                // How long the array is shows at its end only.
                return self.by_text(visitor, |cut, visitor| cut.$method($($argument,)* visitor));
            }
            let Self { inner, place } = self;
            inner.$method($($argument,)* Strained { inner: visitor, place })
        }
    )*};
}

impl<'de, I: Deserializer<'de>> Deserializer<'de> for Strained<'_, I> {
    type Error = I::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_identifier();
    }

    fn deserialize_newtype_struct<V>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, I::Error>
    where
        V: Visitor<'de>,
    {
        if name == RAW || self.place.counts_back() {
            return self
                .by_text(visitor, |cut, visitor| cut.deserialize_newtype_struct(name, visitor));
        }
        let Self { inner, place } = self;
        inner.deserialize_newtype_struct(name, Strained { inner: visitor, place })
    }

    fn deserialize_enum<V>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, I::Error>
    where
        V: Visitor<'de>,
    {
        // A variant's name is a field too.
        self.by_text(visitor, |cut, visitor| cut.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, I::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strained<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool);
        visit_i64(i64);
        visit_i128(i128);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_some(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.visit_newtype_struct(inner)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(access)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let mut elements = Elements { access: self.around(access), index: 0 };
        let value = self.inner.visit_seq(&mut elements)?;
        // A tuple stops reading when it is full: what is removed behind it does not count.
        elements.skip_removed()?;
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let mut fields = Fields { access: self.around(access), below: None };
        let value = self.inner.visit_map(&mut fields)?;
        match fields.next_kept()? {
            None => Ok(value),
            Some(_) => Err(A::Error::custom("fields are left over")),
        }
    }
}

/// The elements of an array that are kept.
struct Elements<'t, A> {
    access: Strained<'t, A>,
    index: usize,
}

impl<'de, 't, A: SeqAccess<'de>> Elements<'t, A> {
    /// Steps over removed elements and gives the place of the next one.
    fn skip_removed(&mut self) -> Result<Option<Place<'t>>, A::Error> {
        loop {
            // The length matters only to those that count back, which are not strained here.
            let place = self.access.place.element(self.index, 0);
            if !place.as_ref().is_some_and(Place::ends) {
                return Ok(place);
            }
            if self.access.inner.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
            self.index += 1;
        }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let below = self.skip_removed()?;
        self.index += 1;
        match below {
            Some(place) => self.access.inner.next_element_seed(Strained { inner: seed, place }),
            None => self.access.inner.next_element_seed(seed),
        }
    }
}

/// The fields of an object that are kept.
struct Fields<'t, A> {
    access: Strained<'t, A>,
    /// The place of the value that comes next.
    below: Option<Place<'t>>,
}

impl<'de, A: MapAccess<'de>> Fields<'_, A> {
    /// Steps over removed fields and gives the name of the next one.
    fn next_kept(&mut self) -> Result<Option<Cow<'de, str>>, A::Error> {
        while let Some(name) = self.access.inner.next_key_seed(Name)? {
            self.below = self.access.place.field(&name).filter(|_| name != NUMBER);
            if !self.below.as_ref().is_some_and(Place::ends) {
                return Ok(Some(name));
            }
            self.access.inner.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        S: DeserializeSeed<'de>,
    {
        self.next_kept()?.map(|name| seed.deserialize(Key::new(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.below.take() {
            Some(place) => self.access.inner.next_value_seed(Strained { inner: seed, place }),
            None => self.access.inner.next_value_seed(seed),
        }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Strained<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let inner = self.around(inner);
        self.inner.deserialize(inner)
    }
}

/// Reads the name of a field, borrowed if it holds no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<Cow<'de, str>, D::Error> {
        inner.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }
}
