//! Lookups in a snapshot, and their results.

use std::{
    cmp::Ordering,
    fmt,
    iter::FusedIterator,
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use kube::runtime::reflector::Lookup;

use super::{Contents, contents, entries, identity, iter};
use crate::{
    error::{Error, ErrorKind},
    index::{Index, IndexKey, Key, Prefix},
    namespaced_name,
    printed::{LONGEST_NAME, printed},
};

/// An index of a [`Snapshot`](crate::Snapshot); from [`Snapshot::by`](crate::Snapshot::by).
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kube_weir::{Index, testing::Manifests};
///
/// let pods = Manifests::parse("pods.yaml", r#"
/// { apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { nodeName: node-1, containers: [] } }
/// ---
/// { apiVersion: v1, kind: Pod, metadata: { name: b }, spec: { nodeName: node-2, containers: [] } }
/// "#)?;
/// let node = Index::<Pod>::path("spec.nodeName")?;
/// let pods = pods.snapshot(&node)?;
///
/// let by_node = pods.by(&node);
/// for key in by_node.keys() {
///     assert_eq!(by_node.get(key).len(), 1);
/// }
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[doc(alias("ByIndex", "indexer"))]
pub struct IndexView<'a, K> {
    contents: &'a Contents<K>,
    position: usize,
}

impl<'a, K> IndexView<'a, K> {
    #[track_caller]
    pub(super) fn new(contents: &'a Contents<K>, handle: &Index<K>) -> Self {
        match contents.index_of(handle) {
            Some(position) => Self { contents, position },
            None => panic!("{}", missing(contents, &handle.name())),
        }
    }

    pub(super) fn named(contents: &'a Contents<K>, name: &str) -> Result<Self, Error> {
        match contents.index_named(name) {
            Some(position) => Ok(Self { contents, position }),
            None => Err(Error::new(ErrorKind::Index, missing(contents, name))),
        }
    }

    /// Returns the handle of this index.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{Index, Snapshot};
    ///
    /// let node = Index::<Pod>::path("spec.nodeName")?.named("node");
    /// let snapshot = Snapshot::from_objects(&node, [])?;
    /// assert_eq!(snapshot.by_name("node")?.index(), &node); // for `touched`
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn index(&self) -> &'a Index<K> {
        self.contents.index_at(self.position)
    }
}

/// Part of an error message: how a store gets an index.
const PASS_IT: &str = "pass it to `.index(..)`";

fn missing<K>(contents: &Contents<K>, name: &str) -> String {
    let name = printed(name, LONGEST_NAME);
    let names: Vec<_> = contents.index_names().collect();
    if names.is_empty() {
        return format!("no index `{name}`, and no other; {PASS_IT}");
    }
    format!("no index `{name}`; there are: {}; {PASS_IT}", printed(&names.join(", "), LONGEST_NAME))
}

