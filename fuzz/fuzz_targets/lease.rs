//! A Lease is written only if the answer says so.
//!
//! Run with `cargo +nightly fuzz run lease`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::lease(data));
