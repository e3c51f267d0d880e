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
///
/// # Cancel safety
///
/// Dropping a future that has the handle by `&mut`, as in `select!`, stops nothing.
///
/// # Examples
///
/// ```
/// use kube_weir::{IndexBy, prelude::*, testing::Events};
///
/// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
/// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let configs = Events::listed([config("a", 1)]).index(IndexBy::path("metadata.name")?);
/// let store = configs.store();
/// let mut driving = configs.spawn();
///
/// (&mut driving).await?; // these events come to an end, unlike those of a watch
/// assert!(driving.is_finished());
/// assert_eq!(store.snapshot().len(), 1); // what was stored can still be read
/// # Ok(()) }
/// ```
#[must_use = "dropping it stops the stream"]
pub struct Spawned(JoinHandle<Result<(), Error>>);

impl Spawned {
    pub(crate) fn new<S, T>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, Error>> + Send + 'static,
    {
        Self(tokio::spawn(async {
            let mut ended = Ok(());
            let noted = stream.inspect(|item| {
                if let Err(error) = item
                    && error.is_panic()
                {
                    ended = Err(error.clone());
                }
            });
            {
                let mut items = pin!(LogErrors::new(noted));
                while items.next().await.is_some() {
                    // A stream that is always ready must let others run.
                    consume_budget().await;
                }
            }
            ended
        }))
    }

    /// Whether the stream has ended, in whatever way; awaiting it tells in which. See the
    /// [example](Spawned).
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Future for Spawned {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(ended.unwrap_or_else(|cause| {
            // The message of a panic may be anything, so it is left to the panic hook.
            Err(if cause.is_panic() {
                Error::new(Reason::Panic, "the stream panicked")
            } else {
                Error::new(Reason::Ended, "the runtime shut down")
            })
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
