//! Reads a tape: positions and values.

use std::borrow::Cow;

use super::{
    dictionary,
    format::{
        ARRAY, END, ESCAPED, FALSE, INTEGER, LARGE_ARRAY, LARGE_OBJECT, LONG_STRING, NULL, NUMBER,
        OBJECT, OTHER_NAME, SHORT_STRING, SMALL_INTEGER, STRING, TRUE, TWO_BYTES,
    },
};

/// A position on a tape, before a value or before a field.
///
/// Invalid data is read as some other value or as null. Reading never panics and never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tape<'t> {
    text: &'t str,
    at: usize,
}

/// A value on a tape.
pub(crate) enum Value<'t> {
    Null,
    Bool(bool),
    Integer(u64),
    /// Any other number, as written.
    Number(&'t str),
    String(&'t str),
    /// A string with escapes, as written, with its quotes.
    Escaped(&'t str),
    /// An object, whose fields come next, up to this position.
    Object(usize),
    /// An array, whose elements come next, up to this position.
    Array(usize),
}

impl<'t> Tape<'t> {
    /// Makes a position before the value at the start.
    #[inline]
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the distance from the start of the tape.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Returns whether the position is before an end that [`next`](Self::next) returned.
    #[inline]
    pub(crate) fn is_before(&self, end: usize) -> bool {
        self.at < end.min(self.text.len())
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(NULL)
    }

    #[inline]
    fn digits<const N: usize>(&mut self) -> usize {
        let start = self.at;
        self.at += N;
        (start..self.at).fold(0, |all, at| all << 7 | usize::from(self.byte(at)))
    }

    #[inline]
    fn text(&mut self, len: usize) -> &'t str {
        let start = self.at;
        self.at += len;
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn integer(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let digit = self.byte(self.at);
            self.at += 1;
            number |= u64::from(digit & 63) << shift;
            shift += 6;
            if digit < 64 || shift > 60 {
                return number;
            }
        }
    }

    /// Reads the value that begins with the byte `first`, which was stepped over.
    #[inline]
    fn value(&mut self, first: u8) -> Value<'t> {
        match first {
            SHORT_STRING..END => Value::String(self.text(usize::from(first - SHORT_STRING))),
            SMALL_INTEGER..SHORT_STRING => Value::Integer((first - SMALL_INTEGER).into()),
            STRING => {
                let len = self.digits::<2>();
                Value::String(self.text(len))
            }
            LONG_STRING => {
                let len = self.digits::<4>();
                Value::String(self.text(len))
            }
            OBJECT => Value::Object(self.digits::<2>() + self.at),
            ARRAY => Value::Array(self.digits::<2>() + self.at),
            LARGE_OBJECT => Value::Object(self.digits::<4>() + self.at),
            LARGE_ARRAY => Value::Array(self.digits::<4>() + self.at),
            FALSE | TRUE => Value::Bool(first == TRUE),
            INTEGER => Value::Integer(self.integer()),
            NUMBER => Value::Number(self.string()),
            ESCAPED => Value::Escaped(self.string()),
            _ => Value::Null,
        }
    }

    /// Returns the next value; steps over a scalar, or into a container.
    #[inline]
    pub(crate) fn next(&mut self) -> Value<'t> {
        let first = self.byte(self.at);
        self.at += 1;
        self.value(first)
    }

    fn string(&mut self) -> &'t str {
        match self.next() {
            Value::String(text) => text,
            _ => "",
        }
    }

    /// Steps over a value.
    #[inline]
    pub(crate) fn skip(&mut self) {
        if let Value::Object(end) | Value::Array(end) = self.next() {
            self.at = end;
        }
    }

    /// Steps over the name of a field.
    #[inline]
    pub(crate) fn name(&mut self) -> Name<'t> {
        let first = self.byte(self.at);
        self.at += 1;
        match first {
            OTHER_NAME => match self.next() {
                Value::String(name) => Name::Other(name),
                Value::Escaped(quoted) => Name::Escaped(quoted),
                _ => Name::Other(""),
            },
            TWO_BYTES.. => {
                let second = self.digits::<1>();
                let first = usize::from(first - TWO_BYTES);
                Name::Number(usize::from(TWO_BYTES) + (first << 7) + second)
            }
            _ => Name::Number(first.into()),
        }
    }

    /// Steps into an object to the value of a field. Returns `false` if the value is not an object or
    /// has no such field.
    #[inline]
    pub(crate) fn seek(&mut self, name: &str) -> bool {
        self.seek_known(name, dictionary::number(name))
    }

    /// Does the same as [`seek`](Self::seek); `number` is that of the name in the dictionary.
    #[inline]
    pub(crate) fn seek_known(&mut self, name: &str, number: Option<usize>) -> bool {
        let Value::Object(end) = self.next() else { return false };
        while self.is_before(end) {
            let found = match self.name() {
                Name::Number(own) => Some(own) == number,
                other => other.text() == name,
            };
            if found {
                return true;
            }
            self.skip();
        }
        false
    }

    /// Returns the number of values up to `end`.
    pub(crate) fn count(mut self, end: usize) -> usize {
        let mut count = 0;
        while self.is_before(end) {
            self.skip();
            count += 1;
        }
        count
    }
}

/// The name of a field.
pub(crate) enum Name<'t> {
    Number(usize),
    Other(&'t str),
    /// A name with escapes, as written, with its quotes.
    Escaped(&'t str),
}

impl<'t> Name<'t> {
    #[inline]
    pub(crate) fn text(self) -> Cow<'t, str> {
        match self {
            Self::Escaped(quoted) => Cow::Owned(unescape(quoted)),
            name => Cow::Borrowed(name.plain()),
        }
    }

    /// Returns the text of a name without escapes.
    #[inline]
    pub(super) fn plain(self) -> &'t str {
        match self {
            Self::Number(number) => dictionary::name(number),
            Self::Other(name) | Self::Escaped(name) => name,
        }
    }
}

/// Returns the string without its quotes and escapes.
#[cold]
pub(crate) fn unescape(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_default()
}
