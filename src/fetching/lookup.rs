//! On-demand reads by an index of the store of keys.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;
use serde::de::DeserializeOwned;

use super::{Fetching, inner::ObjectId};
use crate::{
    error::Error,
    index::{Index, IndexKey},
};

/// An index of the store behind a [`Fetching`]; from [`Fetching::by`].
pub struct FetchingIndex<'a, K, L> {
    fetching: &'a Fetching<K, L>,
    index: Index<L>,
}

impl<K, L> Fetching<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    /// Returns an index of the store, for lookups.
    ///
    /// # Panics
    ///
    /// If the store was not built with this index, as for [`Snapshot::by`](crate::Snapshot::by).
    #[track_caller]
    pub fn by(&self, index: &Index<L>) -> FetchingIndex<'_, K, L> {
        self.inner.store.snapshot().by(index);
        FetchingIndex { fetching: self, index: index.clone() }
    }
}

impl<K, L> FetchingIndex<'_, K, L>
where
    K: Lookup + DeserializeOwned + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    /// Returns the one object under a key.
    ///
    /// # Errors
    ///
    /// [`is_ambiguous`](Error::is_ambiguous) if there are several objects, and the errors of
    /// [`Fetching::get`].
    ///
    /// # Panics
    ///
    /// If there are more parts than the index has.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`Fetching::get`].
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let api = Api::<Secret>::all(client);
    /// let namespace = Index::path("metadata.namespace")?;
    /// let keys = watch(api.clone()).index_keys(&namespace)?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    /// keys.spawn();
    ///
    /// assert!(secrets.by(&namespace).get_one("api").await?.is_none());
    /// assert!(secrets.by(&namespace).get_one("web").await.unwrap_err().is_ambiguous()); // there are two
    /// assert_eq!(secrets.report().gets, 0); // the store of keys suffices
    /// # Ok(()) });
    /// ```
    pub async fn get_one(&self, key: impl IndexKey) -> Result<Option<Arc<K>>, Error> {
        let inner = &self.fetching.inner;
        let deadline = self.fetching.begin().await?;
        let snapshot = inner.store.snapshot();
        let found = snapshot.by(&self.index).get_one(key)?.map(|found| ObjectId::of(&**found));
        match found {
            Some(id) => inner.one(&id, deadline).await,
            None => Ok(None),
        }
    }

    /// Returns the objects under a key, or under the first parts of a key, in (namespace, name) order; each
    /// is the object or the error of its fetch. Objects that are deleted meanwhile are left out.
    ///
    /// Collect them into a `Result` if one failure should fail all.
    ///
    /// # Errors
    ///
    /// If the store can't be synced.
    ///
    /// # Panics
    ///
    /// If there are more parts than the index has.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`Fetching::get`].
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    /// use kube_weir::testing::{Fault, Verb};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// let api = Api::<Secret>::all(server.client());
    /// let namespace = Index::path("metadata.namespace")?;
    /// let keys = watch(api.clone()).index_keys(&namespace)?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    /// keys.spawn();
    ///
    /// server.fault(Verb::Get, 1, Fault::status(403));
    /// let [tls, token] = &secrets.by(&namespace).get("web").await?[..] else { panic!() };
    /// assert!(tls.as_ref().unwrap_err().is_forbidden());
    /// assert!(token.is_ok());
    /// # Ok(()) });
    /// ```
    pub async fn get(&self, key: impl IndexKey) -> Result<Vec<Result<Arc<K>, Error>>, Error> {
        let inner = &self.fetching.inner;
        let deadline = self.fetching.begin().await?;
        let snapshot = inner.store.snapshot();
        let found = snapshot.by(&self.index).get(key).map(|found| ObjectId::of(&**found)).collect();
        Ok(inner.many(found, deadline).await)
    }
}

impl<K, L> fmt::Debug for FetchingIndex<'_, K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchingIndex").field("index", &self.index.name()).finish_non_exhaustive()
    }
}
