//! The programs of a cluster, with their settings, ports and files.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{assets::Assets, builder::ClusterBuilder, error::Error, process::Janitor};

/// The programs of a cluster, with their settings, ports and files.
pub(super) struct Site {
    pub(super) assets: Assets,
    pub(super) settings: ClusterBuilder,
    pub(super) etcd_port: u16,
    pub(super) peer_port: u16,
    pub(super) apiserver_port: u16,
    folder: TempDir,
    // Removes the folder even if this is never dropped.
    _janitor: Janitor,
}

impl Site {
    pub(super) fn new(settings: ClusterBuilder) -> Result<Self, Error> {
        let assets = Assets::find(settings.assets.clone())?;
        let folder = tempfile::Builder::new().prefix("kube-weir-cluster-").tempdir();
        let folder = folder.map_err(Error::io("cannot make a temporary folder"))?;
        let janitor = Janitor::of(folder.path())?;
        if let Some(logs) = &settings.logs {
            fs::create_dir_all(logs)
                .map_err(Error::io(format!("cannot make {}", logs.display())))?;
        }
        let [etcd_port, peer_port, apiserver_port] = free_ports()?;
        Ok(Self {
            assets,
            settings,
            etcd_port,
            peer_port,
            apiserver_port,
            folder,
            _janitor: janitor,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folder of etcd's data.
    pub(super) fn data(&self) -> PathBuf {
        self.path("etcd")
    }

    pub(super) fn log(&self, program: &str) -> PathBuf {
        let folder = self.settings.logs.as_deref();
        folder.unwrap_or(self.folder.path()).join(format!("{program}.log"))
    }
}

/// Returns free ports below the range of outgoing connections: otherwise a client that tries to connect while
/// the server is down could be assigned the port of the server.
fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let mut ports = [0; N];
    let mut taken = Vec::new(); // held until all ports are found, so that they differ
    for port in &mut ports {
        let listener = (0..1000).find_map(|_| {
            let random = RandomState::new().build_hasher().finish();
            let port = 20_000 + u16::try_from(random % 10_000).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let listener = listener.ok_or_else(|| Error::other("no free port"))?;
        *port = listener.local_addr().map_err(Error::io("cannot find a free port"))?.port();
        taken.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let ports = free_ports::<20>().unwrap();
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len());
        assert!(ports.iter().all(|port| (20_000..30_000).contains(port)));
    }
}
