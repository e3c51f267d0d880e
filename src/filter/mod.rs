//! Filters that remove fields from objects, and selectors.

pub(crate) mod cut;
mod field_filter;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod labels;
mod selector;
mod tree;

pub(crate) use self::tree::Place;
pub use self::{field_filter::FieldFilter, labels::LabelSelector, selector::FieldSelector};

#[cfg(test)]
mod tests {
    mod agreement;
    mod choice;
    mod text;
    mod typed;
    mod vectors;
}
