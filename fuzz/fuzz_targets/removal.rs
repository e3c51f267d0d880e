//! Removing fields from text gives the same as removing them from a value.
//!
//! Run with `cargo +nightly fuzz run removal`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::removal(data));
