//! Filters that remove fields from objects, and selectors.

mod cut;
mod decode;
mod duplicates;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod keep;
mod labels;
mod selector;
mod shape;
mod tree;

use std::{borrow::Cow, collections::HashSet, fmt, sync::Arc};

use foldhash::quality::RandomState;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use self::{
    decode::{Decoded, kind_in},
    keep::ObjectTape,
};
use self::{
    keep::CachedReader,
    tree::{Place, Tree},
};
pub use self::{labels::LabelSelector, selector::FieldSelector};
use crate::{
    error::PathError,
    json::{self, Fault, Malformed, Scanner},
    path::{FieldPath, Segment, Step},
    text::has_text,
};

/// The fields that identify an object and its version.
const IDENTITY: [&[&str]; 6] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
];

/// A filter that removes fields from objects, such as `metadata.managedFields`.
///
/// Missing fields are fine. Paths refer to the object as given, so `a[0]` and `a[1]` together remove the
/// first two elements. Fields that identify an object can't be removed. A path whose filters take too
/// many steps in an object removes nothing there: see [`FieldPath`].
///
/// Two filters are equal if they have equal paths, in any order. The text form of a filter, as in a
/// configuration, is its paths, separated by commas.
///
/// ```
/// use kube_weir::FieldFilter;
/// use serde_json::json;
///
/// let filter = FieldFilter::new(["metadata.managedFields", "spec.containers[*].env"])?;
/// let mut pod = json!({
///     "metadata": { "name": "a", "managedFields": [] },
///     "spec": { "containers": [{ "name": "web", "env": [] }] },
/// });
/// filter.remove(&mut pod);
/// assert_eq!(pod, json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "name": "web" }] } }));
/// # Ok::<(), kube_weir::PathError>(())
/// ```
#[doc(alias("transform", "SetTransform", "TransformFunc", "strip"))]
#[derive(Clone, Default)]
pub struct FieldFilter {
    paths: Vec<FieldPath>,
    /// The paths without filters; for [`keeping`](Self::keeping), the paths that stay.
    tree: Arc<Tree>,
    /// True if some paths have filters.
    tests: bool,
    reader: CachedReader,
}

impl FieldFilter {
    /// Makes a filter that removes everything that the paths select. A path is given as text or as a
    /// [`FieldPath`].
    ///
    /// # Errors
    ///
    /// If one of them is not a valid path, or could remove `apiVersion`, `kind`, or the `name`,
    /// `namespace`, `uid` or `resourceVersion` in `metadata` from some object: `metadata`, `metadata.*`
    /// and `..name` could.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// let error = FieldFilter::new(["status", "metadata.uid"]).unwrap_err();
    /// assert_eq!(error.path(), "metadata.uid");
    /// assert_eq!(error.hint(), "may remove metadata.uid, which identifies the object");
    /// ```
    pub fn new<I, P>(paths: I) -> Result<Self, PathError>
    where
        I: IntoIterator<Item = P>,
        P: TryInto<FieldPath, Error: Into<PathError>>,
    {
        let mut filter = Self::default();
        for path in paths {
            let path = path.try_into().map_err(Into::into)?;
            if let Some(hint) = identifies(&path) {
                return Err(PathError::new(path.as_str(), 0, hint));
            }
            filter.add(path);
        }
        Ok(filter)
    }

