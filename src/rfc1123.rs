//! Names as RFC 1123 has them, and the API server with it.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>

/// What a namespace may be called, and a Service.
pub(crate) fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// What most objects may be called. The API server limits no part of it but the whole.
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
