//! An index: the keys of an object.

use std::{fmt, panic::Location, sync::Arc};

use serde::Serialize;

use super::{
    key::{Key, Order, Prefix},
    parts::WholeKey,
};
use crate::{
    document,
    error::{Error, ErrorKind, PathError},
    path::{FieldPath, TooManyKeys},
    text::given,
};

/// An index of a store, and the handle for lookups in it.
///
/// Pass the index to [`index`](crate::EventStreamExt::index), keep it, and use it for lookups in every
/// snapshot, batch and world of that pipeline. A clone is the same index, and so is an equal index of paths.
///
/// An object may have several keys in an index (a path with several results gives several keys, several such
/// paths give every combination) or none: an object without a value for an index is absent from that index
/// only, and counted in [`Store::report`](crate::Store::report). So is an object with too many keys:
/// [`max_keys`](Self::max_keys).
///
/// Lookups by [namespace and name](crate::Snapshot::get) need no index. An index by `metadata.namespace`, or
/// by `metadata.namespace` and `metadata.name`, uses the order of the objects and costs no memory either. Any
/// other index costs memory for each (key, object) pair.
///
/// In a configuration, an index of paths is a text, such as `"metadata.namespace, spec.nodeName"`, a list of
/// paths, or an object with `paths` and optionally `name`, `numeric` and `max_keys`.
///
/// ```
/// use k8s_openapi::api::networking::v1::Ingress;
/// use kube_weir::{Index, Snapshot};
/// use serde_json::{from_value, json};
///
/// let host = Index::<Ingress>::path("spec.rules[*].host")?;
/// let class = Index::with(|ingress: &Ingress| ingress.spec.as_ref()?.ingress_class_name.clone()).named("class");
/// let shop = from_value(json!({
///     "metadata": { "namespace": "web", "name": "shop" },
///     "spec": { "rules": [{ "host": "shop.example" }, { "host": "www.shop.example" }] },
/// }))?;
/// let snapshot = Snapshot::from_objects((&host, &class), [shop])?;
///
/// assert!(snapshot.by(&host).get_one("www.shop.example")?.is_some());
/// assert!(snapshot.by(&class).keys().is_empty()); // it has none
/// assert!(snapshot.get(("web", "shop")).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("indexer", "Indexers", "IndexFunc", "AddIndexers", "IndexField"))]
pub struct Index<K>(pub(super) Arc<Definition<K>>);

pub(super) struct Definition<K> {
    /// The name, unless it is the default.
    pub(super) name: Option<Arc<str>>,
    /// Number of parts of each key.
    width: usize,
    pub(super) keys: Keys<K>,
    pub(super) order: Order,
    /// Maximum number of keys of an object.
    pub(super) most: usize,
    inspect: Option<Inspect<K>>,
    /// True if lookups use the order of the objects, without index entries.
    is_identity: bool,
}

/// Functions that measure and compare the content of objects.
pub(crate) struct Inspect<K> {
    /// Returns the memory that an object takes, if known.
    pub(crate) bytes: Option<fn(&K) -> usize>,
    /// Returns whether two objects have the same content.
    pub(crate) is_equal: fn(&K, &K) -> bool,
}

impl<K: Serialize + 'static> Inspect<K> {
    pub(super) fn of_serialized() -> Self {
        Self { bytes: document::bytes_of(), is_equal: document::is_equal }
    }
}

impl<K> Clone for Inspect<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Inspect<K> {}

