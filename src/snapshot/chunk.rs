//! A short copy-on-write list in one allocation: the building block of [`heap`](super::heap),
//! [`tree`](super::tree) and [`trie`](super::trie).
//!
//! A chunk that nobody else holds is changed in place. A shared one is copied first, which clones its items; the
//! items are reference counts of cold objects, so this copy is what publishing costs, and why chunks are short.

use std::cmp::Ordering;

use triomphe::{Arc, HeaderSlice, HeaderSliceWithLengthProtected, ThinArc};

/// Free slots beyond which a removal moves the items into a smaller allocation.
const SLACK: usize = 4;

const FILLED: &str = "slots below the length are filled";

/// `len` items and a small `head`. Cloning shares the allocation.
#[derive(Debug)]
pub(crate) struct Chunk<T, H = ()>(ThinArc<Header<H>, Option<T>>);

/// Header in front of the items.
#[derive(Debug)]
struct Header<H> {
    len: u32,
    head: H,
}

type Inner<T, H> = HeaderSliceWithLengthProtected<Header<H>, Option<T>>;

impl<T, H> Clone for Chunk<T, H> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, H> Chunk<T, H> {
    /// Builds a chunk of the first `len` items of `items`, which must have at least that many.
    pub(crate) fn fill(head: H, len: usize, items: &mut impl Iterator<Item = T>) -> Self {
        Self::build(head, len, |_| items.next())
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.header().len as usize
    }

    #[inline]
    pub(crate) fn head(&self) -> &H {
        &self.header().head
    }

    /// Returns the items. All of them are `Some`; the option lets an item move out without unsafe code.
    #[inline]
    pub(crate) fn slots(&self) -> &[Option<T>] {
        let HeaderSlice { header, slice } = &*self.0;
        &slice[..header.header.len as usize]
    }

    #[inline]
    pub(crate) fn at(&self, index: usize) -> &T {
        // Slots behind the items are empty, so the length need not be read.
        item(&self.0.slice[index])
    }

    /// Binary search with branches. The standard library's search is branchless, so it waits for each cold
    /// object in turn; with a branch the CPU predicts the next object and fetches it meanwhile.
    #[inline]
    pub(crate) fn search(&self, mut cmp: impl FnMut(&T) -> Ordering) -> Result<usize, usize> {
        let slots = self.slots();
        let (mut start, mut end) = (0, slots.len());
        while start < end {
            let middle = usize::midpoint(start, end);
            match cmp(item(&slots[middle])) {
                Ordering::Less => start = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => end = middle,
            }
        }
        Err(start)
    }

    /// Returns the number of leading items for which `before` holds.
    #[inline]
    pub(crate) fn partition_point(&self, mut before: impl FnMut(&T) -> bool) -> usize {
        let side = |item: &T| {
            if before(item) { Ordering::Less } else { Ordering::Greater }
        };
        self.search(side).unwrap_or_else(|index| index)
    }

    fn build(head: H, len: usize, mut item: impl FnMut(usize) -> Option<T>) -> Self {
        let header = Header { len: u32::try_from(len).expect("a chunk is short"), head };
        // Allocators work in steps of 16 bytes, so the odd slot is free.
        let slots = (0..len.next_multiple_of(2)).map(|i| if i < len { item(i) } else { None });
        Self(ThinArc::from_header_and_iter(header, slots))
    }

    #[inline]
    fn header(&self) -> &Header<H> {
        &self.0.header.header
    }
}

impl<T: Clone, H: Clone> Chunk<T, H> {
    /// Changes items in place, after a copy if they are shared. The number of items stays.
    #[inline]
    pub(crate) fn edit<R>(&mut self, change: impl FnOnce(&mut [Option<T>]) -> R) -> R {
        self.own(|inner| {
            let len = inner.header().len as usize;
            change(&mut inner.slice_mut()[..len])
        })
    }

    /// Changes the head in place, after a copy of the whole chunk if it is shared.
    #[inline]
    pub(crate) fn edit_head<R>(&mut self, change: impl FnOnce(&mut H) -> R) -> R {
        self.own(|inner| change(&mut inner.header_mut().head))
    }

    pub(crate) fn replace(&mut self, index: usize, item: T) -> T {
        self.edit(|slots| slots[index].replace(item)).expect(FILLED)
    }

