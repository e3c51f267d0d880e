//! The integration tests: one binary, so that it is linked once.

mod admission;
mod apiserver;
mod architecture;
mod conformance;
mod consumers;
mod debounce;
mod examples;
mod index;
mod leader;
mod live;
mod logs;
mod model;
mod one;
mod overlay;
mod schedules;
mod support;
mod sync;
mod testing;
mod watch;
mod world;
mod written;
