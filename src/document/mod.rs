//! Objects without a Rust type.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod object_meta;
#[cfg(test)]
mod tests;
mod view;

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    fmt,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{api::ApiResource, runtime::reflector::Lookup};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _, IgnoredAny},
};
use serde_json::Value;

pub(crate) use object_meta::{ObjectMetaRef, Types};
pub use view::DocumentView;

use crate::{
    error::{Error, ErrorKind},
    filter::{Decoded, FieldFilter, FieldSelector, ObjectTape},
    json::Fault,
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
/// return the whole object. A [`FieldPath`] reads a part of it. A [`DocumentView`] is a part that is not
/// decoded yet: code can walk it, pass it to a template or serialize it.
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
    /// Parses an object.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the text is not a JSON object with a
    /// `metadata.name`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::Document;
    ///
    /// let document = Document::from_json(r#"{ "metadata": { "name": "node-1" }, "spec": {} }"#)?;
    /// assert_eq!(document.name(), "node-1");
    ///
    /// let nameless = Document::from_json(r#"{ "metadata": {}, "spec": {} }"#);
    /// assert!(nameless.unwrap_err().is_undecodable());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Self::decode(&FieldFilter::default(), json, None)
            .map(|decoded| decoded.object)
            .map_err(|cause| undecodable("", "", &cause))
    }

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

    /// Returns the string at a path: the first value that the path selects, if it is a string.
    ///
    /// The [table](Document#reading) has the results for other types. Nothing else of the object is
    /// decoded, unless the path has filters.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let service = Document::from_json(
    ///     r#"{"metadata":{"name":"web"},"spec":{"type":"ClusterIP","ports":[{"port":80}]}}"#,
    /// )?;
    /// assert_eq!(service.get_str(&FieldPath::parse("spec.type")?).as_deref(), Some("ClusterIP"));
    /// assert_eq!(service.get_str(&FieldPath::parse("spec.ports[0].port")?), None);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_str(&self, path: &FieldPath) -> Option<Cow<'_, str>> {
        self.first(path)?.as_str()
    }

    /// Returns the integer at a path: the first value that the path selects, if it is an integer. A
    /// number that was written with a decimal point or an exponent is not an integer. The
    /// [table](Document#reading) has the other types.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let document = Document::from_json(r#"{"metadata":{"name":"a"},"n":-3,"f":3.0}"#)?;
    /// assert_eq!(document.get_i64(&FieldPath::parse("n")?), Some(-3));
    /// assert_eq!(document.get_i64(&FieldPath::parse("f")?), None);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_i64(&self, path: &FieldPath) -> Option<i64> {
        self.first(path)?.as_i64()
    }

    /// Returns the number at a path, rounded to an `f64`: the first value that the path selects, if it
    /// is a number. The [table](Document#reading) has the other types.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let document = Document::from_json(r#"{"metadata":{"name":"a"},"n":3,"f":1.5}"#)?;
    /// assert_eq!(document.get_f64(&FieldPath::parse("n")?), Some(3.0));
    /// assert_eq!(document.get_f64(&FieldPath::parse("f")?), Some(1.5));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_f64(&self, path: &FieldPath) -> Option<f64> {
        self.first(path)?.as_f64()
    }

    /// Returns the boolean at a path: the first value that the path selects, if it is a boolean. The
    /// [table](Document#reading) has the other types.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let document = Document::from_json(r#"{"metadata":{"name":"a"},"spec":{"paused":true}}"#)?;
    /// assert_eq!(document.get_bool(&FieldPath::parse("spec.paused")?), Some(true));
    /// assert_eq!(document.get_bool(&FieldPath::parse("spec.suspend")?), None);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn get_bool(&self, path: &FieldPath) -> Option<bool> {
        self.first(path)?.as_bool()
    }

    /// Returns the values that a path selects, of any type, in the order of the path. If its filters may
    /// take [too many steps](FieldPath), a path selects nothing.
    ///
    /// Each value is decoded when the iterator reaches it.
    ///
    /// ```
    /// use kube_weir::{Document, FieldPath};
    /// use serde_json::{Value, json};
    ///
    /// let service = Document::from_json(
    ///     r#"{"metadata":{"name":"web"},"spec":{"ports":[{"port":80},{"port":443,"name":"tls"}]}}"#,
    /// )?;
    /// let ports: Vec<Value> = service.select(&FieldPath::parse("spec.ports[?@.name]")?).collect();
    /// assert_eq!(ports, [json!({ "port": 443, "name": "tls" })]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn select(&self, path: &FieldPath) -> impl Iterator<Item = Value> + use<'_> {
        self.views(path).map(DocumentView::to_value)
    }

    /// Returns the parts of the object that a path selects, in the order of the path, not decoded.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ServicePort;
    /// use kube_weir::{Document, FieldPath};
    ///
    /// let service = Document::from_json(
    ///     r#"{"metadata":{"name":"web"},"spec":{"ports":[{"port":80},{"port":443}]}}"#,
    /// )?;
    /// let ports: Vec<ServicePort> = service
    ///     .views(&FieldPath::parse("spec.ports[*]")?)
    ///     .map(|port| port.parse())
    ///     .collect::<Result<_, _>>()?;
    /// assert_eq!(ports[1].port, 443);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn views(&self, path: &FieldPath) -> impl Iterator<Item = DocumentView<'_>> + use<'_> {
        let places = path.places_on_tape(self.tape()).into_iter();
        places.map(|place| DocumentView::new(self, place))
    }

    /// Returns a view of the whole object. The view decodes only what is read from it.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(
    ///     r#"{ "metadata": { "name": "web" }, "spec": { "replicas": 3 } }"#,
    /// )?;
    /// let replicas = document.view().get("spec").and_then(|spec| spec.get("replicas"));
    /// assert_eq!(replicas.unwrap().as_i64(), Some(3));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn view(&self) -> DocumentView<'_> {
        DocumentView::new(self, self.tape())
    }

    fn first(&self, path: &FieldPath) -> Option<DocumentView<'_>> {
        path.first_on_tape(self.tape()).map(|place| DocumentView::new(self, place))
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

    /// Parses an object without the filtered fields.
    ///
    /// Items of a list lack the `apiVersion` and `kind` that all of them share: `types` adds these.
    pub(crate) fn decode(
        filter: &FieldFilter,
        json: &str,
        types: Option<&Types>,
    ) -> Result<Decoded<Self>, serde_json::Error> {
        match Self::decode_first(filter, json.as_bytes(), types) {
            Ok(decoded) if json[decoded.end..].trim_ascii().is_empty() => Ok(decoded),
            _ => Err(match serde_json::from_str::<IgnoredAny>(json) {
                Err(error) => error,
                Ok(_) => serde_json::Error::custom("not an object with metadata.name"),
            }),
        }
    }

    /// Parses the object at the start of the bytes, in one pass.
    pub(crate) fn decode_first(
        filter: &FieldFilter,
        bytes: &[u8],
        types: Option<&Types>,
    ) -> Result<Decoded<Self>, Fault> {
        let types = types.map(Types::as_bytes).unwrap_or_default();
        let ObjectTape { tape, identity, end, kind } = filter.keep(bytes, types)?;
        let [name, namespace, uid, resource_version] = identity;
        let object = Self { text: tape, name, namespace, uid, resource_version };
        Ok(Decoded { object, end, kind })
    }

    #[inline]
    fn tape(&self) -> Tape<'_> {
        Tape::new(&self.text)
    }

    #[inline]
    fn span(&self, (start, end): Span) -> Option<&str> {
        (end > 0).then(|| &self.text[start as usize..end as usize])
    }

    fn undecodable(&self, cause: &serde_json::Error) -> Error {
        undecodable(self.namespace().unwrap_or_default(), self.name(), cause)
    }
}

fn undecodable(namespace: &str, name: &str, cause: &serde_json::Error) -> Error {
    match name {
        "" => Error::new(ErrorKind::Undecodable, "not a JSON object with metadata.name"),
        name => Error::undecodable(namespace, name, cause),
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
impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?.to_string();
        let decoded = Self::decode(&FieldFilter::default(), &json, None);
        decoded.map(|decoded| decoded.object).map_err(D::Error::custom)
    }
}

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
