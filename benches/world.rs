//! Measures the cost of a world compared with separate stores.
//!
//! `cargo bench --bench world [-- OBJECTS]` publishes single changes through five separate pipelines,
//! through a world of five such kinds, and through a world of five kinds by name, in turn in one
//! process; and applies hypothetical objects to the same snapshots. It prints medians and writes
//! `target/bench/world.json`.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use std::{
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures::{
    FutureExt, Stream, StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
};
use kube::runtime::watcher::Event;
use kube_weir::{
    Change, Document, Error, EventStreamExt, Kinds, Snapshot, World, adapters::Indexed, world,
    worlds::View,
};
use serde_json::json;

use support::{
    measure::{median, micros},
    report::{self, short, table},
};

const KINDS: usize = 5;
const OBJECTS: usize = 20_000;

/// Number of changes published per run, and number of runs.
const CHANGES: usize = 4_000;
const RUNS: usize = 15;

const NAMES: [&str; KINDS] = ["a", "b", "c", "d", "e"];

fn main() {
    // Cargo passes `--bench`; a number is the size.
    let objects = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS);
    let (feeds, owns) = pipelines(objects);
    let mut plain = Subject::new(feeds, InTurn { pipelines: owns.into(), turn: 0 }, KINDS, objects);
    let (feeds, [one, two, three, four, five]) = pipelines(objects);
    let kinds = (("a", one), ("b", two), ("c", three), ("d", four), ("e", five));
    let mut tuple = Subject::new(feeds, world(kinds), 1, objects);
    let (feeds, owns) = pipelines(objects);
    let kinds =
        NAMES.into_iter().zip(owns).fold(Kinds::new(), |kinds, (name, own)| kinds.add(name, own));
    let mut by_name = Subject::new(feeds, world(kinds), 1, objects);

    let mut runs: [Vec<f64>; 8] = Default::default();
    for _ in 0..RUNS {
        let [one, two, three, four, five, six, seven, eight] = &mut runs;
        one.push(plain.publish(|_| 0));
        two.push(tuple.publish(|_| 0));
        three.push(by_name.publish(|_| 0));
        four.push(plain.publish(|change| change.batch().map_or(0, |batch| batch.deltas().len())));
        five.push(tuple.publish(|change| change.batch().map_or(0, |batch| batch.stats().total())));
        six.push(by_name.publish(|change| change.batch().map_or(0, |batch| batch.stats().total())));
        seven.push(overlay(plain.last.snapshot(), objects));
        eight.push(world_overlay(tuple.last.world(), objects));
    }
    let names = [
        "5 stores: one change of one",
        "a world of 5: one change",
        "a world of 5 by name: one change",
        "5 stores: one change of one, and what it is",
        "a world of 5: one change, and what it is",
        "a world of 5 by name: one change, and what it is",
        "an overlay of a snapshot: one object",
        "an overlay of a world: one object",
    ];
    let medians: Vec<f64> = runs.into_iter().map(median).collect();
    let cells: Vec<_> = names
        .iter()
        .zip(&medians)
        .map(|(name, own)| vec![(*name).to_owned(), short(*own)])
        .collect();
    table(&format!("{KINDS} kinds of {objects} objects"), &["what", "µs"], &cells);
    let measured = names.iter().zip(&medians).map(|(name, own)| ((*name).to_owned(), json!(own)));
    report::write("world", &json!({ "objects": objects }), &measured.collect());
}

type Feed = UnboundedSender<Event<Document>>;
type Pipeline = Indexed<UnboundedReceiver<Event<Document>>, Document>;

fn pipeline(objects: usize) -> (Feed, Pipeline) {
    let (feed, events) = unbounded();
    let send = |event| feed.unbounded_send(event).expect("it is open");
    send(Event::Init);
    for number in 0..objects {
        send(Event::InitApply(document(number, 1)));
    }
    send(Event::InitDone);
    (feed, events.index(()))
}

fn pipelines(objects: usize) -> (Vec<Feed>, [Pipeline; KINDS]) {
    let mut feeds = Vec::new();
    let pipelines = NAMES.map(|_| {
        let (feed, own) = pipeline(objects);
        feeds.push(feed);
        own
    });
    (feeds, pipelines)
}

/// Polls pipelines in turn, each until it has an item.
struct InTurn {
    pipelines: Vec<Pipeline>,
    turn: usize,
}

impl Stream for InTurn {
    type Item = Result<Change<Document>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { pipelines, turn } = &mut *self;
        let item = ready!(pipelines[*turn].poll_next_unpin(cx));
        *turn = (*turn + 1) % KINDS;
        Poll::Ready(item)
    }
}

fn document(number: usize, version: usize) -> Document {
    let (namespace, name) = (format!("namespace-{}", number / 10), format!("object-{number}"));
    let json = json!({
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": format!("uid-{number}"),
            "resourceVersion": version.to_string(),
        },
    });
    Document::from_json(&json.to_string()).expect("an object")
}

/// A measured stream with its inputs, and its last item.
struct Subject<S, C> {
    feeds: Vec<Feed>,
    stream: S,
    last: C,
    objects: usize,
    version: usize,
}

impl<S, C> Subject<S, C>
where
    S: Stream<Item = Result<C, Error>> + Unpin,
{
    /// Reads a number of items, and keeps the last one.
    fn new(feeds: Vec<Feed>, mut stream: S, mut items: usize, objects: usize) -> Self {
        loop {
            // The ready items may need several polls.
            let Some(Some(item)) = stream.next().now_or_never() else { continue };
            items -= 1;
            if items == 0 {
                let last = item.expect("no failure");
                return Self { feeds, stream, last, objects, version: 1 };
            }
        }
    }

    /// Returns the microseconds per change, published one by one.
    fn publish(&mut self, look: impl Fn(&C) -> usize) -> f64 {
        let changes: Vec<_> = (0..CHANGES)
            .map(|change| {
                self.version += 1;
                // Objects far apart, so that none is in a cache.
                let number = (self.version * 7_919) % self.objects;
                (change % self.feeds.len(), document(number, self.version))
            })
            .collect();
        let start = Instant::now();
        for (feed, object) in changes {
            self.feeds[feed].unbounded_send(Event::Apply(object)).expect("it is open");
            let item = self.stream.next().now_or_never().flatten().expect("a change");
            self.last = item.expect("no failure");
            black_box(look(&self.last));
        }
        micros(start.elapsed(), CHANGES)
    }
}

fn overlay(snapshot: &Snapshot<Document>, objects: usize) -> f64 {
    each(objects, |object| snapshot.overlay().apply(object).expect("it has a name").build().len())
}

type Five = (
    Snapshot<Document>,
    Snapshot<Document>,
    Snapshot<Document>,
    Snapshot<Document>,
    Snapshot<Document>,
);

fn world_overlay(world: &World<Five>, objects: usize) -> f64 {
    let names = NAMES.map(|name| (name, world.kinds().2.clone()));
    let world = World::from_kinds(kube_weir::worlds::ByName::from_iter(names));
    assert_eq!(View::names(world.kinds()).len(), KINDS);
    each(objects, |object| {
        let what_if = world.overlay().apply_to("c", object).expect("it has a name").build();
        what_if.kinds().len()
    })
}

fn each(objects: usize, mut apply: impl FnMut(Document) -> usize) -> f64 {
    let changes = (0..CHANGES).map(|change| document((change * 7_919) % objects, 0));
    let changes: Vec<_> = changes.collect();
    let start = Instant::now();
    for object in changes {
        black_box(apply(object));
    }
    micros(start.elapsed(), CHANGES)
}
