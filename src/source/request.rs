//! One request to the API server, and its answer.

use std::{future::Future, time::Duration};

use http::{HeaderMap, HeaderValue, Request, header};
use kube::{Client, client::Body, core::Status};
use tokio::time::timeout;

use super::incoming::Incoming;
use crate::{
    error::{Error, Reason, from_client},
    source::Gvr,
};

/// How long the server may take to begin an answer, and to go on with that of a list.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// How long a watch waits for discovery before it begins without.
const DISCOVERY: Duration = Duration::from_secs(5);

/// Of a failure's body as much as a Status needs.
const LONGEST_STATUS: usize = 64 << 10;

/// An aggregated API server may know the whole form only.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// One resource of one API server.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) client: Client,
    pub(super) resource: Gvr,
    pub(super) metadata_only: bool,
    /// Known to have no namespaces.
    pub(super) cluster_scoped: bool,
}

/// What a request is for. It says which representation to ask for, and what to call it in errors.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
}

impl Endpoint {
    /// Sends a request that kube built, and gives the body of a good answer, which must begin
    /// before `patience` is over.
    pub(super) async fn open(
        &self,
        verb: Verb,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        patience: Duration,
    ) -> Result<Incoming, Error> {
        let (name, metadata) = match verb {
            Verb::Get => ("get", METADATA),
            Verb::List => ("list", METADATA_LIST),
            Verb::Watch => ("watch", METADATA),
        };
        let what = format!("{name} {}", self.resource);
        let mut request =
            request.map_err(|cause| Error::with_source(Reason::Other, &what, cause))?;
        let accept = if self.metadata_only { metadata } else { "application/json" };
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));

        let response = self.client.send(request.map(Body::from));
        let response =
            in_time(&what, patience, response).await?.map_err(|cause| from_client(&what, cause))?;
        let (head, body) = response.into_parts();
        let mut incoming = Incoming::new(what.clone(), body);
        if head.status.is_success() {
            return Ok(incoming);
        }
        let text = incoming.text_up_to(LONGEST_STATUS, ANSWER).await.unwrap_or_default();
        Err(failure(&what, head.status.as_u16(), &text)
            .with_retry_after(retry_after(&head.headers)))
    }

    /// Asks the server what it knows of the resource. Rejects a kind or a singular where a plural
    /// belongs. That the resource, or the server, is not there is for the watch to report.
    pub(super) async fn discover(&mut self) -> Result<(), Error> {
        let wanted = self.resource.plural();
        let (version, api_version) = (self.resource.version(), self.resource.api_version());
        let served = async {
            match self.resource.group() {
                "" => self.client.list_core_api_resources(version).await,
                _ => self.client.list_api_group_resources(&api_version).await,
            }
        };
        let Ok(Ok(served)) = timeout(DISCOVERY, served).await else { return Ok(()) };
        if let Some(found) = served.resources.iter().find(|resource| resource.name == wanted) {
            self.cluster_scoped = !found.namespaced;
            return Ok(());
        }
        let meant = served.resources.iter().find(|resource| {
            !resource.name.contains('/')
                && (resource.kind.eq_ignore_ascii_case(wanted)
                    || resource.singular_name == wanted
                    || resource.short_names.iter().flatten().any(|short| short == wanted))
        });
        meant.map_or(Ok(()), |meant| {
            let message = format!(
                "`{}` names no resource by its plural; {}/{} is meant",
                self.resource,
                self.resource.api_version(),
                meant.name
            );
            Err(Error::new(Reason::Resource, message))
        })
    }
}

/// The resource and namespace of a collection's path.
pub(super) fn resource_of(url: &str) -> (Gvr, Option<String>) {
    let parts: Vec<&str> = url.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts[..] {
        ["api", version, ref rest @ ..] => ("", version, rest),
        ["apis", group, version, ref rest @ ..] => (group, version, rest),
        _ => ("", "", &parts[..]),
    };
    match *rest {
        ["namespaces", namespace, plural] => {
            (Gvr::known(group, version, plural), Some(namespace.to_owned()))
        }
        [plural, ..] => (Gvr::known(group, version, plural), None),
        [] => (Gvr::known(group, version, ""), None),
    }
}

pub(super) async fn in_time<T>(
    what: &str,
    patience: Duration,
    future: impl Future<Output = T>,
) -> Result<T, Error> {
    timeout(patience, future)
        .await
        .map_err(|_| Error::new(Reason::Timeout, format!("{what}: no answer for {patience:?}")))
}

/// The error that an answer without success stands for. It may have a Status for a body, or the
/// text of some proxy.
fn failure(what: &str, code: u16, body: &str) -> Error {
    match serde_json::from_str::<Status>(body) {
        Ok(status) if !status.message.is_empty() => {
            let error = Error::from_status(what, code, &status.reason, &status.message);
            // Of a resource that it doesn't serve it names no object.
            let named = status.details.is_some_and(|details| !details.name.is_empty());
            if code == 404 && named { error.not_found() } else { error }
        }
        _ => Error::from_status(what, code, "", body.lines().next().unwrap_or_default()),
    }
}

/// The API server gives seconds, never a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_kube_name_resource_and_namespace() {
        for (url, resource, namespace) in [
            ("/api/v1/pods", "v1/pods", None),
            ("/api/v1/namespaces", "v1/namespaces", None),
            ("/api/v1/namespaces/a/pods", "v1/pods", Some("a")),
            ("/apis/apps/v1/deployments", "apps/v1/deployments", None),
            ("/apis/apps/v1/namespaces/a/deployments", "apps/v1/deployments", Some("a")),
        ] {
            let (gvr, own) = resource_of(url);
            assert_eq!((gvr.to_string().as_str(), own.as_deref()), (resource, namespace));
            assert_eq!(gvr.url(namespace), url);
        }
    }

    #[test]
    fn failures_say_what_the_server_said() {
        let body = r#"{"kind":"Status","status":"Failure","message":"pods is forbidden","reason":"Forbidden","code":403}"#;
        let error = failure("list v1/pods", 403, body);
        assert!(error.is_forbidden());
        assert_eq!(error.to_string(), "list v1/pods: pods is forbidden (403 Forbidden)");
        let body = r#"{"kind":"Status","status":"Failure","message":"pods \"a\" not found","reason":"NotFound","details":{"name":"a","kind":"pods"},"code":404}"#;
        assert!(failure("get v1/pods", 404, body).is_not_found());
        let body = r#"{"kind":"Status","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}"#;
        assert!(failure("get v1/pods", 404, body).is_not_installed());
        assert!(failure("list v1/pods", 404, "404 page not found\n").is_not_installed());
    }
}
