//! Detection of fields that have the same name in one object. The last one counts, as in `serde_json`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use foldhash::quality::RandomState;

use crate::json::{Fault, Scanner};

/// A detector for names that repeat in an object. It compares hashes: it never misses a repetition, but
/// may report one that isn't.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    /// Hashes of the names so far in all objects that are not closed yet.
    hashes: Vec<u64>,
    /// For objects with many names, a set of all their hashes. The key is the index of the object's
    /// first hash in `hashes`.
    many: Vec<(usize, HashSet<u64, RandomState>)>,
}

/// The names of one object so far.
pub(super) struct ObjectNames {
    first: usize,
    /// A bit for each name, so that most names need no search.
    bits: u64,
}

/// With as many names as this, an object gets a set; fewer are searched one by one.
const MANY: usize = 64;

impl Duplicates {
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.many.clear();
    }

    pub(super) fn enter(&self) -> ObjectNames {
        ObjectNames { first: self.hashes.len(), bits: 0 }
    }

    #[inline]
    pub(super) fn leave(&mut self, own: &ObjectNames) {
        if self.many.last().is_some_and(|(first, _)| *first == own.first) {
            self.many.pop();
        }
        self.hashes.truncate(own.first);
    }

    /// Adds a name with this [`hash`]; returns whether it repeats a name of the object.
    #[inline]
    pub(super) fn add(&mut self, own: &mut ObjectNames, hash: u64) -> bool {
        let bit = 1 << (hash >> 58);
        let sought = own.bits & bit != 0 || self.hashes.len() - own.first >= MANY;
        let repeats = sought && self.seek(own.first, hash);
        own.bits |= bit;
        self.hashes.push(hash);
        repeats
    }

    #[cold]
    fn seek(&mut self, first: usize, hash: u64) -> bool {
        let before = &self.hashes[first..];
        if before.len() < MANY {
            return before.contains(&hash);
        }
        match self.many.last_mut() {
            Some((own, all)) if *own == first => !all.insert(hash),
            _ => {
                let mut all: HashSet<_, _> = before.iter().copied().collect();
                let repeats = !all.insert(hash);
                self.many.push((first, all));
                repeats
            }
        }
    }
}

/// The start of each field that a later field of the same name replaces.
pub(super) type Replaced = HashSet<usize, RandomState>;

/// Returns the start of each field that a later field of the same name replaces, in any object of the
/// text.
///
/// The API server sends no such fields. The whole object is checked, replaced fields too: the result is
/// `Malformed` where `serde_json` would not decode the object.
pub(super) fn replaced(bytes: &[u8]) -> Result<Replaced, Fault> {
    let mut scan = Scanner::new(bytes, 0);
    scan.space();
    let mut replaced = Replaced::default();
    seek_replaced(&mut scan, &mut replaced)?;
    // Everything outside of strings is ASCII.
    str::from_utf8(&bytes[..scan.position()]).map_err(|_| Fault::Malformed)?;
    Ok(replaced)
}

fn seek_replaced(scan: &mut Scanner<'_>, replaced: &mut Replaced) -> Result<(), Fault> {
    match scan.peek()? {
        b'{' => {
            let mut fields: HashMap<Cow<'_, str>, usize, RandomState> = HashMap::default();
            scan.fields(|scan, name| {
                let start = name.start - 1;
                let name = scan.unescape(name)?;
                if fields.is_empty() {
                    scan.check_first(&name)?;
                }
                replaced.extend(fields.insert(name, start));
                seek_replaced(scan, replaced)
            })
        }
        b'[' => scan.elements(|scan, _| seek_replaced(scan, replaced)),
        b'"' => {
            let own = scan.string()?;
            if own.halves { scan.unescape(own).map(drop) } else { Ok(()) }
        }
        _ => scan.finite_literal(),
    }
}

/// Returns a hash of a name.
#[expect(clippy::cast_possible_truncation, reason = "both halves of a product are used")]
#[inline]
pub(super) fn hash(name: &[u8]) -> u64 {
    const FACTORS: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0xa076_1d64_78bd_642f];
    let mix = |one: u64, other: u64| {
        let product = u128::from(one ^ FACTORS[0]) * u128::from(other ^ FACTORS[1]);
        (product as u64) ^ (product >> 64) as u64
    };
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let half = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let len = (name.len() as u64).wrapping_mul(FACTORS[2]);
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let between = name[8..].as_chunks().0.iter();
        let hash = between.fold(len, |hash, bytes| mix(hash, word(bytes)));
        return mix(word(first) ^ hash, word(last));
    }
    if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        return mix(half(first), half(last) ^ len);
    }
    mix(len, name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_repeat_are_noticed_among_few_and_many() {
        for count in [1, 2, 63, 64, 65, 66, 200] {
            for repeated in [0, count / 2, count - 1] {
                let mut names = Duplicates::default();
                let mut outer = names.enter();
                assert!(!names.add(&mut outer, hash(b"name 0")));
                let mut own = names.enter();
                for index in 0..count {
                    assert!(!names.add(&mut own, hash(format!("name {index}").as_bytes())));
                }
                assert!(names.add(&mut own, hash(format!("name {repeated}").as_bytes())));
                names.leave(&own);
                let mut own = names.enter();
                assert!(!names.add(&mut own, hash(b"name 0")));
                names.leave(&own);
                assert!(names.add(&mut outer, hash(b"name 0")));
            }
        }
    }

    #[test]
    fn names_of_all_lengths_differ() {
        let mut all = HashSet::new();
        for length in 0..40 {
            for at in 0..length {
                let mut name = vec![b'a'; length];
                name[at] = b'b';
                assert!(all.insert(hash(&name)), "{length} {at}");
            }
            assert!(all.insert(hash(&vec![b'a'; length])), "{length}");
        }
    }
}
