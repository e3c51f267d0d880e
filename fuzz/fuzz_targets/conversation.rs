//! Whatever a watch is answered, its store is soon what the server has.
//!
//! Run with `cargo +nightly fuzz run conversation`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::conversation(data));
