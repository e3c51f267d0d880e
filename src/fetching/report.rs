//! A report of the cache and its fetches.

/// The size of the cache of [`Fetching`](crate::Fetching) and its fetches since it was made; from
/// [`Fetching::report`](crate::Fetching::report), which has an example.
///
/// Each read of an object is a hit or a miss. A miss that did not join another fetch started one, by a get
/// or as part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FetchingReport {
    /// Objects in the cache now.
    pub objects: usize,
    /// Bytes of the cached objects, measured as the JSON received.
    pub bytes: usize,
    /// Objects that are being fetched now.
    pub in_flight: usize,
    /// Reads answered from the cache.
    pub hits: u64,
    /// Reads not answered from the cache.
    pub misses: u64,
    /// Misses that waited for the fetch of another read.
    pub joined: u64,
    /// Requests for single objects.
    pub gets: u64,
    /// Lists of a namespace, each instead of many gets.
    pub lists: u64,
    /// Requests retried after a failure.
    pub retries: u64,
    /// Answers that were older than the version that the watch had seen, and were requested again.
    pub stale: u64,
    /// Objects that could not be fetched.
    pub failures: u64,
    /// Objects evicted to make room for others.
    pub evicted: u64,
    /// Objects removed because their time was up.
    pub expired: u64,
    /// Objects removed because the watch saw a later version.
    pub outdated: u64,
}
