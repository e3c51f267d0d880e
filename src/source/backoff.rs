//! How long to wait before the next try.

use std::time::Duration;

use crate::{clock::random, error::Error};

/// What client-go's reflector begins with, and where it stops growing.
const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(30);

/// Where a refusal begins: somebody must first change something.
const FIRST_REFUSED: Duration = Duration::from_secs(3);

/// A growing, jittered delay. Only the caller knows what progress is, and resets it then.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay after one more failure.
    pub(crate) fn after(&mut self, error: &Error) -> Duration {
        let first = if error.is_refusal() { FIRST_REFUSED } else { FIRST };
        let delay = first.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures += 1;
        // Between half and all of it, so that clients that failed together don't come back together.
        let delay = delay.mul_f64(0.5 + random() / 2.0);
        delay.max(error.retry_after().unwrap_or_default())
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(error: &Error, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::default();
        std::iter::repeat_with(|| backoff.after(error)).take(count).collect()
    }

    /// SEMANTICS: W5
    #[test]
    fn it_grows_to_a_ceiling_and_is_jittered() {
        let unavailable = Error::from_status("list", 503, "", "");
        let delays = delays(&unavailable, 20);
        for (i, delay) in delays.iter().enumerate() {
            let full = FIRST.saturating_mul(1 << i.min(10)).min(LONGEST);
            assert!((full / 2..=full).contains(delay), "{i}: {delay:?} of {full:?}");
        }
        let again = self::delays(&unavailable, 20);
        assert_ne!(delays, again, "no jitter");
    }

    /// SEMANTICS: W5
    #[test]
    fn retry_after_is_honoured_and_refusals_are_retried_slowly() {
        let wait = Some(Duration::from_secs(77));
        let throttled = Error::from_status("list", 429, "", "").with_retry_after(wait);
        assert_eq!(delays(&throttled, 1), [Duration::from_secs(77)]);
        let forbidden = Error::from_status("list", 403, "", "");
        assert!(delays(&forbidden, 1)[0] >= FIRST_REFUSED / 2);
    }

    #[test]
    fn progress_resets_it() {
        let error = Error::from_status("list", 500, "", "");
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.after(&error);
        }
        backoff.reset();
        assert!(backoff.after(&error) <= FIRST);
    }
}
