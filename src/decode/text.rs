//! A position in JSON text, with the state of decoding.

use memchr::memchr;

use crate::{
    filter::Place,
    json::{Counts, Declined, Fault, FieldName, Quoted, Scanner},
};

/// A position in the bytes, with the state of decoding.
pub(super) struct Decoder<'j> {
    pub(super) scan: Scanner<'j>,
    /// A part of the bytes that is known to be UTF-8, and where it begins.
    text: (usize, &'j str),
    pub(super) counts: Counts,
    /// Set if the decoded value is an object whose fields were read.
    pub(super) is_object: bool,
    /// The start of the value of `kind` in the decoded object, if it has one.
    pub(super) kind: Option<usize>,
    /// The last string with escapes, unescaped.
    pub(super) unescaped: String,
    /// True if `serde_json` might be at another position. Types may swallow errors and go on, so this
    /// can happen without an error.
    pub(super) lost: bool,
}

/// A string, small enough to be returned in registers.
#[derive(Clone, Copy)]
pub(super) enum Text<'j> {
    Written(&'j str),
    /// The string is in `Decoder::unescaped`.
    Unescaped,
}

impl<'j> Decoder<'j> {
    /// Makes a decoder of the bytes. `text` is a prefix of them that is known to be UTF-8.
    pub(super) fn new(bytes: &'j [u8], text: &'j str) -> Self {
        Self {
            scan: Scanner::new(bytes, 0),
            text: (0, text),
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
    pub(super) fn string(&mut self) -> Result<Text<'j>, Fault> {
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
        let bytes = self.scan.from(start);
        let bytes = &bytes[..bytes.len().min(end - start + LOOKAHEAD)];
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
            let written = self.scan.with_quotes(quoted);
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
}

/// The value at the decoder's position.
pub(super) struct Here<'d, 'j, 't> {
    pub(super) decoder: &'d mut Decoder<'j>,
    /// `None` if no part of the value is removed.
    pub(super) place: Option<&'d Place<'t>>,
}
