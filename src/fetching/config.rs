//! What is kept and how it is asked for, as users set it.

use std::time::Duration;

use crate::{error::Error, filter::FieldFilter, text::given};

/// What [`Fetching`](crate::Fetching) keeps, and how it asks.
///
/// ```
/// use k8s_openapi::api::core::v1::Secret;
/// use kube_weir::{FetchConfig, prelude::*, testing::ApiServer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// # let server = ApiServer::new();
/// # for name in ["tls", "token"] {
/// #     server.apply(&serde_json::json!({
/// #         "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "web", "name": name },
/// #     })).unwrap();
/// # }
/// let config = FetchConfig::default().max_objects(1).ttl(Duration::from_secs(60));
/// let api = Api::<Secret>::all(server.client());
/// let keys = watch(api.clone()).index_keys(())?;
/// let secrets = keys.store().fetching(api, config);
/// keys.spawn();
///
/// secrets.get(("web", "tls")).await?;
/// secrets.get(("web", "tls")).await?; // it is kept
/// secrets.get(("web", "token")).await?; // and this is, in its place
/// tokio::time::sleep(Duration::from_secs(61)).await;
/// let did = secrets.report();
/// assert_eq!((did.gets, did.hits, did.evicted, did.expired, did.objects), (2, 1, 1, 1, 0));
/// # Ok(()) }
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
    /// How long an object is kept, counted from when it was fetched, however often it is read.
    /// Default: 2 minutes 10 seconds. See the [example](FetchConfig).
    ///
    /// It bounds memory, not staleness: what the watch has seen change is fetched anew in any case.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// How many objects are kept at the most. Beyond that, those go that were not read for the
    /// longest time. Default: 1,000; with 0 nothing is kept. See the [example](FetchConfig).
    #[must_use]
    pub fn max_objects(self, max_objects: usize) -> Self {
        Self { max_objects, ..self }
    }

    /// How many bytes of objects are kept at the most, counted in the JSON that they came as. An
    /// object that is larger is given out and not kept. Default: 16 MiB.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let server = ApiServer::new();
    /// # for name in ["tls", "token"] {
    /// #     server.apply(&serde_json::json!({
    /// #         "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "web", "name": name },
    /// #     })).unwrap();
    /// # }
    /// let config = FetchConfig::default().max_bytes(64); // less than any Secret takes
    /// let api = Api::<Secret>::all(server.client());
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, config);
    /// keys.spawn();
    ///
    /// assert!(secrets.get(("web", "tls")).await?.is_some());
    /// assert_eq!(secrets.report().bytes, 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// How many requests may be on their way at the same time, of all calls together. Default: 16,
    /// at least one.
    #[must_use]
    pub fn concurrency(self, requests: usize) -> Self {
        Self { concurrency: requests.max(1), ..self }
    }

    /// How long a call may take, with its waits and retries. Default: 30 seconds.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*};
    /// use kube_weir::testing::{ApiServer, Fault, Verb};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let server = ApiServer::new();
    /// # for name in ["tls", "token"] {
    /// #     server.apply(&serde_json::json!({
    /// #         "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "web", "name": name },
    /// #     })).unwrap();
    /// # }
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
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Drops these fields of every object while it is decoded, as
    /// [`Watch::filter_fields`](crate::Watch::filter_fields) does. May be given several times.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if one is no path, or of a field that identifies the object.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Secret;
    /// use kube_weir::{FetchConfig, prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let server = ApiServer::new();
    /// # for name in ["tls", "token"] {
    /// #     server.apply(&serde_json::json!({
    /// #         "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "web", "name": name },
    /// #     })).unwrap();
    /// # }
    /// let config = FetchConfig::default().filter_fields("metadata.creationTimestamp")?;
    /// let api = Api::<Secret>::all(server.client());
    /// let keys = watch(api.clone()).index_keys(())?;
    /// let secrets = keys.store().fetching(api, config);
    /// keys.spawn();
    ///
    /// let tls = secrets.get(("web", "tls")).await?.unwrap();
    /// assert_eq!(tls.metadata.creation_timestamp, None);
    /// # Ok(()) }
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
