//! The steps of a path, as parsed and as evaluated.

use std::fmt::{self, Write};

use serde_json_path::JsonPath;

/// A parsed step of a path: `.name`, `[0]`, `['a','b']`, `[?@.k]`, each possibly after `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// True after `..`: the segment selects at any depth.
    pub(crate) descends: bool,
    /// The selectors; several for `[0,1]`.
    pub(crate) selectors: Vec<Selector>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    Name(Box<str>),
    Index(i64),
    Any,
    Slice(Box<Slice>),
    Filter(Box<Filter>),
}

/// A slice of an array, and its RFC 9535 text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(super) text: String,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// A test of the children of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The expression after the `?` in RFC 9535 text.
    pub(super) text: String,
    /// The filter as a path of its own. It is run on the node whose children the filter tests.
    pub(super) test: JsonPath,
    /// True if the filter reads from the root (`$`).
    pub(super) from_root: bool,
    /// The maximum number of steps for each tested node, without `reads`.
    pub(super) steps: u64,
    /// The maximum number of additional steps for patterns in the filter and in filters within it.
    pub(super) patterns: u64,
    /// The queries in the filter whose costs depend on the object.
    pub(super) reads: Vec<Read>,
}

/// A read of the object in a filter, whose cost depends on the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A query that finds nodes, which are read to this extent.
    Found(Route, Measure),
    /// Two queries that select one node each, which are compared.
    Compared(Route, Route),
}

/// The path of a query, from the root (`$`) or from the tested node (`@`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) from_root: bool,
    pub(super) segments: Vec<Segment>,
}

/// How much of a found node is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    Nothing,
    /// A string, to count its characters.
    Length,
    /// Everything in the node.
    All,
    /// A string, to match a pattern that takes this many steps to compile.
    Text(u64),
}

/// A step of a plain path, which only leads down: it neither searches nor filters.
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

    /// Returns the equivalent step of a plain path, if there is one.
    pub(crate) fn step(&self) -> Option<Step> {
        match (self.descends, &*self.selectors) {
            (false, [Selector::Name(name)]) => Some(Step::Name(name.clone())),
            (false, [Selector::Index(index)]) => Some(Step::Index(*index)),
            (false, [Selector::Any]) => Some(Step::Any),
            _ => None,
        }
    }

    /// Returns whether `step` would select everything that this segment selects.
    pub(crate) fn is_within(&self, step: &Step) -> bool {
        !self.descends
            && self.selectors.iter().all(|selector| match (step, selector) {
                (Step::Any, _) => true,
                (Step::Name(name), Selector::Name(own)) => name == own,
                (Step::Index(index), Selector::Index(own)) => index == own,
                _ => false,
            })
    }

    /// Returns whether the segment may select a field called `name`.
    pub(crate) fn may_select(&self, name: &str) -> bool {
        self.selectors.iter().any(|selector| match selector {
            Selector::Name(own) => **own == *name,
            Selector::Any | Selector::Filter(_) => true,
            Selector::Index(_) | Selector::Slice(_) => false,
        })
    }

    /// Returns whether the segment may select this element of an array of `len`. `len` is used only if
    /// the segment [counts back](Self::counts_back).
    pub(crate) fn may_select_index(&self, index: usize, len: usize) -> bool {
        self.selectors.iter().any(|selector| match selector {
            Selector::Index(own) if *own < 0 => place_in(*own, len) == Some(index),
            Selector::Index(own) => usize::try_from(*own) == Ok(index),
            Selector::Slice(slice) => slice.takes(index, len),
            Selector::Any | Selector::Filter(_) => true,
            Selector::Name(_) => false,
        })
    }

    /// Returns whether the selection depends on the index of an element.
    pub(crate) fn has_indexes(&self) -> bool {
        self.selectors.iter().any(|own| matches!(own, Selector::Index(_) | Selector::Slice(_)))
    }

    /// Returns whether the segment counts elements from the end of an array.
    pub(crate) fn counts_back(&self) -> bool {
        self.selectors.iter().any(|selector| match selector {
            Selector::Index(index) => *index < 0,
            Selector::Slice(slice) => slice.counts_back(),
            _ => false,
        })
    }

    pub(crate) fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.selectors.iter().filter_map(|selector| match selector {
            Selector::Filter(filter) => Some(&**filter),
            _ => None,
        })
    }

    pub(crate) fn reads_root(&self) -> bool {
        self.filters().any(|filter| filter.from_root)
    }
}

impl Route {
    /// Returns whether the route selects at most one node, in as many steps as it has segments.
    pub(super) fn is_single(&self) -> bool {
        self.segments.iter().all(|own| own.step().is_some_and(|step| step.is_single()))
    }
}

impl Read {
    pub(super) fn is_from_root(&self) -> bool {
        match self {
            Self::Found(route, _) => route.from_root,
            Self::Compared(one, other) => one.from_root && other.from_root,
        }
    }
}

impl Measure {
    /// Returns how much a function reads of its arguments.
    pub(super) fn of(function: &str) -> Self {
        match function {
            "length" => Self::Length,
            "match" | "search" => Self::Text(0),
            "value" => Self::All,
            _ => Self::Nothing,
        }
    }
}

impl Slice {
    /// Returns whether the slice selects this element of an array of `len`. `len` is used only if the
    /// slice counts back.
    fn takes(&self, index: usize, len: usize) -> bool {
        let Ok(index) = i64::try_from(index) else { return false };
        let (lower, upper) = self.bounds(if self.counts_back() { len } else { usize::MAX });
        // The step is never 0: the parser rejects it.
        match self.step {
            step @ 1.. => (lower..upper).contains(&index) && (index - lower) % step == 0,
            step => lower < index && index <= upper && (upper - index) % step == 0,
        }
    }

    /// Returns the indexes that the slice selects in an array, in the slice's order.
    pub(super) fn places(&self, len: usize) -> impl Iterator<Item = usize> {
        let (lower, upper) = self.bounds(len);
        let step = self.step;
        let first = if step < 0 { upper } else { lower };
        let places = std::iter::successors(Some(first), move |at| at.checked_add(step));
        let places = places.take_while(move |at| if step < 0 { lower < *at } else { *at < upper });
        places.filter_map(|at| usize::try_from(at).ok())
    }

    fn counts_back(&self) -> bool {
        [Some(self.step), self.start, self.end].into_iter().flatten().any(|part| part < 0)
    }

    /// Returns the lower and upper bound as in RFC 9535. If the slice runs backward, the upper bound is
    /// included and the lower one excluded; else the other way around.
    fn bounds(&self, len: usize) -> (i64, i64) {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let place = |at: i64| if at < 0 { len.saturating_add(at) } else { at };
        if self.step < 0 {
            let place = |at: Option<i64>, default| at.map_or(default, place).clamp(-1, len - 1);
            return (place(self.end, -1), place(self.start, len - 1));
        }
        let place = |at: Option<i64>, default| at.map_or(default, place).clamp(0, len);
        (place(self.start, 0), place(self.end, len))
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

    /// Returns whether the step selects at most one field or element.
    pub(super) fn is_single(&self) -> bool {
        !matches!(self, Self::Any)
    }
}

/// Writes the segment in the notation of RFC 9535, always in brackets.
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
                Selector::Slice(slice) => f.write_str(&slice.text)?,
                Selector::Filter(filter) => write!(f, "?{}", filter.text)?,
            }
        }
        f.write_char(']')
    }
}

/// Returns the text in single quotes, escaped as in RFC 9535.
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

/// Returns the place of an element in an array of `len` elements; a negative index counts from the end.
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
