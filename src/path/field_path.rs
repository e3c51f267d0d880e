//! A path to values in an object, and its evaluation on each form of an object.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::Serialize;
use serde_json::Value;

use super::{
    keys::{Keys, TooManyKeys},
    parse,
    query::{self, Query},
    scalar,
    segment::{Segment, Selector, Step},
    steps::TooMany,
    walk,
};
use crate::{error::PathError, tape::Tape, text::has_text};

/// A path to values in an object, such as `metadata.labels['app.kubernetes.io/name']`.
///
/// | form | selects |
/// |---|---|
/// | `a.b`, `.a.b`, `$.a.b`, `{.a.b}` | the field `b` of the field `a` |
/// | `a['b.c']`, `a["b.c"]`, `a.b\.c` | a name with dots or other special characters; `\` escapes the next character, in quotes too |
/// | `a[0]`, `a[-1]` | an element, from the start or from the end |
/// | `a[*]`, `a.*` | all elements, or all fields |
/// | `a[0:2]`, `a[0,1]`, `a['b','c']` | a slice, several elements, several fields |
/// | `a[?(@.k == "v")]`, `a[?@.k]` | those elements or fields that pass a test ([RFC 9535]) |
/// | `a..b` | every `b` at any depth below `a` |
///
/// Names, indexes and `*` are fast. A search visits each part of an object once. A query engine runs the
/// filters; for this, the whole object is decoded.
///
/// Filters that search, as in `a..[?@..b]`, or read from the root, as in `a[?count($..b) > 1]`, may
/// visit each part of an object once for each other part. So the steps of all filters are counted before
/// they run. In one object, filters may take 4,096 steps, and for each part of the object 64 more and
/// one for each character of the path. A part is a value, or 16 bytes of a string. A filter never takes
/// more if it doesn't search, reads only below the tested value, and compares only with texts and
/// numbers. A path whose filters would take more steps selects nothing in that object: an index
/// [reports](crate::Error::is_too_many_keys) the object,
/// [`filter_fields`](crate::EventStreamExt::filter_fields) keeps its fields, and a field selector treats
/// them as missing.
///
/// The pattern in `match(@.k, "web-.*")` and `search` is a text in quotes, in which `\\` stands for `\`.
/// The engine compiles it for each tested value. For this, filters may take 4,194,304 more steps in an
/// object. A short pattern takes about 1,000 steps, and a repetition multiplies the cost of its part:
/// 8,000 for each `\d` or `\s`, 131,072 for each `\w` or `\p`. A pattern of more than 1,048,576 steps,
/// such as `\w{100}`, is refused.
///
/// Two paths are equal if they mean the same, in any notation. Cloning is cheap. A path serializes as
/// its text. The syntax of other dialects is refused with a hint: kubectl's `{range ..}`, `and`, `or`,
/// `=~` and `in` in filters.
///
/// ```
/// use kube_weir::FieldPath;
/// use serde_json::json;
///
/// let pod = json!({ "spec": { "containers": [{ "image": "nginx" }, { "image": "envoy" }] } });
/// let path = FieldPath::parse("spec.containers[*].image")?;
/// assert_eq!(path.keys(&pod), ["nginx", "envoy"]);
/// # Ok::<(), kube_weir::PathError>(())
/// ```
///
/// [RFC 9535]: https://www.rfc-editor.org/rfc/rfc9535
#[derive(Clone)]
pub struct FieldPath(Arc<Inner>);

struct Inner {
    written: Box<str>,
    /// The notation in RFC 9535 that all equal paths share.
    canonical: String,
    segments: Vec<Segment>,
    way: Way,
}

/// How to evaluate a path.
enum Way {
    Plain(Box<[Step]>),
    Query(Query),
}

