//! Performance: the costs of each part, and how they were measured.
//!
//! Figures are of one machine, named under each, with two shared cores: read them as ratios.
//! `just bench-peers` and `just figures` measure them again on your machine, in one run and with the same
//! bytes for all; [`benches/README.md`] explains why the comparison is fair.
//!
//! [`benches/README.md`]: https://github.com/kube-weir/kube-weir/blob/main/benches/README.md
//!
//! # A whole client
//!
//! Six clients list and then watch the same objects over loopback HTTP. All drop `metadata.managedFields`
//! and the `status` of Pods, each as early as it can.
//!
#![doc = include_str!("../../docs/figures/memory.svg")]
//!
//! Why: a [`Document`](crate::Document) is one allocation that holds only the fields you kept, with the
//! names of fields stored once for the process. A typed object takes the size of its Rust type, with
//! vectors trimmed to their content. No page is ever in memory: each object is decoded from the bytes as
//! they arrive, so a list adds less than 1 MB and its largest object.
//!
#![doc = include_str!("../../docs/figures/cpu.svg")]
//!
//! Why: dropped fields are skipped in the text, 64 bytes at a time. Nothing is built only to be thrown
//! away.
//!
#![doc = include_str!("../../docs/figures/events.svg")]
//!
//! # Reading beside a writer
//!
//! Readers take a pointer to an immutable snapshot. Readers and writer don't wait for each other:
//!
#![doc = include_str!("../../docs/figures/get.svg")]
//!
//! Three threads on two cores also wait for a core: the times are of the wall clock.
//!
//! [`Store::get`](crate::Store::get) is the fastest single lookup;
//! [`Store::snapshot`](crate::Store::snapshot) counts a reference once, for any number of lookups. A lookup
//! by identity is about as fast as kube's store: faster with few objects, slower with a million objects
//! that no CPU cache holds, because a lookup follows some more pointers and its result never changes. For
//! any other lookup kube's store has to scan all objects, and this library uses an index: ten of 100,000
//! objects are found by a prefix of their key in 5 µs with the index, and in 6.7 ms by the scan.
//!
//! # Publishing
//!
//! A snapshot shares all unchanged parts with its predecessor, so publishing a change among *n* objects
//! costs the depth of a tree:
//!
#![doc = include_str!("../../docs/figures/publish.svg")]
//!
//! # Costs of each operation
//!
//! *n* objects, *h* hits, *k* changes.
//!
//! | operation | time | memory |
//! |---|---|---|
//! | [`Store::snapshot`](crate::Store::snapshot), `clone` of a snapshot | O(1) | a pointer |
//! | [`get`](crate::Snapshot::get) by namespace and name | O(1), a hash | |
//! | [`in_namespace`](crate::Snapshot::in_namespace) | O(log *n* + *h*) | |
//! | [`by(..).get`](crate::IndexView::get) with a whole key | O(log *n* + *h*) | |
//! | the same with the first parts of a key, [`starts_with`](crate::IndexView::starts_with), [`range`](crate::IndexView::range) | O(log *n* + *h* log *h*); in an index of the identity O(log *n* + *h*) | |
//! | [`iter`](crate::Snapshot::iter); `len` | O(*n*); O(1) | |
//! | a published change, for each index whose keys it changes | O(log *n*) | the path to it, until the old snapshot is gone |
//! | a batch: [`deltas`](crate::Batch::deltas), `stats`, [`touched`](crate::Batch::touched) | O(*k* log *n*), on first use | |
//! | a relist | O(*n*) to read; decodes changed objects | at most 1.3 of the steady state |
//! | an index of `metadata.namespace`, `metadata.name`, or the first of them | | none: it is the order of the objects |
//! | any other index | | an entry for each (key, object) pair, and each key's text once |
//! | a consumer that lags | | an old version of each object that changed since |
//! | [`debounce`](crate::EventStreamExt::debounce) | O(1) per batch | two snapshots |
//! | [`overlay`](crate::Snapshot::overlay) | as publishing the applied objects | as publishing |
//! | [`report`](crate::Store::report) | O(*n*) | |
//!
//! # Cooperation with other tasks
//!
//! A poll of a watch reads at most 512 KiB plus the rest of the last object, paid for with the
//! [budget](tokio::task::coop) that tokio gives each task; then other tasks get their turn. A poll of
//! [`index`](crate::EventStreamExt::index) ends after 1,024 events, or after some 16,000 keys. All kinds
//! and stages that one task polls share its budget. One object is decoded and indexed in one go.
//!
//! # Memory over hours
//!
//! `just soak` runs five watches for hours on a real API server that is cut off, stalled, killed and
//! restored from backups, while others write. After each round every store must equal a fresh list, and no
//! more memory may be allocated than before:
//!
#![doc = include_str!("../../docs/figures/soak.svg")]
//!
//! # How to make it fast
//!
//! * [`filter_fields`](crate::Watch::filter_fields) with `metadata.managedFields`, always; with `status` if
//!   you don't read it.
//! * [`Document`](crate::Document) for kinds with many objects of which you read few fields.
//! * One [`FieldPath`](crate::FieldPath), parsed once: plain paths (names, indexes, `*`) have a fast walker
//!   of their own; filters, slices and `..` run in a general engine, which takes several times as long
//!   (`cargo bench --bench path`).
//! * Indexes instead of loops over [`iter`](crate::Snapshot::iter), and
//!   [`touched`](crate::Batch::touched) instead of all.
//! * A [`debounce`](crate::EventStreamExt::debounce) if the work is equal for one change and for ten.
//!
//! # How it was measured
//!
//! Each benchmark compares with its peers in the same run, on generated objects that have the byte shape of
//! a real API server's. Each run of a client is a process of its own, clients take turns, the server is
//! another process, and figures are medians. `target/bench/*.json` has the results, with the machine and
//! the command.
