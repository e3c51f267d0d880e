//! An object without a Rust type.

use std::{any::Any, borrow::Cow, fmt, ops::Range};

use kube::{api::ApiResource, runtime::reflector::Lookup};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    error::{Error, Kind},
    path::{FieldFilter, FieldPath, FieldSelector},
};

/// An object as the JSON it came in, without the ignored fields: what
/// [`watch_resource`](crate::watch_resource) delivers.
///
/// Its identity is read once; everything else is read out of the text when it is asked for.
///
/// ```
/// use kube_weir::{Document, FieldPath};
///
/// let document = Document::from_json(
///     r#"{"apiVersion":"v1","kind":"Secret","metadata":{"namespace":"a","name":"b"},"type":"Opaque"}"#,
/// )?;
/// assert_eq!((document.namespace(), document.name()), (Some("a"), "b"));
/// assert_eq!(document.get(&FieldPath::parse("type")?), ["Opaque"]);
///
/// let secret: k8s_openapi::api::core::v1::Secret = document.parse()?;
/// assert_eq!(secret.type_.as_deref(), Some("Opaque"));
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    json: Box<str>,
    name: Span,
    namespace: Option<Span>,
    uid: Option<Span>,
    resource_version: Option<Span>,
}

/// Where a string without escapes stands in the JSON.
type Span = (u32, u32);

impl Document {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the text is not a JSON object with a
    /// `metadata.name`.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Self::decode(&FieldFilter::default(), json, None)
            .map_err(|cause| undecodable("", "", &cause))
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.text(self.name)
    }

    /// The object's namespace; `None` for a cluster-scoped one.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.map(|span| self.text(span))
    }

    /// The object's uid.
    pub fn uid(&self) -> Option<&str> {
        self.uid.map(|span| self.text(span))
    }

    /// The object's resourceVersion.
    pub fn resource_version(&self) -> Option<&str> {
        self.resource_version.map(|span| self.text(span))
    }

    /// The scalars under a path, as an index has them for keys.
    pub fn get(&self, path: &FieldPath) -> Vec<String> {
        path.keys_in_json(&self.json)
    }

    /// The object as compact JSON text, as it came.
    pub fn to_json(&self) -> String {
        self.json.to_string()
    }

    /// The object as a `Value`.
    pub fn to_value(&self) -> Value {
        // It was parsed before it was kept.
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// The object as a Rust type.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the object doesn't have the type's shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.json)
            .map_err(|cause| undecodable(self.namespace().unwrap_or_default(), self.name(), &cause))
    }

    /// Items of a list come without the `apiVersion` and `kind` that all of them share: `types`
    /// puts them back.
    pub(crate) fn decode(
        filter: &FieldFilter,
        json: &str,
        types: Option<&Types>,
    ) -> Result<Self, serde_json::Error> {
        let kept = filter.cut(json)?;
        let own: Types = serde_json::from_str(&kept)?;
        let json = match types {
            Some(types) if own.api_version.is_none() && own.kind.is_none() => {
                let head = serde_json::to_string(types)?;
                let rest = kept.trim_start().trim_start_matches('{').trim_start();
                let comma = if rest.starts_with('}') { "" } else { "," };
                format!("{}{comma}{rest}", &head[..head.len() - 1])
            }
            _ => kept.to_string(),
        };
        Self::index(json.into_boxed_str())
    }

    fn index(json: Box<str>) -> Result<Self, serde_json::Error> {
        let Identity { name, namespace, uid, resource_version } = Identity::of(&json)?;
        let span = |text: &str| {
            let start = text.as_ptr().addr() - json.as_ptr().addr();
            (position(start), position(start + text.len()))
        };
        let (name, namespace) = (span(name), namespace.map(span));
        let (uid, resource_version) = (uid.map(span), resource_version.map(span));
        Ok(Self { json, name, namespace, uid, resource_version })
    }

    fn text(&self, (start, end): Span) -> &str {
        &self.json[Range { start: start as usize, end: end as usize }]
    }
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn undecodable(namespace: &str, name: &str, cause: &serde_json::Error) -> Error {
    match name {
        "" => Error::new(Kind::Undecodable, "not a JSON object with metadata.name"),
        name => Error::undecodable(namespace, name, cause),
    }
}

