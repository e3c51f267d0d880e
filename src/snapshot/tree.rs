//! A persistent ordered list: a B+tree whose entries all lie in short leaves.
//!
//! The tree knows no keys. Every search takes a function that orders an entry relative to the sought one, and
//! every change is made by rank, so the order is evaluated once.
//!
//! The children of a branch are separated by clones of entries, so that a search reads few cold cache lines.
//! These separators are in their own chunk: copying a branch shares them, and only a change of a child's
//! first entry, which is one change out of a leaf's length, touches their reference counts. Separators are
//! always exact, so no removed entry is kept alive.

use std::cmp::Ordering;

use super::chunk::{Chunk, item, item_mut};

/// Children of a full branch.
const FAN: usize = 12;

/// Entries in ascending order. Cloning is O(1); the clone shares all nodes until one of the two changes.
#[derive(Clone, Debug)]
pub(crate) struct Tree<E> {
    pub(super) root: Node<E>,
}

/// A subtree and the number of its entries. All leaves have the same depth, and only the root may be empty.
#[derive(Clone, Debug)]
pub(super) enum Node<E> {
    Leaf(u32, Chunk<E>),
    Branch(u32, Kids<E>),
}

/// The children of a branch, headed by the first entry of each but the first.
type Kids<E> = Chunk<Node<E>, Chunk<E>>;

impl<E> Default for Tree<E> {
    fn default() -> Self {
        Self { root: Node::leaf(0, &mut std::iter::empty()) }
    }
}

impl<E> Tree<E> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.root.count()
    }

    /// Returns the entry for which `cmp`, its order relative to the sought one, is `Equal`.
    pub(crate) fn get(&self, mut cmp: impl FnMut(&E) -> Ordering) -> Option<&E> {
        let (_, entries) = self.leaf(|entry| cmp(entry).is_le());
        entries.search(cmp).ok().map(|index| entries.at(index))
    }

    /// Returns the number of leading entries for which `before` holds.
    pub(super) fn partition_point(&self, mut before: impl FnMut(&E) -> bool) -> usize {
        let (rank, entries) = self.leaf(&mut before);
        rank + entries.partition_point(before)
    }

    /// Returns the rank of the entry for which `cmp` is `Equal`, or as an error the rank at which to insert
    /// it.
    fn find(&self, mut cmp: impl FnMut(&E) -> Ordering) -> Result<usize, usize> {
        let (rank, entries) = self.leaf(|entry| cmp(entry).is_le());
        let found = entries.search(cmp);
        found.map(|index| rank + index).map_err(|index| rank + index)
    }

    /// Returns the leaf in which `before` changes from true to false, and the rank of its first entry.
    fn leaf(&self, mut before: impl FnMut(&E) -> bool) -> (usize, &Chunk<E>) {
        let mut rank = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(_, entries) => return (rank, entries),
                Node::Branch(_, kids) => {
                    let index = kids.head().partition_point(&mut before);
                    rank += total(&kids.slots()[..index]);
                    node = kids.at(index);
                }
            }
        }
    }
}

impl<E: Clone> Tree<E> {
    /// Builds a tree of strictly ascending entries. O(n); the leaves are full.
    pub(crate) fn from_sorted(entries: Vec<E>) -> Self {
        let mut left = entries.len();
        let mut entries = entries.into_iter();
        let mut nodes: Vec<_> =
            portions(left, Node::<E>::LEAF).map(|len| Node::leaf(len, &mut entries)).collect();
        while nodes.len() > 1 {
            left = nodes.len();
            let mut kids = nodes.into_iter();
            nodes = portions(left, FAN)
                .map(|len| Node::branch(kids.by_ref().take(len).collect()))
                .collect();
        }
        nodes.pop().map_or_else(Self::default, |root| Self { root })
    }

    /// Inserts `entry`. Replaces and returns the entry for which `cmp`, its order relative to `entry`, is
    /// `Equal`.
    pub(crate) fn insert(&mut self, entry: E, cmp: impl FnMut(&E) -> Ordering) -> Option<E> {
        match self.find(cmp) {
            Ok(rank) => Some(self.root.replace(rank, entry)),
            Err(rank) => {
                if let Some(sibling) = self.root.insert(rank, entry) {
                    let old = std::mem::take(self).root;
                    self.root = Node::branch(vec![old, sibling]);
                }
                None
            }
        }
    }

    /// Removes and returns the entry for which `cmp`, its order relative to the sought one, is `Equal`.
    pub(crate) fn remove(&mut self, cmp: impl FnMut(&E) -> Ordering) -> Option<E> {
        let rank = self.find(cmp).ok()?;
        let removed = self.root.remove(rank);
        while let Node::Branch(_, kids) = &self.root
            && kids.len() == 1
        {
            self.root = kids.at(0).clone();
        }
        Some(removed)
    }
}

