//! `Document`: an object without a Rust type.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    fmt,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{api::ApiResource, runtime::reflector::Lookup};
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    error::Error,
    filter::FieldSelector,
    path::{FieldPath, TooManyKeys},
    tape::Tape,
};

/// An object without the filtered fields, in a compact form; the items of
/// [`watch_resource`](crate::watch_resource).
///
/// The identity is read once; everything else is read from the compact form on demand. Numbers and
/// escapes stay as received. Names of fields that occur repeatedly are stored once for the process, at
/// most 2,032 of them, each of at most 64 bytes.
///
/// # Reading
///
/// [`parse`](Document::parse), [`to_value`](Document::to_value) and [`to_json`](Document::to_json)
/// return the whole object. A [`FieldPath`] reads a part of it. A
/// [`DocumentView`](crate::DocumentView) is a part that is not decoded yet: code can walk it, pass it to
/// a template or serialize it.
///
/// | at the path | [`get`](Document::get) | [`get_str`](Document::get_str) | [`get_i64`](Document::get_i64) | [`get_f64`](Document::get_f64) | [`get_bool`](Document::get_bool) | [`select`](Document::select) | [`views`](Document::views) |
/// |---|---|---|---|---|---|---|---|
/// | nothing | `[]` | `None` | `None` | `None` | `None` | nothing | nothing |
/// | `null` | `[]` | `None` | `None` | `None` | `None` | `Null` | the view |
/// | `"80"` | `["80"]` | `"80"` | `None` | `None` | `None` | `"80"` | the view |
/// | `80` | `["80"]` | `None` | `80` | `80.0` | `None` | `80` | the view |
/// | `1.5`, or an integer beyond `i64` | the number | `None` | `None` | the number | `None` | the number | the view |
/// | `true` | `["true"]` | `None` | `None` | `None` | `true` | `true` | the view |
/// | an object or array | `[]` | `None` | `None` | `None` | `None` | the `Value` | the view |
/// | several values | all scalars, each once | by the first | by the first | by the first | by the first | all | all |
///
/// ```
/// use kube_weir::{Document, FieldPath};
///
/// let document = Document::from_json(
///     r#"{ "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
///         "metadata": { "namespace": "a", "name": "b", "uid": "1f", "resourceVersion": "7" } }"#,
/// )?;
/// assert_eq!((document.namespace(), document.name()), (Some("a"), "b"));
/// assert_eq!((document.uid(), document.resource_version()), (Some("1f"), Some("7")));
/// assert_eq!(document.get(&FieldPath::parse("type")?), ["Opaque"]);
///
/// let secret: k8s_openapi::api::core::v1::Secret = document.parse()?;
/// assert_eq!(secret.type_.as_deref(), Some("Opaque"));
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone)]
pub struct Document {
    /// The tape, followed by those strings of the identity that have escapes in the JSON (here
    /// unescaped).
    text: Box<str>,
    name: Span,
    namespace: Span,
    uid: Span,
    resource_version: Span,
}

/// The start and end of a string in the text; there is no string if the end is 0.
type Span = (u32, u32);

impl Document {
    /// Returns the object's name: [example](Document).
    #[inline]
    pub fn name(&self) -> &str {
        self.span(self.name).unwrap_or_default()
    }

    /// Returns the object's namespace; `None` for a cluster-scoped object: [example](Document).
    #[inline]
    pub fn namespace(&self) -> Option<&str> {
        self.span(self.namespace)
    }

    /// Returns the object's uid, which differs from that of an earlier object of the same name:
    /// [example](Document).
    #[inline]
    pub fn uid(&self) -> Option<&str> {
        self.span(self.uid)
    }

    /// Returns the object's resourceVersion: [example](Document).
    #[inline]
    pub fn resource_version(&self) -> Option<&str> {
        self.span(self.resource_version)
    }

    /// Decodes the object's metadata.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the field `metadata` doesn't have the shape of
    /// metadata.
    ///
    /// # Examples
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(
    ///     r#"{"metadata":{"name":"b","labels":{"app":"web"}},"spec":{}}"#,
    /// )?;
    /// assert_eq!(document.metadata()?.labels.unwrap()["app"], "web");
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn metadata(&self) -> Result<ObjectMeta, Error> {
        let mut tape = self.tape();
        tape.seek("metadata");
        tape.decode().map_err(|cause| self.undecodable(&cause))
    }

    /// Returns the scalars at a path, as an index has them for keys: see [`FieldPath::keys`].
    ///
    /// Each call walks the object. For frequent lookups, an [index](crate::Index) is better.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let service = Document::from_json(
    ///     r#"{"metadata":{"name":"web"},"spec":{"ports":[{"port":80},{"port":8080}]}}"#,
    /// )?;
    /// assert_eq!(service.get(&FieldPath::parse("spec.ports[*].port")?), ["80", "8080"]);
    /// assert!(service.get(&FieldPath::parse("spec.clusterIP")?).is_empty());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get(&self, path: &FieldPath) -> Vec<String> {
        path.keys_on_tape(self.tape())
    }

