//! Decodes JSON text, and skips removed fields.

use memchr::memchr;
use serde::de::{DeserializeOwned, Visitor};

use super::{
    Decoded,
    items::{Elements, Fields},
    kind::kind_in,
};
use crate::{
    filter::{Place, cut},
    json::{
        self, Counts, Declined, Deserialize, Fault, FieldName, Kind, NextValue, Number, Quoted,
        Scanner, Variant,
    },
};

/// Decodes the value at the start of the bytes, without everything that ends at `place` or below.
/// Returns `None` if `serde_json` has to decide.
///
/// `text` is a prefix of the bytes that is known to be UTF-8.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    text: &str,
    place: Option<&Place<'_>>,
) -> Option<Decoded<T>> {
    let mut decoder = Decoder::new(bytes);
    decoder.text = (0, text);
    decoder.scan.space();
    let object = T::deserialize(Deserialize(Here { decoder: &mut decoder, place })).ok()?;
    if decoder.lost {
        return None;
    }
    let end = decoder.scan.position();
    let kind = if decoder.is_object { decoder.kind } else { kind_in(&bytes[..end]) };
    Some(Decoded { object, end, kind })
}

/// A position in the bytes, with the state of decoding.
pub(super) struct Decoder<'j> {
    bytes: &'j [u8],
    pub(super) scan: Scanner<'j>,
    /// A part of the bytes that is known to be UTF-8, and where it begins.
    text: (usize, &'j str),
    counts: Counts,
    /// Set if the decoded value is an object whose fields were read.
    pub(super) is_object: bool,
    /// The start of the value of `kind` in the decoded object, if it has one.
    pub(super) kind: Option<usize>,
    /// The last string with escapes, unescaped.
    unescaped: String,
    /// True if `serde_json` might be at another position. Types may swallow errors and go on, so this
    /// can happen without an error.
    lost: bool,
}

/// A string, small enough to be returned in registers.
#[derive(Clone, Copy)]
pub(super) enum Text<'j> {
    Written(&'j str),
    /// The string is in `Decoder::unescaped`.
    Unescaped,
}

impl<'j> Decoder<'j> {
    fn new(bytes: &'j [u8]) -> Self {
        Self {
            bytes,
            scan: Scanner::new(bytes, 0),
            text: (0, ""),
            counts: Counts::default(),
            is_object: false,
            kind: None,
            unescaped: String::new(),
            lost: false,
        }
    }

    /// Does a step. After a failure, the position of the decoder doesn't matter.
    #[inline]
    pub(super) fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Declined> {
        step(self).map_err(|_| self.decline())
    }

    #[cold]
    pub(super) fn decline(&mut self) -> Declined {
        self.lost = true;
        Declined
    }

    /// Steps over a name and to its value.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Text<'j>, Fault> {
        let name = self.string()?;
        self.scan.colon()?;
        Ok(name)
    }

    #[inline]
    fn string(&mut self) -> Result<Text<'j>, Fault> {
        let (start, whole) = self.scan.begin_string()?;
        if !whole {
            return self.escaped_string(start);
        }
        self.written(start, self.scan.position() - 1).map(Text::Written)
    }

    /// Returns a string as the name of a field.
    #[inline]
    pub(super) fn key(&self, name: Text<'j>) -> FieldName<'_, 'j> {
        match name {
            Text::Written(name) => FieldName::Written(name),
            Text::Unescaped => FieldName::Unescaped(&self.unescaped),
        }
    }

    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<Text<'j>, Fault> {
        let quoted = self.scan.escaped_string(start)?;
        self.unescape(quoted)?;
        Ok(Text::Unescaped)
    }

    /// Returns the text between these positions, which lie in a string.
    #[inline]
    fn written(&mut self, start: usize, end: usize) -> Result<&'j str, Fault> {
        if start < self.text.0 || end > self.text.0 + self.text.1.len() {
            self.read_text(start, end)?;
        }
        let (from, text) = self.text;
        Ok(&text[start - from..end - from])
    }

    /// Checks that the bytes between these positions are UTF-8, together with some bytes that follow:
    /// checking short strings one at a time takes longer.
    #[cold]
    fn read_text(&mut self, start: usize, end: usize) -> Result<(), Fault> {
        const LOOKAHEAD: usize = 1024;
        let bytes = &self.bytes[start..self.bytes.len().min(end + LOOKAHEAD)];
        let text =
            str::from_utf8(bytes).or_else(|error| str::from_utf8(&bytes[..error.valid_up_to()]));
        let text = text.unwrap_or_default();
        self.text = (start, text);
        if text.len() < end - start { Err(Fault::Malformed) } else { Ok(()) }
    }

    fn unescape(&mut self, quoted: Quoted) -> Result<(), Fault> {
        let mut rest = self.written(quoted.start, quoted.end)?;
        let own = &mut self.unescaped;
        own.clear();
        if quoted.halves {
            let written = &self.bytes[quoted.start - 1..=quoted.end];
            *own = serde_json::from_slice(written).map_err(|_| Fault::Malformed)?;
            return Ok(());
        }
        while let Some(at) = memchr(b'\\', rest.as_bytes()) {
            own.push_str(&rest[..at]);
            let mut len = 2;
            own.push(match rest.as_bytes()[at + 1] {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    len = 6;
                    let unit = u32::from_str_radix(&rest[at + 2..at + 6], 16);
                    unit.ok().and_then(char::from_u32).ok_or(Fault::Malformed)?
                }
                itself => itself.into(),
            });
            rest = &rest[at + len..];
        }
        own.push_str(rest);
        Ok(())
    }

    /// Steps over a value that is removed.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        self.scan.skip_value()
    }

    /// Steps over a value that is kept but not decoded, and checks it.
    fn check(scan: &mut Scanner<'_>) -> Result<(), Fault> {
        match scan.peek()? {
            b'{' => scan.fields(|scan, _| Self::check(scan)),
            b'[' => scan.elements(|scan, _| Self::check(scan)),
            b'"' => scan.string().map(drop),
            _ => scan.literal().map(drop),
        }
    }
}

