//! The parser of paths.

use std::borrow::Cow;
use std::ops::Range;

use super::segment::{Segment, Selector, Slice};
use crate::error::PathError;

/// The depth up to which decodable JSON is nested.
const MAX_STEPS: usize = 127;

/// The largest index that RFC 9535 allows.
const MAX_INDEX: i64 = (1 << 53) - 1;

const TEMPLATE: &str = "templates are not supported: give one path, as in {.a.b}";

/// A parsed path and its text without the white space around it.
pub(super) struct Parsed<'t> {
    pub(super) written: &'t str,
    pub(super) segments: Vec<Segment>,
}

/// Parses the part of `text` in `range` as a path. The positions of errors refer to the whole `text`.
pub(super) fn parse(text: &str, range: Range<usize>) -> Result<Parsed<'_>, PathError> {
    let mut parser = Parser { text, at: range.start, end: range.end, nesting: 0 };
    parser.skip_space();
    let start = parser.at;
    let segments = parser.path()?;
    let written = &text[start..parser.at];
    parser.skip_space();
    if parser.peek().is_none() {
        return Ok(Parsed { written, segments });
    }
    // The error is the white space, not the text behind it.
    parser.at = start + written.len();
    Err(parser.unexpected())
}

pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    end: usize,
    /// The number of filters around the position.
    pub(super) nesting: usize,
}

