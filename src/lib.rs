//! Kubernetes watches as composable async streams: few, exact, typed changes over a store that any
//! number of tasks read without a lock.
//!
//! A weir settles a stream, strains it, and lets you read its level. This crate does the same to a watch: it
//! drops the fields you don't need while they arrive, indexes the rest, and merges a storm of events
//! into net changes, each bound to an immutable snapshot of everything. The watch continues through
//! disconnects, 410s, throttling, bad objects and API outages, reports them, and loses nothing.
//!
#![doc = include_str!("../docs/pipeline.svg")]
//!
//! # At a glance
//!
//! Every stage works on any stream of kube's watcher events, so this runs without a cluster:
//!
//! ```
//! use kube_weir::{prelude::*, testing::{Events, fixture::ingress}};
//!
//! # kube_weir::testing::fixture::run(async {
//! let events = Events::listed([ingress("shop", "old.example")])
//!     .apply(ingress("shop", "new.example"));
//!
//! let host = Index::path("spec.rules[*].host")?;
//! let mut changes = pin!(events
//!     .index(&host)                                     // stored, indexed, published
//!     .debounce(Duration::from_millis(500))             // merged
//!     .log_errors());                                   // errors don't end the stream
//!
//! while let Some(change) = changes.next().await {
//!     match change {
//!         Change::InitialSync(_) => {}                  // only after `with_progress()`
//!         Change::Synced(snapshot) => assert_eq!(snapshot.len(), 1), // once: all that existed
//!         Change::Live(batch) => {                      // afterwards: the differences
//!             assert_eq!(batch.stats().modified, 1);
//!             assert!(batch.after().by(&host).get_one("new.example")?.is_some());
//!         }
//!     }
//! }
//! # Ok(()) });
//! ```
//!
//! With an API server, `events` is `watch(Api::<Ingress>::all(client))`; the rest stays the same.
//! `cargo run --example quickstart` shows that with an in-process server.
//!
//! # The pipeline
//!
//! | stage | what it does |
//! |---|---|
//! | [`watch`], [`watch_resource`] | lists and watches; recovers from every failure, and reports it |
//! | [`filter_fields`](Watch::filter_fields) | drops fields while decoding |
//! | [`matching`](Watch::matching), [`matching_with`](Watch::matching_with) | selects on any path, or by a closure, on the client side |
//! | [`index`](EventStreamExt::index) | stores, indexes, publishes one [`Snapshot`] for each run of events |
//! | [`index_keys`](Watch::index_keys) | stores keys only; [`Fetching`] fetches the objects on demand |
//! | [`debounce`](EventStreamExt::debounce) | merges changes in quick succession into one net [`Change`] |
//! | [`while_leading`](EventStreamExt::while_leading) | passes changes only while this replica leads: [`Election`] |
//! | [`into_events`](EventStreamExt::into_events) | turns the changes into events for kube's `Controller` |
//! | [`log_errors`](EventStreamExt::log_errors) | logs failures, which are items and never end the stream |
//! | [`world`](fn@world) | merges several kinds into one stream; each item has a snapshot of all kinds at one moment |
//! | [`watch_one`] | watches one object by its name: `Present` or `Absent` |
//!
//! Paths, selectors and resources are given as text, or parsed: [`FieldPath`], [`FieldFilter`],
//! [`FieldSelector`], [`LabelSelector`], [`Gvr`]. Invalid text is an error at once, with the position and
//! a suggestion. Serde reads each of these types from a configuration; kube's
//! `Selector` and `ApiResource`, and the label selectors in objects, are accepted, too:
//!
//! ```
//! use kube_weir::{LabelSelector, prelude::*};
//!
//! /// A kind in a configuration.
//! #[derive(serde::Deserialize)]
//! struct Kind {
//!     resource: Gvr,
//!     labels: LabelSelector,
//!     ignore: FieldFilter,
//! }
//!
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let kind: Kind = serde_json::from_str(
//!     r#"{ "resource": "apps/v1/deployments", "labels": "app=web", "ignore": "status,metadata.managedFields" }"#,
//! )?;
//! let ours = watch_resource(client.clone(), kind.resource)?
//!     .labels(kind.labels)?
//!     .filter_fields(kind.ignore)?;
//! let same = watch_resource(client, "apps/v1/deployments")?
//!     .labels("app=web")?
//!     .filter_fields(["status", "metadata.managedFields"])?;
//!
//! let error = same.matching("spec.replicas>1").unwrap_err();
//! assert!(error.to_string().contains("by `.matching_with()` (at byte 13)"));
//! # Ok(()) });
//! ```
//!
//! Each stream has a [`Store`]: [`snapshot`](Store::snapshot) to read, from any task and
//! without a lock; [`synced`](Store::synced) and [`wait_for`](Store::wait_for) to wait;
//! [`changes`](Store::changes) for additional consumers; [`report`](Store::report) for its state.
//!
//! Two things to know. **An `Err` item is an observation,** never the end of the stream: don't exit your loop
//! at the first error. And **there is no background task**: a pipeline works while it is polled, and stops
//! when it is dropped; [`spawn`](EventStreamExt::spawn) starts a task that polls it until it ends or is
//! [stopped](adapters::Spawned::stop).
//!
//! # Choosing
//!
//! | choice of | use | if |
//! |---|---|---|
//! | objects | a Rust type, [`watch`] | you read many of its fields; memory as with kube |
//! | | [`Document`], [`watch_resource`] | the kind is known at run time, or there are many objects: a tenth to half of the memory, decoded when read |
//! | | keys, [`index_keys`](Watch::index_keys) | you read few of many objects, such as Secrets |
//! | time | [`Debounce::interval`], the default | a lone change should take effect at once, a storm at a steady rate |
//! | | [`Debounce::quiet`] | a change is expensive (a reload), and changes come in bursts |
//! | kinds | [`index`](EventStreamExt::index) for each | the kinds are independent |
//! | | [`world`](fn@world) | one result depends on all kinds |
//! | | [`watch_one`] | you need one object of a known name |
//! | consumers | the stream itself | there is one consumer |
//! | | [`spawn`](EventStreamExt::spawn) and [`Store::changes`] | there are several consumers, or their number changes |
//! | source | [`watch`] | by default |
//! | | [`kube::runtime::watcher()`] | you already have one: the stages work on it, too |
//!
//! # Coming from client-go
//!
//! | client-go | kube-weir |
//! |---|---|
//! | `SharedInformerFactory`, one informer per kind | [`watch`]`(..).index(..)`, [spawned](EventStreamExt::spawn); [`Store`] is cheap to clone |
//! | `dynamicinformer`; `metadatainformer` | [`watch_resource`]; [`index_keys`](Watch::index_keys), or `watch` of `PartialObjectMeta` |
//! | `AddEventHandler`: `OnAdd`, `OnUpdate`, `OnDelete` | [`Store::changes`]: [`Delta::Created`], [`Delta::Modified`], [`Delta::Deleted`] |
//! | `isInInitialList` | a variant: [`Change::InitialSync`], [`Change::Synced`], [`Change::Live`] |
//! | `WaitForCacheSync`, which hangs if a kind can't be listed | [`Store::synced`], which returns the cause as an error |
//! | `Lister`, `Indexer.ByIndex` | [`Snapshot::get`], [`Snapshot::by`]; composite keys, prefixes, in order |
//! | `SetTransform` | [`filter_fields`](Watch::filter_fields), before anything is allocated |
//! | `DeletedFinalStateUnknown` | not needed: a deletion has the last known object |
//! | resync | [none](docs::limitations#by-design) |
//! | work queue | [`debounce`](EventStreamExt::debounce), [`Batch::touched`]; for retries per object: kube's `Controller`, fed by [`into_events`](EventStreamExt::into_events) |
//! | `cache.Options.ByObject` (controller-runtime) | [`labels`](Watch::labels), [`fields`](Watch::fields), [`matching`](Watch::matching), [`namespaces`](Watch::namespaces) |
//! | `client.Reader` beside the cache | [`Fetching`], which is never older than the watch |
//! | `leaderelection.RunOrDie` | [`Election`]: uses the same Lease protocol, so Go and Rust replicas may share a Lease |
//! | `fake.NewClientset` | [`testing::ApiServer`]; [`docs::testing`] |
//! | `envtest` (controller-runtime) | [`testing::cluster`] |
//!
//! The example `from_client_go` is a program in Go, and the same program here.
//!
//! # Coming from kube-runtime
//!
//! | kube-runtime | kube-weir |
//! |---|---|
//! | `watcher(api, config).default_backoff()` | [`watch`]`(api)`; only progress resets its delay |
//! | `.modify(\|object\| object.managed_fields_mut().clear())` | [`filter_fields`](Watch::filter_fields) |
//! | `.reflect(writer)` | [`index`](EventStreamExt::index) |
//! | `.applied_objects()`, `.touched_objects()` | [`Change::deltas`], [`Change::touched`] |
//! | `kube::core::Selector`, `ApiResource` | accepted: [`labels`](Watch::labels), [`watch_resource`] |
//! | `predicate_filter(predicates::generation, ..)` | compare in [`Delta::Modified`]: see [`docs::patterns`] |
//! | `Store::get(&ObjectRef)`, `Store::state()` | [`Snapshot::get`], [`Snapshot::iter`]; all of one moment |
//! | `Store::wait_until_ready` | [`Store::synced`] |
//! | `reflect_shared`, `subscribe` | [`Store::changes`] |
//! | `metadata_watcher` | [`index_keys`](Watch::index_keys) |
//! | `watch_object` | [`watch_one`] |
//! | `Controller` | still used: the example `with_controller` feeds it from a pipeline |
//!
//! The stages also work on kube's streams: `watcher(api, config).default_backoff().index(..)`. The example
//! `from_kube_runtime` is a program with `watcher` and `reflector`, and the same program here.
//!
//! # Trade-offs and limits
//!
//! * You get states and their net difference, not each event: [the reasons, and other
//!   limits](docs::limitations).
//! * Snapshots are persistent trees: publishing one of 100,000 objects takes microseconds, and a
//!   lookup follows a few pointers more than in a flat hash table: [figures](docs::performance).
//! * A [`Document`] costs a decode for each field you read, a Rust type costs memory.
//! * Keeping an old snapshot costs the memory of the objects that changed since.
//!
//! The guide is in [`docs`]: [patterns](docs::patterns), the wrong way beside the right one;
//! [limitations](docs::limitations); [performance](docs::performance); [testing](docs::testing);
//! [operation](docs::operate), for people who run a controller: symptoms, rights, probes, memory, load, upgrades.
//!
//! # Observability
//!
//! [`Store::report`] returns the state of a store, serializable for a debug page; so do
//! [`WorldStore::report`], [`Fetching::report`] and [`LeadershipWatch::report`]. [`logs`] has a table
//! of all log lines; with the feature `metrics`, [`telemetry`] has a table of all metrics.
//!
//! # Features
//!
//! All features are off by default and additive.
//!
//! | feature | what it adds |
//! |---|---|
//! | `metrics` | [`telemetry`]: counters and gauges of pipelines, for any exporter of the [`metrics`](https://docs.rs/metrics) facade |
//! | `testing` | [`testing`](mod@testing): an in-process API server with scripted faults, streams of events, fixtures out of YAML files, a conformance suite; for `dev-dependencies` |
//! | `cluster` | [`testing::cluster`]: a real kube-apiserver with its etcd, started and stopped by tests, on Unix; implies `testing` |
//!
//! # Compatibility and versioning
//!
//! | kube-weir | kube | k8s-openapi | Rust |
//! |---|---|---|---|
//! | 0.1 | 5 | 0.29 | 1.89 |
//!
//! `kube` and `k8s-openapi` are part of the public API, so each major version of kube is a breaking release
//! of this crate. The public API also has [`futures`], [`serde`], and [`serde_json`]'s `Value` and `Error`;
//! with the feature `testing` also `tower` and `http`, and no other crate. The minimum Rust version is
//! kube's, and raising it is not a breaking change. Your binary chooses the Kubernetes version of
//! `k8s-openapi`. Any API server that has bookmarks (1.17) is supported; the tests run against 1.37.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Links to items of a feature are broken without it; `just doc` checks all links with all features.
#![cfg_attr(
    not(all(feature = "metrics", feature = "cluster")),
    allow(rustdoc::broken_intra_doc_links)
)]

