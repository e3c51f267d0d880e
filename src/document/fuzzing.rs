//! Properties of documents that the fuzzer checks.
#![expect(clippy::missing_panics_doc, reason = "a panic is a finding of the fuzzer")]

use std::sync::LazyLock;

use serde_json::Value;

use super::{Document, Documents, ObjectMetaRef};
use crate::{
    decode::{Decode, Decoded},
    filter::FieldFilter,
    json::Fault,
    path::FieldPath,
    tape::Types,
};

static DECODERS: LazyLock<Vec<Documents>> = LazyLock::new(|| {
    let paths: [&[&str]; 8] = [
        &[],
        &["a"],
        &["metadata.managedFields", "status"],
        &["a.b", "*.c"],
        &["a[0]", "a[-1].b"],
        &["spec.containers[*].env", "metadata.labels['a.b/c']"],
        &["a[*]"],
        &["a[?@.b]", "status..c"],
    ];
    paths.map(|paths| Documents::new(FieldFilter::new(paths).unwrap())).into()
});

static PATHS: LazyLock<Vec<FieldPath>> = LazyLock::new(|| {
    ["metadata.name", "a.b", "*.*", "a[*].b", "a[-1]", "spec.containers[*].image"]
        .map(|path| FieldPath::parse(path).unwrap())
        .into()
});

/// Checks that a document equals what `serde_json` reads, without the filtered fields, for any bytes.
/// The first byte chooses the filter.
pub fn document(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let decoder = &DECODERS[usize::from(*choice) % DECODERS.len()];
    let value = serde_json::from_slice::<Value>(bytes);
    match decoder.first(bytes, &Types::default()) {
        Ok(Decoded { object, end, .. }) => {
            agrees(&object, decoder.filter(), &bytes[..end]);
            let part = usize::from(*choice) * end / 256;
            let part = decoder.first(&bytes[..part], &Types::default());
            assert!(matches!(part, Err(Fault::Incomplete)));
        }
        Err(Fault::Incomplete) => assert!(value.is_err()),
        Err(Fault::Malformed) => assert!(!value.is_ok_and(|value| is_object(&value))),
    }
}

fn agrees(document: &Document, filter: &FieldFilter, bytes: &[u8]) {
    let json = document.to_json();
    let value: Value = serde_json::from_str(&json).unwrap();
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut want) => {
            filter.remove(&mut want);
            assert_eq!(value, want);
        }
        // A filtered field is invalid.
        Err(_) => assert!(!filter.is_empty()),
    }
    if filter.is_empty() {
        // The identity alone, read from the text, where escapes are kept.
        let own = ObjectMetaRef::of(str::from_utf8(bytes).unwrap()).unwrap();
        let unescaped = |text| serde_json::from_str::<Value>(&format!("\"{text}\"")).unwrap();
        let meta = &value["metadata"];
        assert_eq!(unescaped(own.name), meta["name"]);
        for (own, name) in [
            (own.namespace, "namespace"),
            (own.uid, "uid"),
            (own.resource_version, "resourceVersion"),
        ] {
            assert_eq!(own.map_or(Value::Null, unescaped), meta[name]);
        }
    }
    assert_eq!(document.name(), value["metadata"]["name"]);
    assert_eq!(document.namespace(), value["metadata"]["namespace"].as_str());
    assert_eq!(document.uid(), value["metadata"]["uid"].as_str());
    assert_eq!(document.resource_version(), value["metadata"]["resourceVersion"].as_str());
    assert_eq!(serde_json::to_value(document).unwrap(), value);
    assert_eq!(Document::from_json(&json).unwrap().to_json(), json);
    for path in &*PATHS {
        let sorted = |mut keys: Vec<String>| {
            keys.sort();
            keys
        };
        assert_eq!(sorted(document.get(path)), sorted(path.keys(&value)));
    }
}

/// Returns whether the value has a valid identity of an object.
pub(crate) fn is_object(value: &Value) -> bool {
    let Some(metadata) = value.get("metadata").and_then(Value::as_object) else { return false };
    let strings = ["name", "namespace", "uid", "resourceVersion"]
        .iter()
        .filter_map(|name| metadata.get(*name))
        .all(|value| value.is_string() || value.is_null());
    strings && metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty())
}
