//! The state of all kinds at one moment.

use std::{fmt, sync::Arc};

use super::view::View;

/// The state of all kinds at one moment.
///
/// `V` has a [`Snapshot`](crate::Snapshot) for each kind: a tuple of snapshots, or
/// [`ByName`](super::ByName). A world never changes; cloning it copies a pointer, and reading it takes no
/// lock.
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
pub struct World<V>(pub(super) Arc<Moment<V>>);

pub(super) struct Moment<V> {
    pub(super) generation: u64,
    pub(super) names: Arc<[Arc<str>]>,
    kinds: V,
}

impl<V> World<V> {
    pub(super) fn new(generation: u64, names: Arc<[Arc<str>]>, kinds: V) -> Self {
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
