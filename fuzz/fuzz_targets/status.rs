//! An error says the message of a `Status`, and nothing else of a body.
//!
//! Run with `cargo +nightly fuzz run status`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::status(data));
