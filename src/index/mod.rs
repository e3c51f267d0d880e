//! Indexes and their keys.

mod index;
mod key;
mod number;
mod parts;
mod set;
mod text;

pub(crate) use self::{index::Inspect, key::Prefix};
pub use self::{
    index::{Index, IndexReport},
    key::Key,
    parts::{IndexKey, WholeKey},
    set::{IndexSet, Indexes},
};
pub(crate) use crate::path::TooManyKeys;
