//! The state of all kinds, as a type.

use std::{sync::Arc, task::Poll};

use super::kind_store::KindStore;
use crate::{change::ChangeStats, error::Error};

/// The snapshots of a world: a tuple of snapshots, or [`ByName`](super::ByName).
///
/// This trait is sealed; use it in bounds of your own functions that work on any world.
///
/// ```
/// use k8s_openapi::api::core::v1::Service;
/// use kube_weir::{prelude::*, testing::Events, testing::fixture::object, worlds::View};
///
/// fn describe<V: View>(change: &WorldChange<V>) -> String {
///     let changed = change.batch().map_or(0, |batch| batch.stats().total());
///     format!("world {}: {changed} changed", change.world().generation())
/// }
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::<Service>::listed([])
///     .wait(Duration::from_secs(1))
///     .apply(object("web", "shop"))
///     .index(());
/// let changes = world((services,)).log_errors();
/// let described: Vec<_> = changes.map(|change| describe(&change)).collect().await;
/// assert_eq!(described, ["world 1: 0 changed", "world 2: 1 changed"]);
/// # Ok(()) });
/// ```
pub trait View: Clone + sealed::Sealed {
    /// The changes of each kind.
    type Batches;

    #[doc(hidden)]
    type Members: Members<View = Self>;

    /// Returns the changes of each kind, or `None` if nothing changed.
    #[doc(hidden)]
    fn net(before: &Self, after: &Self) -> Option<Self::Batches>;

    #[doc(hidden)]
    fn stats(batches: &Self::Batches) -> ChangeStats;

    #[doc(hidden)]
    fn names(&self) -> Vec<Arc<str>>;

    #[doc(hidden)]
    fn versions(&self) -> Vec<Option<String>>;
}

/// The pipelines of a world.
#[doc(hidden)]
pub trait Members {
    type View: View<Members = Self>;

    fn len(&self) -> usize;

    fn at(&mut self, index: usize) -> &mut dyn Polled;

    /// Builds the view. Kinds that are not synced yet are included only while the whole world is still
    /// loading.
    fn view(&self, loading: bool) -> Self::View;

    fn names(&self, loading: bool) -> Arc<[Arc<str>]>;

    fn kind_stores(&self) -> Vec<KindStore>;

    /// Takes in added kinds and drops removed ones. Returns whether there were any.
    fn update(&mut self) -> bool {
        false
    }

    /// Returns whether more kinds may still be added.
    fn is_open(&self) -> bool {
        false
    }
}

/// A pipeline of any kind.
#[doc(hidden)]
pub trait Polled {
    /// Returns whether the pipeline was woken since the last call.
    fn is_woken(&self) -> bool;

    /// Marks the pipeline as woken.
    fn again(&self);

    /// Takes one item: a change, or an error that names the kind.
    fn poll(&mut self) -> Poll<Option<Result<(), Error>>>;

    fn is_synced(&self) -> bool;

    fn is_ended(&self) -> bool;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