impl<'a, K: Lookup> IndexView<'a, K> {
    /// Returns the objects under a key, or under the first parts of a key, each once and in (namespace, name)
    /// order. `()` stands for all objects that have a key in this index.
    ///
    /// O(hits); for the first parts of a key O(hits log hits), because the hits have to be sorted. The hits
    /// of an index of `metadata.namespace` and `metadata.name` are sorted already.
    ///
    /// # Panics
    ///
    /// If there are more parts than the index has. Use [`try_get`](Self::try_get) if a configuration
    /// determines the number of parts.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: { name: settings, labels: { app: shop, tier: front } }
    /// ---
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: { name: unlabelled }
    /// "#)?;
    /// let app = Index::<ConfigMap>::paths(["metadata.labels.app", "metadata.labels.tier"])?;
    /// let snapshot = manifests.snapshot(&app)?;
    ///
    /// assert_eq!(snapshot.by(&app).get(("shop", "front")).len(), 1);
    /// assert_eq!(snapshot.by(&app).get("shop").len(), 1);
    /// assert_eq!(snapshot.by(&app).get(()).len(), 1); // `unlabelled` is not in it
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[track_caller]
    pub fn get(&self, key: impl IndexKey) -> Hits<'a, K> {
        let index = self.index();
        if index.is_identity() {
            let mut parts = Vec::with_capacity(index.width());
            key.each_part(&mut |part| parts.push(part.to_owned()));
            self.check_width(parts.len());
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            return Hits(Inner::Objects(self.contents.of_identity(&parts)));
        }
        let prefix = Prefix::new(&key, index.order());
        self.check_width(prefix.width);
        if prefix.width < index.width() {
            return self.sorted(|key| key.against(&prefix));
        }
        let range = self.contents.entries(self.position);
        let range = range.range(|entry| entry.key.against(&prefix));
        Hits(Inner::Entries(self.contents, range))
    }

    /// Returns the objects under a key, as [`get`](Self::get) does, or an error if the key has too many
    /// parts.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there are more parts than the index has.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{Index, Snapshot};
    ///
    /// let node = Index::<Pod>::path("spec.nodeName")?;
    /// let snapshot = Snapshot::from_objects(&node, [])?;
    /// let given = ["node-1", "node-2"].map(String::from).to_vec();
    /// assert!(snapshot.by(&node).try_get(&given).unwrap_err().is_index());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn try_get(&self, key: impl IndexKey) -> Result<Hits<'a, K>, Error> {
        let mut asked = 0;
        key.each_part(&mut |_| asked += 1);
        match self.too_wide(asked) {
            Some(message) => Err(Error::new(ErrorKind::Index, message)),
            None => Ok(self.get(key)),
        }
    }

    /// Returns the only object under a key, or `None` if there is no object.
    ///
    /// # Errors
    ///
    /// [`is_ambiguous`](Error::is_ambiguous) if there are several objects.
    ///
    /// # Panics
    ///
    /// If there are more parts than the index has, like [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: b } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: api, name: a } }
    /// "#)?;
    /// let namespace = Index::<ConfigMap>::path("metadata.namespace")?;
    /// let snapshot = manifests.snapshot(&namespace)?;
    ///
    /// assert!(snapshot.by(&namespace).get_one("api")?.is_some());
    /// assert!(snapshot.by(&namespace).get_one("web").unwrap_err().is_ambiguous());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[track_caller]
    pub fn get_one(&self, key: impl IndexKey) -> Result<Option<&'a Arc<K>>, Error> {
        let mut hits = self.get(key);
        let first = hits.next();
        match hits.len() {
            0 => Ok(first),
            more => {
                let message =
                    format!("{} objects under one key of index `{}`", more + 1, self.name());
                Err(Error::new(ErrorKind::Ambiguous, message))
            }
        }
    }

    /// Returns the objects under all keys that begin with the parts of `key`, where the last given part is a
    /// text prefix; each object once and in (namespace, name) order.
    ///
    /// In a [numeric](Index::numeric) index only the empty text is a prefix of a number.
    ///
    /// # Panics
    ///
    /// If there are more parts than the index has, like [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube_weir::{Index, testing::Manifests};
    ///
    /// let pods = Manifests::parse("pods.yaml", r#"
    /// { apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { nodeName: pool-a-1, containers: [] } }
    /// ---
    /// { apiVersion: v1, kind: Pod, metadata: { name: b }, spec: { nodeName: pool-b-1, containers: [] } }
    /// "#)?;
    /// let node = Index::<Pod>::path("spec.nodeName")?;
    /// let pods = pods.snapshot(&node)?;
    /// assert_eq!(pods.by(&node).starts_with("pool-a-").len(), 1);
    /// assert_eq!(pods.by(&node).starts_with("pool-").len(), 2);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[doc(alias("prefix"))]
    #[track_caller]
    pub fn starts_with(&self, key: impl IndexKey) -> Hits<'a, K> {
        let prefix = Prefix::open(&key, self.index().order());
        self.check_width(prefix.width);
        self.sorted(|key| key.against(&prefix))
    }

    /// Returns the objects under the keys in a range, each once and in (namespace, name) order. A bound may
    /// be the first parts of a key: it then stands for all keys that begin with them.
    ///
    /// Keys are ordered as text; in a [numeric](Index::numeric) index, by value: a bound that ends with a
    /// number stands for all texts of that value, so `..=7` includes `07` and `7.0`.
    ///
    /// # Panics
    ///
    /// If a bound has more parts than the index, like [`get`](Self::get).
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// { apiVersion: v1, kind: ConfigMap, metadata: { name: a }, data: { until: "2026-05-01", size: "9" } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { name: b }, data: { until: "2026-07-01", size: "10" } }
    /// "#)?;
    /// let until = Index::<ConfigMap>::path("data.until")?;
    /// let size = Index::path("data.size")?.numeric();
    /// let snapshot = manifests.snapshot((&until, &size))?;
    /// assert_eq!(snapshot.by(&until).range(.."2026-06").len(), 1);
    /// assert_eq!(snapshot.by(&size).range(9..=10).len(), 2);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    #[track_caller]
    pub fn range<Q: IndexKey>(&self, range: impl RangeBounds<Q>) -> Hits<'a, K> {
        let bound = |bound: Bound<&Q>| bound.map(|key| Prefix::bound(&key, self.index().order()));
        let (start, end) = (bound(range.start_bound()), bound(range.end_bound()));
        for bound in [&start, &end] {
            if let Bound::Included(prefix) | Bound::Excluded(prefix) = bound {
                self.check_width(prefix.width);
            }
        }
        self.sorted(|key| {
            let is_before = match &start {
                Bound::Included(start) => key.against(start).is_lt(),
                Bound::Excluded(start) => key.against(start).is_le(),
                Bound::Unbounded => false,
            };
            let is_behind = match &end {
                Bound::Included(end) => key.against(end).is_gt(),
                Bound::Excluded(end) => key.against(end).is_ge(),
                Bound::Unbounded => false,
            };
            match (is_before, is_behind) {
                (true, _) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => Ordering::Equal,
            }
        })
    }

    /// Returns the objects under the keys in a range, in order.
    fn sorted(&self, within: impl Fn(&Key) -> Ordering) -> Hits<'a, K> {
        let index = self.index();
        if index.is_identity() {
            return Hits(Inner::Objects(self.contents.in_identity(index.width(), within)));
        }
        // The range is ordered by key first, and contains an object once for each of its keys.
        let range = self.contents.entries(self.position).range(|entry| within(&entry.key));
        let mut objects: Vec<_> = range.map(|entry| self.contents.at(entry.slot)).collect();
        objects.sort_unstable_by(|a, b| identity::order(&***a, &***b));
        objects.dedup_by(|a, b| Arc::ptr_eq(a, b));
        Hits(Inner::Sorted(objects.into_iter()))
    }

    /// Returns the keys that an object has in this index.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, Key, Snapshot};
    ///
    /// let finalizer = Index::<ConfigMap>::path("metadata.finalizers[*]")?;
    /// let snapshot = Snapshot::from_objects(&finalizer, [])?;
    /// let mut held = ConfigMap::default();
    /// held.metadata.finalizers = Some(vec!["example.com/b".into(), "example.com/a".into()]);
    ///
    /// // The object need not be in the snapshot.
    /// let keys = snapshot.by(&finalizer).keys_of(&held);
    /// assert_eq!(keys, [Key::new("example.com/a"), Key::new("example.com/b")]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn keys_of(&self, object: &K) -> Vec<Key> {
        let index = self.index();
        if !index.is_identity() {
            return index.keys(object).unwrap_or_default();
        }
        let (namespace, name) = namespaced_name::identity(object);
        let parts = [namespace, name];
        let parts = parts.get(..index.width()).unwrap_or_default();
        let is_absent = parts.iter().any(|part| part.is_empty());
        if is_absent { Vec::new() } else { vec![Key::new(parts)] }
    }

    /// Returns all keys of this index, in order, each once. O(entries).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{Index, Key, testing::Manifests};
    ///
    /// let manifests = Manifests::parse("configs.yaml", r#"
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: b } }
    /// ---
    /// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: api, name: a } }
    /// "#)?;
    /// let namespace = Index::<ConfigMap>::path("metadata.namespace")?;
    /// let snapshot = manifests.snapshot(&namespace)?;
    /// assert_eq!(snapshot.by(&namespace).keys(), [Key::new("api"), Key::new("web")]);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        if self.index().is_identity() {
            keys.extend(self.contents.iter().flat_map(|object| self.keys_of(object)));
        } else {
            let entries = self.contents.entries(self.position).iter();
            keys.extend(entries.map(|entry| entry.key.clone()));
        }
        keys.dedup();
        keys
    }

    fn name(&self) -> &'a Arc<str> {
        self.contents.index_name(self.position)
    }

    #[track_caller]
    fn check_width(&self, asked: usize) {
        if let Some(message) = self.too_wide(asked) {
            panic!("{message}");
        }
    }

    /// Returns an error message if the index has fewer than `asked` key parts.
    fn too_wide(&self, asked: usize) -> Option<String> {
        let width = self.index().width();
        if asked <= width {
            return None;
        }
        let (name, parts) =
            (printed(self.name(), LONGEST_NAME), if width == 1 { "part" } else { "parts" });
        Some(format!("index `{name}` has {width} key {parts}, not {asked}"))
    }
}

