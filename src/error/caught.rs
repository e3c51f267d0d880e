//! Panics of the user's code.

use std::{
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
};

use super::{Error, ErrorKind};

/// Runs something that calls the user's code, and returns an error if it panics. What it was about must
/// not be used any more then.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // The payload may be anything, even what panics when it is dropped. The panic hook has it.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
        Error::new(ErrorKind::Panic, "code that the stream runs has panicked")
    })
}

/// Returns an error if a future panics. It is not polled any more then.
pub(crate) async fn caught_in<T>(
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        caught(|| future.as_mut().poll(cx)).unwrap_or_else(|error| Poll::Ready(Err(error)))
    })
    .await
}

/// Polls a stream; if it panics, the error is its last item, once `end` has made it an ended one. The end
/// may panic as well: it drops what the stream had.
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
