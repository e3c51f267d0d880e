//! Field selectors: conditions on the fields of objects.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{
    error::PathError,
    path::{FieldPath, TRAILING_COMMA, end_of_part},
    tape::Tape,
    text::has_text,
};

/// A condition on the fields of an object, such as `spec.type=LoadBalancer,metadata.labels['a.b']!=x`.
///
/// Terms are joined by `,`: all must hold. The operators are `=`, `==` (the same) and `!=`; the left
/// side is any [`FieldPath`]. In a value, `\` escapes `,`, `=`, quotes, white space at the ends, and `\`
/// itself. As in the API server's field selectors, a field that is missing or null equals the empty
/// string. If a path selects several values, `=` holds if any of them is equal, and `!=` if none is.
///
/// Two selectors are equal if they have equal terms, in any order and any notation. A selector
/// serializes as its text.
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
#[derive(Clone)]
pub struct FieldSelector {
    written: Arc<str>,
    terms: Arc<[Term]>,
}

#[derive(Clone, PartialEq)]
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
    /// If the text is not a valid selector. The error has the byte position in the whole text and a
    /// hint. The empty text is an error too: it never means "everything".
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
            if text[at..].trim().is_empty() {
                return Err(PathError::new(text, end, TRAILING_COMMA).of_selector());
            }
        }
        let start = text.len() - text.trim_start().len();
        Ok(Self { written: trimmed_end(&text[start..]).into(), terms: terms.into() })
    }

    /// Returns the selector for objects of this name, in the notation of the API server.
    pub(crate) fn of_name(name: &str) -> Self {
        let written = name.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
        let quote = if name.starts_with(['"', '\'']) { r"\" } else { "" };
        let path = FieldPath::of_names(&["metadata", "name"]);
        let written = format!("{path}={quote}{written}").into();
        Self { written, terms: [Term { path, value: name.to_owned(), equal: true }].into() }
    }

    /// Returns the selector that requires both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let written = format!("{self},{other}").into();
        Self { written, terms: self.terms.iter().chain(&*other.terms).cloned().collect() }
    }

    /// Returns the paths on the left sides.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &FieldPath> {
        self.terms.iter().map(|term| &term.path)
    }

    /// Returns whether the object matches.
    ///
    /// ```
    /// use kube_weir::FieldSelector;
    /// use serde_json::json;
    ///
    /// // A missing field equals the empty text.
    /// let unassigned = FieldSelector::parse("spec.nodeName=")?;
    /// assert!(unassigned.matches(&json!({ "spec": {} })));
    ///
    /// // With several values, one must be equal, or all must differ.
    /// let ports = json!({ "spec": { "ports": [{ "port": 80 }, { "port": 443 }] } });
    /// assert!(FieldSelector::parse("spec.ports[*].port=443")?.matches(&ports));
    /// assert!(!FieldSelector::parse("spec.ports[*].port!=443")?.matches(&ports));
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn matches(&self, value: &Value) -> bool {
        self.all(|path| path.keys(value))
    }

    /// Does the same as [`matches`](Self::matches) for any object.
    pub(crate) fn matches_of<T: Serialize + ?Sized>(&self, object: &T) -> bool {
        self.all(|path| path.keys_of(object))
    }

    /// Does the same as [`matches`](Self::matches) for an object that is given as valid JSON text.
    pub(crate) fn matches_json(&self, json: &str) -> bool {
        self.all(|path| path.keys_in_json(json))
    }

    /// Does the same as [`matches`](Self::matches) for an object that is given as a tape.
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

has_text!(FieldSelector, PathError, "a field selector, such as \"spec.type=LoadBalancer\"");

impl PartialEq for FieldSelector {
    fn eq(&self, other: &Self) -> bool {
        have_same(&self.terms, &other.terms)
    }
}

impl Eq for FieldSelector {}

