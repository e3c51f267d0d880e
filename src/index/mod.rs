//! What to index objects by.

mod key;

use std::{fmt, sync::Arc};

use serde::Serialize;

pub use self::key::Key;
pub(crate) use self::key::Prefix;
pub(crate) use crate::path::TooManyKeys;
use crate::{
    document,
    error::{Error, ErrorKind},
    path::FieldPath,
};

/// The indexes of a store: one main index, and any number of named ones beside it.
///
/// An object may have several keys in an index (a path with several results gives several keys,
/// several such paths every combination) or none: an object without a value for an index is
/// absent from that index alone, and counted in [`Store::explain`](crate::Store::explain). So is one
/// that has too many keys: [`max_keys`](Self::max_keys).
///
/// An index by `metadata.namespace`, or by that and `metadata.name`, is the order of the objects
/// itself, and costs nothing. Any other costs memory for each (key, object) pair.
///
/// ```
/// use k8s_openapi::api::networking::v1::Ingress;
/// use kube_weir::{IndexBy, Snapshot};
/// use serde_json::{from_value, json};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let by = IndexBy::<Ingress>::paths(["metadata.namespace", "metadata.name"])?
///     .and("by-host", IndexBy::path("spec.rules[*].host")?)
///     .and("by-class", IndexBy::with(|ingress: &Ingress| {
///         ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.clone()).map(|class| [class])
///     }));
/// let shop = from_value(json!({
///     "metadata": { "namespace": "web", "name": "shop" },
///     "spec": { "rules": [{ "host": "shop.example" }, { "host": "www.shop.example" }] },
/// }))?;
/// let snapshot = Snapshot::from_objects(by, [shop])?;
///
/// assert!(snapshot.get_one(["web", "shop"])?.is_some());
/// assert!(snapshot.by("by-host").get_one(["www.shop.example"])?.is_some());
/// assert!(snapshot.by("by-class").keys()?.is_empty()); // it has none
/// # Ok(()) }
/// ```
#[doc(alias("indexer", "Indexers", "IndexFunc", "AddIndexers", "IndexField"))]
pub struct IndexBy<K> {
    main: Index<K>,
    named: Vec<(Arc<str>, Index<K>)>,
    bytes: Option<Bytes<K>>,
    equal: Option<Equal<K>>,
}

/// Returns how much memory an object takes.
pub(crate) type Bytes<K> = fn(&K) -> usize;

/// Returns whether two objects have the same content.
pub(crate) type Equal<K> = fn(&K, &K) -> bool;

impl<K: Serialize + 'static> IndexBy<K> {
    /// A composite index: one key part for each path.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if a path is rejected, or if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{IndexBy, Key, Snapshot};
    /// use serde_json::{from_value, json};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let by = IndexBy::<Service>::paths(["metadata.labels.app", "spec.ports[*].port"])?;
    /// let service = from_value(json!({
    ///     "metadata": { "name": "web", "labels": { "app": "shop" } },
    ///     "spec": { "ports": [{ "port": 80 }, { "port": 443 }] },
    /// }))?;
    /// let snapshot = Snapshot::from_objects(by, [service])?;
    ///
    /// // Numbers are decimal text, and keys are ordered as text.
    /// let keys = snapshot.by(IndexBy::<Service>::MAIN).keys()?;
    /// assert_eq!(keys, [Key::new(["shop", "443"]), Key::new(["shop", "80"])]);
    /// assert_eq!(snapshot.get(["shop"])?.count(), 1);
    /// # Ok(()) }
    /// ```
    pub fn paths<I>(paths: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let paths: Vec<FieldPath> = paths
            .into_iter()
            .map(|path| FieldPath::parse(path.as_ref()))
            .collect::<Result<_, _>>()?;
        if paths.is_empty() {
            return Err(Error::new(ErrorKind::Path, "an index needs at least one path"));
        }
        let width = paths.len();
        let identity = paths.iter().zip(IDENTITY).all(|(path, own)| path.as_str() == own);
        let keys = match width {
            1 | 2 if identity => Keys::Identity,
            _ => Keys::Paths(paths, document::keys_of::<K>),
        };
        let (bytes, equal) = (document::bytes_of(), Some(document::is_equal as Equal<K>));
        Ok(Self { bytes, equal, ..Index::new(width, keys).into() })
    }

    /// An index by one path; what a path may look like, [`FieldPath`](crate::FieldPath) says.
    ///
    /// # Errors
    ///
    /// [`is_path`](Error::is_path) if the path is rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::IndexBy;
    ///
    /// assert!(IndexBy::<Service>::path("metadata.labels['app.kubernetes.io/name']").is_ok());
    /// assert!(IndexBy::<Service>::path("metadata..").unwrap_err().is_path());
    /// ```
    pub fn path(path: impl AsRef<str>) -> Result<Self, Error> {
        Self::paths([path])
    }
}

impl<K> IndexBy<K> {
    /// The name of the main index, for [`Batch::touched`](crate::Batch::touched) and
    /// [`Snapshot::by`](crate::Snapshot::by).
    pub const MAIN: &'static str = "main";

