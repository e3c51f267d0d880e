//! What must hold of paths and filters, for the fuzzer.
#![expect(clippy::missing_panics_doc, reason = "a panic is how the fuzzer is told")]

use std::sync::LazyLock;

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{FieldFilter, keep::with_tape};
use crate::path::{FieldPath, scalar};

/// Little of everything that a path can tell apart.
static SAMPLES: LazyLock<[Value; 3]> = LazyLock::new(|| {
    let object = json!({
        "a": { "b": "x", "c": [1, 2.5, "x", null, { "b": true }], "a": { "a": "deep" } },
        "b": [{ "a": 1, "b": "x" }, { "a": "1" }, [0, [1]], "y"],
        "c.d": { "": 0, "$": "root", "@": "here", "it's": "quoted", "\"": "x" },
        "metadata": { "name": "n", "labels": { "app.kubernetes.io/name": "web" } },
    });
    [object.clone(), json!([object["b"], [[]], { "b": [{}] }, 3]), json!("scalar")]
});

/// Parsing never panics, what is accepted is written so that it parses again to an equal path, and
/// means what `serde_json_path` takes it for.
pub fn path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let path = match FieldPath::parse(text) {
        Ok(path) => path,
        Err(error) => {
            assert!(text.is_char_boundary(error.position()), "{error}");
            assert!(error.caret().lines().count() == 2, "{error}");
            return;
        }
    };
    assert_eq!(FieldPath::parse(path.as_str()).as_ref(), Ok(&path));
    assert_eq!(FieldPath::parse(&format!(" {path}\n")).as_ref(), Ok(&path));
    // A search below a search takes the square of its time.
    if path.canonical().matches("..").count() > 3 {
        return;
    }
    let canonical = JsonPath::parse(path.canonical()).unwrap();
    // Text of RFC 9535 means the same here, but for escapes.
    let own = JsonPath::parse(text).ok().filter(|_| !text.contains('\\'));
    for value in &*SAMPLES {
        let keys = path.keys(value);
        for query in [Some(&canonical), own.as_ref()].into_iter().flatten() {
            let found = query.query(value);
            let found = found.iter().filter_map(|value| scalar::of_value(value)).collect();
            assert_eq!(keys, scalar::distinct(found), "{path}");
        }
        assert_eq!(path.keys_of(value), keys, "{path}");
        let text = value.to_string();
        assert_eq!(path.keys_in_json(&text), keys, "{path}");
        assert_eq!(with_tape(&text, |tape| path.keys_on_tape(tape)), Some(keys), "{path}");
    }
}

/// What is removed from text, in either way, is what is removed from a value. The first line is
/// paths, with tabs between them; the rest is the text.
pub fn removal(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Some((paths, text)) = text.split_once('\n') else { return };
    let Ok(filter) = FieldFilter::new(paths.split('\t')) else { return };
    if paths.matches("..").count() > 3 {
        return;
    }
    let (cut, decoded) = (filter.cut(text), filter.deserialize::<Value>(text));
    // What is left out need not make sense, so there may be less to decode than there is.
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return };
    filter.remove(&mut value);
    assert_eq!(serde_json::from_str::<Value>(&cut.unwrap()).unwrap(), value, "{paths}");
    assert_eq!(decoded.unwrap(), value, "{paths}");
    let mut again = value.clone();
    if !paths.contains('[') {
        filter.remove(&mut again);
        assert_eq!(again, value, "{paths}");
    }
}
