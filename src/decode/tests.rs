//! Compares the decoder with `serde_json`, for types of all shapes and text of any kind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use k8s_openapi::api::core::v1::Pod;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

use super::{Decoded, kind_in, value::decode};
use crate::{document::with_tape, filter::FieldFilter};

#[derive(Serialize, Deserialize, Debug, Default)]
struct Plain {
    a: Option<i64>,
    #[serde(default)]
    b: Vec<String>,
    #[serde(default)]
    c: BTreeMap<String, Plain>,
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: Value,
    #[serde(default)]
    b: (),
}

#[derive(Serialize, Deserialize, Debug)]
struct Flat {
    a: Option<Box<Value>>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize, Debug)]
struct New(u32);

#[derive(Serialize, Deserialize, Debug)]
struct Pair(i8, Option<f64>);

#[derive(Serialize, Deserialize, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum External {
    #[serde(rename = "a")]
    Unit,
    #[serde(rename = "b")]
    New(Box<Option<External>>),
    #[serde(rename = "c")]
    Tuple(bool, String),
    #[serde(rename = "d")]
    Struct { a: Vec<u8>, b: Option<char> },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "a")]
enum Internal {
    #[serde(rename = "a")]
    Unit,
    #[serde(rename = "b")]
    Struct { b: Option<Vec<i32>> },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(tag = "a", content = "b")]
enum Adjacent {
    #[serde(rename = "a")]
    New(Value),
    #[serde(rename = "b")]
    Struct { a: Option<u8> },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
    List(Vec<Untagged>),
    Fields { a: Option<Box<Untagged>> },
}

/// A type that swallows errors and goes on, as some types do.
#[derive(Debug)]
struct Lenient<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

/// A type that reads two elements and doesn't ask for the rest.
#[derive(Debug)]
struct Two;

impl<'de> Deserialize<'de> for Two {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Two)
    }
}

impl<'de> Visitor<'de> for Two {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        access.next_element::<IgnoredAny>()?;
        access.next_element::<Value>()?;
        Ok(self)
    }
}

/// A type that decodes from a `Cow`, so that the text need not outlive the call.
#[derive(Debug)]
struct Brief(#[allow(dead_code, reason = "it is compared as it is printed")] String);

impl<'de> Deserialize<'de> for Brief {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self(text.into_owned()))
    }
}

/// Decodes the whole text without `serde_json`'s help.
fn alone<T: DeserializeOwned>(text: &str) -> Option<T> {
    let Decoded { object, end, .. } = decode(text.as_bytes(), text, None)?;
    text[end..].trim_ascii().is_empty().then_some(object)
}

/// Decodes the value at the start of the bytes; returns it and its end. Checks its kind, too.
fn first(bytes: &[u8]) -> Option<(Value, usize)> {
    let Decoded { object, end, kind } = decode(bytes, "", None)?;
    assert_eq!(kind, kind_in(bytes));
    Some((object, end))
}

/// A check of text for one type.
type Check = fn(&str, &FieldFilter) -> Result<(), TestCaseError>;

const TYPES: [Check; 42] = [
    check::<Value>,
    check::<IgnoredAny>,
    check::<Plain>,
    check::<Strict>,
    check::<Flat>,
    check::<New>,
    check::<Pair>,
    check::<Unit>,
    check::<External>,
    check::<Internal>,
    check::<Adjacent>,
    check::<Untagged>,
    check::<Brief>,
    check::<Two>,
    check::<()>,
    check::<bool>,
    check::<char>,
    check::<String>,
    check::<Box<RawValue>>,
    check::<Number>,
    check::<i8>,
    check::<u8>,
    check::<i64>,
    check::<u64>,
    check::<i128>,
    check::<u128>,
    check::<f32>,
    check::<f64>,
    check::<(Value, Option<u64>)>,
    check::<[Option<String>; 2]>,
    check::<Vec<Box<RawValue>>>,
    check::<Vec<External>>,
    check::<Vec<Lenient<u8>>>,
    check::<Vec<Lenient<Plain>>>,
    check::<Lenient<Vec<Lenient<External>>>>,
    check::<BTreeMap<String, Lenient<Vec<u8>>>>,
    check::<BTreeMap<String, External>>,
    check::<BTreeMap<External, Value>>,
    check::<BTreeMap<i64, Value>>,
    check::<BTreeMap<u128, Value>>,
    check::<BTreeMap<bool, Value>>,
    check::<BTreeMap<char, Option<Plain>>>,
];

