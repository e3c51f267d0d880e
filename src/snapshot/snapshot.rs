//! A snapshot, as users read it.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;

use super::{
    contents::Contents,
    lookup::{IndexView, Iter},
};
use crate::{
    error::{Error, ErrorKind},
    index::{Index, IndexSet, Indexes},
    object_key::AsObjectKey,
};

/// All objects of a store at one moment, with its indexes.
///
/// A snapshot never changes. A clone copies one pointer, and any number of tasks read it without a lock. A
/// snapshot shares unchanged objects with the snapshots before and after it, so keeping a snapshot is cheap,
/// too.
///
/// Every result is in (namespace, name) order, each object once.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Index, ObjectKey, testing::Manifests};
///
/// let manifests = Manifests::parse("configs.yaml", r#"
/// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a, labels: { app: shop } } }
/// ---
/// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: b } }
/// "#)?;
/// let app = Index::<ConfigMap>::path("metadata.labels.app")?;
/// let snapshot = manifests.snapshot(&app)?;
///
/// assert_eq!(snapshot.len(), 2);
/// assert!(snapshot.get(&ObjectKey::new("web", "b")).is_some());
/// assert!(snapshot.get("web/missing").is_none());
/// assert_eq!(snapshot.in_namespace("web").len(), 2);
/// assert_eq!(snapshot.by(&app).get("shop").len(), 1);
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[doc(alias("lister", "cache"))]
pub struct Snapshot<K>(pub(crate) Arc<Contents<K>>);

