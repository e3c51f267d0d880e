//! The stages that may follow one that strains. They do the same as those of
//! [`EventStreamExt`](crate::EventStreamExt), and keep in mind what the objects went through, so
//! that hypothetical ones can go through it, too.

use futures::Stream;
use kube::runtime::reflector::Lookup;
use serde::{Serialize, de::DeserializeOwned};

use super::{EventItem, FilterFields, Indexed, Matching};
use crate::{
    filter::{FieldFilter, FieldSelector},
    index::IndexBy,
};

macro_rules! followed {
    ($Stage:ident) => {
        impl<S, K> $Stage<S, K>
        where
            Self: Stream<Item: EventItem<Object = K>>,
        {
            /// As [`EventStreamExt::filter_fields`](crate::EventStreamExt::filter_fields), which
            /// has an example.
            pub fn filter_fields(self, filter: FieldFilter) -> FilterFields<Self, K>
            where
                K: Lookup + Serialize + DeserializeOwned,
            {
                let before = self.strainer.clone();
                FilterFields::new(self, filter, before)
            }

            /// As [`EventStreamExt::matching`](crate::EventStreamExt::matching), which has an
            /// example.
            pub fn matching(self, selector: FieldSelector) -> Matching<Self, K>
            where
                K: Serialize + 'static,
            {
                let before = self.strainer.clone();
                Matching::new(self, selector, before)
            }

            /// As [`EventStreamExt::index`](crate::EventStreamExt::index). An
            /// [`Overlay`](crate::Overlay) of its snapshots strains objects likewise: see the
            /// example of [`FilterFields`].
            pub fn index(self, by: IndexBy<K>) -> Indexed<Self, K>
            where
                K: Lookup,
            {
                let by = by.behind(self.strainer.clone());
                Indexed::new(self, by)
            }
        }
    };
}

followed!(FilterFields);
followed!(Matching);