    /// An index by a closure that gives an object's keys, each an array of the key's parts. The
    /// parts are owned: what the closure gives can't borrow from the object.
    ///
    /// The closure must depend on the object alone: [`Batch::touched`](crate::Batch::touched) calls
    /// it again for the versions before and after a change. It is called in the task that polls the
    /// pipeline. No more of what it gives is taken than [`max_keys`](Self::max_keys) and one, however
    /// often a key repeats, nor more text than keys may have.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    /// use serde_json::{from_value, json};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // By the names of the files that it has.
    /// let by = IndexBy::with(|config: &ConfigMap| {
    ///     config.data.iter().flatten().map(|(file, _)| [file.clone()]).collect::<Vec<_>>()
    /// });
    /// let nginx = from_value(json!({ "metadata": { "name": "nginx" }, "data": { "nginx.conf": "" } }))?;
    /// let snapshot = Snapshot::from_objects(by, [nginx])?;
    /// assert!(snapshot.get_one(["nginx.conf"])?.is_some());
    /// # Ok(()) }
    /// ```
    pub fn with<F, I, S, const N: usize>(keys: F) -> Self
    where
        F: Fn(&K) -> I + Send + Sync + 'static,
        I: IntoIterator<Item = [S; N]>,
        S: AsRef<str>,
    {
        let keys = move |object: &K, most: usize| {
            let mut bytes = 0;
            let mut all = Vec::new();
            for key in keys(object) {
                let key = Key::new(key);
                bytes += key.as_bytes().len();
                if all.len() == most || bytes > most_bytes(most) {
                    return Err(TooManyKeys);
                }
                all.push(key);
            }
            Ok(all)
        };
        Index::new(N, Keys::With(Arc::new(keys))).into()
    }

    /// Adds an index under a name, for [`Snapshot::by`](crate::Snapshot::by): the main index of
    /// `index`, which has no others.
    ///
    /// Of two indexes with one name the last counts; that of the name [`MAIN`](IndexBy::MAIN) takes
    /// the place of the main one.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{IndexBy, Snapshot};
    ///
    /// let by = IndexBy::<ConfigMap>::path("metadata.name")?
    ///     .and("by-owner", IndexBy::path("metadata.ownerReferences[*].uid")?);
    /// let snapshot = Snapshot::from_objects(by, [])?;
    /// assert_eq!(snapshot.by("by-owner").get(["8f2c"])?.count(), 0);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[must_use]
    pub fn and(mut self, name: impl Into<Arc<str>>, index: Self) -> Self {
        let name = name.into();
        self.bytes = self.bytes.or(index.bytes);
        self.equal = self.equal.or(index.equal);
        if *name == *Self::MAIN {
            return Self { main: index.main, ..self };
        }
        self.named.retain(|(other, _)| *other != name);
        self.named.push((name, index.main));
        self
    }

    /// Sets how many keys an object may have in each of these indexes. Default: 10,000.
    ///
    /// Without a limit, a single object could fill the memory of all who index it: two lists of a few
    /// hundred values each make tens of thousands of combinations, and so does a long value that is combined
    /// with many. An object with more keys has none in that index; nor has one whose keys of several paths,
    /// or of a closure, have more than 256 bytes each on average and 1 MiB altogether.
    /// [`ExplainIndex::overflowing`] counts it, and an item of the stream
    /// [names it](Error::is_too_many_keys), once for each such version.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Service;
    /// use kube_weir::{IndexBy, prelude::*, testing::Events};
    /// # use serde_json::{from_value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let service: Service = from_value(json!({
    ///     "metadata": { "name": "web" },
    ///     "spec": { "ports": [{ "port": 80 }, { "port": 443 }, { "port": 8443 }] },
    /// }))?;
    /// let by = IndexBy::path("spec.ports[*].port")?.max_keys(2);
    /// let mut changes = Events::listed([service]).index(by);
    /// let store = changes.store();
    /// assert_eq!(changes.next().await.unwrap()?.snapshot().len(), 1);
    /// let error = changes.next().await.unwrap().unwrap_err();
    /// assert!(error.is_too_many_keys() && error.object() == Some(("", "web")));
    /// assert_eq!(store.snapshot().get(["80"])?.count(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn max_keys(mut self, most: usize) -> Self {
        let named = self.named.iter_mut().map(|(_, index)| index);
        std::iter::once(&mut self.main).chain(named).for_each(|index| index.most = most);
        self
    }

    /// The order of the objects themselves, which costs nothing.
    pub(crate) fn identity() -> Self {
        Index::new(IDENTITY.len(), Keys::Identity).into()
    }

    /// Returns how the memory that objects take can be found out, if it can.
    pub(crate) fn bytes(&self) -> Option<Bytes<K>> {
        self.bytes
    }

    /// Returns how to compare two objects, if they can be serialized.
    pub(crate) fn equal(&self) -> Option<Equal<K>> {
        self.equal
    }

    /// The paths that all the keys come from; `None` if a closure gives some of them.
    pub(crate) fn all_paths(&self) -> Option<Vec<FieldPath>> {
        let mut all = Vec::new();
        for index in std::iter::once(&self.main).chain(self.named.iter().map(|(_, index)| index)) {
            match &index.keys {
                Keys::Identity => {}
                Keys::Paths(paths, _) => all.extend_from_slice(paths),
                Keys::With(_) => return None,
            }
        }
        Some(all)
    }

    pub(crate) fn into_indexes(self) -> Arc<[(Arc<str>, Index<K>)]> {
        let main = (Self::MAIN.into(), self.main);
        std::iter::once(main).chain(self.named).collect()
    }
}

