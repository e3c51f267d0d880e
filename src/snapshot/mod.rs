//! The immutable state of a store at one moment.

mod chunk;
mod contents;
mod difference;
mod entries;
mod heap;
mod identity;
mod iter;
mod lookup;
mod overlay;
mod snapshot;
#[cfg(test)]
mod tests;
mod tree;
mod trie;

pub(crate) use self::{
    contents::Contents,
    identity::{against, order},
    snapshot::named,
    tree::Tree,
};
pub use self::{
    lookup::{Hits, IndexView, Iter},
    overlay::Overlay,
    snapshot::Snapshot,
};
