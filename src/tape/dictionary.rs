//! A dictionary of field names.
//!
//! The process has one dictionary, which only grows, up to [`SIZE`] names. There is no limit to the
//! names that users choose, such as labels. So a name is added only when it is seen again, and a name
//! without a number is written out.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;

use super::format::{OTHER_NAME, TWO_BYTES};

/// The number of names that one and two bytes can represent.
pub(crate) const SIZE: usize = TWO_BYTES as usize + 128 * (OTHER_NAME - TWO_BYTES) as usize;

/// The maximum length of a name in bytes.
const LONGEST: usize = 64;

/// The number of names that are remembered as seen once.
const SEEN: usize = 1 << 12;

/// A list of names that only grows, and a map from names to their numbers.
struct Dictionary {
    names: [OnceLock<Arc<str>>; SIZE],
    numbers: LazyLock<ArcSwap<Numbers>>,
    /// Hashes of names that were seen once, each in its slot. The lock also protects the addition of
    /// names.
    seen: Mutex<[u64; SEEN]>,
}

type Numbers = HashMap<Arc<str>, u16, RandomState>;

static DICTIONARY: Dictionary = Dictionary::new();

/// Returns the name with this number, which the dictionary must have returned.
#[inline]
pub(crate) fn name(number: usize) -> &'static str {
    DICTIONARY.name(number)
}

/// Returns the number of a name, if it has one.
#[inline]
pub(crate) fn number(name: &str) -> Option<usize> {
    DICTIONARY.number(name)
}

/// Returns the number of a name, if it has one or gets one now.
pub(crate) fn learn(name: &str) -> Option<usize> {
    DICTIONARY.learn(name)
}

impl Dictionary {
    #[expect(clippy::large_stack_arrays, reason = "it is made for a static")]
    const fn new() -> Self {
        Self {
            names: [const { OnceLock::new() }; SIZE],
            numbers: LazyLock::new(ArcSwap::default),
            seen: Mutex::new([0; SEEN]),
        }
    }

    #[inline]
    fn name(&self, number: usize) -> &str {
        self.names.get(number).and_then(OnceLock::get).map_or("", |name| name)
    }

    #[inline]
    fn number(&self, name: &str) -> Option<usize> {
        self.numbers.load().get(name).copied().map(usize::from)
    }

    fn learn(&self, name: &str) -> Option<usize> {
        let numbers = self.numbers.load();
        if let Some(number) = numbers.get(name) {
            return Some((*number).into());
        }
        if numbers.len() == SIZE || name.len() > LONGEST {
            return None;
        }
        self.add(name, numbers.hasher().hash_one(name))
    }

    #[cold]
    fn add(&self, name: &str, hash: u64) -> Option<usize> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(hash % SEEN as u64).ok()?;
        if seen[place] != hash {
            seen[place] = hash;
            return None;
        }
        // Another thread may have added the name.
        let numbers = self.numbers.load();
        if let Some(number) = numbers.get(name) {
            return Some((*number).into());
        }
        let number = numbers.len();
        let name = self.names.get(number)?.get_or_init(|| name.into());
        let mut numbers = Numbers::clone(&numbers);
        numbers.insert(Arc::clone(name), u16::try_from(number).ok()?);
        self.numbers.store(Arc::new(numbers));
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gets_in_when_it_is_seen_again() {
        let names = Dictionary::new();
        assert_eq!((names.number("a"), names.learn("a")), (None, None));
        assert_eq!((names.learn("b"), names.learn("a")), (None, Some(0)));
        assert_eq!(
            (names.number("a"), names.learn("a"), names.number("b")),
            (Some(0), Some(0), None)
        );
        assert_eq!(names.name(0), "a");
        let long = "x".repeat(LONGEST + 1);
        assert_eq!([(); 3].map(|()| names.learn(&long)), [None; 3]);
    }

    #[test]
    fn it_grows_no_further_than_it_may() {
        let names = Dictionary::new();
        let known = |number: usize| (0..2).find_map(|_| names.learn(&number.to_string()));
        let all: Vec<_> = (0..SIZE + 10).map(known).collect();
        assert!((0..SIZE).all(|number| all[number] == Some(number)));
        assert!(all[SIZE..].iter().all(Option::is_none));
        assert_eq!(names.name(SIZE - 1), (SIZE - 1).to_string());
    }

    #[test]
    fn many_at_a_time_agree() {
        let names = Dictionary::new();
        let learn_all = || {
            let number = |index| (0..100).find_map(|_| names.learn(&format!("name {index}")));
            (0..100).map(number).collect::<Vec<_>>()
        };
        let all = std::thread::scope(|scope| {
            [(); 4].map(|()| scope.spawn(learn_all)).map(|thread| thread.join().unwrap())
        });
        assert!(all[0].iter().all(Option::is_some));
        assert!(all.iter().all(|numbers| *numbers == all[0]));
    }
}