impl<K: Serialize + 'static> Index<K> {
    /// Returns the index by one path, as text or as a [`FieldPath`], which documents the syntax. If the type
    /// of the objects can't be inferred, write `Index::<Pod>::path(..)`.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if the path is rejected, or leads below a label or an annotation: no object would
    /// have a key.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::Index;
    ///
    /// assert!(Index::<Service>::path("metadata.labels['app.kubernetes.io/name']").is_ok());
    /// assert!(Index::<Service>::path("metadata..").unwrap_err().is_path());
    /// ```
    pub fn path(path: impl TryInto<FieldPath, Error: Into<Error>>) -> Result<Self, Error> {
        Ok(Self::of_paths(vec![given(path)?])?)
    }

    /// Returns a composite index: one key part for each path.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a path is rejected, or if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{Index, Key, Snapshot};
    /// use serde_json::{from_value, json};
    ///
    /// let port = Index::<Service>::paths(["metadata.labels.app", "spec.ports[*].port"])?;
    /// let service = from_value(json!({
    ///     "metadata": { "name": "web", "labels": { "app": "shop" } },
    ///     "spec": { "ports": [{ "port": 80 }, { "port": 443 }] },
    /// }))?;
    /// let snapshot = Snapshot::from_objects(&port, [service])?;
    ///
    /// // Numbers are decimal text, and keys are ordered as text.
    /// assert_eq!(snapshot.by(&port).keys(), [Key::new(("shop", 443)), Key::new(("shop", 80))]);
    /// assert_eq!(snapshot.by(&port).get("shop").count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn paths<I>(paths: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: TryInto<FieldPath, Error: Into<Error>>>,
    {
        let paths: Vec<FieldPath> = paths.into_iter().map(given).collect::<Result<_, _>>()?;
        if paths.is_empty() {
            return Err(Error::new(ErrorKind::Path, NO_PATH));
        }
        Ok(Self::of_paths(paths)?)
    }

    pub(super) fn of_paths(paths: Vec<FieldPath>) -> Result<Self, PathError> {
        if let Some(path) = paths.iter().find(|path| path.is_below_label()) {
            return Err(PathError::new(path.as_str(), 0, BELOW_LABEL));
        }
        let (width, inspect) = (paths.len(), Some(Inspect::of_serialized()));
        let keys = Keys::Paths(paths, document::keys_of::<K>);
        Ok(Self::of(Definition { inspect, ..Definition::new(width, keys) }))
    }
}

/// Error message for a path below a label: no object would have a key.
const BELOW_LABEL: &str = "nothing is below a label or an annotation: quote a name with dots, as in metadata.labels['a.b/c']";

/// Error message for an empty list of paths.
pub(super) const NO_PATH: &str = "an index needs at least one path";

impl<K> Index<K> {
    /// Returns the index by a closure that returns an object's keys: an `Option` for at most one key, or an
    /// array, a `Vec`, or an iterator that doesn't borrow from the object for several. A [`WholeKey`] is a
    /// text, a number, an [`ObjectKey`](crate::ObjectKey), or an array or tuple of them.
    ///
    /// The result must depend only on the object: [`Batch::touched`](crate::Batch::touched) calls the closure
    /// again for the versions before and after a change. The closure runs in the task that polls the
    /// pipeline. At most [`max_keys`](Self::max_keys) + 1 of its keys are read, including repeated keys, and
    /// no more text than keys may have.
    ///
    /// The default [name](Self::named) is the place of the closure in the source.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, Snapshot};
    /// use serde_json::{from_value, json};
    ///
    /// let file = Index::with(|config: &ConfigMap| config.data.clone().unwrap_or_default().into_keys()).named("file");
    /// let nginx = from_value(json!({ "metadata": { "name": "nginx" }, "data": { "nginx.conf": "" } }))?;
    /// let snapshot = Snapshot::from_objects(&file, [nginx])?;
    /// assert!(snapshot.by(&file).get_one("nginx.conf")?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn with<F, I>(keys: F) -> Self
    where
        F: Fn(&K) -> I + Send + Sync + 'static,
        I: IntoIterator<Item: WholeKey>,
    {
        let keys = move |object: &K, most: usize, order: Order| {
            let mut bytes = 0;
            let mut all = Vec::new();
            for key in keys(object) {
                let key = Prefix::new(&key, order).key();
                bytes += key.as_bytes().len();
                if all.len() == most || bytes > most_bytes(most) {
                    return Err(TooManyKeys);
                }
                all.push(key);
            }
            Ok(all)
        };
        let closure = Keys::With(Arc::new(keys), Location::caller());
        Self::of(Definition::new(<I::Item as WholeKey>::PARTS, closure))
    }

