//! Compares the data structure of a snapshot with alternatives.
//!
//! `cargo bench --bench snapshot [-- MAX_OBJECTS]` prints one table per size and writes
//! `target/bench/snapshot.json`. Objects are allocated in shuffled order, so that they are scattered in
//! memory like those of a long-running store; at 1,000,000 objects cache misses dominate. Every figure is the
//! median of several runs.

use std::{
    alloc::System,
    cmp::Ordering,
    collections::HashSet,
    hash::{BuildHasher, Hash, Hasher},
    hint::black_box,
    sync::Arc,
};

use foldhash::fast::FixedState;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[path = "../src/snapshot/chunk.rs"]
mod chunk;
#[allow(dead_code, reason = "the benchmark uses a part")]
#[path = "../src/snapshot/heap.rs"]
mod heap;
#[path = "../src/snapshot/iter.rs"]
mod iter;
#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;
#[allow(dead_code, reason = "the benchmark uses a part")]
#[path = "../src/snapshot/tree.rs"]
mod tree;
#[allow(dead_code, reason = "the benchmark uses a part")]
#[path = "../src/snapshot/trie.rs"]
mod trie;

use heap::{Heap, Slot};
use support::{
    measure::{float, nanoseconds},
    report,
};
use tree::Tree;
use trie::Trie;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Objects per namespace, and so hits per prefix lookup.
const HITS: usize = 10;

fn main() {
    // Cargo passes `--bench`; a number limits the size.
    let max = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(usize::MAX);
    let mut tables = serde_json::Map::new();
    for size in SIZES.into_iter().filter(|size| *size <= max) {
        let world = World::new(size);
        let rows = vec![
            world.measure::<Cloned>("std HashSet, cloned"),
            world.measure::<ImblHash>("imbl HashMap"),
            world.measure::<ImblOrd>("imbl OrdMap"),
            world.measure::<Rpds>("rpds HashTrieMap"),
            world.measure::<Shards>("1,024 shards, cloned"),
            world.measure::<Tree<ByIdentity>>("tree alone"),
            world.measure::<Slots>("heap, trie and tree"),
        ];
        print(size, &rows);
        let rows = rows.iter().map(|row| (row.candidate.to_owned(), row.json()));
        tables.insert(size.to_string(), rows.collect());
    }
    report::write("snapshot", &serde_json::Value::Null, &tables.into());
}

type Object = triomphe::Arc<Stored>;

/// An object as in a store: its identity, its hash, and something to read.
struct Stored {
    namespace: Box<str>,
    name: Box<str>,
    hash: u64,
    payload: [u64; 4],
}

impl Stored {
    fn new(namespace: &str, name: &str, payload: u64) -> Object {
        triomphe::Arc::new(Self {
            namespace: namespace.into(),
            name: name.into(),
            hash: hash(namespace, name),
            payload: [payload; 4],
        })
    }

    fn identity(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

fn hash(namespace: &str, name: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    namespace.hash(&mut hasher);
    name.hash(&mut hasher);
    hasher.finish()
}

/// The object itself as the key of a map, so that no candidate pays for additional strings.
#[derive(Clone)]
struct ByIdentity(Object);

impl ByIdentity {
    fn new(namespace: &str, name: &str, payload: u64) -> Self {
        Self(Stored::new(namespace, name, payload))
    }
}

impl PartialEq for ByIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.identity() == other.0.identity()
    }
}

impl Eq for ByIdentity {}

impl PartialOrd for ByIdentity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByIdentity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.identity().cmp(&other.0.identity())
    }
}

impl Hash for ByIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

/// A data structure for snapshots. A publish starts with `Clone`.
trait Candidate: Clone + Default {
    /// Builds the structure from ascending objects.
    fn load(objects: &[ByIdentity]) -> Self {
        Self::grow(objects.iter())
    }

