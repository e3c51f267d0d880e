//! The store of a pipeline, from any stage behind it.

use crate::store::{Changes, Store};

/// A stream that fills a store, or a stage behind such a stream. See [`Debounced::store`](super::Debounced::store) for
/// an example.
///
/// The trait is sealed; use it in bounds of your own functions.
pub trait HasStore: sealed::Sealed {
    /// The type of the store: [`Store`], or [`WorldStore`](crate::WorldStore).
    type Store;

    #[doc(hidden)]
    fn reading_side(&self) -> Self::Store;
}

impl<K> HasStore for Changes<K> {
    type Store = Store<K>;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

pub(crate) mod sealed {
    use super::Changes;

    pub trait Sealed {}
    impl<K> Sealed for Changes<K> {}
}