/// The value at the decoder's position.
pub(super) struct Here<'d, 'j, 't> {
    pub(super) decoder: &'d mut Decoder<'j>,
    /// `None` if no part of the value is removed.
    pub(super) place: Option<&'d Place<'t>>,
}

impl<'j> NextValue<'j> for Here<'_, 'j, '_> {
    #[inline]
    fn kind(&mut self) -> Result<Kind, Declined> {
        Ok(match self.decoder.step(|decoder| decoder.scan.peek())? {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ => Kind::Number,
        })
    }

    fn null(self) -> Result<(), Declined> {
        self.decoder.step(|decoder| decoder.scan.null())
    }

    fn bool(mut self) -> Result<bool, Declined> {
        if self.kind()? != Kind::Bool {
            return Err(self.decoder.decline());
        }
        let start = self.decoder.scan.position();
        self.decoder.step(|decoder| decoder.scan.literal())?;
        Ok(self.decoder.scan.since(start) == b"true")
    }

    #[inline]
    fn string<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, .. } = self;
        match decoder.step(Decoder::string)? {
            Text::Written(text) => visitor.visit_borrowed_str(text),
            Text::Unescaped => visitor.visit_str(&decoder.unescaped),
        }
    }

    fn number<V: Visitor<'j>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut Number<'j>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        let Self { decoder, .. } = self;
        if let Some(integer) = decoder.scan.small_integer() {
            return match u64::try_from(integer) {
                Ok(integer) => visitor.visit_u64(integer),
                Err(_) => visitor.visit_i64(integer),
            };
        }
        let start = decoder.scan.position();
        decoder.step(|decoder| decoder.scan.number())?;
        let mut inner = Number::from_slice(decoder.scan.since(start));
        visit(&mut inner, visitor).map_err(|_| decoder.decline())
    }

    fn array<V: Visitor<'j>>(self, visitor: V, count: bool) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let count = count || place.is_some_and(Place::counts_back);
        let start = decoder.scan.position();
        let is_empty = decoder.step(|decoder| {
            decoder.scan.enter(b'[')?;
            decoder.scan.space();
            Ok(decoder.scan.peek()? == b']')
        })?;
        let elements = || decoder.counts.elements(decoder.bytes, start);
        let len = if is_empty { Some(0) } else { count.then(elements) };
        let mut elements = Elements::new(decoder, place, len);
        let value = visitor.visit_seq(&mut elements);
        elements.end()?;
        value
    }

    fn object<V: Visitor<'j>>(self, visitor: V) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        decoder.step(|decoder| decoder.scan.enter(b'{'))?;
        let mut fields = Fields::new(decoder, place);
        let value = visitor.visit_map(&mut fields);
        fields.end()?;
        value
    }

    fn variant<V: Visitor<'j>>(self, visitor: Variant<V>) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let value = Here { decoder: &mut *decoder, place }.object(visitor);
        value.map_err(|_| decoder.decline())
    }

    fn rare<V: Visitor<'j>>(
        self,
        visitor: V,
        visit: impl FnOnce(&mut json::Text<'_>, V) -> Result<V::Value, serde_json::Error>,
    ) -> Result<V::Value, Declined> {
        let Self { decoder, place } = self;
        let start = decoder.scan.position();
        decoder.step(Decoder::skip)?;
        let text = str::from_utf8(decoder.scan.since(start)).map_err(|_| decoder.decline())?;
        let text = match place {
            Some(place) => cut::from_json(text, place).map_err(|_| decoder.decline())?,
            None => text.into(),
        };
        let mut inner = json::Text::from_reader(text.as_bytes());
        let value = visit(&mut inner, visitor).and_then(|value| inner.end().map(|()| value));
        value.map_err(|_| decoder.decline())
    }

    fn skip(self) -> Result<(), Declined> {
        self.decoder.step(|decoder| Decoder::check(&mut decoder.scan))
    }
}
