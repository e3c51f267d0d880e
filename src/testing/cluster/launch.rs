//! The command lines of the two programs.

use std::{ffi::OsString, path::PathBuf, process::Command};

use super::{certs, site::Site};

pub(super) fn etcd(site: &Site) -> Command {
    let program = &site.assets.etcd;
    let client = format!("http://127.0.0.1:{}", site.etcd_port);
    let peer = format!("http://127.0.0.1:{}", site.peer_port);
    let mut command = Command::new(&program.path);
    command
        .arg("--name=test")
        .arg(flag("--data-dir", site.data()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=test={peer}"))
        // Data must survive the process, but not the machine.
        .arg("--unsafe-no-fsync");
    // By default the bookmarks of an idle kind don't advance for 10 minutes.
    if program.version.is_at_least(3, 6) {
        command.arg("--watch-progress-notify-interval=5s");
    } else if program.version.is_at_least(3, 5) {
        command.arg("--experimental-watch-progress-notify-interval=5s");
    }
    command.args(&site.settings.etcd_args);
    command
}

pub(super) fn apiserver(site: &Site) -> Command {
    let program = &site.assets.apiserver;
    let path = |name| site.path(name);
    let mut command = Command::new(&program.path);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", site.etcd_port))
        // Only tests compact.
        .arg("--etcd-compaction-interval=0")
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        // The server does not accept a loopback address as its own endpoint, so list none.
        .arg("--endpoint-reconciler-type=none")
        .arg(format!("--secure-port={}", site.apiserver_port))
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg(flag("--cert-dir", path("generated")))
        .arg(flag("--tls-cert-file", path(certs::SERVER.0)))
        .arg(flag("--tls-private-key-file", path(certs::SERVER.1)))
        .arg(flag("--client-ca-file", path(certs::CA)))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://127.0.0.1")
        .arg(flag("--service-account-key-file", path(certs::TOKENS.0)))
        .arg(flag("--service-account-signing-key-file", path(certs::TOKENS.1)))
        // This plugin requires a service account for every pod, and no controller creates them.
        .arg("--disable-admission-plugins=ServiceAccount")
        .arg("--allow-privileged=true");
    // By default a stopping server leaves its watches open until it is killed.
    if program.version.is_at_least(1, 27) {
        command.arg("--shutdown-watch-termination-grace-period=1s");
    }
    let gates = &site.settings.feature_gates;
    if !gates.is_empty() {
        let gates: Vec<_> = gates.iter().map(|(name, on)| format!("{name}={on}")).collect();
        command.arg(format!("--feature-gates={}", gates.join(",")));
    }
    command.args(&site.settings.apiserver_args);
    command
}

fn flag(name: &str, path: PathBuf) -> OsString {
    let mut flag = OsString::from(name);
    flag.push("=");
    flag.push(path);
    flag
}