impl<E> Node<E> {
    /// Entries of a full leaf. A publish copies a whole leaf, and increments the reference count of each
    /// entry that has one; entries that are plain numbers are copied as fast as bytes, so their leaves are
    /// longer.
    const LEAF: usize = if std::mem::needs_drop::<E>() { 24 } else { 48 };

    fn leaf(len: usize, entries: &mut impl Iterator<Item = E>) -> Self {
        Self::Leaf(short(len), Chunk::fill((), len, entries))
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Leaf(count, _) | Self::Branch(count, _) => *count as usize,
        }
    }

    /// Returns the number of slots in use.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(_, entries) => entries.len(),
            Self::Branch(_, kids) => kids.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Leaf(..) => Self::LEAF,
            Self::Branch(..) => FAN,
        }
    }

    fn first(&self) -> &E {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(_, entries) => return entries.at(0),
                Self::Branch(_, kids) => node = kids.at(0),
            }
        }
    }
}

impl<E: Clone> Node<E> {
    fn branch(kids: Vec<Self>) -> Self {
        let count = kids.iter().map(Self::count).sum();
        let mut firsts = kids.iter().skip(1).map(|kid| kid.first().clone());
        let firsts = Chunk::fill((), kids.len() - 1, &mut firsts);
        Self::Branch(short(count), Chunk::fill(firsts, kids.len(), &mut kids.into_iter()))
    }

    fn replace(&mut self, rank: usize, entry: E) -> E {
        match self {
            Self::Leaf(_, entries) => entries.replace(rank, entry),
            Self::Branch(_, kids) => {
                let (index, rank) = locate(kids, rank, false);
                let replaced = kids.edit(|slots| item_mut(&mut slots[index]).replace(rank, entry));
                if rank == 0 {
                    separate(kids, index);
                }
                replaced
            }
        }
    }

    /// Inserts an entry; returns the right half if the node had to be split.
    fn insert(&mut self, rank: usize, entry: E) -> Option<Self> {
        match self {
            Self::Leaf(count, entries) => {
                let sibling = insert_or_split(entries, rank, entry);
                *count = short(entries.len());
                sibling.map(|tail| Self::Leaf(short(tail.len()), tail))
            }
            Self::Branch(count, kids) => {
                // Between two children the entry goes to the left one, so no first entry changes.
                let (index, rank) = locate(kids, rank, true);
                let sibling = kids.edit(|slots| item_mut(&mut slots[index]).insert(rank, entry));
                *count += 1;
                self.add_kid(index + 1, sibling?)
            }
        }
    }

    fn add_kid(&mut self, index: usize, kid: Self) -> Option<Self> {
        let Self::Branch(_, kids) = self else { unreachable!("only branches have children") };
        if kids.len() < FAN {
            let first = kid.first().clone();
            kids.insert(index, kid);
            kids.edit_head(|firsts| firsts.insert(index - 1, first));
            return None;
        }
        let mut left = kids.drain();
        left.insert(index, kid);
        let right = left.split_off(if index == FAN { FAN } else { FAN / 2 });
        *self = Self::branch(left);
        Some(Self::branch(right))
    }

    fn remove(&mut self, rank: usize) -> E {
        match self {
            Self::Leaf(count, entries) => {
                *count -= 1;
                entries.remove(rank)
            }
            Self::Branch(count, kids) => {
                *count -= 1;
                let (index, rank) = locate(kids, rank, false);
                let removed = kids.edit(|slots| item_mut(&mut slots[index]).remove(rank));
                if rank == 0 && item(&kids.slots()[index]).width() > 0 {
                    separate(kids, index);
                }
                settle(kids, index);
                removed
            }
        }
    }

    fn absorb(&mut self, right: Self) {
        match (&mut *self, right) {
            (Self::Leaf(count, entries), Self::Leaf(more, tail)) => {
                *count += more;
                entries.append(tail);
            }
            (Self::Branch(_, kids), Self::Branch(_, mut tail)) => {
                let mut kids = kids.drain();
                kids.extend(tail.drain());
                *self = Self::branch(kids);
            }
            _ => unreachable!("siblings have the same depth"),
        }
    }
}

/// Returns the child that holds `rank`, and the rank within it. Between two children, `end` chooses the end
/// of the left one.
#[inline]
pub(super) fn locate<E>(kids: &Kids<E>, mut rank: usize, end: bool) -> (usize, usize) {
    let last = kids.len() - 1;
    for (index, kid) in kids.slots()[..last].iter().enumerate() {
        let count = item(kid).count();
        if rank < count || (end && rank == count) {
            return (index, rank);
        }
        rank -= count;
    }
    (last, rank)
}

