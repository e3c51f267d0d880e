//! Looking objects up.

use std::{fmt, iter::FusedIterator, sync::Arc};

use kube::runtime::reflector::Lookup;

use super::{Contents, contents, entries, identity, iter};
use crate::{
    error::{Error, ErrorKind},
    index::{Key, Prefix},
};

/// One index of a [`Snapshot`](crate::Snapshot); from [`Snapshot::by`](crate::Snapshot::by).
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{IndexBy, Snapshot};
///
/// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
/// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// let objects: [ConfigMap; 2] = [object("web", "a"), object("api", "b")];
/// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.namespace")?, objects)?;
///
/// let by_namespace = snapshot.by(IndexBy::<ConfigMap>::MAIN);
/// for namespace in by_namespace.keys()? {
///     assert_eq!(by_namespace.get(namespace.parts())?.len(), 1);
/// }
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[doc(alias("ByIndex", "indexer"))]
pub struct IndexView<'a, K> {
    contents: &'a Contents<K>,
    name: &'a str,
}

impl<'a, K> IndexView<'a, K> {
    pub(super) fn new(contents: &'a Contents<K>, name: &'a str) -> Self {
        Self { contents, name }
    }

    fn position(&self) -> Result<usize, Error> {
        self.contents.index_named(self.name).ok_or_else(|| {
            let names: Vec<_> = self.contents.index_names().collect();
            let message = format!("no index `{}`; there are: {}", self.name, names.join(", "));
            Error::new(ErrorKind::Index, message)
        })
    }
}

impl<'a, K: Lookup> IndexView<'a, K> {
    /// The objects under a key, or under the first parts of one, each once and in
    /// (namespace, name) order. Without any part, all that have a key in this index.
    ///
    /// O(hits), and of a part of a key O(hits log hits), because they are to be sorted; of
    /// `metadata.namespace` with `metadata.name` they are already.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name, or if there are more parts
    /// than it has.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let by_app = IndexBy::paths(["metadata.labels.app", "metadata.labels.tier"])?;
    /// let by = IndexBy::path("metadata.name")?.and("by-app", by_app);
    /// let mut settings: ConfigMap = object("web", "settings");
    /// let labels = [("app", "shop"), ("tier", "front")].map(|(k, v)| (k.into(), v.into()));
    /// settings.metadata.labels = Some(labels.into());
    /// let snapshot = Snapshot::from_objects(by, [settings, object("web", "unlabelled")])?;
    ///
    /// let by_app = snapshot.by("by-app");
    /// assert_eq!(by_app.get(["shop", "front"])?.len(), 1);
    /// assert_eq!(by_app.get(["shop"])?.len(), 1);
    /// assert_eq!(by_app.get([""; 0])?.len(), 1); // `unlabelled` is not in it
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get<I>(&self, key: I) -> Result<Hits<'a, K>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let position = self.position()?;
        let index = self.contents.index_at(position);
        if index.is_identity() {
            let parts: Vec<I::Item> = key.into_iter().collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            self.check_width(parts.len(), index.width)?;
            return Ok(Hits(Inner::Objects(self.contents.of_identity(&parts))));
        }
        let (prefix, width) = Prefix::new(key);
        self.check_width(width, index.width)?;
        let range = self.contents.entries(position).range(|entry| entry.key.against(&prefix));
        Ok(Hits(if width == index.width {
            Inner::Entries(self.contents, range)
        } else {
            // Ordered by the rest of the key first, and an object is there once for each of its
            // keys.
            let mut objects: Vec<_> = range.map(|entry| self.contents.at(entry.slot)).collect();
            objects.sort_unstable_by(|a, b| identity::order(&***a, &***b));
            objects.dedup_by(|a, b| Arc::ptr_eq(a, b));
            Inner::Sorted(objects.into_iter())
        }))
    }

    /// The one object under a key.
    ///
    /// # Errors
    ///
    /// [`is_ambiguous`](Error::is_ambiguous) if there are several objects,
    /// [`is_index`](Error::is_index) as for [`get`](IndexView::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let by = IndexBy::path("metadata.name")?.and("by-namespace", IndexBy::path("metadata.namespace")?);
    /// let objects: [ConfigMap; 3] = [object("web", "a"), object("web", "b"), object("api", "a")];
    /// let snapshot = Snapshot::from_objects(by, objects)?;
    ///
    /// let by_namespace = snapshot.by("by-namespace");
    /// assert!(by_namespace.get_one(["api"])?.is_some());
    /// assert!(by_namespace.get_one(["web"]).unwrap_err().is_ambiguous());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_one<I>(&self, key: I) -> Result<Option<&'a Arc<K>>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut hits = self.get(key)?;
        let first = hits.next();
        match hits.count() {
            0 => Ok(first),
            more => {
                let message =
                    format!("{} objects under one key of index `{}`", more + 1, self.name);
                Err(Error::new(ErrorKind::Ambiguous, message))
            }
        }
    }

    /// The keys that an object has in this index.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Key, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let snapshot = Snapshot::<ConfigMap>::from_objects(
    ///     IndexBy::path("metadata.name")?.and("by-finalizer", IndexBy::path("metadata.finalizers[*]")?),
    ///     [],
    /// )?;
    /// let mut held: ConfigMap = object("web", "held");
    /// held.metadata.finalizers = Some(vec!["example.com/b".into(), "example.com/a".into()]);
    ///
    /// // It need not be in the snapshot.
    /// let keys = snapshot.by("by-finalizer").keys_of(&held)?;
    /// assert_eq!(keys, [Key::new(["example.com/a"]), Key::new(["example.com/b"])]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn keys_of(&self, object: &K) -> Result<Vec<Key>, Error> {
        let index = self.contents.index_at(self.position()?);
        if !index.is_identity() {
            return Ok(index.keys(object).unwrap_or_default());
        }
        let parts = [object.namespace(), object.name()];
        let parts: Option<Vec<_>> = parts.into_iter().take(index.width).collect();
        Ok(parts.map(Key::new).into_iter().collect())
    }

    /// All keys of this index, in order, each once. O(entries).
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Key, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let objects: [ConfigMap; 3] = [object("web", "a"), object("web", "b"), object("api", "a")];
    /// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.namespace")?, objects)?;
    /// let keys = snapshot.by(IndexBy::<ConfigMap>::MAIN).keys()?;
    /// assert_eq!(keys, [Key::new(["api"]), Key::new(["web"])]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn keys(&self) -> Result<Vec<Key>, Error> {
        let position = self.position()?;
        let mut keys = Vec::new();
        if self.contents.index_at(position).is_identity() {
            for object in self.contents.iter() {
                keys.extend(self.keys_of(object)?);
            }
        } else {
            keys.extend(self.contents.entries(position).iter().map(|entry| entry.key.clone()));
        }
        keys.dedup();
        Ok(keys)
    }

    fn check_width(&self, asked: usize, width: usize) -> Result<(), Error> {
        if asked <= width {
            return Ok(());
        }
        let message =
            format!("index `{}` has {width} key parts, and {asked} were asked for", self.name);
        Err(Error::new(ErrorKind::Index, message))
    }
}

