//! `FieldFilter`: removes fields from objects.

use std::{borrow::Cow, collections::HashSet, fmt, sync::Arc};

use foldhash::quality::RandomState;
use serde_json::{Value, value::RawValue};

use super::{
    cut, selector,
    tree::{Place, Tree},
};
use crate::{
    error::PathError,
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
        if let Some(place) = self.place(found.as_ref()) {
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
        match self.place(found.as_ref()) {
            Some(place) => cut::from_json(json, &place).map_err(|_| cut::malformed(json)),
            None => Ok(Cow::Borrowed(json)),
        }
    }

    /// Returns whether some paths have filters, so that it depends on the object what they remove.
    pub(crate) fn has_tests(&self) -> bool {
        self.tests
    }

    /// Returns the place of an object's root; `None` if nothing is removed. `found` is the tree of the
    /// values that the paths with filters select.
    pub(crate) fn place<'t>(&'t self, found: Option<&'t Tree>) -> Option<Place<'t>> {
        self.tree.root_with(found)
    }

    /// Returns the tree of values that the paths with filters select in the text.
    pub(crate) fn found_in(&self, json: &str) -> Result<Option<Tree>, serde_json::Error> {
        if !self.tests {
            return Ok(None);
        }
        Ok(self.found(&serde_json::from_str(json)?))
    }

    /// Returns the tree of values that the paths with filters select in this value.
    pub(crate) fn found(&self, value: &Value) -> Option<Tree> {
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
