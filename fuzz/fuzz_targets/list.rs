//! A list is read the same in whatever frames it comes.
//!
//! Run with `cargo +nightly fuzz run list`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::list(data));
