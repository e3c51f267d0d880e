//! Reads JSON text in place: no tree, no copies.
//!
//! A [`Scanner`] checks received bytes. [`Counts`] counts the elements of arrays in them. A `Cursor`
//! steps over text that was validated before (by `serde_json`, for instance as a `RawValue`) and checks
//! only what it needs to find its way. On other text the cursor may skip a syntax error, but it never
//! panics, never loops and never recurses: it returns `Malformed` or some part of the text.

mod count;
mod field_name;
mod mask;
mod scan;
mod skip;

use std::{borrow::Cow, ops::Range};

use serde_json::Value;

#[cfg(test)]
pub(crate) use self::skip::taken_looked_at;
pub(crate) use self::{
    count::Counts,
    field_name::{Declined, FieldName, RAW, is_reserved},
    scan::{Fault, Quoted, Scanner},
    skip::Skip,
};

/// The maximum depth of nested containers to decode, as in `serde_json`. Stepping over containers has no
/// limit.
pub(crate) const MAX_DEPTH: usize = 127;

/// A position in JSON text, and its depth.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'j> {
    text: &'j str,
    at: usize,
    depth: usize,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Object,
    Array,
    String,
    /// A number, `true`, `false` or `null`.
    Literal,
}

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A string as written, with its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawStr<'j> {
    quoted: &'j str,
    escaped: bool,
}

/// Returns whether a byte is white space in JSON.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Decodes the bytes with `serde_json`. A `Value` takes many times the memory of the text.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Value, Fault> {
    #[cfg(test)]
    DECODED.set(DECODED.get() + bytes.len());
    serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
