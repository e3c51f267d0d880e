//! A response body that is arriving.

use std::mem;

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Instant, timeout_at};

use crate::{
    coop::Work,
    error::{Error, ErrorKind, from_client},
    json::{Fault, Scanner},
    measure,
};

/// The maximum length of an object: etcd accepts 1.5 MiB by default, aggregated APIs somewhat more.
pub(super) const LONGEST: usize = 64 << 20;

/// The number of bytes of a frame that are added at first to a value that began in the previous frame.
const FIRST_PIECE: usize = 4 << 10;

/// The number of bytes of a frame that are prefetched from memory ahead of the reader.
const PREFETCHED: usize = 16 << 10;

/// The length of a cache line on most processors.
const CACHE_LINE: usize = 64;

/// The number of bytes that cost one unit of a task's budget: half a mebibyte is a turn.
const UNIT: usize = 4 << 10;

/// The bytes of an answer that have arrived and have not been taken yet.
///
/// They are read in place. Only a value that continues in the next frame is copied, together with its rest.
pub(super) struct Incoming {
    /// The name of the request, for errors.
    what: String,
    body: Body,
    /// The last frame.
    frame: Bytes,
    /// The number of bytes of the frame that were taken or joined.
    used: usize,
    /// The number of bytes of the frame that were prefetched.
    prefetched: usize,
    joined: Option<Joined>,
    /// The buffer of an earlier `joined`, for reuse.
    spare: Vec<u8>,
    /// The work of the bytes that were taken or joined.
    work: Work,
    measured: Option<Box<measure::Request>>,
}

/// The end of a frame and the beginning of the next one.
struct Joined {
    bytes: Vec<u8>,
    taken: usize,
}

impl Incoming {
    pub(super) fn new(what: String, body: Body) -> Self {
        Self {
            what,
            body,
            frame: Bytes::new(),
            used: 0,
            prefetched: 0,
            joined: None,
            spare: Vec::new(),
            work: Work::costing(UNIT),
            measured: None,
        }
    }

    /// Measures the body as the answer to this request.
    pub(super) fn measured(self, request: measure::Request) -> Self {
        Self { measured: Some(Box::new(request)), ..self }
    }

