//! The names of fields, by number.
//!
//! There is one dictionary for the process. It only grows, and no further than to [`SIZE`] names: of
//! names that users choose, such as labels, there are any number. So a name gets in when it is seen
//! again, and those that find no room are written out.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;

use super::{OTHER_NAME, TWO_BYTES};

/// As many as one byte and two bytes can tell.
pub(crate) const SIZE: usize = TWO_BYTES as usize + 128 * (OTHER_NAME - TWO_BYTES) as usize;

/// No longer name gets in.
const LONGEST: usize = 64;

/// How many names can be remembered as seen.
const SEEN: usize = 1 << 12;

/// A list of names that only grows, and the way back from a name to its number.
struct Dictionary {
    names: [OnceLock<Arc<str>>; SIZE],
    numbers: LazyLock<ArcSwap<Numbers>>,
    /// Hashes of names that were seen once, each in its place; whoever holds it may add a name.
    seen: Mutex<[u64; SEEN]>,
}

type Numbers = HashMap<Arc<str>, u16, RandomState>;

static DICTIONARY: Dictionary = Dictionary::new();

/// The name with this number, which is one that was given out.
#[inline]
pub(crate) fn name(number: usize) -> &'static str {
    DICTIONARY.name(number)
}

/// The number of a name, if it has one.
#[inline]
pub(crate) fn number(name: &str) -> Option<usize> {
    DICTIONARY.number(name)
}

/// The number of a name, if it has one or gets one now.
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
        // Somebody else may have been faster.
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
