//! The text form of an index, and serde.

use std::{fmt, marker::PhantomData, str::FromStr, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Error as _, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
    ser::Error as _,
};

use super::{
    index::{Index, MOST_KEYS, NO_PATH},
    key::Order,
};
use crate::{error::PathError, path::FieldPath};

/// Writes the paths separated by commas, or the place of the closure.
impl<K> fmt::Display for Index<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.keys.fmt(f)
    }
}

/// Parses paths separated by commas.
impl<K: Serialize + 'static> FromStr for Index<K> {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let paths = FieldPath::parse_list(text)?;
        if paths.is_empty() {
            return Err(PathError::new(text, 0, NO_PATH));
        }
        Self::of_paths(paths.into_iter().map(|(_, path)| path).collect())
    }
}

/// Fields of an index in a configuration.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    paths: Vec<FieldPath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    numeric: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_keys: Option<usize>,
}

/// Serializes an index of paths; as text if nothing else is set. An index by a closure is an error.
impl<K> Serialize for Index<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(paths) = self.key_paths() else {
            return Err(S::Error::custom(format!("index `{}` can't be serialized", self.name())));
        };
        let fields = Fields {
            paths: paths.to_vec(),
            name: self.0.name.clone(),
            numeric: self.order() == Order::Numeric,
            max_keys: Some(self.most()).filter(|most| *most != MOST_KEYS),
        };
        match fields {
            Fields { name: None, numeric: false, max_keys: None, .. } => {
                serializer.collect_str(self)
            }
            fields => fields.serialize(serializer),
        }
    }
}

impl<'de, K: Serialize + 'static> Deserialize<'de> for Index<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Given(PhantomData))
    }
}

struct Given<K>(PhantomData<fn() -> K>);

impl<'de, K: Serialize + 'static> Visitor<'de> for Given<K> {
    type Value = Index<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "field paths with commas between them, a list of paths, or an object with `paths`",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Index<K>, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, paths: A) -> Result<Index<K>, A::Error> {
        let paths = Vec::<FieldPath>::deserialize(SeqAccessDeserializer::new(paths))?;
        Index::paths(paths).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Index<K>, A::Error> {
        let Fields { paths, name, numeric, max_keys } =
            Fields::deserialize(MapAccessDeserializer::new(fields))?;
        let index = Index::paths(paths).map_err(A::Error::custom)?;
        Ok(index.set(|own| {
            own.name = name;
            own.order = if numeric { Order::Numeric } else { Order::Text };
            own.most = max_keys.unwrap_or(MOST_KEYS);
        }))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    #[test]
    fn an_index_of_paths_comes_back_from_its_text_and_from_json() {
        let path = || Index::<Pod>::path("spec.nodeName").unwrap();
        let paths = Index::<Pod>::paths(["metadata.labels['a,b']", "spec.containers[0,1].name"]);
        for index in [path(), paths.unwrap()] {
            assert_eq!(index.to_string().parse(), Ok(index.clone()));
            assert_eq!(to_value(&index).unwrap(), Value::String(index.to_string()));
        }
        for index in [path(), path().named("node"), path().numeric(), path().max_keys(3)] {
            assert_eq!(from_value::<Index<Pod>>(to_value(&index).unwrap()).unwrap(), index);
        }
        let node = path().named("node").max_keys(3);
        let json = json!({ "paths": ["spec.nodeName"], "name": "node", "max_keys": 3 });
        assert_eq!(to_value(&node).unwrap(), json);
        assert_eq!(from_value::<Index<Pod>>(json!(["spec.nodeName"])).unwrap(), path());
    }

    #[test]
    fn a_path_below_a_label_is_rejected() {
        for text in [
            "metadata.labels.app.kubernetes.io/name",
            "$.metadata.annotations.a.b",
            "metadata['labels']['a'][0]",
        ] {
            let error = Index::<Pod>::path(text).unwrap_err();
            assert!(
                error.is_path() && error.to_string().contains("metadata.labels['a.b/c']"),
                "{error}"
            );
            assert!(text.parse::<Index<Pod>>().is_err());
        }
        for text in [
            "metadata.labels['app.kubernetes.io/name']",
            "metadata.labels.app\\.kubernetes\\.io/name",
            "spec.template.metadata.labels.a.b",
            "metadata.ownerReferences[*].name",
        ] {
            Index::<Pod>::path(text).unwrap();
        }
    }

    #[test]
    fn an_invalid_index_is_rejected_with_a_reason() {
        for (json, why) in [
            (json!(""), "at least one path"),
            (json!([]), "at least one path"),
            (json!("a,"), "nothing follows this ','"),
            (json!("a,b..c["), "unclosed '[' (at byte 6)"),
            (json!({ "paths": ["a"], "nam": "x" }), "unknown field `nam`"),
            (json!({ "name": "x" }), "missing field `paths`"),
            (json!(1), "expected field paths with commas"),
        ] {
            let error = from_value::<Index<Pod>>(json).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let closure = Index::with(|pod: &Pod| pod.metadata.name.clone()).named("own");
        assert_eq!(to_value(&closure).unwrap_err().to_string(), "index `own` can't be serialized");
    }
}
