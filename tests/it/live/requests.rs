//! The requests of a client.

use std::sync::{Arc, Mutex};

use http::Request;
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::Config;
use tower::util::MapRequestLayer;

/// Records the path and query of each request.
#[derive(Clone, Default)]
pub(super) struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    pub(super) fn client(&self, config: Config) -> Client {
        let own = self.clone();
        let note = MapRequestLayer::new(move |request: Request<Body>| {
            own.0.lock().unwrap().push(request.uri().to_string());
            request
        });
        ClientBuilder::try_from(config).unwrap().with_layer(&note).build()
    }

    /// Returns the requests for pages. A list of a single object doesn't count: it only shows the
    /// server's version.
    pub(super) fn lists(&self) -> Vec<String> {
        let mut lists = self.with("limit");
        lists.retain(|uri| param(uri, "limit") != Some("1"));
        lists
    }

    /// Returns the requests for pages of one namespace.
    pub(super) fn lists_in(&self, namespace: &str) -> usize {
        let of_namespace = format!("/namespaces/{namespace}/");
        self.lists().iter().filter(|uri| uri.contains(&of_namespace)).count()
    }

    pub(super) fn watches(&self) -> Vec<String> {
        self.with("watch")
    }

    fn with(&self, name: &str) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter().filter(|uri| param(uri, name).is_some()).cloned().collect()
    }
}

/// Returns a parameter of a request, as written.
pub(super) fn param<'u>(uri: &'u str, name: &str) -> Option<&'u str> {
    let (_, query) = uri.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
