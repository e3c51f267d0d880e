//! How often a client asked for what.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Request;
use kube::{
    Client,
    client::{Body, ClientBuilder},
    config::Config,
};
use tower::util::MapRequestLayer;

/// Counts requests; keeps none, as there is no end of them.
#[derive(Clone, Default)]
pub(crate) struct Requests(Arc<Counts>);

#[derive(Default)]
struct Counts {
    lists: AtomicUsize,
    watches: AtomicUsize,
}

impl Requests {
    pub(crate) fn client(&self, config: Config) -> Client {
        let own = self.clone();
        let note = MapRequestLayer::new(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default();
            // A streaming list begins with the state, as a list does.
            if query.contains("sendInitialEvents=true")
                || (query.contains("limit=") && !query.contains("continue="))
            {
                own.0.lists.fetch_add(1, Ordering::Relaxed);
            } else if query.contains("watch=") {
                own.0.watches.fetch_add(1, Ordering::Relaxed);
            }
            request
        });
        ClientBuilder::try_from(config).unwrap().with_layer(&note).build()
    }

    /// Lists that were begun.
    pub(crate) fn lists(&self) -> usize {
        self.0.lists.load(Ordering::Relaxed)
    }

    /// Watches that were begun.
    pub(crate) fn watches(&self) -> usize {
        self.0.watches.load(Ordering::Relaxed)
    }
}
