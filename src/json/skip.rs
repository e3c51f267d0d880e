//! Steps over containers 64 bytes at a time, without looking at what is in them.

use super::mask::Block;

/// Steps to the end of a container, in as many pieces as it comes, however deep it is nested.
#[derive(Clone, Debug)]
pub(crate) struct Skip {
    /// How many brackets are open, that of the container included.
    open: usize,
    strings: Strings,
}

/// Tells apart what is in strings and what is not.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    /// All ones in a string, else zero.
    quoted: u64,
    /// One behind a backslash that escapes, else zero.
    escaped: u64,
}

impl Skip {
    /// Stands in a container, behind its opening bracket or any item.
    pub(crate) fn new() -> Self {
        Self { open: 1, strings: Strings::default() }
    }

    /// Steps on, and returns how many bytes it is to the end of the container, if that is in sight.
    ///
    /// Brackets are taken for balanced whatever their kind: text between them that is no JSON may
    /// be stepped over, but never beyond where strings and brackets end.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        let (blocks, rest) = bytes.as_chunks::<64>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(end) = self.block(block) {
                return Some(index * 64 + end);
            }
        }
        let end = self.bytewise(rest)?;
        Some(blocks.len() * 64 + end)
    }

    fn block(&mut self, block: &[u8; 64]) -> Option<usize> {
        let block = Block::new(block);
        let quoted = self.strings.quoted_in(block);
        // One bit tells square brackets from curly ones.
        let open = block.equal_but_for(0x20, b'{') & !quoted;
        let close = block.equal_but_for(0x20, b'}') & !quoted;
        let (opened, closed) = (open.count_ones() as usize, close.count_ones() as usize);
        if self.open > closed {
            self.open = self.open + opened - closed;
            return None;
        }
        let mut brackets = open | close;
        while brackets != 0 {
            let at = brackets.trailing_zeros();
            if self.bracket(open >> at & 1 == 1) {
                return Some(at as usize + 1);
            }
            brackets &= brackets - 1;
        }
        None
    }

    fn bytewise(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            let escaped = std::mem::take(&mut self.strings.escaped) == 1;
            match byte {
                b'\\' if !escaped => self.strings.escaped = 1,
                b'"' if !escaped => self.strings.quoted = !self.strings.quoted,
                b'{' | b'[' if self.strings.quoted == 0 => drop(self.bracket(true)),
                b'}' | b']' if self.strings.quoted == 0 && self.bracket(false) => {
                    return Some(index + 1);
                }
                _ => {}
            }
        }
        None
    }

    /// Passes a bracket, and returns whether it is the container's last.
    fn bracket(&mut self, opens: bool) -> bool {
        if opens {
            self.open += 1;
        } else {
            self.open -= 1;
        }
        self.open == 0
    }
}

impl Strings {
    /// Which bytes of the next block are in strings. A quote that begins one counts, one that ends
    /// one does not.
    #[inline]
    pub(super) fn quoted_in(&mut self, block: Block) -> u64 {
        let escaped = self.escaped_in(block.equal(b'\\'));
        let ends = block.equal(b'"') & !escaped;
        let quoted = parity(ends) ^ self.quoted;
        self.quoted = if quoted >> 63 == 1 { u64::MAX } else { 0 };
        quoted
    }

    /// Which bytes come behind a backslash that is not escaped itself.
    fn escaped_in(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslashes = backslashes & !self.escaped;
        let follows = backslashes << 1 | self.escaped;
        // A sum carries through a row of backslashes: those in odd places are told by where it
        // comes out.
        let odd = backslashes & !EVEN & !follows;
        let (rows, carried) = odd.overflowing_add(backslashes);
        self.escaped = u64::from(carried);
        (EVEN ^ rows << 1) & follows
    }
}

/// Bit n tells whether an odd number of bits is set up to n.
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Option<usize> {
        Skip::new().step(bytes)
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let body = r#""a":"}\"]","\\":[1,{"b\\\"":"{"}],"é":{}"#;
        for length in 0..130 {
            let text = format!("{}{body}}},1", " ".repeat(length));
            assert_eq!(whole(text.as_bytes()), Some(text.len() - 2), "{length}");
        }
        assert_eq!(whole(b"\"}\""), None);
    }

    /// SEMANTICS: W12
    #[test]
    fn any_depth_is_stepped_over() {
        for depth in [1, 63, 64, 126, 127, 500, 1_000_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth) + "]";
            assert_eq!(whole(text.as_bytes()), Some(text.len()), "{depth}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        #[test]
        fn blocks_and_bytes_agree(text in "[a\"\\\\{}\\[\\]é]{0,300}", pieces in prop::collection::vec(0..200usize, 0..5)) {
            let bytewise = Skip::new().bytewise(text.as_bytes());
            prop_assert_eq!(whole(text.as_bytes()), bytewise);
            let (mut skip, mut rest, mut before) = (Skip::new(), text.as_bytes(), 0);
            let mut end = None;
            for piece in pieces.into_iter().chain([usize::MAX]) {
                let piece = rest.split_off(..piece.min(rest.len())).unwrap();
                end = skip.step(piece).map(|end| before + end);
                before += piece.len();
                if end.is_some() {
                    break;
                }
            }
            prop_assert_eq!(end, bytewise);
        }
    }
}
