//! The two programs: the folder that has them, and their versions.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Error;

/// The variable that names a folder with `etcd` and `kube-apiserver`.
const FOLDER: &str = "KUBEBUILDER_ASSETS";

/// The folder that envtest looks into if the variable is not set.
const DEFAULT_FOLDER: &str = "/usr/local/kubebuilder/bin";

/// The two programs.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) etcd: Program,
    pub(super) apiserver: Program,
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) version: Version,
}

/// A version as the program prints it, such as `v1.37.2` or `3.7.0`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) text: String,
    numbers: (u32, u32),
}

impl Assets {
    /// Finds the programs in `folder`, or in envtest's default places, and reads their versions.
    pub(super) fn find(folder: Option<PathBuf>) -> Result<Self, Error> {
        let (folder, origin) = match folder {
            Some(folder) => (folder, "the folder that was set"),
            None => match env::var_os(FOLDER).filter(|value| !value.is_empty()) {
                Some(folder) => (folder.into(), FOLDER),
                None => (DEFAULT_FOLDER.into(), "the default, since KUBEBUILDER_ASSETS is not set"),
            },
        };
        let program = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                return Program::at(path);
            }
            Err(Error::missing(format!(
                "no `{name}` in {} ({origin}): let {FOLDER} name a folder that has `etcd` and \
                 `kube-apiserver`, such as the one that `setup-envtest use -p path` prints",
                folder.display()
            )))
        };
        Ok(Self { etcd: program("etcd")?, apiserver: program("kube-apiserver")? })
    }
}

impl Program {
    fn at(path: PathBuf) -> Result<Self, Error> {
        let version = printed_version(&path)?;
        Ok(Self { path, version })
    }
}

impl Version {
    /// Reads the first version in `text`, such as `Kubernetes v1.37.2`.
    fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut parts = word.trim_start_matches('v').split('.');
            let numbers = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Self { text: word.to_owned(), numbers })
        })
    }

    pub(super) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.numbers >= (major, minor)
    }
}

fn printed_version(program: &Path) -> Result<Version, Error> {
    let cannot = || format!("cannot run `{} --version`", program.display());
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| Error::start(cannot()).caused_by(cause))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = Version::parse(&text).filter(|_| output.status.success());
    version.ok_or_else(|| {
        let printed = String::from_utf8_lossy(&output.stderr);
        Error::start(format!("{}: {}", cannot(), output.status))
            .with_log(format!("{text}{printed}"))
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        let version = Version::parse("Kubernetes v1.37.2\n").unwrap();
        assert_eq!(version.text, "v1.37.2");
        assert!(version.is_at_least(1, 37) && version.is_at_least(1, 9));
        assert!(!version.is_at_least(1, 38) && !version.is_at_least(2, 0));
        let version = Version::parse("etcd Version: 3.5.17\nGit SHA: abc\n").unwrap();
        assert!(version.is_at_least(3, 5) && !version.is_at_least(3, 6));
        assert_eq!(Version::parse("no version. At all"), None);
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, script: &str| {
            let path = folder.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let find = || Assets::find(Some(folder.path().to_owned()));
        write("etcd", "#!/bin/sh\necho etcd Version: 3.6.1\n");
        let error = find().unwrap_err();
        assert!(error.is_missing(), "{error:?}");
        assert!(error.to_string().starts_with("no `kube-apiserver` in /"), "{error}");

        write("kube-apiserver", "#!/bin/sh\necho broken >&2; exit 3\n");
        let error = find().unwrap_err();
        assert!(error.is_start() && error.log() == Some("broken\n"), "{error:?}");

        write("kube-apiserver", "#!/bin/sh\necho Kubernetes v1.30.0\n");
        let assets = find().unwrap();
        assert_eq!(assets.apiserver.version.text, "v1.30.0");
        assert_eq!(assets.etcd.version.text, "3.6.1");
    }
}
