//! Untrusted text in a form that is safe in an error or a log line.

/// The maximum lengths of the name of an object and of a namespace.
pub(crate) const LONGEST_NAME: usize = 253;
pub(crate) const LONGEST_NAMESPACE: usize = 63;

/// Returns a text with control characters escaped, cut to at most `longest` characters.
pub(crate) fn printed(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let mut left = longest;
    for (at, c) in text.char_indices() {
        let len = escaped(c).count();
        let is_last = at + c.len_utf8() == text.len();
        if left < len + usize::from(!is_last) {
            out.extend((left > 0).then_some('…'));
            break;
        }
        left -= len;
        out.extend(escaped(c));
    }
    out
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    // Characters that change the direction of text hide the text behind them.
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
        for (longest, cut) in [(0, ""), (1, "…"), (4, "клю…"), (5, "ключи"), (6, "ключи")]
        {
            assert_eq!(printed("ключи", longest), cut);
        }
        // An escape is not cut.
        for (longest, cut) in [(2, "a…"), (6, "a…"), (7, "a\\u{1b}"), (8, "a\\u{1b}")] {
            assert_eq!(printed("a\u{1b}", longest), cut);
        }
    }
}
