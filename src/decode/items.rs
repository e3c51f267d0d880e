//! Access to the elements of an array and the fields of an object that are not removed.

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{
    kind::KIND,
    text::{Decoder, Here, Text},
};
use crate::{
    filter::Place,
    json::{Declined, Deserialize},
};

/// Access to the kept elements of an array.
pub(super) struct Elements<'d, 'j, 't> {
    decoder: &'d mut Decoder<'j>,
    place: Option<&'d Place<'t>>,
    index: usize,
    /// The number of elements, including removed ones; known only if it is needed.
    len: Option<usize>,
    /// The number of kept elements that are still to come, if known.
    left: Option<usize>,
    /// The place of the next element.
    below: Option<Place<'t>>,
}

impl<'d, 'j, 't> Elements<'d, 'j, 't> {
    pub(super) fn new(
        decoder: &'d mut Decoder<'j>,
        place: Option<&'d Place<'t>>,
        len: Option<usize>,
    ) -> Self {
        let mut elements = Self { decoder, place, index: 0, len, left: len, below: None };
        if place.is_some() {
            elements.left = len.map(|len| (0..len).filter(|at| !elements.removes(*at)).count());
        }
        elements
    }

    fn element(&self, index: usize) -> Option<Place<'t>> {
        self.place?.element(index, self.len.unwrap_or_default())
    }

    fn removes(&self, index: usize) -> bool {
        self.element(index).as_ref().is_some_and(Place::ends)
    }

    /// Steps to the next kept element. Returns `false` at the end of the array.
    #[inline]
    fn next_kept(&mut self) -> Result<bool, Declined> {
        loop {
            let first = self.index == 0;
            if !self.decoder.step(|decoder| decoder.scan.next(first, b']'))? {
                return Ok(false);
            }
            self.below = self.element(self.index);
            self.index += 1;
            if !self.below.as_ref().is_some_and(Place::ends) {
                return Ok(true);
            }
            self.decoder.step(Decoder::skip)?;
        }
    }

    /// Steps out of the array. Fails if it has kept elements that the visitor did not read.
    pub(super) fn end(mut self) -> Result<(), Declined> {
        // Removed elements at the end are no error.
        if self.next_kept()? {
            return Err(self.decoder.decline());
        }
        self.decoder.step(|decoder| decoder.scan.leave(b']'))
    }
}

impl<'j> SeqAccess<'j> for Elements<'_, 'j, '_> {
    type Error = Declined;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Declined>
    where
        S: DeserializeSeed<'j>,
    {
        if !self.next_kept()? {
            return Ok(None);
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        let below = self.below.take();
        seed.deserialize(Deserialize(Here { decoder: self.decoder, place: below.as_ref() }))
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

/// Access to the kept fields of an object.
pub(super) struct Fields<'d, 'j, 't> {
    decoder: &'d mut Decoder<'j>,
    place: Option<&'d Place<'t>>,
    /// The place of the next value.
    below: Option<Place<'t>>,
    first: bool,
    /// True for the fields of the decoded object itself.
    is_root: bool,
}

impl<'d, 'j, 't> Fields<'d, 'j, 't> {
    pub(super) fn new(decoder: &'d mut Decoder<'j>, place: Option<&'d Place<'t>>) -> Self {
        let is_root = decoder.scan.depth() == 1;
        decoder.is_object |= is_root;
        Self { decoder, place, below: None, first: true, is_root }
    }

    /// Steps to the value of the next kept field and returns the field's name; `None` at the end of the
    /// object.
    #[inline]
    fn next_kept(&mut self) -> Result<Option<Text<'j>>, Declined> {
        loop {
            let first = std::mem::take(&mut self.first);
            let decoder = &mut *self.decoder;
            if !decoder.step(|decoder| decoder.scan.next(first, b'}'))? {
                self.first = first;
                return Ok(None);
            }
            let name = decoder.step(Decoder::name)?;
            if self.is_root && decoder.key(name).name() == KIND {
                decoder.kind = Some(decoder.scan.position());
            }
            let Some(place) = self.place else { return Ok(Some(name)) };
            self.below = place.field(decoder.key(name).name());
            if !self.below.as_ref().is_some_and(Place::ends) {
                return Ok(Some(name));
            }
            decoder.step(Decoder::skip)?;
        }
    }

    /// Steps out of the object. Fails if it has kept fields that the visitor did not read.
    pub(super) fn end(mut self) -> Result<(), Declined> {
        match self.next_kept()? {
            None => self.decoder.step(|decoder| decoder.scan.leave(b'}')),
            Some(_) => Err(self.decoder.decline()),
        }
    }
}

impl<'j> MapAccess<'j> for Fields<'_, 'j, '_> {
    type Error = Declined;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Declined>
    where
        S: DeserializeSeed<'j>,
    {
        let Some(name) = self.next_kept()? else { return Ok(None) };
        let key = self.decoder.key(name);
        // After this error, `serde_json` would go on within the name.
        seed.deserialize(key).map(Some).map_err(|_| self.decoder.decline())
    }

    fn next_value_seed<S: DeserializeSeed<'j>>(&mut self, seed: S) -> Result<S::Value, Declined> {
        let below = self.below.take();
        seed.deserialize(Deserialize(Here { decoder: self.decoder, place: below.as_ref() }))
    }
}
