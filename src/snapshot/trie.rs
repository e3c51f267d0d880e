//! A persistent hash trie: branches indexed by hash bits, leaves that hold several entries with a byte of hash each.
//!
//! A leaf that overflows first doubles its branch, up to [`FAN`] children; only then does the leaf become a
//! branch. So leaves stay filled, and a branch costs 16 bytes per leaf.
//!
//! Entries are four bytes: they refer to their objects, and keep no hash. A leaf's tags are the top bytes of
//! the hashes; they are compared 16 at a time, and avoid nearly all reads of cold objects that are not the
//! sought one. Hashes are computed again only when a leaf is split: about once per entry.

use wide::u8x16;

use super::chunk::{Chunk, item};

/// Hash bits that one full branch consumes.
const BITS: u32 = 4;

/// Children of a full branch.
const FAN: usize = 1 << BITS;

/// Entries of a full leaf, a multiple of [`LANES`].
const LEAF: usize = 48;

/// Tags that are compared at once.
const LANES: usize = 16;

/// The deepest shift of a branch; below it no hash bits are left, and colliding entries go into a bucket.
const DEEPEST: u32 = u64::BITS - BITS;

type Tags = [u8; LEAF];

/// Entries without order, found by hash. Cloning is O(1); the clone shares all nodes until one of the two changes.
#[derive(Clone, Debug)]
pub(crate) struct Trie<E> {
    root: Node<E>,
}

#[derive(Clone, Debug)]
enum Node<E> {
    Empty,
    /// At most [`LEAF`] entries.
    Leaf(Chunk<E, Tags>),
    /// Children, a power of two of them, and the number of entries below. Only a full branch has children
    /// that are not leaves.
    Branch(Chunk<Self, u32>),
    /// Entries whose hashes collide in all bits that branches use, searched one by one.
    Bucket(Chunk<E>),
}

impl<E> Default for Trie<E> {
    fn default() -> Self {
        Self { root: Node::Empty }
    }
}

impl<E> Trie<E> {
    /// Returns the entry with this hash for which `same` holds.
    #[inline]
    pub(crate) fn get(&self, hash: u64, mut same: impl FnMut(&E) -> bool) -> Option<&E> {
        let mut node = &self.root;
        let mut rest = hash;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(entries) => {
                    return entries.slots()[position(entries, hash, same)?].as_ref();
                }
                Node::Branch(kids) => {
                    let slots = kids.slots();
                    node = item(&slots[low_bits(rest, slots.len())]);
                    rest >>= BITS;
                }
                Node::Bucket(entries) => {
                    return entries.slots().iter().flatten().find(|entry| same(entry));
                }
            }
        }
    }
}

impl<E: Copy> Trie<E> {
    /// Builds a trie of distinct entries with their hashes.
    pub(crate) fn load(
        entries: impl ExactSizeIterator<Item = (u64, E)>,
        hash_of: &impl Fn(&E) -> u64,
    ) -> Self {
        let mut trie = Self::with_room(entries.len());
        entries.for_each(|(hash, entry)| trie.insert(hash, entry, hash_of));
        trie
    }

    /// Adds an entry that is not in the trie yet.
    pub(crate) fn insert(&mut self, hash: u64, entry: E, hash_of: &impl Fn(&E) -> u64) {
        self.root.insert(0, hash, entry, hash_of);
    }

    /// Removes and returns the entry with this hash for which `same` holds.
    pub(crate) fn remove(
        &mut self,
        hash: u64,
        mut same: impl FnMut(&E) -> bool,
        hash_of: &impl Fn(&E) -> u64,
    ) -> Option<E> {
        // An absent entry must not cause a copy.
        self.get(hash, &mut same)?;
        self.root.remove(0, hash, &mut same, hash_of)
    }

    /// Replaces the entry with this hash for which `same` holds.
    pub(crate) fn replace(&mut self, hash: u64, mut same: impl FnMut(&E) -> bool, entry: E) {
        if self.get(hash, &mut same).is_some() {
            self.root.replace(0, hash, &mut same, entry);
        }
    }

    /// Returns empty branches for `len` entries, so that loading them hardly ever splits a leaf.
    fn with_room(len: usize) -> Self {
        // Rounded up to a power of two, so leaves will be three eighths to three quarters full.
        let leaves = (len / (LEAF / 4 * 3)).checked_next_power_of_two().unwrap_or(1);
        Self { root: plant(leaves) }
    }
}

impl<E: Copy> Node<E> {
    /// Returns a leaf of entries with their tags.
    fn leaf(entries: Vec<(u8, E)>) -> Self {
        if entries.is_empty() {
            return Self::Empty;
        }
        let mut tags = [0; LEAF];
        for (tag, (own, _)) in tags.iter_mut().zip(&entries) {
            *tag = *own;
        }
        let len = entries.len();
        Self::Leaf(Chunk::fill(tags, len, &mut entries.into_iter().map(|(_, entry)| entry)))
    }

