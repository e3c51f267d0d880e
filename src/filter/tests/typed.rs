//! Objects of Rust types: paths must see what serde writes, and filters must leave it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{document::with_tape, filter::FieldFilter, path::FieldPath};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Typed {
    #[serde(flatten)]
    kind: Kind,
    metadata: Meta,
    number: f64,
    small: f32,
    option: Option<u8>,
    new: Wrapped,
    pair: (u64, char),
    unit: (),
    units: Vec<Shape>,
    by_number: BTreeMap<i32, String>,
    by_flag: BTreeMap<bool, u8>,
    by_shape: BTreeMap<Name, u8>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Kind {
    kind: String,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Meta {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Wrapped(i64);

#[derive(Serialize, Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    First,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Shape {
    Unit,
    New(Option<u8>),
    Tuple(u8, u8),
    Struct {
        x: u8,
        #[serde(default)]
        y: u8,
    },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "type")]
enum Tagged {
    A {
        x: u8,
    },
    B {
        #[serde(default)]
        l: Vec<Value>,
    },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    Fields { a: u8 },
    Any(Value),
}

fn typed() -> Typed {
    Typed {
        kind: Kind { kind: "Thing".into() },
        metadata: Meta { name: "x".into(), labels: BTreeMap::from([("a.b".into(), "c".into())]) },
        number: 80.0,
        small: 0.5,
        option: Some(7),
        new: Wrapped(-3),
        pair: (u64::MAX, 'ц'),
        unit: (),
        units: vec![
            Shape::Unit,
            Shape::New(None),
            Shape::Tuple(1, 2),
            Shape::Struct { x: 3, y: 4 },
        ],
        by_number: BTreeMap::from([(-1, "minus".into()), (10, "ten".into())]),
        by_flag: BTreeMap::from([(true, 1)]),
        by_shape: BTreeMap::from([(Name::First, 1)]),
        rest: BTreeMap::from([("spec".into(), json!({ "l": [1, [2], { "m": 3 }], "s": "t" }))]),
    }
}

/// SEMANTICS: P6, P7
#[test]
fn keys_of_typed_objects_are_those_of_their_json() {
    let object = typed();
    let value = serde_json::to_value(&object).unwrap();
    let text = value.to_string();
    let paths = [
        "kind",
        "metadata.name",
        "metadata.labels['a.b']",
        "metadata",
        "number",
        "small",
        "option",
        "new",
        "pair[0]",
        "pair[-1]",
        "pair[*]",
        "unit",
        "units[*]",
        "units[0]",
        "units[0].x",
        "units[*].New",
        "units[*].Tuple[*]",
        "units[2].Tuple[-1]",
        "units[*].Struct.y",
        "units[-1].Struct.*",
        "units[-1].*.x",
        "units[9]",
        "units[-9]",
        "by_number['-1']",
        "by_number.10",
        "by_number.*",
        "by_flag.true",
        "by_shape.First",
        "spec.l[*]",
        "spec.l[1][0]",
        "spec.l[-1].m",
        "spec.*",
        "*",
        "*.*",
        "..x",
        "missing.x",
        "units[?@.Tuple].Tuple[0]",
    ];
    for text_path in paths {
        let path = FieldPath::parse(text_path).unwrap();
        let keys = path.keys(&value);
        assert_eq!(path.keys_in_json(&text), keys, "{text_path}");
        assert_eq!(with_tape(&text, |tape| path.keys_on_tape(tape)).unwrap(), keys, "{text_path}");
        let mut own = path.keys_of(&object);
        if text_path.contains('*') {
            // A value keeps its fields in alphabetical order, a struct in its own.
            let mut keys = keys;
            own.sort();
            keys.sort();
            assert_eq!(own, keys, "{text_path}");
        } else {
            assert_eq!(own, keys, "{text_path}");
        }
    }
    assert_eq!(FieldPath::parse("pair[0]").unwrap().keys_of(&object), ["18446744073709551615"]);
}

#[test]
fn of_fields_with_one_name_the_last_counts() {
    #[derive(Serialize)]
    struct Object {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
    }
    let object = Object { a: 1, rest: BTreeMap::from([("a", 2)]) };
    let path = FieldPath::parse("a").unwrap();
    assert_eq!(path.keys_of(&object), ["2"]);
    assert_eq!(path.keys(&serde_json::to_value(&object).unwrap()), ["2"]);
}

#[test]
fn only_what_the_path_leads_to_is_serialized() {
    struct Untouchable;
    impl Serialize for Untouchable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("serialized")
        }
    }
    #[derive(Serialize)]
    struct Object {
        metadata: BTreeMap<&'static str, &'static str>,
        spec: Untouchable,
        list: (u8, Untouchable),
    }
    let object = Object {
        metadata: BTreeMap::from([("name", "x")]),
        spec: Untouchable,
        list: (1, Untouchable),
    };
    assert_eq!(FieldPath::parse("metadata.name").unwrap().keys_of(&object), ["x"]);
    assert_eq!(FieldPath::parse("list[-2]").unwrap().keys_of(&object), ["1"]);
    assert_eq!(FieldPath::parse("list").unwrap().keys_of(&object), [""; 0]);
}