    /// Sets the name, for metrics, for reports, and for [`by_name`](crate::Snapshot::by_name). Default: the paths.
    ///
    /// In a store of several indexes with one name, the second is called `name#2`.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        self.set(|own| own.name = Some(name.into()))
    }

    /// Orders key parts that are numbers by value, before all other text. The text of a key stays
    /// significant: an object with `07` is not found under `7`, but next to it.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{Index, Snapshot};
    /// use serde_json::{from_value, json};
    ///
    /// let port = Index::<Service>::path("spec.ports[*].port")?.numeric();
    /// let service = from_value(json!({
    ///     "metadata": { "name": "web" },
    ///     "spec": { "ports": [{ "port": 80 }, { "port": 443 }, { "port": 8443 }] },
    /// }))?;
    /// let snapshot = Snapshot::from_objects(&port, [service])?;
    /// assert_eq!(snapshot.by(&port).range(1..1024).count(), 1);
    /// let ports: Vec<String> = snapshot.by(&port).keys().iter().map(ToString::to_string).collect();
    /// assert_eq!(ports, ["80", "443", "8443"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn numeric(self) -> Self {
        self.set(|own| own.order = Order::Numeric)
    }

    /// Sets the maximum number of keys of an object in this index. Default: 10,000.
    ///
    /// Without a limit, a single object could fill the memory of every program that indexes it: two lists of
    /// a few hundred values each make tens of thousands of combinations, and a long value combined with many
    /// others takes as much memory. An object with more keys has no key in the index; the same applies if its
    /// keys of several paths, or of a closure, have more than 256 bytes each on average and 1 MiB altogether.
    /// [`IndexReport::overflowing`] counts such objects, and the stream yields an
    /// [error](Error::is_too_many_keys) for each such version.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{prelude::*, testing::Events};
    /// use serde_json::{from_value, json};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let service: Service = from_value(json!({
    ///     "metadata": { "name": "web" },
    ///     "spec": { "ports": [{ "port": 80 }, { "port": 443 }, { "port": 8443 }] },
    /// }))?;
    /// let port = Index::path("spec.ports[*].port")?.max_keys(2);
    /// let mut changes = Events::listed([service]).index(&port);
    /// let store = changes.store();
    /// assert_eq!(changes.next().await.unwrap()?.snapshot().len(), 1);
    /// let error = changes.next().await.unwrap().unwrap_err();
    /// assert!(error.is_too_many_keys() && error.object() == Some(("", "web")));
    /// assert_eq!(store.snapshot().by(&port).get(80).count(), 0);
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn max_keys(self, most: usize) -> Self {
        self.set(|own| own.most = most)
    }

    pub(super) fn set(self, set: impl FnOnce(&mut Definition<K>)) -> Self {
        let mut definition = Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone());
        set(&mut definition);
        Self::of(definition)
    }

    fn of(mut definition: Definition<K>) -> Self {
        definition.is_identity = definition.order == Order::Text && definition.keys.are_identity();
        Self(Arc::new(definition))
    }

    /// Returns the name.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::Index;
    ///
    /// let node = Index::<Pod>::paths(["metadata.namespace", "spec.nodeName"])?;
    /// assert_eq!(&*node.name(), "metadata.namespace,spec.nodeName");
    /// assert_eq!(&*node.named("node").name(), "node");
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn name(&self) -> Arc<str> {
        self.0.name.clone().unwrap_or_else(|| self.0.keys.to_string().into())
    }

    /// Returns the number of parts of each key.
    pub fn width(&self) -> usize {
        self.0.width
    }

    pub(crate) fn order(&self) -> Order {
        self.0.order
    }

    pub(crate) fn most(&self) -> usize {
        self.0.most
    }

    pub(crate) fn inspect(&self) -> Option<Inspect<K>> {
        self.0.inspect
    }

    /// Returns the paths of the index; `None` for a closure.
    pub(crate) fn key_paths(&self) -> Option<&[FieldPath]> {
        match &self.0.keys {
            Keys::Paths(paths, _) => Some(paths),
            Keys::With(..) => None,
        }
    }

    /// Returns whether lookups use the order of the objects, so that the index costs nothing.
    pub(crate) fn is_identity(&self) -> bool {
        self.0.is_identity
    }

    /// Returns an object's keys, in order; none for an identity index, which stores no keys.
    pub(crate) fn keys(&self, object: &K) -> Result<Vec<Key>, TooManyKeys> {
        let Definition { keys, order, most, .. } = &*self.0;
        let mut keys = match keys {
            Keys::Paths(..) if self.is_identity() => return Ok(Vec::new()),
            Keys::Paths(paths, read) => {
                let mut values = Vec::with_capacity(paths.len());
                let mut too_many = false;
                for path in paths {
                    match read(path, object, *most) {
                        // Without a value for a path there is no combination.
                        Ok(own) if own.is_empty() => return Ok(Vec::new()),
                        Ok(mut own) => {
                            sort(&mut own);
                            values.push(own);
                        }
                        Err(TooManyKeys) => too_many = true,
                    }
                }
                if too_many || !takes(&values, *most) {
                    return Err(TooManyKeys);
                }
                combinations(&values, *order)
            }
            Keys::With(keys, _) => keys(object, *most, *order)?,
        };
        sort(&mut keys);
        Ok(keys)
    }
}

impl<K> Definition<K> {
    fn new(width: usize, keys: Keys<K>) -> Self {
        Self {
            name: None,
            width,
            keys,
            order: Order::Text,
            most: MOST_KEYS,
            inspect: None,
            is_identity: false,
        }
    }
}

impl<K> Clone for Definition<K> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), keys: self.keys.clone(), ..*self }
    }
}

