//! A persistent hash trie: branches indexed by hash bits, leaves that hold several entries with a byte of hash each.
//!
//! A leaf that overflows first doubles its branch, up to [`FAN`]; only then does it become a branch of its own. So
//! leaves stay filled, and a branch costs 16 bytes per leaf. Entries keep no hash: a leaf's tags, the top bytes of
//! the hashes, already spare nearly all looks at cold objects that are not the one sought.

use super::chunk::{Chunk, item};

/// Hash bits that one full branch consumes.
const BITS: u32 = 4;

/// Children of a full branch.
const FAN: usize = 1 << BITS;

/// Entries of a full leaf: with the length, the tags fill whole words.
const LEAF: usize = 28;

/// Branches deeper than this would have no hash bits left; what collides there goes into a bucket.
const DEEPEST: u32 = u64::BITS - BITS;

type Tags = [u8; LEAF];

/// What the trie asks of an entry.
pub(crate) trait Hashed {
    /// All 64 bits should depend on the whole key.
    fn hash(&self) -> u64;

    /// Whether both have the same key, so that one replaces the other.
    fn same(&self, other: &Self) -> bool;
}

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
    /// A power of two of children, and the number of entries below. Only a full branch has other children than
    /// leaves.
    Branch(Chunk<Self, u32>),
    /// Entries whose hashes collide in all bits that branches look at, searched one by one.
    Bucket(Chunk<E>),
}

impl<E> Default for Trie<E> {
    fn default() -> Self {
        Self { root: Node::Empty }
    }
}

impl<E> Trie<E> {
    /// The entry with this hash for which `same` holds.
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

impl<E: Clone + Hashed> Trie<E> {
    /// Puts `entry` in. Returns the entry with the same key that it replaces.
    pub(crate) fn insert(&mut self, entry: E) -> Option<E> {
        self.root.insert(0, entry.hash(), entry)
    }

    /// Takes out the entry with this hash for which `same` holds.
    pub(crate) fn remove(&mut self, hash: u64, mut same: impl FnMut(&E) -> bool) -> Option<E> {
        // Nothing may be copied for an entry that is not there.
        self.get(hash, &mut same)?;
        self.root.remove(0, hash, &mut same)
    }

    /// Empty branches for `len` entries, so that loading them never splits a leaf.
    fn with_room(len: usize) -> Self {
        // Rounded up to a power of two, so leaves will be three eighths to three quarters full.
        let leaves = (len / (LEAF / 4 * 3)).checked_next_power_of_two().unwrap_or(1);
        Self { root: plant(leaves) }
    }
}

/// Of entries with the same key the last one stays.
impl<E: Clone + Hashed> FromIterator<E> for Trie<E> {
    fn from_iter<I: IntoIterator<Item = E>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut trie = Self::with_room(entries.size_hint().0);
        entries.for_each(|entry| drop(trie.insert(entry)));
        trie
    }
}

impl<E: Clone + Hashed> Node<E> {
    fn leaf(entries: Vec<E>) -> Self {
        if entries.is_empty() {
            return Self::Empty;
        }
        let mut tags = [0; LEAF];
        for (tag, entry) in tags.iter_mut().zip(&entries) {
            *tag = top_byte(entry.hash());
        }
        Self::Leaf(Chunk::fill(tags, entries.len(), &mut entries.into_iter()))
    }

    fn insert(&mut self, shift: u32, hash: u64, entry: E) -> Option<E> {
        match self {
            Self::Empty => {
                *self = Self::leaf(vec![entry]);
                None
            }
            Self::Leaf(entries) => {
                let len = entries.len();
                if let Some(index) = position(entries, hash, |other| other.same(&entry)) {
                    return Some(entries.replace(index, entry));
                }
                if len < LEAF {
                    entries.insert(len, entry);
                    entries.edit_head(|tags| tags[len] = top_byte(hash));
                    return None;
                }
                self.burst(shift);
                self.insert(shift, hash, entry)
            }
            Self::Branch(kids) => {
                while kids.len() < FAN
                    && item(&kids.slots()[low_bits(hash >> shift, kids.len())])
                        .is_full_for(hash, &entry)
                {
                    double(kids, shift);
                }
                let index = low_bits(hash >> shift, kids.len());
                let replaced =
                    kids.edit(|slots| slots[index].as_mut()?.insert(shift + BITS, hash, entry));
                kids.edit_head(|count| *count += u32::from(replaced.is_none()));
                replaced
            }
            Self::Bucket(entries) => {
                let index = entries.slots().iter().flatten().position(|other| other.same(&entry));
                if let Some(index) = index {
                    return Some(entries.replace(index, entry));
                }
                entries.insert(entries.len(), entry);
                None
            }
        }
    }