impl<K> Snapshot<K> {
    /// Returns the number of objects. O(1).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all objects, in (namespace, name) order; objects without a namespace come first. O(1) to
    /// begin, and [`len`](ExactSizeIterator::len) is known.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Snapshot, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: api, name: b } }
    /// "#)?;
    /// let snapshot: Snapshot<ConfigMap> = manifests.snapshot(())?;
    /// let names: Vec<_> = snapshot.iter().filter_map(|object| object.metadata.name.as_deref()).collect();
    /// assert_eq!(names, ["b", "a"]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn iter(&self) -> Iter<'_, K> {
        Iter(self.0.iter())
    }

    /// Returns the newest resourceVersion received before this snapshot, including those of deleted objects:
    /// the state is at least as new. Returns `None` before the first event, for objects that were not
    /// watched, and if the server's resourceVersions are not numbers as Kubernetes specifies
    /// ([KEP-5504](https://kep.k8s.io/5504)).
    ///
    /// To wait for a version, use [`Store::wait_for`](crate::Store::wait_for).
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let events = Events::listed([config_map("a", 3), config_map("b", 2)]).delete(config_map("a", 4));
    /// let mut changes = events.index(Index::path("metadata.name")?).log_errors();
    /// let synced = changes.first_synced().await?;
    /// assert_eq!(synced.resource_version().as_deref(), Some("3"));
    ///
    /// let Some(Change::Live(batch)) = changes.next().await else { panic!() };
    /// assert_eq!(batch.after().resource_version().as_deref(), Some("4"));
    /// # Ok(()) });
    /// ```
    pub fn resource_version(&self) -> Option<String> {
        Some(self.0.version).filter(|version| *version > 0).map(|version| version.to_string())
    }

    /// Returns a snapshot without objects, with the same indexes.
    pub(crate) fn emptied(&self) -> Self
    where
        K: Lookup,
    {
        Self(Arc::new(self.0.emptied()))
    }

    /// Returns the objects that were deleted a short while ago, each in its last version, with the same
    /// indexes. The pipeline must [keep](crate::adapters::Indexed::keep_deleted) them; without `keep_deleted`
    /// the result is empty.
    ///
    /// If several objects of one namespace and name were deleted, the result has the one deleted last. An
    /// object that was created in its place is in this snapshot itself. See the example of `keep_deleted`.
    #[must_use]
    pub fn deleted(&self) -> Self
    where
        K: Lookup,
    {
        Self(Arc::new(self.0.deleted()))
    }

    /// Returns an index, for lookups. [`by_name`](Self::by_name) takes a name from a configuration.
    ///
    /// # Panics
    ///
    /// If the pipeline was not built with this index: a mistake in the program. The message names the index.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{Index, Snapshot};
    ///
    /// let node = Index::<Pod>::path("spec.nodeName")?;
    /// let snapshot = Snapshot::from_objects(&node, [])?;
    /// assert_eq!(snapshot.by(&node).get("node-1").count(), 0);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[track_caller]
    pub fn by(&self, index: &Index<K>) -> IndexView<'_, K> {
        IndexView::new(&self.0, index)
    }

    /// Returns an index by its [name](Index::named), if a configuration chooses the index.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of that name.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{Index, Snapshot};
    ///
    /// let node = Index::<Pod>::path("spec.nodeName")?.named("node");
    /// let snapshot = Snapshot::from_objects(node, [])?;
    /// assert_eq!(snapshot.by_name("node")?.get("node-1").count(), 0);
    /// assert!(snapshot.by_name("host").unwrap_err().is_index());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn by_name(&self, name: &str) -> Result<IndexView<'_, K>, Error> {
        IndexView::named(&self.0, name)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<K: Lookup> Snapshot<K> {
    /// Builds a snapshot of the given objects: for fixtures, tests and offline tools.
    ///
    /// If several objects have one identity, the last one counts.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if an object has no name.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::Snapshot;
    ///
    /// let mut settings = ConfigMap::default();
    /// settings.metadata.name = Some("settings".into());
    /// assert_eq!(Snapshot::from_objects((), [settings])?.len(), 1);
    ///
    /// let nameless = Snapshot::from_objects((), [ConfigMap::default()]);
    /// assert!(nameless.unwrap_err().is_undecodable());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn from_objects(
        indexes: impl Indexes<K>,
        objects: impl IntoIterator<Item = K>,
    ) -> Result<Self, Error> {
        let mut contents = Contents::new(IndexSet::of(indexes), Arc::default());
        for object in objects {
            contents.put_anew(&named(object)?);
        }
        Ok(Self(Arc::new(contents)))
    }

    /// Returns the object of this namespace and name. The key must include the namespace, even `default`.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::runtime::reflector::ObjectRef;
    /// use kube_weir::{ObjectKey, Snapshot, testing::Manifests};
    ///
    /// let manifests = "{ apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: settings } }";
    /// let manifests = Manifests::parse("configs.yaml", manifests)?;
    /// let snapshot: Snapshot<ConfigMap> = manifests.snapshot(())?;
    ///
    /// assert!(snapshot.get(("web", "settings")).is_some());
    /// assert!(snapshot.get(&ObjectKey::new("web", "settings")).is_some());
    /// assert!(snapshot.get(&ObjectRef::<ConfigMap>::new("settings").within("web")).is_some());
    /// assert!(snapshot.get("web/settings").is_some());
    /// assert!(snapshot.get("settings").is_none()); // no such object without a namespace
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[doc(alias("GetByKey", "object"))]
    pub fn get(&self, key: impl AsObjectKey) -> Option<&Arc<K>> {
        self.0.get(key)
    }

    /// Returns the objects of a namespace, ordered by name. O(hits). The namespace of cluster-scoped objects
    /// is `""`.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Snapshot, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: b } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a } }
    /// "#)?;
    /// let snapshot: Snapshot<ConfigMap> = manifests.snapshot(())?;
    /// let names = snapshot.in_namespace("web").filter_map(|object| object.metadata.name.as_deref());
    /// assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    /// assert_eq!(snapshot.in_namespace("api").len(), 0);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn in_namespace(&self, namespace: &str) -> Iter<'_, K> {
        Iter(self.0.objects_in(Some(namespace)))
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

/// Wraps an object for a store; fails if it has no name.
pub(crate) fn named<K: Lookup>(object: K) -> Result<Arc<K>, Error> {
    if object.name().is_some_and(|name| !name.is_empty()) {
        return Ok(Arc::new(object));
    }
    Err(Error::new(ErrorKind::Undecodable, "an object without metadata.name can't be stored"))
}
