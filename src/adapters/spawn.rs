//! `spawn`: runs a stream in its own task.

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

/// Handle of a stream that runs in its own task; from
/// [`EventStreamExt::spawn`](crate::EventStreamExt::spawn).
///
/// Dropping the handle detaches the stream, as with tokio's `JoinHandle`: the stream runs until it ends
/// or the runtime shuts down. So a store that is read as long as the program runs needs no handle,
/// and `let _ = stream.spawn()` doesn't stop the stream. [`stop`](Spawned::stop) stops it, and
/// [`stop_on_drop`](Spawned::stop_on_drop) ties it to the handle.
///
/// Awaiting the handle, by value or as `&mut`, returns how the stream ended:
///
/// * `Ok` if the stream ended by itself,
/// * an [`is_panic`](Error::is_panic) error if it panicked,
/// * an [`is_ended`](Error::is_ended) error if it was stopped, or the runtime shut down.
///
/// In each case its stores report `ended`, and the streams of their consumers end.
///
/// # Cancel safety
///
/// Dropping a future that has the handle by `&mut`, as in `select!`, stops nothing.
///
/// # Examples
///
/// ```
/// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
///
/// # kube_weir::testing::fixture::run(async {
/// let configs = Events::listed([config_map("a", 1)]).index(());
/// let store = configs.store();
/// let mut driving = configs.spawn();
///
/// (&mut driving).await?; // these events come to an end, unlike those of a watch
/// assert!(driving.is_finished());
/// assert_eq!(store.snapshot().len(), 1); // what was stored can still be read
/// # Ok(()) });
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
                    // A stream that is always ready must let other tasks run.
                    consume_budget().await;
                }
            }
            ended
        });
        Self { task, stops: false }
    }

    /// Returns whether the stream has ended; awaiting the handle returns how. See the
    /// [example](Spawned).
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Stops the stream. Does nothing if the stream has ended.
    ///
    /// The stream is dropped soon afterwards, not before this returns; await the handle to wait for that.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let configs = Events::<ConfigMap>::listed([]).stay_open().index(());
    /// let store = configs.store();
    /// let driving = configs.spawn();
    /// store.synced().await?;
    ///
    /// driving.stop();
    /// assert!(driving.await.unwrap_err().is_ended());
    /// # Ok(()) });
    /// ```
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Makes the handle stop the stream when the handle is dropped. Use this if one owner has both the stream
    /// and its consumers, and keep the handle in a field or a variable.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::Events};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let configs = Events::<ConfigMap>::listed([]).stay_open().index(());
    /// let store = configs.store();
    /// let mut changes = store.changes();
    /// {
    ///     let _driving = configs.spawn().stop_on_drop();
    ///     store.synced().await?;
    /// }
    /// assert!(changes.next().await.is_some(), "what it was synced with");
    /// assert!(changes.next().await.is_none());
    /// # Ok(()) });
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
            // A panic message may contain anything, so it is left to the panic hook.
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
