//! Conversion of panics in the user's code to errors.

use std::{
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
};

use super::{Error, ErrorKind};

/// Runs a function that calls the user's code, and returns an error if it panics. After a panic, the
/// state that the function used must not be used any more.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // The payload may be of any type, even one that panics when it is dropped. The panic hook has
        // reported it.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
        Error::new(ErrorKind::Panic, "code that the stream runs has panicked")
    })
}

/// Awaits a future, and returns an error if it panics. After a panic, the future is not polled any more.
pub(crate) async fn caught_in<T>(
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        caught(|| future.as_mut().poll(cx)).unwrap_or_else(|error| Poll::Ready(Err(error)))
    })
    .await
}

/// Polls a stream. If the stream panics, the error is its last item, and `end` marks the stream as
/// ended. `end` may panic as well: it drops the stream's state.
pub(crate) fn poll_caught<S: ?Sized, T>(
    mut stream: Pin<&mut S>,
    poll: impl FnOnce(Pin<&mut S>) -> Poll<Option<Result<T, Error>>>,
    end: impl FnOnce(Pin<&mut S>, &Error),
) -> Poll<Option<Result<T, Error>>> {
    caught(|| poll(stream.as_mut())).unwrap_or_else(|error| {
        drop(caught(|| end(stream, &error)));
        Poll::Ready(Some(Err(error)))
    })
}
