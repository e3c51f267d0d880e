//! The stages of a pipeline before the store, for objects that don't come through the streams.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;
use serde::Serialize;

use crate::{
    decode::Decode,
    document,
    error::Error,
    filter::{FieldSelector, LabelSelector},
    namespaced_name::identity,
    tape::Types,
};

/// The selecting and filtering stages of a pipeline before its store, in order. The streams do the same
/// to the objects that flow through them; this type is for hypothetical objects.
pub(crate) struct Stages<K>(Vec<Stage<K>>);

enum Stage<K> {
    Namespaces(Vec<NamespaceSelection>),
    Labels(LabelSelector),
    Matching(Condition<K>),
    Drop(Arc<dyn Decode<K>>),
}

/// A condition on objects: on their fields, or as a closure.
pub(crate) enum Condition<K> {
    Fields(FieldSelector),
    Named(Named<K>),
}

/// A closure that selects objects, with its name.
pub(crate) struct Named<K> {
    name: Arc<str>,
    holds: Arc<dyn Fn(&K) -> bool + Send + Sync>,
}

/// A watched namespace, with the selectors that it has in addition to those of the watch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamespaceSelection {
    pub(crate) name: Arc<str>,
    pub(crate) labels: Option<LabelSelector>,
    pub(crate) fields: Option<FieldSelector>,
}

impl<K> Stages<K> {
    #[must_use]
    pub(crate) fn namespaces(self, selections: Vec<NamespaceSelection>) -> Self {
        self.then(Stage::Namespaces(selections))
    }

    #[must_use]
    pub(crate) fn labels(self, selector: LabelSelector) -> Self {
        self.then(Stage::Labels(selector))
    }

    #[must_use]
    pub(crate) fn matching(self, condition: Condition<K>) -> Self {
        self.then(Stage::Matching(condition))
    }

    #[must_use]
    pub(crate) fn decoded_by(self, decoder: Arc<dyn Decode<K>>) -> Self {
        if decoder.filter().is_empty() { self } else { self.then(Stage::Drop(decoder)) }
    }

    fn then(mut self, stage: Stage<K>) -> Self {
        self.0.push(stage);
        self
    }

    /// Returns the conditions by which objects are selected: selectors as written, closures by their
    /// names.
    pub(crate) fn selectors(&self) -> Vec<String> {
        let text = |stage: &Stage<K>| match stage {
            Stage::Labels(selector) => Some(selector.to_string()),
            Stage::Matching(condition) => Some(condition.to_string()),
            Stage::Namespaces(_) | Stage::Drop(_) => None,
        };
        self.0.iter().filter_map(text).collect()
    }
}

impl<K: Lookup + Serialize + 'static> Stages<K> {
    /// Returns the object as the store would have it, or `None` if it isn't selected.
    pub(crate) fn apply(&self, mut object: Arc<K>) -> Result<Option<Arc<K>>, Error> {
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
                Stage::Matching(condition) => condition.holds(&object),
                Stage::Drop(decoder) => {
                    object = Arc::new(drop_fields(&**decoder, &*object)?);
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

/// Returns the object without the fields. An object of a Rust type has to be serialized and decoded for
/// this.
pub(crate) fn drop_fields<K: Lookup + Serialize>(
    decoder: &(impl Decode<K> + ?Sized),
    object: &K,
) -> Result<K, Error> {
    let json = serde_json::to_string(object);
    let dropped = json.and_then(|json| decoder.whole(&json, &Types::default()));
    dropped.map(|decoded| decoded.object).map_err(|cause| undecodable(object, &cause))
}

fn undecodable<K: Lookup>(object: &K, cause: &serde_json::Error) -> Error {
    let (namespace, name) = identity(object);
    Error::undecodable(&namespace, &name, cause)
}

impl<K> Named<K> {
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        holds: impl Fn(&K) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), holds: Arc::new(holds) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn holds(&self, object: &K) -> bool {
        (self.holds)(object)
    }
}

impl<K: Serialize + 'static> Condition<K> {
    pub(crate) fn holds(&self, object: &K) -> bool {
        match self {
            Self::Fields(selector) => document::matches(selector, object),
            Self::Named(named) => named.holds(object),
        }
    }
}

impl<K> fmt::Display for Condition<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(selector) => selector.fmt(f),
            Self::Named(named) => f.write_str(&named.name),
        }
    }
}

impl<K> fmt::Debug for Condition<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.to_string()).finish()
    }
}

impl<K> Clone for Condition<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Fields(selector) => Self::Fields(selector.clone()),
            Self::Named(named) => Self::Named(named.clone()),
        }
    }
}

impl<K> Clone for Named<K> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), holds: Arc::clone(&self.holds) }
    }
}

impl<K> Default for Stages<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Clone for Stages<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Clone for Stage<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Namespaces(names) => Self::Namespaces(names.clone()),
            Self::Labels(selector) => Self::Labels(selector.clone()),
            Self::Matching(condition) => Self::Matching(condition.clone()),
            Self::Drop(decoder) => Self::Drop(Arc::clone(decoder)),
        }
    }
}

impl<K> fmt::Debug for Stages<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stages").field("stages", &self.0.len()).finish_non_exhaustive()
    }
}
