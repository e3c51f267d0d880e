//! State and change types of the stages behind `index`.

use kube::runtime::reflector::Lookup;

use crate::{
    change::{Batch, Change},
    origin::Origin,
    snapshot::Snapshot,
};

/// The subject of a change stream: a kind of object, or a [`World`](crate::World) of several.
///
/// The stages behind `index` work on both. Use the trait in bounds, as in the
/// [example](crate::adapters::ChangeItem) of `ChangeItem`; don't implement it.
pub trait Subject: Sized {
    /// The complete state at one moment: a [`Snapshot`], or a [`World`](crate::World).
    type State: Clone;

    /// The item type: a [`Change`], or a [`WorldChange`](crate::WorldChange).
    type Change;

    #[doc(hidden)]
    fn phase(change: &Self::Change) -> Phase<Self::State>;

    #[doc(hidden)]
    fn origin(state: &Self::State) -> Origin;

    #[doc(hidden)]
    fn synced(state: Self::State) -> Self::Change;

    /// Returns the change from one state to the next; `None` if nothing changed.
    #[doc(hidden)]
    fn net(initial: bool, before: &Self::State, after: &Self::State) -> Option<Self::Change>;
}

/// A change as the states before and after it.
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
        let (before, after) = (batch.before().clone(), batch.after().clone());
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
