//! The reason why an object can't be read while it is serialized.

use std::fmt;

use serde::ser;

#[derive(Debug)]
pub(super) enum Unreadable {
    /// The object can't be read step by step, or can't be serialized at all.
    Unknown,
    TooManyKeys,
}

impl ser::StdError for Unreadable {}

impl ser::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unknown
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not readable step by step")
    }
}
