//! The identity of an object: its namespace and its name.

use std::{convert::Infallible, fmt, str::FromStr};

use kube::runtime::reflector::{Lookup, ObjectRef};

use crate::namespaced_name::{NamespacedName, identity};

/// Namespace and name of an object. The namespace of a cluster-scoped object is empty.
///
/// Its text is `namespace/name`, or just the name, as kubectl writes it.
///
/// ```
/// use kube_weir::ObjectKey;
///
/// let shop = ObjectKey::new("web", "shop");
/// assert_eq!((shop.namespace(), shop.name()), ("web", "shop"));
/// assert_eq!(shop.to_string(), "web/shop");
/// assert_eq!("web/shop".parse(), Ok(shop));
/// assert_eq!(ObjectKey::named("node-1"), ObjectKey::new("", "node-1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    namespace: String,
    name: String,
}

impl ObjectKey {
    /// Returns the key of a namespace and a name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Returns the key of a cluster-scoped object.
    pub fn named(name: impl Into<String>) -> Self {
        Self::new("", name)
    }

    /// Returns the key of an object; its name is empty if it has none yet.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{ObjectKey, testing::fixture::object};
    ///
    /// let settings: ConfigMap = object("web", "settings");
    /// assert_eq!(ObjectKey::of(&settings), ObjectKey::new("web", "settings"));
    /// ```
    pub fn of<K: Lookup>(object: &K) -> Self {
        let (namespace, name) = identity(object);
        Self::new(namespace, name)
    }

    /// Returns the namespace, which is empty for a cluster-scoped object.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A type that names an object: an [`ObjectKey`], `(namespace, name)`, the text `namespace/name` or `name`,
/// or kube's [`ObjectRef`].
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::reflector::ObjectRef;
/// use kube_weir::{AsObjectKey, ObjectKey};
///
/// fn text(key: impl AsObjectKey) -> String {
///     let (namespace, name) = key.as_object_key();
///     ObjectKey::new(namespace, name).to_string()
/// }
///
/// assert_eq!(text(ObjectKey::new("web", "shop")), "web/shop");
/// assert_eq!(text(("web", String::from("shop"))), "web/shop");
/// assert_eq!(text("web/shop"), "web/shop");
/// assert_eq!(text("node-1"), "node-1");
/// assert_eq!(text(&ObjectRef::<ConfigMap>::new("shop").within("web")), "web/shop");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name an object",
    label = "expected an `ObjectKey`, `(namespace, name)`, or the text `namespace/name`"
)]
pub trait AsObjectKey {
    /// Returns the namespace, which is empty for a cluster-scoped object, and the name.
    fn as_object_key(&self) -> (&str, &str);
}

impl AsObjectKey for ObjectKey {
    fn as_object_key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl AsObjectKey for str {
    fn as_object_key(&self) -> (&str, &str) {
        self.split_once('/').unwrap_or(("", self))
    }
}

impl AsObjectKey for String {
    fn as_object_key(&self) -> (&str, &str) {
        self.as_str().as_object_key()
    }
}

impl<N: AsRef<str>, M: AsRef<str>> AsObjectKey for (N, M) {
    fn as_object_key(&self) -> (&str, &str) {
        (self.0.as_ref(), self.1.as_ref())
    }
}

impl<K: Lookup> AsObjectKey for ObjectRef<K> {
    fn as_object_key(&self) -> (&str, &str) {
        (self.namespace.as_deref().unwrap_or_default(), &self.name)
    }
}

impl<T: AsObjectKey + ?Sized> AsObjectKey for &T {
    fn as_object_key(&self) -> (&str, &str) {
        (**self).as_object_key()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NamespacedName(&self.namespace, &self.name).fmt(f)
    }
}

impl FromStr for ObjectKey {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (namespace, name) = text.as_object_key();
        Ok(Self::new(namespace, name))
    }
}

impl<N: Into<String>, M: Into<String>> From<(N, M)> for ObjectKey {
    fn from((namespace, name): (N, M)) -> Self {
        Self::new(namespace, name)
    }
}

impl From<&Self> for ObjectKey {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl<K: Lookup> From<&ObjectRef<K>> for ObjectKey {
    fn from(object: &ObjectRef<K>) -> Self {
        Self::new(object.namespace.clone().unwrap_or_default(), object.name.clone())
    }
}

impl serde::Serialize for ObjectKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Ok(key) = text.parse();
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn its_text_says_the_namespace_if_there_is_one() {
        for (key, text) in [
            (ObjectKey::new("web", "shop"), "web/shop"),
            (ObjectKey::named("node-1"), "node-1"),
            (ObjectKey::from(("a", "b".to_owned())), "a/b"),
            (ObjectKey::from(&ObjectRef::<ConfigMap>::new("b").within("a")), "a/b"),
            (ObjectKey::from(&ObjectRef::<ConfigMap>::new("b")), "b"),
        ] {
            assert_eq!((key.to_string(), text.parse()), (text.to_owned(), Ok(key.clone())));
            assert_eq!(serde_json::to_value(&key).unwrap(), text);
            assert_eq!(serde_json::from_value::<ObjectKey>(text.into()).unwrap(), key);
        }
    }
}
