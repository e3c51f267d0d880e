//! Lookups compared with a naive model: a scan of all objects and keys.

use std::{borrow::Cow, cmp::Ordering, collections::BTreeMap, ops::Bound};

use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::{Hits, Index, Key, ObjectKey, Snapshot};
use proptest::prelude::*;

use crate::support::{name, object};

const NAMESPACES: [&str; 4] = ["", "a", "ab", "b"];
const NAMES: [&str; 5] = ["1", "10", "2", "a", "ab"];

/// Values, in their order as numbers and as text.
const VALUES: [&str; 14] =
    ["-10", "-2", "0.5", "1", "01", "1.0", "2", "1e1", "10", "", "1 ", "a", "ab", "b\0c"];

/// Parts of lookups, including some that no key has.
const PARTS: [&str; 24] = [
    "", "-1", "-10", "-2", "0.5", "00", "01", "1", "1 ", "1.0", "10", "1e1", "2", "20", "9", "a",
    "a\0", "ab", "abc", "b", "b\0", "b\0c", "b\0d", "c",
];

fn config(namespace: usize, name: usize, app: Option<usize>, values: &[usize]) -> ConfigMap {
    let mut config = match NAMESPACES[namespace] {
        "" => object(NAMES[name], 1),
        namespace => object(&format!("{namespace}/{}", NAMES[name]), 1),
    };
    config.metadata.labels = app.map(|app| [("app".to_owned(), VALUES[app].to_owned())].into());
    let values = values.iter().map(|value| (format!("of-{value}"), VALUES[*value].to_owned()));
    config.data = Some(values.collect());
    config
}

fn configs() -> impl Strategy<Value = Vec<ConfigMap>> {
    let app = prop::option::of(0..VALUES.len());
    let values = prop::collection::vec(0..VALUES.len(), 0..4);
    let config = (0..NAMESPACES.len(), 0..NAMES.len(), app, values)
        .prop_map(|(namespace, name, app, values)| config(namespace, name, app, &values));
    prop::collection::vec(config, 0..20).prop_map(|mut configs| {
        for (version, config) in configs.iter_mut().enumerate() {
            config.metadata.resource_version = Some(version.to_string());
        }
        configs
    })
}

/// The first parts of a key.
fn parts() -> impl Strategy<Value = Vec<String>> {
    let part = prop::sample::select(&PARTS[..]).prop_map(ToOwned::to_owned);
    prop::collection::vec(part, 0..3)
}

fn bound() -> impl Strategy<Value = Bound<Vec<String>>> {
    prop_oneof![
        2 => parts().prop_map(Bound::Included),
        2 => parts().prop_map(Bound::Excluded),
        1 => Just(Bound::Unbounded),
    ]
}

/// Returns the keys of an object.
type KeysOf = fn(&ConfigMap) -> Vec<Vec<String>>;

/// An index, and its model.
struct Modelled {
    index: Index<ConfigMap>,
    is_numeric: bool,
    keys_of: KeysOf,
}

fn namespaces(config: &ConfigMap) -> Vec<Vec<String>> {
    config.metadata.namespace.iter().map(|namespace| vec![namespace.clone()]).collect()
}

fn identities(config: &ConfigMap) -> Vec<Vec<String>> {
    let name = config.metadata.name.clone().unwrap();
    namespaces(config).into_iter().map(|own| [own, vec![name.clone()]].concat()).collect()
}

fn values(config: &ConfigMap) -> Vec<Vec<String>> {
    config.data.iter().flat_map(BTreeMap::values).map(|value| vec![value.clone()]).collect()
}

fn pairs(config: &ConfigMap) -> Vec<Vec<String>> {
    let labels = config.metadata.labels.iter().filter_map(|labels| labels.get("app"));
    let of = |app: &String| {
        values(config)
            .into_iter()
            .map(|value| [vec![app.clone()], value].concat())
            .collect::<Vec<_>>()
    };
    labels.flat_map(of).collect()
}

/// Returns identity indexes, their equivalents by closure, and indexes by paths, each in both orders.
fn indexes() -> Vec<Modelled> {
    let paths = |paths: &[&str]| Index::paths(paths.iter().copied()).unwrap();
    let closure = Index::with(|config: &ConfigMap| {
        config.metadata.namespace.is_some().then(|| ObjectKey::of(config))
    });
    let all: [(_, KeysOf); 5] = [
        (paths(&["metadata.namespace"]), namespaces),
        (paths(&["metadata.namespace", "metadata.name"]), identities),
        (closure, identities),
        (paths(&["data.*"]), values),
        (paths(&["metadata.labels.app", "data.*"]), pairs),
    ];
    let both = |(index, keys_of): (Index<ConfigMap>, _)| {
        let numeric = Modelled { index: index.clone().numeric(), is_numeric: true, keys_of };
        [Modelled { index, is_numeric: false, keys_of }, numeric]
    };
    all.into_iter().flat_map(both).collect()
}

