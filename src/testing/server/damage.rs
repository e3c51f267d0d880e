//! Bodies of lists and watches, and the damage that faults do to them.

use std::{collections::VecDeque, io, time::Duration};

use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    future::{Either, select},
};
use kube::core::Status;

use crate::testing::server::{
    answer::End,
    body::{Body, Chunks},
    fault::Fault,
    gzip::{self, Members},
    status,
};

/// A piece of a list or a watch.
#[derive(Debug)]
pub(super) enum Piece {
    /// An object, as an item or an event.
    Object(Bytes),
    Bookmark(Bytes),
    /// The text around the objects, or an `ERROR` event.
    Other(Bytes),
    /// The way in which the body ends, unless it ends with the pieces.
    End(End),
}

/// Returns a body of these pieces, damaged by a fault, in gzip if `members` is set.
///
/// Faults of events apply before the encoding; faults of bytes and of time apply after it.
pub(super) fn body(
    pieces: impl Stream<Item = Piece> + Send + 'static,
    fault: Option<&Fault>,
    members: Option<Members>,
) -> Body {
    let mut chunks: Chunks = damaged(pieces, fault.cloned()).boxed();
    if let Some(members) = members {
        chunks = gzip::encode(chunks, members).boxed();
    }
    Body::streaming(match fault {
        Some(&Fault::Trickle { chunk, pause }) => trickle(chunks, chunk.max(1), pause).boxed(),
        Some(&Fault::Cut { after_bytes }) => cut(chunks, after_bytes).boxed(),
        Some(&Fault::Idle { after, end }) => idle(chunks, after, end).boxed(),
        _ => chunks,
    })
}

/// Turns pieces into chunks, and applies faults of events.
fn damaged(
    pieces: impl Stream<Item = Piece> + Send,
    fault: Option<Fault>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut sent = 0;
        // An event held back behind the next one.
        let mut passed = None;
        let mut pieces = std::pin::pin!(pieces);
        // Pieces after a late bookmark.
        let mut behind = VecDeque::new();
        let end = 'body: loop {
            match &fault {
                Some(Fault::Disconnect { after_events }) if sent == *after_events => {
                    break End::Reset;
                }
                Some(Fault::End { after_events }) if sent == *after_events => break End::Fin,
                Some(Fault::Stall { after_events }) if sent == *after_events => break End::Never,
                Some(Fault::ErrorEvent { code, after_events }) if sent == *after_events => {
                    yield Ok(error_event(&status::scripted(*code, None)));
                    break End::Fin;
                }
                _ => {}
            }
            let piece = match behind.pop_front() {
                Some(piece) => Some(piece),
                None => pieces.next().await,
            };
            if !matches!(piece, Some(Piece::Object(_))) && let Some(bytes) = passed.take() {
                yield Ok(bytes);
            }
            match (piece, &fault) {
                (None, _) => break End::Fin,
                (Some(Piece::End(end)), _) => break end,
                (Some(Piece::Object(bytes)), Some(Fault::Torn { after_events }))
                    if sent == *after_events =>
                {
                    yield Ok(bytes.slice(..bytes.len() / 2));
                    break End::Fin;
                }
                (Some(Piece::Object(bytes)), Some(Fault::OutOfOrder { after_events }))
                    if sent == *after_events =>
                {
                    sent += 1;
                    passed = Some(bytes);
                }
                (Some(Piece::Bookmark(_)), Some(Fault::NoBookmarks)) => {}
                (Some(Piece::Bookmark(bytes)), Some(Fault::LateBookmarks(late))) => {
                    let mut until = std::pin::pin!(tokio::time::sleep(*late));
                    loop {
                        match select(&mut until, pieces.next()).await {
                            Either::Left(_) => break,
                            Either::Right((Some(Piece::End(end)), _)) => break 'body end,
                            Either::Right((None, _)) => break 'body End::Fin,
                            Either::Right((Some(piece), _)) => behind.push_back(piece),
                        }
                    }
                    yield Ok(bytes);
                }
                (
                    Some(Piece::Object(bytes) | Piece::Bookmark(bytes) | Piece::Other(bytes)),
                    Some(Fault::ObjectFirst),
                ) => yield Ok(object_first(&bytes)),
                (Some(Piece::Object(bytes)), fault) => {
                    sent += 1;
                    if *fault == Some(Fault::Duplicate) {
                        yield Ok(bytes.clone());
                    }
                    yield Ok(bytes);
                    if let Some(bytes) = passed.take() {
                        yield Ok(bytes);
                    }
                }
                (Some(Piece::Bookmark(bytes) | Piece::Other(bytes)), _) => yield Ok(bytes),
            }
        };
        if let Some(error) = end.reached().await {
            yield Err(error);
        }
    }
}

/// Resets the connection after `after_bytes` bytes.
fn cut(mut chunks: Chunks, after_bytes: usize) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut left = after_bytes;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(bytes) if bytes.len() >= left => {
                    yield Ok(bytes.slice(..left));
                    yield Err(io::ErrorKind::ConnectionReset.into());
                    return;
                }
                Ok(bytes) => {
                    left -= bytes.len();
                    yield Ok(bytes);
                }
                Err(error) => yield Err(error),
            }
        }
    }
}

/// Ends the body when nothing was sent for the time `after`.
fn idle(
    mut chunks: Chunks,
    after: Duration,
    end: End,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        loop {
            match tokio::time::timeout(after, chunks.next()).await {
                Ok(Some(chunk)) => yield chunk,
                Ok(None) => return,
                Err(_) => break,
            }
        }
        if let Some(error) = end.reached().await {
            yield Err(error);
        }
    }
}

/// Sends chunks of one size with a pause before each.
fn trickle(
    mut chunks: Chunks,
    size: usize,
    pause: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(mut bytes) => {
                    while !bytes.is_empty() {
                        tokio::time::sleep(pause).await;
                        yield Ok(bytes.split_to(size.min(bytes.len())));
                    }
                }
                Err(error) => yield Err(error),
            }
        }
    }
}

/// Moves `type` from the beginning to the end of a watch line.
fn object_first(line: &Bytes) -> Bytes {
    let fields = line.strip_prefix(b"{").and_then(|line| line.strip_suffix(b"}\n"));
    // A type contains no comma.
    let mut parts = fields.into_iter().flat_map(|fields| fields.splitn(2, |byte| *byte == b','));
    match (parts.next(), parts.next()) {
        (Some(kind), Some(object)) => [b"{", object, b",", kind, b"}\n"].concat().into(),
        _ => line.clone(),
    }
}

/// Returns the line of an `ERROR` event.
pub(super) fn error_event(status: &Status) -> Bytes {
    let object = status::to_value(status);
    format!("{{\"type\":\"ERROR\",\"object\":{object}}}\n").into()
}
