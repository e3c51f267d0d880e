//! A scanner that checks JSON bytes as it steps over them.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    field_name::is_reserved,
    mask::Block,
    skip::{Skip, end_of_string},
};

/// The maximum depth of nested containers to decode, as in `serde_json`. Stepping over containers has no
/// limit.
pub(super) const MAX_DEPTH: usize = 127;

/// Returns whether a byte is white space in JSON.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Decodes the bytes with `serde_json`. A `Value` takes many times the memory of the text.
pub(crate) fn to_value(bytes: &[u8]) -> Result<Value, Fault> {
    #[cfg(test)]
    DECODED.set(DECODED.get() + bytes.len());
    serde_json::from_slice(bytes).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
thread_local! {
    /// The number of bytes [`to_value`] in this thread.
    pub(crate) static DECODED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The reason why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The value continues beyond the end of the bytes.
    Incomplete,
    Malformed,
}

/// A position in bytes that may be invalid JSON and may be incomplete.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'s> {
    bytes: &'s [u8],
    at: usize,
    /// The number of entered containers.
    depth: usize,
    /// True if the bytes are a whole text, in which a number may be last, and of which only the structure is
    /// checked.
    whole: bool,
    /// A mask of the quotes, backslashes and control characters among the 64 bytes before `marked`.
    marks: u64,
    marked: usize,
}

