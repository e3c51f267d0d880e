//! A line of a watch says what `serde_json` reads in it.
//!
//! Run with `cargo +nightly fuzz run line`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::line(data));
