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
                Some('[') => return Err(self.error("brackets follow '@' or '$' in a filter")),
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
                    self.bump();
                }
            }
        }
        self.nesting -= 1;
        let text = text.trim().to_owned();
        let Ok(path) = JsonPath::parse(&format!("$[?{text}]")) else {
            let hint = "not a filter: expected a test such as ?(@.name == \"x\") or ?(@.name)";
            return Err(self.error_at(start, hint));
        };
        Ok(Selector::Filter(Box::new(Filter { text, test: path, from_root, weight })))
    }
}
