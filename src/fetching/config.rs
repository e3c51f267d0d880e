//! The configuration of the cache and its requests.

use std::time::Duration;

use crate::{error::Error, filter::FieldFilter, text::given};

/// The configuration of [`Fetching`](crate::Fetching): limits of its cache and of its requests.
///
/// ```
/// use k8s_openapi::api::core::v1::Secret;
/// use kube_weir::{FetchConfig, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let config = FetchConfig::default().max_objects(1).ttl(Duration::from_secs(60));
/// let api = Api::<Secret>::all(client);
/// let keys = watch(api.clone()).index_keys(())?;
/// let secrets = keys.store().fetching(api, config);
/// keys.spawn();
///
/// secrets.get(("web", "tls")).await?;
/// secrets.get(("web", "tls")).await?; // from the cache
/// secrets.get(("web", "token")).await?; // evicts `tls`
/// tokio::time::sleep(Duration::from_secs(61)).await;
/// let did = secrets.report();
/// assert_eq!((did.gets, did.hits, did.evicted, did.expired, did.objects), (2, 1, 1, 1, 0));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchConfig {
    pub(super) ttl: Duration,
    pub(super) max_objects: usize,
    pub(super) max_bytes: usize,
    pub(super) concurrency: usize,
    pub(super) deadline: Duration,
    pub(super) filter: FieldFilter,
}

impl FetchConfig {
    /// Sets how long an object is kept after it was fetched, however often it is read. Default: 2 minutes
    /// 10 seconds. See the [example](FetchConfig).
    ///
    /// It limits memory, not staleness: an object that the watch has seen change is fetched anew in any
    /// case.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Sets how many objects are kept at most. Beyond that, the least recently read objects are evicted.
    /// Default: 1,000; with 0 nothing is kept. See the [example](FetchConfig).
    #[must_use]
    pub fn max_objects(self, max_objects: usize) -> Self {
        Self { max_objects, ..self }
    }

    /// Sets how many bytes of objects are kept at most, measured as the JSON received. A larger object is
    /// returned but not kept. Default: 16 MiB.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let config = FetchConfig::default().max_bytes(64); // less than any Secret takes
    /// let api = Api::<Secret>::all(client);
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, config);
    /// keys.spawn();
    ///
    /// assert!(secrets.get(("web", "tls")).await?.is_some());
    /// assert_eq!(secrets.report().bytes, 0);
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets how many requests all calls together may have in flight. Default: 16, at least one.
    #[must_use]
    pub fn concurrency(self, requests: usize) -> Self {
        Self { concurrency: requests.max(1), ..self }
    }

    /// Sets how long a call may take, including its waits and retries. Default: 30 seconds.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    /// use kube_weir::testing::{Fault, Verb};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// server.fault(Verb::Get, 1, Fault::Delay(Duration::from_secs(60)));
    /// let config = FetchConfig::default().deadline(Duration::from_secs(2));
    /// let api = Api::<Secret>::all(server.client());
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, config);
    /// keys.spawn();
    ///
    /// let error = secrets.get(("web", "tls")).await.unwrap_err();
    /// assert!(error.is_timeout());
    /// assert_eq!(error.object(), Some(("web", "tls")));
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Drops these fields of every object while it is decoded, as
    /// [`Watch::filter_fields`](crate::Watch::filter_fields) does. Can be called several times.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a path is invalid or names a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let config = FetchConfig::default().filter_fields("metadata.creationTimestamp")?;
    /// let api = Api::<Secret>::all(client);
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, config);
    /// keys.spawn();
    ///
    /// let tls = secrets.get(("web", "tls")).await?.unwrap();
    /// assert_eq!(tls.metadata.creation_timestamp, None);
    /// # Ok(()) });
    /// ```
    pub fn filter_fields(
        self,
        filter: impl TryInto<FieldFilter, Error: Into<Error>>,
    ) -> Result<Self, Error> {
        Ok(Self { filter: self.filter.and(given(filter)?), ..self })
    }
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(130),
            max_objects: 1000,
            max_bytes: 16 << 20,
            concurrency: 16,
            deadline: Duration::from_secs(30),
            filter: FieldFilter::default(),
        }
    }
}