impl<K> PartialEq for Definition<K> {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
            && (&self.name, self.order, self.most) == (&other.name, other.order, other.most)
    }
}

impl<K> Clone for Index<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Compares indexes: those of paths by their settings; an index by a closure is equal to its clones only.
impl<K> PartialEq for Index<K> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<K> Eq for Index<K> {}

impl<K> fmt::Debug for Index<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Definition { name, keys, order, most, .. } = &*self.0;
        f.debug_struct("Index")
            .field("name", name)
            .field("keys", &format_args!("{keys}"))
            .field("order", order)
            .field("max_keys", most)
            .finish()
    }
}

/// Report of an index in [`StoreReport`](crate::StoreReport).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct IndexReport {
    /// The name of the index.
    pub name: Arc<str>,
    /// Number of different keys.
    pub keys: usize,
    /// Number of (key, object) pairs.
    pub entries: usize,
    /// Number of objects without a key in the index.
    pub absent: usize,
    /// Number of objects with [too many](Index::max_keys) keys; `absent` includes them.
    pub overflowing: usize,
}

/// Default maximum number of keys of an object.
pub(super) const MOST_KEYS: usize = 10_000;

/// Maximum bytes of the combined keys of an object: per allowed key, and the minimum of the total limit. A
/// name has up to 253 bytes.
const KEY_BYTES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// Returns the maximum bytes of an object's keys, given their maximum number.
fn most_bytes(most: usize) -> usize {
    most.saturating_mul(KEY_BYTES).max(MOST_BYTES)
}

pub(super) enum Keys<K> {
    Paths(Vec<FieldPath>, Read<K>),
    /// The closure, and its place in the source.
    With(Arc<Closure<K>>, &'static Location<'static>),
}

/// Function that returns the values of a path in an object, up to a maximum number.
type Read<K> = fn(&FieldPath, &K, usize) -> Result<Vec<String>, TooManyKeys>;

/// Function that returns the keys of an object, up to a maximum number.
type Closure<K> = dyn Fn(&K, usize, Order) -> Result<Vec<Key>, TooManyKeys> + Send + Sync;

/// The paths of the identity. An index by both, or by the first, is an identity index.
const IDENTITY: [&str; 2] = ["metadata.namespace", "metadata.name"];

impl<K> Keys<K> {
    fn are_identity(&self) -> bool {
        match self {
            Self::Paths(paths, _) => {
                paths.len() <= IDENTITY.len()
                    && paths.iter().zip(IDENTITY).all(|(path, own)| path.as_str() == own)
            }
            Self::With(..) => false,
        }
    }
}

impl<K> Clone for Keys<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Paths(paths, read) => Self::Paths(paths.clone(), *read),
            Self::With(closure, place) => Self::With(Arc::clone(closure), place),
        }
    }
}

impl<K> PartialEq for Keys<K> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Paths(own, _), Self::Paths(other, _)) => own == other,
            (Self::With(own, _), Self::With(other, _)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}

/// Writes the paths separated by commas, or the place of the closure.
impl<K> fmt::Display for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paths(paths, _) => {
                for (i, path) in paths.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{path}")?;
                }
                Ok(())
            }
            Self::With(_, place) => write!(f, "closure at {place}"),
        }
    }
}

/// Returns whether all combinations of these values are within the limits for `most` keys.
fn takes(values: &[Vec<String>], most: usize) -> bool {
    let count = values.iter().fold(1, |all: usize, own| all.saturating_mul(own.len()));
    if count > most {
        return false;
    }
    // Each value is repeated in the keys for each combination of the other parts.
    let bytes = values.iter().fold(0, |all: usize, own| {
        let length = own.iter().map(String::len).sum::<usize>();
        all.saturating_add(length.saturating_mul(count / own.len().max(1)))
    });
    values.len() == 1 || bytes <= most_bytes(most)
}

/// Sorts values, and removes repetitions.
fn sort<T: Ord>(values: &mut Vec<T>) {
    if values.len() > 1 {
        values.sort_unstable();
        values.dedup();
    }
}

/// Returns every way to take one part from each list.
fn combinations(parts: &[Vec<String>], order: Order) -> Vec<Key> {
    let key = |parts: &[&str]| Prefix::new(&parts, order).key();
    if let [values] = parts {
        return values.iter().map(|part| key(&[part])).collect();
    }
    let mut keys: Vec<Vec<&str>> = vec![Vec::new()];
    for values in parts {
        keys = keys
            .iter()
            .flat_map(|key| values.iter().map(move |value| [key, &[value.as_str()][..]].concat()))
            .collect();
    }
    keys.iter().map(|parts| key(parts)).collect()
}
