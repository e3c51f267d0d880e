//! Reading and writing one Lease.

use futures::stream::{self, BoxStream, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, timeout_at};

use super::election::LeaseRef;
use crate::{
    error::{Error, Reason, from_client},
    event::WatchEvent,
    source::watch,
};

/// The Lease that is competed for.
pub(super) struct Leases {
    api: Api<Lease>,
    name: String,
}

/// Why a write was not done.
pub(super) enum Refused {
    /// What was known of the Lease is out of date.
    Outdated,
    /// It may nevertheless have been done, or be done yet.
    Failed(Error),
}

impl Leases {
    pub(super) fn new(client: Client, lease: LeaseRef) -> Self {
        Self { api: Api::namespaced(client, &lease.namespace), name: lease.name }
    }

    /// What happens to the Lease, for ever.
    pub(super) fn news(&self) -> BoxStream<'static, Result<WatchEvent<Lease>, Error>> {
        watch(self.api.clone()).only(&self.name).chain(stream::pending()).boxed()
    }

    pub(super) async fn get(&self, until: Instant) -> Result<Option<Lease>, Error> {
        let answer = timeout_at(until, self.api.get_opt(&self.name)).await;
        let answer = answer.map_err(|_| self.overdue("get"))?;
        answer.map_err(|cause| from_client(&self.what("get"), cause))
    }

    /// Replaces the Lease if it still has the resourceVersion that is given with it; without one
    /// creates it if there is none.
    pub(super) async fn write(&self, lease: &Lease, until: Instant) -> Result<Lease, Refused> {
        let params = PostParams::default();
        let (verb, answer) = if lease.metadata.resource_version.is_some() {
            ("update", timeout_at(until, self.api.replace(&self.name, &params, lease)).await)
        } else {
            ("create", timeout_at(until, self.api.create(&params, lease)).await)
        };
        match answer {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(kube::Error::Api(status)))
                if status.code == 409 || (status.code == 404 && verb == "update") =>
            {
                Err(Refused::Outdated)
            }
            Ok(Err(cause)) => Err(Refused::Failed(from_client(&self.what(verb), cause))),
            Err(_) => Err(Refused::Failed(self.overdue(verb))),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn what(&self, verb: &str) -> String {
        format!("{verb} lease {}", self.name)
    }

    fn overdue(&self, verb: &str) -> Error {
        Error::new(Reason::Timeout, format!("{}: no answer in time", self.what(verb)))
    }
}
