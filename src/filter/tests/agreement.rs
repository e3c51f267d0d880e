//! Checks that all ways of reading and removing agree, on any JSON and any path.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};
use serde_json_path::NormalizedPath;

use crate::{
    decode::Decode,
    document::{Documents, with_tape},
    filter::{FieldFilter, FieldSelector, cut, tree::Tree},
    path::{FieldPath, STEPS_TAKEN, Step, scalar},
    tape::Types,
};

/// Few names, so that paths lead somewhere; some take escapes in JSON or in paths.
const NAMES: [&str; 6] = ["a", "b", "c.d", "it's", "q\"\\", "ключ"];

fn json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-9..9i32).prop_map(Value::from),
        // Few digits: without a feature of its own, serde_json does not read back every digit it wrote.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 16.0)),
        (-9..9i32).prop_map(|n| Value::from(f64::from(n) / 2.0)),
        prop_oneof![Just("x\n\u{1f600}\"".to_owned()), "[a-z{\\[\\]},:\\\\]{0,4}"]
            .prop_map(Value::String),
    ];
    scalar.prop_recursive(5, 60, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            vec((proptest::sample::select(&NAMES[..]), inner), 0..5).prop_map(|fields| {
                Value::Object(
                    fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

fn plain_step() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(&NAMES[..]);
    prop_oneof![
        4 => name.prop_map(|name| format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))),
        2 => (-3..4).prop_map(|index| format!("[{index}]")),
        2 => Just("[*]".to_owned()),
    ]
}

fn any_step() -> impl Strategy<Value = String> {
    const OTHER: [&str; 32] = [
        "..a",
        "..[0]",
        "..[-1]",
        "..*",
        "..['a','b']",
        "..[1:]",
        "[0,-1]",
        "[0,0,1]",
        "[*,'a',0]",
        "['a','b']",
        "['b','a','b']",
        "[1:]",
        "[:-1]",
        "[-2:9]",
        "[::-1]",
        "[2:0:-2]",
        "[1:1]",
        "[?(@.a)]",
        "[?@=='x']",
        "[?@>0]",
        "[?@..a]",
        "..[?@.a]",
        "..[?@..b]",
        "[?@.a == $.a]",
        "[?count($..a) > 1]",
        "[?@[?@.a]]",
        "[?$.a == $['c.d']]",
        "[?@ == @.a || @.a == $.a]",
        "[?length(@.a) == 1]",
        "[?value(@..a) == 'x']",
        "[?search(@, '[a-z]')]",
        "[?match($.a, 'x?') || @]",
    ];
    prop_oneof![2 => plain_step(), 1 => proptest::sample::select(&OTHER[..]).prop_map(str::to_owned)]
}

/// Generates paths that the query engine evaluates fast: once for each search it finds again what it
/// found.
fn searched_path() -> impl Strategy<Value = String> {
    path(any_step()).prop_filter("few searches", |path| path.matches("..").count() < 4)
}

fn path(step: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec(step, 1..5).prop_map(|steps| steps.concat())
}

/// Generates paths below `spec`, so that a filter accepts them.
fn below_spec(step: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    path(step).prop_map(|path| format!("spec{path}"))
}

/// Writes the JSON with every name in escapes and with white space everywhere.
fn spelled_out(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            out.push_str("{ ");
            for (index, (name, value)) in fields.iter().enumerate() {
                out.push_str(if index == 0 { "\"" } else { " ,\n\"" });
                name.encode_utf16().for_each(|unit| out.extend(format!("\\u{unit:04x}").chars()));
                out.push_str("\" :\t");
                spelled_out(value, out);
            }
            out.push_str(" }");
        }
        Value::Array(elements) => {
            out.push_str("[ ");
            for (index, value) in elements.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { " ,\r\n" });
                spelled_out(value, out);
            }
            out.push_str(" ]");
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn spellings(value: &Value) -> [String; 3] {
    let mut escaped = String::from(" ");
    spelled_out(value, &mut escaped);
    [value.to_string(), serde_json::to_string_pretty(value).unwrap(), escaped]
}

