//! The immutable state of a store at one moment.

mod chunk;
mod contents;
mod difference;
mod entries;
mod heap;
mod identity;
mod iter;
mod lookup;
mod overlay;
#[cfg(test)]
mod tests;
mod tree;
mod trie;

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;

pub(crate) use self::{
    contents::Contents,
    identity::{against, order},
    tree::Tree,
};
pub use self::{
    lookup::{Hits, IndexView, Iter},
    overlay::Overlay,
};
use crate::{error::Error, index::IndexBy};

/// All objects of a store at one moment, with its indexes.
///
/// A snapshot never changes, is a pointer to clone, and is read without a lock from as many tasks
/// as you like. It shares what did not change with the snapshots before and after it, so holding
/// on to one is cheap too.
///
/// Every result is in (namespace, name) order, each object once.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{IndexBy, Snapshot};
/// # use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
/// # fn config_map(namespace: &str, name: &str) -> ConfigMap {
/// #     let metadata = ObjectMeta {
/// #         namespace: Some(namespace.into()), name: Some(name.into()), ..Default::default()
/// #     };
/// #     ConfigMap { metadata, ..Default::default() }
/// # }
///
/// let by = IndexBy::paths(["metadata.namespace", "metadata.name"])?;
/// let snapshot = Snapshot::from_objects(by, [config_map("b", "one"), config_map("a", "two")])?;
///
/// assert_eq!(snapshot.len(), 2);
/// assert_eq!(snapshot.get(["b"])?.count(), 1); // a prefix of the key: all of namespace `b`
/// assert!(snapshot.get_one(["a", "two"])?.is_some());
/// assert!(snapshot.object("a", "missing").is_none());
/// assert!(snapshot.get(["a", "two", "more"]).is_err()); // the index has two parts
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[doc(alias("lister", "cache"))]
pub struct Snapshot<K>(pub(crate) Arc<Contents<K>>);

