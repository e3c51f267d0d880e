//! Lists of paths in one text.

use super::FieldPath;
use crate::error::PathError;

/// The hint for a comma at the end.
pub(crate) const TRAILING_COMMA: &str = "nothing follows this ',': leave it out";

impl FieldPath {
    /// Parses a list of paths, separated by commas. Each comes with the position at which it begins.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<(usize, Self)>, PathError> {
        let mut paths = Vec::new();
        let mut start = 0;
        while !text[start..].trim().is_empty() {
            let end = end_of_part(text, start, &[',']);
            let space = text[start..].len() - text[start..].trim_start().len();
            paths.push((start + space, Self::parse_part(text, start..end)?));
            if end == text.len() {
                break;
            }
            start = end + 1;
            if text[start..].trim().is_empty() {
                return Err(PathError::new(text, end, TRAILING_COMMA));
            }
        }
        Ok(paths)
    }
}

/// Returns the end of a part of the text: the first of these characters that is neither escaped nor in
/// brackets or quotes, or else the end of the text.
pub(crate) fn end_of_part(text: &str, start: usize, ends: &[char]) -> usize {
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
            _ if depth == 0 && ends.contains(&char) => return start + at,
            _ => {}
        }
    }
    text.len()
}
