//! The integration tests: one binary, so that it is linked once.

mod admission;
mod apiserver;
mod architecture;
mod concurrency;
mod conformance;
mod consumers;
mod debounce;
mod examples;
mod fetching;
mod haproxy;
mod index;
mod keys;
mod leader;
mod live;
mod logs;
mod model;
mod one;
mod overlay;
mod pictures;
mod random;
mod schedules;
// Not a part of the harness, which other binaries use too.
#[path = "apiserver/selftest.rs"]
mod selftest;
mod support;
mod sync;
mod testing;
mod wakes;
mod watch;
mod world;
mod written;