fn check<T: DeserializeOwned + Debug>(
    text: &str,
    filter: &FieldFilter,
) -> Result<(), TestCaseError> {
    let shown = |result: &Result<T, serde_json::Error>| format!("{:?}", result.as_ref().ok());
    let want = serde_json::from_slice::<T>(text.as_bytes());
    if let Some(object) = alone::<T>(text) {
        prop_assert_eq!(shown(&Ok(object)), shown(&want), "alone: {}", text);
    }
    let found = FieldFilter::default().deserialize::<T>(text);
    prop_assert_eq!(shown(&found), shown(&want), "{}", text);
    if let (Err(found), Err(want)) = (found, want) {
        prop_assert_eq!(found.to_string(), want.to_string());
    }
    if let Some((found, json)) = with_tape(text, |tape| (tape.decode::<T>(), tape.to_json())) {
        let want = serde_json::from_slice::<T>(json.as_bytes());
        prop_assert_eq!(shown(&found), shown(&want), "tape: {}", json);
    }
    let found = filter.deserialize::<T>(text);
    if let Ok(cut) = filter.cut(text) {
        let want = serde_json::from_slice::<T>(cut.as_bytes());
        prop_assert_eq!(shown(&found), shown(&want), "{:?} {} {}", filter.paths(), text, cut);
    }
    Ok(())
}

fn scalar() -> impl Strategy<Value = String> {
    const SCALARS: [&str; 44] = [
        "0",
        "-0",
        "7",
        "-12",
        "255",
        "256",
        "1.50",
        "-0.0",
        "0.1e1",
        "1E+2",
        "1e400",
        "-1e-400",
        "5e-324",
        "4294967296",
        "-2147483649",
        "999999999999999999",
        "-999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "9007199254740993",
        "0.30000000000000004",
        "true",
        "false",
        "null",
        "01",
        "1.",
        "-",
        "+1",
        ".5",
        "nul",
        "True",
        "\"a\"",
        "\"b\"",
        "\"\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"a\u{1}\"",
        "\"\\x\"",
        "\"é\"",
        "\"\\u00e9\\n\\/\\\\\\\"\"",
    ];
    // The first 28 are valid JSON.
    prop_oneof![
        20 => select(&SCALARS[..28]).prop_map(str::to_owned),
        1 => select(&SCALARS[..]).prop_map(str::to_owned),
        9 => quoted(),
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\\u0061".to_owned()),
        Just("\\ud83d\\ude00".to_owned()),
        Just("\\t\\\"".to_owned()),
        "[a-z,\\[\\]{}: é]{0,6}",
        "[a-z]{60,70}",
    ];
    vec(part, 0..3).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 14] =
        ["a", "a", "a", "b", "b", "c", "d", "\\u0061", "true", "1", "-12", "1.5", "1 ", "\\u0031"];
    prop_oneof![9 => select(&NAMES[..]).prop_map(|name| format!("\"{name}\"")), 1 => quoted()]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")]
}

fn text() -> impl Strategy<Value = String> {
    let inner = (space(), scalar(), space()).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
    inner.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|elements| format!("[{}]", elements.join(","))),
            (vec((space(), name(), space(), inner), 0..5), space()).prop_map(|(fields, space)| {
                let fields = fields
                    .iter()
                    .map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
                let fields = fields.collect::<Vec<_>>().join(",");
                let fields = if fields.is_empty() { space } else { &fields };
                format!("{space}{{{fields}}}{space}")
            }),
        ]
    })
}

