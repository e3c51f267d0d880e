//! An API server that answers with bytes made beforehand, as a `tower` service: no network.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;

/// About as much as hyper hands over at a time.
const FRAME: usize = 64 << 10;

type Frames = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

/// Function that returns the answer of the nth watch, each line in a separate frame, like the chunks
/// on the wire. A watch never ends by itself.
pub(crate) type Watches = dyn Fn(usize) -> BoxStream<'static, Bytes> + Send + Sync;

/// Returns a client of a server with one collection.
pub(crate) fn client(url: String, pages: Vec<Bytes>, watches: Box<Watches>) -> kube::Client {
    let (pages, watches) = (Arc::new(pages), Arc::new(watches));
    let mut begun = 0;
    let service = tower::service_fn(move |request: Request<Body>| {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let answer: Option<Frames> = if path != url {
            None
        } else if is_watch(query) {
            begun += 1;
            let lines = watches(begun - 1).chain(stream::pending());
            Some(lines.map(|line| Ok(Frame::data(line))).boxed())
        } else {
            pages.get(page(query)).map(|page| frames(page.clone()).boxed())
        };
        let status = if answer.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let body = StreamBody::new(answer.unwrap_or_else(|| stream::empty().boxed()));
        let mut response = Response::new(body);
        *response.status_mut() = status;
        async { Ok::<_, Infallible>(response) }.boxed()
    });
    kube::Client::new(service, "default")
}

fn frames(page: Bytes) -> impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let starts = (0..page.len()).step_by(FRAME);
    let frame = move |start: usize| page.slice(start..page.len().min(start + FRAME));
    stream::iter(starts.map(move |start| Ok(Frame::data(frame(start)))))
}

/// Returns a parameter of a query; a token or a number, which need no decoding.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

pub(crate) fn is_watch(query: &str) -> bool {
    parameter(query, "watch").is_some_and(|value| value == "true" || value == "1")
}

/// Returns the requested page of a list.
pub(crate) fn page(query: &str) -> usize {
    parameter(query, "continue").and_then(|token| token.parse().ok()).unwrap_or_default()
}
