//! What there is to say about fetching.

/// What [`Fetching`](crate::Fetching) keeps, and what it did since it was made; from
/// [`Fetching::report`](crate::Fetching::report), which has an example.
///
/// Each read of an object is a hit or a miss. Of the misses those that did not join another fetch
/// began one; that took a get, or was part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct FetchingReport {
    /// How many objects are kept now.
    pub objects: usize,
    /// Their bytes, in the JSON that they came as.
    pub bytes: usize,
    /// How many objects are being fetched.
    pub in_flight: usize,
    /// Reads that were answered from what is kept.
    pub hits: u64,
    /// Reads that were not.
    pub misses: u64,
    /// Of the misses, those for which another one's fetch was waited for.
    pub joined: u64,
    /// Objects that were asked for one by one.
    pub gets: u64,
    /// Lists of a namespace, each instead of many of these.
    pub lists: u64,
    /// Requests that were sent again after a failure.
    pub retries: u64,
    /// Answers that were older than what the watch had seen, and asked for again.
    pub stale: u64,
    /// Objects that could not be fetched.
    pub failures: u64,
    /// Objects that had to make room for others.
    pub evicted: u64,
    /// Objects that were kept for as long as they may be.
    pub expired: u64,
    /// Objects of which the watch saw a later version.
    pub outdated: u64,
}
