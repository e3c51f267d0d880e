//! Bodies of answers.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{
    Stream,
    stream::{self, BoxStream},
};
use http_body::Frame;

/// The body of an answer of the [`ApiServer`](crate::testing::ApiServer).
///
/// Lists and watches are written while they are read; nothing is buffered for a slow reader.
/// Requests through a client never expose this type; direct calls of the service return it:
///
/// ```
/// use http::Request;
/// use http_body_util::BodyExt;
/// use kube::client::Body;
/// use kube_weir::testing::ApiServer;
/// use tower::ServiceExt;
///
/// # kube_weir::testing::fixture::run(async {
/// let request = Request::get("/api/v1/nodes").body(Body::empty())?;
/// let answer = ApiServer::new().oneshot(request).await.map_err(|error| error.to_string())?;
/// assert_eq!(answer.status(), 200);
/// let bytes = answer.into_body().collect().await?.to_bytes();
/// assert!(bytes.starts_with(br#"{"kind":"NodeList","apiVersion":"v1""#));
/// # Ok(()) });
/// ```
pub struct Body {
    chunks: Chunks,
}

/// The chunks of a body.
pub(super) type Chunks = BoxStream<'static, io::Result<Bytes>>;

impl Body {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::streaming(stream::iter([Ok(bytes)]))
    }

    pub(super) fn streaming(
        chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self { chunks: Box::pin(chunks) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.chunks.as_mut().poll_next(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}