/// The range of a string, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) escaped: bool,
    /// True if the string has halves of surrogate pairs; whether they match is not checked.
    pub(crate) halves: bool,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(bytes: &'s [u8], at: usize) -> Self {
        Self { bytes, at, depth: 0, whole: false, marks: 0, marked: 0 }
    }

    /// Makes a scanner before the first value of a whole text.
    ///
    /// The text may be one that does not decode: invalid literals and strings are stepped over, so that
    /// everything else in the text is found.
    pub(crate) fn of_text(text: &'s str) -> Self {
        let mut scan = Self { whole: true, ..Self::new(text.as_bytes(), 0) };
        scan.space();
        scan
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Returns the bytes from `start` to the position.
    pub(crate) fn since(&self, start: usize) -> &'s [u8] {
        &self.bytes[start..self.at]
    }

    /// Returns the byte at the position.
    #[inline]
    pub(crate) fn peek(&self) -> Result<u8, Fault> {
        self.bytes.get(self.at).copied().ok_or(Fault::Incomplete)
    }

    /// Steps over one byte, which must have been peeked at.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek()? != byte {
            return Err(Fault::Malformed);
        }
        self.advance();
        Ok(())
    }

    #[inline]
    fn stands_before_space(&self) -> bool {
        self.bytes.get(self.at).is_some_and(|byte| is_space(*byte))
    }

    pub(crate) fn space(&mut self) {
        while self.stands_before_space() {
            self.at += 1;
        }
    }

    /// Steps over a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Quoted, Fault> {
        let (start, whole) = self.begin_string()?;
        if !whole {
            return self.escaped_string(start);
        }
        Ok(Quoted { start, end: self.at - 1, escaped: false, halves: false })
    }

    /// Steps into a string. Returns its start and whether the whole string, which then has no escapes,
    /// was stepped over with its closing quote. Else [`escaped_string`](Self::escaped_string) has to
    /// continue.
    #[inline]
    pub(crate) fn begin_string(&mut self) -> Result<(usize, bool), Fault> {
        self.eat(b'"')?;
        let start = self.at;
        self.seek_mark();
        let whole = self.bytes.get(self.at) == Some(&b'"');
        self.at += usize::from(whole);
        Ok((start, whole))
    }

    /// Steps over the rest of a string that starts at `start`.
    #[cold]
    pub(crate) fn escaped_string(&mut self, start: usize) -> Result<Quoted, Fault> {
        let mut quoted = Quoted { start, end: 0, escaped: true, halves: false };
        loop {
            match self.peek()? {
                b'"' => {
                    quoted.end = self.at;
                    self.at += 1;
                    return Ok(quoted);
                }
                b'\\' => self.escape(&mut quoted)?,
                _ if self.whole => self.advance(),
                _ => return Err(Fault::Malformed),
            }
            self.seek_mark();
        }
    }

    /// Steps to the next quote, backslash or control character, or to the end of the bytes.
    #[inline]
    fn seek_mark(&mut self) {
        if self.at < self.marked {
            let marks = self.marks >> (64 - (self.marked - self.at));
            if marks != 0 {
                self.at += marks.trailing_zeros() as usize;
                return;
            }
            self.at = self.marked;
        }
        self.seek_on();
    }

    fn seek_on(&mut self) {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            // Behind the end of the bytes there are zeros, which are control characters.
            self.marks = Block::first_of(rest).marks();
            self.marked = self.at + 64;
            if self.marks != 0 {
                self.at += self.marks.trailing_zeros() as usize;
                return;
            }
            self.at = self.marked;
        }
    }

    /// Returns the string without escapes.
    #[inline]
    pub(crate) fn unescape(&self, string: Quoted) -> Result<Cow<'s, str>, Fault> {
        let Quoted { start, end, escaped, .. } = string;
        if escaped {
            let own = serde_json::from_slice(self.with_quotes(string));
            return own.map(Cow::Owned).map_err(|_| Fault::Malformed);
        }
        let own = str::from_utf8(&self.bytes[start..end]);
        own.map(Cow::Borrowed).map_err(|_| Fault::Malformed)
    }

    /// Returns the string as written, with its quotes.
    pub(crate) fn with_quotes(&self, string: Quoted) -> &'s [u8] {
        &self.bytes[string.start - 1..=string.end]
    }

    /// Returns all bytes from `start` on; `start` must not be behind the position.
    #[inline]
    pub(crate) fn from(&self, start: usize) -> &'s [u8] {
        &self.bytes[start..]
    }

    /// Returns the next 32 bytes, if there are that many.
    #[inline]
    pub(crate) fn words(&self) -> Option<&'s [u8; 32]> {
        self.bytes.get(self.at..)?.first_chunk()
    }

    /// Steps over bytes that the caller has checked.
    #[inline]
    pub(crate) fn jump(&mut self, len: usize) {
        self.at += len;
    }

    /// Steps over a number, a boolean or null. Returns whether it is a number that may be too large for
    /// `serde_json`.
    pub(crate) fn literal(&mut self) -> Result<bool, Fault> {
        match self.peek()? {
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    pub(crate) fn null(&mut self) -> Result<(), Fault> {
        self.word(b"null").map(drop)
    }

    /// Steps over a number that `serde_json` accepts, a boolean or null.
    pub(crate) fn finite_literal(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.literal()? {
            to_value(self.since(start))?;
        }
        Ok(())
    }

    /// Checks the first field of an object; the scanner must be before the field's value.
    ///
    /// `serde_json` takes an object whose first name is reserved for another kind of value. The set of
    /// reserved names depends on the features of `serde_json`, so it is asked about the name.
    pub(crate) fn check_first(&self, name: &str) -> Result<(), Fault> {
        if !is_reserved(name) {
            return Ok(());
        }
        let name = Value::from(name).to_string();
        let takes = |value: &[u8]| {
            let object = [b"{", name.as_bytes(), b":", value, b"}"].concat();
            to_value(&object).is_ok()
        };
        if takes(b"7") {
            return Ok(());
        }
        let mut ahead = self.clone();
        ahead.string()?;
        let value = ahead.since(self.at);
        ahead.space();
        let is_whole = ahead.peek()? == b'}' && takes(value);
        is_whole.then_some(()).ok_or(Fault::Malformed)
    }

    /// Steps over a value; checks only where its strings and containers end.
    pub(crate) fn skip_value(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            b'{' | b'[' => {
                self.advance();
                let end = Skip::within().step(&self.bytes[self.at..]);
                self.at += end.ok_or(Fault::Incomplete)?;
                Ok(())
            }
            b'"' => {
                self.advance();
                let end = end_of_string(&self.bytes[self.at..], &mut false);
                self.at += end.ok_or(Fault::Incomplete)?;
                Ok(())
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' if self.whole => {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|byte| ends_literal(*byte)).unwrap_or(rest.len());
                Ok(())
            }
            _ => self.literal().map(drop),
        }
    }

    /// Steps over a value that is kept but not decoded, and checks it.
    pub(crate) fn check_value(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            b'{' => self.fields(|scan, _| scan.check_value()),
            b'[' => self.elements(|scan, _| scan.check_value()),
            b'"' => self.string().map(drop),
            _ => self.literal().map(drop),
        }
    }

    /// Steps into the container at the position. Fails if it is nested too deep to be decoded.
    #[inline]
    pub(crate) fn enter(&mut self, open: u8) -> Result<(), Fault> {
        self.eat(open)?;
        if self.depth == MAX_DEPTH {
            return Err(Fault::Malformed);
        }
        self.depth += 1;
        Ok(())
    }

    /// Steps to the next item of the entered container. Returns `false` at its end, where
    /// [`leave`](Self::leave) steps out of it.
    #[inline]
    pub(crate) fn next(&mut self, first: bool, close: u8) -> Result<bool, Fault> {
        self.space();
        if self.peek()? == close {
            return Ok(false);
        }
        if !first {
            self.eat(b',')?;
            self.space();
            if self.peek()? == close {
                return Err(Fault::Malformed);
            }
        }
        Ok(true)
    }

    /// Steps out of the entered container, from the end of any item.
    pub(crate) fn skip_rest(&mut self) -> Result<(), Fault> {
        let end = Skip::within().step(&self.bytes[self.at..]);
        self.at += end.ok_or(Fault::Incomplete)?;
        self.depth -= 1;
        Ok(())
    }

    /// Steps out of the entered container, from behind its last item.
    #[inline]
    pub(crate) fn leave(&mut self, close: u8) -> Result<(), Fault> {
        self.space();
        self.eat(close)?;
        self.depth -= 1;
        Ok(())
    }

    /// Steps from the end of a name to its value.
    #[inline]
    pub(crate) fn colon(&mut self) -> Result<(), Fault> {
        self.space();
        self.eat(b':')?;
        self.space();
        Ok(())
    }

    /// Returns the number of the entered containers.
    #[inline]
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Steps to the value of the next field of the entered object, and returns the field's name; `None` at
    /// the end of the object.
    fn next_field(&mut self, first: bool) -> Result<Option<Quoted>, Fault> {
        if !self.next(first, b'}')? {
            return Ok(None);
        }
        let name = self.string()?;
        self.colon()?;
        Ok(Some(name))
    }

    /// Steps over the object at the position. `value` gets each name, and steps over the field's value.
    pub(crate) fn fields(
        &mut self,
        mut value: impl FnMut(&mut Self, Quoted) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.enter(b'{')?;
        let mut first = true;
        while let Some(name) = self.next_field(first)? {
            first = false;
            value(self, name)?;
        }
        self.leave(b'}')
    }

    /// Steps into the object at the position, to the value of the first field of this name. Returns
    /// `false` if there is none; the scanner is then before the end of the object.
    pub(crate) fn seek(&mut self, name: &str) -> Result<bool, Fault> {
        self.enter(b'{')?;
        let mut first = true;
        while let Some(own) = self.next_field(first)? {
            first = false;
            if self.is(own, name) {
                return Ok(true);
            }
            self.skip_value()?;
        }
        Ok(false)
    }

    /// Steps over the array at the position. `value` gets each index, and steps over the element.
    pub(crate) fn elements(
        &mut self,
        mut value: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.enter(b'[')?;
        let mut index = 0;
        while self.next(index == 0, b']')? {
            value(self, index)?;
            index += 1;
        }
        self.leave(b']')
    }

    /// Returns the number of elements of the array at the position.
    pub(crate) fn count_elements(&self) -> Result<usize, Fault> {
        let mut count = 0;
        self.clone().elements(|scan, _| {
            count += 1;
            scan.skip_value()
        })?;
        Ok(count)
    }

    /// Returns whether the string equals `text` without its escapes.
    pub(crate) fn is(&self, string: Quoted, text: &str) -> bool {
        if string.escaped {
            return self.unescape(string).is_ok_and(|own| own == text);
        }
        self.bytes[string.start..string.end] == *text.as_bytes()
    }

    /// Steps over an escape.
    fn escape(&mut self, quoted: &mut Quoted) -> Result<(), Fault> {
        self.advance();
        let kind = self.peek()?;
        self.advance();
        match kind {
            _ if self.whole => return Ok(()),
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Ok(()),
            b'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = char::from(self.peek()?).to_digit(16).ok_or(Fault::Malformed)?;
                    unit = unit << 4 | digit;
                    self.advance();
                }
                quoted.halves |= (0xd800..0xe000).contains(&unit);
            }
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<bool, Fault> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(false);
        }
        Err(if word.starts_with(rest) { Fault::Incomplete } else { Fault::Malformed })
    }

    /// Steps over an integer of few digits. Doesn't move before anything else.
    #[inline]
    pub(crate) fn small_integer(&mut self) -> Option<i64> {
        /// A number with this many digits always fits.
        const FEW: usize = 18;
        let rest = self.bytes.get(self.at..)?;
        let negative = rest.first() == Some(&b'-');
        let digits = &rest[usize::from(negative)..];
        let mut value = 0;
        for (len, byte) in digits.iter().take(FEW + 1).enumerate() {
            match byte {
                b'0'..=b'9' if len < FEW => value = value * 10 + i64::from(byte - b'0'),
                b'0'..=b'9' | b'.' | b'e' | b'E' => return None,
                // A leading zero is invalid JSON, and a negative zero is no integer.
                _ if len == 0 || (digits[0] == b'0' && (len > 1 || negative)) => return None,
                _ => {
                    self.at += usize::from(negative) + len;
                    return Some(if negative { -value } else { value });
                }
            }
        }
        None
    }

    /// Steps over a number. Returns whether it may be too large for `serde_json`.
    pub(crate) fn number(&mut self) -> Result<bool, Fault> {
        /// Without an exponent, a number that is no longer than this always fits.
        const LONG: usize = 300;
        let start = self.at;
        if self.peek()? == b'-' {
            self.advance();
        }
        match self.peek()? {
            b'0' => self.advance(),
            _ => self.digits()?,
        }
        if self.behind_digit()? == b'.' {
            self.advance();
            self.digits()?;
        }
        let exponent = matches!(self.behind_digit()?, b'e' | b'E');
        if exponent {
            self.advance();
            if matches!(self.peek()?, b'+' | b'-') {
                self.advance();
            }
            self.digits()?;
        }
        Ok(exponent || self.at - start > LONG)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek()?.is_ascii_digit() {
            return Err(Fault::Malformed);
        }
        while self.behind_digit()?.is_ascii_digit() {
            self.advance();
        }
        Ok(())
    }

    /// Returns the byte behind a number's digit: a space at the end of a whole text.
    #[inline]
    fn behind_digit(&self) -> Result<u8, Fault> {
        self.peek().or(if self.whole { Ok(b' ') } else { Err(Fault::Incomplete) })
    }
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
        let mut scan = Scanner::of_text(text);
        let mut fields = Vec::new();
        scan.fields(|scan, name| {
            let start = scan.position();
            scan.skip_value()?;
            fields.push((scan.unescape(name)?, &text[start..scan.position()]));
            Ok(())
        })
        .unwrap();
        let want = [("a", r#"[ 1 , {"x":"]"} ]"#), ("b.", r#""q\"""#), ("c", "{}")];
        assert_eq!(fields, want.map(|(name, value)| (Cow::Borrowed(name), value)));
        assert_eq!((scan.depth(), scan.position()), (0, text.len() - 1));
    }

    #[test]
    fn counts_elements() {
        for (text, count) in [("[]", 0), ("[ ]", 0), ("[[]]", 1), ("[[],[1,2],{},\"\",3]", 5)] {
            assert_eq!(Scanner::of_text(text).count_elements(), Ok(count), "{text}");
        }
    }

    #[test]
    fn names_are_compared_without_escapes() {
        let is = |text, name| {
            let mut scan = Scanner::of_text(text);
            let own = scan.string().unwrap();
            scan.is(own, name)
        };
        assert!(is(r#""a\u002eb""#, "a.b"));
        assert!(is(r#""a.b""#, "a.b"));
        assert!(!is(r#""a\\u002eb""#, "a.b"));
        assert!(!is(r#""a\u002eb""#, r"a\u002eb"));
        assert!(!is(r#""\ud800""#, "\u{fffd}"));
        assert!(is(r#""\ud83d\ude00""#, "\u{1f600}"));
    }

    #[test]
    fn a_number_may_end_a_whole_text_only() {
        for number in ["0", "-7", "1.5", "2e8", "123456789012345678901"] {
            let mut whole = Scanner::of_text(number);
            assert_eq!((whole.skip_value(), whole.position()), (Ok(()), number.len()));
            let mut part = Scanner::new(number.as_bytes(), 0);
            assert_eq!(part.skip_value(), Err(Fault::Incomplete), "{number}");
        }
    }

    /// SEMANTICS: W12
    #[test]
    fn fields_beside_invalid_ones_are_found() {
        for odd in
            [r#""a":01"#, r#""a":1."#, r#""a":tru"#, r#""a\x":1"#, r#""a":"\u12""#, "\"a\n\":1"]
        {
            let text = format!(r#"{{{odd},"b":[7]}}"#);
            let mut scan = Scanner::of_text(&text);
            assert_eq!((scan.seek("b"), scan.peek()), (Ok(true), Ok(b'[')), "{text}");
            // In received bytes they are malformed.
            let mut scan = Scanner::new(text.as_bytes(), 0);
            assert_eq!(scan.check_value(), Err(Fault::Malformed), "{text}");
        }
    }

    /// SEMANTICS: W12
    #[test]
    fn any_depth_is_stepped_over() {
        for depth in [1, 2, 126, 127, 128, 129, 100_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let mut scan = Scanner::of_text(&text);
            assert_eq!((scan.skip_value(), scan.position()), (Ok(()), text.len()), "{depth}");
            let unclosed = "{\"a\":".repeat(depth);
            assert_eq!(Scanner::of_text(&unclosed).skip_value(), Err(Fault::Incomplete));
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
            let scan = || Scanner::of_text(&text);
            let _ = scan().skip_value();
            assert!(scan().count_elements().is_err(), "{text}");
            assert!(scan().fields(|scan, _| scan.skip_value()).is_err(), "{text}");
            assert!(scan().seek("b").is_err(), "{text}");
        }
    }
}
