//! Field paths: one syntax for index keys, field filters and field selectors.

mod field_path;
mod keys;
mod list;
mod node;
mod parse;
mod pattern;
mod predicate;
mod query;
pub(crate) mod scalar;
mod segment;
mod steps;
#[cfg(test)]
mod tests;
mod walk;

pub use self::field_path::FieldPath;
#[cfg(test)]
pub(crate) use self::node::STEPS_TAKEN;
pub(crate) use self::{
    keys::TooManyKeys,
    list::{TRAILING_COMMA, end_of_part},
    segment::{Segment, Step, place_in},
};
