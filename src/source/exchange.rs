//! Requests for single objects, with answers of limited length.

use kube::{
    Client,
    api::{GetParams, PostParams},
    core::request::{self, Request},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{
    Gvr,
    gvr::segment,
    incoming::in_time,
    request::{ANSWER, Endpoint, RequestInfo, Verb},
};
use crate::error::{Error, ErrorKind};

/// The maximum length of an object that is read or written as a whole: etcd accepts 1.5 MiB by default.
const LONGEST: usize = 4 << 20;

/// Reads and writes single objects of a resource, in one namespace.
pub(crate) struct Exchange {
    endpoint: Endpoint,
    url: String,
}

impl Exchange {
    /// Makes an exchange for the objects of a resource in a version and a namespace.
    pub(crate) fn new(client: Client, resource: Gvr, version: &str, namespace: &str) -> Self {
        let url = resource.url(version, Some(namespace));
        Self { endpoint: Endpoint::new(client, resource), url }
    }

    /// Reads an object, until a deadline. Errors begin with `what`, here and below.
    pub(crate) async fn get<T>(&self, until: Instant, what: &str, name: &str) -> Result<T, Error>
    where
        T: DeserializeOwned,
    {
        let request = Request::new(&*self.url).get(&segment(name), &GetParams::default());
        self.ask(until, Verb::Get, what, Some(name), request).await
    }

    /// Creates an object, and returns it as stored by the server.
    pub(crate) async fn create<T>(&self, until: Instant, what: &str, object: &T) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let bytes = bytes(what, object)?;
        let request = Request::new(&*self.url).create(&PostParams::default(), bytes);
        self.ask(until, Verb::Create, what, None, request).await
    }

    /// Replaces an object, and returns it as stored by the server.
    pub(crate) async fn replace<T>(
        &self,
        until: Instant,
        what: &str,
        name: &str,
        object: &T,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let bytes = bytes(what, object)?;
        let request =
            Request::new(&*self.url).replace(&segment(name), &PostParams::default(), bytes);
        self.ask(until, Verb::Update, what, Some(name), request).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        until: Instant,
        verb: Verb,
        what: &str,
        name: Option<&str>,
        request: Result<http::Request<Vec<u8>>, request::Error>,
    ) -> Result<T, Error> {
        let info = RequestInfo { verb, what: what.to_owned(), name: name.map(str::to_owned) };
        let answer = async {
            let mut incoming = self.endpoint.open(info, request, ANSWER).await?;
            let bytes = incoming.up_to(LONGEST, until).await?;
            let found = serde_json::from_slice(bytes);
            found.map_err(|_| incoming.broken("the answer is not an object of this kind"))
        };
        in_time(what, until, answer).await?
    }
}

fn bytes<T: Serialize>(what: &str, object: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(object).map_err(|cause| Error::with_source(ErrorKind::Other, what, cause))
}
