//! What is kept and how it is asked for, as users set it.

use std::time::Duration;

use crate::filter::FieldFilter;

/// What [`Fetching`](crate::Fetching) keeps, and how it asks.
///
/// ```
/// use std::time::Duration;
/// use kube_weir::FetchConfig;
///
/// let config = FetchConfig::default().max_objects(20).ttl(Duration::from_secs(60));
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
    /// Default: 2 minutes 10 seconds.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// How many objects are kept at the most. Beyond that, those go that were not read for the
    /// longest time. Default: 1,000.
    #[must_use]
    pub fn max_objects(self, max_objects: usize) -> Self {
        Self { max_objects, ..self }
    }

    /// How many bytes of objects are kept at the most, counted in the JSON that they came as. An
    /// object that is larger is given out and not kept. Default: 16 MiB.
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
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Drops these fields of every object while it is decoded. May be given several times.
    #[must_use]
    pub fn filter_fields(self, filter: FieldFilter) -> Self {
        Self { filter: self.filter.and(filter), ..self }
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