thread_local! {
    /// The number of bytes [`decoded`] in this thread.
    pub(crate) static DECODED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl<'j> Cursor<'j> {
    /// Makes a cursor before the first value of `text`.
    pub(crate) fn new(text: &'j str) -> Self {
        let mut cursor = Self { text, at: 0, depth: 0 };
        cursor.skip_space();
        cursor
    }

    /// Returns the byte position of the cursor. Before a value, this is the start of the value.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Returns the kind of the value at the cursor.
    pub(crate) fn kind(&self) -> Result<ValueKind, Malformed> {
        match self.peek() {
            Some(b'{') => Ok(ValueKind::Object),
            Some(b'[') => Ok(ValueKind::Array),
            Some(b'"') => Ok(ValueKind::String),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => Ok(ValueKind::Literal),
            _ => Err(Malformed),
        }
    }

    /// Steps into the object at the cursor; [`next_field`](Self::next_field) returns its fields.
    pub(crate) fn enter_object(&mut self) -> Result<(), Malformed> {
        self.enter(b'{')
    }

    /// Steps into the array at the cursor; [`next_element`](Self::next_element) returns its elements.
    pub(crate) fn enter_array(&mut self) -> Result<(), Malformed> {
        self.enter(b'[')
    }

    /// Steps to the value of the next field, which the caller has to step over. Returns the start of the
    /// field and its name; `None` after stepping out of the object.
    pub(crate) fn next_field(&mut self) -> Result<Option<(usize, RawStr<'j>)>, Malformed> {
        if !self.next(b'{', b'}')? {
            return Ok(None);
        }
        let start = self.at;
        let name = self.string()?;
        self.skip_space();
        self.eat(b':')?;
        self.skip_space();
        Ok(Some((start, name)))
    }

    /// Steps to the next element, which the caller has to step over. Returns `false` after stepping out
    /// of the array.
    pub(crate) fn next_element(&mut self) -> Result<bool, Malformed> {
        self.next(b'[', b']')
    }

    /// Steps out of the entered container, from the end of any item.
    pub(crate) fn leave(&mut self) -> Result<(), Malformed> {
        self.skip_rest(self.depth.checked_sub(1).ok_or(Malformed)?)
    }

    /// Steps over the string at the cursor.
    pub(crate) fn string(&mut self) -> Result<RawStr<'j>, Malformed> {
        let start = self.at;
        let escaped = self.skip_string()?;
        let quoted = self.text.get(start..self.at).ok_or(Malformed)?;
        Ok(RawStr { quoted, escaped })
    }

    /// Steps over the value at the cursor, of any kind, and returns its range.
    pub(crate) fn skip_value(&mut self) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        match self.kind()? {
            ValueKind::Object | ValueKind::Array => self.skip_container()?,
            ValueKind::String => {
                self.skip_string()?;
            }
            ValueKind::Literal => {
                let rest = &self.text.as_bytes()[self.at..];
                self.at += rest.iter().position(|&byte| ends_literal(byte)).unwrap_or(rest.len());
            }
        }
        Ok(start..self.at)
    }

    /// Steps over the value at the cursor and returns its text.
    pub(crate) fn value(&mut self) -> Result<&'j str, Malformed> {
        let range = self.skip_value()?;
        self.text.get(range).ok_or(Malformed)
    }

    /// Steps over the array at the cursor and returns the number of its elements.
    pub(crate) fn count_elements(&mut self) -> Result<usize, Malformed> {
        let mut count = 0;
        self.enter_array()?;
        while self.next_element()? {
            self.skip_value()?;
            count += 1;
        }
        Ok(count)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn enter(&mut self, open: u8) -> Result<(), Malformed> {
        // The cursor stays at the bracket, by which `next` recognizes the first item.
        if self.peek() != Some(open) {
            return Err(Malformed);
        }
        self.depth += 1;
        Ok(())
    }

    /// Steps to the next item of the entered container, or out of the container.
    fn next(&mut self, open: u8, close: u8) -> Result<bool, Malformed> {
        self.skip_space();
        let first = self.peek() == Some(open);
        if first {
            self.at += 1;
            self.skip_space();
        }
        if self.peek() == Some(close) {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !first {
            self.eat(b',')?;
            self.skip_space();
        }
        // If the item began with a second such bracket, the next call would take it for the container's
        // own.
        self.kind().map(|_| true)
    }

    fn skip_container(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        self.skip_rest(self.depth)
    }

    /// Steps from within a container to its end; `outside` is the depth there.
    fn skip_rest(&mut self, outside: usize) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).ok_or(Malformed)?;
        self.at += Skip::within().step(rest).ok_or(Malformed)?;
        self.depth = outside;
        Ok(())
    }

    /// Steps over a string and returns whether it has escapes.
    fn skip_string(&mut self) -> Result<bool, Malformed> {
        self.eat(b'"')?;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            self.at += plain_bytes::<false>(&bytes[self.at.min(bytes.len())..]);
            if *bytes.get(self.at).ok_or(Malformed)? == b'"' {
                self.at += 1;
                return Ok(escaped);
            }
            escaped = true;
            self.at += 2;
        }
    }
}

impl<'j> RawStr<'j> {
    /// Returns the string without quotes and escapes.
    pub(crate) fn unescape(self) -> Result<Cow<'j, str>, Malformed> {
        match self.unescaped() {
            Some(plain) => Ok(Cow::Borrowed(plain)),
            None => serde_json::from_str(self.quoted).map(Cow::Owned).map_err(|_| Malformed),
        }
    }

    /// Returns whether the unescaped string equals `name`.
    pub(crate) fn is(self, name: &str) -> bool {
        match self.unescaped() {
            Some(plain) => plain == name,
            None => self.unescape().is_ok_and(|own| own == name),
        }
    }

    fn unescaped(self) -> Option<&'j str> {
        if self.escaped { None } else { self.quoted.get(1..self.quoted.len() - 1) }
    }
}

