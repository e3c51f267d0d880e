//! A body on its way in.

use std::time::Duration;

use http_body_util::BodyExt;
use kube::client::Body;

use super::request::in_time;
use crate::error::{Error, Kind, from_client};

/// No object is larger: etcd takes 1.5 MiB by default, aggregated APIs somewhat more.
const LONGEST: usize = 64 << 20;

/// The bytes of an answer that have arrived and that nobody has taken yet.
pub(super) struct Incoming {
    /// The request it answers, for errors.
    what: String,
    body: Body,
    buffer: Vec<u8>,
    /// How many bytes of the buffer were taken.
    taken: usize,
}

impl Incoming {
    pub(super) fn new(what: String, body: Body) -> Self {
        Self { what, body, buffer: Vec::new(), taken: 0 }
    }

    /// What has arrived.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        let start = self.taken;
        self.taken += len;
        &self.buffer[start..self.taken]
    }

    /// Waits for more; false at the end of the body. A silence of `patience` is a failure.
    pub(super) async fn more(&mut self, patience: Duration) -> Result<bool, Error> {
        if self.bytes().len() > LONGEST {
            return Err(self.broken("an object is longer than 64 MiB"));
        }
        let Some(frame) = in_time(&self.what, patience, self.body.frame()).await? else {
            return Ok(false);
        };
        let frame = frame.map_err(|cause| from_client(&self.what, cause))?;
        if let Ok(bytes) = frame.into_data() {
            // What was taken makes room: the buffer holds one object and what came with it.
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.buffer.extend_from_slice(&bytes);
        }
        Ok(true)
    }

    /// The next line, with its end, or `None` at the end of the body.
    pub(super) async fn line(&mut self, patience: Duration) -> Result<Option<&str>, Error> {
        let mut searched = 0;
        let len = loop {
            match memchr::memchr(b'\n', &self.bytes()[searched..]) {
                Some(0) if searched == 0 => {
                    self.take(1);
                }
                Some(end) => break searched + end,
                None => {
                    searched = self.bytes().len();
                    if !self.more(patience).await? {
                        // What is left, if anything, was torn off: a line has an end.
                        return match searched {
                            0 => Ok(None),
                            _ => Err(self.broken("the connection ended within an event")),
                        };
                    }
                }
            }
        };
        self.take_text(len + 1).map(Some)
    }

    /// The whole body, or its first `longest` bytes.
    pub(super) async fn text_up_to(
        &mut self,
        longest: usize,
        patience: Duration,
    ) -> Result<String, Error> {
        while self.bytes().len() < longest && self.more(patience).await? {}
        let len = self.bytes().len();
        self.text(self.taken, len).map(str::to_owned)
    }

    fn text(&self, start: usize, len: usize) -> Result<&str, Error> {
        std::str::from_utf8(&self.buffer[start..start + len])
            .map_err(|_| self.broken("the answer is not UTF-8"))
    }

    /// Takes bytes that have arrived, as text.
    pub(super) fn take_text(&mut self, len: usize) -> Result<&str, Error> {
        self.take(len);
        self.text(self.taken - len, len)
    }

    pub(super) fn broken(&self, why: &str) -> Error {
        Error::new(Kind::Connection, format!("{}: {why}", self.what))
    }
}
