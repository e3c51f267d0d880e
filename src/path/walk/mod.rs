//! Evaluates a plain path on each form of an object.

pub(super) mod json;
pub(super) mod locate;
mod map_key;
pub(super) mod serialize;
pub(super) mod tape;
mod unreadable;
pub(super) mod value;
