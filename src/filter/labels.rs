//! Label selectors, in the API server's own grammar: to check them before they are sent, and to
//! answer them in tests.

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::{error::PathError, rfc1123::is_subdomain};

/// A label selector, such as `app=web,tier in (a, b),!legacy`.
///
/// [`Watch::labels`](crate::Watch::labels) takes one as text and checks it; with this a program can
/// check it earlier, for instance where it reads its configuration.
///
/// ```
/// use kube_weir::LabelSelector;
///
/// assert!(LabelSelector::parse("app=web,tier in (a, b),!legacy").is_ok());
/// let error = LabelSelector::parse("app in a").unwrap_err();
/// assert_eq!(error.caret(), "app in a\n       ^");
/// ```
#[derive(Debug, Clone, Default)]
pub struct LabelSelector {
    written: Box<str>,
    terms: Vec<(String, Requirement)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Reads a selector of at least one requirement. `text.parse()` does the same.
    ///
    /// | requirement | holds for objects whose label |
    /// |---|---|
    /// | `app=web`, `app==web` | is there and has this value |
    /// | `app!=web` | is missing or has another value |
    /// | `app in (web, api)` | is there and has one of these values |
    /// | `app notin (web, api)` | is missing or has another value |
    /// | `app` | is there |
    /// | `!app` | is missing |
    /// | `tier>2`, `tier<2` | is an integer above or below this one |
    ///
    /// # Errors
    ///
    /// Where something else was found than the
    /// [grammar](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)
    /// allows there. The empty text is an error too: it never means "everything".
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::LabelSelector;
    ///
    /// assert!("tier in (a, b),app.kubernetes.io/name!=web".parse::<LabelSelector>().is_ok());
    ///
    /// let error = LabelSelector::parse("app=web,").unwrap_err();
    /// assert_eq!(error.hint(), "found '', expected: !, identifier, or ','");
    /// assert!(LabelSelector::parse("").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut words = Words { rest: text, last: text };
        let mut terms = Vec::new();
        loop {
            let term = requirement(&mut words);
            let next = term.and_then(|term| {
                terms.push(term);
                match words.next() {
                    end @ (Word::End | Word::Mark(",")) => Ok(end),
                    other => Err(format!("found '{}', expected: ',' or the end", other.text())),
                }
            });
            match next {
                Ok(Word::End) => return Ok(Self { written: text.into(), terms }),
                Ok(_) => {}
                Err(hint) => {
                    let at = text.len() - words.last.len();
                    return Err(PathError::new(text, at, hint).of_selector());
                }
            }
        }
    }

    /// That both hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let written = format!("{self},{other}").into();
        Self { written, terms: self.terms.iter().chain(&other.terms).cloned().collect() }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|(key, requirement)| {
            let label = object["metadata"]["labels"].get(key).and_then(Value::as_str);
            let number = || label.and_then(|label| label.parse::<i64>().ok());
            match requirement {
                Requirement::In(values) => {
                    label.is_some_and(|label| values.iter().any(|value| value == label))
                }
                Requirement::NotIn(values) => {
                    label.is_none_or(|label| values.iter().all(|value| value != label))
                }
                Requirement::Exists => label.is_some(),
                Requirement::Missing => label.is_none(),
                Requirement::Greater(bound) => number().is_some_and(|number| number > *bound),
                Requirement::Less(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }
}

/// As it was written.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for LabelSelector {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

fn requirement(words: &mut Words<'_>) -> Result<(String, Requirement), String> {
    let mut word = words.next();
    let missing = word == Word::Mark("!");
    if missing {
        word = words.next();
    }
    let Word::Name(key) = word else {
        return Err(format!("found '{}', expected: !, identifier, or ','", word.text()));
    };
    check_key(key)?;
    let key = key.to_owned();
    if missing {
        return Ok((key, Requirement::Missing));
    }
    if matches!(words.peek(), Word::End | Word::Mark(",")) {
        return Ok((key, Requirement::Exists));
    }
    let requirement = match words.next() {
        Word::Mark("=" | "==") => Requirement::In(vec![value(words)?]),
        Word::Mark("!=") => Requirement::NotIn(vec![value(words)?]),
        Word::Name("in") => Requirement::In(set(words)?),
        Word::Name("notin") => Requirement::NotIn(set(words)?),
        Word::Mark(">") => Requirement::Greater(number(words)?),
        Word::Mark("<") => Requirement::Less(number(words)?),
        other => {
            return Err(format!("found '{}', expected: in, notin, =, ==, !=, >, <", other.text()));
        }
    };
    Ok((key, requirement))
}

fn value(words: &mut Words<'_>) -> Result<String, String> {
    match words.peek() {
        Word::End | Word::Mark(",") => Ok(String::new()),
        Word::Name(name) => {
            words.next();
            check_value(name)?;
            Ok(name.to_owned())
        }
        other @ Word::Mark(_) => {
            words.next();
            Err(format!("found '{}', expected: identifier", other.text()))
        }
    }
}

fn number(words: &mut Words<'_>) -> Result<i64, String> {
    let text = value(words)?;
    text.parse().map_err(|_| format!("'{text}' is not an integer"))
}

fn set(words: &mut Words<'_>) -> Result<Vec<String>, String> {
    let expected = |word: Word<'_>| format!("found '{}', expected: '(', ',', or ')'", word.text());
    match words.next() {
        Word::Mark("(") => {}
        other => return Err(expected(other)),
    }
    let mut values = Vec::new();
    loop {
        // Nothing between two marks is the empty value, as in `in (,a)`.
        match words.peek() {
            Word::Mark("," | ")") => values.push(String::new()),
            _ => values.push(value(words)?),
        }
        match words.next() {
            Word::Mark(",") => {}
            Word::Mark(")") => return Ok(values),
            other => return Err(expected(other)),
        }
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').unwrap_or(("a", key));
    if is_subdomain(prefix) && !name.is_empty() && check_value(name).is_ok() {
        return Ok(());
    }
    Err(format!("invalid label key \"{key}\""))
}

fn check_value(value: &str) -> Result<(), String> {
    let edge = |c: Option<u8>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if value.len() <= 63
        && value.bytes().all(inner)
        && edge(value.bytes().next())
        && edge(value.bytes().next_back())
    {
        return Ok(());
    }
    Err(format!("invalid label value \"{value}\""))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Name(&'a str),
    Mark(&'a str),
    End,
}

impl<'a> Word<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Mark(text) => text,
            Self::End => "",
        }
    }
}

struct Words<'a> {
    rest: &'a str,
    /// The rest with the word that was taken last, for telling where something is wrong.
    last: &'a str,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Word<'a> {
        Words { ..*self }.next()
    }

    fn next(&mut self) -> Word<'a> {
        let is_mark = |c: char| "=!(),<>".contains(c);
        // No other white space counts for the API server.
        let is_space = |c: char| " \t\r\n".contains(c);
        let rest = self.rest.trim_start_matches(is_space);
        self.last = rest;
        let Some(first) = rest.chars().next() else {
            self.rest = rest;
            return Word::End;
        };
        let len = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if is_mark(first) {
            1
        } else {
            rest.find(|c: char| is_mark(c) || is_space(c)).unwrap_or(rest.len())
        };
        let (word, rest) = rest.split_at(len);
        self.rest = rest;
        if is_mark(first) { Word::Mark(word) } else { Word::Name(word) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(selector: &str) -> bool {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "b", "empty": "", "x.io/n": "5"}}});
        LabelSelector::parse(selector).expect(selector).matches(&object)
    }

    #[test]
    fn label_selectors_match() {
        for yes in [
            "app",
            "app=web",
            "app==web",
            "app!=db",
            "none!=db",
            "!none",
            "app in (db,web)",
            "app in ( web )",
            "tier notin (a),app",
            "none notin (a)",
            "empty=",
            "empty in ()",
            "empty in (,a)",
            "x.io/n>4",
            "x.io/n<6,app=web",
            " app = web , tier",
        ] {
            assert!(labels(yes), "{yes}");
        }
        for no in [
            "none",
            "!app",
            "app=db",
            "app!=web",
            "app notin (web)",
            "none in (a)",
            "x.io/n>5",
            "app>1",
            "app=",
        ] {
            assert!(!labels(no), "{no}");
        }
    }

    #[test]
    fn label_selectors_are_told_as_written() {
        for text in ["app = web,tier in (a, b)", "!legacy"] {
            assert_eq!(text.parse::<LabelSelector>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_label_selectors_are_refused() {
        for bad in [
            "",
            " ",
            ",",
            "app,",
            "=web",
            "app in",
            "app in (a",
            "app in a",
            "app web",
            "a b c",
            "app=-x",
            "app=a b",
            "!app=web",
            "a/b/c",
            "/a",
            "a..b/app",
            "-a/app",
            "a./app",
            "\u{a0}app",
            "app>x",
            "app===web",
            "app=web)",
        ] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }
}
