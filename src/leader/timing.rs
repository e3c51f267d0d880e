//! The durations of an election, checked against each other.

use std::time::Duration;

use crate::{
    clock,
    error::{Error, ErrorKind},
};

/// The time for which a Lease is held without a renewal, and the interval of the renewals.
///
/// The defaults are client-go's. All replicas should have the same timing. A replica writes its lease
/// duration into the Lease and the others respect it, but a replica with a shorter lease duration is
/// replaced sooner.
///
/// The lease duration must be longer than the renew deadline, and the renew deadline must be longer than
/// the retry period with its jitter: [`Election::timing`](crate::Election::timing) checks this.
///
/// ```
/// use futures::StreamExt;
/// use kube_weir::{Election, LeaseRef, LeaseTiming};
/// use std::time::Duration;
///
/// # kube_weir::testing::fixture::with_server(async |server| {
/// # let election = Election::new(server.client(), LeaseRef::new("default", "web"), "replica-a")?;
/// let hasty = LeaseTiming::default()
///     .lease_duration(Duration::from_secs(6))
///     .renew_deadline(Duration::from_secs(4))
///     .retry_period(Duration::from_secs(1))
///     .jitter(1.5);
/// let mut campaign = election.timing(hasty)?.campaign();
///
/// assert!(campaign.next().await.unwrap()?.term().unwrap().remaining() < Duration::from_secs(4));
/// let lease = server.get("leases", "default", "web").unwrap();
/// assert_eq!(lease["spec"]["leaseDurationSeconds"], 6);
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LeaseTiming {
    pub(super) lease_duration: Duration,
    pub(super) renew_deadline: Duration,
    pub(super) retry_period: Duration,
    pub(super) jitter: f64,
}

impl LeaseTiming {
    /// Sets how long the other replicas wait after the last renewal that they saw before they take over.
    /// Default: 15 seconds. Whole seconds, because the Lease can't store fractions. [Example](LeaseTiming).
    ///
    /// After a crash nobody leads for this long, and up to a retry period more.
    #[must_use]
    pub fn lease_duration(self, lease_duration: Duration) -> Self {
        Self { lease_duration, ..self }
    }

    /// Sets how long a [`Term`](crate::Term) is valid after its last renewal was sent. Default: 10 seconds.
    /// The rest of the lease duration covers clocks that don't run at the same speed, and writes that are
    /// on their way. One request may take half of the renew deadline. [Example](LeaseTiming).
    #[must_use]
    pub fn renew_deadline(self, renew_deadline: Duration) -> Self {
        Self { renew_deadline, ..self }
    }

    /// Sets how often the holder renews the Lease and the other replicas read it. Default: 2 seconds; at
    /// least 10 milliseconds. [Example](LeaseTiming).
    #[must_use]
    pub fn retry_period(self, retry_period: Duration) -> Self {
        Self { retry_period, ..self }
    }

    /// Sets the jitter: the other replicas wait up to this many retry periods, and at least one, so that
    /// they don't all ask at once. Default: 1.2; from 1 to 100. [Example](LeaseTiming).
    #[must_use]
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    pub(super) fn check(self) -> Result<Self, Error> {
        let Self { lease_duration, renew_deadline, retry_period, jitter } = self;
        let invalid = |why: String| Err(Error::new(ErrorKind::Election, why));
        if !(1.0..=100.0).contains(&jitter) {
            return invalid(format!("the jitter must be from 1 to 100, not {jitter}"));
        }
        if lease_duration.subsec_nanos() != 0 || i32::try_from(lease_duration.as_secs()).is_err() {
            return invalid(format!(
                "the lease duration must be whole seconds that fit into a Lease, not {lease_duration:?}"
            ));
        }
        if retry_period < Duration::from_millis(10) {
            return invalid(format!("the retry period must be 10ms or more, not {retry_period:?}"));
        }
        if lease_duration <= renew_deadline {
            return invalid(format!(
                "the lease duration ({lease_duration:?}) must be longer than the renew deadline ({renew_deadline:?})"
            ));
        }
        if renew_deadline.as_secs_f64() <= retry_period.as_secs_f64() * jitter {
            return invalid(format!(
                "the renew deadline ({renew_deadline:?}) must be longer than the retry period with its jitter ({retry_period:?} × {jitter})"
            ));
        }
        Ok(self)
    }

    /// Returns the next wait of a replica that doesn't lead.
    pub(super) fn next_wait(&self) -> Duration {
        self.retry_period.mul_f64(1.0 + (self.jitter - 1.0) * clock::random())
    }

    /// Returns how long one request may take: two fit into a renew deadline.
    pub(super) fn patience(&self) -> Duration {
        self.renew_deadline / 2
    }
}

impl Default for LeaseTiming {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
            jitter: 1.2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// SEMANTICS: L8
    #[test]
    fn lease_exceeds_renew_exceeds_retry() {
        let valid = LeaseTiming::default();
        assert_eq!(valid.check().unwrap(), valid);
        for (timing, why) in [
            (valid.lease_duration(SECOND * 10), "longer than the renew deadline"),
            (valid.lease_duration(Duration::ZERO), "longer than the renew deadline"),
            (valid.renew_deadline(SECOND * 15), "longer than the renew deadline"),
            (valid.renew_deadline(SECOND * 2), "longer than the retry period"),
            (valid.renew_deadline(Duration::from_millis(2400)), "longer than the retry period"),
            (valid.jitter(5.0), "longer than the retry period"),
            (valid.retry_period(Duration::MAX), "longer than the retry period"),
            (valid.retry_period(Duration::ZERO), "10ms or more"),
            (valid.jitter(0.9), "from 1 to 100"),
            (valid.jitter(f64::NAN), "from 1 to 100"),
            (valid.jitter(f64::INFINITY), "from 1 to 100"),
            // The Lease would say 10 seconds, so the others would take over too early.
            (valid.lease_duration(Duration::from_millis(10_900)), "whole seconds"),
            (valid.lease_duration(Duration::MAX), "whole seconds"),
        ] {
            let error = timing.check().unwrap_err();
            assert!(error.is_election(), "{error:?}");
            assert!(error.to_string().contains(why), "{timing:?}: {error}");
        }
    }

    #[test]
    fn waits_are_jittered_within_their_bounds() {
        let timing = LeaseTiming::default();
        let waits: Vec<_> = std::iter::repeat_with(|| timing.next_wait()).take(100).collect();
        assert!(waits.iter().all(|wait| (SECOND * 2..=SECOND * 12 / 5).contains(wait)));
        assert!(waits.iter().any(|wait| *wait != waits[0]), "no jitter");
    }
}
