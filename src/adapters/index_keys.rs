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
    /// As [`index`](Watch::index), but stores keys only: of each object what tells which one it is
    /// and in which version, and the fields that it is indexed by.
    ///
    /// For kinds of which a program reads few objects of many: `Secret`s, `ConfigMap`s. The objects
    /// themselves are [fetched](crate::Store::fetching) when they are wanted. `Store`, `Snapshot`
    /// and `Change` are those of every pipeline; an object is modified when its `resourceVersion`
    /// is another, whatever changed in it.
    ///
    /// If all that is indexed, and [selected](Watch::matching) by, lies in `metadata`, only the
    /// metadata is asked of the API server. Else whole objects are, and all other fields dropped
    /// while they are decoded, so that [`filter_fields`](Watch::filter_fields) has nothing to do
    /// here. An array of which a path counts the elements is kept whole, as is what a path searches
    /// (`..`, `[?…]`).
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if an index is by a [closure](crate::Index::with), or the watch selects
    /// by [one](Watch::matching_with): which fields it reads is unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// # use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = ApiServer::new();
    /// # server.apply(&json!({
    /// #     "apiVersion": "v1", "kind": "Secret",
    /// #     "metadata": { "namespace": "web", "name": "tls", "labels": { "app": "shop" } },
    /// #     "data": { "key": "c2VjcmV0" },
    /// # }))?;
    /// let app = Index::path("metadata.labels.app")?;
    /// let mut changes = watch(Api::<Secret>::all(server.client())).index_keys(&app)?;
    ///
    /// let snapshot = changes.first_synced().await?;
    /// let key = snapshot.by(&app).get_one("shop")?.unwrap();
    /// assert_eq!((key.namespace(), key.name()), (Some("web"), "tls"));
    /// assert!(!key.to_json().contains("c2VjcmV0"));
    /// # Ok(()) }
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