    fn insert(&mut self, shift: u32, hash: u64, entry: E, hash_of: &impl Fn(&E) -> u64) {
        match self {
            Self::Empty => *self = Self::leaf(vec![(top_byte(hash), entry)]),
            Self::Leaf(entries) => {
                let len = entries.len();
                if len < LEAF {
                    entries.insert(len, entry);
                    entries.edit_head(|tags| tags[len] = top_byte(hash));
                } else {
                    self.burst(shift, hash_of);
                    self.insert(shift, hash, entry, hash_of);
                }
            }
            Self::Branch(kids) => {
                while kids.len() < FAN
                    && item(&kids.slots()[low_bits(hash >> shift, kids.len())]).is_full()
                {
                    double(kids, shift, hash_of);
                }
                let index = low_bits(hash >> shift, kids.len());
                kids.edit(|slots| {
                    if let Some(kid) = &mut slots[index] {
                        kid.insert(shift + BITS, hash, entry, hash_of);
                    }
                });
                kids.edit_head(|count| *count += 1);
            }
            Self::Bucket(entries) => entries.insert(entries.len(), entry),
        }
    }

    fn replace(&mut self, shift: u32, hash: u64, same: &mut impl FnMut(&E) -> bool, entry: E) {
        match self {
            Self::Empty => {}
            Self::Leaf(entries) => {
                if let Some(index) = position(entries, hash, same) {
                    entries.replace(index, entry);
                }
            }
            Self::Branch(kids) => {
                let index = low_bits(hash >> shift, kids.len());
                kids.edit(|slots| {
                    if let Some(kid) = &mut slots[index] {
                        kid.replace(shift + BITS, hash, same, entry);
                    }
                });
            }
            Self::Bucket(entries) => {
                if let Some(index) = entries.slots().iter().flatten().position(same) {
                    entries.replace(index, entry);
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Leaf(entries) if entries.len() == LEAF)
    }

    /// Turns a full leaf into a branch of two leaves, or into a bucket if there are no bits left to split by.
    fn burst(&mut self, shift: u32, hash_of: &impl Fn(&E) -> u64) {
        if let Self::Leaf(entries) = std::mem::replace(self, Self::Empty) {
            let len = entries.len();
            *self = if shift > DEEPEST {
                Self::Bucket(Chunk::fill((), len, &mut entries.slots().iter().copied().flatten()))
            } else {
                let (zeros, ones) = part(&entries, shift, hash_of);
                Self::branch(len, vec![zeros, ones])
            };
        }
    }

    fn branch(count: usize, kids: Vec<Self>) -> Self {
        let count = u32::try_from(count).expect("a trie has fewer than 2^32 entries");
        Self::Branch(Chunk::fill(count, kids.len(), &mut kids.into_iter()))
    }

    fn remove(
        &mut self,
        shift: u32,
        hash: u64,
        same: &mut impl FnMut(&E) -> bool,
        hash_of: &impl Fn(&E) -> u64,
    ) -> Option<E> {
        match self {
            Self::Empty => None,
            Self::Leaf(entries) => {
                let index = position(entries, hash, same)?;
                let removed = entries.remove(index);
                if entries.len() == 0 {
                    *self = Self::Empty;
                } else {
                    entries.edit_head(|tags| tags.copy_within(index + 1.., index));
                }
                Some(removed)
            }
            Self::Branch(kids) => {
                let index = low_bits(hash >> shift, kids.len());
                let removed = kids
                    .edit(|slots| slots[index].as_mut()?.remove(shift + BITS, hash, same, hash_of));
                kids.edit_head(|count| *count -= u32::from(removed.is_some()));
                self.shrink();
                removed
            }
            Self::Bucket(entries) => {
                let index = entries.slots().iter().flatten().position(same)?;
                let removed = entries.remove(index);
                if entries.len() <= LEAF / 2 {
                    let tagged = entries.slots().iter().flatten();
                    *self = Self::leaf(tagged.map(|e| (top_byte(hash_of(e)), *e)).collect());
                }
                Some(removed)
            }
        }
    }

    /// Halves a branch while its leaves are nearly empty; a branch of a single child becomes that child. The
    /// threshold is far below the fill after a doubling, so a branch does not double and halve in turn.
    fn shrink(&mut self) {
        while let Self::Branch(kids) = self
            && (*kids.head() as usize) <= kids.len() * (LEAF / 8)
        {
            let half = kids.len() / 2;
            let pairs = || kids.slots()[..half].iter().zip(&kids.slots()[half..]);
            let weight = |kid| match item(kid) {
                Self::Empty => 0,
                Self::Leaf(entries) => entries.len(),
                Self::Branch(_) | Self::Bucket(_) => LEAF,
            };
            if pairs().any(|(zero, one)| weight(zero) + weight(one) > LEAF / 2) {
                return;
            }
            let mut merged: Vec<_> =
                pairs().map(|(zero, one)| item(zero).merged(item(one))).collect();
            *self = if half == 1 {
                merged.pop().unwrap_or(Self::Empty)
            } else {
                Self::branch(*kids.head() as usize, merged)
            };
        }
    }

    /// Merges two leaves.
    fn merged(&self, other: &Self) -> Self {
        match (self, other) {
            (one, Self::Empty) | (Self::Empty, one) => one.clone(),
            (Self::Leaf(zeros), Self::Leaf(ones)) => {
                Self::leaf(tagged(zeros).chain(tagged(ones)).collect())
            }
            _ => unreachable!("only leaves are merged"),
        }
    }
}

/// Doubles the children: each leaf is split by the next bit.
fn double<E: Copy>(kids: &mut Chunk<Node<E>, u32>, shift: u32, hash_of: &impl Fn(&E) -> u64) {
    let next = shift + kids.len().trailing_zeros();
    let split = kids.slots().iter().map(|kid| match item(kid) {
        Node::Leaf(entries) => part(entries, next, hash_of),
        _ => (Node::Empty, Node::Empty),
    });
    let (mut wide, ones): (Vec<_>, Vec<_>) = split.unzip();
    wide.extend(ones);
    if let Node::Branch(wide) = Node::branch(*kids.head() as usize, wide) {
        *kids = wide;
    }
}

/// Splits entries into two leaves: first those whose hash has a zero in the bit at `shift`, then the others.
fn part<E: Copy>(
    entries: &Chunk<E, Tags>,
    shift: u32,
    hash_of: &impl Fn(&E) -> u64,
) -> (Node<E>, Node<E>) {
    let (ones, zeros) = tagged(entries).partition(|(_, entry)| hash_of(entry) >> shift & 1 == 1);
    (Node::leaf(zeros), Node::leaf(ones))
}

fn tagged<E: Copy>(entries: &Chunk<E, Tags>) -> impl Iterator<Item = (u8, E)> {
    entries.head().iter().copied().zip(entries.slots().iter().copied().flatten())
}

/// Returns empty branches over `leaves`, a power of two; all but the bottom branches are full.
fn plant<E: Copy>(leaves: usize) -> Node<E> {
    match leaves {
        0 | 1 => Node::Empty,
        _ => Node::branch(0, (0..leaves.min(FAN)).map(|_| plant(leaves / FAN)).collect()),
    }
}

#[inline]
fn position<E>(
    entries: &Chunk<E, Tags>,
    hash: u64,
    mut same: impl FnMut(&E) -> bool,
) -> Option<usize> {
    let tag = u8x16::splat(top_byte(hash));
    let (tags, _) = entries.head().as_chunks::<LANES>();
    // Compare all tags first: the CPU can't predict the position of the match, but mostly that it is the only
    // one.
    let mut equal = tags.iter().rev().fold(0_u64, |equal, tags| {
        equal << LANES | u64::from(u8x16::new(*tags).simd_eq(tag).to_bitmask())
    });
    while equal != 0 {
        let index = equal.trailing_zeros() as usize;
        // Tags behind the last entry are stale.
        if same(entries.slots().get(index)?.as_ref()?) {
            return Some(index);
        }
        equal &= equal - 1;
    }
    None
}

#[inline]
fn top_byte(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

/// Returns the lowest bits as an index into a branch of `len` children.
#[inline]
fn low_bits(hash: u64, len: usize) -> usize {
    usize::from(hash.to_le_bytes()[0]) & (len - 1)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, hash::BuildHasher};

    use proptest::prelude::*;

    use super::*;

    /// A key and a value.
    type Entry = (u16, u16);

    fn hash(key: u16, mask: u64) -> u64 {
        foldhash::quality::FixedState::default().hash_one(key) & mask
    }

    /// A trie, and a mask that spoils the hashes.
    #[derive(Clone)]
    struct Subject {
        trie: Trie<Entry>,
        mask: u64,
    }

    impl Subject {
        fn load(keys: impl ExactSizeIterator<Item = u16>, mask: u64) -> Self {
            let entries = keys.map(|key| (hash(key, mask), (key, key)));
            Self { trie: Trie::load(entries, &|entry| hash(entry.0, mask)), mask }
        }

        fn get(&self, key: u16) -> Option<u16> {
            let found = self.trie.get(hash(key, self.mask), |entry| entry.0 == key);
            found.map(|entry| entry.1)
        }

        /// Inserts or replaces, like a caller that first checks whether the key exists.
        fn put(&mut self, key: u16, value: u16) -> Option<u16> {
            let (hash_of, mask) = (hash(key, self.mask), self.mask);
            let old = self.get(key);
            if old.is_none() {
                self.trie.insert(hash_of, (key, value), &|entry| hash(entry.0, mask));
            } else {
                self.trie.replace(hash_of, |entry| entry.0 == key, (key, value));
            }
            old
        }

        fn take(&mut self, key: u16) -> Option<u16> {
            let mask = self.mask;
            let is_sought = |entry: &Entry| entry.0 == key;
            let hash_of = |entry: &Entry| hash(entry.0, mask);
            self.trie.remove(hash(key, mask), is_sought, &hash_of).map(|entry| entry.1)
        }
    }

    /// Checks counts, fill and kinds of children; returns the number of entries.
    fn count(node: &Node<Entry>, mask: u64) -> usize {
        match node {
            Node::Empty => 0,
            Node::Leaf(entries) => {
                assert!((1..=LEAF).contains(&entries.len()));
                assert_eq!(tagged(entries).count(), entries.len());
                assert!(tagged(entries).all(|(tag, entry)| tag == top_byte(hash(entry.0, mask))));
                entries.len()
            }
            Node::Branch(kids) => {
                assert!(kids.len().is_power_of_two() && kids.len() <= FAN);
                let leaf = |kid| matches!(item(kid), Node::Empty | Node::Leaf(_));
                assert!(kids.len() == FAN || kids.slots().iter().all(leaf));
                let below = kids.slots().iter().map(|kid| count(item(kid), mask)).sum();
                assert_eq!(*kids.head() as usize, below);
                below
            }
            Node::Bucket(entries) => entries.len(),
        }
    }

    fn check(subject: &Subject, model: &BTreeMap<u16, u16>, keys: u16) {
        assert_eq!(count(&subject.trie.root, subject.mask), model.len());
        for key in 0..keys {
            assert_eq!(subject.get(key), model.get(&key).copied());
        }
    }

    fn named(keys: std::ops::Range<u16>) -> BTreeMap<u16, u16> {
        keys.map(|key| (key, key)).collect()
    }

    /// Masks for good hashes, for hashes of few distinct values, and for the two kinds of total collision.
    const MASKS: [u64; 6] = [u64::MAX, 0xf0_0f00, 0x3 << 40, 0xffff << 48, 0x7, 0];

    #[derive(Clone, Debug)]
    enum Op {
        Put(u16, u16),
        Take(u16),
        Keep,
        Sweep(u16, u16),
    }

    fn op(keys: u16) -> impl Strategy<Value = Op> {
        prop_oneof![
            12 => (0..keys, any::<u16>()).prop_map(|(key, value)| Op::Put(key, value)),
            6 => (0..keys).prop_map(Op::Take),
            1 => Just(Op::Keep),
            1 => (0..keys, 0..keys / 2).prop_map(|(from, n)| Op::Sweep(from, n)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn behaves_like_a_map_and_old_clones_stay(
            start in 0..1500_u16, ops in prop::collection::vec(op(2000), 1..600), mask in prop::sample::select(&MASKS[..])
        ) {
            let mut model = named(0..start);
            let mut subject = Subject::load(0..start, mask);
            let mut kept = vec![(subject.clone(), model.clone())];
            for op in ops {
                match op {
                    Op::Put(key, value) => assert_eq!(subject.put(key, value), model.insert(key, value)),
                    Op::Take(key) => assert_eq!(subject.take(key), model.remove(&key)),
                    Op::Keep => kept.push((subject.clone(), model.clone())),
                    Op::Sweep(from, n) => for key in from..from + n {
                        assert_eq!(subject.take(key), model.remove(&key));
                    },
                }
                assert_eq!(count(&subject.trie.root, mask), model.len());
            }
            kept.push((subject, model));
            for (subject, model) in &kept {
                check(subject, model, 2000);
            }
        }
    }

    #[test]
    fn deleting_everything_leaves_no_node() {
        for mask in MASKS {
            let mut subject = Subject { trie: Trie::default(), mask };
            for key in 0..3000 {
                assert_eq!(subject.put(key, key), None);
            }
            let full = subject.clone();
            for key in 0..3000 {
                assert_eq!(subject.take(key), Some(key));
                assert_eq!(subject.take(key), None);
                assert_eq!(count(&subject.trie.root, mask), 2999 - usize::from(key));
            }
            assert!(matches!(subject.trie.root, Node::Empty), "{mask:x}");
            check(&full, &named(0..3000), 3100);
        }
    }

    #[test]
    fn bulk_load_of_many_sizes() {
        for len in (0..200).chain((200..6000).step_by(173)) {
            check(&Subject::load(0..len, u64::MAX), &named(0..len), len + 10);
        }
    }
}
