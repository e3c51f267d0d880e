//! Label selectors, in the API server's own grammar. They are checked before they are sent, and
//! evaluated in tests.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::core::{Expression, Selector};
use serde_json::Value;

use super::selector::have_same;
use crate::{error::PathError, path::TRAILING_COMMA, rfc1123::is_subdomain, text::has_text};

/// A label selector, such as `app=web,tier in (a, b),!legacy`.
///
/// [`Watch::labels`](crate::Watch::labels) takes a selector as text or parsed, so a program can check it
/// where it reads its configuration. `try_into()` converts kube's [`Selector`] and [`Expression`], and
/// the `LabelSelector` of Kubernetes' own objects (a Deployment's `spec.selector`), to this type. It
/// also converts a selector back to [`Selector`] or a Kubernetes `LabelSelector`, unless the selector
/// has `>` or `<`, which both types lack.
///
/// Two selectors are equal if they have equal requirements, in any order and any notation. A selector
/// serializes as its text. There is no selector that selects everything: an empty one is an error in
/// each of these forms.
///
/// ```
/// use k8s_openapi::apimachinery::pkg::apis::meta::v1;
/// use kube::core::{Expression, Selector};
/// use kube_weir::LabelSelector;
///
/// let selector = LabelSelector::parse("app=web,tier in (a, b),!legacy")?;
/// let error = LabelSelector::parse("app in a").unwrap_err();
/// assert_eq!(error.caret(), "app in a\n       ^");
///
/// let of_kube: Selector = (&selector).try_into()?;
/// assert_eq!(LabelSelector::try_from(&of_kube)?, selector);
/// let exists = LabelSelector::try_from(Expression::Exists("app".into()))?;
/// assert_eq!(exists.to_string(), "app");
///
/// let of_objects: v1::LabelSelector = (&selector).try_into()?;
/// assert_eq!(of_objects.match_labels.as_ref().unwrap()["app"], "web");
/// assert_eq!(LabelSelector::try_from(&of_objects)?, selector);
/// # Ok::<(), kube_weir::PathError>(())
/// ```
#[derive(Clone)]
pub struct LabelSelector {
    written: Box<str>,
    terms: Vec<Term>,
}

type Term = (String, Requirement);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    /// The value is one of these, which are sorted.
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Parses a selector of at least one requirement. `text.parse()` does the same.
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
    /// If the text doesn't follow the
    /// [grammar](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
    /// The error has the position. The empty text is an error too: it never means "everything".
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::LabelSelector;
    ///
    /// let selector: LabelSelector = "tier in (a, b),app.kubernetes.io/name!=web".parse()?;
    /// assert_eq!(selector, LabelSelector::parse("app.kubernetes.io/name!=web,tier in (b,a)")?);
    ///
    /// let error = LabelSelector::parse("app=web,").unwrap_err();
    /// assert_eq!((error.position(), error.hint()), (7, "nothing follows this ',': leave it out"));
    /// assert!(LabelSelector::parse("").is_err());
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::read(text).map_err(|(at, hint)| {
            let (at, hint) = plain_hint(text, at).map_or((at, hint), |(at, own)| (at, own.into()));
            PathError::new(text, at, hint).of_selector()
        })
    }

    /// Parses a selector. An error is the position of the mistake and the API server's message.
    pub(crate) fn read(text: &str) -> Result<Self, (usize, String)> {
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
                Err(hint) => return Err((text.len() - words.last.len(), hint)),
            }
        }
    }

    /// Checks these requirements and makes a selector of them.
    fn of_terms(terms: Vec<Term>) -> Result<Self, PathError> {
        let mut text = String::new();
        let mut mistake = None;
        let mut check = |at: usize, checked: Result<(), String>| {
            if let Err(hint) = checked {
                mistake.get_or_insert((at, hint));
            }
        };
        for (key, requirement) in &terms {
            if !text.is_empty() {
                text.push(',');
            }
            if *requirement == Requirement::Missing {
                text.push('!');
            }
            check(text.len(), check_key(key));
            text.push_str(key);
            // No caller has `>` or `<`.
            let (Requirement::In(values) | Requirement::NotIn(values)) = requirement else {
                continue;
            };
            let is_in = matches!(requirement, Requirement::In(_));
            let (before, after) = match (values.len(), is_in) {
                (1, true) => ("=", ""),
                (1, false) => ("!=", ""),
                (_, true) => (" in (", ")"),
                (_, false) => (" notin (", ")"),
            };
            text.push_str(before);
            if values.is_empty() {
                check(text.len(), Err("expected a value".to_owned()));
            }
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                check(text.len(), check_value(value));
                text.push_str(value);
            }
            text.push_str(after);
        }
        if terms.is_empty() {
            mistake = Some((0, "it would select everything: give none instead".to_owned()));
        }
        match mistake {
            Some((at, hint)) => Err(PathError::new(&text, at, hint).of_selector()),
            None => Ok(Self { written: text.into(), terms }),
        }
    }

    /// Returns the selector that requires both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let written = format!("{self},{other}").into();
        Self { written, terms: self.terms.iter().chain(&other.terms).cloned().collect() }
    }

    fn has_comparison(&self) -> PathError {
        // Keys and values can't contain these characters.
        let at = self.written.find(['<', '>']).unwrap_or_default();
        PathError::new(&self.written, at, "such selectors have no '<' and '>'").of_selector()
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

/// Writes the selector as it was given.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

has_text!(LabelSelector, PathError, "a label selector, such as \"app=web\"");

impl fmt::Debug for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LabelSelector").field(&self.written).finish()
    }
}

