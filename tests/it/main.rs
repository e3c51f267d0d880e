//! The integration tests: one binary, so that it is linked once.

mod admission;
mod apiserver;
mod architecture;
mod browser;
mod collections;
mod concurrency;
mod conformance;
mod consumers;
mod debounce;
mod examples;
mod fetching;
mod haproxy;
mod histories;
mod http;
mod index;
mod into_events;
mod keys;
mod leader;
mod live;
mod logs;
mod model;
mod observability;
mod one;
mod overlay;
mod pictures;
mod programs;
mod public_types;
mod random;
mod recipes;
mod schedules;
// Not a part of the harness, which other binaries use too.
#[path = "apiserver/selftest.rs"]
mod selftest;
mod support;
mod sync;
mod testing;
mod wakes;
mod watch;
mod wire;
mod world;
mod written;