pub mod adapters;
mod change;
mod clock;
mod coop;
mod decode;
pub mod docs;
mod document;
mod error;
mod event;
mod ext;
mod fetching;
mod filter;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod json;
mod leader;
pub mod logs;
mod measure;
mod namespaced_name;
mod object_key;
mod one;
mod origin;
mod path;
mod printed;
mod resource_version;
mod rfc1123;
mod snapshot;
mod source;
mod stages;
mod store;
mod tape;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod telemetry;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod text;
pub mod worlds;

pub use crate::{
    adapters::Debounce,
    change::{Batch, Change, ChangeStats, Delta},
    document::{Document, DocumentView},
    error::{Error, ErrorKind, PathError},
    event::{Collection, Scope, WatchEvent},
    ext::EventStreamExt,
    fetching::{FetchConfig, Fetching, FetchingIndex, FetchingReport},
    filter::{FieldFilter, FieldSelector, LabelSelector},
    index::{Index, IndexKey, IndexReport, IndexSet, Indexes, Key, WholeKey},
    leader::{
        Campaign, Election, Identity, Leadership, LeadershipReport, LeadershipWatch, LeaseRef,
        LeaseTiming, Term,
    },
    object_key::{AsObjectKey, ObjectKey},
    one::{CurrentOne, One, WatchOne, watch_one},
    path::FieldPath,
    snapshot::{Hits, IndexView, Iter, Overlay, Snapshot},
    source::{Backoff, Gvr, Namespaces, NamespacesHandle, Watch, watch, watch_resource},
    store::{
        Changes, CollectionStatus, KeepDeleted, Store, StoreReport, StoreStatus, SyncPolicy, Write,
    },
    worlds::{
        ByName, Kinds, KindsHandle, World, WorldBatch, WorldChange, WorldOverlay, WorldStore, world,
    },
};

