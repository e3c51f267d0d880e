//! An object without a Rust type.

#[cfg(test)]
mod agreement;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod identity;
#[cfg(test)]
mod tests;
mod transcode;

use std::{any::Any, borrow::Cow, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{api::ApiResource, runtime::reflector::Lookup};
use serde::{
    Serialize, Serializer,
    de::{DeserializeOwned, Error as _, IgnoredAny},
};
use serde_json::Value;

pub(crate) use identity::{Identity, Types};
use transcode::Transcoded;

use crate::{
    error::{Error, Kind},
    json::Fault,
    path::{FieldFilter, FieldPath, FieldSelector, Found, Kept},
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
    /// JSON without white space and without names that repeat in an object; behind it, strings of
    /// the identity that have escapes in the JSON.
    text: Box<str>,
    /// How much of the text is JSON.
    json: u32,
    name: Span,
    namespace: Span,
    uid: Span,
    resource_version: Span,
}

/// Where a string stands in the text; nowhere if that is empty and at the start.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

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
        self.span(self.name).unwrap_or_default()
    }

    /// The object's namespace; `None` for a cluster-scoped one.
    pub fn namespace(&self) -> Option<&str> {
        self.span(self.namespace)
    }

    /// The object's uid.
    pub fn uid(&self) -> Option<&str> {
        self.span(self.uid)
    }

    /// The object's resourceVersion.
    pub fn resource_version(&self) -> Option<&str> {
        self.span(self.resource_version)
    }

    /// The object's metadata, decoded when asked for.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if it doesn't have the shape of metadata.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(
    ///     r#"{"metadata":{"name":"b","labels":{"app":"web"}},"spec":{}}"#,
    /// )?;
    /// assert_eq!(document.metadata()?.labels.unwrap()["app"], "web");
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn metadata(&self) -> Result<ObjectMeta, Error> {
        // There is a name in it.
        let text = identity::metadata(self.json()).ok().flatten();
        let text = text.and_then(|mut cursor| cursor.value().ok()).unwrap_or("{}");
        FieldFilter::default().deserialize(text).map_err(|cause| self.undecodable(&cause))
    }

    /// The scalars under a path, as an index has them for keys.
    pub fn get(&self, path: &FieldPath) -> Vec<String> {
        path.keys_in_kept(self.json())
    }

    /// The object as compact JSON text, as it came.
    pub fn to_json(&self) -> String {
        self.json().to_owned()
    }

    /// The object as a `Value`.
    pub fn to_value(&self) -> Value {
        // It was checked before it was kept.
        serde_json::from_str(self.json()).unwrap_or_default()
    }

    /// The object as a Rust type.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the object doesn't have the type's shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let object = FieldFilter::default().deserialize(self.json());
        object.map_err(|cause| self.undecodable(&cause))
    }

    /// Reads an object, but for what is filtered.
    ///
    /// Items of a list come without the `apiVersion` and `kind` that all of them share: `types`
    /// puts them back.
    pub(crate) fn decode(
        filter: &FieldFilter,
        json: &str,
        types: Option<&Types>,
    ) -> Result<Self, serde_json::Error> {
        match Self::decode_first(filter, json.as_bytes(), types) {
            Ok((document, end)) if json[end..].trim_ascii().is_empty() => Ok(document),
            _ => Err(match serde_json::from_str::<IgnoredAny>(json) {
                Err(error) => error,
                Ok(_) => serde_json::Error::custom("not an object with metadata.name"),
            }),
        }
    }

    /// Reads the object at the start of the bytes and gives where it ends, in one pass.
    pub(crate) fn decode_first(
        filter: &FieldFilter,
        bytes: &[u8],
        types: Option<&Types>,
    ) -> Result<(Self, usize), Fault> {
        let kept = filter.keep(bytes)?;
        let end = kept.end;
        let ahead = types.filter(|_| !kept.typed).map(Types::as_bytes).unwrap_or_default();
        let document = Self::new(bytes, kept, ahead).ok_or(Fault::Malformed)?;
        Ok((document, end))
    }

    /// What is kept of the bytes; with the beginning `ahead`, if any, in the place of its brace.
    fn new(bytes: &[u8], kept: Kept, ahead: &[u8]) -> Option<Self> {
        let Kept { runs, len, identity, doubtful, .. } = kept;
        let escaped = identity.iter().flatten().filter_map(|found| found.unescaped.as_deref());
        let moved = ahead.len().saturating_sub(1);
        let mut text = Vec::with_capacity(moved + len + escaped.map(str::len).sum::<usize>());
        let mut runs = runs.into_iter().map(|run| &bytes[run]);
        if !ahead.is_empty() {
            text.extend_from_slice(ahead);
            text.extend_from_slice(runs.next()?.get(1..)?);
        }
        runs.for_each(|run| text.extend_from_slice(run));
        let json = u32::try_from(text.len()).ok()?;
        let spans = identity.map(|found| {
            let Some(Found { at, unescaped }) = found else { return Some(Span::default()) };
            let at = match unescaped {
                None => at.start + moved..at.end + moved,
                Some(own) => {
                    text.extend_from_slice(own.as_bytes());
                    text.len() - own.len()..text.len()
                }
            };
            Some(Span { start: at.start.try_into().ok()?, end: at.end.try_into().ok()? })
        });
        let [name, namespace, uid, resource_version] = spans;
        let (name, namespace) = (name.filter(|name| name.start < name.end)?, namespace?);
        let (uid, resource_version) = (uid?, resource_version?);
        let text = String::from_utf8(text).ok()?.into_boxed_str();
        let document = Self { text, json, name, namespace, uid, resource_version };
        if doubtful && serde_json::from_str::<Value>(document.json()).is_err() {
            return None;
        }
        Some(document)
    }

    fn json(&self) -> &str {
        &self.text[..self.json as usize]
    }

    fn span(&self, Span { start, end }: Span) -> Option<&str> {
        // Nothing of interest stands at the start of the JSON.
        (start > 0).then(|| &self.text[start as usize..end as usize])
    }

    fn undecodable(&self, cause: &serde_json::Error) -> Error {
        undecodable(self.namespace().unwrap_or_default(), self.name(), cause)
    }
}

fn undecodable(namespace: &str, name: &str, cause: &serde_json::Error) -> Error {
    match name {
        "" => Error::new(Kind::Undecodable, "not a JSON object with metadata.name"),
        name => Error::undecodable(namespace, name, cause),
    }
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
        Transcoded::new(self.json()).serialize(serializer)
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
        Some(document) => path.keys_in_kept(document.json()),
        None => path.keys_of(object),
    }
}

/// Whether an object matches, found out likewise.
pub(crate) fn matches<K: Serialize + 'static>(selector: &FieldSelector, object: &K) -> bool {
    match as_document(object) {
        Some(document) => selector.matches_kept(document.json()),
        None => selector.matches_of(object),
    }
}

fn as_document<K: 'static>(object: &K) -> Option<&Document> {
    (object as &dyn Any).downcast_ref()
}