/// Returns the number of bytes before the first quote or backslash (or control character, if `CONTROL`).
/// It compares eight bytes at a time.
#[inline]
fn plain_bytes<const CONTROL: bool>(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    const ESCAPES: u64 = u64::from_le_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let (quotes, escapes) = (word ^ QUOTES, word ^ ESCAPES);
        // The high bit is set here for the lowest byte that matches; bits above it may be wrong.
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let mut found = zero(quotes) | zero(escapes);
        if CONTROL {
            found |= word.wrapping_sub(SPACES) & !word;
        }
        if found & HIGH != 0 {
            return index * 8 + ((found & HIGH).trailing_zeros() / 8) as usize;
        }
    }
    let sought = |byte: &u8| matches!(byte, b'"' | b'\\') || (CONTROL && *byte < b' ');
    words.len() * 8 + rest.iter().position(sought).unwrap_or(rest.len())
}

fn ends_literal(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':' | b'"' | b'{' | b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_over_objects_and_arrays() {
        let text = r#" { "a" : [ 1 , {"x":"]"} ] , "b\u002e" : "q\"" , "c":{} } "#;
        let mut cursor = Cursor::new(text);
        let mut fields = Vec::new();
        cursor.enter_object().unwrap();
        while let Some((start, name)) = cursor.next_field().unwrap() {
            assert_eq!(&text[start..=start], "\"");
            fields.push((name.unescape().unwrap(), cursor.value().unwrap()));
        }
        let want = [("a", r#"[ 1 , {"x":"]"} ]"#), ("b.", r#""q\"""#), ("c", "{}")];
        assert_eq!(fields, want.map(|(name, value)| (Cow::Borrowed(name), value)));
        assert_eq!(cursor.depth, 0);
    }

    #[test]
    fn counts_elements() {
        for (text, count) in [("[]", 0), ("[ ]", 0), ("[[]]", 1), ("[[],[1,2],{},\"\",3]", 5)] {
            assert_eq!(Cursor::new(text).count_elements(), Ok(count), "{text}");
        }
    }

    #[test]
    fn finds_quotes_and_escapes_at_every_offset() {
        for length in 0..40 {
            for end in ["\"", "\\", "é\""] {
                let text = format!("{}{end}", "x".repeat(length));
                assert_eq!(plain_bytes::<true>(text.as_bytes()), text.find(['"', '\\']).unwrap());
            }
            assert_eq!(plain_bytes::<true>("\u{a2}!#[]".repeat(length).as_bytes()), 6 * length);
        }
    }

    #[test]
    fn names_are_compared_without_escapes() {
        let name = |text| Cursor::new(text).string().unwrap();
        assert!(name(r#""a\u002eb""#).is("a.b"));
        assert!(name(r#""a.b""#).is("a.b"));
        assert!(!name(r#""a\\u002eb""#).is("a.b"));
        assert!(!name(r#""\ud800""#).is("\u{fffd}"));
        assert_eq!(name(r#""\ud83d\ude00""#).unescape().unwrap(), "\u{1f600}");
    }

    /// SEMANTICS: W12
    #[test]
    fn any_depth_is_stepped_over() {
        for depth in [1, 2, 126, 127, 128, 129, 100_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(Cursor::new(&text).skip_value(), Ok(0..text.len()), "{depth}");
            let unclosed = "{\"a\":".repeat(depth);
            assert_eq!(Cursor::new(&unclosed).skip_value(), Err(Malformed));
        }
    }

    #[test]
    fn malformed_text_ends() {
        // Each word is a text; `_` stands for a space in it.
        let texts = r#"
            _ { [ " "\ {" {"a" {"a": {"a":1 {"a":1_ {a:1} [1 [1, ] } [[[ {[ [} é "\é [1_2] [1[2] {"a"_1}
            [,] {,} : ["a {"a":} [{] \ {"a":1{"b":2} {"a":1,} [1,] {"a":1,,} {"a"} {:1} {1:1} nul- -
        "#;
        for text in texts.split_whitespace().chain([""]) {
            let text = text.replace('_', " ");
            let mut cursor = Cursor::new(&text);
            let _ = cursor.clone().skip_value();
            let _ = cursor.clone().value();
            let _ = cursor.clone().count_elements();
            if cursor.enter_object().is_ok() {
                while let Ok(Some(_)) = cursor.next_field() {
                    if cursor.value().is_err() {
                        break;
                    }
                }
            }
        }
    }
}