impl<K> fmt::Debug for IndexBy<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexBy")
            .field("width", &self.main.width)
            .field("named", &self.named.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// One index in [`Explain`](crate::Explain).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ExplainIndex {
    /// Its name.
    pub name: Arc<str>,
    /// How many different keys it has.
    pub keys: usize,
    /// How many (key, object) pairs it has.
    pub entries: usize,
    /// How many objects have no key in it.
    pub absent: usize,
    /// How many of these have [too many](IndexBy::max_keys).
    pub overflowing: usize,
}

/// One index.
pub(crate) struct Index<K> {
    /// How many parts its keys have.
    pub(crate) width: usize,
    keys: Keys<K>,
    /// How many keys an object may have.
    pub(crate) most: usize,
}

/// How many keys an object may have by default.
const MOST_KEYS: usize = 10_000;

/// How many bytes of combined keys an object may have for each key that it may have, and how many in any
/// case. A name has 253.
const KEY_BYTES: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// Returns how many bytes the keys of an object may have that may have so many of them.
fn most_bytes(most: usize) -> usize {
    most.saturating_mul(KEY_BYTES).max(MOST_BYTES)
}

enum Keys<K> {
    /// The paths of [`IDENTITY`], or the first of them. The order of the objects themselves
    /// answers for such an index, which therefore costs nothing.
    Identity,
    Paths(Vec<FieldPath>, Read<K>),
    With(Arc<Closure<K>>),
}

/// Returns the values that a path gives an object, of which there may be so many.
type Read<K> = fn(&FieldPath, &K, usize) -> Result<Vec<String>, TooManyKeys>;

/// Returns the keys of an object, of which there may be so many.
type Closure<K> = dyn Fn(&K, usize) -> Result<Vec<Key>, TooManyKeys> + Send + Sync;

const IDENTITY: [&str; 2] = ["metadata.namespace", "metadata.name"];

impl<K> Index<K> {
    fn new(width: usize, keys: Keys<K>) -> Self {
        Self { width, keys, most: MOST_KEYS }
    }

    pub(crate) fn is_identity(&self) -> bool {
        matches!(self.keys, Keys::Identity)
    }

    /// An object's keys, in order; none for an identity index, which has no keys of its own.
    pub(crate) fn keys(&self, object: &K) -> Result<Vec<Key>, TooManyKeys> {
        let mut keys = match &self.keys {
            Keys::Identity => return Ok(Vec::new()),
            Keys::Paths(paths, read) => {
                let mut values = Vec::with_capacity(paths.len());
                let mut too_many = false;
                for path in paths {
                    match read(path, object, self.most) {
                        // Nothing can be combined with it.
                        Ok(own) if own.is_empty() => return Ok(Vec::new()),
                        Ok(mut own) => {
                            sort(&mut own);
                            values.push(own);
                        }
                        Err(TooManyKeys) => too_many = true,
                    }
                }
                if too_many || !self.takes(&values) {
                    return Err(TooManyKeys);
                }
                combinations(&values)
            }
            Keys::With(keys) => keys(object, self.most)?,
        };
        sort(&mut keys);
        Ok(keys)
    }

    /// Returns whether an object may have all combinations of these values as keys.
    fn takes(&self, values: &[Vec<String>]) -> bool {
        let count = values.iter().fold(1, |all: usize, own| all.saturating_mul(own.len()));
        if count > self.most {
            return false;
        }
        // Each value is in the keys once for each combination of the others.
        let bytes = values.iter().fold(0, |all: usize, own| {
            let length = own.iter().map(String::len).sum::<usize>();
            all.saturating_add(length.saturating_mul(count / own.len().max(1)))
        });
        values.len() == 1 || bytes <= most_bytes(self.most)
    }
}

/// Puts values in order, each once.
fn sort<T: Ord>(values: &mut Vec<T>) {
    if values.len() > 1 {
        values.sort_unstable();
        values.dedup();
    }
}

impl<K> From<Index<K>> for IndexBy<K> {
    fn from(main: Index<K>) -> Self {
        Self { main, named: Vec::new(), bytes: None, equal: None }
    }
}

/// Every way to take one part from each list.
fn combinations(parts: &[Vec<String>]) -> Vec<Key> {
    if let [values] = parts {
        return values.iter().map(|part| Key::new([part])).collect();
    }
    let mut keys: Vec<Vec<&str>> = vec![Vec::new()];
    for values in parts {
        keys = keys
            .iter()
            .flat_map(|key| values.iter().map(move |value| [key, &[value.as_str()][..]].concat()))
            .collect();
    }
    keys.into_iter().map(Key::new).collect()
}
