//! A cluster: its files, its users and clients for it.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Client,
    api::{Api, ObjectMeta, PostParams},
    config::Config,
};
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    builder::ClusterBuilder, certs::Authority, error::Error, pair::Pair, site::Site, user::User,
};

/// The group whose members may do anything, regardless of RBAC.
const MASTERS: &str = "system:masters";

/// Longest wait for an answer to a request of this module.
const ANSWER: Duration = Duration::from_secs(20);

/// Maximum number of attempts to start, if another program takes a port that was found free.
const TRIES: usize = 3;

/// A kube-apiserver and its etcd, run by this process.
///
/// All methods take `&self`, so tests and tasks can share a cluster. Methods that stop and
/// start programs wait for each other.
///
/// Dropping a cluster kills both programs and removes its files; it blocks until both have ended,
/// about 100 milliseconds. If this process ends without dropping the cluster, both are killed, too.
#[doc(alias("envtest", "kind"))]
pub struct Cluster {
    // The drop order matters: the programs first, then their files.
    pub(super) pair: Mutex<Pair>,
    pub(super) site: Site,
    authority: Authority,
    admin: User,
    names: AtomicUsize,
}

impl Cluster {
    /// Starts a cluster with default settings, and waits until it is ready: about 5 seconds.
    ///
    /// # Errors
    ///
    /// [`is_missing`](Error::is_missing) if the programs are not there,
    /// [`is_start`](Error::is_start) or [`is_timeout`](Error::is_timeout) if they do not start.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Returns a builder with default settings.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    /// Returns a new client of the [admin](Cluster::admin). It belongs to the Tokio runtime that
    /// calls this.
    ///
    /// # Errors
    ///
    /// If kube's client was built without TLS.
    pub async fn client(&self) -> Result<Client, Error> {
        self.admin.client().await
    }

    /// Returns the user `admin`, who may do anything.
    pub fn admin(&self) -> &User {
        &self.admin
    }

    /// Creates a user without any rights; [`grant`](Cluster::grant) adds some. Two users with the
    /// same name have the same rights.
    ///
    /// # Errors
    ///
    /// If the kubeconfig cannot be written.
    pub fn user(&self, name: &str) -> Result<User, Error> {
        let file = format!("user-{}.kubeconfig", self.number());
        let signed = self.authority.user(name, None)?;
        let (port, path) = (self.site.apiserver_port, self.site.path(&file));
        User::new(name, &signed, &self.authority.pem, port, path)
    }

    /// Creates a new namespace, and returns its name: `prefix`, a hyphen and a number.
    ///
    /// # Errors
    ///
    /// If the API server does not answer, or refuses the name.
    pub async fn namespace(&self, prefix: &str) -> Result<String, Error> {
        let name = format!("{prefix}-{}", self.number());
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(self.client().await?);
        answer("create a namespace", api.create(&PostParams::default(), &namespace)).await?;
        Ok(name)
    }

    /// Returns the version of kube-apiserver, such as `v1.37.2`.
    pub fn version(&self) -> &str {
        &self.site.assets.apiserver.version.text
    }

    pub(super) async fn launch(settings: ClusterBuilder) -> Result<Self, Error> {
        // This reads and writes files, and runs both programs for their versions.
        let prepared = spawn_blocking(|| Self::prepare(settings)).await;
        let cluster =
            prepared.map_err(|cause| Error::other("cannot prepare files").caused_by(cause))??;
        // Fails without TLS; check that before anything starts.
        cluster.client().await?;
        cluster.start_etcd().await?;
        cluster.start_apiserver().await?;
        Ok(cluster)
    }

    fn prepare(settings: ClusterBuilder) -> Result<Self, Error> {
        let site = Site::new(settings)?;
        let authority = Authority::new(site.folder())?;
        let signed = authority.user("admin", Some(MASTERS))?;
        let path = site.path("admin.kubeconfig");
        let admin = User::new("admin", &signed, &authority.pem, site.apiserver_port, path)?;
        let (pair, names) = (Mutex::default(), AtomicUsize::new(1));
        Ok(Self { pair, site, authority, admin, names })
    }

    /// Returns a number that is unique in this cluster.
    pub(super) fn number(&self) -> usize {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a configuration of the admin for requests that this module repeats itself.
    pub(super) async fn config_without_retries(&self) -> Result<Config, Error> {
        let mut config = self.admin.config().await?;
        config.default_retry = false;
        Ok(config)
    }
}

impl ClusterBuilder {
    /// Starts the cluster, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`is_missing`](Error::is_missing) if the programs are missing,
    /// [`is_start`](Error::is_start) or [`is_timeout`](Error::is_timeout) if they do not start.
    pub async fn start(self) -> Result<Cluster, Error> {
        let mut tries = 1;
        loop {
            match Cluster::launch(self.clone()).await {
                Err(error) if tries < TRIES && lost_a_port(&error) => tries += 1,
                outcome => return outcome,
            }
        }
    }
}

fn lost_a_port(error: &Error) -> bool {
    error.is_start() && error.log().is_some_and(|log| log.contains("address already in use"))
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("version", &self.version())
            .field("port", &self.site.apiserver_port)
            .field("folder", &self.site.folder())
            .finish_non_exhaustive()
    }
}

/// Waits for the answer to a request. `what` completes an error that begins with "cannot".
pub(super) async fn answer<T>(
    what: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    let answer = timeout(ANSWER, request).await;
    let answer =
        answer.map_err(|_| Error::timeout(format!("cannot {what}: no answer in {ANSWER:?}")))?;
    answer.map_err(|cause| Error::client(format!("cannot {what}"), cause))
}

/// Pace and deadline of a repeated check.
pub(super) struct Patience {
    limit: Duration,
    deadline: Instant,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, deadline: Instant::now() + limit }
    }

    /// Waits until the next check, or returns an error after the deadline: `missing` describes
    /// what did not happen.
    pub(super) async fn again(&self, missing: impl FnOnce() -> String) -> Result<(), Error> {
        if Instant::now() < self.deadline {
            sleep(Duration::from_millis(10)).await;
            return Ok(());
        }
        Err(Error::timeout(format!("{} within {:?}", missing(), self.limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_at_its_limit() {
        let begun = Instant::now();
        let patience = Patience::new(Duration::from_secs(1));
        let error = loop {
            if let Err(error) = patience.again(|| "nothing happened".to_owned()).await {
                break error;
            }
        };
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "nothing happened within 1s");
    }

    /// Compiles only if each future can be spawned.
    #[expect(dead_code, clippy::let_underscore_future, reason = "it need not run")]
    fn futures_are_send(cluster: &Cluster, user: &User, backup: &super::super::Backup) {
        fn sent<T: Send>(future: T) -> T {
            future
        }
        let grant = super::super::Grant::cluster_wide();
        let _ = sent(Cluster::start());
        let _ = sent(cluster.namespace("a"));
        let _ = sent(cluster.install([]));
        let _ = sent(cluster.start_apiserver());
        let _ = sent(cluster.stop_apiserver());
        let _ = sent(cluster.start_etcd());
        let _ = sent(cluster.pause_apiserver());
        let _ = sent(cluster.compact());
        let _ = sent(cluster.backup());
        let _ = sent(cluster.restore(backup));
        let _ = sent(user.client());
        let granted = sent(cluster.grant(user, grant));
        let _ = sent(async { cluster.revoke(granted.await?).await });
    }
}