impl<K> Clone for IndexView<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for IndexView<'_, K> {}

impl<K> fmt::Debug for IndexView<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.contents.index_name(self.position);
        f.debug_struct("IndexView").field("name", name).finish_non_exhaustive()
    }
}

/// The result of a lookup: an iterator of objects in (namespace, name) order, each once.
/// [`len`](ExactSizeIterator::len) returns their number.
///
/// The iterator borrows from the snapshot; clone the [`Arc`] of an object to keep it longer.
///
/// ```
/// use std::sync::Arc;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{Snapshot, testing::Manifests};
///
/// let manifests = Manifests::parse("configs.yaml", r#"
/// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: a } }
/// ---
/// { apiVersion: v1, kind: ConfigMap, metadata: { namespace: web, name: b } }
/// "#)?;
/// let snapshot: Snapshot<ConfigMap> = manifests.snapshot(())?;
///
/// let hits = snapshot.in_namespace("web");
/// assert_eq!(hits.len(), 2);
/// let kept: Vec<Arc<ConfigMap>> = hits.cloned().collect();
/// drop(snapshot);
/// assert_eq!(kept[0].metadata.name.as_deref(), Some("a"));
/// # Ok::<(), kube_weir::Error>(())
/// ```
pub struct Hits<'a, K>(Inner<'a, K>);

