//! The indexes of a store.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{Index, Inspect};
use crate::path::FieldPath;

/// The indexes of a store: `()` for none, an [`Index`] or `&Index`, or a tuple, array, slice, `Vec` or `Option` of
/// them.
///
/// A store keeps only one of several equal indexes.
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kube_weir::{Index, Snapshot};
///
/// let node = Index::<Pod>::path("spec.nodeName")?;
/// let app = Index::path("metadata.labels.app")?;
///
/// Snapshot::<Pod>::from_objects((), [])?;
/// Snapshot::from_objects((&node, &app), [])?;
/// Snapshot::from_objects(vec![node, app], [])?;
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no index of `{K}`",
    label = "expected `()`, an `Index<{K}>`, or several of them",
    note = "an index is made by `Index::path(\"..\")?`, `Index::paths([..])?` or `Index::with(|object| ..)`",
    note = "`()` is enough to find objects by namespace and name"
)]
pub trait Indexes<K>: Sized {
    /// Adds the indexes to the set of a store.
    fn add_to(self, set: &mut IndexSet<K>);
}

/// The set of indexes for a store; filled by [`Indexes::add_to`].
pub struct IndexSet<K> {
    indexes: Vec<(Arc<str>, Index<K>)>,
    inspect: Option<Inspect<K>>,
}

impl<K> IndexSet<K> {
    pub(crate) fn new() -> Self {
        Self { indexes: Vec::new(), inspect: None }
    }

    pub(crate) fn of(indexes: impl Indexes<K>) -> Self {
        let mut set = Self::new();
        indexes.add_to(&mut set);
        set
    }

    /// Adds an index, unless the set has an equal one.
    pub fn add(&mut self, index: Index<K>) {
        self.inspect = self.inspect.or(index.inspect());
        if self.indexes.iter().all(|(_, own)| *own != index) {
            self.indexes.push((self.name(&index), index));
        }
    }

    /// Returns a unique name for an index.
    fn name(&self, index: &Index<K>) -> Arc<str> {
        let name = index.name();
        let is_free = |name: &str| self.indexes.iter().all(|(own, _)| **own != *name);
        if is_free(&name) {
            return name;
        }
        let numbered = (2..).map(|number| format!("{name}#{number}"));
        numbered.into_iter().find(|name| is_free(name)).unwrap_or_default().into()
    }

    pub(crate) fn inspect(&self) -> Option<Inspect<K>> {
        self.inspect
    }

    /// Returns the paths of all indexes; `None` if one uses a closure.
    pub(crate) fn all_paths(&self) -> Option<Vec<FieldPath>> {
        let mut all = Vec::new();
        for (_, index) in &self.indexes {
            let paths = index.key_paths()?;
            if !index.is_identity() {
                all.extend_from_slice(paths);
            }
        }
        Some(all)
    }

    /// Returns the indexes with their unique names.
    pub(crate) fn into_named(self) -> Arc<[(Arc<str>, Index<K>)]> {
        self.indexes.into()
    }
}

impl<K> fmt::Debug for IndexSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.indexes.iter().map(|(name, _)| name)).finish()
    }
}

impl<K> Indexes<K> for IndexSet<K> {
    fn add_to(self, set: &mut IndexSet<K>) {
        set.inspect = set.inspect.or(self.inspect);
        self.indexes.into_iter().for_each(|(_, index)| set.add(index));
    }
}

impl<K: Serialize + 'static> Indexes<K> for () {
    fn add_to(self, set: &mut IndexSet<K>) {
        set.inspect = set.inspect.or(Some(Inspect::of_serialized()));
    }
}

impl<K> Indexes<K> for Index<K> {
    fn add_to(self, set: &mut IndexSet<K>) {
        set.add(self);
    }
}

impl<K> Indexes<K> for &Index<K> {
    fn add_to(self, set: &mut IndexSet<K>) {
        set.add(self.clone());
    }
}

// Any number of indexes, as in a configuration. There may be none, so `()` is added, too, for its `inspect`.

fn add_all<K, I>(set: &mut IndexSet<K>, all: I)
where
    K: Serialize + 'static,
    I: IntoIterator<Item: Indexes<K>>,
{
    ().add_to(set);
    for own in all {
        own.add_to(set);
    }
}

impl<K: Serialize + 'static> Indexes<K> for &[Index<K>] {
    fn add_to(self, set: &mut IndexSet<K>) {
        add_all(set, self);
    }
}

impl<K: Serialize + 'static> Indexes<K> for &Vec<Index<K>> {
    fn add_to(self, set: &mut IndexSet<K>) {
        add_all(set, self);
    }
}

impl<K: Serialize + 'static, T: Indexes<K>> Indexes<K> for Option<T> {
    fn add_to(self, set: &mut IndexSet<K>) {
        add_all(set, self);
    }
}

impl<K: Serialize + 'static, T: Indexes<K>> Indexes<K> for Vec<T> {
    fn add_to(self, set: &mut IndexSet<K>) {
        add_all(set, self);
    }
}

impl<K: Serialize + 'static, T: Indexes<K>, const N: usize> Indexes<K> for [T; N] {
    fn add_to(self, set: &mut IndexSet<K>) {
        add_all(set, self);
    }
}

macro_rules! tuples {
    ($(($($type:ident),*))*) => {$(
        impl<K, $($type: Indexes<K>),*> Indexes<K> for ($($type,)*) {
            #[allow(non_snake_case)]
            fn add_to(self, set: &mut IndexSet<K>) {
                let ($($type,)*) = self;
                $($type.add_to(set);)*
            }
        }
    )*};
}

tuples! {
    (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    #[test]
    fn equal_indexes_are_one_and_names_differ() {
        let app = || Index::<Pod>::path("metadata.labels.app").unwrap();
        let closure = || Index::with(|pod: &Pod| pod.metadata.generate_name.clone());
        let own = closure();
        let set = IndexSet::of((
            app(),
            &app(),
            [app().named("app"), app().named("app").numeric()],
            vec![own.clone(), own.clone()],
            closure().named("app"),
        ));
        let names: Vec<_> = set.indexes.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["metadata.labels.app", "app", "app#2", &own.name(), "app#3"]);
        assert!(own.name().starts_with("closure at src/index/set.rs:"), "{}", own.name());
        let again = IndexSet::of(set);
        assert_eq!(again.indexes.len(), 5);
        for none in [
            IndexSet::<Pod>::of(()),
            IndexSet::of(Vec::<Index<Pod>>::new()),
            IndexSet::of(None::<Index<Pod>>),
        ] {
            assert!(none.indexes.is_empty() && none.inspect().is_some());
        }
    }
}
