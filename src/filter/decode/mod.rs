//! Decodes JSON into any type, and skips removed fields.
//!
//! The result equals that of `serde_json` on the text that is left. If that isn't certain, the decoder
//! gives up, and `serde_json` decides. The decoder reports no errors of its own: it gives up on them,
//! too.

mod here;
mod items;
#[cfg(test)]
mod tests;
mod variant;

use memchr::memchr;
use serde::de::DeserializeOwned;

use self::here::Here;
use super::tree::Place;
use crate::json::{Counts, Declined, Fault, FieldName, MAX_DEPTH, Quoted, Scanner};

/// A decoded object.
pub(crate) struct Decoded<T> {
    pub(crate) object: T,
    /// The end of the object in the JSON.
    pub(crate) end: usize,
    /// The start of the value of `kind`; the last one if there are several.
    pub(crate) kind: Option<usize>,
}

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
    let object = T::deserialize(Here { decoder: &mut decoder, place }).ok()?;
    if decoder.lost {
        return None;
    }
    let end = decoder.scan.position();
    let kind = if decoder.is_object { decoder.kind } else { kind_in(&bytes[..end]) };
    Some(Decoded { object, end, kind })
}

/// Returns the start of the value of `kind` in the object in the bytes; the last one if there are
/// several.
pub(crate) fn kind_in(bytes: &[u8]) -> Option<usize> {
    let mut kind = None;
    // A `kind` before a syntax error counts.
    let _ = seek_kind(&mut Scanner::new(bytes, 0), &mut kind);
    kind
}

fn seek_kind(scan: &mut Scanner<'_>, kind: &mut Option<usize>) -> Result<(), Fault> {
    scan.space();
    scan.eat(b'{')?;
    loop {
        scan.space();
        let name = scan.string()?;
        scan.space();
        scan.eat(b':')?;
        scan.space();
        if scan.unescape(name).is_ok_and(|name| name == KIND) {
            *kind = Some(scan.position());
        }
        scan.skip_value()?;
        scan.space();
        scan.eat(b',')?;
    }
}

const KIND: &str = "kind";

/// A position in the bytes, with the state of decoding.
struct Decoder<'j> {
    bytes: &'j [u8],
    scan: Scanner<'j>,
    depth: usize,
    /// A part of the bytes that is known to be UTF-8, and where it begins.
    text: (usize, &'j str),
    counts: Counts,
    /// Set if the decoded value is an object whose fields were read.
    is_object: bool,
    /// The start of the value of `kind` in the decoded object, if it has one.
    kind: Option<usize>,
    /// The last string with escapes, unescaped.
    unescaped: String,
    /// True if `serde_json` might be at another position. Types may swallow errors and go on, so this
    /// can happen without an error.
    lost: bool,
}

/// A string, small enough to be returned in registers.
#[derive(Clone, Copy)]
enum Text<'j> {
    Written(&'j str),
    /// The string is in `Decoder::unescaped`.
    Unescaped,
}

impl<'j> Decoder<'j> {
    fn new(bytes: &'j [u8]) -> Self {
        Self {
            bytes,
            scan: Scanner::new(bytes, 0),
            depth: 0,
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
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Declined> {
        step(self).map_err(|_| self.decline())
    }

    #[cold]
    fn decline(&mut self) -> Declined {
        self.lost = true;
        Declined
    }

    /// Returns the first byte of the next value, which determines its kind.
    #[inline]
    fn peek(&mut self) -> Result<u8, Declined> {
        self.step(|decoder| decoder.scan.peek())
    }

    fn enter(&mut self, open: u8) -> Result<(), Fault> {
        self.scan.eat(open)?;
        if self.depth == MAX_DEPTH {
            return Err(Fault::Malformed);
        }
        self.depth += 1;
        Ok(())
    }

    /// Steps to the next item. Returns `false` at the end of the container.
    #[inline]
    fn next(&mut self, first: bool, close: u8) -> Result<bool, Fault> {
        self.scan.space();
        if self.scan.peek()? == close {
            return Ok(false);
        }
        if !first {
            self.scan.eat(b',')?;
            self.scan.space();
            if self.scan.peek()? == close {
                return Err(Fault::Malformed);
            }
        }
        Ok(true)
    }

    fn leave(&mut self, close: u8) -> Result<(), Fault> {
        self.scan.space();
        self.scan.eat(close)?;
        self.depth -= 1;
        Ok(())
    }

    /// Steps from the end of a name to its value.
    #[inline]
    fn colon(&mut self) -> Result<(), Fault> {
        self.scan.space();
        self.scan.eat(b':')?;
        self.scan.space();
        Ok(())
    }

    /// Steps over a name and to its value.
    #[inline]
    fn name(&mut self) -> Result<Text<'j>, Fault> {
        let name = self.string()?;
        self.colon()?;
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
    fn key(&self, name: Text<'j>) -> FieldName<'_, 'j> {
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
    fn skip(&mut self) -> Result<(), Fault> {
        self.scan.skip_value()
    }

    /// Steps over a value that is kept but not decoded, and checks it.
    fn check(&mut self) -> Result<(), Fault> {
        match self.scan.peek()? {
            b'{' => {
                self.enter(b'{')?;
                let mut first = true;
                while self.next(first, b'}')? {
                    self.scan.string()?;
                    self.colon()?;
                    self.check()?;
                    first = false;
                }
                self.leave(b'}')
            }
            b'[' => {
                self.enter(b'[')?;
                let mut first = true;
                while self.next(first, b']')? {
                    self.check()?;
                    first = false;
                }
                self.leave(b']')
            }
            b'"' => self.scan.string().map(drop),
            _ => self.scan.literal().map(drop),
        }
    }
}
