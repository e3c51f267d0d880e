//! Delays before retries.

use std::time::Duration;

use crate::{clock::random, error::Error};

/// The longest wait that a server can request, and the longest delay between lists that bring no progress.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// A limit above any reasonable delay, and small enough for any clock.
const DAY: Duration = Duration::from_secs(86_400);

/// The delays between the tries of a watch, for [`Watch::backoff`](crate::Watch::backoff).
///
/// A delay doubles with each failure in a row, up to the longest, and is jittered down to half of its
/// length, so that clients that failed together don't retry together. The defaults are those of client-go's
/// reflector: 800 ms, up to 30 seconds; after a [refusal](crate::Error::is_refusal), where somebody must
/// first change something, 3 seconds.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Backoff, prelude::*, testing::{ApiServer, Fault, Verb}};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// server.fault(Verb::List, 3, Fault::Refused);
/// let patient = Backoff::default().first(Duration::from_secs(10)).longest(Duration::from_secs(60));
/// let configs = watch(Api::<ConfigMap>::all(server.client())).backoff(patient);
///
/// let begun = tokio::time::Instant::now();
/// configs.index(()).log_errors().first_synced().await?;
/// assert!(begun.elapsed() >= Duration::from_secs((10 + 20 + 40) / 2));
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    first: Duration,
    refused: Duration,
    longest: Duration,
}

impl Backoff {
    /// Sets the delay after the first failure. Default: 800 milliseconds. [Example](Backoff).
    #[must_use]
    pub fn first(self, first: Duration) -> Self {
        Self { first, ..self }
    }

    /// Sets the delay after the first refusal. Default: 3 seconds. [Example](Backoff).
    #[must_use]
    pub fn refused(self, refused: Duration) -> Self {
        Self { refused, ..self }
    }

    /// Sets the longest delay. Default: 30 seconds. [Example](Backoff).
    #[must_use]
    pub fn longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(800),
            refused: Duration::from_secs(3),
            longest: Duration::from_secs(30),
        }
    }
}

/// The retries of one operation. Only the caller knows what counts as progress, and resets them then.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    backoff: Backoff,
    failures: u32,
    last: Duration,
}

impl Tries {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self { backoff, ..Self::default() }
    }

    /// Returns tries whose delay grows up to 5 minutes.
    pub(super) fn growing(backoff: Backoff) -> Self {
        Self::new(backoff.longest(backoff.longest.max(LONGEST)))
    }

    /// Returns the delay after one more failure.
    pub(crate) fn after(&mut self, error: &Error) -> Duration {
        let Backoff { first, refused, longest } = self.backoff;
        let first = if error.is_refusal() { refused } else { first };
        let delay = first.saturating_mul(1 << self.failures.min(10)).min(longest).min(DAY);
        self.failures = self.failures.saturating_add(1);
        let delay = delay.mul_f64(0.5 + random() / 2.0);
        // A server may request a longer delay, but not an endless one.
        self.last = delay.max(error.retry_after().unwrap_or_default().min(LONGEST));
        self.last
    }

    /// Returns the last delay, or zero after progress.
    pub(super) fn last(&self) -> Duration {
        self.last
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
        self.last = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(error: &Error, count: usize) -> Vec<Duration> {
        let mut tries = Tries::default();
        std::iter::repeat_with(|| tries.after(error)).take(count).collect()
    }

    /// SEMANTICS: W5
    #[test]
    fn it_grows_to_a_ceiling_and_is_jittered() {
        let unavailable = Error::from_status("list", 503, "", "");
        let Backoff { first, longest, .. } = Backoff::default();
        let delays = delays(&unavailable, 20);
        for (i, delay) in delays.iter().enumerate() {
            let full = first.saturating_mul(1 << i.min(10)).min(longest);
            assert!((full / 2..=full).contains(delay), "{i}: {delay:?} of {full:?}");
        }
        let again = self::delays(&unavailable, 20);
        assert_ne!(delays, again, "no jitter");
    }

    /// SEMANTICS: W5, W18
    #[test]
    fn retry_after_is_honoured_within_bounds_and_refusals_are_retried_slowly() {
        let asked = |seconds| {
            let wait = Some(Duration::from_secs(seconds));
            delays(&Error::from_status("list", 429, "", "").with_retry_after(wait), 1)[0]
        };
        assert_eq!(asked(77), Duration::from_secs(77));
        assert_eq!(asked(u64::MAX), LONGEST, "nothing that a server says stops a watch for good");
        assert!(asked(0) >= Backoff::default().first / 2, "nor makes it hurry");
        let forbidden = Error::from_status("list", 403, "", "");
        assert!(delays(&forbidden, 1)[0] >= Backoff::default().refused / 2);
    }

    #[test]
    fn progress_resets_it() {
        let error = Error::from_status("list", 500, "", "");
        let mut tries = Tries::default();
        for _ in 0..10 {
            tries.after(&error);
        }
        tries.reset();
        assert!(tries.after(&error) <= Backoff::default().first);
    }

    #[test]
    fn no_setting_overflows() {
        let error = Error::from_status("list", 500, "", "");
        let longest = Backoff::default().first(Duration::MAX).longest(Duration::MAX);
        assert!(Tries::new(longest).after(&error) <= DAY);
    }
}
