//! The steps of a path: as they were parsed, and as they are followed.

use std::fmt::{self, Write};

/// One step of a path as parsed: `.name`, `[0]`, `['a','b']`, `[?@.k]`, and `..` before any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// `..`: at any depth below.
    pub(crate) descends: bool,
    /// What it selects; several for `[0,1]`.
    pub(crate) selectors: Vec<Selector>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Name(Box<str>),
    Index(i64),
    Any,
    /// The inside of the brackets in RFC 9535 text.
    Slice(String),
    /// The expression after the `?` in RFC 9535 text, and whether it reads from the root (`$`).
    Filter {
        text: String,
        from_root: bool,
    },
}

/// One step of a plain path: one that leads down without searching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(Box<str>),
    /// Counted from the end if negative.
    Index(i64),
    /// Every element, or every field.
    Any,
}

impl Segment {
    pub(crate) fn one(selector: Selector) -> Self {
        Self { descends: false, selectors: vec![selector] }
    }

    /// The step of a plain path that means the same, if there is one.
    pub(crate) fn step(&self) -> Option<Step> {
        match (self.descends, &*self.selectors) {
            (false, [Selector::Name(name)]) => Some(Step::Name(name.clone())),
            (false, [Selector::Index(index)]) => Some(Step::Index(*index)),
            (false, [Selector::Any]) => Some(Step::Any),
            _ => None,
        }
    }

    /// Whether this segment selects nothing that `step` would not select.
    pub(crate) fn is_within(&self, step: &Step) -> bool {
        !self.descends
            && self.selectors.iter().all(|selector| match (step, selector) {
                (Step::Any, _) => true,
                (Step::Name(name), Selector::Name(own)) => name == own,
                (Step::Index(index), Selector::Index(own)) => index == own,
                _ => false,
            })
    }

    /// Whether a field called `name` may be selected among its siblings.
    pub(crate) fn may_select(&self, name: &str) -> bool {
        self.selectors.iter().any(|selector| match selector {
            Selector::Name(own) => **own == *name,
            Selector::Any | Selector::Filter { .. } => true,
            Selector::Index(_) | Selector::Slice(_) => false,
        })
    }

    pub(crate) fn reads_root(&self) -> bool {
        self.selectors.iter().any(|s| matches!(s, Selector::Filter { from_root: true, .. }))
    }
}

impl Step {
    pub(crate) fn takes_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => **own == *name,
            Self::Any => true,
            Self::Index(_) => false,
        }
    }
}

/// The segment in RFC 9535 text, always in brackets.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.descends { "..[" } else { "[" })?;
        for (index, selector) in self.selectors.iter().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            match selector {
                Selector::Name(name) => f.write_str(&quote(name))?,
                Selector::Index(index) => write!(f, "{index}")?,
                Selector::Any => f.write_char('*')?,
                Selector::Slice(text) => f.write_str(text)?,
                Selector::Filter { text, .. } => write!(f, "?{text}")?,
            }
        }
        f.write_char(']')
    }
}

/// The text in single quotes, escaped as RFC 9535 has it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for char in text.chars() {
        match char {
            '\'' | '\\' => quoted.extend(['\\', char]),
            '\0'..='\x1f' => quoted.extend(format!("\\u{:04x}", u32::from(char)).chars()),
            _ => quoted.push(char),
        }
    }
    quoted.push('\'');
    quoted
}

/// An array index that may count from the end, as a place in an array of `len` elements.
pub(crate) fn place_in(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => (index < len).then_some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_understood_by_the_query_engine() {
        let names =
            ["a", "it's", "a\"b", "back\\slash", "\n\t\0\u{1f}", "ключ", "a]b", "\u{7f}\u{1f600}"];
        for name in names {
            let path = serde_json_path::JsonPath::parse(&format!("$[{}]", quote(name))).unwrap();
            let value = serde_json::json!({ name: "found" });
            assert_eq!(path.query(&value).all(), ["found"], "{name:?}");
        }
    }

    #[test]
    fn negative_indexes_count_from_the_end() {
        assert_eq!(place_in(-1, 3), Some(2));
        assert_eq!(place_in(-3, 3), Some(0));
        assert_eq!(place_in(-4, 3), None);
        assert_eq!(place_in(i64::MIN, 3), None);
        assert_eq!(place_in(2, 3), Some(2));
        assert_eq!(place_in(3, 3), None);
    }
}