/// Inserts into a leaf; returns its tail if it had to be split. An entry appended to a full leaf starts a new
/// leaf, so ascending insertion produces full leaves.
fn insert_or_split<E: Clone>(entries: &mut Chunk<E>, rank: usize, entry: E) -> Option<Chunk<E>> {
    let max = Node::<E>::LEAF;
    if entries.len() < max {
        entries.insert(rank, entry);
        return None;
    }
    if rank == max {
        return Some(Chunk::fill((), 1, &mut std::iter::once(entry)));
    }
    let mut tail = entries.split_off(max / 2);
    match rank.checked_sub(max / 2) {
        Some(rank) if rank > 0 => tail.insert(rank, entry),
        _ => entries.insert(rank, entry),
    }
    Some(tail)
}

/// Updates the separator after a change of the first entry of the child at `index`.
fn separate<E: Clone>(kids: &mut Kids<E>, index: usize) {
    if index > 0 {
        let first = item(&kids.slots()[index]).first().clone();
        kids.edit_head(|firsts| firsts.replace(index - 1, first));
    }
}

/// Removes a child and its separator.
fn remove_kid<E: Clone>(kids: &mut Kids<E>, index: usize) -> Node<E> {
    if kids.len() > 1 {
        kids.edit_head(|firsts| firsts.remove(index.saturating_sub(1)));
    }
    kids.remove(index)
}

/// Rebalances after a removal from the child at `index`: drops the child if empty, merges it with a neighbor
/// if small.
fn settle<E: Clone>(kids: &mut Kids<E>, index: usize) {
    let kid = kids.at(index);
    let (width, max) = (kid.width(), kid.capacity());
    if width == 0 {
        remove_kid(kids, index);
    } else if width <= max / 4 {
        let fits = |other: usize| {
            kids.slots().get(other).is_some_and(|other| item(other).width() + width <= max)
        };
        let left = if index > 0 && fits(index - 1) {
            index - 1
        } else if fits(index + 1) {
            index
        } else {
            return;
        };
        let right = remove_kid(kids, left + 1);
        kids.edit(|slots| item_mut(&mut slots[left]).absorb(right));
    }
}

/// Splits `len` items into as few portions of at most `max` as possible, of nearly equal size.
fn portions(len: usize, max: usize) -> impl Iterator<Item = usize> {
    let parts = len.div_ceil(max);
    (0..parts).map(move |i| len * (i + 1) / parts - len * i / parts)
}

fn total<E>(kids: &[Option<Node<E>>]) -> usize {
    kids.iter().map(|kid| item(kid).count()).sum()
}

