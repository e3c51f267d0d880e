//! A persistent array that holds the objects of a snapshot.
//!
//! Everything else in a snapshot refers to an object by its [`Slot`]. So a new version of an object copies
//! one path of this array, and changes neither the lookup, nor the order, nor an index.
//!
//! Slots are dense: a removal moves the last object into the free slot.

use std::ops::ControlFlow;

use super::chunk::{Chunk, item, item_mut};

/// Items of a full leaf, and children of a full branch (`BITS`), as bits of a slot. A publish copies one node
/// per level: it increments the reference count of each item and, when the old node is dropped, decrements
/// it. So nodes are short; leaves are longer, to spread their fixed cost over more items.
const LEAF_BITS: u32 = 4;
const BITS: u32 = 3;

const LEAF: usize = 1 << LEAF_BITS;
const FAN: usize = 1 << BITS;

/// Returns the number of index bits that are consumed below a node of this height.
#[inline]
fn shift(height: u32) -> u32 {
    if height == 0 { 0 } else { LEAF_BITS + (height - 1) * BITS }
}

/// Returns the position of an item in a leaf, or of its child in a branch, at this height.
#[inline]
fn digit(height: u32, index: usize) -> usize {
    index >> shift(height) & (if height == 0 { LEAF } else { FAN } - 1)
}

/// The position of an object in a [`Heap`]. An object keeps its slot until it is removed, or until it is the
/// last object and another one is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(std::num::NonZeroU32);

impl Slot {
    fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(std::num::NonZeroU32::new);
        Self(number.expect("a heap has fewer than 2^32 slots"))
    }

    pub(crate) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Items by slot. Cloning is O(1); the clone shares all nodes until one of the two changes.
#[derive(Clone, Debug)]
pub(crate) struct Heap<T> {
    root: Node<T>,
    /// Levels of branches.
    height: u32,
    len: usize,
}

/// All nodes but the last one of each level are full.
#[derive(Clone, Debug)]
enum Node<T> {
    Leaf(Chunk<T>),
    Branch(Chunk<Self>),
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self { root: Node::Leaf(Chunk::fill((), 0, &mut std::iter::empty())), height: 0, len: 0 }
    }
}

impl<T> Heap<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the slots in use.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + use<T> {
        (0..self.len).map(Slot::new)
    }

    pub(crate) fn last(&self) -> Option<Slot> {
        self.len.checked_sub(1).map(Slot::new)
    }

    /// Returns the item in a slot in use.
    #[inline]
    pub(crate) fn at(&self, slot: Slot) -> &T {
        let index = slot.index();
        let mut node = &self.root;
        let mut shift = shift(self.height);
        loop {
            match node {
                Node::Leaf(items) => return items.at(index % LEAF),
                Node::Branch(kids) => node = kids.at(index >> shift & (FAN - 1)),
            }
            shift = shift.saturating_sub(BITS);
        }
    }

    /// Calls `visit` with the `old` and the new item of each slot whose items are not the `same`, until it
    /// breaks. Skips nodes that both heaps share.
    pub(crate) fn since<'a, B>(
        &'a self,
        old: &'a Self,
        same: impl Fn(&T, &T) -> bool,
        mut visit: impl FnMut(Option<&'a T>, Option<&'a T>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let height = self.height.max(old.height);
        differ(height, &Side::new(old, height), &Side::new(self, height), &same, &mut visit)
    }
}

impl<T: Clone> Heap<T> {
    pub(crate) fn replace(&mut self, slot: Slot, item: T) -> T {
        self.root.replace(self.height, slot.index(), item)
    }

    pub(crate) fn push(&mut self, item: T) -> Slot {
        let slot = Slot::new(self.len);
        if self.len == 1 << shift(self.height + 1) {
            let Self { root, height, len } = std::mem::take(self);
            let root = Node::branch(1, &mut std::iter::once(root));
            *self = Self { root, height: height + 1, len };
        }
        self.root.push(self.height, item);
        self.len += 1;
        slot
    }

    /// Takes out the item in a slot in use, and moves the last item there.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<T> {
        let last = self.pop()?;
        Some(if slot.index() == self.len { last } else { self.replace(slot, last) })
    }

    fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let popped = self.root.pop();
        while let Node::Branch(kids) = &self.root
            && kids.len() == 1
        {
            self.root = kids.at(0).clone();
            self.height -= 1;
        }
        Some(popped)
    }
}

impl<T> FromIterator<T> for Heap<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items: Vec<T> = items.into_iter().collect();
        let (len, mut height) = (items.len(), 0);
        let mut nodes =
            in_chunks(LEAF, items, |count, items| Node::Leaf(Chunk::fill((), count, items)));
        while nodes.len() > 1 {
            nodes = in_chunks(FAN, nodes, |count, kids| Node::branch(count, kids));
            height += 1;
        }
        nodes.pop().map_or_else(Self::default, |root| Self { root, height, len })
    }
}

