//! The store of a watch is soon what the server has, whatever was answered.
//!
//! Run with `cargo +nightly fuzz run conversation`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::conversation(data));