/// Returns the sort key of a part in a numeric index: numbers before text and by value, and of equal
/// numbers the canonical one first.
fn numeric(part: &str) -> (bool, f64, bool, &str) {
    match part.parse::<f64>() {
        Ok(value) => (false, value, value.to_string() != part, part),
        Err(_) => (true, 0.0, false, part),
    }
}

impl Modelled {
    /// Compares a key with the first parts of another.
    fn compare(&self, key: &[String], first: &[String]) -> Ordering {
        let compare = |(own, other): (&String, &String)| {
            if self.is_numeric {
                numeric(own).partial_cmp(&numeric(other)).unwrap()
            } else {
                own.cmp(other)
            }
        };
        key.iter().zip(first).map(compare).find(|own| own.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// Compares a key with a bound. If that ends with a number, it stands for all texts of its value.
    fn against(&self, key: &[String], bound: &[String]) -> Ordering {
        let Some((last, before)) = bound.split_last() else { return Ordering::Equal };
        let (own, other) = (numeric(&key[before.len()]), numeric(last));
        if self.is_numeric && !own.0 && !other.0 {
            return self.compare(key, before).then(own.1.total_cmp(&other.1));
        }
        self.compare(key, bound)
    }

    fn is_in(&self, key: &[String], (start, end): &Range) -> bool {
        let is_behind = match start {
            Bound::Included(start) => self.against(key, start).is_ge(),
            Bound::Excluded(start) => self.against(key, start).is_gt(),
            Bound::Unbounded => true,
        };
        let is_before = match end {
            Bound::Included(end) => self.against(key, end).is_le(),
            Bound::Excluded(end) => self.against(key, end).is_lt(),
            Bound::Unbounded => true,
        };
        is_behind && is_before
    }

    fn starts_with(&self, key: &[String], first: &[String]) -> bool {
        let Some((last, before)) = first.split_last() else { return true };
        let part = &key[before.len()];
        let is_number = self.is_numeric && !numeric(part).0;
        key.starts_with(before) && (last.is_empty() || !is_number && part.starts_with(last))
    }

    /// Compares lookups with a scan of all objects, which are in order.
    fn check(&self, snapshot: &Snapshot<ConfigMap>, objects: &[&ConfigMap], asked: &Asked) {
        let view = snapshot.by(&self.index);
        let width = self.index.width();
        let found = |hits: Hits<'_, ConfigMap>| {
            let length = hits.len();
            let names: Vec<_> = hits.map(|own| name(own)).collect();
            assert_eq!(length, names.len());
            names
        };
        let wanted = |is_sought: &dyn Fn(&[String]) -> bool| -> Vec<String> {
            let is_hit = |own: &&&ConfigMap| (self.keys_of)(own).iter().any(|key| is_sought(key));
            objects.iter().filter(is_hit).map(|own| name(own)).collect()
        };
        for first in &asked.keys {
            let what = format!("{first:?} of {:?}", self.index);
            if first.len() > width {
                assert!(view.try_get(first).unwrap_err().is_index(), "{what}");
                continue;
            }
            let equal = wanted(&|key| key.starts_with(first));
            assert_eq!(found(view.get(first)), equal, "{what}");
            match (view.get_one(first), &equal[..]) {
                (Ok(None), []) => {}
                (Ok(Some(one)), [wanted]) => assert_eq!(&name(one), wanted, "{what}"),
                (Err(error), [_, _, ..]) => assert!(error.is_ambiguous(), "{what}"),
                (other, wanted) => panic!("{what}: {other:?}, {wanted:?}"),
            }
            let begun = wanted(&|key| self.starts_with(key, first));
            assert_eq!(found(view.starts_with(first)), begun, "{what}");
        }
        for (start, end) in &asked.ranges {
            let short = |bound: &Bound<Vec<String>>| {
                bound.as_ref().map(|parts| parts[..parts.len().min(width)].to_vec())
            };
            let range = (short(start), short(end));
            let within = wanted(&|key| self.is_in(key, &range));
            assert_eq!(found(view.range(range.clone())), within, "{range:?} of {:?}", self.index);
        }
        let mut keys: Vec<_> = objects.iter().flat_map(|own| (self.keys_of)(own)).collect();
        keys.sort_by(|own, other| self.compare(own, other));
        keys.dedup();
        let own = |key: &Key| key.parts().map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(view.keys().iter().map(own).collect::<Vec<_>>(), keys, "{:?}", self.index);
    }
}

type Range = (Bound<Vec<String>>, Bound<Vec<String>>);

#[derive(Debug)]
struct Asked {
    keys: Vec<Vec<String>>,
    ranges: Vec<Range>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let keys = prop::collection::vec(parts(), 1..8);
    let ranges = prop::collection::vec((bound(), bound()), 1..8);
    (keys, ranges).prop_map(|(keys, ranges)| Asked { keys, ranges })
}

proptest! {
    /// SEMANTICS: I2, I3, I7
    #[test]
    fn lookups_find_what_a_loop_would_find(configs in configs(), asked in asked()) {
        let indexes = indexes();
        let handles: Vec<_> = indexes.iter().map(|own| &own.index).collect();
        let snapshot = Snapshot::from_objects(handles, configs.clone()).unwrap();
        let mut all = BTreeMap::new();
        for own in configs {
            all.insert(ObjectKey::of(&own), own);
        }
        for index in &indexes {
            index.check(&snapshot, &all.values().collect::<Vec<_>>(), &asked);
        }
        for namespace in NAMESPACES.into_iter().chain(["c"]) {
            let hits = snapshot.in_namespace(namespace);
            let length = hits.len();
            let names: Vec<_> = hits.map(|own| name(own)).collect();
            let is_in = |(key, _): &(&ObjectKey, &ConfigMap)| key.namespace() == namespace;
            let wanted: Vec<_> = all.iter().filter(is_in).map(|(_, own)| name(own)).collect();
            prop_assert_eq!(&names, &wanted);
            prop_assert_eq!(length, wanted.len());
        }
        for (key, own) in &all {
            prop_assert_eq!(snapshot.get(key).map(|found| &**found), Some(own));
            prop_assert!(snapshot.overlay().delete(key).build().get(key).is_none());
        }
    }
}

/// SEMANTICS: I3
#[test]
fn each_kind_of_range_has_its_bounds() {
    let ports = |name: &str, ports: &[u16]| {
        let mut config = object(&format!("a/{name}"), 1);
        config.data = Some(ports.iter().map(|port| (port.to_string(), port.to_string())).collect());
        config
    };
    let objects = [ports("x", &[80, 443, 8443]), ports("y", &[443]), ports("z", &[9])];
    let by_text = Index::path("data.*").unwrap();
    let by_value = by_text.clone().numeric();
    let snapshot = Snapshot::from_objects((&by_text, &by_value), objects).unwrap();
    let names = |hits: Hits<'_, ConfigMap>| hits.map(|own| name(own)).collect::<Vec<_>>().join(" ");
    let view = snapshot.by(&by_value);
    assert_eq!(names(view.range(9..80)), "a/z");
    assert_eq!(names(view.range(9..=80)), "a/x a/z");
    assert_eq!(names(view.range(..443)), "a/x a/z");
    assert_eq!(names(view.range(81..)), "a/x a/y");
    assert_eq!(names(view.range((Bound::Excluded(443), Bound::Unbounded))), "a/x");
    assert_eq!(names(view.range::<&str>(..)), "a/x a/y a/z");
    assert_eq!(names(view.range("80".."800")), "a/x a/y");
    assert_eq!(names(snapshot.by(&by_text).range("80".."800")), "a/x");
    assert_eq!(names(snapshot.by(&by_text).starts_with(8)), "a/x");
    // None of these panics.
    assert_eq!(names(view.range(443..443)), "");
    assert_eq!(names(view.range((Bound::Included(8443), Bound::Included(80)))), "");
}

/// Ranges compare numbers by value, regardless of their text; other text comes after all numbers.
///
/// SEMANTICS: I3
#[test]
fn a_range_of_numbers_goes_by_their_values() {
    let texts = [
        "-1", "-0", "0", "00", "-0.0", "1", "1.0", "01", "1e0", "2", "1e400", "+1", "1_0", "", "\0",
    ];
    let objects = texts.iter().enumerate().map(|(at, text)| {
        let mut config = object(&format!("{at:02}"), 1);
        config.data = Some([("value".to_owned(), (*text).to_owned())].into());
        config
    });
    let value = Index::path("data.value").unwrap().numeric();
    let snapshot = Snapshot::from_objects(&value, objects).unwrap();
    let view = snapshot.by(&value);
    let found = |hits: Hits<'_, ConfigMap>| {
        hits.map(|own| own.data.as_ref().unwrap()["value"].clone()).collect::<Vec<_>>()
    };
    for zero in ["0", "-0", "0e5"] {
        assert_eq!(found(view.range(zero..=zero)), ["-0", "0", "00", "-0.0"], "{zero}");
        assert_eq!(found(view.range(..zero)), ["-1"], "{zero}");
    }
    assert_eq!(found(view.range(1..2)), ["1", "1.0", "01", "1e0"]);
    assert_eq!(found(view.range((Bound::Excluded(1), Bound::Included(2)))), ["2"]);
    assert_eq!(found(view.range((Bound::Excluded(2), Bound::Unbounded))), texts[10..]);
    assert_eq!(found(view.range("+1"..="+1")), ["+1"]);
    // A key is found by its exact text only.
    for text in texts {
        assert_eq!(found(view.get(text)), [text]);
    }
}
