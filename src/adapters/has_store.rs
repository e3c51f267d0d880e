//! The store of a pipeline, from any stage behind it.

use kube::runtime::reflector::Lookup;

use super::{Debounced, Indexed, LogErrors, WhileLeading, subject::Subject};
use crate::store::{Changes, Store};

/// A stream that fills a store, or a stage behind such a stream. See [`Debounced::store`] for an example.
///
/// The trait is sealed; use it in bounds of your own functions.
pub trait HasStore: sealed::Sealed {
    /// The type of the store: [`Store`], or [`WorldStore`](crate::WorldStore).
    type Store;

    #[doc(hidden)]
    fn reading_side(&self) -> Self::Store;
}

impl<S, K: Lookup> HasStore for Indexed<S, K> {
    type Store = Store<K>;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

impl<K> HasStore for Changes<K> {
    type Store = Store<K>;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

impl<S: HasStore, K: Subject> HasStore for Debounced<S, K> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

impl<S: HasStore, K: Subject> HasStore for WhileLeading<S, K> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

impl<S: HasStore> HasStore for LogErrors<S> {
    type Store = S::Store;

    fn reading_side(&self) -> S::Store {
        self.get_ref().reading_side()
    }
}

pub(crate) mod sealed {
    use super::{Changes, Debounced, Indexed, LogErrors, Subject, WhileLeading};

    pub trait Sealed {}
    impl<S, K> Sealed for Indexed<S, K> {}
    impl<K> Sealed for Changes<K> {}
    impl<S, K: Subject> Sealed for Debounced<S, K> {}
    impl<S, K: Subject> Sealed for WhileLeading<S, K> {}
    impl<S> Sealed for LogErrors<S> {}
}