    fn grow<'a>(objects: impl Iterator<Item = &'a ByIdentity>) -> Self {
        let mut grown = Self::default();
        objects.for_each(|object| grown.put(object.clone()));
        grown
    }

    fn put(&mut self, object: ByIdentity);

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity>;

    /// Reads all objects in order; returns the sum of their payloads.
    fn ordered(&self) -> u64;

    /// Reads the objects of a namespace, which `start` directly precedes; `None` if that needs a scan of all
    /// objects.
    fn prefix(&self, _start: &ByIdentity) -> Option<u64> {
        None
    }
}

fn read<'a>(objects: impl Iterator<Item = &'a ByIdentity>) -> u64 {
    objects.map(|object| object.0.payload[0]).sum()
}

fn sorted<'a>(objects: impl Iterator<Item = &'a ByIdentity>) -> u64 {
    let mut objects: Vec<_> = objects.collect();
    objects.sort_unstable();
    read(objects.into_iter())
}

fn starts_with(start: &ByIdentity) -> impl Fn(&&ByIdentity) -> bool {
    |object| object.0.namespace == start.0.namespace
}

type Identities = HashSet<ByIdentity, FixedState>;

#[derive(Clone, Default)]
struct Cloned(Identities);

impl Candidate for Cloned {
    fn load(objects: &[ByIdentity]) -> Self {
        Self(objects.iter().cloned().collect())
    }

    fn put(&mut self, object: ByIdentity) {
        self.0.replace(object);
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.0.get(probe)
    }

    fn ordered(&self) -> u64 {
        sorted(self.0.iter())
    }
}

#[derive(Clone)]
struct Shards(Vec<Arc<Identities>>);

impl Default for Shards {
    fn default() -> Self {
        Self((0..1024).map(|_| Arc::default()).collect())
    }
}

impl Shards {
    fn index(object: &ByIdentity) -> usize {
        // The table within uses the low and the topmost bits.
        usize::try_from(object.0.hash >> 32).expect("64 bits") % 1024
    }
}

impl Candidate for Shards {
    fn put(&mut self, object: ByIdentity) {
        Arc::make_mut(&mut self.0[Self::index(&object)]).replace(object);
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.0[Self::index(probe)].get(probe)
    }

    fn ordered(&self) -> u64 {
        sorted(self.0.iter().flat_map(|shard| shard.iter()))
    }
}

type ImblHash =
    imbl::GenericHashMap<ByIdentity, (), FixedState, imbl::shared_ptr::DefaultSharedPtr>;

impl Candidate for ImblHash {
    fn put(&mut self, object: ByIdentity) {
        self.insert(object, ());
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.get_key_value(probe).map(|(found, ())| found)
    }

    fn ordered(&self) -> u64 {
        sorted(self.keys())
    }
}

type ImblOrd = imbl::OrdMap<ByIdentity, ()>;

impl Candidate for ImblOrd {
    fn put(&mut self, object: ByIdentity) {
        self.insert(object, ());
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.get_key_value(probe).map(|(found, ())| found)
    }

    fn ordered(&self) -> u64 {
        read(self.keys())
    }

    fn prefix(&self, start: &ByIdentity) -> Option<u64> {
        Some(read(
            self.range::<_, ByIdentity>(start..)
                .map(|(object, ())| object)
                .take_while(starts_with(start)),
        ))
    }
}

type Rpds = rpds::HashTrieMapSync<ByIdentity, (), FixedState>;

impl Candidate for Rpds {
    fn put(&mut self, object: ByIdentity) {
        self.insert_mut(object, ());
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.get_key_value(probe).map(|(found, ())| found)
    }

    fn ordered(&self) -> u64 {
        sorted(self.keys())
    }
}

impl Candidate for Tree<ByIdentity> {
    fn load(objects: &[ByIdentity]) -> Self {
        Self::from_sorted(objects.to_vec())
    }

