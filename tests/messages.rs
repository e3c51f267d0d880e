//! The compiler's messages where a stage is called too early, or a setting has no effect there.
//!
//! Other releases of Rust say the same in other words, so the text is that of one; `just messages` takes it
//! from the current one.

use std::process::Command;

/// The release of Rust that wrote the `.stderr` files.
const RELEASE: &str = "rustc 1.95.";

#[test]
fn a_failed_bound_says_what_to_do() {
    let rustc = Command::new(option_env!("RUSTC").unwrap_or("rustc")).arg("--version").output();
    let version = String::from_utf8(rustc.expect("rustc runs").stdout).expect("text");
    if !version.starts_with(RELEASE) {
        eprintln!("skipped: {} words its messages differently from {RELEASE}", version.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/messages/*.rs");
}
