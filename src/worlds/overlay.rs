//! Hypothetical worlds.

use std::{borrow::Cow, fmt, sync::Arc};

use kube::runtime::reflector::Lookup;
use serde::Serialize;

use super::{ByName, World, view::View};
use crate::{
    document::Document,
    error::{Error, ErrorKind},
    object_key::AsObjectKey,
    snapshot::Snapshot,
};

/// A hypothetical world in which some objects of any kind are different; from [`World::overlay`]. It has an
/// [`Overlay`](crate::Overlay) of each kind that is changed.
///
/// ```
/// use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
/// use kube_weir::{Snapshot, World, testing::fixture::object};
///
/// let ingresses = Snapshot::<Ingress>::from_objects((), [])?;
/// let services = Snapshot::<Service>::from_objects((), [])?;
/// let world = World::from_kinds((ingresses, services));
///
/// let ingress: Ingress = object("", "web");
/// let service: Service = object("", "web");
/// let what_if = world.overlay().apply(ingress)?.apply(service)?.build();
/// assert!(what_if.kinds().0.get(("", "web")).is_some());
///
/// let what_if = what_if.overlay().delete::<Service, _>("web").build();
/// assert!(what_if.kinds().1.is_empty());
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[must_use = "an overlay is nothing until it is built"]
pub struct WorldOverlay<V> {
    base: World<V>,
    kinds: V,
}

impl<V: Clone> World<V> {
    /// Returns an overlay with this world as its base. O(kinds). See [`WorldOverlay`] for an example.
    pub fn overlay(&self) -> WorldOverlay<V> {
        WorldOverlay { base: self.clone(), kinds: self.kinds().clone() }
    }
}

/// A tuple with a snapshot of this kind at the position `I`, which is inferred.
///
/// Use it in bounds of your own functions that work on any world with a kind; it can't be implemented
/// elsewhere.
///
/// ```
/// use k8s_openapi::api::core::v1::{Secret, Service};
/// use kube_weir::{Snapshot, World, testing::fixture::object, worlds::{Holds, View}};
///
/// fn without<V: View + Holds<Secret, I>, I>(world: &World<V>, secret: &str) -> World<V> {
///     world.overlay().delete(("web", secret)).build()
/// }
///
/// let services = Snapshot::<Service>::from_objects((), [])?;
/// let tls = object::<Secret>("web", "tls");
/// let secrets = Snapshot::from_objects((), [tls])?;
/// let world = World::from_kinds((services, secrets));
/// assert!(without(&world, "tls").kinds().1.is_empty());
/// # Ok::<(), kube_weir::Error>(())
/// ```
pub trait Holds<K, I> {
    #[doc(hidden)]
    const AT: usize;

    #[doc(hidden)]
    fn held(&mut self) -> &mut Snapshot<K>;
}

/// Overlays of tuples: the type of the object determines the kind.
impl<V: View> WorldOverlay<V> {
    /// Applies an object to its kind, as [`Overlay::apply`](crate::Overlay::apply) does.
    ///
    /// # Errors
    ///
    /// The errors of [`Overlay::apply`](crate::Overlay::apply), [naming the kind](Error::of_kind).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Secret, Service};
    /// use kube_weir::{Snapshot, World, testing::fixture::object};
    ///
    /// let services = Snapshot::<Service>::from_objects((), [])?;
    /// let secrets = Snapshot::<Secret>::from_objects((), [])?;
    /// let world = World::from_kinds((services, secrets));
    ///
    /// let what_if = world.overlay().apply(object::<Secret>("web", "tls"))?.build();
    /// assert_eq!((what_if.kinds().0.len(), what_if.kinds().1.len()), (0, 1));
    ///
    /// let error = world.overlay().apply(Service::default()).unwrap_err(); // it has no name
    /// assert_eq!(error.of_kind(), Some("Service"));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn apply<K, I>(mut self, object: K) -> Result<Self, Error>
    where
        V: Holds<K, I>,
        K: Lookup + Serialize + 'static,
    {
        let snapshot = self.kinds.held();
        let applied = snapshot.overlay().apply(object);
        let applied = applied.map_err(|error| error.in_kind(&self.base.0.names[V::AT]))?;
        *snapshot = applied.build();
        Ok(self)
    }

