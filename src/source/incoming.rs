//! A body on its way in.

use std::mem;

use bytes::Bytes;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::Instant;

use super::request::in_time;
use crate::{
    coop::Work,
    error::{Error, ErrorKind, from_client},
    json::{Fault, Scanner},
    measure,
};

/// No object is larger: etcd takes 1.5 MiB by default, aggregated APIs somewhat more.
pub(super) const LONGEST: usize = 64 << 20;

/// How much of a frame is added at first to what began in the one before.
const PIECE: usize = 4 << 10;

/// How far ahead of those who read the frame it is fetched from memory.
const AHEAD: usize = 16 << 10;

/// What memory is fetched by, on most processors.
const LINE: usize = 64;

/// How many bytes cost one unit of a task's budget: half a mebibyte is a turn.
const UNIT: usize = 4 << 10;

/// The bytes of an answer that have arrived and that nobody has taken yet.
///
/// They are read where they came in. Only what goes on in the next frame is copied, together with
/// its rest.
pub(super) struct Incoming {
    /// The request it answers, for errors.
    what: String,
    body: Body,
    /// What came last.
    frame: Bytes,
    /// How much of the frame was taken, or joined.
    used: usize,
    /// How much of the frame was fetched from memory.
    prefetched: usize,
    joined: Option<Joined>,
    /// What an earlier one was joined in.
    spare: Vec<u8>,
    /// The bytes that were taken or joined.
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

    /// As the answer of this request.
    pub(super) fn measured(self, request: measure::Request) -> Self {
        Self { measured: Some(Box::new(request)), ..self }
    }

    /// What can be taken. There may be more of the frame, which [`more`](Self::more) adds.
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
            // The next thing began in the frame before, too.
            let joined = self.joined.insert(joined);
            return &joined.bytes[joined.taken - len..joined.taken];
        }
        self.used -= left;
        self.spare = joined.bytes;
        &self.spare[joined.taken - len..joined.taken]
    }

    /// Fetches from memory what is to be read next. Who steps through text waits for one line after
    /// the other; here nobody waits for any, so that many are on their way at once.
    pub(super) fn prefetch(&mut self) {
        let end = self.frame.len().min(self.used + AHEAD);
        if let Some(next) = self.frame.get(self.prefetched..end) {
            let lines = next.chunks(LINE).map(|line| line[0]);
            std::hint::black_box(lines.fold(0, |all, byte| all ^ byte));
            self.prefetched = end;
        }
    }

    /// Pays for the bytes of before, and waits for the next turn of the task once its budget is used up.
    pub(super) async fn pay(&mut self) {
        self.work.paid().await;
    }

    /// Waits for more, but not beyond a moment; returns false at the end of the body.
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
        // So that the client can read into the same memory again.
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

    /// Adds to what is joined as much of the frame as there is already: what it takes to complete
    /// it is then copied at most twice.
    fn join(&mut self) {
        if let Some(Joined { bytes, taken }) = &mut self.joined {
            let rest = &self.frame[self.used..];
            let piece = &rest[..rest.len().min(PIECE.max(bytes.len() - *taken))];
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
                            // A line has an end, so this was torn off.
                            rest if is_torn(rest) => {
                                Err(self.broken("the connection ended within an event"))
                            }
                            // An answer of others than API servers, or of one that says no.
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
