//! `index_keys`: a store of keys.

use kube::runtime::reflector::Lookup;

use super::Indexed;
use crate::{
    document::Document,
    error::{Error, ErrorKind},
    index::{IndexSet, Indexes},
    source::Watch,
};

impl<K: Lookup> Watch<K> {
    /// Stores and indexes keys only: the identity and version of each object, and its indexed fields.
    /// Otherwise like [`index`](Watch::index).
    ///
    /// Use it for kinds with many objects of which a program reads few: `Secret`s, `ConfigMap`s. The objects
    /// themselves are [fetched](crate::Store::fetching) on demand. `Store`, `Snapshot`
    /// and `Change` are those of every pipeline; an object counts as modified whenever its `resourceVersion`
    /// changes.
    ///
    /// If all indexed fields, and all fields [selected](Watch::matching) by, are in `metadata`, the watch
    /// requests only the metadata from the API server. Otherwise it requests whole objects, and drops all
    /// other fields while decoding, so [`filter_fields`](Watch::filter_fields) is not needed. An array is
    /// kept whole if a path counts its elements; so are the values that a path searches (`..`, `[?…]`).
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if an index uses a [closure](crate::Index::with), or the watch selects
    /// with a [closure](Watch::matching_with): the fields that a closure reads are unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::prelude::*;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let app = Index::path("metadata.labels.app")?;
    /// let mut changes = watch(Api::<Secret>::all(client)).index_keys(&app)?;
    ///
    /// let snapshot = changes.first_synced().await?;
    /// let key = snapshot.by(&app).get_one("shop")?.unwrap();
    /// assert_eq!((key.namespace(), key.name()), (Some("web"), "tls"));
    /// assert!(!key.to_json().contains("c2VjcmV0"));
    /// # Ok(()) });
    /// ```
    #[doc(alias("metadatainformer", "metadata_watcher", "PartialObjectMetadata"))]
    pub fn index_keys(
        self,
        indexes: impl Indexes<Document>,
    ) -> Result<Indexed<Watch<Document>, Document>, Error> {
        let indexes = IndexSet::of(indexes);
        let paths = indexes.all_paths().ok_or_else(|| {
            Error::new(
                ErrorKind::Index,
                "an index by a closure needs whole objects: index by paths",
            )
        })?;
        if let Some(name) = self.closure() {
            let why = format!("`{name}` is a closure that selects whole objects: select by paths");
            return Err(Error::new(ErrorKind::Index, why));
        }
        Ok(self.keys_only(&paths).index(indexes))
    }
}
