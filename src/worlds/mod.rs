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
mod member;
mod overlay;
mod store;
mod stream;
mod tuple;
mod view;

use std::{fmt, sync::Arc};

pub use self::{
    by_name::{BatchesByName, ByName, Kinds, KindsHandle},
    change::{WorldBatch, WorldChange},
    member::{IntoMember, Pipeline},
    overlay::{Holds, WorldOverlay},
    store::{WorldReport, WorldStore},
    stream::{IntoWorld, Worlds, world},
    view::View,
};

/// The state of all kinds at one moment.
///
/// `V` has a [`Snapshot`](crate::Snapshot) for each kind: a tuple of snapshots, or [`ByName`]. A world
/// never changes; cloning it copies a pointer, and reading it takes no lock.
///
/// ```
/// use k8s_openapi::api::core::v1::{Secret, Service};
/// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::listed([object::<Service>("web", "shop")]).index(());
/// let secrets = Events::listed([object::<Secret>("web", "tls")]).index(());
///
/// let world = world((services, secrets)).first_synced().await?;
/// let (services, secrets) = world.kinds();
/// assert!(services.get(("web", "shop")).is_some() && secrets.get(("web", "tls")).is_some());
/// # Ok(()) });
/// ```
pub struct World<V>(Arc<Moment<V>>);

struct Moment<V> {
    generation: u64,
    names: Arc<[Arc<str>]>,
    kinds: V,
}

impl<V> World<V> {
    fn new(generation: u64, names: Arc<[Arc<str>]>, kinds: V) -> Self {
        Self(Arc::new(Moment { generation, names, kinds }))
    }

    /// Returns how many worlds of the stream came before this one. The world of `Synced` has 1 unless
    /// progress was published before, and the number rises with each change. A world of an
    /// [overlay](World::overlay) has the generation of its base, and a world made [of
    /// snapshots](World::from_kinds) has 0.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Secret, Service};
    /// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let services = Events::listed([object::<Service>("web", "shop")])
    ///     .wait(Duration::from_secs(1))
    ///     .apply(object("web", "blog"))
    ///     .index(());
    /// let secrets = Events::listed([object::<Secret>("web", "tls")]).index(());
    /// let mut changes = world((services, secrets)).log_errors();
    ///
    /// let generations = changes.map(|change| change.world().generation());
    /// assert_eq!(generations.collect::<Vec<_>>().await, [1, 2]);
    /// # Ok(()) });
    /// ```
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Returns the snapshot of each kind. See the [example](World).
    pub fn kinds(&self) -> &V {
        &self.0.kinds
    }
}

impl<V: View> World<V> {
    /// Makes a world of given snapshots, for fixtures, tests and offline tools.
    ///
    /// ```
    /// use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
    /// use kube_weir::{Snapshot, World};
    ///
    /// let ingresses = Snapshot::<Ingress>::from_objects((), [])?;
    /// let services = Snapshot::<Service>::from_objects((), [])?;
    /// let world = World::from_kinds((ingresses, services));
    /// assert_eq!(world.generation(), 0);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn from_kinds(kinds: V) -> Self {
        Self::new(0, kinds.names().into(), kinds)
    }

    /// Returns the [`resource_version`](crate::Snapshot::resource_version) of each kind, by its name.
    ///
    /// ```
    /// use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let blue = Events::listed([config_map("settings", 7)]).index(());
    /// let green = Events::listed([config_map("settings", 9)]).index(());
    /// let world = world((("blue", blue), ("green", green))).first_synced().await?;
    /// for (kind, version) in world.resource_versions() {
    ///     assert_eq!(version.as_deref(), Some(if &*kind == "blue" { "7" } else { "9" }));
    /// }
    /// # Ok(()) });
    /// ```
    pub fn resource_versions(&self) -> Vec<(Arc<str>, Option<String>)> {
        self.0.names.iter().cloned().zip(self.kinds().versions()).collect()
    }
}

impl<V> Clone for World<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: fmt::Debug> fmt::Debug for World<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("generation", &self.generation())
            .field("kinds", self.kinds())
            .finish()
    }
}
