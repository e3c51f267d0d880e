//! Programs that some tests run, and without which they are skipped.

use tokio::process::Command;

use crate::apiserver::{required, skipped};

/// Whether this program is there. If not, that is said on stderr, or fails where nothing may be
/// skipped.
pub(crate) async fn is_there(program: &str) -> bool {
    // All of them know one of these, and none does anything then.
    for version in ["--version", "-v"] {
        if Command::new(program).arg(version).output().await.is_ok_and(|out| out.status.success()) {
            return true;
        }
    }
    assert!(!required(), "there is no {program}");
    skipped(program);
    false
}
