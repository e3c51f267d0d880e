//! The time, sums of times that can't overflow, and random numbers to spread load.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    task::Context,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Returns the time of the runtime's clock, which tests pause, as a type that the public API may show.
pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Returns `start` plus `wait`, or, if that overflows (a user's "never"), a time a year later.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or_else(|| start + Duration::from_secs(86_400 * 365))
}

/// Returns a random number from 0 to 1. The standard library's hash seeds are random enough to spread
/// load.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().hash_one(0) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}

/// Polls a timer that ends at `moment`, which may have changed; returns whether it is over. The timer is
/// made at the first poll, so its owner can be made outside of a runtime.
pub(crate) fn is_over(
    timer: &mut Option<Pin<Box<Sleep>>>,
    moment: Option<Instant>,
    cx: &mut Context<'_>,
) -> bool {
    let Some(moment) = moment else {
        *timer = None;
        return false;
    };
    // In a task that has used up its budget, a timer is always pending.
    if moment <= Instant::now() {
        return true;
    }
    let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(moment)));
    if timer.deadline() != moment {
        timer.as_mut().reset(moment);
    }
    timer.as_mut().poll(cx).is_ready()
}
