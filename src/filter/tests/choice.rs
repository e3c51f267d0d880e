//! Checks which texts filters and selectors accept and reject, and what they do.

use serde_json::{Value, json};

use crate::{
    decode::{Decode, Decoded, Typed},
    document::Documents,
    filter::{FieldFilter, FieldSelector},
    json::DECODED,
    tape::Types,
};

fn selector(text: &str) -> FieldSelector {
    FieldSelector::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// SEMANTICS: P8
#[test]
fn identity_is_never_removed() {
    let rejected = [
        "metadata",
        "*",
        "metadata.*",
        "metadata[*]",
        "..name",
        "..*",
        "*.name",
        "*.*",
        "['kind','x']",
        "['x','metadata']",
        "[?@.a]",
        "metadata[?@ == 'x']",
        "..metadata",
        "..uid",
        "..kind",
        "*['uid']",
        "$.metadata['name']",
        "{.metadata.uid}",
        "..[?@ == 'x']",
        "apiVersion",
        "kind",
        " metadata.resourceVersion",
        "metadata..namespace",
        "*..*",
    ];
    for text in rejected {
        let error = FieldFilter::new([text]).expect_err(text);
        assert!(error.hint().contains("identifies the object"), "{error}");
        assert_eq!((error.path(), error.position()), (text.trim(), 0));
    }
    let taken = [
        "metadata.labels",
        "metadata.labels.*",
        "spec.name",
        "spec.*",
        "*.labels",
        "..env",
        "metadata.ownerReferences[*].uid",
        "[0]",
        "..[0]",
        "..spec.name",
        "spec..name",
        "status",
        "metadata.managedFields[?@.manager == 'x']",
        "kind.x",
    ];
    for text in taken {
        assert!(FieldFilter::new([text]).is_ok(), "{text}");
    }
    assert_eq!(FieldFilter::new(["a", "b["]).unwrap_err().path(), "b[");
}

/// SEMANTICS: P8
#[test]
fn removal_is_decided_on_the_object_as_given() {
    let rows = [
        (vec!["l[0]", "l[1]"], json!({ "l": [1, 2, 3] }), json!({ "l": [3] })),
        (vec!["l[0]", "l[-1]"], json!({ "l": [1, 2, 3] }), json!({ "l": [2] })),
        (vec!["l[0]", "l[-1]"], json!({ "l": [1] }), json!({ "l": [] })),
        (
            vec!["l[*].a", "l[-1].b", "l[0].c"],
            json!({ "l": [{ "a": 1, "b": 1, "c": 1 }] }),
            json!({ "l": [{}] }),
        ),
        (
            vec!["a.b.c", "a.*.d"],
            json!({ "a": { "b": { "c": 1, "d": 2, "e": 3 } } }),
            json!({ "a": { "b": { "e": 3 } } }),
        ),
        (vec!["a", "a.b"], json!({ "a": { "b": 1 } }), json!({})),
        (
            vec!["a.b", "l[?@ > 1]", "l[0]"],
            json!({ "a": { "b": 1 }, "l": [1, 2, 0] }),
            json!({ "a": {}, "l": [0] }),
        ),
        (
            vec!["a.b.c", "l[0].x"],
            json!({ "a": "scalar", "l": null }),
            json!({ "a": "scalar", "l": null }),
        ),
    ];
    for (paths, object, left) in rows {
        let filter = FieldFilter::new(&paths).unwrap();
        assert_eq!(filter.paths().len(), paths.len());
        let mut value = object.clone();
        filter.remove(&mut value);
        assert_eq!(value, left, "{paths:?}");
        let text = serde_json::to_string_pretty(&object).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&filter.cut(&text).unwrap()).unwrap(),
            left,
            "{paths:?}"
        );
        assert_eq!(filter.deserialize::<Value>(&text).unwrap(), left, "{paths:?}");
    }
}