impl FieldPath {
    /// Parses a path. `text.parse()` does the same.
    ///
    /// # Errors
    ///
    /// If the text is not a valid path. The error has the byte position and a hint.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::FieldPath;
    ///
    /// let path = FieldPath::parse("metadata.labels['app.kubernetes.io/name']")?;
    /// assert_eq!(path, r"{.metadata.labels.app\.kubernetes\.io/name}".parse()?);
    ///
    /// let error = FieldPath::parse("metadata.").unwrap_err();
    /// assert_eq!((error.position(), error.hint()), (9, "expected a name after '.'"));
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::parse_part(text, 0..text.len())
    }

    /// Returns the path as written, without white space around it. Equal paths may be written
    /// differently.
    ///
    /// ```
    /// use kube_weir::FieldPath;
    ///
    /// let (one, other) = (FieldPath::parse(" $.spec['type'] ")?, FieldPath::parse("spec.type")?);
    /// assert_eq!(one.as_str(), "$.spec['type']");
    /// assert_eq!(one, other);
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0.written
    }

    /// Returns the index keys of the values at this path, in document order, without duplicates.
    ///
    /// A string is its own key. `true`, `false` and numbers are written in their shortest form (`80`,
    /// `1.5`). Null, objects, arrays and missing values have no key.
    ///
    /// ```
    /// use kube_weir::FieldPath;
    /// use serde_json::json;
    ///
    /// let service = json!({ "spec": { "ports": [{ "port": 80 }, { "port": 443 }, { "port": 80 }] } });
    /// assert_eq!(FieldPath::parse("spec.ports[*].port")?.keys(&service), ["80", "443"]);
    /// assert!(FieldPath::parse("spec.ports")?.keys(&service).is_empty());
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn keys(&self, value: &Value) -> Vec<String> {
        self.some_keys(value, usize::MAX).unwrap_or_default()
    }

    /// Does the same as [`keys`](Self::keys), but fails if there are more than `most`.
    fn some_keys(&self, value: &Value, most: usize) -> Result<Vec<String>, TooManyKeys> {
        let mut keys = Keys::new(most);
        match &self.0.way {
            Way::Plain(steps) => walk::value::keys(value, steps, &mut keys)?,
            Way::Query(query) => {
                let found = query.select(&self.0.segments, value).map_err(|TooMany| TooManyKeys)?;
                keys.extend(found.into_iter().filter_map(scalar::of_value))?;
            }
        }
        keys.finish()
    }

    /// Returns the values that a path selects; empty for a plain path, or if it may take too many steps.
    pub(crate) fn select<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match &self.0.way {
            Way::Plain(_) => Vec::new(),
            Way::Query(query) => query.select(&self.0.segments, value).unwrap_or_default(),
        }
    }

    /// Returns whether everything that this path can select or read lies at or below `prefix`.
    ///
    /// Returns false if `prefix` has steps other than names, indexes and `*`.
    ///
    /// ```
    /// use kube_weir::FieldPath;
    ///
    /// let metadata = FieldPath::parse("metadata")?;
    /// assert!(FieldPath::parse("metadata.labels.app")?.is_within(&metadata));
    /// assert!(!FieldPath::parse("spec.host")?.is_within(&metadata));
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn is_within(&self, prefix: &FieldPath) -> bool {
        let Way::Plain(steps) = &prefix.0.way else {
            return false;
        };
        let segments = &self.0.segments;
        segments.len() >= steps.len()
            && segments.iter().zip(steps).all(|(segment, step)| segment.is_within(step))
            && !segments.iter().any(Segment::reads_root)
    }

    /// Does the same as [`keys`](Self::keys) for any object. For a plain path, only the selected values
    /// are serialized.
    pub(crate) fn keys_of<T: Serialize + ?Sized>(&self, object: &T) -> Vec<String> {
        self.some_keys_of(object, usize::MAX).unwrap_or_default()
    }

    /// Does the same as [`keys_of`](Self::keys_of), but fails if there are more than `most`.
    pub(crate) fn some_keys_of<T: Serialize + ?Sized>(
        &self,
        object: &T,
        most: usize,
    ) -> Result<Vec<String>, TooManyKeys> {
        if let Way::Plain(steps) = &self.0.way
            && let Some(keys) = walk::serialize::keys(object, steps, most)
        {
            return keys;
        }
        // An object that can't be written as JSON has no fields.
        serde_json::to_value(object).map_or(Ok(Vec::new()), |value| self.some_keys(&value, most))
    }

    /// Does the same as [`keys`](Self::keys) for an object given as valid JSON text; empty if the text
    /// is not JSON.
    pub(crate) fn keys_in_json(&self, json: &str) -> Vec<String> {
        match &self.0.way {
            Way::Plain(steps) => {
                scalar::distinct(walk::json::keys(json, steps).unwrap_or_default())
            }
            Way::Query(_) => serde_json::from_str(json).map(|v| self.keys(&v)).unwrap_or_default(),
        }
    }

    /// Does the same as [`keys`](Self::keys) for an object given as a tape.
    pub(crate) fn keys_on_tape(&self, tape: Tape<'_>) -> Vec<String> {
        self.some_keys_on_tape(tape, usize::MAX).unwrap_or_default()
    }

    /// Does the same as [`keys_on_tape`](Self::keys_on_tape), but fails if there are more than `most`.
    pub(crate) fn some_keys_on_tape(
        &self,
        tape: Tape<'_>,
        most: usize,
    ) -> Result<Vec<String>, TooManyKeys> {
        let segments = &self.0.segments;
        let mut keys = Keys::new(most);
        match &self.0.way {
            Way::Query(_) if self.has_filter() => {
                return tape.decode().map_or(Ok(Vec::new()), |value| self.some_keys(&value, most));
            }
            Way::Query(_) => {
                let mut found = query::on_tape(segments, tape).into_iter();
                found.try_for_each(|node| walk::tape::keys(node, &[], &mut keys))?;
            }
            Way::Plain(steps) => walk::tape::keys(tape, steps, &mut keys)?,
        }
        keys.finish()
    }

    /// Returns the places of all values that this path selects on a tape, in order; empty if its filters
    /// may take too many steps.
    pub(crate) fn places_on_tape<'t>(&self, tape: Tape<'t>) -> Vec<Tape<'t>> {
        let segments = &self.0.segments;
        match &self.0.way {
            Way::Query(query) if self.has_filter() => {
                // The tape was checked when it was written.
                let root: Value = tape.decode().unwrap_or_default();
                let found = query.select(segments, &root).unwrap_or_default();
                walk::locate::places(tape, &root, &found)
            }
            _ => query::on_tape(segments, tape),
        }
    }

    /// Returns the first of the [`places_on_tape`](Self::places_on_tape).
    pub(crate) fn first_on_tape<'t>(&self, tape: Tape<'t>) -> Option<Tape<'t>> {
        match &self.0.way {
            Way::Plain(steps) => walk::tape::first(tape, steps),
            Way::Query(_) => self.places_on_tape(tape).into_iter().next(),
        }
    }

    /// Returns whether the path has a filter.
    pub(crate) fn has_filter(&self) -> bool {
        self.0.segments.iter().any(|segment| segment.filters().next().is_some())
    }

    /// Returns the path of these names, one below the other. No name may need an escape.
    pub(crate) fn of_names(names: &[&str]) -> Self {
        let segment = |name: &&str| Segment::one(Selector::Name((*name).into()));
        let step = |name: &&str| Step::Name((*name).into());
        let segments: Vec<_> = names.iter().map(segment).collect();
        let (written, canonical) = (names.join(".").into(), canonical(&segments));
        let way = Way::Plain(names.iter().map(step).collect());
        Self(Arc::new(Inner { written, canonical, segments, way }))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// Returns whether evaluating the path in a value takes few enough steps.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn is_followed(&self, value: &Value) -> bool {
        self.some_keys(value, usize::MAX).is_ok()
    }

    #[cfg(any(fuzzing, test))]
    pub(crate) fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// Returns whether the path leads below a label or an annotation of an object, which are texts: a name with
    /// dots was written without quotes.
    pub(crate) fn is_below_label(&self) -> bool {
        let is_name = |at: usize, names: &[&str]| match self.0.segments.get(at).map(Segment::step) {
            Some(Some(Step::Name(name))) => names.contains(&&*name),
            _ => false,
        };
        let is_label = is_name(0, &["metadata"]) && is_name(1, &["labels", "annotations"]);
        is_label && self.0.segments.len() > 3
    }

    /// Parses a part of a longer text. The positions of errors refer to the whole text.
    pub(crate) fn parse_part(text: &str, part: std::ops::Range<usize>) -> Result<Self, PathError> {
        let start = part.start;
        let parse::Parsed { written, segments } = parse::parse(text, part)?;
        let canonical = canonical(&segments);
        let way = match segments.iter().map(Segment::step).collect() {
            Some(steps) => Way::Plain(steps),
            None => match Query::new(&segments, &canonical) {
                Some(query) => Way::Query(query),
                None => return Err(PathError::new(text, start, "not a path of RFC 9535")),
            },
        };
        Ok(Self(Arc::new(Inner { written: written.into(), canonical, segments, way })))
    }
}

fn canonical(segments: &[Segment]) -> String {
    let mut canonical = String::from("$");
    canonical.extend(segments.iter().map(ToString::to_string));
    canonical
}

has_text!(FieldPath, PathError, "a field path, such as \"metadata.labels.app\"");

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldPath").field(&self.as_str()).finish()
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.canonical == other.0.canonical
    }
}

impl Eq for FieldPath {}

impl Hash for FieldPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.canonical.hash(state);
    }
}
