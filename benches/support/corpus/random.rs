//! Numbers that are the same in every run.

/// `SplitMix64`.
#[derive(Clone)]
pub(crate) struct Random(u64);

const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 11).expect("64 bits") % bound
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    pub(crate) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b"0123456789abcdef"[self.below(16)])).collect()
    }

    /// Returns the suffix of a generated name.
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(LETTERS[self.below(27)])).collect()
    }

    pub(crate) fn uid(&mut self) -> String {
        let digits = self.hex(30);
        let (start, rest) = digits.split_at(12);
        format!("{}-{}-4{}-a{}-{}", &start[..8], &start[8..], &rest[..3], &rest[3..6], &rest[6..])
    }

    pub(crate) fn time(&mut self) -> String {
        let (month, day) = (self.range(1, 12), self.range(1, 28));
        let [hour, minute, second] = [24, 60, 60].map(|bound| self.below(bound));
        format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    pub(crate) fn ip(&mut self) -> String {
        format!("10.{}.{}.{}", self.below(256), self.below(256), self.range(1, 254))
    }

    pub(crate) fn node(&mut self) -> String {
        let (a, b, c) = (self.below(4), self.below(16), self.range(1, 40));
        format!("ip-10-{a}-{b}-{c}.eu-west-1.compute.internal")
    }
}

/// Returns a suffix that is unique for numbers below 14 million: names must be unique.
pub(crate) fn unique(number: usize) -> String {
    const SPACE: usize = 27_usize.pow(5);
    // The factor is coprime to the number of suffixes.
    let mut mixed = number * 9_999_991 % SPACE;
    let letters = (0..5).map(|_| {
        let letter = LETTERS[mixed % 27];
        mixed /= 27;
        char::from(letter)
    });
    letters.collect()
}
