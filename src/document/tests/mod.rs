//! Tests of what a `Document` accepts and returns.

mod agreement;

use serde_json::{Value, json};

use super::{Document, Documents};
use crate::{
    decode::{Decode, Decoded},
    filter::FieldFilter,
    json::{DECODED, Fault},
    path::{FieldPath, STEPS_TAKEN},
    tape::Types,
};

#[test]
fn what_serde_json_would_not_decode_is_rejected_if_kept() {
    let values = [
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "1e999",
        "-1e999",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "tru",
        "nul",
        "\"\u{1}\"",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{,}",
        "[,]",
        "{1:1}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "{]",
        "[}",
        "{\"$serde_json::private::RawValue\":\"{\"}",
        "{\"\\u0024serde_json::private::RawValue\":7}",
        "NaN",
        "'a'",
        "/**/1",
        "\u{b}1",
    ];
    let long = format!("1{}", "0".repeat(400));
    for value in values.into_iter().chain([&*long]) {
        let text = format!(r#"{{"metadata":{{"name":"x"}},"v":{value}}}"#);
        assert!(serde_json::from_str::<Value>(&text).is_err(), "{value}");
        assert!(Document::from_json(&text).is_err(), "{value}");
    }
    for value in ["1e300", "\"\\ud83d\\ude00\"", "{\"$serde_json\":7}", "{\"\\u0024\":1}"] {
        let text = format!(r#"{{"metadata":{{"name":"x"}},"v":{value}}}"#);
        assert_eq!(Document::from_json(&text).unwrap().to_json(), text);
    }
    let bytes = b"{\"metadata\":{\"name\":\"x\"},\"v\":\"\xff\",\"w\":1}";
    assert_eq!(Documents::default().first(bytes, &Types::default()).err(), Some(Fault::Malformed));
    let decoder = Documents::new(FieldFilter::new(["v"]).unwrap());
    let Decoded { object: document, end, .. } = decoder.first(bytes, &Types::default()).unwrap();
    assert_eq!(
        (document.to_json().as_str(), end),
        (r#"{"metadata":{"name":"x"},"w":1}"#, bytes.len())
    );
}

#[test]
fn what_begins_as_no_object_never_becomes_one() {
    for filter in [&[][..], &["a"], &["a[?@.b]"]] {
        let decoder = Documents::new(FieldFilter::new(filter).unwrap());
        for text in ["2", "[", "\"", "t", "}", " -", "\u{feff}"] {
            let fault = decoder.first(text.as_bytes(), &Types::default()).err();
            assert_eq!(fault, Some(Fault::Malformed), "{text}");
        }
        for text in ["", " \n", "{"] {
            let fault = decoder.first(text.as_bytes(), &Types::default()).err();
            assert_eq!(fault, Some(Fault::Incomplete), "{text}");
        }
    }
}

#[test]
fn nesting_is_limited_as_in_serde_json() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [125, 126, 127, 128, 100_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let text = format!(r#"{{"metadata":{{"name":"x"}},"v":{deep}}}"#);
            let is_json = serde_json::from_str::<Value>(&text).is_ok();
            assert_eq!(Document::from_json(&text).is_ok(), is_json, "{depth}");
            // Filtered fields are only stepped over.
            let decoder = Documents::new(FieldFilter::new(["v"]).unwrap());
            assert!(decoder.whole(&text, &Types::default()).is_ok(), "{depth}");
        }
    }
}

#[test]
fn of_names_that_repeat_the_last_counts() {
    let rows = [
        (r#"{"metadata":{"name":"a"},"metadata":{"name":"b"}}"#, r#"{"metadata":{"name":"b"}}"#),
        (r#"{"metadata":{"name":7},"metadata":{"name":"b"}}"#, r#"{"metadata":{"name":"b"}}"#),
        (
            r#"{"metadata":7,"metadata":{"uid":[],"uid":"u","name":"b"}}"#,
            r#"{"metadata":{"uid":"u","name":"b"}}"#,
        ),
        (r#"{"metadata":{"name":"a","n\u0061me":"b"}}"#, r#"{"metadata":{"n\u0061me":"b"}}"#),
        (
            r#"{"kind":"A","metadata":{"name":"b"},"x":[{"a":1,"b":[],"a":2}],"kind":"B"}"#,
            r#"{"metadata":{"name":"b"},"x":[{"b":[],"a":2}],"kind":"B"}"#,
        ),
    ];
    for (text, kept) in rows {
        let document = Document::from_json(text).unwrap();
        assert_eq!((document.name(), document.to_json().as_str()), ("b", kept));
    }
    let many: Vec<_> = (0..300).map(|index| format!("\"k{}\":{index}", index % 299)).collect();
    let text = format!(r#"{{"metadata":{{"name":"b"}},"x":{{{}}}}}"#, many.join(","));
    let document = Document::from_json(&text).unwrap();
    assert_eq!(document.get(&FieldPath::parse("x.k0").unwrap()), ["299"]);
    assert_eq!(document.to_value(), serde_json::from_str::<Value>(&text).unwrap());
}

#[test]
fn identities_with_escapes_are_read() {
    let text = r#"{"metadata":{"name":"a\u003cb\"","namespace":"n","uid":"\\","resourceVersion":null},"n":1}"#;
    let document = Document::from_json(text).unwrap();
    assert_eq!((document.name(), document.namespace()), ("a<b\"", Some("n")));
    assert_eq!((document.uid(), document.resource_version()), (Some("\\"), None));
    assert_eq!(document.to_json(), text);
    assert_eq!(document.metadata().unwrap().name.as_deref(), Some("a<b\""));
    assert_eq!(super::ObjectMetaRef::of(text).unwrap().name, "a\\u003cb\\\"");
}

#[test]
fn any_serializer_takes_it() {
    let text = r#"{"metadata":{"name":"x"},"a":[1,-2,1.5,true,null,"\u00e9",{}],"big":18446744073709551615}"#;
    let document = Document::from_json(text).unwrap();
    assert_eq!(serde_json::to_value(&document).unwrap(), document.to_value());
    // A serializer that reads only a part.
    assert_eq!(FieldPath::parse("a[5]").unwrap().keys_of(&document), ["é"]);
    assert_eq!(FieldPath::parse("metadata.name").unwrap().keys_of(&document), ["x"]);
}

/// SEMANTICS: P7
#[test]
fn a_path_selects_on_a_tape_what_it_selects_in_a_value() {
    let text = include_str!("../../../tests/vectors/document.json");
    let value: Value = serde_json::from_str(text).unwrap();
    let document = Document::from_json(text).unwrap();
    let vectors = include_str!("../../../tests/vectors/paths.jsonl").lines();
    let written = vectors.map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["path"].as_str().unwrap().to_owned()
    });
    let more =
        ["..name", "metadata..*", "$[*][*]", "metadata.*.*", "..[?@.name]", "..[?@[0]]..[0]"];
    let mut selected = 0;
    for path in written.chain(more.map(str::to_owned)) {
        let Ok(path) = FieldPath::parse(&path) else { continue };
        let engine = serde_json_path::JsonPath::parse(path.canonical()).unwrap();
        let mut expected: Vec<&Value> = Vec::new();
        for found in engine.query(&value) {
            // The engine finds a value once for each way to it.
            if !expected.iter().any(|before| std::ptr::eq(*before, found)) {
                expected.push(found);
            }
        }
        let own: Vec<Value> = document.select(&path).collect();
        let first = document.first(&path).map(super::DocumentView::to_value);
        assert_eq!(first.as_ref(), own.first(), "{path}");
        let mut own: Vec<_> = own.iter().map(ToString::to_string).collect();
        let mut expected: Vec<_> = expected.into_iter().map(ToString::to_string).collect();
        selected += own.len();
        if path.canonical().contains(['*', '.']) {
            // The fields of a value are sorted, and RFC 9535 leaves the order open.
            own.sort();
            expected.sort();
        }
        assert_eq!(own, expected, "{path}");
    }
    assert!(selected > 100, "{selected}");
}

/// SEMANTICS: P6
#[test]
fn what_has_another_type_is_none() {
    let text = r#"{"metadata":{"name":"x"},"null":null,"text":"80","escaped":"\u00e9","int":80,"neg":-3,
        "float":1.5,"round":3.0,"exp":1e2,"big":18446744073709551615,"yes":true,"no":false,"list":[7,"a"],"map":{}}"#;
    let document = Document::from_json(text).unwrap();
    let path = |name: &str| FieldPath::parse(name).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    for (name, field) in value.as_object().unwrap() {
        let path = path(name);
        assert_eq!(document.get_str(&path).as_deref(), field.as_str(), "{name}");
        assert_eq!(document.get_i64(&path), field.as_i64(), "{name}");
        assert_eq!(document.get_f64(&path), field.as_f64(), "{name}");
        assert_eq!(document.get_bool(&path), field.as_bool(), "{name}");
        let view = document.view().get(name).unwrap();
        assert_eq!(&view.to_value(), field, "{name}");
        assert_eq!(serde_json::to_value(view).unwrap(), *field, "{name}");
        assert_eq!(view.is_null(), field.is_null(), "{name}");
        assert_eq!(view.fields().count(), field.as_object().map_or(0, serde_json::Map::len));
        assert_eq!(view.elements().count(), field.as_array().map_or(0, Vec::len));
    }
    assert_eq!(document.get_i64(&path("list[*]")), Some(7), "the first");
    assert_eq!(document.get_str(&path("list[*]")), None, "the first alone");
    assert_eq!(document.get_str(&path("missing")), None);
    assert!(document.view().get("list").unwrap().at(2).is_none());
    assert!(document.view().get("text").unwrap().get("a").is_none());
}

/// SEMANTICS: W7
#[test]
fn a_part_that_does_not_decode_names_its_object() {
    let text = r#"{"metadata":{"name":"x","namespace":"n"},"spec":{"password":"hunter2"}}"#;
    let document = Document::from_json(text).unwrap();
    let view = document.view().get("spec").unwrap().get("password").unwrap();
    let error = view.parse::<u8>().unwrap_err();
    assert!(error.is_undecodable());
    assert_eq!(error.object(), Some(("n", "x")));
    assert!(!format!("{error:?}{view:?}").contains("hunter2"));
}

/// SEMANTICS: B1
#[test]
fn only_the_part_that_is_asked_for_is_decoded() {
    let fields: Vec<_> = (0..1000).map(|at| format!(r#""field-{at}":"value""#)).collect();
    let text =
        format!(r#"{{"metadata":{{"name":"x"}},"large":{{{}}},"small":[1,2]}}"#, fields.join(","));
    let document = Document::from_json(&text).unwrap();
    let looked_at = |path: &str| {
        STEPS_TAKEN.set(0);
        let values: Vec<_> = document.select(&FieldPath::parse(path).unwrap()).collect();
        (values.len(), STEPS_TAKEN.get())
    };
    // The nodes on the way and the elements, but none of the thousand fields beside them.
    assert_eq!(looked_at("small[*]"), (2, 5));
    // A union keeps a bit for each position up to the found ones.
    let (values, steps) = looked_at("small[0,1]");
    assert!(values == 2 && steps <= 6 + text.len() / 64, "{steps}");
}

const POD: &str = r#"{"metadata":{"name":"b","namespace":"a","uid":"u","resourceVersion":"7","managedFields":[1]},"n":1.50}"#;

#[test]
fn list_items_get_their_types_back() {
    let types = Types::new(Some("v1"), Some("Pod"));
    let decoder = Documents::new(FieldFilter::new(["metadata.managedFields"]).unwrap());
    let pod = decoder.whole(POD, &types).unwrap().object;
    assert_eq!(
        pod.to_json(),
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b","namespace":"a","uid":"u","resourceVersion":"7"},"n":1.50}"#
    );
    assert_eq!(
        (pod.namespace(), pod.name(), pod.uid(), pod.resource_version()),
        (Some("a"), "b", Some("u"), Some("7"))
    );
    // An object that has types keeps its own.
    let again = decoder.whole(&pod.to_json(), &Types::default()).unwrap();
    assert_eq!(again.object, pod);
}

#[test]
fn what_is_no_object_is_rejected_without_being_quoted() {
    for text in [
        "",
        "7",
        "{}",
        r#"{"metadata":{"name":""}}"#,
        r#"{"metadata":{"name":7}}"#,
        "{\"metadata\":{\"name\":\"hunter2\"",
    ] {
        let error = Document::from_json(text).unwrap_err();
        assert!(error.is_undecodable(), "{text}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

/// SEMANTICS: W7
#[test]
fn its_debug_form_has_no_content() {
    let document =
        Document::from_json(r#"{"metadata":{"name":"db"},"data":{"password":"hunter2"}}"#).unwrap();
    assert!(!format!("{document:?}").contains("hunter2"));
}

/// SEMANTICS: C1
#[test]
fn of_a_key_only_what_it_is_known_by_is_kept() {
    let keep = |paths: &[&str], typed| {
        let paths: Vec<_> = paths.iter().map(|path| FieldPath::parse(path).unwrap()).collect();
        let decoder = Documents::new(FieldFilter::keeping(&paths, typed));
        let text = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"n","namespace":"s",
            "uid":"u","resourceVersion":"7","labels":{"a":"1","b":"2"},"annotations":{"big":"x"}},
            "data":{"p":"x"},"list":[{"a":1,"b":2},{"a":3}],"type":"T"}"#;
        let document = decoder.whole(text, &Types::default()).unwrap().object;
        assert_eq!((document.namespace(), document.name()), (Some("s"), "n"));
        assert_eq!((document.uid(), document.resource_version()), (Some("u"), Some("7")));
        document.to_json()
    };
    let own = r#""name":"n","namespace":"s","uid":"u","resourceVersion":"7""#;
    let bare = format!(r#"{{"metadata":{{{own}}}}}"#);
    assert_eq!(keep(&[], false), bare);
    assert_eq!(
        keep(&["metadata.name", "spec.missing", "type.x"], false),
        bare.replace("}}", r#"},"type":"T"}"#)
    );
    let label = format!(r#"{{"metadata":{{{own},"labels":{{"a":"1"}}}}}}"#);
    assert_eq!(keep(&["metadata.labels.a"], false), label);
    let typed = format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{{own}}},"type":"T"}}"#);
    assert_eq!(keep(&["type"], true), typed);
    let part = r#","list":[{"a":1},{"a":3}]}"#;
    assert_eq!(keep(&["list[*].a"], false), format!("{}{part}", &bare[..bare.len() - 1]));
    let whole = r#","list":[{"a":1,"b":2},{"a":3}]}"#;
    for path in ["list[1].a", "list[?@.b].a", "list..a"] {
        assert_eq!(keep(&[path], false), format!("{}{whole}", &bare[..bare.len() - 1]), "{path}");
    }
    // A path that reads from the root may read anything.
    assert!(keep(&["list[?@.b==$.data.p].a"], false).contains("annotations"));
}

/// SEMANTICS: B1
#[test]
fn nothing_but_odd_numbers_and_names_is_read_twice() {
    let filter = FieldFilter::new(["v..dropped"]).unwrap();
    let decoder = Documents::new(filter.clone());
    let fields: Vec<_> = (0..1000).map(|at| format!(r#""field-{at}":"value""#)).collect();
    for odd in [
        r#""a":1e3"#,
        r#""$a":1"#,
        r#""$serde_json::private::Other":1"#,
        r#""\u0061":1,"\/":2"#,
        r#""a":1,"a":"\ud83d\ude00""#,
        r#""dropped":{"x":1}"#,
    ] {
        let text = format!(r#"{{"metadata":{{"name":"x"}},"v":{{{odd},{}}}}}"#, fields.join(","));
        DECODED.set(0);
        let Decoded { object: document, end, .. } =
            decoder.first(text.as_bytes(), &Types::default()).unwrap();
        assert!(DECODED.get() < 100, "{odd}: {}", DECODED.get());
        let mut value: Value = serde_json::from_str(&text).unwrap();
        filter.remove(&mut value);
        assert_eq!((document.to_value(), end), (value, text.len()));
    }
}

#[test]
fn names_that_serde_json_keeps_for_itself_are_checked_where_they_mean_something() {
    const NAME: &str = "$serde_json::private::RawValue";
    let values = [
        format!(r#"{{"{NAME}":"{{}}"}}"#),
        format!(r#"{{"{NAME}":"[1,\"x\"]"}}"#),
        format!(r#"{{"{NAME}":"{{"}}"#),
        format!(r#"{{"{NAME}":7}}"#),
        format!(r#"{{"{NAME}":{{}}}}"#),
        format!(r#"{{"{NAME}":"1","a":1}}"#),
        format!(r#"{{"a":1,"{NAME}":"{{"}}"#),
        format!(r#"{{"{NAME}":"1","{NAME}":"1"}}"#),
        r#"{"$serde_json::private::Number":"x"}"#.to_owned(),
        r#"{"$serde_json::private::Number":7,"a":1}"#.to_owned(),
        r#"{"\u0024serde_json::private::RawValue":"{"}"#.to_owned(),
        r#"{"\u0024serde_json::private::RawValue":"1" }"#.to_owned(),
    ];
    for value in values {
        for text in [
            format!(r#"{{"metadata":{{"name":"x"}},"v":{value}}}"#),
            format!(r#"{{"metadata":{{"name":"x"}},"v":1,"w":[{value}],"v":2}}"#),
        ] {
            let decoded = serde_json::from_str::<Value>(&text);
            let document = Document::from_json(&text);
            assert_eq!(document.is_ok(), decoded.is_ok(), "{text}");
            if let (Ok(document), Ok(decoded)) = (document, decoded) {
                let own: Value = serde_json::from_str(&document.to_json()).unwrap();
                assert_eq!(own, decoded, "{text}");
            }
        }
    }
}

#[test]
fn all_is_checked_of_an_object_with_names_that_repeat() {
    let deep = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let values = [
        "1e999",
        "01",
        "1.",
        "tru",
        r#""\ud800""#,
        r#""\x""#,
        "\"\n\"",
        "[1,]",
        r#"{"a":1,}"#,
        "{1:1}",
        "[1 2]",
        "{]",
        r#"{"\ud800":1}"#,
        "1e300",
        "[-0.5e-3,{}]",
        r#""\ud83d\ude00""#,
        r#"{"é":null}"#,
    ]
    .map(str::to_owned);
    for value in values.into_iter().chain([125, 126, 127, 128].map(deep)) {
        let text = format!(r#"{{"metadata":{{"name":"x"}},"v":{value},"v":2}}"#);
        let decodes = serde_json::from_str::<Value>(&text).is_ok();
        assert_eq!(Document::from_json(&text).is_ok(), decodes, "{text}");
    }
    let bytes = b"{\"metadata\":{\"name\":\"x\"},\"v\":\"\xff\",\"v\":1}";
    let fault = Documents::default().first(bytes, &Types::default()).err();
    assert_eq!(fault, Some(Fault::Malformed));
}

#[test]
fn a_document_is_read_from_any_deserializer() {
    let value =
        json!({ "metadata": { "name": "a", "labels": { "b": "c" } }, "spec": [1, 2.5, null] });
    let document: Document = serde_json::from_value(value.clone()).unwrap();
    assert_eq!((document.name(), document.to_value()), ("a", value));
    let nameless = serde_json::from_value::<Document>(json!({ "metadata": {} })).unwrap_err();
    assert!(nameless.to_string().contains("metadata.name"), "{nameless}");
}