fn in_chunks<T, N>(
    max: usize,
    items: Vec<T>,
    node: impl Fn(usize, &mut std::vec::IntoIter<T>) -> N,
) -> Vec<N> {
    let len = items.len();
    let mut items = items.into_iter();
    (0..len).step_by(max).map(|start| node(max.min(len - start), &mut items)).collect()
}

impl<T> Node<T> {
    fn branch(len: usize, kids: &mut impl Iterator<Item = Self>) -> Self {
        Self::Branch(Chunk::fill((), len, kids))
    }
}

impl<T: Clone> Node<T> {
    fn replace(&mut self, height: u32, index: usize, new: T) -> T {
        let digit = digit(height, index);
        match self {
            Self::Leaf(items) => items.replace(digit, new),
            Self::Branch(kids) => {
                kids.edit(|slots| item_mut(&mut slots[digit]).replace(height - 1, index, new))
            }
        }
    }

    /// Appends an item to a node that has room for it.
    fn push(&mut self, height: u32, new: T) {
        match self {
            Self::Leaf(items) => items.insert(items.len(), new),
            Self::Branch(kids) => {
                let last = kids.len() - 1;
                if kids.at(last).is_full() {
                    kids.insert(last + 1, Self::spine(height - 1, new));
                } else {
                    kids.edit(|slots| item_mut(&mut slots[last]).push(height - 1, new));
                }
            }
        }
    }

    fn pop(&mut self) -> T {
        match self {
            Self::Leaf(items) => items.remove(items.len() - 1),
            Self::Branch(kids) => {
                let last = kids.len() - 1;
                let popped = kids.edit(|slots| item_mut(&mut slots[last]).pop());
                if kids.at(last).width() == 0 {
                    kids.remove(last);
                }
                popped
            }
        }
    }

    /// Returns a node of this height with one item.
    fn spine(height: u32, new: T) -> Self {
        match height {
            0 => Self::Leaf(Chunk::fill((), 1, &mut std::iter::once(new))),
            _ => Self::branch(1, &mut std::iter::once(Self::spine(height - 1, new))),
        }
    }

    fn is_full(&self) -> bool {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(items) => return items.len() == LEAF,
                Self::Branch(kids) if kids.len() < FAN => return false,
                Self::Branch(kids) => node = kids.at(FAN - 1),
            }
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Branch(kids) => kids.len(),
        }
    }
}

/// A part of one of two heaps that are compared.
enum Side<'a, T> {
    /// The other heap has nodes here, this one has none.
    Nothing,
    /// A heap with fewer levels: it is compared with the first child, `missing` levels further down.
    First {
        missing: u32,
        node: &'a Node<T>,
    },
    Node(&'a Node<T>),
}

impl<'a, T> Side<'a, T> {
    fn new(heap: &'a Heap<T>, height: u32) -> Self {
        Self::below(height - heap.height, &heap.root)
    }

    fn below(missing: u32, node: &'a Node<T>) -> Self {
        if missing == 0 { Self::Node(node) } else { Self::First { missing, node } }
    }

    fn kid(&self, index: usize) -> Self {
        match self {
            Self::First { missing, node } if index == 0 => Self::below(missing - 1, node),
            Self::Node(Node::Branch(kids)) => {
                kids.slots().get(index).map_or(Self::Nothing, |kid| Self::Node(item(kid)))
            }
            _ => Self::Nothing,
        }
    }

    fn items(&self) -> &'a [Option<T>] {
        match self {
            Self::Node(Node::Leaf(items)) => items.slots(),
            _ => &[],
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::First { .. } => 1,
            Self::Node(Node::Leaf(items)) => items.len(),
            Self::Node(Node::Branch(kids)) => kids.len(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (Self::Node(Node::Leaf(one)), Self::Node(Node::Leaf(other))) => {
                std::ptr::eq(one.slots(), other.slots())
            }
            (Self::Node(Node::Branch(one)), Self::Node(Node::Branch(other))) => {
                std::ptr::eq(one.slots(), other.slots())
            }
            _ => false,
        }
    }
}

