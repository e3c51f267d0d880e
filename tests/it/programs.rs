//! Programs that some tests need; without them the tests are skipped.

use std::path::{Path, PathBuf};

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

/// Returns a program in Go, built once from this file or folder, with the dependencies of `tests/candidate`. If
/// it can't be built, prints a message, or fails if tests must not be skipped.
pub(crate) async fn built_in_go(name: &str, source: &Path) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/candidate");
    let mut build = Command::new("go");
    build.env("GOFLAGS", "-mod=readonly").env("GOWORK", "off").env("CGO_ENABLED", "0");
    build.arg("build").arg("-o").arg(&program).arg(source).current_dir(module);
    let why = match build.output().await {
        Ok(output) if output.status.success() => return Some(program),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("no Go here ({error})"),
    };
    assert!(!required(), "{name} can't be built: {why}");
    skipped(&format!("{name} in Go: {why}"));
    None
}
