//! What it costs, where, and how that was measured.
//!
//! Figures are of one machine, named under each, with two shared cores: read them as ratios.
//! `just bench-peers` and `just figures` make them anew on yours, in one run and on the same bytes
//! for all; [`benches/README.md`] says what makes the comparison fair.
//!
//! [`benches/README.md`]: https://github.com/kube-weir/kube-weir/blob/main/benches/README.md
//!
//! # A whole client
//!
//! Six clients list and then watch the same objects over loopback HTTP. All drop
//! `metadata.managedFields` and the `status` of Pods, as early as each can.
//!
#![doc = include_str!("../../docs/figures/memory.svg")]
//!
//! Why: a [`Document`](crate::Document) is one allocation that holds what you kept and nothing else,
//! with the names of fields kept once for the process. A typed object is what the Rust type takes,
//! with vectors no larger than what is in them. No page is ever in memory: an object is made from the
//! bytes where they arrive, so a list adds less than 1 MB and its largest object.
//!
#![doc = include_str!("../../docs/figures/cpu.svg")]
//!
//! Why: fields that are dropped are stepped over in the text, 64 bytes at a time. Nothing is built to
//! be thrown away.
//!
#![doc = include_str!("../../docs/figures/events.svg")]
//!
//! # Reading beside a writer
//!
//! Readers take a pointer to an immutable snapshot. They don't wait for the writer, and it doesn't
//! for them:
//!
#![doc = include_str!("../../docs/figures/get.svg")]
//!
//! Three threads on two cores wait for a core, too: the times are of the wall clock.
//!
//! [`Store::get`](crate::Store::get) is the fastest single lookup;
//! [`Store::snapshot`](crate::Store::snapshot) counts a reference once, for as many lookups as you
//! like on what it gave. By identity that is about as fast as kube's store, faster where few objects
//! are, slower where a million are that no cache holds: a lookup follows some pointers more, and what it
//! gave stays as it is. By anything else kube's store has to look at all objects, and this takes an index:
//! ten objects of 100,000 by a prefix of their key are found in 5 µs there, which took 6.7 ms.
//!
//! # Publishing
//!
//! A snapshot shares with the one before all that did not change, so publishing a change among *n*
//! objects costs the depth of a tree:
//!
#![doc = include_str!("../../docs/figures/publish.svg")]
//!
//! # What each thing costs
//!
//! *n* objects, *h* hits, *k* changes.
//!
//! | what | time | memory |
//! |---|---|---|
//! | [`Store::snapshot`](crate::Store::snapshot), `clone` of a snapshot | O(1) | a pointer |
//! | [`get`](crate::Snapshot::get) by namespace and name | O(1), a hash | |
//! | [`in_namespace`](crate::Snapshot::in_namespace) | O(log *n* + *h*) | |
//! | [`by(..).get`](crate::IndexView::get) with a whole key | O(log *n* + *h*) | |
//! | the same with the first parts of a key, [`starts_with`](crate::IndexView::starts_with), [`range`](crate::IndexView::range) | O(log *n* + *h* log *h*); in an index of the identity O(log *n* + *h*) | |
//! | [`iter`](crate::Snapshot::iter); `len` | O(*n*); O(1) | |
//! | a published change, for each index whose keys it changes | O(log *n*) | the path to it, until the old snapshot is gone |
//! | a batch: [`deltas`](crate::Batch::deltas), `stats`, [`touched`](crate::Batch::touched) | O(*k* log *n*), when first asked for | |
//! | a relist | O(*n*) to read; decodes what changed | at most 1.3 of the steady state |
//! | an index of `metadata.namespace`, `metadata.name`, or the first of them | | none: it is the order of the objects |
//! | any other index | | an entry for each (key, object) pair, and each key's text once |
//! | a consumer that lags | | an old version of each object that changed since |
//! | [`debounce`](crate::EventStreamExt::debounce) | O(1) a batch | two snapshots |
//! | [`overlay`](crate::Snapshot::overlay) | as publishing what is applied | as publishing |
//! | [`report`](crate::Store::report) | O(*n*) | |
//!
//! # Turns of other tasks
//!
//! A poll of a watch reads 512 KiB and the object that passes it at the most, paid for with the
//! [budget](tokio::task::coop) that tokio gives each task; then other tasks get their turn. So does a poll
//! of [`index`](crate::EventStreamExt::index) after 1,024 events, or after some 16,000 keys. All kinds and
//! stages that one task polls share its budget. One object is decoded and indexed at once.
//!
//! # Memory over hours
//!
//! `just soak` runs five watches for hours on a real API server that is cut off, stalled, killed and restored
//! from backups, while others write. After each round every store must be what a fresh list is, and no more
//! memory may be allocated than before:
//!
#![doc = include_str!("../../docs/figures/soak.svg")]
//!
//! # How to make it fast
//!
//! * [`filter_fields`](crate::Watch::filter_fields) with `metadata.managedFields`, always; with
//!   `status` where you don't read it.
//! * [`Document`](crate::Document) where there are many objects of which you read few fields.
//! * One [`FieldPath`](crate::FieldPath), parsed once: plain paths (names, indexes, `*`) have a walker of
//!   their own; filters, slices and `..` are run by a general engine, which takes several times as long
//!   (`cargo bench --bench path`).
//! * Indexes instead of loops over [`iter`](crate::Snapshot::iter), and
//!   [`touched`](crate::Batch::touched) instead of all.
//! * A [`debounce`](crate::EventStreamExt::debounce) where work is the same for one change and for ten.
//!
//! # How it was measured
//!
//! Each benchmark compares with its peers in the same run, on objects generated in the byte shape of
//! a real API server's. Each run of a client is a process of its own, clients take turns, the server
//! is another process, and figures are medians. `target/bench/*.json` has what was measured, with the
//! machine and the command.
