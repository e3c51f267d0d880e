//! Selectors that are accepted mean what they say, and none makes the parser panic.
//!
//! Run with `cargo +nightly fuzz run selector`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::selector(data));
