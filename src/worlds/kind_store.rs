//! The store of one kind, as a world waits for it and reports it.

use std::sync::Arc;

use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use kube::runtime::reflector::Lookup;

use crate::{
    error::Error,
    store::{Store, StoreReport},
};

/// The store of one kind, without its type.
#[doc(hidden)]
#[derive(Clone)]
pub struct KindStore {
    pub(super) name: Arc<str>,
    pub(super) store: Arc<dyn AnyStore>,
}

pub(super) trait AnyStore: Send + Sync {
    fn synced(&self) -> BoxFuture<'_, Result<(), Error>>;
    fn is_synced(&self) -> bool;
    fn report(&self) -> StoreReport;
}

impl<K: Lookup + Send + Sync> AnyStore for Store<K> {
    fn synced(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.synced().map_ok(drop).boxed()
    }

    fn is_synced(&self) -> bool {
        self.is_synced()
    }

    fn report(&self) -> StoreReport {
        self.report()
    }
}

impl KindStore {
    pub(super) fn new<K: Lookup + Send + Sync + 'static>(
        name: &Arc<str>,
        store: &Store<K>,
    ) -> Self {
        Self { name: Arc::clone(name), store: Arc::new(store.clone()) }
    }

    pub(super) async fn synced(&self) -> Result<(), Error> {
        self.store.synced().await.map_err(|error| error.in_kind(&self.name))
    }
}
