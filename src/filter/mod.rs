//! Which fields to leave out of objects.

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
    keep::Kept,
};
use self::{
    keep::Memory,
    tree::{Place, Tree},
};
pub use self::{labels::LabelSelector, selector::FieldSelector};
use crate::{
    error::PathError,
    json::{self, Fault, Malformed, Scanner},
    path::{FieldPath, Segment, Step},
    text::has_text,
};

/// The fields that tell which object it is, and which version.
const IDENTITY: [&[&str]; 6] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
];

/// Fields to leave out of objects, such as `metadata.managedFields`.
///
/// Missing fields are fine. Which fields go is decided on the object as given, so `a[0]` and `a[1]` together
/// remove the first two elements. Fields that identify an object can't be left out. A path whose filters take
/// too many steps in an object removes nothing there: see [`FieldPath`].
///
/// Two filters are equal if they have equal paths, in whatever order. Written as text, as in a
/// configuration, it is the paths with commas between them.
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
    /// The paths without filters; or what stays.
    tree: Arc<Tree>,
    /// Whether there are others.
    tests: bool,
    memory: Memory,
}

impl FieldFilter {
    /// A filter that leaves out what the paths select, each given as text or as a [`FieldPath`].
    ///
    /// # Errors
    ///
    /// If one of them is no path, or could remove `apiVersion`, `kind`, or the `name`, `namespace`, `uid` or
    /// `resourceVersion` in `metadata` from some object: `metadata`, `metadata.*` and `..name` could.
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

    /// Parses paths with commas between them. `text.parse()` does the same. The empty text leaves out
    /// nothing.
    ///
    /// # Errors
    ///
    /// Does the same as [`new`](FieldFilter::new), with the position in the whole text.
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

    /// A filter that leaves out what either of the two does.
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

    /// A filter that leaves out all but what an object is known by, its types where `typed`, and what
    /// the paths look at.
    ///
    /// An array that a path counts the elements of stays whole, and so does what it searches.
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
        // What was learnt with other paths holds no more.
        self.memory = Memory::default();
    }

    /// The paths that are left out, in the order given.
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

    /// Whether the filter leaves out nothing, as the default one does.
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

    /// Removes the fields from an object. What is around them stays, even if nothing is left in it.
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

    /// The JSON text of an object without the fields. What is kept stays as written, numbers and escapes too.
    ///
    /// It takes one pass without a tree if no path has a filter.
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

    /// Decodes an object without the fields: they are skipped, never built.
    /// The result is what [`cut`](Self::cut) and decoding its text would give.
    ///
    /// # Errors
    ///
    /// If what is left of the text is not JSON, or does not decode as a `T`. What is skipped is not
    /// checked, but for where it ends.
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

    /// Does the same as [`deserialize`](Self::deserialize), and returns what else was seen.
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
        // Either it is wrong, and serde_json says why, or only serde_json knows that it isn't. Given
        // as text, it would take the rest of a wrong key of `bool` for text too, from within a
        // character.
        let Some(place) = place else { return serde_json::from_slice(json.as_bytes()) };
        serde_json::from_str::<IgnoredAny>(json)?;
        let cut = cut::from_json(json, &place).map_err(|Malformed| malformed(json))?;
        serde_json::from_slice(cut.as_bytes()).or_else(|error| {
            // Where it is wrong is told in the text as it was given.
            let blanked = cut::blanked(json, &place).map_err(|Malformed| error)?;
            serde_json::from_slice(blanked.as_bytes())
        })
    }

    /// Decodes the object at the start of the bytes, in one pass. For what takes more than that, or is
    /// wrong, it is malformed: [`deserialize`](Self::deserialize) knows.
    pub(crate) fn decode_first<T: DeserializeOwned>(
        &self,
        bytes: &[u8],
    ) -> Result<Decoded<T>, Fault> {
        if self.tests {
            return Err(Fault::Malformed);
        }
        decode::decode(bytes, "", self.tree.root().as_ref()).ok_or(Fault::Malformed)
    }

    /// Reads what to keep of the object at the start of the bytes, in one pass if no path has a filter. It
    /// gets these `types`, unless it has any itself.
    pub(crate) fn keep(&self, bytes: &[u8], types: &[u8]) -> Result<Kept, Fault> {
        if !self.tests {
            return self.memory.read(bytes, self.tree.root().as_ref(), true, types);
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
        self.memory.read(bytes, place.as_ref(), false, types)
    }

    /// Returns what the paths with filters find in the object in the text.
    fn found_in(&self, json: &str) -> Result<Option<Tree>, serde_json::Error> {
        if !self.tests {
            return Ok(None);
        }
        Ok(self.found(&serde_json::from_str(json)?))
    }

    /// Returns what the paths with filters find in this very object.
    fn found(&self, value: &Value) -> Option<Tree> {
        let paths = self.paths.iter().filter(|path| path.has_filter());
        let found: HashSet<*const Value, RandomState> =
            paths.flat_map(|path| path.select(value)).map(std::ptr::from_ref).collect();
        Tree::of_values(value, &|value| found.contains(&std::ptr::from_ref(value)))
    }
}

has_text!(FieldFilter, PathError, "field paths with commas between them");

/// A filter of these paths, as in [`FieldFilter::new`].
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

/// Says which field that identifies an object the path may remove.
fn identifies(path: &FieldPath) -> Option<String> {
    let field = IDENTITY.iter().find(|field| may_remove(path.segments(), field))?;
    Some(format!("may remove {}, which identifies the object", field.join(".")))
}

/// Whether the path may select the field, or an object that holds it, in some object.
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
