//! Names by the rules of RFC 1123, as the API server checks them.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>

/// Returns whether a text is a valid name of a namespace or a Service.
pub(crate) fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// Returns whether a text is a valid name of most kinds of objects. The API server limits the length of the
/// whole name, not of its parts.
pub(crate) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_part)
}

fn is_part(part: &str) -> bool {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    part.bytes().all(|byte| edge(byte) || byte == b'-')
        && part.bytes().next().is_some_and(edge)
        && part.bytes().next_back().is_some_and(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W2
    #[test]
    fn names_begin_and_end_with_a_letter_or_digit() {
        for name in ["a", "0", "a-b", "a--b", &"a".repeat(63)] {
            assert!(is_label(name) && is_subdomain(name), "{name}");
        }
        for name in ["", "-", "-a", "a-", "A", "a_b", "a/b", "é", "a b"] {
            assert!(!is_label(name) && !is_subdomain(name), "{name}");
        }
    }

    #[test]
    fn a_subdomain_has_parts_and_is_longer() {
        let longest = format!("{}.b", "a".repeat(251));
        for name in ["a.b", "a-b.c", &"a".repeat(64), &longest] {
            assert!(is_subdomain(name) && !is_label(name), "{name}");
        }
        for name in [".", "a.", ".a", "a..b", "a.-b", &format!("{longest}b")] {
            assert!(!is_subdomain(name), "{name}");
        }
    }
}