/// SEMANTICS: P8
#[test]
fn the_rest_stays_as_written() {
    let rows = [
        (r#"{"a": 1.50, "b": 1, "c": "\u0041"}"#, r#"{"a": 1.50, "c": "\u0041"}"#),
        (r#"{"b": 1, "a": 1E5}"#, r#"{"a": 1E5}"#),
        (r#"{"a": 1, "b": 1}"#, r#"{"a": 1}"#),
        (r#"{"b": 1 , "b": [2] , "\u0062":{} }"#, r"{ }"),
        (r#"{"a":1,"b":1,"b":2,"c":1,"b":3}"#, r#"{"a":1,"c":1}"#),
        (r#" {"a":{"b":{"b":1}}} "#, r#"{"a":{"b":{"b":1}}}"#),
        (
            r#"{"n": 123456789012345678901234567890, "b": null}"#,
            r#"{"n": 123456789012345678901234567890}"#,
        ),
        (r#"[{"b":1}]"#, r#"[{"b":1}]"#),
    ];
    for (text, left) in rows {
        for paths in [["b"], ["['b','none']"]] {
            assert_eq!(FieldFilter::new(paths).unwrap().cut(text).unwrap(), left);
        }
    }
    let filter = FieldFilter::new(["a.b"]).unwrap();
    assert!(matches!(filter.cut("{\"a\":{}}").unwrap(), std::borrow::Cow::Borrowed(_)));
    assert!(FieldFilter::default().is_empty());
    assert_eq!(FieldFilter::default().cut(" {} ").unwrap(), "{}");
    for text in ["", "{", "{\"b\":}", "{\"b\":1", "{\"b\":1,}", "{\"b\":1}}", "{\"a\":{\"b\":tru}}"]
    {
        assert!(filter.cut(text).is_err(), "{text}");
        assert!(filter.deserialize::<Value>(text).is_err(), "{text}");
    }
}

#[test]
fn selector_operators() {
    let object = json!({ "a": { "b": "x", "e": "", "nul": null, "c=d,e": "1,2", "s": "a=b\\", "t": " x " }, "n": [1, 2] });
    let rows = [
        ("a.b=x", true),
        ("a.b==x", true),
        ("a.b!=x", false),
        ("a.b = x", true),
        ("a.b=y", false),
        ("a.b!=y", true),
        ("a.b=x,a.e=", true),
        ("a.b=x,a.b=y", false),
        (" a.b=x , n[*]=2 ", true),
        ("a.nul=", true),
        ("a.none=", true),
        ("a.none!=x", true),
        ("a.none!=", false),
        ("a.none=x", false),
        ("a=", true),
        ("n[*]=1", true),
        ("n[*]=3", false),
        ("n[*]!=3", true),
        ("n[*]!=2", false),
        ("a['c=d,e']=1\\,2", true),
        ("a.c\\=d\\,e=1\\,2", true),
        ("a.s=a\\=b\\\\", true),
        ("n[?@==2]=2", true),
        ("n[?(@!=2)]!=2", true),
        ("a[?@=='x']=x", true),
        ("{.a.b}=x", true),
        ("a.t=\\ x\\ ", true),
        ("a.t=x", false),
        ("a.b=!x", false),
    ];
    for (text, holds) in rows {
        assert_eq!(selector(text).matches(&object), holds, "{text}");
        assert_eq!(selector(text).matches_of(&object), holds, "{text}");
        assert_eq!(selector(text).matches_json(&object.to_string()), holds, "{text}");
    }
    assert_eq!(selector(" a=b ").to_string(), "a=b");
    // Escaped white space is part of the value.
    let spaced = selector("a=b\\   ");
    assert_eq!(spaced.to_string(), "a=b\\ ");
    assert!(selector(&spaced.to_string()).matches(&json!({ "a": "b " })));
    assert!("a=b".parse::<FieldSelector>().is_ok());
}

#[test]
fn selectors_rejected_with_the_position_in_the_whole_text() {
    let rows = [
        ("", 0, "empty"),
        (" ", 1, "empty"),
        ("a", 1, "expected '='"),
        ("a,b=c", 1, "expected '='"),
        ("a!b", 1, "expected '='"),
        ("=x", 0, "empty"),
        ("!=x", 0, "empty"),
        ("a=b,", 3, "nothing follows"),
        ("a=b,,c=d", 4, "empty"),
        ("a=b,c.=d", 6, "expected a name"),
        ("a=b,c[=d", 6, "expected a quoted name"),
        ("a=b,c['x=d", 6, "unclosed quote"),
        ("a=b=c", 3, "'='"),
        ("a===b", 3, "'='"),
        ("a=\\b", 2, "escaped"),
        ("a=b\\", 3, "escaped"),
        ("ключ.=x", 9, "expected a name"),
        ("a in (b)", 2, "labels"),
    ];
    for (text, position, hint) in rows {
        let error = FieldSelector::parse(text).expect_err(text);
        assert_eq!((error.position(), error.path()), (position, text), "{error}");
        assert!(error.hint().contains(hint), "{error}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let deep = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    let filter = FieldFilter::new(["a.a.b", "..b"]).unwrap();
    assert!(filter.cut(&deep).is_err());
    assert!(filter.deserialize::<Value>(&deep).is_err());
}

#[test]
fn filters_and_selectors_go_to_other_threads() {
    fn sent<T: Send + Sync + 'static>() {}
    sent::<FieldFilter>();
    sent::<FieldSelector>();
}

/// SEMANTICS: B1
#[test]
fn a_filter_that_would_take_too_many_steps_removes_nothing() {
    let deep = |levels| (0..levels).fold(json!(1), |below, _| json!({ "a": below, "b": 1 }));
    let filter = FieldFilter::new(["spec..[?@..b].b", "spec.dropped"]).unwrap();
    for (levels, gone) in [(3, true), (100, false)] {
        let mut value = json!({ "spec": { "list": vec![deep(levels); 100], "dropped": 1 } });
        let (text, whole) = (value.to_string(), value.clone());
        filter.remove(&mut value);
        assert_eq!(value["spec"].get("dropped"), None);
        assert_eq!(value["spec"]["list"] != whole["spec"]["list"], gone, "{levels}");
        let cut: Value = serde_json::from_str(&filter.cut(&text).unwrap()).unwrap();
        assert_eq!(cut, value);
        assert_eq!(filter.deserialize::<Value>(&text).unwrap(), value);
    }
}

/// SEMANTICS: B1, P8
#[test]
fn what_a_search_removes_is_found_in_the_one_pass() {
    let filter = FieldFilter::new(["a..note", "a['x','y'][1:].z", "a..b..c"]).unwrap();
    let text = r#"{"metadata":{"name":"n"},"note":1,"a":{"note":2,"x":[{"z":1},{"z":2,"w":3}],"b":{"d":[{"c":4}]},"c":5}}"#;
    let left =
        r#"{"metadata":{"name":"n"},"note":1,"a":{"x":[{"z":1},{"w":3}],"b":{"d":[{}]},"c":5}}"#;
    DECODED.set(0);
    assert_eq!(filter.cut(text).unwrap(), left);
    let left: Value = serde_json::from_str(left).unwrap();
    let (bytes, types) = (text.as_bytes(), &Types::default());
    let decoded: Decoded<Value> = Typed::new(filter.clone()).first(bytes, types).unwrap();
    assert_eq!((decoded.object, decoded.end), (left, text.len()));
    assert!(Documents::new(filter).first(bytes, types).is_ok());
    assert_eq!(DECODED.get(), 0);
}

/// SEMANTICS: B1
#[test]
fn what_is_searched_is_nested_no_deeper_than_serde_json_allows() {
    let filter = FieldFilter::new(["a..b"]).unwrap();
    for (depth, is_cut) in [(126, true), (127, false), (100_000, false)] {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(filter.cut(&text).is_ok(), is_cut, "{depth}");
        assert_eq!(filter.deserialize::<Value>(&text).is_ok(), is_cut, "{depth}");
    }
}
