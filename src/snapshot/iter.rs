//! Iteration over a run of a [`Tree`](super::tree::Tree).

use std::{iter::FusedIterator, slice};

use super::tree::{Node, locate};

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

impl<'a, E> Iter<'a, E> {
    pub(super) fn new(root: &'a Node<E>, start: usize, end: usize) -> Self {
        Self { root, start, end, front: [].iter(), leaves: [].iter() }
    }

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
