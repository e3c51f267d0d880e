//! The integration tests: one binary, so that it is linked once.

mod apiserver;
mod debounce;
mod index;
mod support;
mod sync;
mod testing;