    fn put(&mut self, object: ByIdentity) {
        let sought = object.clone();
        self.insert(object, |other| other.cmp(&sought));
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        Tree::get(self, |object| object.cmp(probe))
    }

    fn ordered(&self) -> u64 {
        read(self.iter())
    }

    fn prefix(&self, start: &ByIdentity) -> Option<u64> {
        Some(read(self.range(|object| object.0.namespace.cmp(&start.0.namespace))))
    }
}

/// The structure in use: objects in a heap, and a trie and a tree of their slots.
#[derive(Clone, Default)]
struct Slots {
    heap: Heap<ByIdentity>,
    trie: Trie<Slot>,
    tree: Tree<Slot>,
}

impl Slots {
    fn slot(&self, probe: &ByIdentity) -> Option<Slot> {
        self.trie.get(probe.0.hash, |slot| self.heap.at(*slot) == probe).copied()
    }
}

impl Candidate for Slots {
    fn load(objects: &[ByIdentity]) -> Self {
        let heap: Heap<_> = objects.iter().cloned().collect();
        let slots: Vec<Slot> = heap.slots().collect();
        let hash_of = |slot: &Slot| heap.at(*slot).0.hash;
        let trie = Trie::load(slots.iter().map(|slot| (hash_of(slot), *slot)), &hash_of);
        Self { trie, tree: Tree::from_sorted(slots), heap }
    }

    fn put(&mut self, object: ByIdentity) {
        if let Some(slot) = self.slot(&object) {
            self.heap.replace(slot, object);
            return;
        }
        let slot = self.heap.push(object.clone());
        self.trie.insert(object.0.hash, slot, &|slot| self.heap.at(*slot).0.hash);
        self.tree.insert(slot, |other| self.heap.at(*other).cmp(&object));
    }

    fn get(&self, probe: &ByIdentity) -> Option<&ByIdentity> {
        self.slot(probe).map(|slot| self.heap.at(slot))
    }

    fn ordered(&self) -> u64 {
        read(self.tree.iter().map(|slot| self.heap.at(*slot)))
    }

    fn prefix(&self, start: &ByIdentity) -> Option<u64> {
        let side = |slot: &Slot| self.heap.at(*slot).0.namespace.cmp(&start.0.namespace);
        Some(read(self.tree.range(side).map(|slot| self.heap.at(*slot))))
    }
}

/// The objects of one size, with lookups and changes.
struct World {
    objects: Vec<ByIdentity>,
    /// Keys to look up, and namespaces to list: separate strings, like those of a caller.
    probes: Vec<ByIdentity>,
    starts: Vec<ByIdentity>,
    /// Seven replacements, then one new object, and so on.
    changes: Vec<ByIdentity>,
}

