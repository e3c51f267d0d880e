//! Hypothetical snapshots.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;
use serde::Serialize;

use super::{Contents, Snapshot, named};
use crate::{error::Error, object_key::AsObjectKey};

/// Builder of a hypothetical snapshot, in which some objects are changed or deleted; from
/// [`Snapshot::overlay`].
///
/// Hypothetical objects pass the filters of the pipeline: an object that the pipeline doesn't select is left
/// out, and fields that the pipeline drops are dropped. The result is an ordinary [`Snapshot`] with the same
/// indexes. It shares unchanged objects with its base, so its cost depends on the changes; the base stays
/// unchanged.
///
/// ```
/// use k8s_openapi::api::networking::v1::Ingress;
/// use kube_weir::{Index, Snapshot};
/// use serde_json::{from_value, json};
///
/// let ingress = |name: &str, host: &str| {
///     from_value::<Ingress>(json!({
///         "metadata": { "namespace": "default", "name": name },
///         "spec": { "rules": [{ "host": host }] },
///     }))
/// };
/// let host = Index::path("spec.rules[*].host")?;
/// let snapshot = Snapshot::from_objects(&host, [ingress("shop", "example.com")?])?;
///
/// // May somebody else have the host, too? Not as long as `shop` has it.
/// let what_if = snapshot.overlay().apply(ingress("blog", "example.com")?)?.build();
/// assert!(what_if.by(&host).get_one("example.com").unwrap_err().is_ambiguous());
///
/// let what_if = what_if.overlay().delete("default/shop").build();
/// assert!(what_if.by(&host).get_one("example.com")?.is_some());
/// assert_eq!(snapshot.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "an overlay is nothing until it is built"]
pub struct Overlay<K>(Contents<K>);

impl<K> Snapshot<K> {
    /// Begins a hypothetical snapshot with this one as its base. O(1).
    /// See [`Overlay`] for an example.
    pub fn overlay(&self) -> Overlay<K> {
        Overlay((*self.0).clone())
    }
}

impl<K: Lookup> Overlay<K> {
    /// Adds this object, or replaces the object of its namespace and name.
    ///
    /// The resourceVersion is ignored: in an admission request an updated object still has the old version.
    /// If the pipeline doesn't select the object, it is removed.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the object has no name (with `generateName` it has none
    /// yet), or if it can't be decoded without the fields that the pipeline drops.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Snapshot, testing::fixture::object};
    ///
    /// let snapshot = Snapshot::<ConfigMap>::from_objects((), [object("web", "settings")])?;
    /// let what_if = snapshot.overlay().apply(object("web", "settings"))?.apply(object("api", "settings"))?;
    /// assert_eq!(what_if.build().len(), 2); // one was replaced
    ///
    /// let generated = ConfigMap::default();
    /// assert!(snapshot.overlay().apply(generated).unwrap_err().is_undecodable());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn apply(mut self, object: K) -> Result<Self, Error>
    where
        K: Serialize + 'static,
    {
        let object = named(object)?;
        let kept = self.0.context().stages.apply(Arc::clone(&object))?;
        // `put` ignores a version that is already stored, so take that one out first.
        if kept.is_none() || self.0.same_version(&object).is_some() {
            self.0.take(&object);
        }
        if let Some(object) = kept {
            self.0.put(&object);
        }
        Ok(self)
    }

    /// Removes the object of this namespace and name, if there is one.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Snapshot, testing::fixture::object};
    ///
    /// let snapshot = Snapshot::<ConfigMap>::from_objects((), [object("web", "a"), object("web", "b")])?;
    /// let what_if = snapshot.overlay().delete("web/a").delete("web/missing").build();
    /// assert!(what_if.get("web/a").is_none() && what_if.len() == 1);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn delete(mut self, key: impl AsObjectKey) -> Self {
        if let Some(object) = self.0.get(key).cloned() {
            self.0.take(&object);
        }
        self
    }
}

impl<K> Overlay<K> {
    /// Returns the hypothetical snapshot. O(1): nothing is copied. See [`Overlay`] for an example.
    pub fn build(self) -> Snapshot<K> {
        Snapshot(Arc::new(self.0))
    }
}

impl<K> Clone for Overlay<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for Overlay<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
