//! Steps of a schedule. A script prints as Rust, to be pasted as a regression test.

use std::{fmt, time::Duration};

use kube_weir::{
    Debounce,
    testing::{Answer, End, Fault, On, Verb},
};
use proptest::{prelude::*, sample::select};
use serde_json::json;

use super::Kind;

/// A pipeline and its events.
#[derive(Clone)]
pub(super) struct Schedule {
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) streaming_list: bool,
    pub(super) page_size: u32,
    pub(super) namespaces: Namespaces,
    pub(super) select: Select,
    pub(super) stages: Stages,
    pub(super) progress: bool,
    pub(super) pace: Pace,
    /// A time in seconds.
    pub(super) watch_timeout: u64,
}

/// The number of watched namespaces, of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// A single list and watch for all namespaces.
    Every,
    One,
    /// A list and watch for each.
    Both,
}

/// Selection of the watched objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Select {
    All,
    /// Objects with `on`, selected by the API server.
    Labels,
    /// Objects with `on`, selected by the client, on a dropped field.
    Fields,
}

/// Source of the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stages {
    /// The watch's own methods, which decode less.
    Own,
    /// The methods of any stream.
    Any,
}

/// Debounce of a consumer, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    AtOnce,
    Interval(u64),
    Quiet(u64),
    /// A silence and a ceiling.
    Capped(u64, u64),
}

/// Objects and consumers are chosen by number, times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Creates an object, or updates it.
    Put(u8, Content),
    Delete(u8),
    /// Deletes an object and creates it anew.
    Renew(u8, Content),
    /// A number of objects in a row, from one on.
    Burst(u8, u8),
    /// Compacts the history for new requests.
    Compact,
    /// Compacts the history for open watches, too.
    Forget,
    /// Ends all open watches.
    Disconnect,
    Bookmark,
    /// Sets whether the server has streaming lists.
    Streams(bool),
    /// After a number of requests, this fault applies to a number of them.
    List(usize, usize, Trouble),
    Watch(usize, usize, Trouble),
    /// Adds a consumer of the store's changes.
    Join(Pace),
    /// Drops a consumer; the pipeline's own is never dropped.
    Leave(usize),
    /// Makes a consumer busy for a time.
    Stall(usize, u64),
    /// The server is away for a number of seconds, and returns from a backup that lacks a number of
    /// writes, with a number of new ones.
    Restore(u64, u64, u8),
    /// Revokes rights in one namespace, or grants them again.
    Forbid(Place),
    Allow(Place),
    /// Flushes the pipeline's debounce.
    Flush,
    /// Polls everything a number of times, without time passing.
    Turn(u8),
    Wait(u64),
}

/// A namespace, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    InA,
    InB,
}

/// An answer that is not from an API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// A login page, as a success.
    Page,
    /// An error page of a proxy.
    Gateway(u16),
    /// A `Status` with this code, as a success.
    Status(u16),
    /// An empty body, or an empty object.
    Nothing,
    Empty,
    /// A list of kinds.
    Discovery,
    /// A list without a kind and version.
    Nameless,
    /// Lines of bytes that are no text.
    Noise,
    /// Events of an unknown type, without an object, and with half of an object.
    Unknown,
    Bare,
    Half,
    /// A bookmark without a version, then silence.
    Unversioned,
}

/// The content of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    On(u8),
    Off(u8),
}

/// A fault, with times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Status(u16),
    /// 429 with a delay in seconds.
    Busy(u64),
    Refused,
    /// The request is carried out, and the answer is lost.
    Unanswered,
    Late(u64),
    Disconnected(usize),
    /// Broken off after a number of bytes.
    Cut(usize),
    Torn(usize),
    Silent(usize),
    /// An `ERROR` event.
    Says(u16, usize),
    /// An object that can't be decoded.
    Garbled(u8),
    Twice,
    /// The last event, or a number of earlier ones, are repeated.
    Again(u64),
    /// Two events in the wrong order.
    Swapped(usize),
    ObjectFirst,
    NoBookmarks,
    LateBookmarks(u64),
    /// Chunks of a number of bytes, with a pause before each.
    Trickles(usize, u64),
    /// The whole answer is delayed.
    Held(u64),
    /// A clean end after a number of events.
    Ends(usize),
    /// An end after silence: clean, by a reset, or without notice.
    Idles(u64, Ending),
    /// A proxy answers.
    Odd(Odd),
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    InOrder,
    Reset,
    Unseen,
}

