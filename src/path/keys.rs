//! Index keys that are collected along a path.

use std::{borrow::Cow, mem};

use super::scalar;

/// An object has more keys than allowed, or longer ones, or finding them takes too many steps.
#[derive(Debug)]
pub(crate) struct TooManyKeys;

/// Keys of one object, in the order in which they are found, up to a maximum number of different ones.
#[derive(Debug)]
pub(super) struct Keys<'t> {
    found: Vec<Cow<'t, str>>,
    most: usize,
    /// With more keys than this, duplicates are dropped.
    room: usize,
    /// How often duplicates were dropped.
    drops: usize,
}

/// A position in the list of keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    len: usize,
    drops: usize,
}

impl<'t> Keys<'t> {
    pub(super) fn new(most: usize) -> Self {
        Self { found: Vec::new(), most, room: most, drops: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, key: impl Into<Cow<'t, str>>) -> Result<(), TooManyKeys> {
        self.found.push(key.into());
        if self.found.len() > self.room { self.drop_duplicates() } else { Ok(()) }
    }

    pub(super) fn extend<K>(&mut self, keys: impl IntoIterator<Item = K>) -> Result<(), TooManyKeys>
    where
        K: Into<Cow<'t, str>>,
    {
        keys.into_iter().try_for_each(|key| self.push(key))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { len: self.found.len(), drops: self.drops }
    }

    /// Removes the keys that were found since `mark`; `None` if duplicates were dropped in between.
    pub(super) fn take_back(&mut self, mark: Mark) -> Option<()> {
        (mark.drops == self.drops).then(|| self.found.truncate(mark.len))
    }

    /// Returns the keys in order, without duplicates.
    #[inline]
    pub(super) fn finish(mut self) -> Result<Vec<String>, TooManyKeys> {
        if self.found.len() > 1 || self.found.len() > self.most {
            self.drop_duplicates()?;
        }
        Ok(self.found.into_iter().map(Cow::into_owned).collect())
    }

    #[cold]
    fn drop_duplicates(&mut self) -> Result<(), TooManyKeys> {
        self.found = scalar::distinct(mem::take(&mut self.found));
        if self.found.len() > self.most {
            return Err(TooManyKeys);
        }
        self.drops += 1;
        // Bounds the work: a pass rechecks no more keys than there are new ones.
        self.room = self.found.len().saturating_add(self.most.max(64));
        Ok(())
    }
}
