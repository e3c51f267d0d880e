//! The kind of an object in its text.

use crate::json::Scanner;

pub(super) const KIND: &str = "kind";

/// Returns the start of the value of `kind` in the object in the bytes; the last one if there are
/// several.
pub(crate) fn kind_in(bytes: &[u8]) -> Option<usize> {
    let mut kind = None;
    let mut scan = Scanner::new(bytes, 0);
    scan.space();
    // A `kind` before a syntax error counts.
    let _ = scan.fields(|scan, name| {
        if scan.is(name, KIND) {
            kind = Some(scan.position());
        }
        scan.skip_value()
    });
    kind
}
