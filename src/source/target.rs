//! A collection with the selectors that requests send for it.

use std::fmt::Display;

use crate::{
    event::Collection,
    filter::{FieldSelector, LabelSelector},
    stages::NamespaceSelection,
};

/// A collection with its own selectors.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) collection: Collection,
    pub(super) selection: Option<NamespaceSelection>,
}

impl Target {
    /// Returns the whole cluster.
    pub(super) fn cluster() -> Self {
        Self { collection: Collection::cluster(), selection: None }
    }

    pub(super) fn of(selection: &NamespaceSelection) -> Self {
        let collection = Collection::of_namespace(selection.name.clone());
        Self { collection, selection: Some(selection.clone()) }
    }

    /// Returns the collection of all objects of a namespace; `""` is the namespace of cluster-scoped
    /// objects.
    pub(super) fn of_objects_in(namespace: &str) -> Self {
        if namespace.is_empty() {
            return Self::cluster();
        }
        Self::of(&NamespaceSelection { name: namespace.into(), labels: None, fields: None })
    }

    /// Returns whether both are requested in the same way.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.selection == other.selection
    }

    /// Returns the label selector to request: the watch's and the target's own selector combined.
    pub(super) fn labels(&self, of_watch: Option<&LabelSelector>) -> Option<String> {
        both(of_watch, self.selection.as_ref().and_then(|own| own.labels.as_ref()))
    }

    /// Returns the field selector to request: the watch's and the target's own selector combined.
    pub(super) fn fields(&self, of_watch: Option<&FieldSelector>) -> Option<String> {
        both(of_watch, self.selection.as_ref().and_then(|own| own.fields.as_ref()))
    }
}

fn both<T: Display>(one: Option<&T>, other: Option<&T>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one},{other}")),
        (one, other) => one.or(other).map(ToString::to_string),
    }
}