impl PartialEq for LabelSelector {
    fn eq(&self, other: &Self) -> bool {
        have_same(&self.terms, &other.terms)
    }
}

impl Eq for LabelSelector {}

impl TryFrom<Selector> for LabelSelector {
    type Error = PathError;

    fn try_from(selector: Selector) -> Result<Self, PathError> {
        Self::of_terms(selector.into_iter().map(of_expression).collect())
    }
}

impl TryFrom<&Selector> for LabelSelector {
    type Error = PathError;

    fn try_from(selector: &Selector) -> Result<Self, PathError> {
        selector.clone().try_into()
    }
}

impl TryFrom<Expression> for LabelSelector {
    type Error = PathError;

    fn try_from(expression: Expression) -> Result<Self, PathError> {
        Self::of_terms(vec![of_expression(expression)])
    }
}

impl TryFrom<v1::LabelSelector> for LabelSelector {
    type Error = PathError;

    fn try_from(selector: v1::LabelSelector) -> Result<Self, PathError> {
        let labels = selector.match_labels.into_iter().flatten();
        let mut terms: Vec<Term> =
            labels.map(|(key, value)| (key, Requirement::In(vec![value]))).collect();
        for own in selector.match_expressions.into_iter().flatten() {
            let values = in_order(own.values.unwrap_or_default());
            let requirement = match (own.operator.as_str(), values.is_empty()) {
                ("In", _) => Ok(Requirement::In(values)),
                ("NotIn", _) => Ok(Requirement::NotIn(values)),
                ("Exists", true) => Ok(Requirement::Exists),
                ("DoesNotExist", true) => Ok(Requirement::Missing),
                ("Exists" | "DoesNotExist", false) => Err("this operator takes no values"),
                _ => Err("the operators are In, NotIn, Exists and DoesNotExist"),
            };
            let requirement = requirement.map_err(|hint| {
                let text = format!("{} {}", own.key, own.operator);
                PathError::new(&text, own.key.len() + 1, hint).of_selector()
            })?;
            terms.push((own.key, requirement));
        }
        Self::of_terms(terms)
    }
}

impl TryFrom<&v1::LabelSelector> for LabelSelector {
    type Error = PathError;

    fn try_from(selector: &v1::LabelSelector) -> Result<Self, PathError> {
        selector.clone().try_into()
    }
}

/// Fails if the selector has `>` or `<`, which kube's selectors lack.
impl TryFrom<&LabelSelector> for Selector {
    type Error = PathError;

    fn try_from(selector: &LabelSelector) -> Result<Self, PathError> {
        let expressions = selector.terms.iter().map(|(key, requirement)| {
            let key = key.clone();
            Ok(match requirement {
                Requirement::In(values) => match &values[..] {
                    [value] => Expression::Equal(key, value.clone()),
                    values => Expression::In(key, values.iter().cloned().collect()),
                },
                Requirement::NotIn(values) => match &values[..] {
                    [value] => Expression::NotEqual(key, value.clone()),
                    values => Expression::NotIn(key, values.iter().cloned().collect()),
                },
                Requirement::Exists => Expression::Exists(key),
                Requirement::Missing => Expression::DoesNotExist(key),
                Requirement::Greater(_) | Requirement::Less(_) => {
                    return Err(selector.has_comparison());
                }
            })
        });
        expressions.collect()
    }
}

