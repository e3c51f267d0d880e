//! Of fields with one name in an object the last counts, as in `serde_json`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use foldhash::quality::RandomState;

use crate::json::{Fault, MAX_DEPTH, Scanner};

/// Notices names that repeat in an object. Never misses one; may be wrong the other way.
#[derive(Default)]
pub(super) struct Names {
    /// Of the names so far in all objects that are open.
    hashes: Vec<u64>,
}

/// The names of one object.
pub(super) struct Own {
    first: usize,
    /// A bit for each, so that most names need not be sought.
    bits: u64,
    /// All of them, once there are many.
    many: Option<HashSet<u64, RandomState>>,
}

/// More names than these are not sought one by one.
const MANY: usize = 64;

impl Names {
    pub(super) fn enter(&self) -> Own {
        Own { first: self.hashes.len(), bits: 0, many: None }
    }

    pub(super) fn leave(&mut self, own: &Own) {
        self.hashes.truncate(own.first);
    }

    /// Tells whether the name repeats one of the object's.
    #[inline]
    pub(super) fn add(&mut self, own: &mut Own, name: &[u8]) -> bool {
        let hash = hash(name);
        let bit = 1 << (hash >> 58);
        let sought = own.bits & bit != 0 || own.many.is_some();
        let repeats = sought && self.seek(own, hash);
        own.bits |= bit;
        self.hashes.push(hash);
        repeats
    }

    fn seek(&self, own: &mut Own, hash: u64) -> bool {
        let before = &self.hashes[own.first..];
        match &mut own.many {
            None if before.len() < MANY => before.contains(&hash),
            many => {
                let all = many.get_or_insert_with(|| before.iter().copied().collect());
                !all.insert(hash)
            }
        }
    }
}

/// Where the fields begin that a later one of the same name replaces, in any object of the text.
pub(super) fn replaced(bytes: &[u8]) -> Result<HashSet<usize>, Fault> {
    let mut replaced = HashSet::new();
    let mut scan = Scanner::new(bytes, 0);
    scan.space();
    seek_replaced(&mut scan, 0, &mut replaced)?;
    Ok(replaced)
}

fn seek_replaced(
    scan: &mut Scanner<'_>,
    depth: usize,
    replaced: &mut HashSet<usize>,
) -> Result<(), Fault> {
    let close = match scan.peek()? {
        _ if depth > MAX_DEPTH => return Err(Fault::Malformed),
        b'{' => b'}',
        b'[' => b']',
        _ => return scan.skip_value(depth),
    };
    let mut fields: HashMap<Cow<'_, str>, usize> = HashMap::new();
    scan.advance();
    scan.space();
    if scan.peek()? == close {
        scan.advance();
        return Ok(());
    }
    loop {
        if close == b'}' {
            let start = scan.position();
            let name = scan.string()?;
            replaced.extend(fields.insert(scan.unescape(name)?, start));
            scan.space();
            scan.eat(b':')?;
            scan.space();
        }
        seek_replaced(scan, depth + 1, replaced)?;
        scan.space();
        if scan.peek()? != b',' {
            return scan.eat(close);
        }
        scan.advance();
        scan.space();
    }
}

/// Differs for most names that differ.
#[inline]
fn hash(name: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(FACTOR);
        hash ^ hash >> 32
    };
    let hash = name.len() as u64;
    if let Some(last) = name.last_chunk::<8>() {
        let (words, _) = name.as_chunks::<8>();
        let hash = words.iter().fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        return mix(hash, u64::from_le_bytes(*last)).wrapping_mul(FACTOR);
    }
    let word = match (name.first_chunk::<4>(), name.last_chunk::<4>(), name) {
        (Some(first), Some(last), _) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        (_, _, [first, .., last]) => {
            u64::from(*first) | u64::from(name[1]) << 8 | u64::from(*last) << 16
        }
        (_, _, [only]) => u64::from(*only),
        _ => 0,
    };
    mix(hash, word).wrapping_mul(FACTOR)
}
