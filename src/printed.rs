//! Foreign text, as an error or a log line may hold it.

/// Returns at most this many characters of a text, with control characters escaped.
pub(crate) fn printed(text: &str, longest: usize) -> String {
    let mut out: String = text.chars().take(longest).flat_map(escaped).collect();
    if text.chars().nth(longest).is_some() {
        out.push('…');
    }
    out
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    // Characters that turn the direction of text hide what comes after them.
    let is_hidden = c.is_control()
        || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = is_hidden.then(|| c.escape_default());
    let own = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: B4
    #[test]
    fn text_is_short_and_harmless() {
        assert_eq!(printed("a b", 3), "a b");
        assert_eq!(printed("a\n\u{1b}[31m\u{202e}b", 99), "a\\n\\u{1b}[31m\\u{202e}b");
        assert_eq!(printed("ключи", 4), "ключ…");
    }
}
