//! Looking objects up.

use std::{fmt, sync::Arc};

use kube::runtime::reflector::Lookup;

use super::{Contents, contents, entries, identity, iter};
use crate::{
    error::{Error, Reason},
    index::{Key, Prefix},
};

/// One index of a [`Snapshot`](crate::Snapshot); from [`Snapshot::by`](crate::Snapshot::by).
pub struct IndexView<'a, K> {
    contents: &'a Contents<K>,
    name: &'a str,
}

impl<'a, K> IndexView<'a, K> {
    pub(super) fn new(contents: &'a Contents<K>, name: &'a str) -> Self {
        Self { contents, name }
    }

    fn position(&self) -> Result<usize, Error> {
        self.contents.index_named(self.name).ok_or_else(|| {
            let names: Vec<_> = self.contents.indexes().map(|index| index.name).collect();
            let message = format!("no index `{}`; there are: {}", self.name, names.join(", "));
            Error::new(Reason::Index, message)
        })
    }
}

impl<'a, K: Lookup> IndexView<'a, K> {
    /// The objects under a key, or under the first parts of one, each once and in
    /// (namespace, name) order.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name, or if there are more parts
    /// than it has.
    pub fn get<I>(&self, key: I) -> Result<Hits<'a, K>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let position = self.position()?;
        let index = self.contents.index_at(position);
        if index.is_identity() {
            let parts: Vec<I::Item> = key.into_iter().collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            self.check_width(parts.len(), index.width)?;
            return Ok(Hits(Inner::Objects(self.contents.of_identity(&parts))));
        }
        let (prefix, width) = Prefix::new(key);
        self.check_width(width, index.width)?;
        let range = self.contents.entries(position).range(|entry| entry.key.against(&prefix));
        Ok(Hits(if width == index.width {
            Inner::Entries(self.contents, range)
        } else {
            // Ordered by the rest of the key first, and an object is there once for each of its
            // keys.
            let mut objects: Vec<_> = range.map(|entry| self.contents.at(entry.slot)).collect();
            objects.sort_unstable_by(|a, b| identity::order(&***a, &***b));
            objects.dedup_by(|a, b| Arc::ptr_eq(a, b));
            Inner::Sorted(objects.into_iter())
        }))
    }

    /// The one object under a key.
    ///
    /// # Errors
    ///
    /// [`is_ambiguous`](Error::is_ambiguous) if there are several objects,
    /// [`is_index`](Error::is_index) as for [`get`](IndexView::get).
    pub fn get_one<I>(&self, key: I) -> Result<Option<&'a Arc<K>>, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut hits = self.get(key)?;
        let first = hits.next();
        match hits.count() {
            0 => Ok(first),
            more => {
                let message =
                    format!("{} objects under one key of index `{}`", more + 1, self.name);
                Err(Error::new(Reason::Ambiguous, message))
            }
        }
    }

    /// The keys that an object has in this index.
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name.
    pub fn keys_of(&self, object: &K) -> Result<Vec<Key>, Error> {
        let index = self.contents.index_at(self.position()?);
        if !index.is_identity() {
            return Ok(index.keys(object));
        }
        let parts = [object.namespace(), object.name()];
        let parts: Option<Vec<_>> = parts.into_iter().take(index.width).collect();
        Ok(parts.map(Key::new).into_iter().collect())
    }

    /// All keys of this index, in order. O(objects).
    ///
    /// # Errors
    ///
    /// [`is_index`](Error::is_index) if there is no index of this name.
    pub fn keys(&self) -> Result<Vec<Key>, Error> {
        let position = self.position()?;
        let mut keys = Vec::new();
        if self.contents.index_at(position).is_identity() {
            for object in self.contents.iter() {
                keys.extend(self.keys_of(object)?);
            }
        } else {
            keys.extend(self.contents.entries(position).iter().map(|entry| entry.key.clone()));
        }
        keys.dedup();
        Ok(keys)
    }

    fn check_width(&self, asked: usize, width: usize) -> Result<(), Error> {
        if asked <= width {
            return Ok(());
        }
        let message =
            format!("index `{}` has {width} key parts, and {asked} were asked for", self.name);
        Err(Error::new(Reason::Index, message))
    }
}

impl<K> fmt::Debug for IndexView<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexView").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The result of a lookup: an iterator of objects in (namespace, name) order.
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

impl<K> fmt::Debug for Hits<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits").finish_non_exhaustive()
    }
}

/// All objects of a snapshot, in (namespace, name) order; from
/// [`Snapshot::iter`](crate::Snapshot::iter).
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

impl<K> fmt::Debug for Iter<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").field("left", &self.len()).finish()
    }
}
