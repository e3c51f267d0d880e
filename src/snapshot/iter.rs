//! Iteration over a run of a [`Tree`](super::tree::Tree).

use std::{cmp::Ordering, iter::FusedIterator, slice};

use super::tree::{Node, Tree, locate};

/// A run of entries in order.
#[derive(Debug)]
pub(crate) struct Iter<'a, E> {
    root: &'a Node<E>,
    /// Ranks still to come.
    start: usize,
    end: usize,
    /// The rest of the leaf at `start`, and the leaves beside it, so that only each bottom branch needs a new
    /// descent.
    front: slice::Iter<'a, Option<E>>,
    leaves: slice::Iter<'a, Option<Node<E>>>,
}

type Slots<'a, T> = &'a [Option<T>];

impl<E> Tree<E> {
    /// Returns the run of entries for which `cmp` is `Equal`.
    pub(crate) fn range(&self, mut cmp: impl FnMut(&E) -> Ordering) -> Iter<'_, E> {
        let start = self.partition_point(|entry| cmp(entry).is_lt());
        let end = self.partition_point(|entry| cmp(entry).is_le());
        self.run(start, end)
    }

    /// Returns all entries in order.
    pub(crate) fn iter(&self) -> Iter<'_, E> {
        self.run(0, self.len())
    }

    fn run(&self, start: usize, end: usize) -> Iter<'_, E> {
        Iter { root: &self.root, start, end, front: [].iter(), leaves: [].iter() }
    }
}

impl<'a, E> Iter<'a, E> {
    /// Returns the leaf that holds `rank`, the rank within it, and the leaves that follow under the same
    /// branch.
    fn descend(&self, mut rank: usize) -> (Slots<'a, E>, usize, Slots<'a, Node<E>>) {
        let mut rest: Slots<_> = &[];
        let mut node = self.root;
        loop {
            match node {
                Node::Leaf(_, entries) => return (entries.slots(), rank, rest),
                Node::Branch(_, kids) => {
                    let (index, inner) = locate(kids, rank, false);
                    (node, rank, rest) = (kids.at(index), inner, &kids.slots()[index + 1..]);
                }
            }
        }
    }

    #[cold]
    fn refill(&mut self) -> Option<&'a E> {
        if let Some(Some(Node::Leaf(_, entries))) = self.leaves.next() {
            self.front = entries.slots().iter();
        } else {
            let (slots, index, leaves) = self.descend(self.start);
            self.front = slots[index..].iter();
            self.leaves = leaves.iter();
        }
        self.front.next()?.as_ref()
    }
}

impl<'a, E> Iterator for Iter<'a, E> {
    type Item = &'a E;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.start == self.end {
            return None;
        }
        let entry = match self.front.next() {
            Some(slot) => slot.as_ref(),
            None => self.refill(),
        };
        self.start += 1;
        entry
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.start, Some(self.end - self.start))
    }
}

impl<E> ExactSizeIterator for Iter<'_, E> {}

impl<E> FusedIterator for Iter<'_, E> {}
