//! Kubernetes watches as composable async streams.
//!
//! Watch any resource, drop the fields you don't need, index the rest, and get few, exact, typed
//! changes over a store that any number of tasks read without a lock:
//!
//! ```text
//! events -> filter_fields -> index -> debounce -> Change
//! ```
//!
//! The stages work on [`watch`] and [`watch_resource`], on [`kube::runtime::watcher()`], and on a
//! mocked stream, so everything a controller does with them can be tested without a cluster:
//!
//! ```
//! use futures::{StreamExt, stream};
//! use k8s_openapi::api::networking::v1::Ingress;
//! use kube::runtime::watcher::Event;
//! use kube_weir::{Change, EventStreamExt, IndexBy};
//! use std::{pin::pin, time::Duration};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kube_weir::Error> {
//! let ingress = |version: &str| {
//!     let mut ingress = Ingress::default();
//!     ingress.metadata.namespace = Some("default".into());
//!     ingress.metadata.name = Some("web".into());
//!     ingress.metadata.resource_version = Some(version.into());
//!     ingress
//! };
//! let events = [Event::Init, Event::InitApply(ingress("1")), Event::InitDone, Event::Apply(ingress("2"))];
//!
//! let pipeline = stream::iter(events)
//!     .index(IndexBy::paths(["metadata.namespace", "metadata.name"])?)
//!     .debounce(Duration::from_millis(500))
//!     .log_errors();
//! let changes: Vec<_> = pipeline.collect().await;
//!
//! let [Change::Synced(snapshot), Change::Live(batch)] = &changes[..] else { panic!() };
//! assert_eq!(snapshot.get(["default"])?.count(), 1);
//! assert_eq!(batch.stats().modified, 1);
//! # Ok(()) }
//! ```
//!
//! | stage | what it does |
//! |---|---|
//! | [`watch`], [`watch_resource`] | lists and watches; recovers from whatever happens, and says so |
//! | [`watch_one`] | one object by its name, `Present` or `Absent` |
//! | [`filter_fields`](Watch::filter_fields) | drops fields while decoding |
//! | [`matching`](Watch::matching) | selects on any path, on the client side |
//! | [`index`](EventStreamExt::index) | stores, indexes, publishes one [`Snapshot`] for each run of events |
//! | [`index_keys`](Watch::index_keys) | stores keys only; [`Fetching`] gives the objects when they are wanted |
//! | [`debounce`](EventStreamExt::debounce) | merges what comes in quick succession into one net [`Change`] |
//! | [`while_leading`](EventStreamExt::while_leading) | lets changes through only while this replica leads: [`Election`] |
//! | [`into_events`](EventStreamExt::into_events) | gives the changes to kube's `Controller`, as the events it knows |
//! | [`world`](fn@world) | makes one stream of several kinds, each item with a snapshot of all of one moment |
//! | [`log_errors`](EventStreamExt::log_errors) | logs failures, which are items and never the end |
//!
//! Nothing runs behind your back: a pipeline works while it is polled, and stops when it is
//! dropped. For several consumers of one watch, [`spawn`](EventStreamExt::spawn) it, and give each
//! [`Store::changes`].
//!
//! # Features
//!
//! * `testing` (off by default): [`testing`], an in-process API server with scripted faults, streams
//!   of events, and a conformance suite, for tests of controllers.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapters;
mod change;
mod changes;
mod clock;
mod document;
mod error;
mod explain;
mod ext;
mod fetching;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod index_by;
mod json;
mod key;
mod labels;
mod leader;
mod one;
mod path;
mod position;
mod resource;
mod snapshot;
mod source;
mod store;
mod strain;
mod tape;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod world;
mod writer;

pub use crate::{
    adapters::Debounce,
    change::{Batch, Change, ChangeStats, Delta},
    changes::Changes,
    document::Document,
    error::Error,
    explain::{Explain, ExplainIndex},
    ext::EventStreamExt,
    fetching::{ExplainFetching, FetchConfig, Fetching},
    index_by::IndexBy,
    key::Key,
    labels::LabelSelector,
    leader::{
        Campaign, Election, Identity, Leadership, LeadershipWatch, LeaseRef, LeaseTiming, Term,
    },
    one::{CurrentOne, One, WatchOne, watch_one},
    path::{FieldFilter, FieldPath, FieldSelector, PathError},
    resource::Gvr,
    snapshot::{Hits, IndexView, Iter, Overlay, Snapshot},
    source::{Watch, watch, watch_resource},
    store::{Store, SyncPolicy},
    world::{Kinds, World, WorldBatch, WorldChange, WorldOverlay, WorldStore, world},
};

/// What a controller's `main.rs` wants in scope: `use kube_weir::prelude::*`.
pub mod prelude {
    pub use std::{pin::pin, time::Duration};

    pub use futures::StreamExt;
    pub use kube::Api;

    pub use crate::EventStreamExt;
}

/// Compiles what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
