//! A document is what `serde_json` reads, without what is filtered, whatever the bytes are.
//!
//! Run with `cargo +nightly fuzz run document`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::document(data));
