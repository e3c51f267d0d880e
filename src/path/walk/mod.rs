//! Following a plain path to its keys, through each form that an object may have.

pub(super) mod json;
pub(super) mod locate;
mod map_key;
pub(super) mod serialize;
pub(super) mod tape;
pub(super) mod value;
