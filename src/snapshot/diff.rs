//! What differs between two trees of which one came from the other.

use std::{cmp::Ordering, slice};

use super::{
    chunk::item,
    tree::{Node, Tree},
};

impl<E> Tree<E> {
    /// Visits what may differ from `old`, in order: pairs of entries for which `order` is `Equal`
    /// and `same` is false, and entries that only one of the trees has.
    ///
    /// Nodes that both trees share are passed over whole, so the cost goes with what changed.
    pub(crate) fn since<'a>(
        &'a self,
        old: &'a Self,
        same: impl Fn(&E, &E) -> bool,
        order: impl Fn(&E, &E) -> Ordering,
        mut visit: impl FnMut(Option<&'a E>, Option<&'a E>),
    ) {
        let (mut olds, mut news) = (Side::new(&old.root), Side::new(&self.root));
        loop {
            skip_shared(&mut olds, &mut news);
            match (olds.peek(), news.peek()) {
                (Some(old), Some(new)) => {
                    let order = if same(old, new) { None } else { Some(order(old, new)) };
                    match order {
                        None => {}
                        Some(Ordering::Equal) => visit(Some(old), Some(new)),
                        Some(Ordering::Less) => visit(Some(old), None),
                        Some(Ordering::Greater) => visit(None, Some(new)),
                    }
                    if order != Some(Ordering::Greater) {
                        olds.advance();
                    }
                    if order != Some(Ordering::Less) {
                        news.advance();
                    }
                }
                (Some(old), None) => {
                    visit(Some(old), None);
                    olds.advance();
                }
                (None, Some(new)) => {
                    visit(None, Some(new));
                    news.advance();
                }
                (None, None) => return,
            }
        }
    }
}

/// What is left of one tree: the rest of a leaf, then subtrees, the next one last.
struct Side<'a, E> {
    leaf: slice::Iter<'a, Option<E>>,
    rest: Vec<&'a Node<E>>,
}

impl<'a, E> Side<'a, E> {
    fn new(root: &'a Node<E>) -> Self {
        Self { leaf: [].iter(), rest: vec![root] }
    }

    fn peek(&mut self) -> Option<&'a E> {
        while self.leaf.len() == 0 && !self.rest.is_empty() {
            self.open();
        }
        self.leaf.as_slice().first().map(item)
    }

    fn advance(&mut self) {
        self.leaf.next();
    }

    /// Replaces the next subtree by what is in it.
    fn open(&mut self) {
        match self.rest.pop() {
            Some(Node::Leaf(_, entries)) => self.leaf = entries.slots().iter(),
            Some(Node::Branch(_, kids)) => self.rest.extend(kids.slots().iter().rev().map(item)),
            None => {}
        }
    }
}

/// Where both sides stand before a subtree: passes over those that are one and the same, and opens
/// the larger one of two that aren't, until the sides meet or stand in a leaf.
fn skip_shared<E>(olds: &mut Side<'_, E>, news: &mut Side<'_, E>) {
    while olds.leaf.len() == 0
        && news.leaf.len() == 0
        && let (Some(old), Some(new)) = (olds.rest.last(), news.rest.last())
    {
        let shared = match (old, new) {
            (Node::Leaf(_, old), Node::Leaf(_, new)) => std::ptr::eq(old.slots(), new.slots()),
            (Node::Branch(_, old), Node::Branch(_, new)) => std::ptr::eq(old.slots(), new.slots()),
            _ => false,
        };
        let (old, new) = (old.count(), new.count());
        if shared {
            olds.rest.pop();
            news.rest.pop();
            continue;
        }
        if old >= new {
            olds.open();
        }
        if new >= old {
            news.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;

    type Entry = Arc<(u16, u32)>;
    type OldAndNew = (Option<u32>, Option<u32>);

    fn differences(old: &Tree<Entry>, new: &Tree<Entry>) -> (Vec<OldAndNew>, usize) {
        let mut seen = Vec::new();
        let compared = std::cell::Cell::new(0);
        let same = |a: &Entry, b: &Entry| {
            compared.set(compared.get() + 1);
            Arc::ptr_eq(a, b)
        };
        new.since(
            old,
            same,
            |a, b| a.0.cmp(&b.0),
            |a, b| seen.push((a.map(|e| e.1), b.map(|e| e.1))),
        );
        (seen, compared.get())
    }

    proptest! {
        /// SEMANTICS: D4
        #[test]
        fn the_difference_is_that_of_the_maps(
            before in prop::collection::vec((0..400_u16, any::<u32>()), 0..300),
            changes in prop::collection::vec((0..400_u16, prop::option::of(any::<u32>())), 0..60),
        ) {
            let mut tree = Tree::default();
            let mut map = BTreeMap::new();
            for (key, value) in before {
                tree.insert(Arc::new((key, value)), |a, b| a.0.cmp(&b.0));
                map.insert(key, value);
            }
            let (old_tree, old_map) = (tree.clone(), map.clone());
            for (key, value) in changes {
                if let Some(value) = value {
                    tree.insert(Arc::new((key, value)), |a, b| a.0.cmp(&b.0));
                    map.insert(key, value);
                } else {
                    tree.remove(|entry| entry.0.cmp(&key));
                    map.remove(&key);
                }
            }
            let (mut seen, _) = differences(&old_tree, &tree);
            // A new version with the old content is for the caller to judge.
            seen.retain(|(old, new)| old != new);
            let keys: std::collections::BTreeSet<_> = old_map.keys().chain(map.keys()).collect();
            let wanted: Vec<_> = keys
                .into_iter()
                .map(|key| (old_map.get(key).copied(), map.get(key).copied()))
                .filter(|(old, new)| old != new)
                .collect();
            prop_assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn the_cost_goes_with_the_changes() {
        let old = Tree::from_sorted((0..u16::MAX).map(|key| Arc::new((key, 0))).collect());
        let mut new = old.clone();
        for key in [7, 20_000, 60_000] {
            new.insert(Arc::new((key, 1)), |a, b| a.0.cmp(&b.0));
        }
        new.remove(|entry| entry.0.cmp(&40_000));
        let (seen, compared) = differences(&old, &new);
        assert_eq!(seen.len(), 4);
        assert!(compared < 200, "{compared} of 65,535 entries were looked at");
    }
}
