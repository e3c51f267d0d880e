//! Decoding: from received bytes to objects, without the fields of a filter.

mod decode;
mod items;
mod kind;
#[cfg(test)]
mod tests;
mod text;
mod typed;
mod value;

pub(crate) use self::{
    decode::{Decode, Decoded},
    kind::kind_in,
    typed::Typed,
};
