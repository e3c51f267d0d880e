//! Discovery finds what `serde_json` reads in its answers.
//!
//! Run with `cargo +nightly fuzz run discovery`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::discovery(data));
