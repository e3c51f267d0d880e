//! Comparison of resourceVersions.

/// Returns whether a text is accepted as a server's resourceVersion. Other texts are rejected, because
/// versions are put into URLs, logs and errors.
pub(crate) fn is_valid(version: &str) -> bool {
    (1..=LONGEST_VERSION).contains(&version.len())
        && version.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Length of the longest accepted resourceVersion. A number of 128 bits has 39 digits.
pub(crate) const LONGEST_VERSION: usize = 128;

/// Returns whether `version` is `wanted` or a later version.
///
/// resourceVersions of one resource are unsigned integers of any size
/// ([KEP-5504](https://kep.k8s.io/5504)); other texts are only compared for equality.
pub(crate) fn has_reached(version: &str, wanted: &str) -> bool {
    if is_number(version) && is_number(wanted) {
        return (version.len(), version) >= (wanted.len(), wanted);
    }
    version == wanted
}

/// Returns whether a version is earlier than another; false unless both are numbers.
pub(crate) fn is_before(version: &str, other: &str) -> bool {
    is_number(version) && is_number(other) && !has_reached(version, other)
}

/// Returns whether a version can be compared with others.
pub(crate) fn is_number(version: &str) -> bool {
    !version.is_empty() && !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: B4
    #[test]
    fn versions_are_short_and_visible() {
        for version in ["1", "a-b", &"9".repeat(128)] {
            assert!(is_valid(version), "{version}");
        }
        for version in ["", "a b", "1\n", "\u{1b}", "ы", &"9".repeat(129)] {
            assert!(!is_valid(version), "{version}");
        }
    }

    #[test]
    fn versions_are_numbers_of_any_size_or_the_same() {
        let huge = "340282366920938463463374607431768211456";
        for (version, wanted, expected) in [
            ("7", "7", true),
            ("8", "7", true),
            ("7", "8", false),
            ("10", "9", true),
            ("9", "10", false),
            (huge, "18446744073709551616", true),
            ("18446744073709551616", huge, false),
            ("", "", true),
            ("a", "a", true),
            ("b", "a", false),
            // None of these is well-formed.
            ("08", "7", false),
            ("8 ", "7", false),
            ("+8", "7", false),
            ("1", "0", false),
            ("8", "", false),
            ("٨", "7", false),
        ] {
            assert_eq!(has_reached(version, wanted), expected, "{version:?} at {wanted:?}");
        }
    }
}
