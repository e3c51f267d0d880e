//! A cache of fetched objects.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use kube::runtime::reflector::Lookup;
use tokio::time::Instant;

use crate::{index::Key, measure::Cached, resource_version::has_reached, source::Fetched};

/// Objects by identity, limited in number and bytes. Expired objects are removed by the next access, not by
/// a timer.
pub(super) struct Cache<K> {
    limits: Limits,
    entries: HashMap<Key, Entry<K>>,
    /// Keys in the order of the last read.
    read: BTreeMap<u64, Key>,
    /// Keys in the order of the fetch.
    fetched: BTreeMap<u64, Key>,
    bytes: usize,
    clock: u64,
    pub(super) counts: Cached,
}

#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) ttl: Duration,
    pub(super) objects: usize,
    pub(super) bytes: usize,
}

struct Entry<K> {
    object: Arc<K>,
    bytes: usize,
    since: Instant,
    read: u64,
    fetched: u64,
}

/// Returns whether an object is of the version that the watch has seen, or later. Any object is current if
/// the watch has seen no version.
pub(super) fn is_current<K: Lookup>(object: &K, seen: &str) -> bool {
    seen.is_empty() || object.resource_version().is_some_and(|own| has_reached(&own, seen))
}

impl<K: Lookup> Cache<K> {
    pub(super) fn new(limits: Limits, counts: Cached) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            read: BTreeMap::new(),
            fetched: BTreeMap::new(),
            bytes: 0,
            clock: 0,
            counts,
        }
    }

    /// Returns whether [`get`](Self::get) would return the object.
    pub(super) fn has(&mut self, key: &Key, seen: &str) -> bool {
        self.expire();
        self.entries.get(key).is_some_and(|entry| is_current(&*entry.object, seen))
    }

    /// Returns the object, unless the watch has seen a later version of it.
    pub(super) fn get(&mut self, key: &Key, seen: &str) -> Option<Arc<K>> {
        self.expire();
        let entry = self.entries.get_mut(key)?;
        if !is_current(&*entry.object, seen) {
            self.remove(key);
            self.counts.outdated.add_one();
            return None;
        }
        self.clock += 1;
        self.read.remove(&entry.read);
        self.read.insert(self.clock, key.clone());
        entry.read = self.clock;
        Some(Arc::clone(&entry.object))
    }

    pub(super) fn put(&mut self, key: &Key, Fetched { object, bytes }: &Fetched<K>) {
        self.expire();
        self.remove(key);
        if *bytes > self.limits.bytes || self.limits.objects == 0 {
            return;
        }
        self.clock += 1;
        let (at, since) = (self.clock, Instant::now());
        let entry =
            Entry { object: Arc::clone(object), bytes: *bytes, since, read: at, fetched: at };
        self.entries.insert(key.clone(), entry);
        self.read.insert(at, key.clone());
        self.fetched.insert(at, key.clone());
        self.bytes += bytes;
        while self.entries.len() > self.limits.objects || self.bytes > self.limits.bytes {
            let Some(oldest) = self.read.values().next().cloned() else { break };
            self.remove(&oldest);
            self.counts.evicted.add_one();
        }
        self.counts.size(self.entries.len(), self.bytes);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.read.remove(&entry.read);
            self.fetched.remove(&entry.fetched);
            self.bytes -= entry.bytes;
            self.counts.size(self.entries.len(), self.bytes);
        }
    }

    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.fetched.values().next() {
            let since = self.entries.get(first).map(|entry| entry.since);
            if since.is_some_and(|since| now.duration_since(since) < self.limits.ttl) {
                return;
            }
            let first = first.clone();
            self.remove(&first);
            self.counts.expired.add_one();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    const SECOND: Duration = Duration::from_secs(1);

    fn cache(objects: usize, bytes: usize) -> Cache<Document> {
        Cache::new(Limits { ttl: 10 * SECOND, objects, bytes }, Cached::default())
    }

    fn key(name: &str) -> Key {
        Key::new(["a", name])
    }

    impl Cache<Document> {
        fn expired(&self) -> u64 {
            self.counts.expired.count()
        }

        fn evicted(&self) -> u64 {
            self.counts.evicted.count()
        }

        fn fetched(&mut self, name: &str, bytes: usize) {
            let json = format!(
                r#"{{"metadata":{{"namespace":"a","name":"{name}","resourceVersion":"5"}}}}"#
            );
            let object = Arc::new(Document::from_json(&json).unwrap());
            self.put(&key(name), &Fetched { object, bytes });
        }

        fn reads(&mut self, name: &str) -> bool {
            self.get(&key(name), "5").is_some()
        }

        /// Checks that the four collections agree.
        fn check(&self) {
            assert_eq!(self.read.len(), self.len());
            assert_eq!(self.fetched.len(), self.len());
            assert_eq!(self.bytes, self.entries.values().map(|entry| entry.bytes).sum::<usize>());
        }
    }

    /// SEMANTICS: C2
    #[tokio::test(start_paused = true)]
    async fn time_counts_from_the_fetch_however_often_it_is_read() {
        let mut cache = cache(9, 900);
        cache.fetched("x", 1);
        for _ in 0..9 {
            tokio::time::advance(SECOND).await;
            assert!(cache.reads("x"));
        }
        cache.fetched("y", 1);
        tokio::time::advance(SECOND).await;
        assert!(!cache.reads("x") && cache.reads("y"));
        // A second fetch restarts the time.
        cache.fetched("y", 2);
        tokio::time::advance(9 * SECOND).await;
        assert!(cache.reads("y"));
        tokio::time::advance(SECOND).await;
        assert!(!cache.reads("y"));
        assert_eq!((cache.expired(), cache.evicted(), cache.bytes()), (2, 0, 0));
        cache.check();
    }

    /// SEMANTICS: C2
    #[tokio::test(start_paused = true)]
    async fn what_was_not_read_for_the_longest_time_goes_first() {
        let mut cache = cache(3, 900);
        for name in ["x", "y", "z"] {
            cache.fetched(name, 1);
        }
        assert!(cache.reads("x"));
        cache.fetched("w", 1);
        assert!(!cache.reads("y") && cache.reads("x") && cache.reads("z") && cache.reads("w"));
        assert_eq!((cache.len(), cache.evicted()), (3, 1));
        cache.check();
    }

    /// SEMANTICS: C2
    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_too() {
        let mut cache = cache(9, 100);
        cache.fetched("x", 40);
        cache.fetched("y", 40);
        cache.fetched("z", 30);
        assert!(!cache.reads("x") && cache.reads("y") && cache.reads("z"));
        assert_eq!(cache.bytes(), 70);
        // An object above the limit evicts only its own older version.
        cache.fetched("y", 101);
        assert!(!cache.reads("y") && cache.reads("z"));
        assert_eq!((cache.bytes(), cache.evicted()), (30, 1));
        cache.check();
    }

    /// SEMANTICS: C4
    #[tokio::test(start_paused = true)]
    async fn what_the_watch_has_seen_change_is_forgotten() {
        let mut cache = cache(9, 900);
        cache.fetched("x", 1);
        // The object may be ahead of the watch.
        assert!(cache.get(&key("x"), "4").is_some());
        assert!(cache.get(&key("x"), "6").is_none());
        assert!(!cache.reads("x"));
        assert_eq!((cache.counts.outdated.count(), cache.bytes()), (1, 0));
        cache.check();
    }
}
