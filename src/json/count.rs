//! Counts the elements of arrays before they are decoded.

use super::{mask::Block, scan::MAX_DEPTH, skip::Strings};

/// The numbers of elements of the arrays in a text. Inner arrays are counted together with the array
/// around them, so that no byte is visited twice.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The start of each array and the number of its commas, in order. The first entry stands for all
    /// objects.
    found: Vec<(usize, usize)>,
    /// The index in `found` before which all entries were asked for or passed.
    next: usize,
    /// The position up to which arrays are counted.
    until: usize,
    /// For each open container, the index in `found` of the container around it.
    around: Vec<usize>,
}

impl Counts {
    /// Returns the number of elements of the array that begins at `start`, unless the array is empty.
    /// Calls must go from the front of the text to its end.
    ///
    /// For text that is malformed or nested too deep, the number may be wrong.
    pub(crate) fn elements(&mut self, text: &[u8], start: usize) -> usize {
        if start >= self.until {
            self.count(text, start);
        }
        while self.found.get(self.next).is_some_and(|(at, _)| *at < start) {
            self.next += 1;
        }
        match self.found.get(self.next) {
            Some((at, commas)) if *at == start => commas + 1,
            _ => 0,
        }
    }

    /// Counts the elements of an array and of all arrays in it.
    fn count(&mut self, text: &[u8], start: usize) {
        self.found.clear();
        self.found.push((0, 0));
        self.next = 1;
        self.around.clear();
        let mut strings = Strings::default();
        let mut within = 0;
        let mut at = start;
        while at < text.len() {
            let block = Block::first_of(&text[at..]);
            let outside = !strings.quoted_in(block);
            // Square and curly brackets differ in one bit.
            let open = block.equal_but_for(0x20, b'{') & outside;
            let close = block.equal_but_for(0x20, b'}') & outside;
            let commas = block.equal(b',') & outside;
            let mut marks = open | close | commas;
            while marks != 0 {
                let index = marks.trailing_zeros();
                let mark = 1 << index;
                marks ^= mark;
                let place = at + index as usize;
                if commas & mark != 0 {
                    self.found[within].1 += 1;
                } else if open & mark != 0 {
                    if self.around.len() == MAX_DEPTH {
                        self.until = text.len();
                        return;
                    }
                    self.around.push(within);
                    within = 0;
                    if text[place] == b'[' {
                        within = self.found.len();
                        self.found.push((place, 0));
                    }
                } else {
                    within = self.around.pop().unwrap_or_default();
                    if self.around.is_empty() {
                        self.until = place + 1;
                        return;
                    }
                }
            }
            at += 64;
        }
        self.until = text.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::json::Scanner;

    fn text() -> impl Strategy<Value = String> {
        const SCALARS: [&str; 6] =
            ["1", r#""[,\"]{""#, r#""\\""#, " [ ]", "{}", "\"}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}\""];
        let scalar = proptest::sample::select(&SCALARS[..]).prop_map(str::to_owned);
        scalar.prop_recursive(6, 80, 8, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(" , "))),
                vec(inner, 0..8).prop_map(|items| {
                    let fields = items.iter().map(|item| format!("\"[,]\\\\\":{item}"));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    /// Returns the start of each array.
    fn arrays(text: &str) -> Vec<usize> {
        let (mut quoted, mut escaped, mut found) = (false, false, Vec::new());
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'[' if !quoted => found.push(at),
                _ => {}
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        #[test]
        fn every_array_has_its_elements_counted(text in text(), skipped in vec(any::<bool>(), 40)) {
            let mut counts = Counts::default();
            for (start, skipped) in arrays(&text).into_iter().zip(skipped.into_iter().cycle()) {
                let len = Scanner::new(text.as_bytes(), start).count_elements().unwrap();
                if !skipped && len > 0 {
                    prop_assert_eq!(counts.elements(text.as_bytes(), start), len, "{} {}", text, start);
                }
            }
        }

        #[test]
        fn of_any_text_something_is_counted(text in "[a\"\\\\{}\\[\\],]{0,300}") {
            let mut counts = Counts::default();
            for start in arrays(&text) {
                counts.elements(text.as_bytes(), start);
            }
        }
    }
}