    /// Returns the object as compact JSON text, as received, without the filtered fields.
    ///
    /// ```
    /// use kube_weir::Document;
    ///
    /// let document = Document::from_json(r#"{ "metadata": { "name": "a" }, "n": 1.50 }"#)?;
    /// assert_eq!(document.to_json(), r#"{"metadata":{"name":"a"},"n":1.50}"#);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        self.tape().to_json()
    }

    /// Decodes the object to a `Value`.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(
    ///     r#"{ "metadata": { "name": "web" }, "spec": { "replicas": 3 } }"#,
    /// )?;
    /// assert_eq!(document.to_value()["spec"]["replicas"], 3);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn to_value(&self) -> Value {
        // The tape was checked when it was written.
        self.tape().decode().unwrap_or_default()
    }

    /// Decodes the object to a Rust type. The type may describe only a part of the object: fields that
    /// the type lacks are skipped.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the object doesn't have the type's shape, for
    /// instance because a required field was filtered out.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::Document;
    ///
    /// let document = Document::from_json(r#"{
    ///     "apiVersion": "v1", "kind": "Pod",
    ///     "metadata": { "namespace": "a", "name": "b" }, "spec": 7
    /// }"#)?;
    /// let error = document.parse::<Pod>().unwrap_err();
    /// assert!(error.is_undecodable());
    /// assert_eq!(error.object(), Some(("a", "b")));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.tape().decode().map_err(|cause| self.undecodable(&cause))
    }

    pub(super) fn new(text: Box<str>, [name, namespace, uid, resource_version]: [Span; 4]) -> Self {
        Self { text, name, namespace, uid, resource_version }
    }

    #[inline]
    pub(super) fn tape(&self) -> Tape<'_> {
        Tape::new(&self.text)
    }

    #[inline]
    fn span(&self, (start, end): Span) -> Option<&str> {
        (end > 0).then(|| &self.text[start as usize..end as usize])
    }

    pub(super) fn undecodable(&self, cause: &serde_json::Error) -> Error {
        Error::undecodable(self.namespace().unwrap_or_default(), self.name(), cause)
    }
}

/// Compares the compact JSON, so two documents differ if they are written differently. The tapes of the
/// same JSON may differ.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || self.to_json() == other.to_json()
    }
}

impl Eq for Document {}

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

    #[inline]
    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.name()))
    }

    #[inline]
    fn namespace(&self) -> Option<Cow<'_, str>> {
        self.namespace().map(Cow::Borrowed)
    }

    #[inline]
    fn resource_version(&self) -> Option<Cow<'_, str>> {
        self.resource_version().map(Cow::Borrowed)
    }

    #[inline]
    fn uid(&self) -> Option<Cow<'_, str>> {
        self.uid().map(Cow::Borrowed)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tape().serialize(serializer)
    }
}

/// Reads an object from any format. From JSON, [`from_json`](Document::from_json) is faster.
/// Shows only identity and version: the content may be a Secret's.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("namespace", &self.namespace())
            .field("name", &self.name())
            .field("resource_version", &self.resource_version())
            .finish_non_exhaustive()
    }
}

/// Returns the keys at a path, in the fastest way for this type of object.
pub(crate) fn keys_of<K: Serialize + 'static>(
    path: &FieldPath,
    object: &K,
    most: usize,
) -> Result<Vec<String>, TooManyKeys> {
    match as_document(object) {
        Some(document) => path.some_keys_on_tape(document.tape(), most),
        None => path.some_keys_of(object, most),
    }
}

/// Returns whether an object matches, in the fastest way for this type of object.
pub(crate) fn matches<K: Serialize + 'static>(selector: &FieldSelector, object: &K) -> bool {
    match as_document(object) {
        Some(document) => selector.matches_on_tape(document.tape()),
        None => selector.matches_of(object),
    }
}

/// Returns whether two objects have the same content.
pub(crate) fn is_equal<K: Serialize>(one: &K, other: &K) -> bool {
    let content = |object| serde_json::to_value(object).ok();
    content(one).is_some_and(|own| Some(own) == content(other))
}

/// Returns a function for the memory that an object takes in bytes, if `K` is [`Document`].
pub(crate) fn bytes_of<K: 'static>() -> Option<fn(&K) -> usize> {
    let is_document = TypeId::of::<K>() == TypeId::of::<Document>();
    is_document.then_some(|object| as_document(object).map_or(0, |document| document.text.len()))
}

fn as_document<K: 'static>(object: &K) -> Option<&Document> {
    (object as &dyn Any).downcast_ref()
}