fn filter() -> impl Strategy<Value = FieldFilter> {
    const PATHS: [&str; 14] = [
        "a", "b", "c", "*.a", "a.b", "b[0]", "b[-1]", "[0]", "[-1]", "[1].a", "c.*.b[*]", "a[*].b",
        "b[?@.a]", "b..a",
    ];
    vec(select(&PATHS[..]), 0..4).prop_map(|paths| FieldFilter::new(paths).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// SEMANTICS: P8
    #[test]
    fn any_text_as_any_type(text in text(), filter in filter()) {
        for check in TYPES {
            check(&text, &filter)?;
        }
    }

    #[test]
    fn damaged_text_as_any_type(text in text(), filter in filter(), at in any::<Index>(), len in 0..3usize, with in "[\\[\\]{}:,\"\\\\ 0aé\\x0b]{0,2}") {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars.splice(at..chars.len().min(at + len), with.chars());
        let text: String = chars.into_iter().collect();
        for check in TYPES {
            check(&text, &filter)?;
        }
    }

    #[test]
    fn the_first_value_of_bytes(text in text(), rest in vec(any::<u8>(), 0..5)) {
        if let Some((value, end)) = first(text.as_bytes()) {
            let bytes = [text.as_bytes(), &rest].concat();
            // The bytes behind a number may belong to it.
            if bytes[..end].ends_with(b"}") || bytes[..end].ends_with(b"]") {
                prop_assert_eq!(first(&bytes), Some((value, end)));
            }
            for end in 0..end {
                prop_assert_eq!(first(&text.as_bytes()[..end]).filter(|_| text.starts_with(['{', '['])), None);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text(text in text(), at in any::<Index>(), byte in 0x80..=0xffu8) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some((value, end)) = first(&bytes) {
            prop_assert_eq!(value, serde_json::from_slice::<Value>(&bytes[..end]).unwrap());
        }
    }
}

#[test]
fn what_is_usual_needs_no_help() {
    fn sure<T: DeserializeOwned>(text: &str) {
        assert!(alone::<T>(text).is_some(), "{text}");
    }
    sure::<Value>(
        r#"{"a": [1, -2, 1.5, 1e3, 18446744073709551615, "x", "\"\u00e9\ud83d\ude00", true, null, {}]}"#,
    );
    sure::<Plain>(r#"{"a":null,"b":["x","\n"],"c":{"k":{"a":1,"other":[{"x":[]}]}}}"#);
    sure::<Strict>(r#"{"a":{"x":1}}"#);
    sure::<Flat>(r#"{"a":1,"b":2}"#);
    sure::<Vec<External>>(r#"["a",{"b":null},{"c":[true,"x"]},{"d":{"a":[1],"b":"c"}},{"b":"a"}]"#);
    sure::<Vec<Internal>>(r#"[{"a":"a"},{"b":[1],"a":"b"}]"#);
    sure::<Vec<Adjacent>>(r#"[{"a":"a","b":{}},{"b":{"a":1},"a":"b"}]"#);
    sure::<Untagged>(r#"[1,"x",[],{"a":{"a":2}}]"#);
    sure::<(New, Pair, [u8; 2], Unit, i128, Option<u8>, Brief)>(
        r#"[1,[1,2],[3,4],null,-5,null,"x"]"#,
    );
    sure::<(Vec<u8>, BTreeMap<i32, f32>, Box<RawValue>)>(r#"[[],{"-1":0.5},[1 , 2]]"#);
    let pod = json!({
        "metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "b"}},
        "spec": {"containers": [{
            "name": "c",
            "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "1", "memory": 5}},
            "livenessProbe": {"httpGet": {"port": "http"}, "tcpSocket": {"port": 80}},
        }]},
    });
    sure::<Pod>(&pod.to_string());
}

#[test]
fn as_deep_as_serde_json() {
    for depth in [1, 2, 126, 127, 128, 500] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(alone::<Value>(&text), serde_json::from_str(&text).ok(), "{depth}");
        let text = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert_eq!(alone::<Value>(&text), serde_json::from_str(&text).ok(), "{depth}");
        check::<IgnoredAny>(&text, &FieldFilter::default()).unwrap();
        check::<Value>(&text, &FieldFilter::new(["a.a.b"]).unwrap()).unwrap();
    }
}

#[test]
fn a_list_is_as_large_as_need_be() {
    let name = "[,\\\"]".repeat(9);
    let text = format!(
        r#"{{"c":{{"x":{{"b":[ ]}},"y":{{"b":["{name}" , "[", "a,b"]}}}},"b":["1","2","3","4","5"]}}"#
    );
    let sizes = |filter: &[&str]| {
        let filter = FieldFilter::new(filter).unwrap();
        let object: Plain = filter.deserialize(&text).unwrap();
        [&object.b, &object.c["x"].b, &object.c["y"].b].map(|list| (list.len(), list.capacity()))
    };
    assert_eq!(sizes(&[]), [(5, 5), (0, 0), (3, 3)]);
    assert_eq!(sizes(&["b[0]", "b[-2]", "*.y.b[5]"]), [(3, 3), (0, 0), (3, 3)]);
    assert_eq!(sizes(&["c.*.b[*]"]), [(5, 5), (0, 0), (0, 0)]);
}

#[test]
fn errors_tell_where_in_the_whole_text() {
    let filter = FieldFilter::new(["a.x", "b[0]"]).unwrap();
    let text = "{\"a\": {\"x\": [1,\n2]},\n \"b\": [3, \"é\", 4, 5, {}]}";
    let error = filter.deserialize::<BTreeMap<String, Vec<u8>>>(text).unwrap_err();
    assert_eq!((error.line(), error.column()), (1, 6));
    let text = text.replace("{\"x\": [1,\n2]}", "[1,\n2]").replace("\"é\"", "2");
    let error = filter.deserialize::<BTreeMap<String, Vec<u8>>>(&text).unwrap_err();
    let line = text.lines().nth(error.line() - 1).unwrap();
    assert_eq!(&line[..error.column()], " \"b\": [3, 2, 4, 5, ", "{error}");
}

/// A variant that is named by a number, which JSON can't.
#[derive(Debug)]
struct Numbered;

impl<'de> serde::Deserialize<'de> for Numbered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = Numbered;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number")
            }

            fn visit_enum<A: serde::de::EnumAccess<'de>>(
                self,
                data: A,
            ) -> Result<Numbered, A::Error> {
                let (_, rest) = data.variant::<u32>()?;
                serde::de::VariantAccess::unit_variant(rest).map(|()| Numbered)
            }
        }
        deserializer.deserialize_enum("Numbered", &[], Visit)
    }
}

#[test]
fn the_name_of_a_variant_is_text() {
    for text in [r#"{"7":null}"#, r#""7""#, "{}", r#"{"a":null,"b":null}"#] {
        check::<Numbered>(text, &FieldFilter::default()).unwrap();
        check::<External>(text, &FieldFilter::default()).unwrap();
    }
}
