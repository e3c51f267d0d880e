//! Views of parts of an object, which are read in place.

use std::{borrow::Cow, fmt, iter};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Number, Value};

use super::document::Document;
use crate::{
    error::Error,
    path::FieldPath,
    tape::{self, Tape},
};

/// A [`Document`] or a part of it that is decoded only where it is read: from [`Document::view`] and
/// [`Document::views`].
///
/// A view is `Copy` and takes two pointers and two numbers. Serializing writes the part from the compact
/// form, without a tree of `Value`s in between, so a template engine reads only the fields that a
/// template names. The example `templates` feeds minijinja with a view.
///
/// ```
/// use kube_weir::Document;
///
/// let ingress = Document::from_json(
///     r#"{"metadata":{"name":"web"},"spec":{"rules":[{"host":"a.example"},{"host":"b.example"}]}}"#,
/// )?;
/// let rules = ingress.view().get("spec").and_then(|spec| spec.get("rules")).unwrap();
/// let hosts: Vec<_> = rules.elements().filter_map(|rule| rule.get("host")?.as_str()).collect();
/// assert_eq!(hosts, ["a.example", "b.example"]);
/// assert_eq!(serde_json::to_string(&rules.at(0))?, r#"{"host":"a.example"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct DocumentView<'d> {
    document: &'d Document,
    tape: Tape<'d>,
}

impl Document {
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

    pub(super) fn first(&self, path: &FieldPath) -> Option<DocumentView<'_>> {
        path.first_on_tape(self.tape()).map(|place| DocumentView::new(self, place))
    }
}

impl<'d> DocumentView<'d> {
    fn new(document: &'d Document, tape: Tape<'d>) -> Self {
        Self { document, tape }
    }

    fn here(self) -> tape::Value<'d> {
        let mut tape = self.tape;
        tape.next()
    }

    /// Returns the field of this name; `None` if there is none, or if the value is not an object. See
    /// the [example](DocumentView).
    pub fn get(self, name: &str) -> Option<Self> {
        let mut tape = self.tape;
        tape.seek(name).then_some(Self { tape, ..self })
    }

    /// Returns the element at this index, counted from 0; `None` if there is none, or if the value is
    /// not an array. See the [example](DocumentView).
    pub fn at(self, index: usize) -> Option<Self> {
        self.elements().nth(index)
    }

    /// Returns the fields with their names, in the order received; empty if the value is not an object.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(
    ///     r#"{"metadata":{"name":"web","labels":{"app":"web","tier":"front"}}}"#,
    /// )?;
    /// let labels = document.view().get("metadata").and_then(|own| own.get("labels")).unwrap();
    /// let names: Vec<_> = labels.fields().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["app", "tier"]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn fields(self) -> impl Iterator<Item = (Cow<'d, str>, Self)> {
        let mut tape = self.tape;
        let end = if let tape::Value::Object(end) = tape.next() { end } else { 0 };
        iter::from_fn(move || {
            tape.is_before(end).then(|| {
                let name = tape.name().text();
                let field = Self { tape, ..self };
                tape.skip();
                (name, field)
            })
        })
    }

    /// Returns the elements in order; empty if the value is not an array. See the
    /// [example](DocumentView).
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let mut tape = self.tape;
        let end = if let tape::Value::Array(end) = tape.next() { end } else { 0 };
        iter::from_fn(move || {
            tape.is_before(end).then(|| {
                let element = Self { tape, ..self };
                tape.skip();
                element
            })
        })
    }

    /// Returns whether the value is `null`. A missing field has no view.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(r#"{"metadata":{"name":"a"},"spec":null}"#)?;
    /// assert!(document.view().get("spec").unwrap().is_null());
    /// assert!(document.view().get("status").is_none());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn is_null(self) -> bool {
        matches!(self.here(), tape::Value::Null)
    }

    /// Returns the string, if the value is a string. See the [example](DocumentView).
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        match self.here() {
            tape::Value::String(text) => Some(Cow::Borrowed(text)),
            tape::Value::Escaped(quoted) => Some(Cow::Owned(tape::unescape(quoted))),
            _ => None,
        }
    }

    /// Returns the integer, if the value is an integer that an `i64` can hold. See the example of
    /// [`Document::get_i64`].
    pub fn as_i64(self) -> Option<i64> {
        match self.here() {
            tape::Value::Integer(integer) => integer.try_into().ok(),
            tape::Value::Number(text) => text.parse::<Number>().ok()?.as_i64(),
            _ => None,
        }
    }

    /// Returns the number, rounded to an `f64`, if the value is a number. See the example of
    /// [`Document::get_f64`].
    pub fn as_f64(self) -> Option<f64> {
        match self.here() {
            tape::Value::Integer(integer) => Number::from(integer).as_f64(),
            tape::Value::Number(text) => text.parse::<Number>().ok()?.as_f64(),
            _ => None,
        }
    }

    /// Returns the boolean, if the value is a boolean. See the example of [`Document::get_bool`].
    pub fn as_bool(self) -> Option<bool> {
        match self.here() {
            tape::Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Decodes the part to a Rust type. See the example of [`Document::views`].
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if the part doesn't have the type's shape.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.tape.decode().map_err(|cause| self.document.undecodable(&cause))
    }

    /// Decodes the part to a `Value`.
    ///
    /// ```
    /// let document = kube_weir::Document::from_json(r#"{"metadata":{"name":"a"},"spec":{"n":[1]}}"#)?;
    /// assert_eq!(document.view().get("spec").unwrap().to_value(), serde_json::json!({ "n": [1] }));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn to_value(self) -> Value {
        // The tape was checked when it was written.
        self.tape.decode().unwrap_or_default()
    }
}

impl Serialize for DocumentView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tape.serialize(serializer)
    }
}

/// Shows only the identity: the content may be a Secret's.
impl fmt::Debug for DocumentView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentView").field("document", &self.document).finish_non_exhaustive()
    }
}
