//! Reading and writing one Lease.

use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::time::Instant;

use super::{election::LeaseRef, record::is_written};
use crate::{
    error::{Error, ErrorKind},
    event::WatchEvent,
    source::{Exchange, Gvr, watch},
};

/// A client for the Lease that the replicas compete for.
pub(super) struct Leases {
    client: Client,
    exchange: Exchange,
    lease: LeaseRef,
}

/// The reason why a write was not confirmed.
pub(super) enum Refused {
    /// The write was based on an outdated version of the Lease.
    Outdated,
    /// The request failed. The write may nevertheless have been done, or be done later.
    Failed(Error),
}

impl Leases {
    pub(super) fn new(client: Client, lease: LeaseRef) -> Self {
        let resource = Gvr::known("coordination.k8s.io", "v1", "leases");
        let exchange = Exchange::new(client.clone(), resource, "v1", &lease.namespace);
        Self { client, exchange, lease }
    }

    /// Watches the Lease; the stream never ends.
    pub(super) fn events(&self) -> BoxStream<'static, Result<WatchEvent<Lease>, Error>> {
        let api = Api::namespaced(self.client.clone(), &self.lease.namespace);
        watch(api).only(self.name()).chain(stream::pending()).boxed()
    }

    pub(super) async fn get(&self, until: Instant) -> Result<Option<Lease>, Error> {
        let what = self.what("get");
        match self.exchange.get(until, &what, self.name()).await {
            Ok(lease) if self.is_own(&lease) => Ok(Some(lease)),
            Ok(_) => Err(another(&what)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the Lease if it still has the resourceVersion in `lease`; if `lease` has none, creates it
    /// unless it exists. The write counts as done only if the answer is this Lease in a new version with
    /// the holder and the times that were written.
    pub(super) async fn write(&self, lease: &Lease, until: Instant) -> Result<Lease, Refused> {
        let is_update = lease.metadata.resource_version.is_some();
        let what = self.what(if is_update { "update" } else { "create" });
        let answer = if is_update {
            self.exchange.replace(until, &what, self.name(), lease).await
        } else {
            self.exchange.create(until, &what, lease).await
        };
        match answer {
            Ok(written) if self.is_own(&written) && is_written(&written, lease) => Ok(written),
            Ok(_) => Err(Refused::Failed(another(&what))),
            Err(error) => Err(match error.status() {
                Some(409) => Refused::Outdated,
                Some(404) if is_update => Refused::Outdated,
                _ => Refused::Failed(error),
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.lease.name
    }

    fn is_own(&self, lease: &Lease) -> bool {
        let metadata = &lease.metadata;
        metadata.name.as_ref() == Some(&self.lease.name)
            && metadata.namespace.as_ref() == Some(&self.lease.namespace)
            && metadata.resource_version.is_some()
    }

    fn what(&self, verb: &str) -> String {
        format!("{verb} lease {}", self.name())
    }
}

fn another(what: &str) -> Error {
    Error::new(ErrorKind::Connection, format!("{what}: the answer is not the requested Lease"))
}