impl<K> Snapshot<K> {
    /// How many objects there are. O(1).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All objects, in (namespace, name) order; the objects of no namespace come first. O(1) to
    /// begin, and [`len`](ExactSizeIterator::len) is known.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let objects: [ConfigMap; 3] = [object("web", "b"), object("api", "c"), object("web", "a")];
    /// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.name")?, objects)?;
    /// let names: Vec<_> = snapshot.iter().filter_map(|object| object.metadata.name.as_deref()).collect();
    /// assert_eq!(names, ["c", "a", "b"]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, K> {
        self.0.iter()
    }

    /// The newest resourceVersion among all that came in before this moment, of deleted objects
    /// too: the state is not older than that. `None` before anything came, of objects that were
    /// not watched, and where versions aren't the numbers that Kubernetes says they are
    /// ([KEP-5504](https://kep.k8s.io/5504)).
    ///
    /// It tells how fresh a state is. To wait for one, use
    /// [`Store::wait_for`](crate::Store::wait_for).
    ///
    /// ```
    /// use kube_weir::{Change, IndexBy, prelude::*, testing::Events};
    ///
    /// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
    /// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let events = Events::listed([config("a", 3), config("b", 2)]).delete(config("a", 4));
    /// let mut changes = events.index(IndexBy::path("metadata.name")?).log_errors();
    /// let synced = changes.first_synced().await?;
    /// assert_eq!(synced.resource_version().as_deref(), Some("3"));
    ///
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!(batch.after().resource_version().as_deref(), Some("4"));
    /// # Ok(()) }
    /// ```
    pub fn resource_version(&self) -> Option<String> {
        Some(self.0.version).filter(|version| *version > 0).map(|version| version.to_string())
    }

    /// The same kind, indexes and all, without an object.
    pub(crate) fn emptied(&self) -> Self
    where
        K: Lookup,
    {
        let mut contents = (*self.0).clone();
        contents.load(Vec::new());
        Self(Arc::new(contents))
    }

    /// An index by the name it was given with [`IndexBy::and`], or [`IndexBy::MAIN`].
    ///
    /// There being no index of that name is reported by the lookup.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let by = IndexBy::path("metadata.name")?.and("by-app", IndexBy::path("metadata.labels.app")?);
    /// let mut settings: ConfigMap = object("web", "settings");
    /// settings.metadata.labels = Some([("app".to_owned(), "shop".to_owned())].into());
    /// let snapshot = Snapshot::from_objects(by, [settings, object("web", "other")])?;
    ///
    /// assert_eq!(snapshot.by("by-app").get(["shop"])?.count(), 1);
    /// assert!(snapshot.by("by-team").get(["shop"]).unwrap_err().is_index());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn by<'a>(&'a self, name: &'a str) -> IndexView<'a, K> {
        IndexView::new(&self.0, name)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<K: Lookup> Snapshot<K> {
    /// A snapshot of given objects: for fixtures, tests and offline tools.
    ///
    /// Of several objects with one identity the last counts.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if an object has no name.
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
    /// let by = || IndexBy::path("metadata.namespace");
    /// let snapshot = Snapshot::<ConfigMap>::from_objects(by()?, [object("a", "one"), object("b", "two")])?;
    /// assert_eq!(snapshot.get(["b"])?.count(), 1);
    ///
    /// let nameless = Snapshot::from_objects(by()?, [ConfigMap::default()]);
    /// assert!(nameless.unwrap_err().is_undecodable());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn from_objects(
        by: IndexBy<K>,
        objects: impl IntoIterator<Item = K>,
    ) -> Result<Self, Error> {
        let mut contents = Contents::new(by, Arc::default());
        for object in objects {
            contents.put(&named(object)?);
        }
        Ok(Self(Arc::new(contents)))
    }

    /// The objects under a key of the main index, or under the first parts of one, each once and in
    /// (namespace, name) order. O(hits).
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there are more parts than the index has. That nothing is
    /// there is no error, but an empty result.
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
    /// let by = IndexBy::paths(["metadata.namespace", "metadata.name"])?;
    /// let objects: [ConfigMap; 3] = [object("web", "b"), object("api", "c"), object("web", "a")];
    /// let snapshot = Snapshot::from_objects(by, objects)?;
    ///
    /// let names = snapshot.get(["web"])?.filter_map(|object| object.metadata.name.as_deref());
    /// assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    /// assert_eq!(snapshot.get(["web", "b"])?.len(), 1);
    /// assert_eq!(snapshot.get(["web", "c"])?.len(), 0);
    /// assert!(snapshot.get(["web", "b", "c"]).unwrap_err().is_index());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get<I>(&self, key: I) -> Result<Hits<'_, K>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.by(IndexBy::<K>::MAIN).get(key)
    }

    /// The one object under a key of the main index.
    ///
    /// # Errors
    ///
    /// [`is_ambiguous`](Error::is_ambiguous) if there are several objects,
    /// [`is_index`](Error::is_index) as for [`get`](Snapshot::get).
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
    /// let objects: [ConfigMap; 3] = [object("web", "a"), object("web", "b"), object("api", "a")];
    /// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.name")?, objects)?;
    ///
    /// assert!(snapshot.get_one(["b"])?.is_some());
    /// assert!(snapshot.get_one(["c"])?.is_none());
    /// assert!(snapshot.get_one(["a"]).unwrap_err().is_ambiguous()); // in two namespaces
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_one<I>(&self, key: I) -> Result<Option<&Arc<K>>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.by(IndexBy::<K>::MAIN).get_one(key)
    }

    /// The object of this identity, whatever the indexes. The namespace of a cluster-scoped object
    /// is `""`.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
    /// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
    /// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
    /// # }
    /// let objects: [ConfigMap; 1] = [object("web", "settings")];
    /// let snapshot = Snapshot::from_objects(IndexBy::path("metadata.labels.app")?, objects)?;
    /// assert!(snapshot.object("web", "settings").is_some()); // in no index, but there
    /// assert!(snapshot.object("", "settings").is_none());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn object(&self, namespace: &str, name: &str) -> Option<&Arc<K>> {
        self.0.object(namespace, name)
    }
}

impl<K> Clone for Snapshot<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Snapshot<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<'a, K> IntoIterator for &'a Snapshot<K> {
    type Item = &'a Arc<K>;
    type IntoIter = Iter<'a, K>;

    fn into_iter(self) -> Iter<'a, K> {
        self.iter()
    }
}

/// An object on its way into a store, once it is known to have a name.
pub(crate) fn named<K: Lookup>(object: K) -> Result<Arc<K>, Error> {
    if object.name().is_some_and(|name| !name.is_empty()) {
        return Ok(Arc::new(object));
    }
    Err(Error::new(
        crate::error::ErrorKind::Undecodable,
        "an object without metadata.name can't be stored",
    ))
}
