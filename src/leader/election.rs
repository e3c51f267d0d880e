//! The configuration of an election: Lease, identity and timing.

use kube::Client;

use super::{identity::Identity, timing::LeaseTiming};
use crate::{
    error::{Error, ErrorKind},
    rfc1123::{is_label, is_subdomain},
    source::own_namespace,
};

/// A candidacy for leadership, for work that only one replica may do at a time.
///
/// The replicas compete for a [Lease](https://kubernetes.io/docs/concepts/architecture/leases/) in the way
/// of client-go, so that replicas in Rust and in Go can compete for the same Lease. Unlike in client-go,
/// the leader holds a [`Term`](crate::Term), which can be checked at the moment of writing and ends by
/// itself.
///
/// The role needs the verbs `get`, `create` and `update` on `leases`; with `list` and `watch`, which may be
/// limited to the Lease's name, a replica notices at once that the Lease was released.
///
/// ```
/// use futures::StreamExt;
/// use kube_weir::{Election, Leadership, LeaseRef, testing::ApiServer};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// let replica = |name: &str| {
///     let election = Election::new(server.client(), LeaseRef::new("default", "web"), name);
///     election.map(Election::campaign)
/// };
/// let (mut a, mut b) = (replica("a")?, replica("b")?);
///
/// let Some(Ok(Leadership::Leading(term))) = a.next().await else { panic!() };
/// let Some(Ok(Leadership::Following { leader })) = b.next().await else { panic!() };
/// assert_eq!(leader.as_deref(), Some("a"));
///
/// // `a` releases the Lease, and `b` has it at once, with a higher number.
/// a.release().await?;
/// assert!(!term.is_valid());
/// let next = loop {
///     if let Some(Ok(Leadership::Leading(next))) = b.next().await { break next };
/// };
/// assert!(next.number() > term.number());
/// # Ok(()) });
/// ```
#[doc(alias("leaderelection", "LeaderElector", "RunOrDie", "leader election"))]
#[derive(Clone)]
pub struct Election {
    pub(super) client: Client,
    pub(super) lease: LeaseRef,
    pub(super) identity: Identity,
    pub(super) timing: LeaseTiming,
}

impl Election {
    /// Makes a candidacy for the leadership that a Lease stands for, under an identity of its own:
    /// [`Identity::from_env`] for a pod. The campaign creates the Lease if there is none. Nothing is
    /// requested before the [campaign](Election::campaign) is polled.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) or [`is_election`](Error::is_election) if the namespace, the
    /// Lease's name or the identity is invalid.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, Identity, LeaseRef};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let lease = LeaseRef::new("default", "web");
    /// assert!(Election::new(client.clone(), lease.clone(), Identity::from_env()).is_ok());
    /// assert!(Election::new(client, lease, "").unwrap_err().is_election(), "nobody");
    /// # Ok(()) });
    /// ```
    pub fn new(
        client: Client,
        lease: LeaseRef,
        identity: impl Into<Identity>,
    ) -> Result<Self, Error> {
        let identity = identity.into();
        if !is_label(&lease.namespace) {
            let message = format!("`{}` can't be the name of a namespace", lease.namespace);
            return Err(Error::new(ErrorKind::Namespace, message));
        }
        if !is_subdomain(&lease.name) {
            let message = format!("`{}` can't be the name of a Lease", lease.name);
            return Err(Error::new(ErrorKind::Election, message));
        }
        if identity.as_str().is_empty() {
            // An empty holder means that nobody holds the Lease.
            return Err(Error::new(ErrorKind::Election, "an identity can't be empty"));
        }
        Ok(Self { client, lease, identity, timing: LeaseTiming::default() })
    }

    /// Sets other durations than client-go's. See [`LeaseTiming`] for the defaults.
    ///
    /// # Errors
    ///
    /// [`is_election`](Error::is_election) unless the lease duration is longer than the renew deadline, and
    /// the renew deadline is longer than the retry period with its jitter. The setters state the other
    /// bounds.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, LeaseTiming};
    /// use std::time::Duration;
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let election = Election::new(client, LeaseRef::new("default", "web"), "replica-a")?;
    /// let slow = LeaseTiming::default().renew_deadline(Duration::from_secs(20));
    /// let error = election.timing(slow).unwrap_err();
    /// assert!(error.is_election());
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the lease duration (15s) must be longer than the renew deadline (20s)"
    /// );
    /// # Ok(()) });
    /// ```
    pub fn timing(self, timing: LeaseTiming) -> Result<Self, Error> {
        Ok(Self { timing: timing.check()?, ..self })
    }
}

impl std::fmt::Debug for Election {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Election")
            .field("lease", &self.lease)
            .field("identity", &self.identity)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// The name and namespace of the Lease that all replicas of a program compete for.
///
/// ```
/// use kube_weir::LeaseRef;
///
/// let lease = LeaseRef::new("default", "my-controller");
/// assert_eq!((lease.namespace.as_str(), lease.name.as_str()), ("default", "my-controller"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRef {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease: equal in all replicas, and different for each thing to lead.
    pub name: String,
}

impl LeaseRef {
    /// Names a Lease in a namespace: [example](LeaseRef). [`Election::new`] checks whether the names are
    /// valid.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Names a Lease in the namespace that this program runs in: the namespace of the pod's service
    /// account, or of the kubeconfig's context.
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if the namespace is unknown.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{LeaseRef, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let client = ApiServer::new().client_in("team-a");
    /// assert_eq!(LeaseRef::own_namespace(&client, "web")?, LeaseRef::new("team-a", "web"));
    /// # Ok(()) });
    /// ```
    pub fn own_namespace(client: &Client, name: impl Into<String>) -> Result<Self, Error> {
        Ok(Self::new(own_namespace(client.default_namespace())?, name))
    }
}
