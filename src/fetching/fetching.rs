//! The reader that fetches objects, and how it is made from a store.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use kube::{Api, Client, Resource, runtime::reflector::Lookup};
use serde::de::DeserializeOwned;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    cache::{Cache, Limits},
    config::FetchConfig,
    inner::{Inner, ObjectId, State},
    report::FetchingReport,
};
use crate::{
    document::Document,
    error::{Error, ErrorKind},
    measure,
    object_key::AsObjectKey,
    source::{Gvr, Watch, watch},
    store::Store,
    text::given,
};

/// A reader that fetches objects from the API server on demand and caches them for a while.
///
/// [`Store::fetching`] makes it from a store that a watch fills, usually one of
/// [keys](crate::Watch::index_keys). The store knows which objects exist, and in which version; this reader
/// has their content.
///
/// * An object is never returned in an older version than the watch has seen. If the watch sees a change,
///   the next read fetches the object anew, and an answer that is older is requested again.
/// * Only the watch decides that an object is absent. An object that could not be fetched is an error that
///   [names it](Error::object). If the API server answers 404, the object counts as absent once the watch
///   agrees, within 5 seconds; otherwise the error is [`is_not_found`](Error::is_not_found).
/// * Concurrent reads of an object share one request. The request is canceled only when all of its callers
///   have been dropped.
/// * Requests are retried after failures that may pass, until the call's [deadline](FetchConfig::deadline).
///   A refusal is returned at once.
/// * If most objects of a namespace are wanted and missing, the namespace is listed, if the role has
///   `list`.
///
/// No task runs in the background: the callers that wait for a fetch poll it. So don't keep a future that
/// you no longer poll: others may wait for its turn, up to their deadline.
///
/// ```
/// use k8s_openapi::api::core::v1::Secret;
/// use kube_weir::{FetchConfig, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let api = Api::<Secret>::all(client);
/// let keys = watch(api.clone())
///     .index_keys(())?;
/// let secrets = keys.store().fetching(api, FetchConfig::default());
/// keys.spawn();
///
/// let tls = secrets.get(("web", "tls")).await?.expect("it is there");
/// assert_eq!(tls.data.as_ref().unwrap()["key"].0, b"secret");
///
/// // All of a namespace. Each object that can't be fetched is an error; collecting returns the first.
/// let snapshot = secrets.store().snapshot();
/// let all: Vec<_> = secrets.fetch(snapshot.in_namespace("web")).await.into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(all.len(), 2);
/// assert_eq!((secrets.report().hits, secrets.report().gets), (1, 2));
/// # Ok(()) });
/// ```
#[doc(alias("client.Reader", "APIReader", "metadatainformer", "live read"))]
pub struct Fetching<K, L = Document> {
    pub(super) inner: Arc<Inner<K, L>>,
}

impl<L: Lookup + Send + Sync + 'static> Store<L> {
    /// Returns a reader that fetches the content of this store's objects on demand.
    ///
    /// The `Api` determines the resource and the client; its namespace doesn't matter. Nothing is requested
    /// before an object is read. [`Fetching`] has an example.
    pub fn fetching<K>(&self, api: Api<K>, config: FetchConfig) -> Fetching<K, L>
    where
        K: Resource<DynamicType: Default> + Lookup + DeserializeOwned + Send + Sync + 'static,
    {
        Fetching::new(self.clone(), watch(api), config)
    }

    /// Does the same as [`fetching`](Store::fetching) for a resource without a Rust type, given as text, a
    /// [`Gvr`], or one of kube's types.
    ///
    /// # Errors
    ///
    /// [`is_resource`](Error::is_resource) if the text is no resource.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let keys = watch_resource(client.clone(), "v1/configmaps")?
    ///     .index_keys(())?;
    /// let configs = keys.store().fetching_resource(client, "v1/configmaps", FetchConfig::default())?;
    /// keys.spawn();
    ///
    /// let settings = configs.get("web/settings").await?.expect("it is there");
    /// assert_eq!(settings.get(&FieldPath::parse("data.level")?), ["debug"]);
    /// # Ok(()) });
    /// ```
    pub fn fetching_resource(
        &self,
        client: Client,
        resource: impl TryInto<Gvr, Error: Into<Error>>,
        config: FetchConfig,
    ) -> Result<Fetching<Document, L>, Error> {
        let watch = Watch::of_resource(client, given(resource)?);
        Ok(Fetching::new(self.clone(), watch, config))
    }
}