impl<K> fmt::Debug for IndexView<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexView").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The result of a lookup: an iterator of objects in (namespace, name) order, each once. Their
/// number is known before they are looked at.
///
/// It borrows from the snapshot; an object that is to outlive that is an [`Arc`] to clone.
///
/// ```
/// use std::sync::Arc;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{IndexBy, Snapshot};
///
/// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
/// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// let objects: [ConfigMap; 2] = [object("web", "a"), object("web", "b")];
/// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.namespace")?, objects)?;
///
/// let hits = snapshot.get(["web"])?;
/// assert_eq!(hits.len(), 2);
/// let kept: Vec<Arc<ConfigMap>> = hits.cloned().collect();
/// drop(snapshot);
/// assert_eq!(kept[0].metadata.name.as_deref(), Some("a"));
/// # Ok::<(), kube_weir::Error>(())
/// ```
pub struct Hits<'a, K>(Inner<'a, K>);

enum Inner<'a, K> {
    Objects(contents::Objects<'a, K>),
    Entries(&'a Contents<K>, iter::Iter<'a, entries::Entry>),
    Sorted(std::vec::IntoIter<&'a Arc<K>>),
}

impl<'a, K> Iterator for Hits<'a, K> {
    type Item = &'a Arc<K>;

    fn next(&mut self) -> Option<&'a Arc<K>> {
        match &mut self.0 {
            Inner::Objects(range) => range.next(),
            Inner::Entries(contents, range) => range.next().map(|entry| contents.at(entry.slot)),
            Inner::Sorted(objects) => objects.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Inner::Objects(range) => range.size_hint(),
            Inner::Entries(_, range) => range.size_hint(),
            Inner::Sorted(objects) => objects.size_hint(),
        }
    }
}

impl<K> ExactSizeIterator for Hits<'_, K> {}

impl<K> FusedIterator for Hits<'_, K> {}

impl<K> fmt::Debug for Hits<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits").finish_non_exhaustive()
    }
}

/// All objects of a snapshot, in (namespace, name) order; from
/// [`Snapshot::iter`](crate::Snapshot::iter), which has an example, or of a loop over `&snapshot`.
pub struct Iter<'a, K>(pub(super) contents::Objects<'a, K>);

impl<'a, K> Iterator for Iter<'a, K> {
    type Item = &'a Arc<K>;

    fn next(&mut self) -> Option<&'a Arc<K>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K> ExactSizeIterator for Iter<'_, K> {}

impl<K> FusedIterator for Iter<'_, K> {}

impl<K> fmt::Debug for Iter<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("left", &self.len()).finish()
    }
}
