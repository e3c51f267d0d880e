//! How far a store is: comparing resourceVersions.

use std::collections::BTreeMap;

/// Whether what is at `version` is at `wanted`, or beyond it.
///
/// resourceVersions of one resource are unsigned integers of any size
/// ([KEP-5504](https://kep.k8s.io/5504)); of two that are not, it can only be told whether they are
/// the same.
pub(crate) fn has_reached(version: &str, wanted: &str) -> bool {
    if is_number(version) && is_number(wanted) {
        return (version.len(), version) >= (wanted.len(), wanted);
    }
    version == wanted
}

fn is_number(version: &str) -> bool {
    !version.is_empty() && !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit())
}

/// The resourceVersion up to which everything was seen, for each collection that is watched: by
/// namespace, which is `""` for all of them and the cluster-scoped.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Position(BTreeMap<String, String>);

impl Position {
    pub(crate) fn set(&mut self, namespace: &str, version: &str) {
        match self.0.get_mut(namespace) {
            Some(own) => version.clone_into(own),
            None => drop(self.0.insert(namespace.to_owned(), version.to_owned())),
        }
    }

    /// Takes over what another one has.
    pub(crate) fn follow(&mut self, other: &Self) {
        for (namespace, version) in &other.0 {
            self.set(namespace, version);
        }
    }

    /// That of an object in this namespace, if it is watched at all.
    pub(crate) fn of(&self, namespace: &str) -> Option<&str> {
        self.0.get("").or_else(|| self.0.get(namespace)).map(String::as_str)
    }

    /// That up to which every collection was seen.
    pub(crate) fn earliest(&self) -> Option<&str> {
        self.0.values().map(String::as_str).reduce(|a, b| if has_reached(a, b) { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn each_namespace_has_its_own_unless_all_are_one() {
        let mut position = Position::default();
        assert_eq!((position.of("a"), position.earliest()), (None, None));
        for (namespace, version) in [("a", "9"), ("b", "10"), ("a", "11")] {
            position.set(namespace, version);
        }
        assert_eq!((position.of("a"), position.of("b")), (Some("11"), Some("10")));
        assert_eq!((position.of("c"), position.of("")), (None, None));
        assert_eq!(position.earliest(), Some("10"));
        let mut all = Position::default();
        all.set("", "12");
        assert_eq!((all.of("a"), all.of("")), (Some("12"), Some("12")));
    }
}