/// What names an object in its JSON. None of it is ever escaped there.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    metadata: Identity<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) uid: Option<&'a str>,
    pub(crate) resource_version: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// That of the object in the text, if it has a name.
    pub(crate) fn of(json: &'a str) -> Result<Self, serde_json::Error> {
        let Envelope { metadata } = serde_json::from_str(json)?;
        if metadata.name.is_empty() {
            return Err(serde::de::Error::custom("metadata.name is empty"));
        }
        Ok(metadata)
    }
}

/// An object's `apiVersion` and `kind`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Types {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
}

impl Lookup for Document {
    type DynamicType = ApiResource;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.kind)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.group)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.version)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.plural)
    }

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.name()))
    }

    fn namespace(&self) -> Option<Cow<'_, str>> {
        self.namespace().map(Cow::Borrowed)
    }

    fn resource_version(&self) -> Option<Cow<'_, str>> {
        self.resource_version().map(Cow::Borrowed)
    }

    fn uid(&self) -> Option<Cow<'_, str>> {
        self.uid().map(Cow::Borrowed)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// By identity and version; the content may be a Secret's.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("namespace", &self.namespace())
            .field("name", &self.name())
            .field("resource_version", &self.resource_version())
            .finish_non_exhaustive()
    }
}

/// The keys under a path, by the shortest way there is for this kind of object.
pub(crate) fn keys_of<K: Serialize + 'static>(path: &FieldPath, object: &K) -> Vec<String> {
    match as_document(object) {
        Some(document) => path.keys_in_json(&document.json),
        None => path.keys_of(object),
    }
}

/// Whether an object matches, found out likewise.
pub(crate) fn matches<K: Serialize + 'static>(selector: &FieldSelector, object: &K) -> bool {
    match as_document(object) {
        Some(document) => selector.matches_json(&document.json),
        None => selector.matches_of(object),
    }
}

fn as_document<K: 'static>(object: &K) -> Option<&Document> {
    (object as &dyn Any).downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = r#"{"metadata":{"name":"b","namespace":"a","uid":"u","resourceVersion":"7","managedFields":[1]},"n":1.50}"#;

    #[test]
    fn list_items_get_their_types_back() {
        let types = Types { api_version: Some("v1".into()), kind: Some("Pod".into()) };
        let filter = FieldFilter::new(["metadata.managedFields"]).unwrap();
        let pod = Document::decode(&filter, POD, Some(&types)).unwrap();
        assert_eq!(
            pod.to_json(),
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"a","uid":"u","resourceVersion":"7"},"n":1.50}"#
        );
        assert_eq!(
            (pod.namespace(), pod.name(), pod.uid(), pod.resource_version()),
            (Some("a"), "b", Some("u"), Some("7"))
        );
        // One that has them keeps its own.
        assert_eq!(
            Document::decode(&filter, &pod.to_json(), Some(&Types::default())).unwrap(),
            pod
        );
    }

    #[test]
    fn what_is_no_object_is_rejected_without_being_quoted() {
        for text in [
            "",
            "7",
            "{}",
            r#"{"metadata":{"name":""}}"#,
            r#"{"metadata":{"name":7}}"#,
            "{\"metadata\":{\"name\":\"hunter2\"",
        ] {
            let error = Document::from_json(text).unwrap_err();
            assert!(error.is_undecodable(), "{text}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    /// SEMANTICS: W7
    #[test]
    fn its_debug_form_has_no_content() {
        let document =
            Document::from_json(r#"{"metadata":{"name":"db"},"data":{"password":"hunter2"}}"#)
                .unwrap();
        assert!(!format!("{document:?}").contains("hunter2"));
    }
}