    pub(crate) fn insert(&mut self, index: usize, item: T) {
        let len = self.len();
        let mut item = Some(item);
        self.0.with_arc_mut(|arc| {
            if let Some(inner) = Arc::get_mut(arc)
                && len < inner.length()
            {
                let slots = &mut inner.slice_mut()[index..=len];
                slots[len - index] = item.take();
                slots.rotate_right(1);
                inner.header_mut().len += 1;
            }
        });
        if item.is_some() {
            *self = self.draw_with(len + 1, &mut item, |i| match i {
                i if i < index => Some(i),
                i if i == index => None,
                i => Some(i - 1),
            });
        }
    }

    pub(crate) fn remove(&mut self, index: usize) -> T {
        let len = self.len();
        let removed = self.0.with_arc_mut(|arc| {
            let inner = Arc::get_mut(arc).filter(|inner| inner.length() < len + SLACK)?;
            let slots = &mut inner.slice_mut()[index..len];
            let removed = slots[0].take();
            slots.rotate_left(1);
            inner.header_mut().len -= 1;
            removed
        });
        removed.unwrap_or_else(|| {
            let removed = self.at(index).clone();
            *self = self.draw(len - 1, |i| Some(i + usize::from(i >= index)));
            removed
        })
    }

    /// Keeps the items before `index` and returns the others; both with the same head.
    pub(crate) fn split_off(&mut self, index: usize) -> Self {
        let tail = self.draw(self.len() - index, |i| Some(index + i));
        *self = self.draw(index, Some);
        tail
    }

    /// Adds all items of `other`; its head is lost.
    pub(crate) fn append(&mut self, mut other: Self) {
        let (head, ours, theirs) = (self.head().clone(), self.len(), other.len());
        *self = Self::build(head, ours + theirs, |i| match i.checked_sub(ours) {
            Some(i) => other.grab(i),
            None => self.grab(i),
        });
    }

    /// Takes all items out; moves them if nobody else holds the chunk. The chunk must not be used afterwards.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        (0..self.len()).filter_map(|i| self.grab(i)).collect()
    }

    /// Builds a chunk of `len` items, each taken from the index that `from` returns. These slots of `self`
    /// must not be used afterwards.
    fn draw(&mut self, len: usize, from: impl Fn(usize) -> Option<usize>) -> Self {
        self.draw_with(len, &mut None, from)
    }

    fn draw_with(
        &mut self,
        len: usize,
        item: &mut Option<T>,
        from: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let head = self.head().clone();
        self.0.with_arc_mut(|arc| {
            Self::build(head, len, |i| match from(i) {
                Some(i) => grab(arc, i),
                None => item.take(),
            })
        })
    }

    #[inline]
    fn own<R>(&mut self, change: impl FnOnce(&mut Inner<T, H>) -> R) -> R {
        if !self.0.with_arc_mut(|arc| Arc::is_unique(arc)) {
            let HeaderSlice { header, slice } = &*self.0;
            let header = Header { len: header.header.len, head: header.header.head.clone() };
            self.0 = ThinArc::from_header_and_iter(header, slice.iter().cloned());
        }
        self.0.with_arc_mut(|arc| change(Arc::get_mut(arc).expect("a fresh copy has one owner")))
    }

    fn grab(&mut self, index: usize) -> Option<T> {
        self.0.with_arc_mut(|arc| grab(arc, index))
    }
}

/// Returns the item of a filled slot.
#[expect(clippy::ref_option, reason = "an element of `slots()`, as it lies there")]
#[inline]
pub(crate) fn item<T>(slot: &Option<T>) -> &T {
    slot.as_ref().expect(FILLED)
}

/// Returns the item of a filled slot, mutably.
pub(crate) fn item_mut<T>(slot: &mut Option<T>) -> &mut T {
    slot.as_mut().expect(FILLED)
}

/// Takes an item out of a chunk about to be thrown away: moved if it has one owner, cloned if it is shared.
fn grab<T: Clone, H>(arc: &mut Arc<Inner<T, H>>, index: usize) -> Option<T> {
    match Arc::get_mut(arc) {
        Some(inner) => inner.slice_mut()[index].take(),
        None => arc.slice()[index].clone(),
    }
}
