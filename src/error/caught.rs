//! Panics of the user's code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Error, Reason};

/// Runs something that calls the user's code, and returns an error if it panics. What it was about must
/// not be used any more then.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Error> {
    // The message may be anything, so it is left to the panic hook.
    let panicked = |_| Error::new(Reason::Panic, "code that the stream runs has panicked");
    catch_unwind(AssertUnwindSafe(run)).map_err(panicked)
}