    /// Whether `entry` would have to be added to a leaf that has no room.
    fn is_full_for(&self, hash: u64, entry: &E) -> bool {
        matches!(self, Self::Leaf(entries)
            if entries.len() == LEAF && position(entries, hash, |other| other.same(entry)).is_none())
    }

    /// Turns a full leaf into a branch of two leaves, or into a bucket if there are no bits to tell entries apart.
    fn burst(&mut self, shift: u32) {
        if let Self::Leaf(mut entries) = std::mem::replace(self, Self::Empty) {
            let entries = entries.drain();
            let len = entries.len();
            *self = if shift > DEEPEST {
                Self::Bucket(Chunk::fill((), len, &mut entries.into_iter()))
            } else {
                let (zeros, ones) = part(entries, shift);
                Self::branch(len, vec![zeros, ones])
            };
        }
    }

    fn branch(count: usize, kids: Vec<Self>) -> Self {
        let count = u32::try_from(count).expect("a trie has fewer than 2^32 entries");
        Self::Branch(Chunk::fill(count, kids.len(), &mut kids.into_iter()))
    }

    fn remove(&mut self, shift: u32, hash: u64, same: &mut impl FnMut(&E) -> bool) -> Option<E> {
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
                let removed =
                    kids.edit(|slots| slots[index].as_mut()?.remove(shift + BITS, hash, same));
                kids.edit_head(|count| *count -= u32::from(removed.is_some()));
                self.shrink();
                removed
            }
            Self::Bucket(entries) => {
                let index = entries.slots().iter().flatten().position(same)?;
                let removed = entries.remove(index);
                if entries.len() <= LEAF / 2 {
                    *self = Self::leaf(entries.drain());
                }
                Some(removed)
            }
        }
    }

    /// Halves a branch while its leaves are nearly empty; one of a single child becomes that child. The threshold is
    /// far below the fill after a doubling, so that a branch does not swing.
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

    /// One leaf of two.
    fn merged(&self, other: &Self) -> Self {
        match (self, other) {
            (one, Self::Empty) | (Self::Empty, one) => one.clone(),
            (Self::Leaf(zeros), Self::Leaf(ones)) => {
                let entries = zeros.slots().iter().chain(ones.slots());
                Self::leaf(entries.flatten().cloned().collect())
            }
            _ => unreachable!("only leaves are merged"),
        }
    }
}

/// Doubles the children: each leaf is split by the next bit.
fn double<E: Clone + Hashed>(kids: &mut Chunk<Node<E>, u32>, shift: u32) {
    let next = shift + kids.len().trailing_zeros();
    let count = *kids.head() as usize;
    let split = kids.drain().into_iter().map(|kid| match kid {
        Node::Leaf(mut entries) => part(entries.drain(), next),
        _ => (Node::Empty, Node::Empty),
    });
    let (mut wide, ones): (Vec<_>, Vec<_>) = split.unzip();
    wide.extend(ones);
    if let Node::Branch(wide) = Node::branch(count, wide) {
        *kids = wide;
    }
}

/// Two leaves: the entries whose hash has a zero in the bit at `shift`, and the others.
fn part<E: Clone + Hashed>(entries: Vec<E>, shift: u32) -> (Node<E>, Node<E>) {
    let (ones, zeros) = entries.into_iter().partition(|entry| entry.hash() >> shift & 1 == 1);
    (Node::leaf(zeros), Node::leaf(ones))
}

/// Empty branches over `leaves`, a power of two: full ones except at the bottom.
fn plant<E: Clone + Hashed>(leaves: usize) -> Node<E> {
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
    let tag = top_byte(hash);
    let tagged = entries.head().iter().zip(entries.slots());
    tagged
        .enumerate()
        .find(|(_, (other, slot))| **other == tag && same(item(slot)))
        .map(|(index, _)| index)
}

