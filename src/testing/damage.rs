//! Bodies of lists and watches, and what faults do to them.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, future};
use kube::core::Status;

use crate::testing::{
    body::Body,
    fault::{self, Fault},
    status,
};

/// A piece of a list or a watch.
#[derive(Debug)]
pub(super) enum Piece {
    /// An object, as an item or an event.
    Object(Bytes),
    Bookmark(Bytes),
    /// What stands around the objects, and `ERROR` events.
    Other(Bytes),
}

/// A body of these pieces, damaged by a fault.
pub(super) fn body(
    pieces: impl Stream<Item = Piece> + Send + 'static,
    fault: Option<Fault>,
) -> Body {
    match fault {
        Some(Fault::Trickle { chunk, pause }) => {
            Body::streaming(trickle(pieces, chunk.max(1), pause))
        }
        Some(Fault::Cut { after_bytes }) => Body::streaming(cut(pieces, after_bytes)),
        Some(Fault::ObjectFirst) => {
            Body::streaming(pieces.map(|piece| Ok(object_first(&piece.bytes()))))
        }
        Some(fault) => Body::streaming(damaged(pieces, fault)),
        None => Body::streaming(pieces.map(|piece| Ok(piece.bytes()))),
    }
}

impl Piece {
    fn bytes(self) -> Bytes {
        match self {
            Self::Object(bytes) | Self::Bookmark(bytes) | Self::Other(bytes) => bytes,
        }
    }
}

fn damaged(
    pieces: impl Stream<Item = Piece> + Send,
    fault: Fault,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut sent = 0;
        // An event that lets another one pass.
        let mut passed = None;
        let mut pieces = std::pin::pin!(pieces);
        loop {
            match fault {
                Fault::Disconnect { after_events } if sent == after_events => {
                    yield Err(reset());
                    return;
                }
                Fault::Stall { after_events } if sent == after_events => future::pending().await,
                Fault::ErrorEvent { code, after_events } if sent == after_events => {
                    yield Ok(error_event(&fault::status_for(code, None)));
                    return;
                }
                _ => {}
            }
            let piece = pieces.next().await;
            if !matches!(piece, Some(Piece::Object(_))) && let Some(bytes) = passed.take() {
                yield Ok(bytes);
            }
            match (piece, &fault) {
                (None, _) => return,
                (Some(Piece::Object(bytes)), Fault::Torn { after_events })
                    if sent == *after_events =>
                {
                    yield Ok(bytes.slice(..bytes.len() / 2));
                    return;
                }
                (Some(Piece::Object(bytes)), Fault::OutOfOrder { after_events })
                    if sent == *after_events =>
                {
                    sent += 1;
                    passed = Some(bytes);
                }
                (Some(Piece::Object(bytes)), fault) => {
                    sent += 1;
                    if *fault == Fault::Duplicate {
                        yield Ok(bytes.clone());
                    }
                    yield Ok(bytes);
                    if let Some(bytes) = passed.take() {
                        yield Ok(bytes);
                    }
                }
                (Some(Piece::Bookmark(_)), Fault::NoBookmarks) => {}
                (Some(Piece::Bookmark(bytes)), Fault::LateBookmarks(late)) => {
                    tokio::time::sleep(*late).await;
                    yield Ok(bytes);
                }
                (Some(other), _) => yield Ok(other.bytes()),
            }
        }
    }
}

fn cut(
    pieces: impl Stream<Item = Piece> + Send,
    after_bytes: usize,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut left = after_bytes;
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let bytes = piece.bytes();
            if bytes.len() >= left {
                yield Ok(bytes.slice(..left));
                yield Err(reset());
                return;
            }
            left -= bytes.len();
            yield Ok(bytes);
        }
    }
}

fn trickle(
    pieces: impl Stream<Item = Piece> + Send,
    chunk: usize,
    pause: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let mut bytes = piece.bytes();
            while !bytes.is_empty() {
                tokio::time::sleep(pause).await;
                yield Ok(bytes.split_to(chunk.min(bytes.len())));
            }
        }
    }
}

/// The line of a watch, which has `type` first, with `type` last.
fn object_first(line: &Bytes) -> Bytes {
    let fields = line.strip_prefix(b"{").and_then(|line| line.strip_suffix(b"}\n"));
    // No type has a comma in it.
    let mut parts = fields.into_iter().flat_map(|fields| fields.splitn(2, |byte| *byte == b','));
    match (parts.next(), parts.next()) {
        (Some(kind), Some(object)) => [b"{", object, b",", kind, b"}\n"].concat().into(),
        _ => line.clone(),
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// The line of an `ERROR` event.
pub(super) fn error_event(status: &Status) -> Bytes {
    let object = status::to_value(status);
    format!("{{\"type\":\"ERROR\",\"object\":{object}}}\n").into()
}
