//! Parsing what stands in `[?...]`.

use serde_json_path::JsonPath;

use super::parse::Parser;
use super::query::Weight;
use super::segment::{Filter, Segment, Selector, quote};
use crate::error::PathError;

/// The query engine tries a bracketed expression in several ways, each time from the start.
const MAX_NESTING: usize = 6;

impl Parser<'_> {
    /// A filter, from its `?` to the end of the selector, turned into RFC 9535 text.
    ///
    /// The dialects differ in what stands in quotes and in names: here `\` escapes any character
    /// and names may hold `-` and `/`. The rest is copied.
    pub(super) fn filter(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        self.bump();
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error_at(start, "filters are nested too deep"));
        }
        let mut text = String::new();
        let mut from_root = false;
        let mut weight = Weight::default();
        let mut open = Vec::new();
        // The filter as written, for hints: without paths and quoted text, but as long.
        let mut bare = String::from("?");
        loop {
            match self.peek() {
                Some(']' | ',') if open.is_empty() => break,
                None | Some(']') => {
                    return Err(match open.last() {
                        Some(&paren) => self.error_at(paren, "unclosed '('"),
                        None => self.error_at(start, "unclosed filter: ']' is missing"),
                    });
                }
                Some('\'' | '"') => text.push_str(&quote(&self.quoted()?)),
                Some(root @ ('@' | '$')) => {
                    from_root |= root == '$';
                    text.push(root);
                    self.bump();
                    let mut segments = Vec::new();
                    self.segments(&mut segments)?;
                    from_root |= segments.iter().any(Segment::reads_root);
                    let own = Weight::of(&segments);
                    weight.add(&if root == '$' { own.at_root() } else { own });
                    text.extend(segments.iter().map(ToString::to_string));
                }
                Some('[') => {
                    let (at, hint) = match other_dialect(&bare) {
                        Some((at, hint)) => (start + at, hint),
                        None => (self.at, "brackets follow '@' or '$' in a filter"),
                    };
                    return Err(self.error_at(at, hint));
                }
                Some('(') if open.len() == MAX_NESTING => {
                    return Err(self.error("parentheses are nested too deep"));
                }
                Some('(') => {
                    open.push(self.at);
                    text.push('(');
                    self.bump();
                }
                Some(')') if open.pop().is_none() => return Err(self.error("stray ')'")),
                Some(char) => {
                    text.push(char);
                    bare.push(char);
                    self.bump();
                }
            }
            bare.extend(std::iter::repeat_n('.', self.at - start - bare.len()));
        }
        self.nesting -= 1;
        let text = text.trim().to_owned();
        let Ok(path) = JsonPath::parse(&format!("$[?{text}]")) else {
            let (at, hint) = other_dialect(&bare).unwrap_or((
                0,
                "not a filter: expected a test such as ?(@.name == \"x\") or ?(@.name)",
            ));
            return Err(self.error_at(start + at, hint));
        };
        Ok(Selector::Filter(Box::new(Filter { text, test: path, from_root, weight })))
    }
}

/// Finds what other dialects have in filters and this one writes in another way.
fn other_dialect(filter: &str) -> Option<(usize, &'static str)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let mut at = 0;
    while at < filter.len() {
        let rest = &filter[at..];
        let end = |of: fn(char, bool) -> bool| {
            rest.find(|c| !of(c, is_word(c))).unwrap_or(rest.len()).max(1)
        };
        let first = rest.chars().next()?;
        let len = match first {
            '=' | '~' | '<' | '>' | '!' => end(|c, _| "=~<>!".contains(c)),
            c if is_word(c) => end(|_, is_word| is_word),
            c => c.len_utf8(),
        };
        let hint = match &rest[..len] {
            "=~" => Some(
                "'=~' is written match(@.name, 'regex') for the whole text, search(@.name, 'regex') for a part",
            ),
            "=" => Some("'=' is written '=='"),
            "===" => Some("'===' is written '=='"),
            "<>" => Some("'<>' is written '!='"),
            "and" | "AND" => Some("'and' is written '&&'"),
            "or" | "OR" => Some("'or' is written '||'"),
            "not" | "NOT" => Some("'not' is written '!'"),
            "in" | "nin" | "anyof" | "noneof" | "subsetof" => Some(
                "a filter has no such operator: compare by '==' and '||', or by match(@.name, 'a|b')",
            ),
            number if has_leading_zero(number) => Some("a number has no leading zero"),
            _ => None,
        };
        if let Some(hint) = hint {
            return Some((at, hint));
        }
        at += len;
    }
    None
}

fn has_leading_zero(number: &str) -> bool {
    let digits = number.split('.').next().unwrap_or_default();
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|own| own.is_ascii_digit())
}
