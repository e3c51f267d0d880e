//! ARCHITECTURE.md's statement about the crates whose types are in the public API.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

/// Allowed types in the public API: these, and all with one of these prefixes that end in `::`.
const EVERYWHERE: [&str; 14] = [
    "alloc::",
    "core::",
    "std::",
    "futures_core::stream::",
    // From the prelude.
    "futures_util::stream::stream::StreamExt",
    "k8s_openapi::",
    "kube_client::",
    "kube_core::",
    "kube_runtime::",
    // From the bound of an `Unpin` impl that the macro writes.
    "pin_project_lite::__private::PinnedFieldsOf",
    "serde_core::de::",
    "serde_core::ser::",
    // From functions that convert text: `FieldFilter::cut`, `deserialize`.
    "serde_json::error::Error",
    "serde_json::value::Value",
];

/// Types that are also allowed in `kube_weir::testing`: those of HTTP services.
const IN_TESTING: [&str; 5] =
    ["bytes::bytes::Bytes", "http::", "http_body::", "tower::BoxError", "tower_service::Service"];

/// Returns the public API as described by rustdoc.
fn described() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // target/debug/deps/it-... -> target
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).unwrap();
    let done = Command::new(env!("CARGO"))
        .args(["rustdoc", "--lib", "--all-features", "--target-dir"])
        .arg(target)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .env("RUSTDOC", root.join(".ci/rustdoc"))
        .current_dir(root)
        .status();
    assert!(done.unwrap().success(), "rustdoc failed");
    let json = target.join("doc/kube_weir.json");
    serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap()
}

/// Collects the ids of all types and traits named in an item, and of its re-exports.
fn named<'a>(value: &'a Value, ids: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("path") || fields.contains_key("is_glob") {
                ids.extend(fields.get("id"));
            }
            fields.values().for_each(|value| named(value, ids));
        }
        Value::Array(items) => items.iter().for_each(|value| named(value, ids)),
        _ => {}
    }
}

#[test]
#[ignore = "documents the crate: just public-types"]
fn only_types_of_few_crates_are_public() {
    let described = described();
    let is_own = |item: &Value| item["crate_id"] == 0;
    let mut seen = BTreeSet::new();
    let mut leaks = BTreeSet::new();
    for item in described["index"].as_object().unwrap().values().filter(|item| is_own(item)) {
        // Blanket implementations of the used crates for every type.
        if !item["inner"]["impl"]["blanket_impl"].is_null() {
            continue;
        }
        let file = item["span"]["filename"].as_str().unwrap_or_default();
        let mut ids = Vec::new();
        named(&item["inner"], &mut ids);
        for id in ids {
            // Private items have no path.
            let Some(other) = described["paths"].get(id.to_string()) else { continue };
            if is_own(other) {
                continue;
            }
            let path: Vec<_> = other["path"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            let path = path.join("::");
            let fits = |allowed: &&str| {
                path == *allowed || allowed.ends_with("::") && path.starts_with(allowed)
            };
            let testing = IN_TESTING.iter().filter(|_| file.starts_with("src/testing/"));
            if !EVERYWHERE.iter().chain(testing).any(fits) {
                leaks.insert(format!("{path} in {file}, line {}", item["span"]["begin"][0]));
            }
            seen.insert(path);
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    // Otherwise nothing was read.
    for allowed in EVERYWHERE.iter().chain(&IN_TESTING) {
        assert!(seen.iter().any(|path| path.starts_with(allowed)), "nothing shows {allowed}");
    }
}
