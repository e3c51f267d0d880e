//! The parser of filters: `[?...]`.

use serde_json_path::JsonPath;

use super::parse::Parser;
use super::pattern;
use super::segment::{Filter, Measure, Read, Route, Segment, Selector, quote};
use crate::error::PathError;

/// The maximum depth of filters and parentheses. The query engine parses an expression in parentheses
/// several times, each time from the start.
const MAX_NESTING: usize = 6;

/// The maximum number of steps of a pattern.
const MAX_PATTERN: u64 = 1 << 20;

/// A filter, as far as it is parsed.
#[derive(Default)]
struct Expression {
    text: String,
    from_root: bool,
    /// The parentheses that are still open.
    open: Vec<Open>,
    /// The steps of patterns in the filter and in filters within it.
    patterns: u64,
    /// The steps that matching a literal against patterns takes.
    steps: u64,
    reads: Vec<Read>,
    /// The word just before the position, and its start: the name of a function, if a parenthesis
    /// follows.
    word: String,
    word_start: usize,
    /// The query just before the position, if it selects at most one node.
    last: Option<Route>,
    /// The query on the left of a comparison whose operator was just read.
    compared: Option<Route>,
}

/// An open parenthesis.
struct Open {
    at: usize,
    /// The function whose arguments the parentheses hold, or an empty text.
    function: String,
    /// The number of arguments so far.
    arguments: usize,
    /// The number of queries before those in the parentheses.
    reads: usize,
}

impl Expression {
    /// Returns whether the position is at the pattern of a `match` or `search`.
    fn at_pattern(&self) -> bool {
        self.open.last().is_some_and(|open| {
            matches!(Measure::of(&open.function), Measure::Text(_)) && open.arguments == 1
        })
    }

    fn query(&mut self, route: Route) {
        self.from_root |= route.from_root || route.segments.iter().any(Segment::reads_root);
        let filters = route.segments.iter().flat_map(Segment::filters);
        self.patterns = filters.map(|own| own.patterns).fold(self.patterns, u64::saturating_add);
        self.text.extend(route.segments.iter().map(ToString::to_string));
        let measures = self.open.iter().map(|open| Measure::of(&open.function));
        let measure = measures.max().unwrap_or(Measure::Nothing);
        if !route.is_single() || measure != Measure::Nothing {
            self.reads.push(Read::Found(route, measure));
        } else if let Some(compared) = self.compared.take() {
            self.reads.push(Read::Compared(compared, route));
        } else {
            self.last = Some(route);
        }
    }

    /// Adds the steps of a pattern to the query that its function reads.
    fn pattern(&mut self, steps: u64) {
        self.patterns = self.patterns.saturating_add(steps);
        let own = self.open.last().map_or(0, |open| open.reads);
        match self.reads.get_mut(own) {
            Some(Read::Found(_, measure)) => *measure = Measure::Text(steps),
            _ => self.steps = self.steps.saturating_add(steps),
        }
    }

    fn char(&mut self, at: usize, char: char) {
        self.text.push(char);
        match char {
            _ if char.is_whitespace() => return,
            '=' | '!' | '<' | '>' => self.compared = self.last.take().or(self.compared.take()),
            _ => (self.last, self.compared) = (None, None),
        }
        if !char.is_alphanumeric() && char != '_' {
            self.word.clear();
        } else {
            if self.word.is_empty() {
                self.word_start = at;
            }
            self.word.push(char);
        }
        if char == ','
            && let Some(open) = self.open.last_mut()
        {
            open.arguments += 1;
        }
    }
}

impl Parser<'_> {
    /// Parses a filter, from its `?` to the end of the selector, and translates it to RFC 9535.
    ///
    /// The dialects differ in quoted texts and names: here `\` escapes any character, and names may have
    /// `-` and `/`. The rest is copied.
    pub(super) fn filter(&mut self) -> Result<Selector, PathError> {
        let start = self.at;
        self.bump();
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error_at(start, "filters are nested too deep"));
        }
        let mut own = Expression::default();
        // The filter as written, for hints: paths and quoted text are replaced by dots of the same
        // length.
        let mut bare = String::from("?");
        loop {
            match self.peek() {
                Some(']' | ',') if own.open.is_empty() => break,
                None | Some(']') => {
                    return Err(match own.open.last() {
                        Some(open) => self.error_at(open.at, "unclosed '('"),
                        None => self.error_at(start, "unclosed filter: ']' is missing"),
                    });
                }
                Some('\'' | '"') => self.literal(&mut own)?,
                Some('@' | '$') if own.at_pattern() => {
                    return Err(self.error(PATTERN));
                }
                Some(root @ ('@' | '$')) => {
                    own.text.push(root);
                    self.bump();
                    let mut segments = Vec::new();
                    self.segments(&mut segments)?;
                    own.query(Route { from_root: root == '$', segments });
                }
                Some('[') => {
                    let (at, hint) = match other_dialect(&bare) {
                        Some((at, hint)) => (start + at, hint),
                        None => (self.at, "brackets follow '@' or '$' in a filter"),
                    };
                    return Err(self.error_at(at, hint));
                }
                Some('(') if own.open.len() == MAX_NESTING => {
                    return Err(self.error("parentheses are nested too deep"));
                }
                Some('(') if own.at_pattern() => {
                    let at = if own.word.is_empty() { self.at } else { own.word_start };
                    return Err(self.error_at(at, PATTERN));
                }
                Some('(') => {
                    let function = std::mem::take(&mut own.word);
                    own.open.push(Open {
                        at: self.at,
                        function,
                        arguments: 0,
                        reads: own.reads.len(),
                    });
                    own.char(self.at, '(');
                    self.bump();
                }
                Some(')') if own.open.pop().is_none() => return Err(self.error("stray ')'")),
                Some(char) => {
                    own.char(self.at, char);
                    bare.push(char);
                    self.bump();
                }
            }
            bare.extend(std::iter::repeat_n('.', self.at - start - bare.len()));
        }
        self.nesting -= 1;
        let text = own.text.trim().to_owned();
        let Ok(query) = JsonPath::parse(&format!("$[?{text}]")) else {
            let (at, hint) = other_dialect(&bare).unwrap_or((
                0,
                "not a filter: expected a test such as ?(@.name == \"x\") or ?(@.name)",
            ));
            return Err(self.error_at(start + at, hint));
        };
        let Expression { from_root, patterns, steps, reads, .. } = own;
        let steps = steps.saturating_add(text.len() as u64);
        Ok(Selector::Filter(Box::new(Filter {
            text,
            test: query,
            from_root,
            steps,
            patterns,
            reads,
        })))
    }

    /// Parses a string in a filter.
    fn literal(&mut self, own: &mut Expression) -> Result<(), PathError> {
        let start = self.at;
        let text = self.quoted()?;
        own.text.push_str(&quote(&text));
        (own.last, own.compared) = (None, None);
        if own.at_pattern() {
            let steps = pattern::steps(&text);
            if steps > MAX_PATTERN {
                let hint = "the pattern is too costly: repeat less, or name characters as in [a-z]";
                return Err(self.error_at(start, hint));
            }
            own.pattern(steps);
        }
        Ok(())
    }
}

const PATTERN: &str = "the pattern of match() and search() is a text in quotes";

/// Returns the position and a hint for syntax of other dialects that is written differently here.
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
