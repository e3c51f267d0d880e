//! Events of a watch: the one type that flows from a source to a store.

mod collection;
mod scope;

use kube::runtime::watcher::Event;

pub(crate) use self::scope::Context;
pub use self::{collection::Collection, scope::Scope};

/// An event of a watch, as [`Watch`](crate::Watch) yields it and `index` takes it in.
///
/// Unlike kube's [`Event`], it has the collection (namespace) of a list, bookmarks, and objects that need
/// not be decoded. kube's events are accepted as well; `from` converts them.
///
/// | kube | here |
/// |---|---|
/// | `Init` | [`Restarted`](WatchEvent::Restarted) |
/// | `InitApply` | [`Listed`](WatchEvent::Listed) |
/// | `InitDone` | [`ListComplete`](WatchEvent::ListComplete) |
/// | `Apply` | [`Applied`](WatchEvent::Applied) |
/// | `Delete` | [`Deleted`](WatchEvent::Deleted) |
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Collection, Scope, WatchEvent, prelude::*, testing::fixture::object};
/// # kube_weir::testing::fixture::run(async {
/// let [a, b] = ["a", "b"].map(Collection::of_namespace);
/// let events = futures::stream::iter([
///     WatchEvent::Scope(Scope::new([a.clone(), b.clone()])),
///     WatchEvent::Listed(object::<ConfigMap>("a", "one")),
///     WatchEvent::ListComplete { collection: a, version: Some("7".into()) },
///     WatchEvent::Listed(object("b", "two")),
///     WatchEvent::ListComplete { collection: b, version: Some("8".into()) },
/// ]);
/// let mut changes = events.index(());
/// assert_eq!(changes.first_synced().await?.len(), 2, "synced once both are complete");
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WatchEvent<K> {
    /// The collections of the watch: the first event, sent again when collections are added or removed.
    /// Objects of a removed collection are deleted.
    Scope(Scope<K>),
    /// A list of this collection begins.
    Restarted {
        /// The collection.
        collection: Collection,
        /// True if the list is of another history than the objects and versions seen so far: etcd was
        /// restored from a backup, or the kind is served in another version.
        anew: bool,
    },
    /// An object is in the list.
    Listed(K),
    /// An object is in the list in the version that the store already has, so it was not decoded. Only a
    /// [`Watch`](crate::Watch) that is indexed directly sends this event.
    Unchanged {
        /// The namespace; `""` for the cluster-scoped.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The list of this collection is complete. Objects that were not in it are gone.
    ListComplete {
        /// The collection.
        collection: Collection,
        /// The resourceVersion of the list, if it is known.
        version: Option<String>,
    },
    /// An object was created or modified. Before the end of a list, it is part of the list.
    Applied(K),
    /// An object was deleted, or is no longer selected. Before the end of a list, it is not part of
    /// the list.
    Deleted(K),
    /// An object was deleted whose last version can't be decoded.
    Gone {
        /// The namespace; `""` for the cluster-scoped.
        namespace: String,
        /// The name.
        name: String,
        /// The resourceVersion of the deletion, if it is known.
        version: Option<String>,
    },
    /// All events of a collection up to this resourceVersion were sent.
    Bookmark {
        /// The collection.
        collection: Collection,
        /// The resourceVersion.
        version: String,
    },
}

impl<K> WatchEvent<K> {
    /// Returns the event with its object, if it has one, converted by `change`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::WatchEvent;
    ///
    /// let event = WatchEvent::Applied(ConfigMap::default()).map(Arc::new);
    /// assert!(matches!(event, WatchEvent::Applied(object) if object.data.is_none()));
    /// ```
    pub fn map<J>(self, change: impl FnOnce(K) -> J) -> WatchEvent<J> {
        match self {
            Self::Scope(scope) => WatchEvent::Scope(scope.of_others()),
            Self::Listed(object) => WatchEvent::Listed(change(object)),
            Self::Applied(object) => WatchEvent::Applied(change(object)),
            Self::Deleted(object) => WatchEvent::Deleted(change(object)),
            Self::Restarted { collection, anew } => WatchEvent::Restarted { collection, anew },
            Self::Unchanged { namespace, name } => WatchEvent::Unchanged { namespace, name },
            Self::ListComplete { collection, version } => {
                WatchEvent::ListComplete { collection, version }
            }
            Self::Gone { namespace, name, version } => {
                WatchEvent::Gone { namespace, name, version }
            }
            Self::Bookmark { collection, version } => WatchEvent::Bookmark { collection, version },
        }
    }
}

impl<K> From<Event<K>> for WatchEvent<K> {
    fn from(event: Event<K>) -> Self {
        match event {
            Event::Init => Self::Restarted { collection: Collection::cluster(), anew: false },
            Event::InitApply(object) => Self::Listed(object),
            Event::InitDone => {
                Self::ListComplete { collection: Collection::cluster(), version: None }
            }
            Event::Apply(object) => Self::Applied(object),
            Event::Delete(object) => Self::Deleted(object),
        }
    }
}
