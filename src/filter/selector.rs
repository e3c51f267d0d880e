//! Field selectors: conditions on any path.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{error::PathError, path::FieldPath, tape::Tape};

/// A condition on the fields of an object, such as `spec.type=LoadBalancer,metadata.labels['a.b']!=x`.
///
/// Terms are joined by `,`: all must hold. The operators are `=`, `==` (the same) and `!=`; the left side is any
/// [`FieldPath`]. In a value, `\` escapes `,`, `=`, white space at the ends and itself. As in the API server's field
/// selectors, a field that is missing or null compares as the empty string. Where a path has several values, `=`
/// holds if any of them is equal, and `!=` if none is.
///
/// ```
/// use kube_weir::FieldSelector;
/// use serde_json::json;
///
/// let selector = FieldSelector::parse("spec.type=LoadBalancer,spec.ports[*].port!=22")?;
/// assert!(selector.matches(&json!({ "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }] } })));
/// assert!(!selector.matches(&json!({ "spec": { "type": "ClusterIP" } })));
/// # Ok::<(), kube_weir::PathError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FieldSelector {
    written: Arc<str>,
    terms: Arc<[Term]>,
}

#[derive(Clone, Debug)]
struct Term {
    path: FieldPath,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Parses a selector. `text.parse()` does the same.
    ///
    /// # Errors
    ///
    /// If the text is no selector, with the byte position in the whole text and a hint. The empty
    /// text is an error too: it never means "everything".
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::FieldSelector;
    /// use serde_json::json;
    ///
    /// let selector = FieldSelector::parse(r"metadata.labels['a.b/list']=x\,b")?;
    /// assert!(selector.matches(&json!({ "metadata": { "labels": { "a.b/list": "x,b" } } })));
    ///
    /// let error = FieldSelector::parse("spec.type=A,spec.").unwrap_err();
    /// assert_eq!((error.position(), error.hint()), (17, "expected a name after '.'"));
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut terms = Vec::new();
        let mut at = 0;
        loop {
            let end = term(text, at, &mut terms).map_err(PathError::of_selector)?;
            if end == text.len() {
                break;
            }
            at = end + 1;
        }
        let start = text.len() - text.trim_start().len();
        Ok(Self { written: trimmed_end(&text[start..]).into(), terms: terms.into() })
    }

    /// That the object has this name, as the API server wants it written.
    pub(crate) fn of_name(name: &str) -> Self {
        let written = name.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
        let path = FieldPath::of_names(&["metadata", "name"]);
        let written = format!("{path}={written}").into();
        Self { written, terms: [Term { path, value: name.to_owned(), equal: true }].into() }
    }

    /// That both hold.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let written = format!("{self},{other}").into();
        Self { written, terms: self.terms.iter().chain(&*other.terms).cloned().collect() }
    }

    /// The paths that it looks at.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        self.terms.iter().map(|term| &term.path)
    }

    /// Whether the condition holds for an object.
    ///
    /// ```
    /// use kube_weir::FieldSelector;
    /// use serde_json::json;
    ///
    /// // A field that is missing is the empty text.
    /// let unassigned = FieldSelector::parse("spec.nodeName=")?;
    /// assert!(unassigned.matches(&json!({ "spec": {} })));
    ///
    /// // Of several values one must be equal, or all must differ.
    /// let ports = json!({ "spec": { "ports": [{ "port": 80 }, { "port": 443 }] } });
    /// assert!(FieldSelector::parse("spec.ports[*].port=443")?.matches(&ports));
    /// assert!(!FieldSelector::parse("spec.ports[*].port!=443")?.matches(&ports));
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn matches(&self, value: &Value) -> bool {
        self.all(|path| path.keys(value))
    }

    /// [`matches`](Self::matches) for any object.
    pub(crate) fn matches_of<T: Serialize + ?Sized>(&self, object: &T) -> bool {
        self.all(|path| path.keys_of(object))
    }

    /// [`matches`](Self::matches) for an object given as valid JSON text.
    pub(crate) fn matches_json(&self, json: &str) -> bool {
        self.all(|path| path.keys_in_json(json))
    }

    /// [`matches`](Self::matches) for an object given as a tape.
    pub(crate) fn matches_on_tape(&self, tape: Tape<'_>) -> bool {
        self.all(|path| path.keys_on_tape(tape))
    }

    fn all(&self, keys: impl Fn(&FieldPath) -> Vec<String>) -> bool {
        self.terms.iter().all(|term| {
            let keys = keys(&term.path);
            let found =
                if keys.is_empty() { term.value.is_empty() } else { keys.contains(&term.value) };
            found == term.equal
        })
    }
}

impl FromStr for FieldSelector {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Parses the term that begins at `start` and gives where it ends: at a comma or at the end of the text.
fn term(text: &str, start: usize, terms: &mut Vec<Term>) -> Result<usize, PathError> {
    let operator = path_end(text, start);
    let path = FieldPath::parse_part(text, start..operator)?;
    let rest = &text[operator..];
    let (equal, width) = match rest.as_bytes() {
        [b'!', b'=', ..] => (false, 2),
        [b'=', b'=', ..] => (true, 2),
        [b'=', ..] => (true, 1),
        _ => return Err(PathError::new(text, operator, "expected '=', '==' or '!='")),
    };
    let (value, end) = value(text, operator + width)?;
    terms.push(Term { path, value, equal });
    Ok(end)
}

/// Where the path ends: at an operator or comma that is not escaped, nor in brackets.
fn path_end(text: &str, start: usize) -> usize {
    let mut depth = 0usize;
    let mut quote = None;
    let mut chars = text[start..].char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            '\'' | '"' if quote == Some(char) => quote = None,
            '\'' | '"' if quote.is_none() && depth > 0 => quote = Some(char),
            _ if quote.is_some() => {}
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '=' | '!' | ',' if depth == 0 => return start + at,
            _ => {}
        }
    }
    text.len()
}

/// The value from `start` on, and where it ends.
fn value(text: &str, start: usize) -> Result<(String, usize), PathError> {
    let Range { start, end } = trimmed(text, start);
    let mut value = String::new();
    let mut chars = text[start..].char_indices();
    while let Some((at, char)) = chars.next() {
        let at = start + at;
        match char {
            ',' => break,
            '=' => {
                return Err(PathError::new(text, at, "a '=' in a value is written '\\='"));
            }
            '\\' => match chars.next() {
                Some((_, char)) if matches!(char, '\\' | ',' | '=') || char.is_whitespace() => {
                    value.push(char);
                }
                _ => {
                    return Err(PathError::new(
                        text,
                        at,
                        "only ',', '=' and '\\' are escaped in a value",
                    ));
                }
            },
            _ if at < end => value.push(char),
            _ => {}
        }
    }
    Ok((value, comma(text, start)))
}

/// The value without the white space around it, unless that is escaped.
fn trimmed(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from..comma(text, from)];
    let start = from + rest.len() - rest.trim_start().len();
    start..start + trimmed_end(&text[start..from + rest.len()]).len()
}

/// Returns the text without the white space at its end, unless that is escaped.
fn trimmed_end(text: &str) -> &str {
    let mut end = text.trim_end().len();
    let backslashes = end - text[..end].trim_end_matches('\\').len();
    if backslashes % 2 == 1 {
        end += text[end..].chars().next().map_or(0, char::len_utf8);
    }
    &text[..end]
}

/// Where the next comma stands that is not escaped.
fn comma(text: &str, from: usize) -> usize {
    let mut chars = text[from..].char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            ',' => return from + at,
            _ => {}
        }
    }
    text.len()
}
