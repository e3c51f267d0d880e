//! The format of a tape.
//!
//! A value begins with a byte that determines its type:
//!
//! | byte | value | what follows |
//! |---|---|---|
//! | 0, 1, 2 | null, false, true | |
//! | 3 | an integer | digits to the base of 64, the lowest first; bit 6 is set if more follow |
//! | 4 | any other number | a string: the number as written |
//! | 5, 6 | an object, an array | the length of its content, in 2 digits to the base of 128; the content |
//! | 7, 8 | a large object, a large array | the length in 4 digits; the content |
//! | 9, 10 | a string | its length, in 2 or 4 digits; the string |
//! | 11 | a string with escapes | a string: the text as written, with its quotes |
//! | 16..48 | an integer, counted from 0 | |
//! | 48..128 | a string; its length, counted from 0 | the string |
//!
//! The content of an object is names and values in turn. A name is a number in the process's
//! [`dictionary`](super::dictionary) of names, in one byte below 112 or two bytes below (127, 0), or else 127 and a string.

pub(super) const NULL: u8 = 0;
pub(super) const FALSE: u8 = 1;
pub(super) const TRUE: u8 = 2;
pub(super) const INTEGER: u8 = 3;
pub(super) const NUMBER: u8 = 4;
pub(super) const OBJECT: u8 = 5;
pub(super) const ARRAY: u8 = 6;
/// The difference between the tags of a container and a large container.
pub(super) const LARGE: u8 = 2;
pub(super) const LARGE_OBJECT: u8 = OBJECT + LARGE;
pub(super) const LARGE_ARRAY: u8 = ARRAY + LARGE;
pub(super) const STRING: u8 = 9;
pub(super) const LONG_STRING: u8 = 10;
pub(super) const ESCAPED: u8 = 11;
pub(super) const SMALL_INTEGER: u8 = 16;
pub(super) const SHORT_STRING: u8 = 48;
pub(super) const END: u8 = 128;

/// The first of the two bytes of a name.
pub(super) const TWO_BYTES: u8 = 112;
pub(super) const OTHER_NAME: u8 = 127;

/// The lengths from which two digits, and four digits, are too few. A tape is never longer.
pub(super) const LONG: usize = 1 << 14;
pub(super) const TOO_LONG: usize = 1 << 28;
