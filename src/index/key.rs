//! Index keys.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use triomphe::ThinArc;

/// An index key: a list of strings, compared part by part.
///
/// Parts are never joined by a separator that a part could contain, so `["a/b", "c"]` and
/// `["a", "b/c"]` are two keys.
///
/// ```
/// use kube_weir::Key;
///
/// let key = Key::new(["default", "web"]);
/// assert_eq!(key.parts().collect::<Vec<_>>(), ["default", "web"]);
/// assert!(Key::new(["a", "z"]) < Key::new(["b", "a"]));
/// ```
#[derive(Clone)]
pub struct Key(ThinArc<(), u8>);

// The parts in an order-preserving encoding, so that keys compare, and prefixes match, as plain
// bytes: each part ends with END; NUL inside a part is followed by a byte that is above END's.
const END: &str = "\0\0";
const NUL: &str = "\0\u{1}";

impl Key {
    /// The key with these parts.
    /// In a test it is what keys are compared with; a lookup takes
    /// the parts. See [`Key`] for an example.
    pub fn new<I>(parts: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        Self(ThinArc::from_header_and_slice((), encode(parts).0.as_bytes()))
    }

    /// The parts, in order.
    ///
    /// They can be handed to a lookup as they are:
    /// [`get(key.parts())`](crate::IndexView::get).
    ///
    /// ```
    /// use kube_weir::Key;
    ///
    /// let key = Key::new(["default", "web"]);
    /// let [namespace, name] = &key.parts().collect::<Vec<_>>()[..] else { panic!() };
    /// assert_eq!((&**namespace, &**name), ("default", "web"));
    /// assert_eq!(key.to_string(), "default, web"); // for people
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let mut rest = str::from_utf8(self.as_bytes()).unwrap_or_default();
        std::iter::from_fn(move || {
            let mut at = 0;
            loop {
                at += rest.get(at..)?.find('\0')?;
                if rest[at..].starts_with(END) {
                    let part = &rest[..at];
                    rest = &rest[at + END.len()..];
                    return Some(if part.contains('\0') {
                        Cow::Owned(part.replace(NUL, "\0"))
                    } else {
                        Cow::Borrowed(part)
                    });
                }
                at += NUL.len();
            }
        })
    }

    /// In the order of the keys.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// How this key is ordered against all keys that begin with `prefix`.
    pub(crate) fn against(&self, prefix: &Prefix) -> Ordering {
        let prefix = prefix.0.as_bytes();
        let own = self.as_bytes();
        own[..own.len().min(prefix.len())].cmp(prefix)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts()).finish()
    }
}

/// `a, b`, for people.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{part}")?;
        }
        Ok(())
    }
}

/// The first parts of a key, encoded for [`Key::against`].
pub(crate) struct Prefix(String);

impl Prefix {
    pub(crate) fn new<I>(parts: I) -> (Self, usize)
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let (text, width) = encode(parts);
        (Self(text), width)
    }
}

fn encode<I>(parts: I) -> (String, usize)
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let mut text = String::new();
    let mut width = 0;
    for part in parts {
        let part = part.as_ref();
        if part.contains('\0') {
            text.push_str(&part.replace('\0', NUL));
        } else {
            text.push_str(part);
        }
        text.push_str(END);
        width += 1;
    }
    (text, width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SEMANTICS: I1
    #[test]
    fn parts_are_never_joined() {
        assert_ne!(Key::new(["a/b", "c"]), Key::new(["a", "b/c"]));
        assert_ne!(Key::new(["ab"]), Key::new(["a", "b"]));
        assert_ne!(Key::new(["a\0\0b"]), Key::new(["a", "b"]));
        assert_ne!(Key::new([""; 0]), Key::new([""]));
    }

    proptest! {
        /// SEMANTICS: I1
        #[test]
        fn a_key_is_its_parts(
            a in prop::collection::vec("[\0\u{1}a-c]{0,3}", 0..4),
            b in prop::collection::vec("[\0\u{1}a-c]{0,3}", 0..4),
        ) {
            let (ka, kb) = (Key::new(&a), Key::new(&b));
            prop_assert_eq!(ka.parts().collect::<Vec<_>>(), a.clone());
            prop_assert_eq!(ka.cmp(&kb), a.cmp(&b));
            let (prefix, width) = Prefix::new(&b);
            prop_assert_eq!(ka.against(&prefix) == Ordering::Equal, a.starts_with(&b));
            prop_assert_eq!(width, b.len());
        }
    }
}
