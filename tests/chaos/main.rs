//! Whole pipelines on a real kube-apiserver, while the way to it breaks in every way and the server
//! itself goes down and comes back.
//!
//! Rounds of chaos and of quiet: in each quiet every consumer must come to what a fresh list has,
//! and no more memory may be held than in the quiet before. A binary of its own, because it counts
//! all that its process allocates.
//!
//! It takes some 20 seconds. `WEIR_CHAOS_SECONDS` says how long instead, and then memory over time is
//! written to `target/bench/soak.json`. `WEIR_CHAOS_SEED` says what to choose again: which faults, not
//! how they meet what goes on at the same time.

mod consumer;
mod memory;
mod proxy;
mod requests;
mod storm;
mod world;
mod writers;

#[path = "../it/apiserver/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the other tests need more of it")]
mod apiserver;
#[path = "../it/live/listed.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod listed;
#[path = "../../benches/support/measure.rs"]
#[expect(dead_code, reason = "benchmarks need more of it")]
mod measure;
#[path = "../it/random.rs"]
mod random;
#[path = "../../benches/support/report.rs"]
#[expect(dead_code, reason = "benchmarks need more of it")]
mod report;
#[path = "../../benches/support/run.rs"]
mod run;

use std::{
    alloc::System,
    collections::hash_map::RandomState,
    env,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use cap::Cap;
use tokio::time::{Instant, sleep, timeout};

use memory::Memory;
use random::Random;
use world::World;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// How long it takes, unless said otherwise.
const LENGTH: Duration = Duration::from_secs(20);

/// How long the chaos of one round lasts at the most.
const ROUND: Duration = Duration::from_secs(30);

/// The buffers of a connection at the most: hyper reads into 400 KiB, and TLS needs more.
const BUFFERS: usize = 512 << 10;

/// The memory that may be left when all pipelines are gone: a process has some things once, such as tables of
/// threads and clients. All objects of the test are 400 KiB, in each of the pipelines.
const LEFT: usize = 1 << 20;

/// Longest wait for an answer where nothing is in the way.
const SOON: Duration = Duration::from_secs(40);

const TIERS: [&str; 4] = ["front", "middle", "back", "none"];

/// SEMANTICS: I3, I5, I7, I8, I11, S7, S9, W4, W5, W8, W9
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_consumers_survive_all_faults() {
    let Some(cluster) = apiserver::exclusive().await else {
        return;
    };
    let asked = number("WEIR_CHAOS_SECONDS").map(Duration::from_secs);
    let length = asked.unwrap_or(LENGTH);
    let seed =
        number("WEIR_CHAOS_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    say(&format!("chaos: WEIR_CHAOS_SECONDS={} WEIR_CHAOS_SEED={seed}", length.as_secs()));
    let mut random = Random::new(seed);
    let begun = Instant::now();
    let mut memory = Memory::record(length);
    let before = ALLOCATOR.allocated();
    let mut world = World::begin(cluster).await;
    let mut first = None;
    let mut rounds = 0;
    while rounds < 2 || begun.elapsed() < length {
        let until = Instant::now() + ROUND.min(length / 3);
        world.storm(&mut random, rounds, until).await;
        let took = world.quiet().await;
        world.settle().await;
        rounds += 1;
        memory.quiet();
        if asked.is_some() {
            memory.write(length, seed);
        }
        let (held, connections) = (ALLOCATOR.allocated() - before, world.proxy.open());
        say(&format!(
            "chaos: round {rounds}: equal after {took:.1?}; {} KiB held, {connections} connections",
            held >> 10
        ));
        // Each round ends with the same objects, after thousands of changes. What may differ is
        // what the connections have for buffers.
        let first = *first.get_or_insert(held);
        assert!(held < first + connections * BUFFERS, "memory grows: {held} after {first} bytes");
    }
    let most = ALLOCATOR.max_allocated() - before;
    say(&format!("chaos: {rounds} rounds in {} s", begun.elapsed().as_secs()));
    world.report();
    let _cluster = world.end().await;
    let left = left(before).await;
    say(&format!("chaos: at most {} KiB held; {} KiB left in the end", most >> 10, left >> 10));
    assert!(left < LEFT, "{left} bytes outlive what they were for");
}

/// Returns the memory that is still held after the tasks of all connections have had the time to end.
async fn left(before: usize) -> usize {
    let begun = Instant::now();
    loop {
        let left = ALLOCATOR.allocated().saturating_sub(before);
        if left < LEFT || begun.elapsed() > SOON {
            return left;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}

/// Waits for what must happen.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: not in {SOON:?}"))
}

/// Writes to the real stderr: libtest captures what `eprint!` writes.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