/// The names that most programs import: `use kube_weir::prelude::*`.
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kube_weir::prelude::*;
///
/// async fn run(pods: Api<Pod>) -> Result<(), kube_weir::Error> {
///     let mut changes = pin!(watch(pods)
///         .filter_fields("metadata.managedFields")?
///         .index(Index::path("spec.nodeName")?)
///         .debounce(Debounce::quiet(Duration::from_millis(200)))
///         .log_errors());
///     while let Some(change) = changes.next().await {
///         match change {
///             Change::InitialSync(_) => {}
///             Change::Synced(snapshot) => println!("{} pods", snapshot.len()),
///             Change::Live(batch) => println!("{} changed", batch.stats().total()),
///         }
///     }
///     Ok(())
/// }
/// ```
pub mod prelude {
    pub use std::{pin::pin, time::Duration};

    pub use futures::StreamExt;
    pub use kube::Api;

    pub use crate::{
        Change, Debounce, Delta, Document, EventStreamExt, FieldFilter, FieldPath, Gvr, Index,
        ObjectKey, One, Snapshot, Store, WorldChange, watch, watch_one, watch_resource, world,
    };
}

/// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the code of the page for language models.
#[cfg(doctest)]
#[doc = include_str!("../docs/llms.txt")]
struct Llms;