    /// Returns the bytes that can be taken. The frame may have more, which [`more`](Self::more) adds.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.joined {
            Some(joined) => &joined.bytes[joined.taken..],
            None => &self.frame[self.used..],
        }
    }

    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        self.work.add(len);
        let Some(mut joined) = self.joined.take() else {
            self.used += len;
            return &self.frame[self.used - len..self.used];
        };
        joined.taken += len;
        let left = joined.bytes.len() - joined.taken;
        if left > self.used {
            // The next value also began in the previous frame.
            let joined = self.joined.insert(joined);
            return &joined.bytes[joined.taken - len..joined.taken];
        }
        self.used -= left;
        self.spare = joined.bytes;
        &self.spare[joined.taken - len..joined.taken]
    }

    /// Prefetches the bytes to read next from memory. A parser waits for one cache line after the other;
    /// this loop waits for none, so that many are fetched at once.
    pub(super) fn prefetch(&mut self) {
        let end = self.frame.len().min(self.used + PREFETCHED);
        if let Some(next) = self.frame.get(self.prefetched..end) {
            let lines = next.chunks(CACHE_LINE).map(|line| line[0]);
            std::hint::black_box(lines.fold(0, |all, byte| all ^ byte));
            self.prefetched = end;
        }
    }

    /// Pays for the bytes taken so far, and waits for the next turn of the task once its budget is used up.
    pub(super) async fn pay(&mut self) {
        self.work.paid().await;
    }

    /// Waits for more bytes until a deadline; returns false at the end of the body.
    pub(super) async fn more(&mut self, until: Instant) -> Result<bool, Error> {
        if self.bytes().len() > LONGEST {
            return Err(self.broken("an object is longer than 64 MiB"));
        }
        self.pay().await;
        if self.joined.is_some() && self.used < self.frame.len() {
            self.join();
            return Ok(true);
        }
        if self.joined.is_none() && self.used < self.frame.len() {
            let mut bytes = mem::take(&mut self.spare);
            bytes.clear();
            bytes.extend_from_slice(&self.frame[self.used..]);
            self.joined = Some(Joined { bytes, taken: 0 });
        }
        // Dropped first, so that the client can reuse its memory.
        self.frame = Bytes::new();
        self.used = 0;
        self.prefetched = 0;
        let Some(frame) = in_time(&self.what, until, self.body.frame()).await? else {
            return Ok(false);
        };
        let frame = frame.map_err(|cause| from_client(&self.what, cause))?;
        if let Ok(bytes) = frame.into_data() {
            self.measured.iter().for_each(|measured| measured.received(bytes.len()));
            self.frame = bytes;
            self.join();
        }
        Ok(true)
    }

    /// Adds bytes of the frame to the joined ones: at most as many as are joined already, or `FIRST_PIECE`.
    /// So at most twice as many bytes are copied as the value needs.
    fn join(&mut self) {
        if let Some(Joined { bytes, taken }) = &mut self.joined {
            let rest = &self.frame[self.used..];
            let piece = &rest[..rest.len().min(FIRST_PIECE.max(bytes.len() - *taken))];
            bytes.extend_from_slice(piece);
            self.used += piece.len();
            self.work.add(piece.len());
        }
    }

    /// Returns the next line that is not blank, with its end, or `None` at the end of the body.
    pub(super) async fn line(&mut self, until: Instant) -> Result<Option<&[u8]>, Error> {
        self.pay().await;
        let mut searched = 0;
        let len = loop {
            match memchr::memchr(b'\n', &self.bytes()[searched..]) {
                Some(end) if self.bytes()[..searched + end].trim_ascii().is_empty() => {
                    self.take(searched + end + 1);
                    searched = 0;
                }
                Some(end) => break searched + end,
                None => {
                    searched = self.bytes().len();
                    if !self.more(until).await? {
                        return match self.bytes() {
                            rest if rest.trim_ascii().is_empty() => Ok(None),
                            // A complete line has an end, so this one was torn off.
                            rest if is_torn(rest) => {
                                Err(self.broken("the connection ended within an event"))
                            }
                            // An answer that is not from an API server, or a refusal.
                            _ => Ok(Some(self.take(searched))),
                        };
                    }
                }
            }
        };
        Ok(Some(self.take(len + 1)))
    }

    /// Returns the whole body, or its beginning if that is longer than `longest`.
    pub(super) async fn up_to(&mut self, longest: usize, until: Instant) -> Result<&[u8], Error> {
        while self.bytes().len() < longest && self.more(until).await? {}
        Ok(self.bytes())
    }

    /// Returns the name of the request that the body answers.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn broken(&self, why: &str) -> Error {
        Error::new(ErrorKind::Connection, format!("{}: {why}", self.what))
    }
}

/// Returns whether the bytes at the end of a body are the beginning of an event.
fn is_torn(bytes: &[u8]) -> bool {
    let mut scanner = Scanner::new(bytes, 0);
    scanner.space();
    let begins = scanner.eat(b'{').is_ok();
    let mut scanner = Scanner::new(bytes, 0);
    scanner.space();
    begins && matches!(scanner.skip_value(), Err(Fault::Incomplete))
}

/// Waits for a part of an answer until a deadline.
pub(super) async fn in_time<T>(
    what: &str,
    until: Instant,
    future: impl Future<Output = T>,
) -> Result<T, Error> {
    let begun = Instant::now();
    timeout_at(until, future).await.map_err(|_| {
        let patience = until.saturating_duration_since(begun);
        Error::new(ErrorKind::Timeout, format!("{what}: no answer for {patience:?}"))
    })
}
