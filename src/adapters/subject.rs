//! What the stages behind `index` work on.

use kube::runtime::reflector::Lookup;

use crate::{
    change::{Batch, Change},
    origin::Origin,
    snapshot::Snapshot,
};

/// What a stream of changes is about: a kind of object, or a [`World`](crate::World) of several.
///
/// The stages behind `index` work on both. It is for bounds, as in the
/// [example](crate::adapters::ChangeItem) of `ChangeItem`, and not to be implemented elsewhere.
pub trait Subject: Sized {
    /// All of it at one moment: a [`Snapshot`], or a [`World`](crate::World).
    type State: Clone;

    /// What an item says: a [`Change`], or a [`WorldChange`](crate::WorldChange).
    type Change;

    #[doc(hidden)]
    fn phase(change: &Self::Change) -> Phase<Self::State>;

    #[doc(hidden)]
    fn origin(state: &Self::State) -> Origin;

    #[doc(hidden)]
    fn synced(state: Self::State) -> Self::Change;

    /// The change from one state to the next; `None` where nothing changed.
    #[doc(hidden)]
    fn net(initial: bool, before: &Self::State, after: &Self::State) -> Option<Self::Change>;
}

/// A change as the states it is between.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Phase<S> {
    Synced(S),
    Batch { initial: bool, before: S, after: S },
}

impl<K: Lookup> Subject for K {
    type State = Snapshot<K>;
    type Change = Change<K>;

    fn phase(change: &Change<K>) -> Phase<Snapshot<K>> {
        let (initial, batch) = match change {
            Change::InitialSync(batch) => (true, batch),
            Change::Live(batch) => (false, batch),
            Change::Synced(snapshot) => return Phase::Synced(snapshot.clone()),
        };
        let (before, after) = (batch.previous().clone(), batch.snapshot().clone());
        Phase::Batch { initial, before, after }
    }

    fn origin(snapshot: &Snapshot<K>) -> Origin {
        snapshot.0.context().origin.clone()
    }

    fn synced(snapshot: Snapshot<K>) -> Change<K> {
        Change::Synced(snapshot)
    }

    fn net(initial: bool, before: &Snapshot<K>, after: &Snapshot<K>) -> Option<Change<K>> {
        let phase = if initial { Change::InitialSync } else { Change::Live };
        Batch::between(before, after).map(phase)
    }
}
