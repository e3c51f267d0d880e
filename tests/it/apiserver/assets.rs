//! Where the two programs come from: a folder that is named, a cache, or the Go compiler.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use super::process::{Process, tail};

/// Names a folder that holds `etcd` and `kube-apiserver`, as for controller-runtime's envtest.
pub(super) const FOLDER: &str = "KUBEBUILDER_ASSETS";
/// When set, a test that finds no server fails instead of being skipped.
pub(super) const REQUIRE: &str = "KUBE_WEIR_REQUIRE_APISERVER";

const GO_MOD: &str = include_str!("../../apiserver/go.mod");
const GO_SUM: &str = include_str!("../../apiserver/go.sum");
const ETCD_PACKAGE: &str = "go.etcd.io/etcd/server/v3";
const APISERVER_PACKAGE: &str = "k8s.io/kubernetes/cmd/kube-apiserver";

const BUILD_DEADLINE: Duration = Duration::from_secs(2400);
const POLL: Duration = Duration::from_millis(200);

/// The two programs.
pub(super) struct Assets {
    pub(super) etcd: PathBuf,
    pub(super) apiserver: PathBuf,
}

impl Assets {
    fn of(folder: &Path) -> Self {
        Self { etcd: folder.join("etcd"), apiserver: folder.join("kube-apiserver") }
    }

    fn complete(&self) -> bool {
        self.etcd.is_file() && self.apiserver.is_file()
    }
}

/// Finds the programs, building them if need be. The error says why there are none.
pub(super) fn find() -> Result<Assets, String> {
    if let Some(folder) = set(FOLDER) {
        let assets = Assets::of(&folder);
        // Falling back to the cache would test another version than the one asked for.
        return if assets.complete() {
            Ok(assets)
        } else {
            Err(format!(
                "{FOLDER} is {}, which lacks `etcd` or `kube-apiserver`.",
                folder.display()
            ))
        };
    }
    let version = kubernetes_version();
    let folder = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no place for a cache.")?
        .join("kube-weir")
        .join(format!("apiserver-{version}-{:016x}", recipe_hash()));
    let assets = Assets::of(&folder);
    if !assets.complete() {
        build(&folder, version)?;
    }
    Ok(assets)
}

/// Writes to the real stderr: libtest captures what `eprint!` writes.
pub(super) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Builds into `folder`, unless another test run has just done so.
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
    if Assets::of(folder).complete() {
        return Ok(());
    }

    // Renamed when complete: whoever sees the folder sees both programs. What an interrupted
    // build left is ours to remove, since we hold the lock.
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

/// Runs the compiler on a copy of go.mod, so that nothing in the checkout can change.
fn compile(module: &Path, programs: &Path, version: &str) -> Result<(), String> {
    let log = module.join("build.log");
    let mut command = Command::new("go");
    command.arg("build").args(build_flags(version)).arg("-o");
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
    let mut process = Process::spawn("go", &command, &log);
    let status = loop {
        if let Some(status) = process.exited() {
            break status;
        }
        let elapsed = started.elapsed();
        if elapsed > BUILD_DEADLINE {
            return Err(format!("`go build` took longer than {BUILD_DEADLINE:?}.\n{}", tail(&log)));
        }
        if elapsed.as_secs() / 60 > said {
            said = elapsed.as_secs() / 60;
            say(&format!("Building kube-apiserver: {said} min ...\n"));
        }
        sleep(POLL);
    };
    if !status.success() {
        return Err(format!("`go build` failed ({status}).\n{}", tail(&log)));
    }
    say(&format!("Built kube-apiserver and etcd in {} s.\n", started.elapsed().as_secs()));
    Ok(())
}

/// Takes the lock that one building test run holds. The system drops it with the process.
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

/// The version is stamped in: built from a module, the program does not know its own.
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

/// The version of k8s.io/kubernetes that go.mod requires, `v` included.
fn kubernetes_version() -> &'static str {
    GO_MOD
        .lines()
        .filter_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .find_map(|rest| rest.split_whitespace().next())
        .expect("go.mod requires k8s.io/kubernetes")
}

/// FNV-1a over all that decides what is built. The standard hasher may change between releases
/// of Rust, which would build again for nothing.
fn recipe_hash() -> u64 {
    let flags = build_flags(kubernetes_version()).concat();
    [GO_MOD, GO_SUM, &flags, env::consts::OS, env::consts::ARCH]
        .concat()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// `folder` with a longer name; `with_extension` would take the version for an extension.
fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