    /// Deletes an object, as [`Overlay::delete`](crate::Overlay::delete) does. The type names the kind:
    /// `delete::<Ingress, _>("default/web")`. See the [example](WorldOverlay).
    pub fn delete<K, I>(mut self, key: impl AsObjectKey) -> Self
    where
        V: Holds<K, I>,
        K: Lookup,
    {
        let snapshot = self.kinds.held();
        *snapshot = snapshot.overlay().delete(key).build();
        self
    }
}

/// Overlays of kinds by name.
impl WorldOverlay<ByName> {
    /// Applies an object to the kind of this name, as [`Overlay::apply`](crate::Overlay::apply) does.
    ///
    /// # Errors
    ///
    /// The errors of [`Overlay::apply`](crate::Overlay::apply), [naming the kind](Error::of_kind);
    /// [`is_resource`](Error::is_resource) if the world has no kind of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Document, Snapshot, World, testing::fixture::object, worlds::ByName};
    ///
    /// let services = Snapshot::from_objects((), [object::<Document>("", "shop")])?;
    /// let world = World::from_kinds(ByName::from_iter([("services", services)]));
    ///
    /// let what_if = world.overlay().apply_to("services", object::<Document>("", "blog"))?.build();
    /// assert_eq!(what_if.kind("services").unwrap().len(), 2);
    /// assert!(world.overlay().apply_to("secrets", object::<Document>("", "tls")).unwrap_err().is_resource());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn apply_to(mut self, kind: &str, object: Document) -> Result<Self, Error> {
        let (name, snapshot) = self.kind(kind)?;
        let applied = snapshot.overlay().apply(object);
        let applied = applied.map_err(|error| error.in_kind(&name))?.build();
        self.kinds.set(name, applied);
        Ok(self)
    }

    /// Deletes an object of the kind of this name, as [`Overlay::delete`](crate::Overlay::delete) does.
    ///
    /// # Errors
    ///
    /// [`is_resource`](Error::is_resource) if the world has no kind of this name.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Document, Snapshot, World, testing::fixture::object, worlds::ByName};
    ///
    /// let services = Snapshot::from_objects((), [object::<Document>("", "shop")])?;
    /// let world = World::from_kinds(ByName::from_iter([("services", services)]));
    ///
    /// let what_if = world.overlay().delete_from("services", "shop")?.build();
    /// assert!(what_if.kind("services").unwrap().is_empty());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn delete_from(mut self, kind: &str, key: impl AsObjectKey) -> Result<Self, Error> {
        let (kind, snapshot) = self.kind(kind)?;
        let deleted = snapshot.overlay().delete(key).build();
        self.kinds.set(kind, deleted);
        Ok(self)
    }

    fn kind(&self, name: &str) -> Result<(Arc<str>, Snapshot<Document>), Error> {
        self.kinds.entry(name).ok_or_else(|| {
            let names: Vec<_> = self.kinds.iter().map(|(name, _)| name).collect();
            let there = match &names[..] {
                [] => Cow::Borrowed("none"),
                names => names.join(", ").into(),
            };
            Error::new(
                ErrorKind::Resource,
                format!("no kind `{name}` in the world; there are: {there}"),
            )
        })
    }
}

impl<V> WorldOverlay<V> {
    /// Returns the hypothetical world, with the generation of its base. See the [example](WorldOverlay).
    pub fn build(self) -> World<V> {
        let Self { base, kinds } = self;
        World::new(base.generation(), Arc::clone(&base.0.names), kinds)
    }
}

impl<V: Clone> Clone for WorldOverlay<V> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), kinds: self.kinds.clone() }
    }
}

impl<V: fmt::Debug> fmt::Debug for WorldOverlay<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldOverlay").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}