enum Inner<'a, K> {
    Objects(contents::Objects<'a, K>),
    Entries(&'a Contents<K>, iter::Iter<'a, entries::Entry>),
    Sorted(std::vec::IntoIter<&'a Arc<K>>),
}

impl<'a, K> Iterator for Hits<'a, K> {
    type Item = &'a Arc<K>;

    fn next(&mut self) -> Option<&'a Arc<K>> {
        match &mut self.0 {
            Inner::Objects(range) => range.next(),
            Inner::Entries(contents, range) => range.next().map(|entry| contents.at(entry.slot)),
            Inner::Sorted(objects) => objects.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Inner::Objects(range) => range.size_hint(),
            Inner::Entries(_, range) => range.size_hint(),
            Inner::Sorted(objects) => objects.size_hint(),
        }
    }
}

impl<K> ExactSizeIterator for Hits<'_, K> {}

impl<K> FusedIterator for Hits<'_, K> {}

impl<K> fmt::Debug for Hits<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits").finish_non_exhaustive()
    }
}

/// Iterator over all objects of a snapshot, in (namespace, name) order; from
/// [`Snapshot::iter`](crate::Snapshot::iter), which has an example, or a loop over `&snapshot`.
pub struct Iter<'a, K>(pub(super) contents::Objects<'a, K>);

impl<'a, K> Iterator for Iter<'a, K> {
    type Item = &'a Arc<K>;

    fn next(&mut self) -> Option<&'a Arc<K>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K> ExactSizeIterator for Iter<'_, K> {}

impl<K> FusedIterator for Iter<'_, K> {}

impl<K> fmt::Debug for Iter<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("left", &self.len()).finish()
    }
}
