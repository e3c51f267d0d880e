//! Types that can be used as index keys.

use std::{borrow::Cow, sync::Arc};

use kube::runtime::reflector::{Lookup, ObjectRef};

use crate::object_key::ObjectKey;

/// An index key, or its first parts: for [lookups](crate::IndexView::get).
///
/// A text, an integer or a boolean is one part; an array, slice or tuple has the parts of its elements, one
/// after the other; an [`ObjectKey`] is a namespace and a name. `()` has no part.
///
/// ```
/// use kube_weir::{IndexKey, Key, ObjectKey};
///
/// fn parts(key: impl IndexKey) -> String {
///     Key::new(key).to_string()
/// }
///
/// assert_eq!(parts("shop.example"), "shop.example");
/// assert_eq!(parts(("web", 443)), "web, 443");
/// assert_eq!(parts([String::from("a"), String::from("b")]), "a, b");
/// assert_eq!(parts((ObjectKey::new("web", "shop"), "http")), "web, shop, http");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an index key",
    label = "expected a text, an integer, an `ObjectKey`, a `Key`, or an array or tuple of them"
)]
pub trait IndexKey {
    /// Calls `part` with each part, in order.
    fn each_part(&self, part: &mut dyn FnMut(&str));
}

/// An [`IndexKey`] whose type determines the number of parts: [closures](crate::Index::with) return such
/// keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an index key with a known number of parts",
    label = "expected a text, an integer, an `ObjectKey`, or an array or tuple of them"
)]
pub trait WholeKey: IndexKey {
    /// Number of parts.
    const PARTS: usize;
}

macro_rules! texts {
    ($($type:ty),*) => {$(
        impl IndexKey for $type {
            fn each_part(&self, part: &mut dyn FnMut(&str)) {
                part(self);
            }
        }

        impl WholeKey for $type {
            const PARTS: usize = 1;
        }
    )*};
}

texts!(str, String, Cow<'_, str>, Arc<str>, Box<str>);

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl IndexKey for $type {
            fn each_part(&self, part: &mut dyn FnMut(&str)) {
                part(&self.to_string());
            }
        }

        impl WholeKey for $type {
            const PARTS: usize = 1;
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl IndexKey for bool {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        part(if *self { "true" } else { "false" });
    }
}

impl WholeKey for bool {
    const PARTS: usize = 1;
}

impl IndexKey for ObjectKey {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        part(self.namespace());
        part(self.name());
    }
}

impl WholeKey for ObjectKey {
    const PARTS: usize = 2;
}

impl<K: Lookup> IndexKey for ObjectRef<K> {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        part(self.namespace.as_deref().unwrap_or_default());
        part(&self.name);
    }
}

impl<K: Lookup> WholeKey for ObjectRef<K> {
    const PARTS: usize = 2;
}

impl<T: IndexKey + ?Sized> IndexKey for &T {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        (**self).each_part(part);
    }
}

impl<T: WholeKey + ?Sized> WholeKey for &T {
    const PARTS: usize = T::PARTS;
}

impl<T: IndexKey> IndexKey for [T] {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        for own in self {
            own.each_part(part);
        }
    }
}

impl<T: IndexKey> IndexKey for Vec<T> {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        self.as_slice().each_part(part);
    }
}

impl<T: IndexKey, const N: usize> IndexKey for [T; N] {
    fn each_part(&self, part: &mut dyn FnMut(&str)) {
        self.as_slice().each_part(part);
    }
}

impl<T: WholeKey, const N: usize> WholeKey for [T; N] {
    const PARTS: usize = N * T::PARTS;
}

macro_rules! tuples {
    ($(($($type:ident),*))*) => {$(
        impl<$($type: IndexKey),*> IndexKey for ($($type,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn each_part(&self, part: &mut dyn FnMut(&str)) {
                let ($($type,)*) = self;
                $($type.each_part(part);)*
            }
        }

        impl<$($type: WholeKey),*> WholeKey for ($($type,)*) {
            const PARTS: usize = 0 $(+ $type::PARTS)*;
        }
    )*};
}

tuples! { () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) }
