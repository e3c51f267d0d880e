//! Index keys.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use triomphe::ThinArc;

use super::{number, parts::IndexKey};
use crate::object_key::ObjectKey;

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

// An order-preserving encoding of the parts, so that keys compare, and prefixes match, as plain bytes: each
// part ends with END; a NUL inside a part is followed by a byte above END's. In a numeric index a number
// begins with NUMBER; its text follows after AS unless it is the canonical one. Text that would sort before
// numbers there, because it is empty or begins with NUL, begins with TEXT.
const END: &str = "\0\0";
const NUL: &str = "\0\u{1}";
const NUMBER: &str = "\0\u{2}";
const AS: &str = "\0\u{3}";
const TEXT: &str = "\0\u{4}";

impl Key {
    /// Returns the key of these parts, for comparisons; a lookup takes the parts themselves.
    ///
    /// ```
    /// use kube_weir::{Key, ObjectKey};
    ///
    /// assert_eq!(Key::new(("web", 443)), Key::new(["web", "443"]));
    /// assert_eq!(Key::new(ObjectKey::new("web", "shop")), Key::new(["web", "shop"]));
    /// ```
    pub fn new(parts: impl IndexKey) -> Self {
        Prefix::new(&parts, Order::Text).key()
    }

    /// Returns the key of these parts in a [numeric](crate::Index::numeric) index, in which numbers are ordered by
    /// value.
    ///
    /// ```
    /// use kube_weir::Key;
    ///
    /// assert!(Key::new("443") > Key::new("10250"));
    /// assert!(Key::numeric("443") < Key::numeric("10250"));
    /// assert_eq!(Key::numeric("0443").to_string(), "0443"); // a different key, right after 443
    /// ```
    pub fn numeric(parts: impl IndexKey) -> Self {
        Prefix::new(&parts, Order::Numeric).key()
    }

    /// Returns the parts, in order.
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
                    return Some(decoded(part));
                }
                at += NUL.len();
            }
        })
    }

    /// Returns a key of two parts as the namespace and name of an object: from an index by a reference to the
    /// referenced object.
    ///
    /// ```
    /// use kube_weir::{Key, ObjectKey};
    ///
    /// assert_eq!(Key::new(("web", "shop")).object_key(), Some(ObjectKey::new("web", "shop")));
    /// assert_eq!(Key::new("shop.example").object_key(), None);
    /// ```
    pub fn object_key(&self) -> Option<ObjectKey> {
        let mut parts = self.parts();
        let key = ObjectKey::new(parts.next()?, parts.next()?);
        parts.next().is_none().then_some(key)
    }

    /// Returns the encoded parts, whose order is that of the keys.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// Compares this key with all keys that begin with `prefix`.
    pub(crate) fn against(&self, prefix: &Prefix) -> Ordering {
        let prefix = prefix.text.as_bytes();
        let own = self.as_bytes();
        own[..own.len().min(prefix.len())].cmp(prefix)
    }
}

fn decoded(part: &str) -> Cow<'_, str> {
    if let Some(number) = part.strip_prefix(NUMBER) {
        return Cow::Owned(match number.split_once(AS) {
            Some((_, text)) => text.to_owned(),
            None => number::written(number).unwrap_or_default(),
        });
    }
    let part = part.strip_prefix(TEXT).unwrap_or(part);
    if part.contains('\0') { Cow::Owned(part.replace(NUL, "\0")) } else { Cow::Borrowed(part) }
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

/// Writes the parts separated by commas, for people.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{part}")?;
        }
        Ok(())
    }
}

impl IndexKey for Key {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        self.parts().for_each(|own| part(&own));
    }
}

/// Order of key parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Text,
    /// Numbers are ordered by value, before all other text.
    Numeric,
}

/// The first parts of a key, encoded for [`Key::against`].
#[derive(Default)]
pub(crate) struct Prefix {
    text: String,
    /// Number of parts.
    pub(crate) width: usize,
}

impl Prefix {
    pub(crate) fn new(parts: &impl IndexKey, order: Order) -> Self {
        let mut own = Self::default();
        parts.each_part(&mut |part| own.push(part, order));
        own
    }