#[test]
fn raw_text_is_read_and_cut_too() {
    #[derive(Serialize, Deserialize)]
    struct Object {
        raw: Box<RawValue>,
    }
    let object: Object = serde_json::from_str(r#"{"raw":{"a":[1,{"b": 2.50}]}}"#).unwrap();
    assert_eq!(FieldPath::parse("raw.a[1].b").unwrap().keys_of(&object), ["2.5"]);
    let filter = FieldFilter::new(["raw.a[0]"]).unwrap();
    let cut: Object = filter.deserialize(&serde_json::to_string(&object).unwrap()).unwrap();
    assert_eq!(cut.raw.get(), r#"{"a":[{"b": 2.50}]}"#);
}

/// Checks that decoding with a filter gives the same as decoding the text that the filter leaves, errors
/// included.
fn same<T: DeserializeOwned + PartialEq + Debug>(text: &str, paths: &[&str]) -> Option<T> {
    let filter = FieldFilter::new(paths).unwrap();
    let cut = filter.cut(text).unwrap();
    let want = serde_json::from_str::<T>(&cut);
    let filtered = filter.deserialize::<T>(text);
    assert_eq!(filtered.as_ref().ok(), want.as_ref().ok(), "{paths:?} {cut} {filtered:?} {want:?}");
    want.ok()
}

/// SEMANTICS: P8
#[test]
fn typed_objects_decode_without_the_fields() {
    let text = serde_json::to_string_pretty(&typed()).unwrap();
    let one = [
        "metadata.labels",
        "metadata.labels['a.b']",
        "metadata.labels.*",
        "number",
        "number.x",
        "option",
        "units[0]",
        "units[-1]",
        "units[*]",
        "units[3].Struct",
        "units[3].Struct.y",
        "units[3].Struct.x",
        "units[*].*.y",
        "units[2].Tuple[0]",
        "units[1].New",
        "pair[1]",
        "pair[5]",
        "by_number.10",
        "by_number['-1']",
        "by_flag.true",
        "by_shape.First",
        "spec",
        "spec.l",
        "spec.l[0]",
        "spec.l[*][0]",
        "spec.l[-1].m",
        "spec..m",
        "units[?@.Struct]",
        "new",
        "unit",
        "unit.x",
        "none.at.all",
        "option.x",
    ];
    for path in one {
        same::<Typed>(&text, &[path]);
        same::<Value>(&text, &[path]);
        same::<BTreeMap<String, Value>>(&text, &[path, "spec.s"]);
    }
    let object = same::<Typed>(
        &text,
        &["metadata.labels", "units[-1]", "units[0]", "spec.l[1]", "by_number.10"],
    )
    .unwrap();
    assert!(object.metadata.labels.is_empty());
    assert_eq!(object.units, [Shape::New(None), Shape::Tuple(1, 2)]);
    assert_eq!(object.rest["spec"], json!({ "l": [1, { "m": 3 }], "s": "t" }));
    assert_eq!(object.by_number.len(), 1);
}

/// SEMANTICS: P8
#[test]
fn enums_options_and_tuples_decode_as_from_the_cut_text() {
    let tagged = r#"{"v":[{"x":1,"type":"A","z":2},{"l":[1,{"a":1}],"type":"B"}]}"#;
    for path in
        ["v[*].z", "v[*].type", "v[0].x", "v[1].l", "v[1].l[0]", "v[1].l[-1]", "v[1].l[*].a"]
    {
        same::<BTreeMap<String, Vec<Tagged>>>(tagged, &[path]);
    }
    let untagged = r#"{"v":[{"a":1,"b":"x"},"text",{"c":1},null,7]}"#;
    for path in ["v[0].a", "v[0].b", "v[1]", "v[*].*", "v[-1]"] {
        same::<BTreeMap<String, Vec<Untagged>>>(untagged, &[path]);
        same::<BTreeMap<String, Option<Untagged>>>(untagged, &[path]);
    }
    for path in ["v[2]", "v[1]", "v[3]", "v[-1]", "v[*]", "v"] {
        for text in [r#"{"v":[1,2,3]}"#, r#"{"v":[1,2]}"#, r#"{"v":[1,2,3,4]}"#, r#"{"v":null}"#] {
            same::<BTreeMap<String, (u8, u8)>>(text, &[path]);
            same::<BTreeMap<String, Option<(u8, u8)>>>(text, &[path]);
            same::<BTreeMap<String, [u8; 2]>>(text, &[path]);
            same::<BTreeMap<String, Box<[u8]>>>(text, &[path]);
        }
    }
}

#[test]
fn keys_that_are_no_strings_decode_as_from_the_cut_text() {
    for text in [
        r#"{"m":{"1":1,"-2":2,"gone":3}}"#,
        r#"{"m":{"01":1}}"#,
        r#"{"m":{"1 ":1}}"#,
        r#"{"m":{" 1":1}}"#,
        r#"{"m":{"1.0":1}}"#,
    ] {
        same::<BTreeMap<String, BTreeMap<i64, u8>>>(text, &["m.gone"]);
        same::<BTreeMap<String, BTreeMap<u8, u8>>>(text, &["m.gone"]);
        same::<BTreeMap<String, BTreeMap<i128, u8>>>(text, &["m.gone"]);
        same::<BTreeMap<String, BTreeMap<char, u8>>>(text, &["m.gone", "m['-2']"]);
        same::<BTreeMap<String, BTreeMap<Option<String>, u8>>>(text, &["m.gone"]);
    }
    for text in [
        r#"{"m":{"true":1,"false":2,"x":3}}"#,
        r#"{"m":{"First":1,"\u0078":3}}"#,
        r#"{"m":{"Fir\u0073t":1}}"#,
    ] {
        same::<BTreeMap<String, BTreeMap<bool, u8>>>(text, &["m.x"]);
        same::<BTreeMap<String, BTreeMap<Name, u8>>>(text, &["m.x"]);
    }
}