impl Parser<'_> {
    fn path(&mut self) -> Result<Vec<Segment>, PathError> {
        let brace = self.at;
        let braced = self.eat('{');
        let rest = &self.text[self.at..self.end];
        if rest.starts_with("@.") || rest.starts_with("@[") {
            return Err(self.error("'@' means something in filters only: drop it"));
        }
        if braced && is_template(rest) {
            return Err(self.error(TEMPLATE));
        }
        // `$` is the root, `$name` a field.
        let named = |c| c == '\\' || is_name_char(c);
        let mut segments = Vec::new();
        if rest.strip_prefix('$').is_some_and(|next| !next.starts_with(named)) {
            self.at += 1;
        } else if rest.starts_with(named) || rest.starts_with('*') {
            segments.push(Segment::one(self.name_or_any()?));
        }
        self.segments(&mut segments)?;
        if segments.is_empty() {
            return Err(match self.peek() {
                None | Some('}') => self.error("the path is empty: name a field"),
                Some(_) => self.unexpected(),
            });
        }
        if braced && !self.eat('}') {
            return Err(match self.peek() {
                None => self.error_at(brace, "unclosed '{'"),
                Some(_) => self.unexpected(),
            });
        }
        Ok(segments)
    }

    /// Parses as many of `.name`, `.*`, `[..]`, `..name`, `..*`, `..[..]` as follow.
    pub(super) fn segments(&mut self, segments: &mut Vec<Segment>) -> Result<(), PathError> {
        loop {
            let start = self.at;
            let segment = match self.peek() {
                Some('[') => Segment { descends: false, selectors: self.brackets()? },
                Some('.') => {
                    self.bump();
                    let descends = self.eat('.');
                    let selectors = match self.peek() {
                        Some('[') if descends => self.brackets()?,
                        _ => vec![self.name_or_any()?],
                    };
                    Segment { descends, selectors }
                }
                _ => return Ok(()),
            };
            if segments.len() == MAX_STEPS {
                return Err(self.error_at(start, "deeper than JSON may be nested"));
            }
            segments.push(segment);
        }
    }

    fn name_or_any(&mut self) -> Result<Selector, PathError> {
        if self.eat('*') {
            return Ok(Selector::Any);
        }
        let mut name = String::new();
        while let Some(char) = self.peek() {
            if char == '\\' {
                name.push(self.escaped()?);
            } else if is_name_char(char) {
                name.push(char);
                self.bump();
            } else {
                break;
            }
        }
        if !name.is_empty() {
            return Ok(Selector::Name(name.into()));
        }
        Err(self.error(match self.peek() {
            Some('[') => "expected a name after '.': drop the dot before '['",
            Some(c) if c.is_whitespace() => "white space outside quotes",
            _ => "expected a name after '.'",
        }))
    }

    fn brackets(&mut self) -> Result<Vec<Selector>, PathError> {
        let open = self.at;
        self.bump();
        let mut selectors = Vec::new();
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Err(self.error_at(open, "unclosed '['"));
            }
            selectors.push(self.selector()?);
            self.skip_space();
            match self.peek() {
                Some(']') => break,
                Some(',') => self.bump(),
                Some(_) => return Err(self.error("expected ',' or ']'")),
                None => return Err(self.error_at(open, "unclosed '['")),
            }
        }
        self.bump();
        Ok(selectors)
    }

    fn selector(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        match self.peek() {
            Some('\'' | '"') => {
                let name = self.quoted()?;
                if name.is_empty() {
                    return Err(self.error_at(start, "the name in quotes is empty"));
                }
                Ok(Selector::Name(name.into()))
            }
            Some('*') => {
                self.bump();
                Ok(Selector::Any)
            }
            Some('?') => self.filter(),
            Some('-' | ':' | '0'..='9') => self.index_or_slice(),
            Some(']') => Err(self.error("empty brackets: '[*]' selects everything")),
            _ => Err(self.error("expected a quoted name, a number, '*' or '?' in brackets")),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        while self.peek().is_some_and(|c| is_name_char(c) || c == '.') {
            self.bump();
        }
        let text = &self.text[start..self.at];
        if !text.contains(':') {
            let hint = "an index is a whole number, such as 0 or -1";
            return self.whole(start, text, hint).map(Selector::Index);
        }
        let hint = "a slice is start:end or start:end:step, in whole numbers";
        if text.matches(':').count() > 2 {
            return Err(self.error_at(start, hint));
        }
        let mut parts = [None; 3];
        let mut at = start;
        for (part, own) in parts.iter_mut().zip(text.split(':')) {
            if !own.is_empty() {
                *part = Some(self.whole(at, own, hint)?);
            }
            at += own.len() + 1;
        }
        let [first, end, step] = parts;
        if step == Some(0) {
            return Err(self.error_at(start, "a slice with step 0 never selects anything"));
        }
        let step = step.unwrap_or(1);
        Ok(Selector::Slice(Box::new(Slice { text: text.to_owned(), start: first, end, step })))
    }

    /// Parses an integer at `at`, in the syntax of RFC 9535. Text that is no number gives the error
    /// `hint`.
    fn whole(&self, at: usize, text: &str, hint: &'static str) -> Result<i64, PathError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.error_at(at, hint));
        }
        if digits.starts_with('0') && text != "0" {
            return Err(self.error_at(at, "a number has no leading zero, and no sign if it is 0"));
        }
        let number = text.parse().ok().filter(|own| (-MAX_INDEX..=MAX_INDEX).contains(own));
        number.ok_or_else(|| self.error_at(at, "the number is too large: at most 9007199254740991"))
    }

    /// Parses a string in single or double quotes; `\` escapes any character.
    pub(super) fn quoted(&mut self) -> Result<String, PathError> {
        let open = self.at;
        let quote = self.peek();
        self.bump();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error_at(open, "unclosed quote")),
                Some('\\') => text.push(self.escaped()?),
                Some(char) => {
                    self.bump();
                    if Some(char) == quote {
                        return Ok(text);
                    }
                    text.push(char);
                }
            }
        }
    }

    fn escaped(&mut self) -> Result<char, PathError> {
        let backslash = self.at;
        self.bump();
        let char =
            self.peek().ok_or_else(|| self.error_at(backslash, "nothing follows the '\\'"))?;
        self.bump();
        Ok(char)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..self.end].chars().next()
    }

    pub(super) fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn eat(&mut self, char: char) -> bool {
        let found = self.peek() == Some(char);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    pub(super) fn error(&self, hint: impl Into<Cow<'static, str>>) -> PathError {
        self.error_at(self.at, hint)
    }

    pub(super) fn error_at(&self, at: usize, hint: impl Into<Cow<'static, str>>) -> PathError {
        PathError::new(self.text, at, hint)
    }

    /// Returns the error for the character at the position, which can't follow the text before it.
    fn unexpected(&self) -> PathError {
        let hint = match self.peek() {
            Some(c) if c.is_whitespace() => "white space outside quotes".into(),
            Some('{') => TEMPLATE.into(),
            Some(c @ (']' | '}')) => format!("stray '{c}'"),
            Some('\'' | '"') => "a quoted name stands in brackets, as in ['a.b']".into(),
            Some('*') => "'*' stands alone, as in '.*' or '[*]'".into(),
            Some(c) if c == '\\' || is_name_char(c) => "expected '.' or '['".into(),
            Some(c) => format!("unexpected '{c}': such a name is written in quotes, as in ['a b']"),
            None => "the path ends too early".into(),
        };
        self.error(hint)
    }
}

/// Returns whether a name may have the character without an escape.
fn is_name_char(char: char) -> bool {
    match char {
        '-' | '_' | '/' | ':' | '$' | '@' => true,
        _ if char.is_ascii() => char.is_ascii_alphanumeric(),
        _ => !char.is_whitespace() && !char.is_control(),
    }
}

/// Returns whether the text behind a `{` is one of kubectl's templates.
fn is_template(rest: &str) -> bool {
    let word = rest.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next();
    let is_literal = rest.trim_start().starts_with(['"', '\'']);
    is_literal || word == Some("range") && rest.contains([' ', '\t']) || rest.starts_with("end}")
}