    /// Parses a list of paths, separated by commas. `text.parse()` does the same. The empty text is a
    /// filter that removes nothing.
    ///
    /// # Errors
    ///
    /// Does the same as [`new`](FieldFilter::new); the error has the position in the whole text.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// let filter = FieldFilter::parse("metadata.managedFields, spec.containers[0,1].env")?;
    /// assert_eq!(filter, FieldFilter::new(["spec.containers[0,1].env", "metadata.managedFields"])?);
    /// assert_eq!(filter.to_string(), "metadata.managedFields,spec.containers[0,1].env");
    ///
    /// let error = FieldFilter::parse("status,metadata.uid").unwrap_err();
    /// assert_eq!(error.caret(), "status,metadata.uid\n       ^");
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut filter = Self::default();
        for (position, path) in FieldPath::parse_list(text)? {
            if let Some(hint) = identifies(&path) {
                return Err(PathError::new(text, position, hint));
            }
            filter.add(path);
        }
        Ok(filter)
    }

    /// Returns a filter that removes everything that either filter removes.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// let noise = FieldFilter::new(["metadata.managedFields"])?;
    /// let filter = noise.and(FieldFilter::new(["status"])?);
    /// assert_eq!(filter.cut(r#"{"kind": "Pod", "status": {}}"#)?, r#"{"kind": "Pod"}"#);
    /// assert_eq!(filter.paths().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        other.paths.into_iter().for_each(|path| self.add(path));
        self
    }

    /// Makes a filter that keeps only the fields that identify an object, its types if `typed`, and the
    /// fields that the paths read.
    ///
    /// An array in which a path has an index stays whole, and so does a value in which a path searches.
    pub(crate) fn keeping<'p>(paths: impl IntoIterator<Item = &'p FieldPath>, typed: bool) -> Self {
        let mut tree = Tree::keeping();
        let own = if typed { &IDENTITY[..] } else { &IDENTITY[2..] };
        for field in own {
            let steps: Vec<_> = field.iter().map(|name| Step::Name((*name).into())).collect();
            tree.insert(&steps);
        }
        for path in paths {
            let whole = path.segments().iter().any(Segment::reads_root);
            let steps = path.segments().iter().map_while(Segment::step);
            let steps = steps.take_while(|step| !whole && !matches!(step, Step::Index(_)));
            tree.insert(&steps.collect::<Vec<_>>());
        }
        Self { tree: Arc::new(tree), ..Self::default() }
    }

    fn add(&mut self, path: FieldPath) {
        if path.has_filter() {
            self.tests = true;
        } else {
            Arc::make_mut(&mut self.tree).insert_path(path.segments());
        }
        self.paths.push(path);
        // The learned shape was for other paths.
        self.reader = CachedReader::default();
    }

    /// Returns the removed paths, in the order given.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// let filter = FieldFilter::new(["status", "metadata.managedFields"])?;
    /// let paths: Vec<&str> = filter.paths().iter().map(|path| path.as_str()).collect();
    /// assert_eq!(paths, ["status", "metadata.managedFields"]);
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    /// Returns whether the filter removes nothing, like the default filter.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// assert!(FieldFilter::default().is_empty());
    /// assert!(!FieldFilter::new(["status"])?.is_empty());
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.tree.root().is_none()
    }

    /// Removes the fields from an object. The containers around them stay, even if empty.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    /// use serde_json::json;
    ///
    /// let filter = FieldFilter::new(["metadata.annotations.*", "spec.ports[0]"])?;
    /// let mut service =
    ///     json!({ "metadata": { "annotations": { "a": "b" } }, "spec": { "ports": [80, 443] } });
    /// filter.remove(&mut service);
    /// let left = json!({ "metadata": { "annotations": {} }, "spec": { "ports": [443] } });
    /// assert_eq!(service, left);
    /// # Ok::<(), kube_weir::PathError>(())
    /// ```
    pub fn remove(&self, value: &mut Value) {
        let found = if self.tests { self.found(value) } else { None };
        if let Some(place) = self.tree.root_with(found.as_ref()) {
            cut::from_value(value, &place);
        }
    }

    /// Returns the JSON text of an object without the fields. The rest stays as written, including
    /// numbers and escapes.
    ///
    /// If no path has a filter, this takes one pass over the text and builds no `Value`.
    ///
    /// # Errors
    ///
    /// If the text is not JSON.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    ///
    /// let filter = FieldFilter::new(["status"])?;
    /// assert_eq!(filter.cut(r#"{"spec": {"n": 1.50}, "status": {}}"#)?, r#"{"spec": {"n": 1.50}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cut<'j>(&self, json: &'j str) -> Result<Cow<'j, str>, serde_json::Error> {
        let json = serde_json::from_str::<&RawValue>(json)?.get();
        let found = self.found_in(json)?;
        match self.tree.root_with(found.as_ref()) {
            Some(place) => cut::from_json(json, &place).map_err(|Malformed| malformed(json)),
            None => Ok(Cow::Borrowed(json)),
        }
    }

    /// Decodes an object without the fields, which are skipped and never built. The result is the same
    /// as that of decoding the text that [`cut`](Self::cut) returns.
    ///
    /// # Errors
    ///
    /// If the rest of the text is not JSON, or does not decode as a `T`. Skipped fields are checked only
    /// as far as needed to find their end.
    ///
    /// ```
    /// use kube_weir::FieldFilter;
    /// use std::collections::BTreeMap;
    ///
    /// let filter = FieldFilter::new(["annotations.big"])?;
    /// let text = r#"{"annotations": {"big": "...", "small": "x"}}"#;
    /// let object: BTreeMap<String, BTreeMap<String, String>> = filter.deserialize(text)?;
    /// assert_eq!(object["annotations"], BTreeMap::from([("small".into(), "x".into())]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self, json: &str) -> Result<T, serde_json::Error> {
        self.decode(json).map(|decoded| decoded.object)
    }

    /// Does the same as [`deserialize`](Self::deserialize), and also returns the end and the `kind` of
    /// the object.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        json: &str,
    ) -> Result<Decoded<T>, serde_json::Error> {
        let found = self.found_in(json)?;
        let place = self.tree.root_with(found.as_ref());
        if let Some(decoded) = decode::decode(json.as_bytes(), json, place.as_ref())
            && is_space(&json[decoded.end..])
        {
            return Ok(decoded);
        }
        let object = Self::decode_by_serde(json, place)?;
        Ok(Decoded { object, end: json.len(), kind: kind_in(json.as_bytes()) })
    }

    fn decode_by_serde<T: DeserializeOwned>(
        json: &str,
        place: Option<Place<'_>>,
    ) -> Result<T, serde_json::Error> {
        // Either the text is invalid, and serde_json says why, or it is valid in a way that only
        // serde_json can decode. Bytes, not a `str`: given a `str`, serde_json would take the rest of a
        // wrong key of `bool` for text too, from within a character.
        let Some(place) = place else { return serde_json::from_slice(json.as_bytes()) };
        serde_json::from_str::<IgnoredAny>(json)?;
        let cut = cut::from_json(json, &place).map_err(|Malformed| malformed(json))?;
        serde_json::from_slice(cut.as_bytes()).or_else(|error| {
            // The error's position is that in the text as given.
            let blanked = cut::blanked(json, &place).map_err(|Malformed| error)?;
            serde_json::from_slice(blanked.as_bytes())
        })
    }

    /// Decodes the object at the start of the bytes, in one pass. Returns `Malformed` if the object is
    /// invalid or takes more than one pass; [`deserialize`](Self::deserialize) then decides.
    pub(crate) fn decode_first<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
    ) -> Result<Decoded<T>, Fault> {
        if self.tests {
            return Err(Fault::Malformed);
        }
        decode::decode(bytes, "", self.tree.root().as_ref()).ok_or(Fault::Malformed)
    }

    /// Reads the object at the start of the bytes without the removed fields, in one pass if no path has
    /// a filter. The object gets these `types`, unless it has types itself.
    pub(crate) fn keep(&self, bytes: &[u8], types: &[u8]) -> Result<ObjectTape, Fault> {
        if !self.tests {
            return self.reader.read(bytes, self.tree.root().as_ref(), true, types);
        }
        let mut scan = Scanner::new(bytes, 0);
        scan.space();
        if scan.peek()? != b'{' {
            return Err(Fault::Malformed);
        }
        scan.skip_value()?;
        let value = json::decoded(&bytes[..scan.position()])?;
        let found = self.found(&value);
        let place = self.tree.root_with(found.as_ref());
        self.reader.read(bytes, place.as_ref(), false, types)
    }

    /// Returns the tree of values that the paths with filters select in the text.
    fn found_in(&self, json: &str) -> Result<Option<Tree>, serde_json::Error> {
        if !self.tests {
            return Ok(None);
        }
        Ok(self.found(&serde_json::from_str(json)?))
    }

    /// Returns the tree of values that the paths with filters select in this value.
    fn found(&self, value: &Value) -> Option<Tree> {
        let paths = self.paths.iter().filter(|path| path.has_filter());
        let found: HashSet<*const Value, RandomState> =
            paths.flat_map(|path| path.select(value)).map(std::ptr::from_ref).collect();
        Tree::of_values(value, &|value| found.contains(&std::ptr::from_ref(value)))
    }
}

