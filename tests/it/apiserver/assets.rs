//! The folder of the two programs: a configured folder, or a cache that the Go compiler fills.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

/// The variable that names a folder with `etcd` and `kube-apiserver`. The library reads it, too.
pub(super) const FOLDER: &str = "KUBEBUILDER_ASSETS";
/// If set, a test without a server fails and is not skipped.
pub(super) const REQUIRE: &str = "KUBE_WEIR_REQUIRE_APISERVER";

const GO_MOD: &str = include_str!("../../apiserver/go.mod");
const GO_SUM: &str = include_str!("../../apiserver/go.sum");
const ETCD_PACKAGE: &str = "go.etcd.io/etcd/server/v3";
const APISERVER_PACKAGE: &str = "k8s.io/kubernetes/cmd/kube-apiserver";

const BUILD_DEADLINE: Duration = Duration::from_secs(2400);
const POLL: Duration = Duration::from_millis(200);

/// Script that runs the compiler, and ends it at the end of stdin: this process may be killed.
const SUPERVISE: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
{ read -r _; kill "$pid"; } <&3 &
reader=$!
wait "$pid"
status=$?
kill "$reader"
exit "$status"
"#;

/// Returns the folder of the programs, which are built if needed, or `None` if [`FOLDER`] names it. The
/// error is the reason why there is none.
pub(super) fn find() -> Result<Option<PathBuf>, String> {
    // The cache could have another version than the requested one.
    if set(FOLDER).is_some() {
        return Ok(None);
    }
    let version = kubernetes_version();
    let folder = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no place for a cache.")?
        .join("kube-weir")
        .join(format!("apiserver-{version}-{:016x}", recipe_hash()));
    if !is_complete(&folder) {
        build(&folder, version)?;
    }
    Ok(Some(folder))
}

/// Writes to the real stderr: libtest captures what `eprint!` writes.
pub(super) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn is_complete(folder: &Path) -> bool {
    ["etcd", "kube-apiserver"].iter().all(|name| folder.join(name).is_file())
}

/// Builds the programs into `folder`, unless another test run has just done so.
fn build(folder: &Path, version: &str) -> Result<(), String> {
    let go = Command::new("go").arg("version").output();
    if !go.is_ok_and(|output| output.status.success()) {
        return Err(format!(
            "{FOLDER} is not set, {} is not there, and there is no `go` on PATH to build it.",
            folder.display()
        ));
    }
    let parent = folder.parent().expect("the cache is below a folder");
    let cannot = |error| format!("cannot write to the cache {}: {error}.", parent.display());
    fs::create_dir_all(parent).map_err(cannot)?;
    let lock = File::create(beside(folder, ".lock")).map_err(cannot)?;
    wait_for(&lock, folder)?;
    if is_complete(folder) {
        return Ok(());
    }

    // The folder is renamed when complete, so that others see both programs or none. We hold the lock, so
    // the rest of an interrupted build can be removed.
    let partial = beside(folder, ".partial");
    let _ = fs::remove_dir_all(&partial);
    let _ = fs::remove_dir_all(folder);
    let programs = partial.join("programs");
    fs::create_dir_all(&programs)
        .and_then(|()| fs::write(partial.join("go.mod"), GO_MOD))
        .and_then(|()| fs::write(partial.join("go.sum"), GO_SUM))
        .map_err(cannot)?;
    compile(&partial, &programs, version)?;
    fs::rename(programs.join("server"), programs.join("etcd"))
        .and_then(|()| fs::rename(&programs, folder))
        .and_then(|()| fs::remove_dir_all(&partial))
        .map_err(cannot)
}

/// Runs the compiler on a copy of go.mod, so that the checkout can't change.
fn compile(module: &Path, programs: &Path, version: &str) -> Result<(), String> {
    let log = module.join("build.log");
    let output = File::create(&log).map_err(|error| format!("{}: {error}.", log.display()))?;
    let errors = output.try_clone().map_err(|error| format!("{}: {error}.", log.display()))?;
    let mut command = Command::new("sh");
    command.args(["-c", SUPERVISE, "sh", "go", "build"]).args(build_flags(version)).arg("-o");
    command.arg(programs).args([ETCD_PACKAGE, APISERVER_PACKAGE]);
    command.current_dir(module);
    command.envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")]);

    say(&format!(
        "\nBuilding kube-apiserver {version} and etcd for the integration tests. This takes 4 to \
         15 minutes, once on this machine. Log: {}\n",
        log.display()
    ));
    let started = Instant::now();
    let mut said = 0;
    // A separate process group: Ctrl-C ends this process, and its end stops the compiler.
    command.process_group(0).stdin(Stdio::piped()).stdout(output).stderr(errors);
    let mut process = command.spawn().map_err(|error| format!("cannot run `sh`: {error}."))?;
    let status = loop {
        if let Some(status) = process.try_wait().expect("a child of this process") {
            break status;
        }
        let elapsed = started.elapsed();
        if elapsed > BUILD_DEADLINE {
            return Err(format!(
                "`go build` took longer than {BUILD_DEADLINE:?}.\n{}",
                last_lines(&log)
            ));
        }
        if elapsed.as_secs() / 60 > said {
            said = elapsed.as_secs() / 60;
            say(&format!("Building kube-apiserver: {said} min ...\n"));
        }
        sleep(POLL);
    };
    if !status.success() {
        return Err(format!("`go build` failed ({status}).\n{}", last_lines(&log)));
    }
    say(&format!("Built kube-apiserver and etcd in {} s.\n", started.elapsed().as_secs()));
    Ok(())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().rev().take(50).collect();
    lines.reverse();
    lines.join("\n")
}

/// Takes the lock of a building test run. The system releases it with the process.
fn wait_for(lock: &File, folder: &Path) -> Result<(), String> {
    let started = Instant::now();
    let mut said = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => {
                return Err(format!("cannot lock {}: {error}.", folder.display()));
            }
            Err(TryLockError::WouldBlock) if started.elapsed() > BUILD_DEADLINE => {
                return Err(format!(
                    "another test run builds {} and does not finish.",
                    folder.display()
                ));
            }
            Err(TryLockError::WouldBlock) => {
                if !said {
                    say("Waiting for another test run that builds kube-apiserver ...\n");
                    said = true;
                }
                sleep(POLL);
            }
        }
    }
}

/// Sets the version, because a program built from a module doesn't know its own.
fn build_flags(version: &str) -> [String; 3] {
    let stamp = "-X k8s.io/component-base/version.git";
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    [
        "-trimpath".to_owned(),
        "-ldflags".to_owned(),
        format!(
            "-s -w {stamp}Version={version} {stamp}Major={major} {stamp}Minor={minor} \
             {stamp}TreeState=clean"
        ),
    ]
}

/// Returns the version of k8s.io/kubernetes that go.mod requires, including the `v`.
fn kubernetes_version() -> &'static str {
    GO_MOD
        .lines()
        .filter_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .find_map(|rest| rest.split_whitespace().next())
        .expect("go.mod requires k8s.io/kubernetes")
}

/// Returns the FNV-1a hash of all inputs of the build. The standard hasher may change between releases of
/// Rust, which would cause needless builds.
fn recipe_hash() -> u64 {
    let flags = build_flags(kubernetes_version()).concat();
    [GO_MOD, GO_SUM, &flags, env::consts::OS, env::consts::ARCH]
        .concat()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Returns `folder` with a longer name; `with_extension` would replace part of the version.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
