//! The cost of patterns, which the query engine compiles for each node.

/// Returns approximately how many steps it takes to compile a pattern; rather a few more than fewer.
///
/// A repetition multiplies the steps of its part. Unicode classes are by far the largest parts.
pub(super) fn steps(pattern: &str) -> u64 {
    let mut groups = vec![1 << 10];
    // The steps of the part that a repetition would repeat.
    let mut last = 0;
    let mut in_class = 0;
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        let own: u64 = match char {
            '\\' => escape(&mut chars),
            '[' => {
                in_class += 1;
                let is_negated = chars.next_if_eq(&'^').is_some();
                chars.next_if_eq(&']');
                if is_negated { 1 << 12 } else { 32 }
            }
            ']' => {
                in_class -= i32::from(in_class > 0);
                32
            }
            '.' => 1 << 12,
            '(' if in_class == 0 => {
                groups.push(0);
                last = 0;
                continue;
            }
            ')' if in_class == 0 && groups.len() > 1 => groups.pop().unwrap_or_default(),
            '{' if in_class == 0 => {
                let more = u64::saturating_mul(last, times(&braced(&mut chars)) - 1);
                last = add(&mut groups, more).saturating_add(last);
                continue;
            }
            _ => 32,
        };
        add(&mut groups, own);
        // A repetition applies to a whole class.
        let is_inside = char == ']' || in_class > i32::from(char == '[');
        last = if is_inside { last.saturating_add(own) } else { own };
    }
    groups.into_iter().fold(0, u64::saturating_add)
}

type Chars<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// Returns the steps of an escape; reads it from behind its backslash.
fn escape(chars: &mut Chars<'_>) -> u64 {
    let char = chars.next();
    if matches!(char, Some('p' | 'P' | 'x' | 'u' | 'U' | 'b')) && chars.next_if_eq(&'{').is_some() {
        braced(chars);
    }
    match char {
        Some('w' | 'W' | 'p' | 'P') => 1 << 17,
        Some('d' | 'D' | 's' | 'S') => 1 << 13,
        _ => 32,
    }
}

/// Returns the text up to the closing brace.
fn braced(chars: &mut Chars<'_>) -> String {
    chars.by_ref().take_while(|char| *char != '}').collect()
}

/// Returns how often `3`, `2,` or `2,3` repeats a part, at least once.
fn times(braced: &str) -> u64 {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let last = braced.split(',').map(digits).rfind(|digits| !digits.is_empty());
    last.map_or(1, |digits| digits.parse().unwrap_or(u64::MAX).max(1))
}

/// Adds steps to the innermost group.
fn add(groups: &mut [u64], steps: u64) -> u64 {
    if let Some(group) = groups.last_mut() {
        *group = group.saturating_add(steps);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn a_part_counts_as_often_as_it_is_repeated() {
        for (own, other) in [
            ("a{3}", "aaa"),
            ("(?:ab){2}", "abab"),
            ("[a-c]{2}", "[a-c][a-c]"),
            ("((\\d){2}){3}", "\\d{6}"),
            ("a{2,3}", "a{3}"),
            ("a{2,}", "aa"),
            ("[(]{2}", "[(][(]"),
            ("[](]{2}", "[](][](]"),
            ("\\p{Greek}{2}", "\\p{Greek}\\p{L}"),
        ] {
            let (own, other) = (steps(own), steps(other));
            assert!(own >= other && own - other < 512, "{own} {other}");
        }
        assert!(steps("\\w+\\.\\w+") < 1 << 19);
        assert!(steps("\\w{10}") > 1 << 20);
        assert!(steps("(\\w{50}){20}") > 1 << 26);
        assert_eq!(steps("a{99999999999999999999}{9}"), u64::MAX);
        for odd in ["", ")", "(", "{", "{2}", "a{", "[", "]", "a{,}", "\\"] {
            assert!(steps(odd) < 1 << 12, "{odd}");
        }
    }
}
