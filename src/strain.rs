//! What a pipeline does to an object before it stores it, for objects that come another way.

use std::sync::Arc;

use kube::runtime::reflector::Lookup;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    document::{self, Types},
    error::Error,
    filter::{Decoded, FieldFilter, FieldSelector, LabelSelector},
    namespaced_name::identity,
};

/// The stages before the store, in their order. The streams do the same to what flows through
/// them; this is for hypothetical objects.
pub(crate) struct Strainer<K>(Vec<Stage<K>>);

enum Stage<K> {
    Namespaces(Vec<NamespaceSelection>),
    Labels(LabelSelector),
    Matching(FieldSelector),
    Drop(FieldFilter, Decode<K>),
}

/// A namespace that is watched, with the selectors that it has beside those of the watch.
#[derive(Clone, Debug)]
pub(crate) struct NamespaceSelection {
    pub(crate) name: Arc<str>,
    pub(crate) labels: Option<LabelSelector>,
    pub(crate) fields: Option<FieldSelector>,
}

/// Makes an object out of its JSON, without the fields to drop.
pub(crate) type Decode<K> =
    fn(&FieldFilter, &str, Option<&Types>) -> Result<Decoded<K>, serde_json::Error>;

impl NamespaceSelection {
    /// Returns whether both select the same objects, as far as their text says.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let text = |own: &Self| {
            let fields = own.fields.as_ref().map(ToString::to_string);
            (Arc::clone(&own.name), own.labels.as_ref().map(ToString::to_string), fields)
        };
        text(self) == text(other)
    }
}

impl<K> Strainer<K> {
    #[must_use]
    pub(crate) fn namespaces(self, selections: Vec<NamespaceSelection>) -> Self {
        self.then(Stage::Namespaces(selections))
    }

    #[must_use]
    pub(crate) fn labels(self, selector: LabelSelector) -> Self {
        self.then(Stage::Labels(selector))
    }

    #[must_use]
    pub(crate) fn matching(self, selector: FieldSelector) -> Self {
        self.then(Stage::Matching(selector))
    }

    #[must_use]
    pub(crate) fn without(self, filter: FieldFilter, decode: Decode<K>) -> Self {
        if filter.is_empty() { self } else { self.then(Stage::Drop(filter, decode)) }
    }

    fn then(mut self, stage: Stage<K>) -> Self {
        self.0.push(stage);
        self
    }
}

impl<K: Lookup + Serialize + 'static> Strainer<K> {
    /// The object as the store would have it, unless it isn't selected.
    pub(crate) fn strain(&self, mut object: Arc<K>) -> Result<Option<Arc<K>>, Error> {
        for stage in &self.0 {
            let selected = match stage {
                Stage::Namespaces(selections) => {
                    let own = object.namespace().unwrap_or_default();
                    match selections.iter().find(|selection| *selection.name == *own) {
                        Some(selection) => is_of(selection, &*object)?,
                        None => false,
                    }
                }
                Stage::Labels(selector) => has_labels(selector, &*object)?,
                Stage::Matching(selector) => document::matches(selector, &*object),
                Stage::Drop(filter, decode) => {
                    object = Arc::new(drop_fields(filter, *decode, &*object)?);
                    true
                }
            };
            if !selected {
                return Ok(None);
            }
        }
        Ok(Some(object))
    }
}

fn is_of<K>(selection: &NamespaceSelection, object: &K) -> Result<bool, Error>
where
    K: Lookup + Serialize + 'static,
{
    let NamespaceSelection { labels, fields, .. } = selection;
    let by_labels = labels.as_ref().map_or(Ok(true), |own| has_labels(own, object))?;
    Ok(by_labels && fields.as_ref().is_none_or(|own| document::matches(own, object)))
}

fn has_labels<K: Lookup + Serialize>(selector: &LabelSelector, object: &K) -> Result<bool, Error> {
    let value = serde_json::to_value(object).map_err(|cause| undecodable(object, &cause))?;
    Ok(selector.matches(&value))
}

/// The object without the fields. One that is already built can only be written out and read in
/// again.
pub(crate) fn drop_fields<K: Lookup + Serialize>(
    filter: &FieldFilter,
    decode: Decode<K>,
    object: &K,
) -> Result<K, Error> {
    let dropped = serde_json::to_string(object).and_then(|json| decode(filter, &json, None));
    dropped.map(|decoded| decoded.object).map_err(|cause| undecodable(object, &cause))
}

/// For objects that have a type.
pub(crate) fn decode<K: DeserializeOwned>(
    filter: &FieldFilter,
    json: &str,
    _: Option<&Types>,
) -> Result<Decoded<K>, serde_json::Error> {
    filter.decode(json)
}

fn undecodable<K: Lookup>(object: &K, cause: &serde_json::Error) -> Error {
    let (namespace, name) = identity(object);
    Error::undecodable(&namespace, &name, cause)
}

impl<K> Default for Strainer<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Clone for Strainer<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Clone for Stage<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Namespaces(names) => Self::Namespaces(names.clone()),
            Self::Labels(selector) => Self::Labels(selector.clone()),
            Self::Matching(selector) => Self::Matching(selector.clone()),
            Self::Drop(filter, decode) => Self::Drop(filter.clone(), *decode),
        }
    }
}

impl<K> std::fmt::Debug for Strainer<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Strainer").field("stages", &self.0.len()).finish_non_exhaustive()
    }
}