impl World {
    fn new(size: usize) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let namespace = |i: usize| format!("team-{:06}", i / HITS);
        let name = |i: usize| {
            format!("web-{:08x}-{:02}", i.wrapping_mul(0x9e37_79b1) % (1 << 32), i % HITS)
        };
        let mut order: Vec<_> = (0..size).collect();
        random.shuffle(&mut order);
        let build = |i: &usize| ByIdentity::new(&namespace(*i), &name(*i), 1);
        let mut objects: Vec<_> = order.iter().map(build).collect();
        objects.sort_unstable();
        random.shuffle(&mut order);
        let asked = || order.iter().take(200_000);
        Self {
            objects,
            probes: asked().map(build).collect(),
            starts: asked().map(|i| ByIdentity::new(&namespace(*i), "", 0)).collect(),
            changes: (asked().zip(0_usize..))
                .map(|(i, n)| match n % 8 {
                    7 => ByIdentity::new(&namespace(*i), &format!("new-{n}"), 1),
                    _ => build(i),
                })
                .collect(),
        }
    }

    fn measure<C: Candidate>(&self, candidate: &'static str) -> Row {
        let mut grow_order: Vec<&ByIdentity> = self.objects.iter().collect();
        Random(7).shuffle(&mut grow_order);
        let (grown_overhead, grown) =
            overhead(self.objects.len(), || C::grow(grow_order.iter().copied()));
        drop(grown);
        let (overhead, mut current) = overhead(self.objects.len(), || C::load(&self.objects));
        self.check(&current);

        let mut probes = self.probes.iter().cycle();
        let get =
            nanoseconds(1, || u64::from(current.get(probes.next().expect("endless")).is_some()));
        let mut starts = self.starts.iter().cycle();
        let prefix = (current.prefix(&self.starts[0]).is_some()).then(|| {
            nanoseconds(1, || current.prefix(starts.next().expect("endless")).unwrap_or(0))
        });
        let ordered = nanoseconds(self.objects.len(), || current.ordered());

        let mut changes = self.changes.iter().cycle().cloned();
        // The reader holds the previous state, so the first change of a publish can't modify a node in place.
        let mut publish = |batch: usize| {
            let mut reader = current.clone();
            nanoseconds(batch, || {
                let mut next = current.clone();
                changes.by_ref().take(batch).for_each(|object| next.put(object));
                reader = std::mem::replace(&mut current, next);
                black_box(&reader);
                0
            })
        };
        Row {
            candidate,
            get,
            prefix,
            ordered,
            publish: publish(1) / 1e3,
            batched: publish(1000) / 1e3,
            overhead,
            grown_overhead,
        }
    }

    /// Checks that the structure returns correct results.
    fn check<C: Candidate>(&self, loaded: &C) {
        let size = u64::try_from(self.objects.len()).expect("64 bits");
        assert_eq!(loaded.ordered(), size);
        let namespace = loaded.prefix(&self.starts[0]).unwrap_or(10);
        assert_eq!(namespace, 10);
        let mut changed = loaded.clone();
        for change in self.changes.iter().take(64) {
            changed.put(change.clone());
            let found = changed.get(change).expect("just put in");
            assert!(triomphe::Arc::ptr_eq(&found.0, &change.0));
        }
        assert_eq!(changed.ordered(), size + 8);
        assert_eq!(loaded.ordered(), size);
    }
}

/// Returns the bytes per object that a value keeps on the heap.
fn overhead<C>(size: usize, build: impl FnOnce() -> C) -> (f64, C) {
    let before = ALLOCATOR.stats();
    let value = build();
    let after = ALLOCATOR.stats() - before;
    (float(after.bytes_allocated - after.bytes_deallocated) / float(size), value)
}

struct Row {
    candidate: &'static str,
    get: f64,
    prefix: Option<f64>,
    ordered: f64,
    publish: f64,
    batched: f64,
    overhead: f64,
    grown_overhead: f64,
}

impl Row {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "get_ns": self.get,
            "prefix_of_10_ns": self.prefix,
            "ordered_ns_per_item": self.ordered,
            "publish_1_us": self.publish,
            "publish_1000_us_per_change": self.batched,
            "overhead_bytes_per_entry": self.overhead,
            "overhead_grown_one_by_one_bytes_per_entry": self.grown_overhead,
        })
    }
}

fn print(size: usize, rows: &[Row]) {
    println!("\n{size} objects\n");
    println!(
        "| structure            | get ns | prefix of {HITS} ns | ordered ns/item | publish 1 µs | publish 1,000 µs/change \
         | bytes/entry, loaded | grown |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in rows {
        let prefix = row.prefix.map_or("-".into(), |ns| format!("{ns:.0}"));
        println!(
            "| {:20} | {:6.0} | {prefix:>15} | {:15.1} | {:12.2} | {:23.2} | {:19.1} | {:5.1} |",
            row.candidate,
            row.get,
            row.ordered,
            row.publish,
            row.batched,
            row.overhead,
            row.grown_overhead
        );
    }
}

/// Xorshift: the order must be the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("64 bits") % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
