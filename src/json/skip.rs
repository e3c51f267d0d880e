//! Steps over values without reading their content; containers in blocks of 64 bytes.

use memchr::memchr2;

use super::mask::Block;

/// A search for the end of a value, in any number of pieces and at any depth.
#[derive(Clone, Debug)]
pub(crate) enum Skip {
    /// The position is before the value.
    Start,
    Container(Container),
    String {
        /// True directly behind an escaping backslash.
        escaped: bool,
    },
    /// A number, `true`, `false` or `null`.
    Literal,
}

/// The state within a container, behind its opening bracket or any item.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// The number of open brackets, including that of the container.
    open: usize,
    strings: Strings,
}

/// A detector for the parts of the text that are in strings.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    /// All bits are set within a string, else none.
    quoted: u64,
    /// 1 directly behind an escaping backslash, else 0.
    escaped: u64,
}

impl Skip {
    /// Makes a search that begins before a value.
    pub(crate) fn new() -> Self {
        Self::Start
    }

    /// Makes a search that begins within a container, behind its opening bracket or any item.
    pub(crate) fn within() -> Self {
        Self::Container(Container::new())
    }

    /// Continues with the next bytes. Returns the distance to the end of the value, if these bytes have
    /// it. A literal ends before the first byte that can't be part of it; if there is no value, this is
    /// the first byte.
    ///
    /// Brackets are counted without comparing their kinds. So invalid text between them may be skipped,
    /// but never text behind the end of the strings and brackets.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = match self {
            Self::Start => return self.begin(bytes),
            Self::Container(container) => container.step(bytes),
            Self::String { escaped } => end_of_string(bytes, escaped),
            Self::Literal => bytes.iter().position(|byte| !is_of_literal(*byte)),
        };
        #[cfg(test)]
        looked_at(end.unwrap_or(bytes.len()));
        end
    }

    fn begin(&mut self, bytes: &[u8]) -> Option<usize> {
        let (begun, from) = match bytes.first()? {
            b'{' | b'[' => (Self::within(), 1),
            b'"' => (Self::String { escaped: false }, 1),
            _ => (Self::Literal, 0),
        };
        *self = begun;
        self.step(&bytes[from..]).map(|end| from + end)
    }
}

/// Returns the distance to the end of a string. The opening quote must have been stepped over; `escaped`
/// is set behind a backslash.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], escaped: &mut bool) -> Option<usize> {
    if bytes.is_empty() {
        return None;
    }
    let mut at = usize::from(std::mem::take(escaped));
    loop {
        at += memchr2(b'"', b'\\', &bytes[at..])?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ if at + 1 == bytes.len() => {
                *escaped = true;
                return None;
            }
            _ => at += 2,
        }
    }
}

fn is_of_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

impl Container {
    fn new() -> Self {
        Self { open: 1, strings: Strings::default() }
    }

    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
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
        // Square and curly brackets differ in one bit.
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

    /// Counts a bracket, and returns whether it closes the container.
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
    /// Returns a mask of the bytes of the next block that are in strings. An opening quote counts, a
    /// closing one does not.
    #[inline]
    pub(super) fn quoted_in(&mut self, block: Block) -> u64 {
        let escaped = self.escaped_in(block.equal(b'\\'));
        let ends = block.equal(b'"') & !escaped;
        let quoted = parity(ends) ^ self.quoted;
        self.quoted = if quoted >> 63 == 1 { u64::MAX } else { 0 };
        quoted
    }

    /// Returns a mask of the bytes directly behind a backslash that is not escaped itself.
    fn escaped_in(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslashes = backslashes & !self.escaped;
        let follows = backslashes << 1 | self.escaped;
        // A sum carries through a run of backslashes. The place where the carry comes out shows whether
        // the run is odd.
        let odd = backslashes & !EVEN & !follows;
        let (rows, carried) = odd.overflowing_add(backslashes);
        self.escaped = u64::from(carried);
        (EVEN ^ rows << 1) & follows
    }
}

/// Returns a mask: bit n is set if an odd number of bits up to n is set.
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
thread_local! {
    static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn looked_at(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get() + bytes);
}

/// Returns how many bytes this thread has stepped over since the last call.
#[cfg(test)]
pub(crate) fn taken_looked_at() -> usize {
    LOOKED_AT.take()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Option<usize> {
        Container::new().step(bytes)
    }

    #[test]
    fn any_value_is_stepped_over_in_any_pieces() {
        let values =
            ["{}", r#"[1,"]"]"#, r#""a\\\"b""#, r#""\\""#, r#""""#, "-1.5e+7", "null", "7"];
        for value in values {
            let text = format!("{value},\"\\");
            for piece in 1..=text.len() {
                let (mut skip, mut before) = (Skip::new(), 0);
                // A frame may be empty.
                let pieces = text.as_bytes().chunks(piece).flat_map(|bytes| [&bytes[..0], bytes]);
                let end = pieces.into_iter().find_map(|bytes| {
                    let end = skip.step(bytes).map(|end| before + end);
                    before += bytes.len();
                    end
                });
                assert_eq!(end, Some(value.len()), "{value} {piece}");
            }
        }
        assert_eq!(Skip::new().step(b","), Some(0));
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
            let bytewise = Container::new().bytewise(text.as_bytes());
            prop_assert_eq!(whole(text.as_bytes()), bytewise);
            let (mut skip, mut rest, mut before) = (Container::new(), text.as_bytes(), 0);
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
