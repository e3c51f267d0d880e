//! The error of parsing a path or selector.

use std::{borrow::Cow, convert::Infallible};

/// An invalid path or selector, with a hint and the position in bytes.
///
/// The error occurs before any request to the API server. `?` converts it to an
/// [`Error`](crate::Error::is_path). All methods are in this example:
///
/// ```
/// use kube_weir::FieldPath;
///
/// let error = FieldPath::parse("metadata.labels[app]").unwrap_err();
/// assert_eq!((error.path(), error.position()), ("metadata.labels[app]", 16));
/// assert_eq!(error.hint(), "expected a quoted name, a number, '*' or '?' in brackets");
/// assert_eq!(error.caret(), "metadata.labels[app]\n                ^");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid path or selector {path:?}: {hint} (at byte {position})")]
pub struct PathError {
    path: Box<str>,
    position: usize,
    hint: Cow<'static, str>,
    /// True if the text is a selector, which may contain paths.
    is_selector: bool,
}

impl PathError {
    /// Returns the rejected text: a whole path, or a whole selector.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the byte of [`path`](Self::path) at which the mistake is; the length if something is
    /// missing at the end.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns what is wrong at the position, or what was expected there.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Returns the path on one line and a `^` under the [`position`](Self::position) on the next.
    ///
    /// Columns are counted in characters; line breaks and tabs in the path are shown as spaces.
    pub fn caret(&self) -> String {
        let line = self.path.replace(char::is_control, " ");
        let before = self.path.char_indices().take_while(|(at, _)| *at < self.position).count();
        format!("{line}\n{}^", " ".repeat(before))
    }

    pub(crate) fn new(path: &str, position: usize, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), position, hint: hint.into(), is_selector: false }
    }

    pub(crate) fn of_selector(self) -> Self {
        Self { is_selector: true, ..self }
    }

    pub(super) fn is_selector(&self) -> bool {
        self.is_selector
    }
}

/// Allows a method that parses its argument to take the parsed type, too.
impl From<Infallible> for PathError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_under_the_character() {
        let error = PathError::new("spec.ключ[", 13, "unclosed");
        assert_eq!(error.caret(), "spec.ключ[\n         ^");
        let long = PathError::new(&"a".repeat(70_000), 69_999, "too long");
        assert_eq!(long.caret().len(), 70_000 + 1 + 69_999 + 1);
        let error = PathError::new("a\n\tb c", 4, "no");
        assert_eq!(error.caret(), "a  b c\n    ^");
    }

    #[test]
    fn message_is_one_lower_case_line() {
        let error = PathError::new("a\nb", 1, "white space outside quotes");
        let text = error.to_string();
        assert_eq!(
            text,
            r#"invalid path or selector "a\nb": white space outside quotes (at byte 1)"#
        );
    }
}