impl TryFrom<LabelSelector> for Selector {
    type Error = PathError;

    fn try_from(selector: LabelSelector) -> Result<Self, PathError> {
        (&selector).try_into()
    }
}

/// Fails if the selector has `>` or `<`, which these selectors lack.
impl TryFrom<&LabelSelector> for v1::LabelSelector {
    type Error = PathError;

    fn try_from(selector: &LabelSelector) -> Result<Self, PathError> {
        let mut labels = BTreeMap::new();
        let mut expressions = Vec::new();
        for (key, requirement) in &selector.terms {
            let (operator, values) = match requirement {
                // The map holds only one value for a key.
                Requirement::In(values) if values.len() == 1 && !labels.contains_key(key) => {
                    labels.insert(key.clone(), values[0].clone());
                    continue;
                }
                Requirement::In(values) => ("In", Some(values.clone())),
                Requirement::NotIn(values) => ("NotIn", Some(values.clone())),
                Requirement::Exists => ("Exists", None),
                Requirement::Missing => ("DoesNotExist", None),
                Requirement::Greater(_) | Requirement::Less(_) => {
                    return Err(selector.has_comparison());
                }
            };
            let operator = operator.to_owned();
            expressions.push(v1::LabelSelectorRequirement { key: key.clone(), operator, values });
        }
        Ok(Self {
            match_labels: Some(labels).filter(|own| !own.is_empty()),
            match_expressions: Some(expressions).filter(|own| !own.is_empty()),
        })
    }
}

impl TryFrom<LabelSelector> for v1::LabelSelector {
    type Error = PathError;

    fn try_from(selector: LabelSelector) -> Result<Self, PathError> {
        (&selector).try_into()
    }
}

fn of_expression(expression: Expression) -> Term {
    match expression {
        Expression::In(key, values) => (key, Requirement::In(values.into_iter().collect())),
        Expression::NotIn(key, values) => (key, Requirement::NotIn(values.into_iter().collect())),
        Expression::Equal(key, value) => (key, Requirement::In(vec![value])),
        Expression::NotEqual(key, value) => (key, Requirement::NotIn(vec![value])),
        Expression::Exists(key) => (key, Requirement::Exists),
        Expression::DoesNotExist(key) => (key, Requirement::Missing),
    }
}

fn in_order(mut values: Vec<String>) -> Vec<String> {
    values.sort_unstable();
    values.dedup();
    values
}

/// Returns a hint and its position, for mistakes where the API server's message helps less.
fn plain_hint(text: &str, at: usize) -> Option<(usize, &'static str)> {
    let rest = &text[at..];
    let before = text[..at].trim_end();
    if rest.is_empty() && before.ends_with(',') && !before.contains('(') {
        return Some((before.len() - 1, TRAILING_COMMA));
    }
    let word = rest.split(char::is_whitespace).next().unwrap_or_default();
    let hint = match word {
        "" if before.is_empty() => "the selector is empty: it never selects everything",
        "and" | "&&" => "requirements are joined by ','",
        "or" | "||" => "there is no 'or', but for values: 'app in (a, b)'",
        _ if word.starts_with(['"', '\'']) => "labels have no quotes: leave them out",
        _ => return None,
    };
    Some((at, hint))
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
        // No text between two marks is the empty value, as in `in (,a)`.
        match words.peek() {
            Word::Mark("," | ")") => values.push(String::new()),
            _ => values.push(value(words)?),
        }
        match words.next() {
            Word::Mark(",") => {}
            Word::Mark(")") => return Ok(in_order(values)),
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
    /// The rest from the last word on; for the position of an error.
    last: &'a str,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Word<'a> {
        Words { ..*self }.next()
    }

    fn next(&mut self) -> Word<'a> {
        let is_mark = |c: char| "=!(),<>".contains(c);
        // The API server accepts no other white space.
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
    fn label_selectors_are_printed_as_written() {
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
