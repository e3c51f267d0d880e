//! A request to the API server, and its answer.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use kube::{Client, client::Body};
use tokio::time::Instant;

use super::{
    incoming::{Incoming, in_time},
    status::Status,
};
use crate::{
    clock::after,
    error::{Error, ErrorKind, from_client},
    measure,
    printed::printed,
    source::Gvr,
};

/// The maximum time for an answer other than a list or watch, and by default for each object of a list.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// The maximum length of a `Status` body.
const LONGEST_STATUS: usize = 64 << 10;

/// The media types of metadata only. An aggregated API server may only have the whole form.
const METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// A client for the requests about one resource.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) client: Client,
    pub(super) resource: Gvr,
    pub(super) metadata_only: bool,
    pub(super) requests: measure::Requests,
}

/// The purpose of a request. It determines the representation that is requested, and names the request in
/// errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Discover,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Discover => "discover",
        }
    }
}

/// A request by its name in errors, such as "list v1/pods in `web`".
pub(super) struct RequestInfo {
    pub(super) verb: Verb,
    pub(super) what: String,
    /// The name of the requested object. An object that is not found may be another one.
    pub(super) name: Option<String>,
}

impl Endpoint {
    pub(super) fn new(client: Client, resource: Gvr) -> Self {
        let requests = measure::Requests::default();
        Self { client, resource, metadata_only: false, requests }
    }

    /// Sends a request that kube built, and returns the body of a successful response, which must begin
    /// within `patience`.
    pub(super) async fn open(
        &self,
        info: RequestInfo,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
        patience: Duration,
    ) -> Result<Incoming, Error> {
        let RequestInfo { verb, what, name } = info;
        let mut request =
            request.map_err(|cause| Error::with_source(ErrorKind::Other, &what, cause))?;
        let accept = match verb {
            Verb::Get | Verb::Watch if self.metadata_only => METADATA,
            Verb::List if self.metadata_only => METADATA_LIST,
            _ => "application/json",
        };
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        if verb == Verb::Watch {
            // From 1.37 on the server compresses each event as a separate gzip member, and kube's client
            // decodes only the first.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if !request.body().is_empty() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        let until = after(Instant::now(), patience);
        let mut measured = self.requests.begin(verb.as_str());
        // A request is rare, and its future is large.
        let response = Box::pin(async {
            let (head, body) = request.into_parts();
            self.client.send(Request::from_parts(head, unrepeatable(body).await)).await
        });
        let response = in_time(&what, until, response)
            .await
            .and_then(|response| response.map_err(|cause| from_client(&what, cause)));
        measured.answered(response.as_ref().ok().map(Response::status));
        let (head, body) = response?.into_parts();
        let mut incoming = Incoming::new(what.clone(), body).measured(measured);
        if head.status.is_success() {
            return Ok(incoming);
        }
        let until = after(Instant::now(), ANSWER);
        let text = incoming.up_to(LONGEST_STATUS, until).await.unwrap_or_default();
        let code = head.status.as_u16();
        let error = Status::read(text).into_error(&what, Some(code), name.as_deref());
        let error = error.of_verb(verb == Verb::Watch);
        Err(match retry_after(&head.headers) {
            None => error,
            wait => error.with_retry_after(wait),
        })
    }
}

/// Returns a body that cannot be cloned.
///
/// A client made by `Client::try_default` handles 429, 503 and 504 itself, with up to 15 more requests, and
/// so hides outages from the watch, which has a backoff of its own. The retry layer repeats only requests whose
/// body can be cloned, and the body of a response can't be.
async fn unrepeatable(bytes: Vec<u8>) -> Body {
    let local = Client::new(Local(bytes.into()), "default");
    let answer = local.send(Request::new(Body::empty())).await;
    answer.map_or_else(|_| Body::empty(), Response::into_body)
}

/// A service that answers with a body.
#[derive(Clone)]
struct Local(Bytes);

impl tower_service::Service<Request<Body>> for Local {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Full::new(self.0.clone()))))
    }
}

/// Returns the resource and namespace of a collection's path. Everything between `namespaces` and the
/// plural is the name of a namespace, or was meant as one.
///
/// # Errors
///
/// Any other path.
pub(super) fn resource_of(url: &str) -> Result<(Gvr, Option<String>), Error> {
    let parts: Vec<&str> = url.split('/').collect();
    let found = match parts[..] {
        ["", "api", version, ref rest @ ..] => Some(("", version, rest)),
        ["", "apis", group, version, ref rest @ ..] => Some((group, version, rest)),
        _ => None,
    };
    let found = found.and_then(|(group, version, rest)| match *rest {
        [plural] => Some((Gvr::known(group, version, plural), None)),
        ["namespaces", ref namespace @ .., plural] if !namespace.is_empty() => {
            Some((Gvr::known(group, version, plural), Some(namespace.join("/"))))
        }
        _ => None,
    });
    found.ok_or_else(|| {
        let path = printed(url, LONGEST_PATH);
        Error::new(ErrorKind::Resource, format!("`{path}` is not the path of a resource"))
    })
}

/// The maximum length of an invalid path in an error.
const LONGEST_PATH: usize = 253;

/// Reads the `Retry-After` header; the API server sends seconds, never a date.
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
            let (gvr, own) = resource_of(url).unwrap();
            assert_eq!((gvr.to_string().as_str(), own.as_deref()), (resource, namespace));
            assert_eq!(gvr.url("v1", namespace), url);
        }
    }

    /// SEMANTICS: B8
    #[test]
    fn a_path_of_another_shape_is_not_that_of_a_resource() {
        for (url, namespace) in [
            ("/api/v1/namespaces/a/b/pods", "a/b"),
            ("/apis/apps/v1/namespaces/../deployments", ".."),
            ("/api/v1/namespaces//pods", ""),
            ("/api/v1/namespaces/a/namespaces/pods", "a/namespaces"),
            ("/api/v1/namespaces/a?watch=1/pods", "a?watch=1"),
        ] {
            let (gvr, own) = resource_of(url).unwrap();
            assert!(matches!(gvr.plural(), "pods" | "deployments"), "{url}");
            assert_eq!(own.as_deref(), Some(namespace), "{url}");
        }
        for url in
            ["", "/", "/api/v1", "/apis/apps/v1", "/v1/pods", "/api/v1/pods/a", "x/api/v1/pods"]
        {
            assert!(resource_of(url).unwrap_err().is_resource(), "{url}");
        }
    }

    /// SEMANTICS: W17
    #[tokio::test]
    async fn a_request_can_not_be_repeated() {
        for bytes in [&b""[..], b"{}"] {
            let body = unrepeatable(bytes.to_vec()).await;
            assert!(body.try_clone().is_none());
            let length = http_body::Body::size_hint(&body).exact();
            assert_eq!(length, u64::try_from(bytes.len()).ok(), "so no chunk is announced");
        }
    }
}