fn short(count: usize) -> u32 {
    u32::try_from(count).expect("a tree has fewer than 2^32 entries")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;

    type Pair = Arc<(u32, u32)>;

    fn put(tree: &mut Tree<Pair>, key: u32, value: u32) -> Option<u32> {
        tree.insert(Arc::new((key, value)), |other| other.0.cmp(&key)).map(|old| old.1)
    }

    fn take(tree: &mut Tree<Pair>, key: u32) -> Option<u32> {
        tree.remove(|entry| entry.0.cmp(&key)).map(|old| old.1)
    }

    /// Checks the shape: equal depth, correct counts, no empty node below the root, no node over its maximum.
    /// Returns the depth.
    fn depth(node: &Node<Pair>, root: bool) -> usize {
        assert!(node.width() <= node.capacity() && (root || node.width() > 0));
        match node {
            Node::Leaf(count, entries) => {
                assert_eq!(*count as usize, entries.len());
                0
            }
            Node::Branch(count, kids) => {
                assert_eq!(*count as usize, total(kids.slots()));
                assert!(!root || kids.len() > 1);
                let firsts = kids.slots().iter().skip(1).map(|kid| item(kid).first());
                assert!(
                    firsts.map(Arc::as_ptr).eq(kids
                        .head()
                        .slots()
                        .iter()
                        .flatten()
                        .map(Arc::as_ptr))
                );
                assert_eq!(kids.head().len(), kids.len() - 1);
                let depths: Vec<_> =
                    kids.slots().iter().map(|kid| depth(item(kid), false)).collect();
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]));
                depths[0] + 1
            }
        }
    }

    fn check(tree: &Tree<Pair>, model: &BTreeMap<u32, u32>) {
        depth(&tree.root, true);
        assert_eq!(tree.len(), model.len());
        assert_eq!(tree.iter().len(), model.len());
        assert!(tree.iter().map(|entry| (&entry.0, &entry.1)).eq(model.iter()));
    }

    #[derive(Clone, Debug)]
    enum Op {
        Put(u32, u32),
        Take(u32),
        Keep,
        Sweep(u32, u32),
    }

    fn op(keys: u32) -> impl Strategy<Value = Op> {
        prop_oneof![
            12 => (0..keys, any::<u32>()).prop_map(|(key, value)| Op::Put(key, value)),
            6 => (0..keys).prop_map(Op::Take),
            1 => Just(Op::Keep),
            1 => (0..keys, 0..keys / 2).prop_map(|(from, n)| Op::Sweep(from, n)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn behaves_like_a_map_and_old_clones_stay(
            start in 0..3000_u32, ops in prop::collection::vec(op(4000), 1..800)
        ) {
            let mut model: BTreeMap<u32, u32> = (0..start).map(|key| (key, key)).collect();
            let mut tree = Tree::from_sorted(model.iter().map(|(k, v)| Arc::new((*k, *v))).collect());
            let mut kept = vec![(tree.clone(), model.clone())];
            for op in ops {
                match op {
                    Op::Put(key, value) => assert_eq!(put(&mut tree, key, value), model.insert(key, value)),
                    Op::Take(key) => assert_eq!(take(&mut tree, key), model.remove(&key)),
                    Op::Keep => kept.push((tree.clone(), model.clone())),
                    Op::Sweep(from, n) => for key in from..from + n {
                        assert_eq!(take(&mut tree, key), model.remove(&key));
                    },
                }
                assert_eq!(tree.len(), model.len());
            }
            kept.push((tree, model));
            for (tree, model) in &kept {
                check(tree, model);
            }
        }

        #[test]
        fn ranges_and_gets(keys in prop::collection::btree_set(0..2000_u32, 0..900), from in 0..2000_u32, n in 0..500_u32) {
            let mut tree = Tree::default();
            for key in &keys {
                put(&mut tree, *key, *key);
            }
            let to = from + n;
            let run = || tree.range(|entry| match entry.0 {
                key if key < from => Ordering::Less,
                key if key >= to => Ordering::Greater,
                _ => Ordering::Equal,
            }).map(|entry| entry.0);
            prop_assert_eq!(run().len(), keys.range(from..to).count());
            prop_assert!(run().eq(keys.range(from..to).copied()));
            for key in from..to {
                let found = tree.get(|entry| entry.0.cmp(&key)).map(|entry| entry.0);
                prop_assert_eq!(found, keys.get(&key).copied());
            }
        }
    }

    #[test]
    fn bulk_load_of_every_size() {
        for len in 0..=5000 {
            let tree = Tree::from_sorted((0..len).map(|key| Arc::new((key, key))).collect());
            depth(&tree.root, true);
            assert!(tree.iter().map(|entry| entry.0).eq(0..len));
        }
    }

    #[test]
    fn deleting_everything_in_any_direction_leaves_an_empty_tree() {
        let full: Tree<Pair> =
            Tree::from_sorted((0..5000).map(|key| Arc::new((key, key))).collect());
        let spread = (0..5000).map(|i| i * 2503 % 5000);
        let orders: [Vec<u32>; 3] =
            [(0..5000).collect(), (0..5000).rev().collect(), spread.collect()];
        for order in orders {
            let mut tree = full.clone();
            for (done, key) in order.into_iter().enumerate() {
                assert_eq!(take(&mut tree, key), Some(key));
                assert_eq!(take(&mut tree, key), None);
                if done % 97 == 0 {
                    depth(&tree.root, true);
                }
            }
            assert!(tree.len() == 0 && tree.iter().next().is_none());
            assert_eq!(put(&mut tree, 1, 2), None);
        }
        assert_eq!(full.len(), 5000);
    }

    fn leaves(node: &Node<Pair>) -> usize {
        match node {
            Node::Leaf(..) => 1,
            Node::Branch(_, kids) => kids.slots().iter().map(|kid| leaves(item(kid))).sum(),
        }
    }

    #[test]
    fn ascending_insertion_fills_the_leaves() {
        let mut tree = Tree::default();
        for key in 0..10_000 {
            put(&mut tree, key, 0);
        }
        assert_eq!(leaves(&tree.root), 10_000_usize.div_ceil(Node::<Pair>::LEAF));
    }

    #[test]
    fn removed_or_replaced_items_are_released() {
        let mut tree = Tree::from_sorted((0..1000).map(|key| Arc::new((key, key))).collect());
        let old: Vec<_> = tree.iter().cloned().collect();
        for entry in &old {
            if entry.0 % 2 == 0 {
                put(&mut tree, entry.0, 0);
            } else {
                take(&mut tree, entry.0);
            }
        }
        assert!(old.iter().all(|entry| Arc::strong_count(entry) == 1));
    }

    #[test]
    fn a_child_takes_two_words() {
        assert_eq!(size_of::<Option<Node<Arc<u8>>>>(), 16);
    }
}
