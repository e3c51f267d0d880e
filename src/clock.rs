//! Times that can't overflow.

use std::time::Duration;

use tokio::time::Instant;

/// For a user's "never", a time that is far enough away.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or_else(|| start + Duration::from_secs(86_400 * 365))
}
