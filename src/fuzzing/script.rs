//! The answers of a conversation, encoded in the bytes of a fuzzer.

use std::{collections::VecDeque, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use crate::testing::{Answer, ApiServer, End, Fault, On, Verb};

/// Maximum number of answers of a script. The rest of the bytes is ignored.
const LONGEST: usize = 48;

/// Maximum number of requests at one moment, in addition to [`LONGEST`].
const AT_ONCE: usize = 64;

/// The objects that the server may have, by namespace and name.
const OBJECTS: [(&str, &str); 4] =
    [("default", "a"), ("default", "b"), ("other", "c"), ("other", "d")];

/// Status codes of failures and unusual answers.
const CODES: [u16; 16] =
    [400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 502, 503, 504, 204, 301, 200];

/// Values of a `Retry-After` header; an empty value means no header.
const RETRY_AFTER: [&str; 6] = ["", "1", "77", "18446744073709551615", "-1", "soon"];

/// A part of a body, encoded by one byte. Bytes below [`FIRST`], and bytes above the last word, stand for
/// themselves.
enum Word {
    Text(&'static str),
    /// The newest resourceVersion of the server plus a number.
    Version(u64),
    /// The end of a chunk.
    Chunk,
    Pause(Duration),
    End(End),
}

/// The byte of the first of the [`WORDS`].
const FIRST: u8 = 0x80;

const WORDS: [Word; 46] = [
    // 0x80: the lines of a watch
    Word::Text(r#"{"type":"ADDED","object":"#),
    Word::Text(r#"{"type":"MODIFIED","object":"#),
    Word::Text(r#"{"type":"DELETED","object":"#),
    Word::Text(r#"{"type":"BOOKMARK","object":"#),
    Word::Text(r#"{"type":"ERROR","object":"#),
    Word::Text("}\n"),
    // 0x86: beginnings of objects, up to the resourceVersion
    Word::Text(
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"default","name":"a","uid":"1","resourceVersion":""#,
    ),
    Word::Text(
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"default","name":"b","uid":"2","resourceVersion":""#,
    ),
    Word::Text(
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"other","name":"c","uid":"3","resourceVersion":""#,
    ),
    Word::Text(r#"{"metadata":{"namespace":"other","name":"d","resourceVersion":""#),
    Word::Text(
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"default","name":"no-such","uid":"5","resourceVersion":""#,
    ),
    // 0x8b: ends of objects
    Word::Text(r#""},"data":{"on":"yes"}}"#),
    Word::Text(r#""},"data":{"on":"no"}}"#),
    Word::Text(r#"","labels":7},"data":{"on":"yes"}}"#),
    // 0x8e: parts of a list
    Word::Text(r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":""#),
    Word::Text(r#""},"items":["#),
    Word::Text(r#"","continue":""#),
    Word::Text("]}"),
    Word::Text(","),
    // 0x93: versions
    Word::Text("1"),
    Word::Text("7"),
    Word::Version(0),
    Word::Version(1),
    Word::Text("99999999999999999999"),
    // 0x98: bookmarks
    Word::Text(r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":""#),
    Word::Text(r#""}}"#),
    Word::Text(r#"","annotations":{"k8s.io/initial-events-end":"true"}}}"#),
    // 0x9b: failures
    Word::Text(r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#),
    Word::Text(
        r#"{"kind":"Status","code":500,"reason":"InternalError","message":"no \u001b[31m\u202e"}"#,
    ),
    Word::Text(r#"{"kind":"Status","code":429,"details":{"retryAfterSeconds":9}}"#),
    Word::Text(r#"{"kind":"Status","code":404,"reason":"NotFound","details":{"name":"a"}}"#),
    // 0x9f: discovery
    Word::Text(
        r#"{"resources":[{"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["watch"]}]}"#,
    ),
    Word::Text(r#"{"resources":[{"name":"configmaps","kind":"Other","namespaced":true}]}"#),
    Word::Text(r#"{"resources":[{"name":"configmaps","namespaced":false,"verbs":["list"]}]}"#),
    Word::Text(r#"{"resources":[{"name":"things","kind":"configmaps","namespaced":true}]}"#),
    // 0xa3: the rest of the format
    Word::Text("\n"),
    Word::Text(r#"{"metadata":{"name":""#),
    Word::Text(r#"{"kind":"Secret","metadata":{"name":"a","resourceVersion":"8"}}"#),
    Word::Chunk,
    // 0xa7: time, and the end
    Word::Pause(Duration::from_millis(500)),
    Word::Pause(Duration::from_secs(4)),
    Word::Pause(Duration::from_secs(70)),
    Word::Pause(Duration::from_secs(400)),
    Word::End(End::Reset),
    Word::End(End::Never),
    Word::Text("12345678901234567890123456789012345678901234567890"),
];

/// The answers to one watch, each a line of the fuzzer's bytes. The first byte of a line chooses the source
/// of the answer:
///
/// | byte | answer | the rest of the line |
/// |---|---|---|
/// | `0` | the server | ignored |
/// | `1` | the server, after writes | a write each |
/// | `2` | the server, with a fault | which fault, and a number in it |
/// | `3` | nobody: the connection is refused | ignored |
/// | `4` | the fuzzer | the body |
/// | `5` | the fuzzer | the code, `Retry-After`, the body |
/// | `6` | the fuzzer, late | how late, the body |
/// | `7` | the server, after a compaction | ignored |
///
/// After the last line the server answers, and refuses to resume until a list: a version that the
/// fuzzer made up may by chance be one of the server's, which no client could notice.
pub(super) struct Script {
    server: ApiServer,
    lines: VecDeque<Vec<u8>>,
    /// True if undecodable objects are never stored, so that the server may send such an object in a
    /// version that it later sends intact.
    garbles: bool,
    /// True if the server refuses to resume with an event, not with the status of the answer.
    gone_by_event: bool,
    is_relisted: bool,
    written: u32,
    moment: Instant,
    at_once: usize,
}

impl Script {
    pub(super) fn new(server: ApiServer, lines: &[u8], garbles: bool, gone_by_event: bool) -> Self {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Self {
            server,
            lines: lines.take(LONGEST).map(<[u8]>::to_vec).collect(),
            garbles,
            gone_by_event,
            is_relisted: false,
            written: 0,
            moment: Instant::now(),
            at_once: 0,
        }
    }

    /// Returns whether every answer of the script was sent, and a list was requested since.
    pub(super) fn is_over(&self) -> bool {
        self.is_relisted
    }

    /// Sets the server's answer to the next request.
    pub(super) fn answer(&mut self, uri: &http::Uri) {
        if self.moment != Instant::now() {
            (self.moment, self.at_once) = (Instant::now(), 0);
        }
        self.at_once += 1;
        assert!(self.at_once <= LONGEST + AT_ONCE, "requests without a pause");
        if let Some(line) = self.lines.pop_front() {
            self.take(&line);
            return;
        }
        let query = uri.query().unwrap_or_default();
        let has = |part: &str| query.split('&').any(|own| own.starts_with(part));
        let is_watch = has("watch=true");
        let lists = uri.path().ends_with("/configmaps") && !has("continue=") && !has("limit=1");
        if if is_watch { has("sendInitialEvents=true") } else { lists } {
            self.is_relisted = true;
        } else if is_watch && !self.is_relisted {
            let gone = if self.gone_by_event {
                Fault::ErrorEvent { code: 410, after_events: 0 }
            } else {
                Fault::status(410)
            };
            self.server.fault(Verb::Watch, 1, gone);
        }
    }

    fn take(&mut self, line: &[u8]) {
        let mut bytes = line.iter().copied();
        let mut next = || bytes.next().unwrap_or_default();
        let fault = match next() % 8 {
            0 => None,
            1 => {
                bytes.for_each(|byte| self.write(byte));
                None
            }
            2 => Some(fault(next(), next())).filter(|fault| self.allows(fault)),
            3 => Some(Fault::Refused),
            4 => Some(self.body(Answer::new(200), bytes)),
            5 => {
                let answer = Answer::new(*pick(&CODES, next()));
                let answer = match *pick(&RETRY_AFTER, next()) {
                    "" => answer,
                    value => answer.header("retry-after", value),
                };
                Some(self.body(answer, bytes))
            }
            6 => {
                let late = seconds(next());
                Some(self.body(Answer::new(200).late_head(late), bytes))
            }
            _ => {
                self.server.compact();
                None
            }
        };
        if let Some(fault) = fault {
            self.server.fault(On::any(), 1, fault);
        }
    }

    fn allows(&self, fault: &Fault) -> bool {
        self.garbles || !matches!(fault, Fault::Garble { .. })
    }

    /// Returns the answer with a body.
    fn body(&self, mut answer: Answer, bytes: impl Iterator<Item = u8>) -> Fault {
        let mut chunk = Vec::new();
        for byte in bytes {
            match byte.checked_sub(FIRST).and_then(|at| WORDS.get(usize::from(at))) {
                None => chunk.push(byte),
                Some(Word::Text(text)) => chunk.extend_from_slice(text.as_bytes()),
                Some(Word::Version(more)) => {
                    let version = self.server.resource_version() + more;
                    chunk.extend_from_slice(version.to_string().as_bytes());
                }
                Some(Word::Chunk) => answer = answer.chunk(std::mem::take(&mut chunk)),
                Some(Word::Pause(pause)) => {
                    answer = answer.chunk(std::mem::take(&mut chunk)).pause(*pause);
                }
                Some(Word::End(end)) => answer = answer.end(*end),
            }
        }
        Fault::Answer(answer.chunk(chunk))
    }

    /// Creates, modifies or deletes an object of the server.
    pub(super) fn write(&mut self, choice: u8) {
        self.written += 1;
        let (namespace, name) = *pick(&OBJECTS, choice);
        if choice & 4 == 0 {
            let on = if choice & 8 == 0 { "yes" } else { "no" };
            let written = self.server.apply(&json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "namespace": namespace, "name": name },
                "data": { "on": on, "written": self.written.to_string() },
            }));
            assert!(written.is_ok(), "the server takes any such object");
        } else {
            // The object may not exist.
            let _ = self.server.delete("configmaps", namespace, name);
        }
    }
}

fn fault(which: u8, number: u8) -> Fault {
    let after_events = usize::from(number % 8);
    match which % 20 {
        0 => Fault::ErrorEvent { code: 410, after_events },
        1 => Fault::ErrorEvent { code: *pick(&CODES, number), after_events: 0 },
        2 => Fault::Disconnect { after_events },
        3 => Fault::End { after_events },
        4 => Fault::Cut { after_bytes: usize::from(number) * 4 },
        5 => Fault::Torn { after_events },
        6 => Fault::Stall { after_events },
        7 => Fault::Garble { name: pick(&OBJECTS, number).1.to_owned() },
        8 => Fault::Duplicate,
        9 => Fault::Rewind { changes: number.into() },
        10 => Fault::OutOfOrder { after_events },
        11 => Fault::ObjectFirst,
        12 => Fault::NoBookmarks,
        13 => Fault::LateBookmarks(seconds(number)),
        14 => Fault::LateHead(seconds(number)),
        15 => Fault::Delay(seconds(number)),
        16 => Fault::Idle {
            after: seconds(number),
            end: *pick(&[End::Fin, End::Reset, End::Never], number),
        },
        17 => Fault::Lost,
        18 => {
            Fault::Status { code: *pick(&CODES[..13], number), retry_after: Some(seconds(number)) }
        }
        _ => Fault::Trickle { chunk: usize::from(number) + 1, pause: Duration::from_millis(100) },
    }
}

fn seconds(number: u8) -> Duration {
    Duration::from_secs(u64::from(number) * 4)
}

fn pick<T>(from: &[T], number: u8) -> &T {
    &from[usize::from(number) % from.len()]
}
