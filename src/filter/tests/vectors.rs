//! Checks every line of the vector files by every way of reading and removing.

use serde_json::Value;

use crate::{document::with_tape, filter::FieldFilter, path::FieldPath};

const DOCUMENT: &str = include_str!("../../../tests/vectors/document.json");
const PATHS: &str = include_str!("../../../tests/vectors/paths.jsonl");
const REMOVALS: &str = include_str!("../../../tests/vectors/removals.jsonl");

fn rows(text: &str) -> impl Iterator<Item = Value> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// SEMANTICS: P9
#[test]
fn every_path_gives_its_keys() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut count = 0;
    for row in rows(PATHS) {
        count += 1;
        let text = row["path"].as_str().unwrap();
        let parsed = FieldPath::parse(text);
        if row["rejected"] == true {
            let error = parsed.expect_err(text);
            assert!(text.is_char_boundary(error.position()), "{error}");
            assert!(error.position() <= text.len() && !error.hint().is_empty(), "{error}");
            continue;
        }
        let path = parsed.unwrap_or_else(|error| panic!("{error}\n{}", error.caret()));
        let keys = strings(&row["keys"]);
        assert_eq!(path.keys(&document), keys, "{text}");
        assert_eq!(path.keys_of(&document), keys, "{text}");
        assert_eq!(path.keys_in_json(DOCUMENT), keys, "{text}");
        assert_eq!(path.keys_in_json(&document.to_string()), keys, "{text}");
        assert_eq!(with_tape(DOCUMENT, |tape| path.keys_on_tape(tape)).unwrap(), keys, "{text}");
    }
    assert_eq!(count, PATHS.lines().count());
}

/// SEMANTICS: P8, P9
#[test]
fn every_removal_leaves_what_it_should() {
    for row in rows(REMOVALS) {
        let paths = strings(&row["remove"]);
        let filter = FieldFilter::new(&paths);
        if row["rejected"] == true {
            assert!(filter.is_err(), "{paths:?}");
            continue;
        }
        let filter = filter.unwrap();
        let (from, gives) = (&row["from"], &row["gives"]);
        let mut removed = from.clone();
        filter.remove(&mut removed);
        assert_eq!(&removed, gives, "{paths:?}");
        for text in [from.to_string(), serde_json::to_string_pretty(from).unwrap()] {
            let cut = filter.cut(&text).unwrap();
            assert_eq!(&serde_json::from_str::<Value>(&cut).unwrap(), gives, "{paths:?} {cut}");
            assert_eq!(&filter.deserialize::<Value>(&text).unwrap(), gives, "{paths:?}");
        }
    }
}