    /// Returns the common prefix of all keys whose last part begins with the last of `parts`, and whose other
    /// parts are equal.
    pub(crate) fn open(parts: &impl IndexKey, order: Order) -> Self {
        let mut own = Self::default();
        let mut last: Option<String> = None;
        parts.each_part(&mut |part| {
            if let Some(before) = last.replace(part.to_owned()) {
                own.push(&before, order);
            }
        });
        if let Some(last) = last {
            own.push_text(&last, order);
            own.width += 1;
        }
        own
    }

    /// Returns the common prefix of all keys that equal a bound of a range: if the bound ends with a number,
    /// all texts of that value are equal.
    pub(crate) fn bound(parts: &impl IndexKey, order: Order) -> Self {
        let mut own = Self::default();
        let mut last = 0;
        parts.each_part(&mut |part| {
            last = own.text.len();
            own.push(part, order);
        });
        // NUL is the first byte of both END and AS.
        if let Some(number) = own.text[last..].strip_prefix(NUMBER)
            && let Some(length) = number.find('\0')
        {
            own.text.truncate(last + NUMBER.len() + length + 1);
        }
        own
    }

    fn push(&mut self, part: &str, order: Order) {
        let number = match order {
            Order::Text => None,
            Order::Numeric => number::sortable(part),
        };
        if let Some(number) = number {
            self.text.extend([NUMBER, &number]);
            if number::written(&number).is_none_or(|written| written != part) {
                self.text.extend([AS, part]);
            }
        } else {
            // The prefix of a part has no mark here: every part begins with the empty text.
            if order == Order::Numeric && part.is_empty() {
                self.text.push_str(TEXT);
            }
            self.push_text(part, order);
        }
        self.text.push_str(END);
        self.width += 1;
    }

    fn push_text(&mut self, part: &str, order: Order) {
        if order == Order::Numeric && part.starts_with('\0') {
            self.text.push_str(TEXT);
        }
        if part.contains('\0') {
            self.text.push_str(&part.replace('\0', NUL));
        } else {
            self.text.push_str(part);
        }
    }

    pub(crate) fn key(&self) -> Key {
        Key(ThinArc::from_header_and_slice((), self.text.as_bytes()))
    }
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
        assert_ne!(Key::new(()), Key::new([""]));
    }

    #[test]
    fn numbers_are_ordered_by_value_and_keep_their_text() {
        let texts =
            ["-10", "-9.5", "0", "7", "07", "8", "8e1", "443", "10250", "", "\0", "a", "http"];
        let keys = texts.map(Key::numeric);
        assert!(keys.is_sorted(), "{keys:?}");
        for (key, text) in keys.iter().zip(texts) {
            assert_eq!(key.parts().collect::<Vec<_>>(), [text]);
        }
        assert_eq!(Key::numeric(("web", 80)), Key::numeric(["web", "80"]));
        assert!(Key::numeric(("web", 80)) < Key::numeric(("web", 443)));
    }

    proptest! {
        /// SEMANTICS: I1
        #[test]
        fn a_key_is_its_parts(
            a in prop::collection::vec("[\0\u{1}-\u{3}a-c0-2]{0,3}", 0..4),
            b in prop::collection::vec("[\0\u{1}-\u{3}a-c0-2]{0,3}", 0..4),
        ) {
            let (ka, kb) = (Key::new(&a), Key::new(&b));
            prop_assert_eq!(ka.cmp(&kb), a.cmp(&b));
            for (order, key) in [(Order::Text, ka), (Order::Numeric, Key::numeric(&a))] {
                prop_assert_eq!(key.parts().collect::<Vec<_>>(), a.clone());
                let prefix = Prefix::new(&b, order);
                prop_assert_eq!(key.against(&prefix) == Ordering::Equal, a.starts_with(&b));
                prop_assert_eq!(prefix.width, b.len());
            }
        }

        #[test]
        fn an_open_prefix_is_that_of_the_last_part(
            a in prop::collection::vec("[\0\u{1}ab]{0,3}", 1..3),
            b in prop::collection::vec("[\0\u{1}ab]{0,3}", 1..3),
        ) {
            // All keys of an index have the same number of parts.
            prop_assume!(a.len() >= b.len());
            let (last, first) = b.split_last().unwrap();
            let is_under = a.starts_with(first) && a[first.len()].starts_with(last.as_str());
            let prefix = Prefix::open(&b, Order::Text);
            prop_assert_eq!(Key::new(&a).against(&prefix) == Ordering::Equal, is_under);
            prop_assert_eq!(prefix.width, b.len());
        }
    }
}
