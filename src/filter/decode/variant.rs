//! Access to the variant of an enum.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};

use super::{Decoder, Here};
use crate::json::Declined;

/// Access to an enum's variant that is written as the only field of an object.
pub(super) struct Variant<'d, 'j> {
    pub(super) decoder: &'d mut Decoder<'j>,
}

impl<'d, 'j> Variant<'d, 'j> {
    fn value(self) -> Here<'d, 'j, 'd> {
        Here { decoder: self.decoder, place: None }
    }
}

impl<'j> EnumAccess<'j> for Variant<'_, 'j> {
    type Error = Declined;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'j>>(self, seed: S) -> Result<(S::Value, Self), Declined> {
        if self.decoder.peek()? != b'"' {
            return Err(self.decoder.decline());
        }
        let name = seed.deserialize(Here { decoder: self.decoder, place: None })?;
        self.decoder.step(Decoder::colon)?;
        Ok((name, self))
    }
}

impl<'j> VariantAccess<'j> for Variant<'_, 'j> {
    type Error = Declined;

    fn unit_variant(self) -> Result<(), Declined> {
        Deserialize::deserialize(self.value())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'j>>(self, seed: S) -> Result<S::Value, Declined> {
        seed.deserialize(self.value())
    }

    fn tuple_variant<V: Visitor<'j>>(self, len: usize, visitor: V) -> Result<V::Value, Declined> {
        self.value().deserialize_tuple(len, visitor)
    }

    fn struct_variant<V>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Declined>
    where
        V: Visitor<'j>,
    {
        self.value().deserialize_struct("", fields, visitor)
    }
}