#[inline]
fn top_byte(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

/// The lowest bits, as an index into a branch of `len` children.
#[inline]
fn low_bits(hash: u64, len: usize) -> usize {
    usize::from(hash.to_le_bytes()[0]) & (len - 1)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, hash::BuildHasher, sync::Arc};

    use proptest::prelude::*;

    use super::*;

    /// A key, a value, and a mask that spoils the hash.
    #[derive(Debug)]
    struct Entry(u32, u32, u64);

    fn hash(key: u32, mask: u64) -> u64 {
        foldhash::quality::FixedState::default().hash_one(key) & mask
    }

    impl Hashed for Arc<Entry> {
        fn hash(&self) -> u64 {
            hash(self.0, self.2)
        }

        fn same(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    struct Subject {
        trie: Trie<Arc<Entry>>,
        mask: u64,
    }

    impl Subject {
        fn put(&mut self, key: u32, value: u32) -> Option<u32> {
            self.trie.insert(Arc::new(Entry(key, value, self.mask))).map(|old| old.1)
        }

        fn take(&mut self, key: u32) -> Option<u32> {
            self.trie.remove(hash(key, self.mask), |entry| entry.0 == key).map(|old| old.1)
        }
    }

    /// Counts, fill and kinds of children are as promised; returns the number of entries.
    fn count(node: &Node<Arc<Entry>>) -> usize {
        match node {
            Node::Empty => 0,
            Node::Leaf(entries) => {
                assert!((1..=LEAF).contains(&entries.len()));
                let tags = entries.head().iter().zip(entries.slots());
                assert!(tags.into_iter().all(|(tag, entry)| *tag == top_byte(item(entry).hash())));
                entries.len()
            }
            Node::Branch(kids) => {
                assert!(kids.len().is_power_of_two() && kids.len() <= FAN);
                let leaf = |kid| matches!(item(kid), Node::Empty | Node::Leaf(_));
                assert!(kids.len() == FAN || kids.slots().iter().all(leaf));
                let below = kids.slots().iter().map(|kid| count(item(kid))).sum();
                assert_eq!(*kids.head() as usize, below);
                below
            }
            Node::Bucket(entries) => entries.len(),
        }
    }

    fn check(trie: &Trie<Arc<Entry>>, model: &HashMap<u32, u32>, keys: u32, mask: u64) {
        assert_eq!(count(&trie.root), model.len());
        for key in 0..keys {
            let found = trie.get(hash(key, mask), |entry| entry.0 == key);
            assert_eq!(found.map(|entry| &entry.1), model.get(&key));
        }
    }

    /// Good hashes, hashes of few distinct values, and the two ways to collide entirely.
    const MASKS: [u64; 6] = [u64::MAX, 0xf0_0f00, 0x3 << 40, 0xffff << 48, 0x7, 0];

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
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn behaves_like_a_map_and_old_clones_stay(
            start in 0..1500_u32, ops in prop::collection::vec(op(2000), 1..600), mask in prop::sample::select(&MASKS[..])
        ) {
            let mut model: HashMap<u32, u32> = (0..start).map(|key| (key, key)).collect();
            let trie = model.iter().map(|(k, v)| Arc::new(Entry(*k, *v, mask))).collect();
            let mut subject = Subject { trie, mask };
            let mut kept = vec![(subject.trie.clone(), model.clone())];
            for op in ops {
                match op {
                    Op::Put(key, value) => assert_eq!(subject.put(key, value), model.insert(key, value)),
                    Op::Take(key) => assert_eq!(subject.take(key), model.remove(&key)),
                    Op::Keep => kept.push((subject.trie.clone(), model.clone())),
                    Op::Sweep(from, n) => for key in from..from + n {
                        assert_eq!(subject.take(key), model.remove(&key));
                    },
                }
                assert_eq!(count(&subject.trie.root), model.len());
            }
            kept.push((subject.trie, model));
            for (trie, model) in &kept {
                check(trie, model, 2000, mask);
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
            let full = subject.trie.clone();
            for key in 0..3000 {
                assert_eq!(subject.take(key), Some(key));
                assert_eq!(subject.take(key), None);
                assert_eq!(count(&subject.trie.root), 2999 - key as usize);
            }
            assert!(matches!(subject.trie.root, Node::Empty), "{mask:x}");
            check(&full, &(0..3000).map(|key| (key, key)).collect(), 3100, mask);
        }
    }

    #[test]
    fn bulk_load_of_many_sizes() {
        for len in (0..200).chain((200..6000).step_by(173)) {
            let trie: Trie<_> = (0..len).map(|key| Arc::new(Entry(key, key, u64::MAX))).collect();
            check(&trie, &(0..len).map(|key| (key, key)).collect(), len + 10, u64::MAX);
        }
    }

    #[test]
    fn of_duplicates_in_a_bulk_load_the_last_stays() {
        let entries = (0..5000).map(|i| Arc::new(Entry(i % 700, i, u64::MAX)));
        let trie: Trie<_> = entries.collect();
        check(&trie, &(0..5000).map(|i| (i % 700, i)).collect(), 800, u64::MAX);
    }

    #[test]
    fn what_is_removed_or_replaced_is_released() {
        let entries: Vec<_> = (0..1000).map(|key| Arc::new(Entry(key, key, u64::MAX))).collect();
        let mut subject = Subject { trie: entries.iter().cloned().collect(), mask: u64::MAX };
        for key in 0..1000 {
            let old = if key % 2 == 0 { subject.put(key, 0) } else { subject.take(key) };
            assert_eq!(old, Some(key));
        }
        assert!(entries.iter().all(|entry| Arc::strong_count(entry) == 1));
    }
}
