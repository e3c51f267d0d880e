//! Programs that some tests need; without them the tests are skipped.

use tokio::process::Command;

use crate::apiserver::{required, skipped};

/// Returns whether this program exists. If not, prints a message, or fails if tests must not be skipped.
pub(crate) async fn is_there(program: &str) -> bool {
    // Each program knows one of these arguments, which does nothing.
    for version in ["--version", "-v"] {
        if Command::new(program).arg(version).output().await.is_ok_and(|out| out.status.success()) {
            return true;
        }
    }
    assert!(!required(), "there is no {program}");
    skipped(program);
    false
}
