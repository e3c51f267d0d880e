//! Settings of a cluster.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};

/// Settings of a [`Cluster`](super::Cluster), made by [`Cluster::builder`](super::Cluster::builder).
///
/// ```no_run
/// # // Without the two programs a cluster does not start.
/// use std::time::Duration;
///
/// use kube_weir::testing::cluster::Cluster;
///
/// # async fn start() -> Result<(), kube_weir::testing::cluster::Error> {
/// let cluster = Cluster::builder()
///     .assets("target/envtest")
///     .feature_gate("ShardedListAndWatch", true)
///     .apiserver_arg("--runtime-config=api/all=true")
///     .logs("target/cluster-logs")
///     .start_timeout(Duration::from_secs(120))
///     .start()
///     .await?;
/// # drop(cluster);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a cluster starts by `start`"]
pub struct ClusterBuilder {
    pub(super) assets: Option<PathBuf>,
    pub(super) feature_gates: BTreeMap<String, bool>,
    pub(super) apiserver_args: Vec<OsString>,
    pub(super) etcd_args: Vec<OsString>,
    pub(super) logs: Option<PathBuf>,
    pub(super) start_timeout: Duration,
}

impl ClusterBuilder {
    /// Sets the folder that has `kube-apiserver` and `etcd`. Default: the value of
    /// `KUBEBUILDER_ASSETS`, or else `/usr/local/kubebuilder/bin`.
    pub fn assets(mut self, folder: impl Into<PathBuf>) -> Self {
        self.assets = Some(folder.into());
        self
    }

    /// Turns a feature gate of kube-apiserver on or off.
    pub fn feature_gate(mut self, name: impl Into<String>, enabled: bool) -> Self {
        self.feature_gates.insert(name.into(), enabled);
        self
    }

    /// Adds an argument of kube-apiserver, such as `--v=4`. It is passed after the arguments of the harness,
    /// so it replaces a flag that has one value, and adds to a flag that is a list.
    pub fn apiserver_arg(mut self, arg: impl Into<OsString>) -> Self {
        self.apiserver_args.push(arg.into());
        self
    }

    /// Adds an argument of etcd, such as `--quota-backend-bytes=8388608`, likewise after those of the
    /// harness.
    pub fn etcd_arg(mut self, arg: impl Into<OsString>) -> Self {
        self.etcd_args.push(arg.into());
        self
    }

    /// Sets a folder for `kube-apiserver.log` and `etcd.log`. The folder is created if needed, and kept;
    /// existing logs are appended to. By default the logs are removed together with the cluster, and the end
    /// of both is part of an error.
    pub fn logs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.logs = Some(folder.into());
        self
    }

    /// Sets the longest time from the start of a program until it is ready. Default: 60 seconds.
    pub fn start_timeout(mut self, start_timeout: Duration) -> Self {
        self.start_timeout = start_timeout;
        self
    }
}

impl Default for ClusterBuilder {
    fn default() -> Self {
        Self {
            assets: None,
            feature_gates: BTreeMap::new(),
            apiserver_args: Vec::new(),
            etcd_args: Vec::new(),
            logs: None,
            start_timeout: Duration::from_secs(60),
        }
    }
}
