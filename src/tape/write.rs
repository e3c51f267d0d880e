//! Writes a tape.

use super::format::{
    ARRAY, ESCAPED, FALSE, INTEGER, LARGE, LONG, LONG_STRING, NULL, NUMBER, OBJECT, OTHER_NAME,
    SHORT_STRING, SMALL_INTEGER, STRING, TOO_LONG, TRUE, TWO_BYTES,
};

/// A writer of a tape, from front to back.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

/// A container that is being written: the start of its content.
#[must_use]
pub(crate) struct Open(usize);

impl Writer {
    pub(crate) fn clear(&mut self) {
        /// The capacity to keep between objects, so that a large one doesn't hold memory for all the
        /// small ones.
        const ROOM: usize = 1 << 20;
        self.out.clear();
        self.out.shrink_to(ROOM);
    }

    /// Returns the position of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// Returns the tape, and text behind it that is not part of it. `None` if the tape is too long or a
    /// string is not UTF-8.
    pub(crate) fn finish(&self) -> Option<Box<str>> {
        let fits = self.out.len() < TOO_LONG;
        fits.then(|| str::from_utf8(&self.out).ok().map(Box::from)).flatten()
    }

    /// Appends what another writer has written.
    pub(crate) fn append(&mut self, written: &[u8]) {
        self.out.extend_from_slice(written);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes the number of a field's name; the value has to follow.
    #[inline]
    pub(crate) fn name(&mut self, number: usize) {
        let ahead = usize::from(TWO_BYTES);
        match number.checked_sub(ahead) {
            None => self.out.push(low(number)),
            Some(rest) => self.out.extend_from_slice(&[low(ahead + (rest >> 7)), low(rest)]),
        }
    }

    /// Writes a name that has no number and no escapes.
    pub(crate) fn other_name(&mut self, name: &[u8]) {
        self.out.push(OTHER_NAME);
        self.string(name, name.len());
    }

    /// Writes a name with escapes, as given.
    pub(crate) fn escaped_name(&mut self, quoted: &[u8]) {
        self.out.push(OTHER_NAME);
        self.escaped(quoted);
    }

    /// Writes the first `len` bytes of the text as a string.
    #[inline]
    pub(crate) fn string(&mut self, text: &[u8], len: usize) {
        /// Copying this many bytes takes less time than finding out how many there are.
        const AT_ONCE: usize = 32;
        if len < usize::from(u8::MAX / 2 + 1 - SHORT_STRING) {
            self.out.push(SHORT_STRING + low(len));
            if len <= AT_ONCE
                && let Some(chunk) = text.first_chunk::<AT_ONCE>()
            {
                let end = self.out.len() + len;
                self.out.extend_from_slice(chunk);
                self.out.truncate(end);
                return;
            }
        } else if len < LONG {
            self.out.extend_from_slice(&[STRING, low(len >> 7), low(len)]);
        } else {
            self.out.push(LONG_STRING);
            self.out.extend_from_slice(&digits(len));
        }
        self.out.extend_from_slice(&text[..len]);
    }

    /// Writes a string with escapes, as given, with its quotes.
    pub(crate) fn escaped(&mut self, quoted: &[u8]) {
        self.out.push(ESCAPED);
        self.string(quoted, quoted.len());
    }

    /// Writes a number, a boolean or null, as given.
    pub(crate) fn literal(&mut self, text: &[u8]) {
        /// An integer with this many digits always fits.
        const DIGITS: usize = 18;
        match text {
            b"null" => self.out.push(NULL),
            b"false" => self.out.push(FALSE),
            b"true" => self.out.push(TRUE),
            _ if text.len() <= DIGITS && text.iter().all(u8::is_ascii_digit) => {
                self.integer(text.iter().fold(0, |all, digit| all * 10 + u64::from(digit - b'0')));
            }
            _ => {
                self.out.push(NUMBER);
                self.string(text, text.len());
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "of digits")]
    fn integer(&mut self, mut number: u64) {
        if number < u64::from(SHORT_STRING - SMALL_INTEGER) {
            return self.out.push(SMALL_INTEGER + number as u8);
        }
        self.out.push(INTEGER);
        while number >= 64 {
            self.out.push(64 | (number & 63) as u8);
            number >>= 6;
        }
        self.out.push(number as u8);
    }

    #[inline]
    pub(crate) fn object(&mut self) -> Open {
        self.open(OBJECT)
    }

    #[inline]
    pub(crate) fn array(&mut self) -> Open {
        self.open(ARRAY)
    }

    /// Begins an object whose content never has to be moved, however long it gets.
    pub(crate) fn large_object(&mut self) -> Open {
        self.out.extend_from_slice(&[OBJECT + LARGE, 0, 0, 0, 0]);
        Open(self.out.len())
    }

    #[inline]
    fn open(&mut self, tag: u8) -> Open {
        self.out.extend_from_slice(&[tag, 0, 0]);
        Open(self.out.len())
    }

    pub(crate) fn close_large(&mut self, Open(start): Open) {
        let len = self.out.len() - start;
        self.out[start - 4..start].copy_from_slice(&digits(len));
    }

    #[inline]
    pub(crate) fn close(&mut self, Open(start): Open) {
        let len = self.out.len() - start;
        if len < LONG {
            self.out[start - 2..start].copy_from_slice(&[low(len >> 7), low(len)]);
        } else {
            let tag = self.out[start - 3] + LARGE;
            self.out.splice(start - 3..start, std::iter::once(tag).chain(digits(len)));
        }
    }
}

/// Returns the lowest digit to the base of 128.
#[expect(clippy::cast_possible_truncation, reason = "of a digit")]
#[inline]
fn low(number: usize) -> u8 {
    (number & 127) as u8
}

fn digits(len: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| low(len >> shift))
}
