//! The election record in a Lease: reading and writing it.

use std::time::{Duration, SystemTime};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use tokio::time::Instant;

use crate::{clock::after, resource_version::has_reached};

/// The fields by which a holder recognizes the Lease as its own: no other replica wrote them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    pub(super) holder: String,
    pub(super) acquired: MicroTime,
    pub(super) number: u32,
}

/// The Lease as last observed, with times of this machine's clock. The times in the Lease are of another
/// machine's clock and are ignored.
#[derive(Debug, Default)]
pub(super) struct ObservedLease {
    lease: Option<Lease>,
    /// The time until which the holder named in the Lease may be leading.
    held_until: Option<Instant>,
    /// The highest number seen, in case somebody deletes the Lease.
    number: Option<u32>,
}

impl Claim {
    pub(super) fn matches(&self, lease: &Lease) -> bool {
        let Some(spec) = &lease.spec else { return false };
        holder(lease) == Some(&self.holder)
            && spec.acquire_time.as_ref() == Some(&self.acquired)
            && number(spec) == Some(self.number)
    }

    /// Returns the Lease renewed by this claim at `now` for `duration`.
    pub(super) fn renewed(
        &self,
        now: MicroTime,
        known: Option<&Lease>,
        name: &str,
        duration: Duration,
    ) -> Lease {
        rewrite(known, name, |spec| {
            spec.holder_identity = Some(self.holder.clone());
            spec.lease_duration_seconds = i32::try_from(duration.as_secs()).ok();
            spec.acquire_time = Some(self.acquired.clone());
            spec.renew_time = Some(now);
            spec.lease_transitions = i32::try_from(self.number).ok();
        })
    }
}

/// Returns the Lease without a holder, written as client-go does.
pub(super) fn released(known: &Lease) -> Lease {
    rewrite(Some(known), "", |spec| {
        let now = wall_clock();
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1); // the least that is valid
        spec.acquire_time = Some(now.clone());
        spec.renew_time = Some(now);
    })
}

/// Changes the spec only. The resourceVersion stays, too, and guards the write.
fn rewrite(known: Option<&Lease>, name: &str, change: impl FnOnce(&mut LeaseSpec)) -> Lease {
    let mut lease = known.cloned().unwrap_or_default();
    lease.metadata.name.get_or_insert_with(|| name.to_owned());
    change(lease.spec.get_or_insert_default());
    lease
}

/// Returns whether the answer to a write shows that it was done: the Lease has a new version, and the
/// holder and the times that were written.
pub(super) fn is_written(answer: &Lease, written: &Lease) -> bool {
    let about = |lease: &Lease| {
        let spec = lease.spec.clone().unwrap_or_default();
        let times = (spec.acquire_time.clone(), spec.renew_time.clone());
        (spec.holder_identity.clone(), number(&spec), times, spec.lease_duration_seconds)
    };
    let version = |lease: &Lease| lease.metadata.resource_version.clone();
    about(answer) == about(written) && version(answer) != version(written)
}

/// Returns the holder that the Lease names, if any.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

fn number(spec: &LeaseSpec) -> Option<u32> {
    u32::try_from(spec.lease_transitions.unwrap_or_default()).ok()
}

/// Returns the time for people who look at the Lease, in whole microseconds as the Lease has it.
pub(super) fn wall_clock() -> MicroTime {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
    MicroTime(
        Timestamp::from_microsecond(i64::try_from(now).unwrap_or_default()).unwrap_or_default(),
    )
}

/// Returns whether one version of the Lease is later than another; `None` if they can't be compared.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>
fn is_later(one: &Lease, other: &Lease) -> Option<bool> {
    let (one, other) = (&one.metadata.resource_version, &other.metadata.resource_version);
    if one == other {
        return Some(false);
    }
    let (one, other) = (one.as_deref()?, other.as_deref()?);
    let is_later = has_reached(one, other);
    (is_later || has_reached(other, one)).then_some(is_later)
}

impl ObservedLease {
    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    pub(super) fn holder(&self) -> Option<&str> {
        self.lease.as_ref().and_then(holder)
    }

    /// Takes over a Lease that was read. `own` is the lease duration to assume if the Lease has none.
    pub(super) fn observe(&mut self, lease: Option<Lease>, own: Duration) {
        if let Some(lease) = &lease {
            let spec = lease.spec.as_ref();
            // A change outside of the spec is no sign of life, as in client-go.
            if spec != self.lease.as_ref().and_then(|lease| lease.spec.as_ref()) {
                let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
                let duration = match u64::try_from(seconds) {
                    Ok(0) | Err(_) => own,
                    Ok(seconds) => Duration::from_secs(seconds),
                };
                self.held_until = holder(lease).map(|_| after(Instant::now(), duration));
            }
            self.number = self.number.max(spec.and_then(number));
        }
        // The holder of a deleted Lease may not know yet that it is deleted, so its time still counts.
        self.lease = lease;
    }

    /// Takes over a Lease from the watch, which may lag, if it is later. Returns whether it is; `None` if
    /// only a read can show that.
    pub(super) fn observe_event(&mut self, lease: Lease, own: Duration) -> Option<bool> {
        let later = is_later(&lease, self.lease()?);
        if later == Some(true) {
            self.observe(Some(lease), own);
        }
        later
    }

    /// Returns the time from which another replica can take the Lease. `None` means now.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until.filter(|until| *until > Instant::now())
    }

    /// Returns the claim to take the Lease with.
    pub(super) fn claim(&self, holder: &str) -> Claim {
        // A new Lease begins with 0, as in client-go.
        let number = self.number.map_or(0, |number| number.saturating_add(1));
        let number = number.min(i32::MAX.unsigned_abs());
        Claim { holder: holder.to_owned(), acquired: wall_clock(), number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_told_of_numbers_of_any_size_and_of_nothing_else() {
        let lease = |version: Option<&str>| {
            let mut lease = Lease::default();
            lease.metadata.resource_version = version.map(str::to_owned);
            lease
        };
        let huge = Some("340282366920938463463374607431768211456");
        for (one, other, later) in [
            (Some("10"), Some("9"), Some(true)),
            (Some("9"), Some("10"), Some(false)),
            (Some("9"), Some("9"), Some(false)),
            (huge, Some("9"), Some(true)),
            (Some("9"), huge, Some(false)),
            (Some("a"), Some("a"), Some(false)),
            (Some("a"), Some("9"), None),
            (Some("9"), None, None),
            (None, None, Some(false)),
        ] {
            assert_eq!(is_later(&lease(one), &lease(other)), later, "{one:?} {other:?}");
        }
    }
}
