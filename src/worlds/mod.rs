//! Many kinds as one.
//!
//! A controller's output often depends on several kinds: Ingresses, the Services that they name, and the
//! Endpoints of those Services. A separate stream for each kind gives several starts, several debounces,
//! and states that don't belong together. A [`World`] has a snapshot of each kind, all published at one
//! moment. It begins when all kinds are complete, and one batch has the changes of all of them.
//!
//! ```
//! use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
//! use kube_weir::prelude::*;
//!
//! # kube_weir::testing::fixture::with_server(async |server| {
//! # let client = server.client();
//! let ingresses = watch(Api::<Ingress>::all(client.clone()))
//!     .index(Index::path("spec.rules[*].host")?);
//! let services = watch(Api::<Service>::all(client))
//!     .index(());
//!
//! let worlds = world((ingresses, services));
//! let store = worlds.store(); // lock-free, for any task
//! let mut changes = pin!(worlds.debounce(Duration::from_millis(500)).log_errors());
//!
//! while let Some(change) = changes.next().await {
//!     match change {
//!         WorldChange::InitialSync(_) => {} // only after with_progress()
//!         WorldChange::Synced(world) => {
//!             let (ingresses, services) = world.kinds();
//!             println!("{} ingresses, {} services", ingresses.len(), services.len());
//! #           server.delete("services", "web", "shop")?;
//!         }
//!         WorldChange::Live(batch) => {
//!             let (ingresses, services) = batch.kinds(); // `None` if nothing changed
//!             assert!(ingresses.is_none());
//!             assert_eq!(services.as_ref().unwrap().stats().deleted, 1);
//!             assert_eq!(batch.after().kinds().1.len(), 0);
//! #           break;
//!         }
//!     }
//! }
//! assert_eq!(store.world().generation(), 2);
//! # Ok(()) });
//! ```
//!
//! # Kinds that are named at run time
//!
//! [`Kinds`] is a set of pipelines of [`Document`](crate::Document)s by name, for instance from a config
//! file. Its [handle](Kinds::handle) adds and removes kinds while the world runs.
//!
//! # When a kind fails
//!
//! A failing kind yields errors that [name it](crate::Error::of_kind), keeps its last state, and doesn't
//! delay the others. At the start a world waits for all of its kinds; [`WorldStore::synced`] names the
//! missing kinds and the reason. Make kinds that may be missing
//! [`optional`](crate::adapters::Indexed::optional).

mod by_name;
mod change;
mod kind_store;
mod member;
mod overlay;
mod store;
mod stream;
mod tuple;
mod view;
mod world;

pub use self::{
    by_name::{BatchesByName, ByName, Kinds, KindsHandle},
    change::{WorldBatch, WorldChange},
    member::{IntoMember, Pipeline},
    overlay::{Holds, WorldOverlay},
    store::{WorldReport, WorldStore},
    stream::{IntoWorld, Worlds, world},
    view::View,
    world::World,
};