/// SEMANTICS: B1
#[test]
fn a_union_on_a_tape_looks_at_each_child_once_for_each_node() {
    let json = format!("[{}]", vec![r#"{"a":1,"b":2}"#; 100_000].join(","));
    let path = FieldPath::parse("[*]['a','b','a']").unwrap();
    STEPS_TAKEN.set(0);
    assert_eq!(with_tape(&json, |tape| path.keys_on_tape(tape)).unwrap(), ["1", "2"]);
    assert!(STEPS_TAKEN.get() < 450_000, "{}", STEPS_TAKEN.get());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    /// SEMANTICS: P6, P7
    #[test]
    fn keys_are_the_same_from_everywhere(value in json(), path in path(any_step())) {
        let path = FieldPath::parse(&path).unwrap();
        let keys = path.keys(&value);
        prop_assert_eq!(&path.keys_of(&value), &keys);
        for text in spellings(&value) {
            prop_assert_eq!(&path.keys_in_json(&text), &keys, "{}", text);
            let kept = with_tape(&text, |tape| path.keys_on_tape(tape));
            prop_assert_eq!(kept.as_ref(), Some(&keys), "{}", text);
        }
    }

    /// Checks the order, too.
    /// SEMANTICS: P3, P7
    #[test]
    fn paths_mean_what_the_query_engine_says(value in json(), path in searched_path()) {
        let path = FieldPath::parse(&path).unwrap();
        let query = serde_json_path::JsonPath::parse(path.canonical()).unwrap();
        let found = query.query(&value);
        let keys = scalar::distinct(found.iter().filter_map(|v| scalar::of_value(v)).collect());
        prop_assert_eq!(path.keys(&value), keys);
    }

    /// SEMANTICS: P8
    #[test]
    fn removals_leave_the_same_everywhere(spec in json(), paths in vec(below_spec(any_step()), 1..4)) {
        let value = serde_json::json!({ "metadata": { "name": "x" }, "spec": spec, "z": [1] });
        let filter = FieldFilter::new(&paths).unwrap();
        let mut removed = value.clone();
        filter.remove(&mut removed);
        for text in spellings(&value) {
            let cut = filter.cut(&text).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&cut).unwrap(), &removed, "{}", cut);
            prop_assert_eq!(&filter.deserialize::<Value>(&text).unwrap(), &removed, "{}", text);
        }
    }

    /// SEMANTICS: P8
    #[test]
    fn one_removal_takes_what_the_query_engine_finds(spec in json(), path in searched_path()) {
        let value = serde_json::json!({ "spec": spec });
        let path = format!("spec{path}");
        let filter = FieldFilter::new([&path]).unwrap();
        let query = serde_json_path::JsonPath::parse(filter.paths()[0].canonical()).unwrap();
        let mut found: Vec<String> = query.query_located(&value).locations().map(NormalizedPath::to_json_pointer).collect();
        // From the end of arrays, so that the remaining elements keep their indexes; parents last.
        found.sort_by_key(|pointer| std::cmp::Reverse(pointer.split('/').map(|part| format!("{part:0>6}")).collect::<Vec<_>>()));
        found.dedup();
        let mut removed = value.clone();
        filter.remove(&mut removed);
        let mut naive = value.clone();
        for pointer in found {
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            match naive.pointer_mut(parent) {
                Some(Value::Object(fields)) => {
                    fields.remove(&last.replace("~1", "/").replace("~0", "~"));
                }
                Some(Value::Array(elements)) if last.parse::<usize>().unwrap() < elements.len() => {
                    elements.remove(last.parse().unwrap());
                }
                _ => {}
            }
        }
        prop_assert_eq!(removed, naive);
    }

    /// Checks that what an index reads is kept, whatever the filter removes; also in later objects, when
    /// the filter has learned a shape.
    #[test]
    fn keys_are_the_same_of_what_is_kept_for_them(
        specs in vec(json(), 1..3),
        paths in vec(prop_oneof![below_spec(any_step()), path(any_step())], 1..4),
    ) {
        let paths: Vec<_> = paths.iter().map(|path| FieldPath::parse(path).unwrap()).collect();
        let decoder = Documents::new(FieldFilter::keeping(&paths, false));
        for spec in specs {
            let meta = serde_json::json!({ "name": "x", "uid": "u", "labels": spec });
            let value = serde_json::json!({ "a": spec, "metadata": meta, "spec": spec, "kind": "K" });
            for text in spellings(&value) {
                let kept = decoder.first(text.as_bytes(), &Types::default()).unwrap().object;
                for path in &paths {
                    prop_assert_eq!(kept.get(path), path.keys(&value), "{} {}", path, text);
                }
            }
        }
    }

    #[test]
    fn selectors_agree(value in json(), path in path(any_step()), wanted in "[a-z]{0,1}") {
        let selector = FieldSelector::parse(&format!("{path}={wanted}")).unwrap();
        let negated = FieldSelector::parse(&format!("{path}!={wanted}")).unwrap();
        let holds = selector.matches(&value);
        prop_assert_eq!(selector.matches_of(&value), holds);
        prop_assert_eq!(selector.matches_json(&value.to_string()), holds);
        let kept = with_tape(&value.to_string(), |tape| selector.matches_on_tape(tape));
        prop_assert_eq!(kept, Some(holds));
        prop_assert_eq!(negated.matches(&value), !holds);
    }

    /// SEMANTICS: P5
    #[test]
    fn any_text_is_parsed_or_rejected_at_a_character(text in "[a-c.$@{}()?*=!,:0-2'\"\\[\\]\\\\ -é]{0,16}") {
        for error in [FieldPath::parse(&text).err(), FieldSelector::parse(&text).err()].into_iter().flatten() {
            prop_assert!(text.is_char_boundary(error.position()));
            prop_assert_eq!(error.caret().lines().count(), 2);
        }
        if let Ok(path) = FieldPath::parse(&text) {
            let again = FieldPath::parse(path.as_str()).unwrap();
            prop_assert_eq!(path.as_str(), again.as_str());
            prop_assert_eq!(&path, &again);
        }
    }

    #[test]
    fn broken_text_never_panics(value in json(), path in below_spec(plain_step()), at in any::<proptest::sample::Index>(), with in "[\\[\\]{}:,\"\\\\ 0é]{0,2}") {
        let mut text = serde_json::json!({ "spec": value }).to_string();
        let mut start = at.index(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        text.replace_range(start..start + text[start..].chars().next().map_or(0, char::len_utf8), &with);
        let filter = FieldFilter::new([&path]).unwrap();
        let decodes = serde_json::from_str::<Value>(&text).is_ok();
        let cut = filter.cut(&text);
        prop_assert!(!decodes || cut.is_ok());
        if let Ok(cut) = cut {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&cut).is_ok(), "{}", cut);
        }
        let mut tree = Tree::default();
        tree.insert(&[Step::Name("spec".into()), Step::Any]);
        let _ = cut::from_json(&text, &tree.root().unwrap());
        let _ = FieldPath::parse(&path).unwrap().keys_in_json(&text);
    }
}
