//! Resources that are accepted mean what they say, and any text is one segment of a path.
//!
//! Run with `cargo +nightly fuzz run resource`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube_weir::fuzzing::resource(data));
