//! A real kube-apiserver with its etcd, for tests that need more than the in-process server:
//! feature `cluster`, on Unix.
//!
//! [`Cluster::start`] runs both programs on free ports of the loopback interface, with TLS and RBAC,
//! as controller-runtime's envtest does for Go. A cluster is ready after about 5 seconds. It is removed
//! when it is dropped or the test process ends, even if the process is killed.
//!
//! ```no_run
//! # // Without the two programs a cluster does not start.
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use kube_weir::testing::cluster::{Cluster, Grant};
//! # use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
//! # fn widgets() -> CustomResourceDefinition { CustomResourceDefinition::default() }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::start().await?;
//!
//! // An admin client, and a namespace for one test.
//! let client = cluster.client().await?;
//! let namespace = cluster.namespace("shop").await?;
//!
//! // Custom resources: objects can be created at once.
//! cluster.install([widgets()]).await?;
//!
//! // A user without rights, who is granted some.
//! let reader = cluster.user("reader")?;
//! let list = Grant::in_namespace(&namespace).allow(["list"], ["configmaps"]);
//! let granted = cluster.grant(&reader, list).await?;
//! let settings: Api<ConfigMap> = Api::namespaced(reader.client().await?, &namespace);
//! assert!(settings.list(&Default::default()).await?.items.is_empty());
//! cluster.revoke(granted).await?;
//! assert!(settings.list(&Default::default()).await.is_err());
//!
//! // An outage.
//! cluster.kill_apiserver().await?;
//! cluster.start_apiserver().await?;
//!
//! // A disaster, after which resourceVersions go back.
//! let backup = cluster.backup().await?;
//! cluster.namespace("lost").await?;
//! cluster.restore(&backup).await?;
//! # drop(client);
//! # Ok(()) }
//! ```
//!
//! # The two programs
//!
//! `kube-apiserver` and `etcd` must be in one folder: the folder that [`ClusterBuilder::assets`] sets, or
//! the value of `KUBEBUILDER_ASSETS`, or `/usr/local/kubebuilder/bin`. For instance
//! [`setup-envtest`](https://pkg.go.dev/sigs.k8s.io/controller-runtime/tools/setup-envtest) downloads
//! them:
//!
//! ```sh
//! go install sigs.k8s.io/controller-runtime/tools/setup-envtest@latest
//! export KUBEBUILDER_ASSETS=$(setup-envtest use -p path)
//! ```
//!
//! All versions since kube-apiserver 1.28 and etcd 3.5 are supported.
//!
//! If the programs are missing, a test can skip itself by [`Error::is_missing`]. A project chooses the
//! features of kube's client, but must include TLS (`rustls-tls` with `ring` or `aws-lc-rs`, the default, or
//! `openssl-tls`).
//!
//! # Many tests, one cluster
//!
//! Tests of one binary can share a cluster in a static, which is never dropped. Each test then uses its own
//! namespace and its own client, because a client belongs to a runtime:
//!
//! ```no_run
//! # // Without the two programs a cluster does not start.
//! use kube_weir::testing::cluster::{Cluster, Error};
//! use tokio::sync::OnceCell;
//!
//! async fn cluster() -> Result<&'static Cluster, Error> {
//!     static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
//!     CLUSTER.get_or_try_init(Cluster::start).await
//! }
//! ```
//!
//! A test that stops programs needs its own cluster, or a lock that the other tests hold for reading.
//!
//! # Failures
//!
//! | failure | method |
//! |---|---|
//! | the API server is updated | [`stop_apiserver`](Cluster::stop_apiserver), [`start_apiserver`](Cluster::start_apiserver) |
//! | the API server crashes | [`kill_apiserver`](Cluster::kill_apiserver) |
//! | the API server hangs | [`pause_apiserver`](Cluster::pause_apiserver), [`resume_apiserver`](Cluster::resume_apiserver) |
//! | etcd crashes | [`stop_etcd`](Cluster::stop_etcd), [`start_etcd`](Cluster::start_etcd) |
//! | history is gone (410) | [`compact`](Cluster::compact), then a restart of the API server |
//! | etcd is restored from a backup | [`backup`](Cluster::backup), [`restore`](Cluster::restore) |
//! | rights are missing | [`user`](Cluster::user), [`grant`](Cluster::grant), [`revoke`](Cluster::revoke) |
//!
//! # Limits
//!
//! * No controller runs: a deleted namespace stays `Terminating`, no service account or `EndpointSlice`
//!   is filled in, no garbage is collected, and a Pod does not run.
//! * Time is real. With a paused clock (`start_paused`) all deadlines would expire at once.
//! * etcd is on a loopback port without TLS, open to all users of the machine.

mod assets;
mod backup;
mod builder;
mod certs;
mod control;
mod crds;
mod error;
mod etcd;
mod grant;
mod instance;
mod launch;
mod pair;
mod process;
mod site;
mod user;

pub use backup::Backup;
pub use builder::ClusterBuilder;
pub use error::Error;
pub use grant::{Grant, Granted};
pub use instance::Cluster;
pub use user::User;