fn differ<'a, T, B>(
    height: u32,
    old: &Side<'a, T>,
    new: &Side<'a, T>,
    same: &impl Fn(&T, &T) -> bool,
    visit: &mut impl FnMut(Option<&'a T>, Option<&'a T>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if old.is(new) {
        return ControlFlow::Continue(());
    }
    for index in 0..old.width().max(new.width()) {
        if height > 0 {
            differ(height - 1, &old.kid(index), &new.kid(index), same, visit)?;
            continue;
        }
        match (old.items().get(index).map(item), new.items().get(index).map(item)) {
            (Some(old), Some(new)) if same(old, new) => {}
            (old, new) => visit(old, new)?,
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Arc};

    use proptest::prelude::*;

    use super::*;

    type Item = Arc<u32>;

    fn check(heap: &Heap<Item>, model: &[Item]) {
        assert_eq!(
            (heap.len(), heap.last().map(Slot::index)),
            (model.len(), model.len().checked_sub(1))
        );
        let slots: Vec<_> = heap.slots().collect();
        assert_eq!(slots.len(), model.len());
        assert!(slots.iter().zip(model).all(|(slot, item)| Arc::ptr_eq(heap.at(*slot), item)));
        let capacity = |height: u32| 1 << shift(height + 1);
        assert!(model.len() <= capacity(heap.height));
        assert!(heap.height == 0 || model.len() > capacity(heap.height - 1), "no level too many");
    }

    fn differences(old: &Heap<Item>, new: &Heap<Item>) -> (Vec<[Option<u32>; 2]>, usize) {
        let (mut seen, compared) = (Vec::new(), Cell::new(0));
        let same = |a: &Item, b: &Item| {
            compared.set(compared.get() + 1);
            Arc::ptr_eq(a, b)
        };
        let flow: ControlFlow<()> = new.since(old, same, |old, new| {
            seen.push([old, new].map(|item| item.map(|item| **item)));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        (seen, compared.get())
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(u32),
        Pop(usize),
        Take(usize),
        Replace(usize, u32),
        Keep,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => any::<u32>().prop_map(Op::Push),
            2 => (0..40_usize).prop_map(Op::Pop),
            4 => any::<usize>().prop_map(Op::Take),
            8 => (any::<usize>(), any::<u32>()).prop_map(|(at, value)| Op::Replace(at, value)),
            1 => Just(Op::Keep),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// SEMANTICS: I8, D4
        #[test]
        fn behaves_like_a_list_and_old_clones_stay(
            start in 0..600_u32, ops in prop::collection::vec(op(), 1..500)
        ) {
            let mut model: Vec<Item> = (0..start).map(Arc::new).collect();
            let mut heap: Heap<Item> = model.iter().cloned().collect();
            let mut kept = vec![(heap.clone(), model.clone())];
            for op in ops {
                match op {
                    Op::Push(value) => {
                        let item = Arc::new(value);
                        prop_assert_eq!(heap.push(Arc::clone(&item)).index(), model.len());
                        model.push(item);
                    }
                    Op::Pop(times) => for _ in 0..times {
                        prop_assert_eq!(heap.pop(), model.pop());
                    },
                    Op::Take(at) => if !model.is_empty() {
                        let at = at % model.len();
                        prop_assert_eq!(heap.take(Slot::new(at)), Some(model.swap_remove(at)));
                    },
                    Op::Replace(at, value) => if !model.is_empty() {
                        let (at, item) = (at % model.len(), Arc::new(value));
                        let old = heap.replace(Slot::new(at), Arc::clone(&item));
                        prop_assert!(Arc::ptr_eq(&old, &std::mem::replace(&mut model[at], item)));
                    },
                    Op::Keep => kept.push((heap.clone(), model.clone())),
                }
            }
            kept.push((heap, model));
            for (heap, model) in &kept {
                check(heap, model);
            }
            for ((old, was), (new, is)) in kept.iter().zip(&kept[1..]) {
                let wanted: Vec<_> = (0..was.len().max(is.len()))
                    .map(|at| [was.get(at), is.get(at)])
                    .filter(|pair| !matches!(pair, [Some(was), Some(is)] if Arc::ptr_eq(was, is)))
                    .map(|pair| pair.map(|item| item.map(|item| **item)))
                    .collect();
                prop_assert_eq!(differences(old, new).0, wanted);
            }
        }
    }

    #[test]
    fn bulk_load_of_every_size() {
        for len in 0..5000 {
            let heap: Heap<u32> = (0..len).collect();
            assert!(heap.slots().map(|slot| *heap.at(slot)).eq(0..len));
        }
    }

    #[test]
    fn the_cost_of_a_difference_goes_with_the_changes() {
        let old: Heap<Item> = (0..100_000).map(Arc::new).collect();
        let mut new = old.clone();
        for at in [7, 20_000, 60_000] {
            new.replace(Slot::new(at), Arc::default());
        }
        let (seen, compared) = differences(&old, &new);
        assert_eq!(seen.len(), 3);
        assert!(compared <= 3 * LEAF, "{compared} of 100,000 items were looked at");
    }

    #[test]
    fn replaced_or_popped_items_are_released() {
        let items: Vec<Item> = (0..1000).map(Arc::new).collect();
        let mut heap: Heap<Item> = items.iter().cloned().collect();
        let slots: Vec<_> = heap.slots().collect();
        for slot in slots.into_iter().step_by(2) {
            heap.replace(slot, Arc::default());
        }
        while heap.pop().is_some() {}
        assert!(items.iter().all(|item| Arc::strong_count(item) == 1));
    }

    #[test]
    fn a_slot_is_as_small_as_its_number() {
        assert_eq!(size_of::<Option<Slot>>(), 4);
    }
}
