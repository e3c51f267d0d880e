//! The items of a world's stream.

use std::{fmt, sync::Arc};

use super::{World, view::View};
use crate::{
    adapters::{
        ChangeItem,
        item::sealed,
        subject::{Phase, Subject},
    },
    change::ChangeStats,
    error::Error,
    origin::Origin,
};

/// An item of a world's stream. Its variant is the phase, as in [`Change`](crate::Change).
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
/// let Some(WorldChange::Synced(world)) = changes.next().await else { panic!() };
/// assert_eq!((world.kinds().0.len(), world.kinds().1.len()), (1, 1));
/// let Some(WorldChange::Live(batch)) = changes.next().await else { panic!() };
/// let (services, secrets) = batch.kinds(); // `None` if nothing changed
/// assert_eq!(services.as_ref().unwrap().stats().created, 1);
/// assert!(secrets.is_none());
/// # Ok(()) });
/// ```
pub enum WorldChange<V: View> {
    /// Part of the initial load. Only after [`with_progress`](super::Worlds::with_progress).
    InitialSync(WorldBatch<V>),
    /// Every kind is complete. Exactly once.
    Synced(World<V>),
    /// Later changes in any of the kinds.
    Live(WorldBatch<V>),
}

impl<V: View> WorldChange<V> {
    /// Returns the state after this change.
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
    /// // For a consumer that recomputes everything at every change.
    /// let totals = changes.map(|change| change.world().kinds().0.len());
    /// assert_eq!(totals.collect::<Vec<_>>().await, [1, 2]);
    /// # Ok(()) });
    /// ```
    pub fn world(&self) -> &World<V> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => batch.after(),
            Self::Synced(world) => world,
        }
    }

    /// Returns the net change, unless this is `Synced`, like [`Change::batch`](crate::Change::batch), which
    /// has an example.
    pub fn batch(&self) -> Option<&WorldBatch<V>> {
        match self {
            Self::InitialSync(batch) | Self::Live(batch) => Some(batch),
            Self::Synced(_) => None,
        }
    }
}

/// The net change between two worlds: the differences in each kind.
///
/// It is the difference of [`before`](WorldBatch::before) and [`after`](WorldBatch::after), kind by kind,
/// as a [`Batch`](crate::Batch) is the difference of two snapshots. Look up the objects that a changed
/// object refers to in [`after`](WorldBatch::after), whatever their kind: all of its snapshots are of one
/// moment.
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
/// changes.first_synced().await?;
///
/// let Some(WorldChange::Live(batch)) = changes.next().await else { panic!() };
/// assert_eq!(batch.stats().total(), 1);
/// assert_eq!(batch.before().kinds().0.len(), 1);
/// let (services, secrets) = batch.after().kinds();
/// assert_eq!((services.len(), secrets.len()), (2, 1));
/// # Ok(()) });
/// ```
pub struct WorldBatch<V: View>(Arc<Difference<V>>);

struct Difference<V: View> {
    before: World<V>,
    after: World<V>,
    kinds: V::Batches,
}

impl<V: View> WorldBatch<V> {
    pub(super) fn new(before: World<V>, after: World<V>, kinds: V::Batches) -> Self {
        Self(Arc::new(Difference { before, after, kinds }))
    }

    /// Returns the batch of each changed kind. For a tuple it is a tuple of [`Option`]s, of which at least
    /// one is `Some`; for [`ByName`](super::ByName) it is [`BatchesByName`](super::BatchesByName).
    /// [`WorldChange`] has an example of a tuple, [`BatchesByName`](super::BatchesByName) of kinds by name.
    pub fn kinds(&self) -> &V::Batches {
        &self.0.kinds
    }

    /// Returns how many objects of all kinds were created, modified and deleted. See the
    /// [example](WorldBatch).
    pub fn stats(&self) -> ChangeStats {
        V::stats(&self.0.kinds)
    }

    /// Returns the state after these changes. See the [example](WorldBatch).
    pub fn after(&self) -> &World<V> {
        &self.0.after
    }

    /// Returns the state before these changes. See the [example](WorldBatch).
    pub fn before(&self) -> &World<V> {
        &self.0.before
    }
}

impl<V: View> Subject for World<V> {
    type State = Self;
    type Change = WorldChange<V>;

    fn phase(change: &WorldChange<V>) -> Phase<Self> {
        let (initial, batch) = match change {
            WorldChange::InitialSync(batch) => (true, batch),
            WorldChange::Live(batch) => (false, batch),
            WorldChange::Synced(world) => return Phase::Synced(world.clone()),
        };
        let (before, after) = (batch.before().clone(), batch.after().clone());
        Phase::Batch { initial, before, after }
    }

    fn origin(_: &Self) -> Origin {
        Origin::new("world")
    }

    fn synced(world: Self) -> WorldChange<V> {
        WorldChange::Synced(world)
    }

    fn net(initial: bool, before: &Self, after: &Self) -> Option<WorldChange<V>> {
        let phase = if initial { WorldChange::InitialSync } else { WorldChange::Live };
        let kinds = V::net(before.kinds(), after.kinds())?;
        Some(phase(WorldBatch::new(before.clone(), after.clone(), kinds)))
    }
}

impl<V: View> sealed::Sealed for WorldChange<V> {}

impl<V: View> ChangeItem for WorldChange<V> {
    type Object = World<V>;

    fn into_change(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<V: View> ChangeItem for Result<WorldChange<V>, Error> {
    type Object = World<V>;

    fn into_change(self) -> Self {
        self
    }
}

impl<V: View> Clone for WorldBatch<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: View> Clone for WorldChange<V> {
    fn clone(&self) -> Self {
        match self {
            Self::InitialSync(batch) => Self::InitialSync(batch.clone()),
            Self::Synced(world) => Self::Synced(world.clone()),
            Self::Live(batch) => Self::Live(batch.clone()),
        }
    }
}

impl<V: View> fmt::Debug for WorldBatch<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldBatch")
            .field("generation", &self.after().generation())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<V: View> fmt::Debug for WorldChange<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitialSync(batch) => f.debug_tuple("InitialSync").field(batch).finish(),
            Self::Synced(world) => {
                f.debug_tuple("Synced").field(&world.generation()).finish_non_exhaustive()
            }
            Self::Live(batch) => f.debug_tuple("Live").field(batch).finish(),
        }
    }
}