has_text!(FieldFilter, PathError, "field paths with commas between them");

/// Implements conversions from lists of paths, like [`FieldFilter::new`].
macro_rules! of_paths {
    ($([$($generic:tt)*] $type:ty),+ $(,)?) => {$(
        impl<$($generic)*> TryFrom<$type> for FieldFilter
        where
            P: TryInto<FieldPath, Error: Into<PathError>>,
        {
            type Error = PathError;

            fn try_from(paths: $type) -> Result<Self, PathError> {
                Self::new(paths)
            }
        }
    )+};
}

of_paths!([P, const N: usize] [P; N], [P] Vec<P>);

impl<P> TryFrom<&[P]> for FieldFilter
where
    for<'p> &'p P: TryInto<FieldPath, Error: Into<PathError>>,
{
    type Error = PathError;

    fn try_from(paths: &[P]) -> Result<Self, PathError> {
        Self::new(paths)
    }
}

impl fmt::Display for FieldFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.paths.iter().enumerate() {
            write!(f, "{}{path}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for FieldFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldFilter").field(&self.to_string()).finish()
    }
}

impl PartialEq for FieldFilter {
    fn eq(&self, other: &Self) -> bool {
        selector::have_same(&self.paths, &other.paths)
    }
}

impl Eq for FieldFilter {}

/// Returns a hint if the path may remove a field that identifies an object.
fn identifies(path: &FieldPath) -> Option<String> {
    let field = IDENTITY.iter().find(|field| may_remove(path.segments(), field))?;
    Some(format!("may remove {}, which identifies the object", field.join(".")))
}

/// Returns whether the path may select the field, or an object around it, in any object.
fn may_remove(segments: &[Segment], field: &[&str]) -> bool {
    let Some((segment, later)) = segments.split_first() else {
        return true;
    };
    let Some((name, below)) = field.split_first() else {
        return false;
    };
    (segment.may_select(name) && may_remove(later, below))
        || (segment.descends && may_remove(segments, below))
}

fn is_space(text: &str) -> bool {
    text.bytes().all(json::is_space)
}

fn malformed(json: &str) -> serde_json::Error {
    match serde_json::from_str::<IgnoredAny>(json) {
        Err(error) => error,
        Ok(_) => serde_json::Error::custom("JSON nested too deep or with a broken name"),
    }
}

#[cfg(test)]
mod tests {
    mod agreement;
    mod choice;
    mod text;
    mod typed;
    mod vectors;
}