impl Schedule {
    /// Returns whether a watch may send untrue states, or states out of order.
    pub(super) fn is_disordered(&self) -> bool {
        self.steps
            .iter()
            .filter_map(|step| step.trouble())
            .any(|(_, _, trouble)| matches!(trouble, Trouble::Swapped(_) | Trouble::Again(2..)))
    }
}

impl Trouble {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Status(code) => Fault::status(code),
            Self::Busy(seconds) => Fault::too_many_requests(Duration::from_secs(seconds)),
            Self::Refused => Fault::Refused,
            Self::Unanswered => Fault::Lost,
            Self::Late(ms) => Fault::Delay(Duration::from_millis(ms)),
            Self::Disconnected(after_events) => Fault::Disconnect { after_events },
            Self::Cut(after_bytes) => Fault::Cut { after_bytes },
            Self::Torn(after_events) => Fault::Torn { after_events },
            Self::Silent(after_events) => Fault::Stall { after_events },
            Self::Says(code, after_events) => Fault::ErrorEvent { code, after_events },
            Self::Garbled(id) => Fault::Garble { name: name(id) },
            Self::Twice => Fault::Duplicate,
            Self::Again(changes) => Fault::Rewind { changes },
            Self::Swapped(after_events) => Fault::OutOfOrder { after_events },
            Self::ObjectFirst => Fault::ObjectFirst,
            Self::NoBookmarks => Fault::NoBookmarks,
            Self::LateBookmarks(ms) => Fault::LateBookmarks(Duration::from_millis(ms)),
            Self::Trickles(chunk, ms) => Fault::Trickle { chunk, pause: Duration::from_millis(ms) },
            Self::Held(ms) => Fault::LateHead(Duration::from_millis(ms)),
            Self::Ends(after_events) => Fault::End { after_events },
            Self::Idles(ms, ending) => {
                let end = match ending {
                    Ending::InOrder => End::Fin,
                    Ending::Reset => End::Reset,
                    Ending::Unseen => End::Never,
                };
                Fault::Idle { after: Duration::from_millis(ms), end }
            }
            Self::Odd(odd) => Fault::Answer(odd.answer()),
        }
    }
}

impl Odd {
    fn answer(self) -> Answer {
        let page = |code| {
            let page = "<!doctype html>\n<html><body>Please log in</body></html>\n";
            Answer::new(code).header("content-type", "text/html").chunk(page)
        };
        let json = |body| Answer::json(200, &body);
        match self {
            Self::Page => page(200),
            Self::Gateway(code) => page(code),
            Self::Status(code) => json(json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                "reason": "Odd", "message": "an odd failure",
            })),
            Self::Nothing => Answer::new(200),
            Self::Empty => json(json!({})),
            Self::Discovery => json(json!({
                "kind": "APIResourceList", "groupVersion": "v1", "resources": [],
            })),
            Self::Nameless => json(json!({ "metadata": {}, "items": [] })),
            Self::Noise => Answer::new(200).chunk(&b"\xff\xfe{\n\n}}\"\n"[..]),
            Self::Unknown => Answer::lines([json!({ "type": "MOVED", "object": {} })]),
            Self::Bare => Answer::lines([json!({ "type": "ADDED" })]),
            Self::Half => Answer::new(200).chunk("{\"type\":\"ADDED\",\"object\":{\"meta"),
            Self::Unversioned => {
                let object = json!({ "kind": "ConfigMap", "metadata": { "resourceVersion": "" } });
                let bookmark = json!({ "type": "BOOKMARK", "object": object });
                Answer::lines([bookmark]).end(End::Never)
            }
        }
    }
}

impl Place {
    pub(super) fn on(self) -> On {
        match self {
            Self::Anywhere => On::any(),
            Self::InA => On::any().namespace("a"),
            Self::InB => On::any().namespace("b"),
        }
    }
}

