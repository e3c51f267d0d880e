//! The set of namespaces of a watch, which may change while it runs.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use super::target::Target;
use crate::{
    error::{Error, ErrorKind},
    filter::{FieldSelector, LabelSelector},
    rfc1123::is_label,
    stages::NamespaceSelection,
};

/// The namespaces of a watch, for [`Watch::namespaces`](crate::Watch::namespaces): fixed names, or a set
/// that changes at run time.
///
/// Each namespace is listed and watched on its own. If a namespace is added, its objects are created; if it
/// is removed, they are deleted. Nothing else is listed again.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Namespaces, prelude::*, testing::fixture::config_map};
///
/// # kube_weir::testing::fixture::with_server(async |server| {
/// server.apply(&config_map("a", 1))?; // in `default`; another one is in `web`
/// let namespaces = Namespaces::new(["web"]);
/// let handle = namespaces.handle();
/// let configs = watch(Api::<ConfigMap>::all(server.client())).namespaces(namespaces);
/// let mut changes = configs.index(()).log_errors();
/// assert_eq!(changes.first_synced().await?.len(), 1);
///
/// handle.add("default")?;
/// assert_eq!(changes.next().await.unwrap().batch().unwrap().stats().created, 1);
/// handle.remove("web");
/// assert_eq!(changes.next().await.unwrap().batch().unwrap().stats().deleted, 1);
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct Namespaces {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The whole cluster.
    Cluster,
    Set(Arc<watch::Sender<Set>>),
    /// The namespaces that have the labels, found by a watch of their own.
    Labelled(LabelSelector),
}

type Set = BTreeMap<Arc<str>, NamespaceSelection>;

impl Namespaces {
    /// Returns the namespaces of these names. No name means no namespace, never all of them.
    /// [Example](Namespaces).
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let set: Set = names.into_iter().map(|name| selection(&name.into(), None, None)).collect();
        Self { source: Source::Set(Arc::new(watch::Sender::new(set))) }
    }

    /// Adds a namespace with its own selectors, in addition to the watch's.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{LabelSelector, Namespaces, prelude::*, testing::ApiServer};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let shop = LabelSelector::parse("app=shop")?;
    /// let namespaces = Namespaces::new(["a"]).with("b", Some(shop), None);
    /// let configs = watch(Api::<ConfigMap>::all(server.client())).namespaces(namespaces);
    /// configs.index(()).first_synced().await?;
    /// let of_b = server.requests().into_iter().find(|own| own.contains("/b/configmaps")).unwrap();
    /// assert!(of_b.contains("labelSelector=app%3Dshop"));
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn with(
        self,
        namespace: &str,
        labels: Option<LabelSelector>,
        fields: Option<FieldSelector>,
    ) -> Self {
        self.handle().insert(namespace, labels, fields);
        self
    }

    /// Returns a handle that changes the set while the watch runs. [Example](Namespaces).
    ///
    /// The handle of all namespaces, or of namespaces selected by labels, changes nothing.
    pub fn handle(&self) -> NamespacesHandle {
        match &self.source {
            Source::Set(set) => NamespacesHandle(Arc::clone(set)),
            _ => NamespacesHandle(Arc::default()),
        }
    }

    /// Returns the whole cluster as one collection.
    pub(super) fn cluster() -> Self {
        Self { source: Source::Cluster }
    }

    /// Returns the namespaces that have these labels.
    pub(super) fn labelled(selector: LabelSelector) -> Self {
        Self { source: Source::Labelled(selector) }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.source, Source::Cluster)
    }

    pub(super) fn selector(&self) -> Option<&LabelSelector> {
        match &self.source {
            Source::Labelled(selector) => Some(selector),
            _ => None,
        }
    }

    /// Returns a receiver of the set's changes, if a handle can change it.
    pub(super) fn changes(&self) -> Option<watch::Receiver<Set>> {
        match &self.source {
            Source::Set(set) => Some(set.subscribe()),
            _ => None,
        }
    }

    /// Returns the current collections; `None` if they must be looked up.
    pub(super) fn targets(&self) -> Option<Vec<Target>> {
        match &self.source {
            Source::Cluster => Some(vec![Target::cluster()]),
            Source::Set(set) => Some(set.borrow().values().map(Target::of).collect()),
            Source::Labelled(_) => None,
        }
    }

    /// Returns the selections for hypothetical objects; `None` if every namespace is watched.
    pub(super) fn selections(&self) -> Option<Vec<NamespaceSelection>> {
        match &self.source {
            Source::Set(set) => Some(set.borrow().values().cloned().collect()),
            _ => None,
        }
    }
}

impl<I: IntoIterator<Item: Into<String>>> From<I> for Namespaces {
    fn from(names: I) -> Self {
        Self::new(names)
    }
}

/// A handle that changes the [`Namespaces`] of a running watch.
///
/// A change without a difference does nothing.
#[derive(Clone, Debug)]
pub struct NamespacesHandle(Arc<watch::Sender<Set>>);

impl NamespacesHandle {
    /// Adds a namespace. [Example](Namespaces).
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if no namespace can have this name.
    pub fn add(&self, namespace: &str) -> Result<(), Error> {
        self.add_selecting(namespace, None, None)
    }

    /// Adds a namespace with its own selectors, in addition to the watch's. A namespace that is in the set
    /// already is listed again with the new selectors. See [`Namespaces::with`].
    ///
    /// # Errors
    ///
    /// [`is_namespace`](Error::is_namespace) if no namespace can have this name.
    pub fn add_selecting(
        &self,
        namespace: &str,
        labels: Option<LabelSelector>,
        fields: Option<FieldSelector>,
    ) -> Result<(), Error> {
        check(namespace)?;
        self.insert(namespace, labels, fields);
        Ok(())
    }

    fn insert(
        &self,
        namespace: &str,
        labels: Option<LabelSelector>,
        fields: Option<FieldSelector>,
    ) {
        let (name, selection) = selection(namespace, labels, fields);
        self.0.send_if_modified(|set| {
            let is_same = set.get(&name) == Some(&selection);
            if !is_same {
                set.insert(name, selection);
            }
            !is_same
        });
    }

    /// Removes a namespace: its objects are deleted from the store. [Example](Namespaces).
    pub fn remove(&self, namespace: &str) {
        self.0.send_if_modified(|set| set.remove(namespace).is_some());
    }

    /// Returns the names in order.
    ///
    /// ```
    /// use kube_weir::Namespaces;
    ///
    /// let handle = Namespaces::new(["b", "a"]).handle();
    /// handle.remove("b");
    /// assert_eq!(handle.names(), ["a"]);
    /// ```
    pub fn names(&self) -> Vec<String> {
        self.0.borrow().keys().map(|name| name.as_ref().to_owned()).collect()
    }
}

fn selection(
    name: &str,
    labels: Option<LabelSelector>,
    fields: Option<FieldSelector>,
) -> (Arc<str>, NamespaceSelection) {
    let name: Arc<str> = name.into();
    (Arc::clone(&name), NamespaceSelection { name, labels, fields })
}

/// Checks the name of a namespace before it becomes part of a path.
pub(super) fn check(name: &str) -> Result<(), Error> {
    if is_label(name) {
        return Ok(());
    }
    let why = format!("`{name}` can't be the name of a namespace");
    Err(Error::new(ErrorKind::Namespace, why))
}