impl fmt::Debug for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldSelector").field(&self.written).finish()
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Parses the term that begins at `start`. Returns its end, which is a comma or the end of the text.
fn term(text: &str, start: usize, terms: &mut Vec<Term>) -> Result<usize, PathError> {
    let operator = end_of_part(text, start, &['=', '!', ',']);
    if let Some((at, hint)) = other_operator(&text[start..], operator - start) {
        return Err(PathError::new(text, start + at, hint));
    }
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

/// Returns the position and a hint for an operator that label selectors or other languages have, but
/// field selectors lack.
fn other_operator(term: &str, path: usize) -> Option<(usize, &'static str)> {
    let (path, rest) = term.split_at(path);
    let key = path.trim_start();
    if key.is_empty() && rest.starts_with('!') && !rest.starts_with("!=") {
        let hint = "'!' is for labels: use `.labels()`, or `path=` for a field that is missing";
        return Some((path.len(), hint));
    }
    // Brackets may hold filters, which have operators of their own.
    let plain = &path[..path.find('[').unwrap_or(path.len())];
    let words = plain.trim_start().split_once(char::is_whitespace);
    if let Some((_, second)) = words.filter(|(first, _)| !first.ends_with('\\')) {
        let second = second.trim_start();
        let is = |word| second.strip_prefix(word).is_some_and(|rest: &str| !rest.starts_with('.'));
        if is("in ") || is("in(") || is("notin ") || is("notin(") {
            let hint =
                "'in' and 'notin' are for labels: use `.labels()`; fields have '=', '==', '!='";
            return Some((plain.len() - second.len(), hint));
        }
    }
    let mark = plain.find(['<', '>']).filter(|at| !plain[..*at].ends_with('\\'))?;
    Some((mark, "fields have '=', '==', '!=' only: compare in a closure, by `.matching_with()`"))
}

/// Parses the value from `start` on; returns it and its end.
fn value(text: &str, start: usize) -> Result<(String, usize), PathError> {
    let Range { start, end } = trimmed(text, start);
    if text[start..end].starts_with(['"', '\'']) {
        let hint = "quotes would be part of the value: leave them out, or write '\\' before them";
        return Err(PathError::new(text, start, hint));
    }
    let mut value = String::new();
    let mut chars = text[start..].char_indices();
    while let Some((at, char)) = chars.next() {
        let at = start + at;
        match char {
            ',' => break,
            '=' => {
                // Two terms may be joined in another way than by ','.
                let joint = ["&&", " and "].iter().find_map(|own| text[start..at].find(own));
                return Err(match joint {
                    Some(joint) => PathError::new(text, start + joint, "terms are joined by ','"),
                    None => PathError::new(text, at, "a '=' in a value is written '\\='"),
                });
            }
            '\\' => match chars.next() {
                Some((_, char))
                    if matches!(char, '\\' | ',' | '=' | '"' | '\'') || char.is_whitespace() =>
                {
                    value.push(char);
                }
                _ => {
                    return Err(PathError::new(
                        text,
                        at,
                        "only ',', '=', quotes and '\\' are escaped in a value",
                    ));
                }
            },
            _ if at < end => value.push(char),
            _ => {}
        }
    }
    Ok((value, comma(text, start)))
}

/// Returns the range of the value without the white space around it; escaped white space is kept.
fn trimmed(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from..comma(text, from)];
    let start = from + rest.len() - rest.trim_start().len();
    start..start + trimmed_end(&text[start..from + rest.len()]).len()
}

/// Returns the text without the white space at its end; escaped white space is kept.
fn trimmed_end(text: &str) -> &str {
    let mut end = text.trim_end().len();
    let backslashes = end - text[..end].trim_end_matches('\\').len();
    if backslashes % 2 == 1 {
        end += text[end..].chars().next().map_or(0, char::len_utf8);
    }
    &text[..end]
}

/// Returns the position of the next comma that is not escaped, or the end of the text.
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

/// Returns whether both have the same elements, in any order.
pub(super) fn have_same<T: PartialEq>(own: &[T], other: &[T]) -> bool {
    let has_all = |these: &[T], those: &[T]| those.iter().all(|one| these.contains(one));
    has_all(own, other) && has_all(other, own)
}