impl Step {
    /// A failure of lists or watches: the matching requests, their number, and the fault.
    pub(super) fn trouble(self) -> Option<(On, usize, Trouble)> {
        match self {
            Self::List(skip, times, trouble) => {
                Some((On::verb(Verb::List).skip(skip), times, trouble))
            }
            Self::Watch(skip, times, trouble) => {
                Some((On::verb(Verb::Watch).skip(skip), times, trouble))
            }
            _ => None,
        }
    }
}

impl Pace {
    pub(super) fn debounce(self) -> Option<Debounce> {
        let ms = Duration::from_millis;
        match self {
            Self::AtOnce => None,
            Self::Interval(interval) => Some(Debounce::interval(ms(interval))),
            Self::Quiet(silence) => Some(Debounce::quiet(ms(silence)).into()),
            Self::Capped(silence, most) => {
                Some(Debounce::quiet(ms(silence)).max_wait(ms(most)).into())
            }
        }
    }
}

/// Objects are in one of two namespaces.
pub(super) fn namespace(id: u8) -> &'static str {
    if id.is_multiple_of(2) { "a" } else { "b" }
}

pub(super) fn name(id: u8) -> String {
    format!("o{id}")
}

/// Maximum number of objects.
pub(super) const OBJECTS: u8 = 9;

/// Objects that only serve to detect a loss, one in each namespace.
pub(super) const WITNESSES: [u8; 2] = [10, 11];

pub(super) fn schedule(kind: Kind) -> impl Strategy<Value = Schedule> {
    // Objects that exist from the start, so that the first list can fail.
    let first = prop::option::of((1..=OBJECTS).prop_map(|count| Step::Burst(0, count)));
    let steps = prop::collection::vec(step(kind).boxed(), 1..60);
    (setup(), first, steps).prop_map(|(setup, first, steps)| Schedule {
        setup,
        steps: first.into_iter().chain(steps).collect(),
    })
}

fn setup() -> impl Strategy<Value = Setup> {
    let namespaces = prop_oneof![2 => Just(Namespaces::Every), 1 => Just(Namespaces::One), 1 => Just(Namespaces::Both)];
    (
        any::<bool>(),
        1..5_u32,
        namespaces,
        select(&[Select::All, Select::Labels, Select::Fields][..]),
        select(&[Stages::Own, Stages::Any][..]),
        any::<bool>(),
        pace(),
        select(&[290, 290, 45][..]),
    )
        .prop_map(
            |(
                streaming_list,
                page_size,
                namespaces,
                select,
                stages,
                progress,
                pace,
                watch_timeout,
            )| {
                Setup {
                    streaming_list,
                    page_size,
                    namespaces,
                    select,
                    stages,
                    progress,
                    pace,
                    watch_timeout,
                }
            },
        )
}

