//! The collections of a watch, and the pipeline that they belong to.

use std::{fmt, sync::Arc};

use super::Collection;
use crate::{origin::Origin, stages::Stages};

/// The set of [`Collection`]s that a watch consists of, with the pipeline's identity: its resource,
/// name, filter and selectors.
///
/// A [`Watch`](crate::Watch) sends it first, and again whenever namespaces come or go. It travels
/// with the events, so that any adaptor may stand between a watch and `index`.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Collection, Scope};
///
/// let scope = Scope::<ConfigMap>::new(["a", "b"].map(Collection::of_namespace));
/// assert_eq!(scope.collections().len(), 2);
/// ```
pub struct Scope<K> {
    collections: Arc<[Collection]>,
    is_settled: bool,
    context: Arc<Context<K>>,
}

impl<K> Scope<K> {
    /// Returns a scope of these collections, for a mocked stream. See the [example](Scope).
    pub fn new(collections: impl IntoIterator<Item = Collection>) -> Self {
        Self::of(collections.into_iter().collect(), true, Context::default())
    }

    /// Returns the collections. See the [example](Scope).
    pub fn collections(&self) -> &[Collection] {
        &self.collections
    }

    /// Returns the name of the resource, as in [`StoreReport`](crate::StoreReport).
    pub fn resource(&self) -> &str {
        &self.context.origin.resource
    }

    /// Returns the selectors that the objects have passed so far: label, field and path selectors as they
    /// were written, closures by their names.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{WatchEvent, prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let mut pods = watch(Api::<Pod>::all(ApiServer::new().client()))
    ///     .labels("app=web")?
    ///     .matching("spec.nodeName!=node-1")?
    ///     .matching_with("has no owner", |pod| pod.metadata.owner_references.is_none());
    /// let Some(Ok(WatchEvent::Scope(scope))) = pods.next().await else { panic!() };
    /// assert_eq!(scope.selectors(), ["app=web", "spec.nodeName!=node-1", "has no owner"]);
    /// # Ok(()) });
    /// ```
    pub fn selectors(&self) -> Vec<String> {
        self.context.stages.selectors()
    }

    pub(crate) fn of(
        mut collections: Vec<Collection>,
        is_settled: bool,
        context: Context<K>,
    ) -> Self {
        collections.sort_unstable();
        collections.dedup();
        Self { collections: collections.into(), is_settled, context: Arc::new(context) }
    }

    /// Returns whether the first set of collections is known. A watch that looks namespaces up
    /// doesn't know it at once.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(crate) fn context(&self) -> &Arc<Context<K>> {
        &self.context
    }

    /// Returns the same collections behind one more stage.
    pub(crate) fn then(mut self, stage: impl FnOnce(Stages<K>) -> Stages<K>) -> Self {
        let context = Arc::make_mut(&mut self.context);
        context.stages = stage(std::mem::take(&mut context.stages));
        self
    }

    /// Returns the scope of these collections for converted objects. The stages that the original objects
    /// went through are dropped.
    pub(super) fn of_others<J>(self) -> Scope<J> {
        let context = Context { origin: self.context.origin.clone(), stages: Stages::default() };
        Scope {
            collections: self.collections,
            is_settled: self.is_settled,
            context: Arc::new(context),
        }
    }
}

impl<K> Clone for Scope<K> {
    fn clone(&self) -> Self {
        Self {
            collections: Arc::clone(&self.collections),
            is_settled: self.is_settled,
            context: Arc::clone(&self.context),
        }
    }
}

impl<K> fmt::Debug for Scope<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("resource", &self.context.origin.resource)
            .field("collections", &self.collections)
            .field("selectors", &self.selectors())
            .finish_non_exhaustive()
    }
}

/// The identity of a pipeline: the names that logs, metrics and `report` give it, and the stages
/// that its objects go through before a store has them.
pub(crate) struct Context<K> {
    pub(crate) origin: Origin,
    pub(crate) stages: Stages<K>,
}

impl<K> Default for Context<K> {
    fn default() -> Self {
        Self { origin: Origin::of_type::<K>(), stages: Stages::default() }
    }
}

impl<K> Clone for Context<K> {
    fn clone(&self) -> Self {
        Self { origin: self.origin.clone(), stages: self.stages.clone() }
    }
}
