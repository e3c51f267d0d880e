//! The cluster of the tests: failures panic, and users are named.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::config::Config;
use kube_weir::testing::cluster::{self, Granted, User};

/// The user who may do anything.
pub(crate) const ADMIN: &str = "admin";

/// A cluster of the library's [harness](cluster), with all of its methods; [`real`](Cluster::real) has
/// those of the same names.
pub(crate) struct Cluster {
    real: cluster::Cluster,
    users: Mutex<HashMap<String, User>>,
    count: AtomicUsize,
}

/// The scope of a right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// Objects in one namespace.
    Namespace(&'a str),
    /// Objects in all namespaces and cluster-scoped ones.
    Cluster,
}

/// Granted rights, to be revoked with [`Cluster::revoke`].
#[derive(Debug)]
#[must_use = "only needed to revoke the rights: say so with `let _ =`"]
pub(crate) struct Grant(Granted);

impl Cluster {
    pub(super) fn new(real: cluster::Cluster) -> Self {
        Self { real, users: Mutex::default(), count: AtomicUsize::new(1) }
    }

    /// Returns the cluster of the library.
    pub(crate) fn real(&self) -> &cluster::Cluster {
        &self.real
    }

    /// Returns a client with all rights. It belongs to the runtime of the calling test.
    pub(crate) async fn client(&self) -> kube::Client {
        self.real.client().await.unwrap()
    }

    /// Returns a client of one user: [`ADMIN`], or a name that [`user`](Cluster::user) returned.
    pub(crate) async fn client_for(&self, user: &str) -> kube::Client {
        self.named(user).client().await.unwrap()
    }

    /// Returns the configuration of [`client_for`](Cluster::client_for).
    pub(crate) async fn config(&self, user: &str) -> Config {
        self.named(user).config().await.unwrap()
    }

    /// Returns the kubeconfig file of a user, for a child process.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.named(user).kubeconfig().to_owned()
    }

    /// Returns the unique name of a new user without rights.
    pub(crate) fn user(&self) -> String {
        format!("restricted-{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates a unique namespace; its name starts with `prefix`.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        self.real.namespace(prefix).await.unwrap()
    }

    /// Grants `user` the right to `verbs` on `resources`, named as for kubectl.
    pub(crate) async fn grant(
        &self,
        user: &str,
        scope: Scope<'_>,
        verbs: &[&str],
        resources: &[&str],
    ) -> Grant {
        let grant = match scope {
            Scope::Namespace(namespace) => cluster::Grant::in_namespace(namespace),
            Scope::Cluster => cluster::Grant::cluster_wide(),
        };
        let grant = grant.allow(verbs.iter().copied(), resources);
        Grant(self.real.grant(&self.named(user), grant).await.unwrap())
    }

    /// Revokes rights.
    pub(crate) async fn revoke(&self, grant: Grant) {
        self.real.revoke(grant.0).await.unwrap();
    }

    fn named(&self, name: &str) -> User {
        if name == ADMIN {
            return self.real.admin().clone();
        }
        let mut users = self.users.lock().unwrap();
        let user = users.entry(name.to_owned()).or_insert_with(|| self.real.user(name).unwrap());
        user.clone()
    }
}

impl Deref for Cluster {
    type Target = cluster::Cluster;

    fn deref(&self) -> &cluster::Cluster {
        &self.real
    }
}