fn pace() -> impl Strategy<Value = Pace> {
    prop_oneof![
        Just(Pace::AtOnce),
        select(&[0, 100, 2000][..]).prop_map(Pace::Interval),
        select(&[50, 1000][..]).prop_map(Pace::Quiet),
        select(&[(50, 20), (100, 300)][..]).prop_map(|(silence, most)| Pace::Capped(silence, most)),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![3 => (0..4_u8).prop_map(Content::On), 1 => (0..4_u8).prop_map(Content::Off)]
}

fn step(kind: Kind) -> impl Strategy<Value = Step> {
    let id = || 0..OBJECTS;
    let calls = || (prop_oneof![2 => Just(0_usize), 1 => 1..3_usize], 1..4_usize);
    prop_oneof![
        12 => (id(), content()).prop_map(|(id, content)| Step::Put(id, content)),
        6 => id().prop_map(Step::Delete),
        2 => (id(), content()).prop_map(|(id, content)| Step::Renew(id, content)),
        4 => (id(), 2..8_u8).prop_map(|(id, count)| Step::Burst(id, count)),
        4 => Just(Step::Compact),
        1 => Just(Step::Forget),
        4 => Just(Step::Disconnect),
        2 => Just(Step::Bookmark),
        1 => any::<bool>().prop_map(Step::Streams),
        5 => (calls(), trouble(kind)).prop_map(|((skip, times), trouble)| Step::List(skip, times, trouble)),
        7 => (calls(), trouble(kind)).prop_map(|((skip, times), trouble)| Step::Watch(skip, times, trouble)),
        2 => pace().prop_map(Step::Join),
        1 => (1..4_usize).prop_map(Step::Leave),
        2 => (0..3_usize, select(&[100, 1500, 30_000][..])).prop_map(|(who, ms)| Step::Stall(who, ms)),
        2 => (1..20_u64, select(&[4, 12, 60][..]), 0..12_u8)
            .prop_map(|(writes, seconds, new)| Step::Restore(writes, seconds, new)),
        2 => place().prop_map(Step::Forbid),
        2 => place().prop_map(Step::Allow),
        1 => Just(Step::Flush),
        8 => (1..24_u8).prop_map(Step::Turn),
        16 => select(&[1, 40, 250, 1200, 8000, 65_000][..]).prop_map(Step::Wait),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    select(&[Place::Anywhere, Place::InA, Place::InB][..])
}

fn odd() -> impl Strategy<Value = Odd> {
    prop_oneof![
        select(&[400, 502, 503, 504][..]).prop_map(Odd::Gateway),
        select(&[401, 410, 429, 500, 504][..]).prop_map(Odd::Status),
        select(&[Odd::Page, Odd::Nothing, Odd::Empty, Odd::Discovery, Odd::Nameless][..]),
        select(&[Odd::Noise, Odd::Unknown, Odd::Bare, Odd::Half, Odd::Unversioned][..]),
    ]
}

fn trouble(kind: Kind) -> impl Strategy<Value = Trouble> {
    const ENDINGS: [Ending; 3] = [Ending::InOrder, Ending::Reset, Ending::Unseen];
    const CODES: [u16; 9] = [400, 401, 403, 404, 410, 422, 500, 503, 504];
    let events = || 0..4_usize;
    let (often, of_kind) = match kind {
        Kind::ConfigMap => (3, (0..OBJECTS).prop_map(Trouble::Garbled).boxed()),
        // A document accepts any JSON.
        Kind::Document => (3, Just(Trouble::Twice).boxed()),
        Kind::Disorder => {
            let again = (2..6_u64).prop_map(Trouble::Again);
            (30, prop_oneof![again, events().prop_map(Trouble::Swapped)].boxed())
        }
    };
    prop_oneof![
        4 => select(&CODES[..]).prop_map(Trouble::Status),
        1 => (1..40_u64).prop_map(Trouble::Busy),
        2 => Just(Trouble::Refused),
        1 => Just(Trouble::Unanswered),
        2 => select(&[30, 3000, 90_000][..]).prop_map(Trouble::Late),
        3 => events().prop_map(Trouble::Disconnected),
        2 => (0..1500_usize).prop_map(Trouble::Cut),
        3 => events().prop_map(Trouble::Torn),
        1 => events().prop_map(Trouble::Silent),
        3 => (select(&[410, 500, 429][..]), events()).prop_map(|(code, after)| Trouble::Says(code, after)),
        often => of_kind,
        1 => Just(Trouble::Twice),
        1 => Just(Trouble::Again(1)),
        1 => Just(Trouble::ObjectFirst),
        1 => Just(Trouble::NoBookmarks),
        1 => select(&[100, 20_000, 90_000][..]).prop_map(Trouble::LateBookmarks),
        1 => (7..300_usize, 0..3_u64).prop_map(|(chunk, ms)| Trouble::Trickles(chunk, ms)),
        1 => select(&[2000, 20_000, 90_000][..]).prop_map(Trouble::Held),
        2 => events().prop_map(Trouble::Ends),
        2 => (select(&[1000, 45_000][..]), select(&ENDINGS[..]))
            .prop_map(|(ms, ending)| Trouble::Idles(ms, ending)),
        4 => odd().prop_map(Trouble::Odd),
    ]
}

/// Writes the script as Rust, one step per line.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Schedule {{\n    setup: {:?},\n    steps: vec![", self.setup)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "        {step:?},"))?;
        f.write_str("    ],\n}")
    }
}
