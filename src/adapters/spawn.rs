//! `spawn`: a stream that runs in a task of its own.

use std::{
    fmt,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use futures::{Stream, StreamExt};
use tokio::task::{JoinHandle, coop::consume_budget};

use super::LogErrors;
use crate::error::{Error, Reason};

/// A stream that runs in a task of its own, from
/// [`EventStreamExt::spawn`](crate::EventStreamExt::spawn).
///
/// Dropping it stops the stream. Awaiting it, by value or as `&mut`, tells how the stream ended:
///
/// * `Ok` if it came to its end,
/// * an [`is_panic`](Error::is_panic) error if it panicked,
/// * an [`is_ended`](Error::is_ended) error if the runtime shut down.
///
/// In each case its stores say `ended`, and the streams of their consumers end.
#[must_use = "dropping it stops the stream"]
pub struct Spawned(JoinHandle<()>);

impl Spawned {
    pub(crate) fn new<S, T>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, Error>> + Send + 'static,
    {
        Self(tokio::spawn(async {
            let mut items = pin!(LogErrors::new(stream));
            while items.next().await.is_some() {
                // A stream that is always ready must let others run.
                consume_budget().await;
            }
        }))
    }

    /// Whether the stream has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Future for Spawned {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).map_err(|cause| {
            // What a panic says may be anything, so it is left to the panic hook.
            if cause.is_panic() {
                Error::new(Reason::Panic, "the stream panicked")
            } else {
                Error::new(Reason::Ended, "the runtime shut down")
            }
        }))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("is_finished", &self.is_finished()).finish()
    }
}
