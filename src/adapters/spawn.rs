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
use crate::error::{Error, ErrorKind};

/// A stream that runs in a task of its own, from
/// [`EventStreamExt::spawn`](crate::EventStreamExt::spawn).
///
/// Dropping it detaches the stream, as dropping tokio's `JoinHandle` does: the stream goes on until it ends
/// or the runtime shuts down. A store that is read for as long as the program runs therefore needs no handle,
/// and `let _ = stream.spawn()` stops nothing unnoticed. [`stop`](Spawned::stop) stops it, and
/// [`stop_on_drop`](Spawned::stop_on_drop) ties it to the handle.
///
/// Awaiting it, by value or as `&mut`, returns how the stream ended:
///
/// * `Ok` if it came to its end,
/// * an [`is_panic`](Error::is_panic) error if it panicked,
/// * an [`is_ended`](Error::is_ended) error if it was stopped, or the runtime shut down.
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
/// use kube_weir::{prelude::*, testing::Events};
///
/// # fn config(name: &str, version: u32) -> k8s_openapi::api::core::v1::ConfigMap {
/// #     let metadata = serde_json::json!({ "name": name, "resourceVersion": version.to_string() });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let configs = Events::listed([config("a", 1)]).index(());
/// let store = configs.store();
/// let mut driving = configs.spawn();
///
/// (&mut driving).await?; // these events come to an end, unlike those of a watch
/// assert!(driving.is_finished());
/// assert_eq!(store.snapshot().len(), 1); // what was stored can still be read
/// # Ok(()) }
/// ```
pub struct Spawned {
    task: JoinHandle<Result<(), Error>>,
    stops: bool,
}

impl Spawned {
    pub(crate) fn new<S, T>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, Error>> + Send + 'static,
    {
        let task = tokio::spawn(async {
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
        });
        Self { task, stops: false }
    }

    /// Returns whether the stream has ended, in whatever way; awaiting the handle returns in which. See the
    /// [example](Spawned).
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops the stream. Nothing happens if it has ended.
    ///
    /// The stream is dropped soon after, not before this returns; to await the handle waits until it is.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::Events};
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let configs = Events::<ConfigMap>::listed([]).stay_open().index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// store.synced().await?;
    ///
    /// driving.stop();
    /// assert!(driving.await.unwrap_err().is_ended());
    /// # Ok(()) }
    /// ```
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Makes the handle stop the stream when it is dropped, for who owns both the stream and its consumers:
    /// keep it in a field or a variable.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::Events};
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// let configs = Events::<ConfigMap>::listed([]).stay_open().index(());
    /// let store = configs.store();
    /// let mut changes = store.changes();
    /// {
    ///     let _driving = configs.spawn().stop_on_drop();
    ///     store.synced().await?;
    /// }
    /// assert!(changes.next().await.is_some(), "what it was synced with");
    /// assert!(changes.next().await.is_none());
    /// # Ok(()) }
    /// ```
    #[must_use = "dropping it stops the stream"]
    pub fn stop_on_drop(mut self) -> Self {
        self.stops = true;
        self
    }
}

impl Future for Spawned {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.task).poll(cx));
        Poll::Ready(ended.unwrap_or_else(|cause| {
            // The message of a panic may be anything, so it is left to the panic hook.
            Err(if cause.is_panic() {
                Error::new(ErrorKind::Panic, "the stream panicked")
            } else {
                Error::new(ErrorKind::Ended, "the runtime shut down")
            })
        }))
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if self.stops {
            self.stop();
        }
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
