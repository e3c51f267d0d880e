//! Worlds of kinds that are known at compile time: tuples.

use std::sync::Arc;

use kube::runtime::reflector::Lookup;

use super::{
    kind_store::KindStore,
    member::{IntoMember, Member, WorldWaker},
    overlay::Holds,
    stream::IntoWorld,
    view::{Members, Polled, View, sealed},
};
use crate::{
    change::{Batch, ChangeStats},
    origin::type_label,
    snapshot::Snapshot,
};

/// The position of a kind in a tuple.
#[doc(hidden)]
#[derive(Debug)]
pub struct At<const N: usize>;

macro_rules! worlds {
    ($($at:tt $K:ident $P:ident),+) => {
        impl<$($P, $K),+> IntoWorld for ($($P,)+)
        where
            $($P: IntoMember<Object = $K>, $K: Lookup + Send + Sync + 'static,)+
        {
            type View = ($(Snapshot<$K>,)+);

            fn into_members(self) -> (($(Member<$K>,)+), WorldWaker) {
                let world_waker = WorldWaker::default();
                (($(self.$at.into_member(&world_waker),)+), world_waker)
            }
        }

        impl<$($K),+> sealed::Sealed for ($(Snapshot<$K>,)+) {}

        impl<$($K: Lookup + Send + Sync + 'static),+> View for ($(Snapshot<$K>,)+) {
            type Batches = ($(Option<Batch<$K>>,)+);
            type Members = ($(Member<$K>,)+);

            fn net(before: &Self, after: &Self) -> Option<Self::Batches> {
                let batches = ($(Batch::between(&before.$at, &after.$at),)+);
                let changed = $(batches.$at.is_some())||+;
                changed.then_some(batches)
            }

            fn stats(batches: &Self::Batches) -> ChangeStats {
                let stats = [$(batches.$at.as_ref().map(Batch::stats)),+];
                stats.into_iter().flatten().sum()
            }

            fn names(&self) -> Vec<Arc<str>> {
                vec![$(type_label::<$K>()),+]
            }

            fn versions(&self) -> Vec<Option<String>> {
                vec![$(self.$at.resource_version()),+]
            }
        }

        impl<$($K: Lookup + Send + Sync + 'static),+> Members for ($(Member<$K>,)+) {
            type View = ($(Snapshot<$K>,)+);

            fn len(&self) -> usize {
                [$($at),+].len()
            }

            fn at(&mut self, index: usize) -> &mut dyn Polled {
                let members: [&mut dyn Polled; _] = [$(&mut self.$at),+];
                members.into_iter().nth(index).expect("an index below `len`")
            }

            fn view(&self, _: bool) -> Self::View {
                ($(self.$at.snapshot.clone(),)+)
            }

            fn names(&self, _: bool) -> Arc<[Arc<str>]> {
                [$(Arc::clone(&self.$at.name)),+].into()
            }

            fn kind_stores(&self) -> Vec<KindStore> {
                vec![$(self.$at.kind_store()),+]
            }
        }
    };
}

worlds!(0 A P);
worlds!(0 A P, 1 B Q);
worlds!(0 A P, 1 B Q, 2 C R);
worlds!(0 A P, 1 B Q, 2 C R, 3 D S);
worlds!(0 A P, 1 B Q, 2 C R, 3 D S, 4 E T);
worlds!(0 A P, 1 B Q, 2 C R, 3 D S, 4 E T, 5 F U);
worlds!(0 A P, 1 B Q, 2 C R, 3 D S, 4 E T, 5 F U, 6 G V);
worlds!(0 A P, 1 B Q, 2 C R, 3 D S, 4 E T, 5 F U, 6 G V, 7 H W);

/// Implements `Holds` for a position, in all tuples that are long enough.
macro_rules! held {
    ($($at:tt $Own:ident in ($($K:ident),+);)+) => {
        $(impl<$($K),+> Holds<$Own, At<$at>> for ($(Snapshot<$K>,)+) {
            const AT: usize = $at;

            fn held(&mut self) -> &mut Snapshot<$Own> {
                &mut self.$at
            }
        })+
    };
}

held! {
    0 A in (A);
    0 A in (A, B); 1 B in (A, B);
    0 A in (A, B, C); 1 B in (A, B, C); 2 C in (A, B, C);
    0 A in (A, B, C, D); 1 B in (A, B, C, D); 2 C in (A, B, C, D); 3 D in (A, B, C, D);
    0 A in (A, B, C, D, E); 1 B in (A, B, C, D, E); 2 C in (A, B, C, D, E);
    3 D in (A, B, C, D, E); 4 E in (A, B, C, D, E);
    0 A in (A, B, C, D, E, F); 1 B in (A, B, C, D, E, F); 2 C in (A, B, C, D, E, F);
    3 D in (A, B, C, D, E, F); 4 E in (A, B, C, D, E, F); 5 F in (A, B, C, D, E, F);
    0 A in (A, B, C, D, E, F, G); 1 B in (A, B, C, D, E, F, G); 2 C in (A, B, C, D, E, F, G);
    3 D in (A, B, C, D, E, F, G); 4 E in (A, B, C, D, E, F, G); 5 F in (A, B, C, D, E, F, G);
    6 G in (A, B, C, D, E, F, G);
    0 A in (A, B, C, D, E, F, G, H); 1 B in (A, B, C, D, E, F, G, H);
    2 C in (A, B, C, D, E, F, G, H); 3 D in (A, B, C, D, E, F, G, H);
    4 E in (A, B, C, D, E, F, G, H); 5 F in (A, B, C, D, E, F, G, H);
    6 G in (A, B, C, D, E, F, G, H); 7 H in (A, B, C, D, E, F, G, H);
}
