//! Compares `Document` with `serde_json`: both read the same object, or none.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;

use crate::{
    decode::{Decode, Decoded, kind_in},
    document::{Document, Documents},
    filter::FieldFilter,
    json::Fault,
    path::FieldPath,
    tape::Types,
};

/// JSON in any notation: any white space, any escapes, names that repeat.
#[derive(Clone, Debug)]
enum Json {
    Scalar(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn quoted() -> impl Strategy<Value = String> {
    const PARTS: [&str; 16] = [
        "a",
        "b",
        "é",
        "\u{1f600}",
        "\\\"",
        "\\\\",
        "\\n",
        "\\/",
        "\\u0061",
        "\\u00E9",
        "\\ud83d\\ude00",
        "{",
        "]",
        "$",
        ", ",
        "a rather long part of a string ",
    ];
    vec(proptest::sample::select(&PARTS[..]), 0..4)
        .prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 10] = [
        "\"a\"",
        "\"b\"",
        "\"c.d\"",
        "\"\\u0061\"",
        "\"\\u0062\"",
        "\"a\\u002fb\"",
        "\"a\\/b\"",
        "\"a/b\"",
        "\"\\\"\"",
        "\"\\u0022\"",
    ];
    prop_oneof![9 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => quoted()]
}

fn json() -> impl Strategy<Value = Json> {
    const NUMBERS: [&str; 12] = [
        "0",
        "-0",
        "7",
        "-12",
        "1.50",
        "0.1e1",
        "1E+2",
        "18446744073709551616",
        "9007199254740993",
        "true",
        "false",
        "null",
    ];
    let scalar =
        prop_oneof![proptest::sample::select(&NUMBERS[..]).prop_map(str::to_owned), quoted()];
    scalar.prop_map(Json::Scalar).prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Json::Array),
            vec((name(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}

/// Generates objects with an identity, in any order.
fn object() -> impl Strategy<Value = Json> {
    let scalar = |text: &str| Json::Scalar(text.to_owned());
    let metadata = vec((name(), json()), 0..4).prop_map(move |mut fields| {
        fields.push(("\"name\"".into(), scalar("\"x\\u002dy\"")));
        fields.push(("\"uid\"".into(), scalar("\"u\"")));
        fields.push(("\"resourceVersion\"".into(), scalar("\"7\"")));
        fields
    });
    (metadata.prop_shuffle(), vec((name(), json()), 0..6), any::<bool>()).prop_flat_map(
        move |(metadata, mut fields, typed)| {
            fields.push(("\"metadata\"".into(), Json::Object(metadata)));
            if typed {
                fields.push(("\"kind\"".into(), scalar("\"K\"")));
            }
            Just(fields).prop_shuffle().prop_map(Json::Object)
        },
    )
}

/// Writes the JSON with white space from `spaces` between its tokens.
fn written(json: &Json, spaces: &mut impl Iterator<Item = &'static str>, out: &mut String) {
    let mut token = |token: &str, out: &mut String| {
        out.push_str(token);
        out.push_str(spaces.next().unwrap_or_default());
    };
    match json {
        Json::Scalar(text) => token(text, out),
        Json::Array(elements) => {
            token("[", out);
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                written(element, spaces, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            token("{", out);
            for (index, (name, value)) in fields.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(spaces.next().unwrap_or_default());
                out.push_str(name);
                out.push_str(spaces.next().unwrap_or_default());
                out.push(':');
                written(value, spaces, out);
            }
            out.push('}');
        }
    }
    out.push_str(spaces.next().unwrap_or_default());
}

fn text() -> impl Strategy<Value = String> {
    const SPACES: [&[&str]; 3] = [&[""], &[" ", "", "\n\t"], &["", "", "\r\n  ", ""]];
    (object(), proptest::sample::select(&SPACES[..])).prop_map(|(object, spaces)| {
        let mut text = String::new();
        written(&object, &mut spaces.iter().copied().cycle(), &mut text);
        text
    })
}

fn filter() -> impl Strategy<Value = FieldFilter> {
    const PATHS: [&str; 14] = [
        "a",
        "b",
        "*.a",
        "a.b",
        "b[0]",
        "b[-1]",
        "a[*].b",
        "b[1].a",
        "metadata.a",
        "metadata.b[*]",
        "['a/b']",
        "*['c.d']",
        "a[?@.b]",
        "b..a",
    ];
    vec(proptest::sample::select(&PATHS[..]), 0..3)
        .prop_map(|paths| FieldFilter::new(paths).unwrap())
}

fn types() -> Types {
    Types::new(Some("v1"), Some("K"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_document_is_what_serde_json_reads(text in text(), filter in filter(), rest in "[ ,x]{0,2}") {
        let mut want: Value = serde_json::from_str(&text).unwrap();
        filter.remove(&mut want);
        let bytes = format!("{text}{rest}").into_bytes();
        let Decoded { object: document, end, kind } =
            Documents::new(filter.clone()).first(&bytes, &types()).unwrap();
        prop_assert_eq!(kind, kind_in(&bytes));
        prop_assert_eq!(end, text.trim_end().len());
        let typed = want.get("kind").is_some() || want.get("apiVersion").is_some();
        if !typed {
            want["apiVersion"] = "v1".into();
            want["kind"] = "K".into();
        }
        prop_assert_eq!(&document.to_value(), &want, "{}", document.to_json());
        prop_assert_eq!((document.name(), document.uid(), document.resource_version(), document.namespace()), ("x-y", Some("u"), Some("7"), None));
        prop_assert_eq!(serde_json::to_value(&document).unwrap(), want.clone());
        prop_assert_eq!(serde_json::from_str::<Value>(&serde_json::to_string(&document).unwrap()).unwrap(), want);
        // Parsing the JSON of a document gives the same JSON.
        prop_assert_eq!(Document::from_json(&document.to_json()).unwrap().to_json(), document.to_json());
        let parsed = document.parse::<Value>().unwrap();
        prop_assert_eq!(parsed, document.to_value());
    }

    #[test]
    fn what_came_before_makes_no_difference(texts in vec(text(), 1..4), filter in filter()) {
        let object = |decoder: &Documents, text: &str| decoder.whole(text, &Types::default()).unwrap().object;
        let alone = |text: &str| object(&Documents::new(filter.clone()), text);
        let decoder = Documents::new(filter.clone());
        // Twice, so that the learned shape is used.
        for text in texts.iter().chain(&texts) {
            let document = object(&decoder, text);
            prop_assert_eq!(document.to_json(), alone(text).to_json());
            prop_assert_eq!(document, alone(text));
        }
    }

    #[test]
    fn keys_are_those_of_the_value(text in text(), path in proptest::sample::select(&["a", "a.b", "*.a", "a[*]", "b[-1].a", "metadata.*", "*[*].a", "['a/b']", "a.a.a", "b[1]", "*"][..])) {
        let document = Document::from_json(&text).unwrap();
        let path = FieldPath::parse(path).unwrap();
        let sorted = |mut keys: Vec<String>| {
            keys.sort();
            keys
        };
        // A `Value` has its fields in another order.
        prop_assert_eq!(sorted(document.get(&path)), sorted(path.keys(&document.to_value())));
    }

    #[test]
    fn a_part_is_incomplete(text in text(), filter in filter(), at in any::<Index>()) {
        let text = text.trim_end();
        let part = &text.as_bytes()[..at.index(text.len())];
        let decoded = Documents::new(filter).first(part, &Types::default());
        prop_assert_eq!(decoded.err(), Some(Fault::Incomplete));
    }

    #[test]
    fn what_is_kept_is_valid(text in text(), filter in filter(), at in any::<Index>(), with in prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        proptest::sample::select(&["\\ud800", "1e999", "\"", "\\", "{", "]", ",", "", "\u{1}", "00", "-"][..]).prop_map(|text| text.as_bytes().to_vec()),
    ]) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes.splice(at..=at, with);
        if let Ok(Decoded { object: document, end, .. }) =
            Documents::new(filter.clone()).first(&bytes, &Types::default())
        {
            prop_assert!(end <= bytes.len());
            prop_assert!(serde_json::from_str::<Value>(&document.to_json()).is_ok(), "{}", document.to_json());
            if filter.is_empty() {
                prop_assert_eq!(document.to_value(), serde_json::from_slice::<Value>(&bytes[..end]).unwrap());
            }
        } else if let Ok(Value::Object(object)) = serde_json::from_slice(&bytes) {
            // Only the identity is invalid.
            let metadata = &object.get("metadata").cloned().unwrap_or_default();
            let odd = ["name", "namespace", "uid", "resourceVersion"].iter().any(|name| !matches!(metadata.get(name), None | Some(Value::Null | Value::String(_))));
            prop_assert!(odd || metadata["name"].as_str().is_none_or(str::is_empty), "{:?}", bytes);
        }
    }
}
