//! Objects whose newest version can't be decoded.

use std::{cmp::Ordering, fmt};

use crate::snapshot::Tree;

/// A namespace and a name.
type Identity = (String, String);

/// Set of the objects whose newest version can't be decoded. A clone shares everything, so publishing the set
/// after each failure stays cheap when it is large.
#[derive(Clone, Default)]
pub(crate) struct Stale(Tree<Identity>);

impl Stale {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, namespace: &str, name: &str) -> bool {
        self.0.get(|own| against(own, namespace, name)).is_some()
    }

    /// Returns the objects in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(namespace, name)| (&**namespace, &**name))
    }

    pub(super) fn insert(&mut self, object: Identity) {
        let (namespace, name) = object.clone();
        self.0.insert(object, |own| against(own, &namespace, &name));
    }

    /// Removes an object; returns whether it was in the set.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) -> bool {
        self.0.remove(|own| against(own, namespace, name)).is_some()
    }

    /// Replaces the objects of a namespace, or all objects.
    pub(super) fn replace(
        &mut self,
        namespace: Option<&str>,
        objects: impl Iterator<Item = Identity>,
    ) {
        let is_kept = |own: &&Identity| namespace.is_some_and(|namespace| own.0 != namespace);
        let mut all: Vec<_> = self.0.iter().filter(is_kept).cloned().chain(objects).collect();
        all.sort_unstable();
        all.dedup();
        self.0 = Tree::from_sorted(all);
    }
}

impl fmt::Debug for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn against(own: &Identity, namespace: &str, name: &str) -> Ordering {
    (&*own.0, &*own.1).cmp(&(namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: B2
    #[test]
    fn a_clone_stays_as_it_was_and_a_namespace_is_replaced_alone() {
        let own = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        let mut stale = Stale::default();
        for object in [own("b", "y"), own("a", "x"), own("b", "x"), own("a", "x")] {
            stale.insert(object);
        }
        let before = stale.clone();
        assert!(stale.remove("a", "x") && !stale.remove("a", "x"));
        stale.replace(Some("b"), [own("b", "z"), own("b", "z")].into_iter());
        assert_eq!(stale.iter().collect::<Vec<_>>(), [("b", "z")]);
        assert_eq!(before.iter().collect::<Vec<_>>(), [("a", "x"), ("b", "x"), ("b", "y")]);
        assert!(before.contains("b", "y") && !before.contains("b", "z"));
        stale.replace(None, std::iter::empty());
        assert!(stale.is_empty() && before.len() == 3);
    }
}
