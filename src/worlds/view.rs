//! The state of all kinds, as a type.

use std::{sync::Arc, task::Poll};

use super::store::Reader;
use crate::{change::ChangeStats, error::Error};

/// The snapshots of a world: a tuple of them, or [`ByName`](super::ByName).
///
/// Sealed: it is for bounds of your own functions that are to work on any world.
///
/// ```
/// use k8s_openapi::api::core::v1::Service;
/// use kube_weir::{prelude::*, testing::Events, worlds::View};
///
/// fn told<V: View>(change: &WorldChange<V>) -> String {
///     let changed = change.batch().map_or(0, |batch| batch.stats().total());
///     format!("world {}: {changed} changed", change.world().generation())
/// }
///
/// # fn object<K: serde::de::DeserializeOwned>(namespace: &str, name: &str) -> K {
/// #     let metadata = serde_json::json!({ "namespace": namespace, "name": name });
/// #     serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap()
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// let services = Events::<Service>::listed([])
///     .wait(Duration::from_secs(1))
///     .apply(object("web", "shop"))
///     .index(());
/// let changes = world((services,)).log_errors();
/// let told: Vec<_> = changes.map(|change| told(&change)).collect().await;
/// assert_eq!(told, ["world 1: 0 changed", "world 2: 1 changed"]);
/// # Ok(()) }
/// ```
pub trait View: Clone + sealed::Sealed {
    /// What changed in each kind.
    type Batches;

    #[doc(hidden)]
    type Members: Members<View = Self>;

    /// `None` where nothing changed.
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

    /// The state of all kinds; of those that aren't complete only where the whole isn't either.
    fn view(&self, loading: bool) -> Self::View;

    fn names(&self, loading: bool) -> Arc<[Arc<str>]>;

    fn readers(&self) -> Vec<Reader>;

    /// Takes in the kinds that were added, and lets go of those that were removed. Tells whether
    /// there were any.
    fn update(&mut self) -> bool {
        false
    }

    /// Whether more kinds may still come.
    fn is_open(&self) -> bool {
        false
    }
}

/// A pipeline of whatever kind.
#[doc(hidden)]
pub trait Polled {
    /// Whether it was woken since the last time this was asked.
    fn is_woken(&self) -> bool;

    /// As if it had been woken.
    fn again(&self);

    /// Takes in one item: a change, or an error that names the kind.
    fn poll(&mut self) -> Poll<Option<Result<(), Error>>>;

    fn is_synced(&self) -> bool;

    fn is_ended(&self) -> bool;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}