impl<K, L> Fetching<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    fn new(store: Store<L>, watch: Watch<K>, config: FetchConfig) -> Self {
        let limits =
            Limits { ttl: config.ttl, objects: config.max_objects, bytes: config.max_bytes };
        let fetcher = watch.without(config.filter.clone()).fetcher();
        let origin = fetcher.origin();
        let state = State {
            cache: Cache::new(limits, measure::Cached::new(origin)),
            flights: HashMap::new(),
            begun: 0,
            counts: measure::Fetching::new(origin),
        };
        let inner = Inner {
            store,
            fetcher,
            permits: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
            config,
            listing: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the store that knows which objects exist. Counting and listing them there sends no request.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let api = Api::<Secret>::all(client);
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    /// keys.spawn();
    ///
    /// assert_eq!(secrets.store().synced().await?.len(), 2);
    /// assert!(secrets.store().get(("web", "tls")).is_some());
    /// assert_eq!(secrets.report().gets, 0);
    /// # Ok(()) });
    /// ```
    pub fn store(&self) -> &Store<L> {
        &self.inner.store
    }

    /// Returns the object with this identity, or `None` if the store doesn't have it. The namespace of a
    /// cluster-scoped object is `""`.
    ///
    /// Waits until the store is [synced](Store::synced) first, as all reads here do.
    ///
    /// # Errors
    ///
    /// If the object can't be fetched, with its [identity](Error::object) and the cause, or if the store
    /// can't be synced.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. A request that others wait for goes on.
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
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    /// keys.spawn();
    ///
    /// server.fault(Verb::Get, 1, Fault::status(403));
    /// let error = secrets.get(("web", "tls")).await.unwrap_err();
    /// assert!(error.is_forbidden());
    /// assert_eq!(error.object(), Some(("web", "tls")));
    /// assert!(secrets.get(("web", "tls")).await?.is_some()); // a failure is not kept
    /// assert!(secrets.get(("web", "missing")).await?.is_none()); // says the watch
    /// # Ok(()) });
    /// ```
    pub async fn get(&self, key: impl AsObjectKey) -> Result<Option<Arc<K>>, Error> {
        let (namespace, name) = key.as_object_key();
        let id = ObjectId::new(namespace, name);
        let deadline = self.begin().await?;
        self.inner.one(&id, deadline).await
    }

    /// Returns these objects of the store, found by any lookup, in the given order; otherwise like
    /// [`FetchingIndex::get`](super::FetchingIndex::get).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, as for [`get`](Fetching::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let api = Api::<Secret>::all(client);
    /// let app = Index::path("metadata.labels.app")?;
    /// let mut keys = watch(api.clone()).index_keys(&app)?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    ///
    /// let snapshot = keys.first_synced().await?;
    /// let shop = secrets.fetch(snapshot.by(&app).get("shop")).await;
    /// assert_eq!(shop.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn fetch<'o>(
        &self,
        objects: impl IntoIterator<Item = &'o Arc<L>>,
    ) -> Vec<Result<Arc<K>, Error>>
    where
        L: 'o,
    {
        let found = objects.into_iter().map(|found| ObjectId::of(&**found)).collect();
        self.inner.many(found, self.inner.deadline()).await
    }

    /// Returns the size of the cache and the number of fetches so far, for people and dashboards.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let api = Api::<Secret>::all(client);
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, FetchConfig::default());
    /// keys.spawn();
    ///
    /// futures::future::join_all([0; 8].map(|_| secrets.get(("web", "tls")))).await;
    /// let did = secrets.report();
    /// assert_eq!((did.misses, did.joined, did.gets), (8, 7, 1));
    /// # Ok(()) });
    /// ```
    pub fn report(&self) -> FetchingReport {
        let mut state = self.inner.lock();
        state.cache.expire();
        let State { cache, flights, counts, .. } = &*state;
        FetchingReport {
            objects: cache.len(),
            bytes: cache.bytes(),
            in_flight: flights.len(),
            hits: counts.hits.count(),
            misses: counts.misses.count() + counts.joined.count(),
            joined: counts.joined.count(),
            gets: counts.gets,
            lists: counts.lists,
            retries: counts.retries.count(),
            stale: counts.stale,
            failures: counts.failures(),
            evicted: cache.counts.evicted.count(),
            expired: cache.counts.expired.count(),
            outdated: cache.counts.outdated.count(),
        }
    }

    /// Waits until the store is synced, so that it knows the absent objects, and returns the deadline of
    /// the call.
    pub(super) async fn begin(&self) -> Result<Instant, Error> {
        let deadline = self.inner.deadline();
        if !self.inner.store.is_synced() {
            let synced = timeout_at(deadline, self.inner.store.synced()).await;
            let late = || Error::new(ErrorKind::Timeout, "the store was not synced in time");
            synced.map_err(|_| late())??;
        }
        Ok(deadline)
    }
}

impl<K, L> Clone for Fetching<K, L> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K, L> fmt::Debug for Fetching<K, L>
where
    K: Lookup + Send + Sync + 'static,
    L: Lookup + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetching").field(&self.report()).finish()
    }
}
