//! Tests of the path syntax: equality, selection, and rejection with its position.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{FieldPath, STEPS_TAKEN, scalar};
use crate::error::PathError;

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_path_of_names_is_the_one_that_is_parsed() {
    for (names, text) in [(&["metadata"][..], "metadata"), (&["metadata", "name"], "metadata.name")]
    {
        let own = FieldPath::of_names(names);
        assert_eq!((&own, own.as_str()), (&path(text), text));
        assert_eq!(own.keys(&json!({ "metadata": { "name": "a" } })).len(), names.len() - 1);
    }
}

/// SEMANTICS: P1
#[test]
#[expect(clippy::mutable_key_type, reason = "regexes in a path cache what they match, no more")]
fn spellings_of_one_path_are_equal() {
    let texts = [
        "a.b",
        ".a.b",
        "$.a.b",
        "{.a.b}",
        "{$.a.b}",
        " a.b\n",
        "a['b']",
        "['a'][\"b\"]",
        "$['a'].b",
        "\\a.\\b",
    ];
    let paths: HashSet<FieldPath> = texts.into_iter().map(path).collect();
    assert_eq!(paths.len(), 1);
    assert_ne!(path("a.b"), path("['a.b']"));
    assert_eq!(path(" {.a.b} ").as_str(), "{.a.b}");
    assert_eq!(path("a.b").to_string(), "a.b");
    assert_eq!(format!("{:?}", path("a.b")), r#"FieldPath("a.b")"#);
    assert_eq!("a.b".parse::<FieldPath>().unwrap(), path(".a.b"));
}

/// SEMANTICS: P2
#[test]
fn dots_in_quotes_and_escaped_dots_are_plain() {
    let object =
        json!({ "labels": { "a.io/b": "x", "it's": "q", "\"": "d", "\\": "s", "end ": "e" } });
    for text in [
        "labels['a.io/b']",
        "labels[\"a.io/b\"]",
        "labels.a\\.io/b",
        "labels['a\\.io/b']",
        "['labels'].a\\.io/b",
    ] {
        assert_eq!(path(text).keys(&object), ["x"], "{text}");
    }
    assert_eq!(path(r"labels['it\'s']").keys(&object), ["q"]);
    assert_eq!(path(r#"labels["it's"]"#).keys(&object), ["q"]);
    assert_eq!(path(r#"labels["\""]"#).keys(&object), ["d"]);
    assert_eq!(path(r"labels.\\").keys(&object), ["s"]);
    assert_eq!(path(r"labels.end\ ").keys(&object), ["e"]);
}

/// SEMANTICS: P3
#[test]
fn searching_steps() {
    let object = json!({ "l": [{ "k": "v", "n-x": 1 }, { "k": "w" }, { "n-x": 3, "in": [1, 2] }] });
    let rows: [(&str, &[&str]); 16] = [
        ("l[0].k", &["v"]),
        ("l[-2].k", &["w"]),
        ("l[*].k", &["v", "w"]),
        ("l.*.k", &["v", "w"]),
        ("*[0].k", &["v"]),
        ("l[0:2].k", &["v", "w"]),
        ("l[::2].n-x", &["1", "3"]),
        ("l[ 0 , 1 ].k", &["v", "w"]),
        ("l[0]['k','n-x']", &["v", "1"]),
        ("$..n-x", &["1", "3"]),
        ("l..['k']", &["v", "w"]),
        (r#"l[?(@.k=="v")].n-x"#, &["1"]),
        (r"l[?@.k=='v' && @.n-x == 1].k", &["v"]),
        ("l[?(@.n-x)].n-x", &["1", "3"]),
        ("l[?(@.in[?@ > 1])].n-x", &["3"]),
        (r"l[?(@.k=='\v')].k", &["v"]),
    ];
    for (text, keys) in rows {
        assert_eq!(path(text).keys(&object), keys, "{text}");
        assert_eq!(path(text).keys_of(&object), keys, "{text}");
        assert_eq!(path(text).keys_in_json(&object.to_string()), keys, "{text}");
    }
}

/// SEMANTICS: P4
#[test]
fn names_of_many_characters() {
    for name in ["a-b", "a_b", "a/b", "a:b", "$a", "a$", "@a", "a1", "1", "ключ", "名前", "नाम्"]
    {
        let object = json!({ "x": { name: "found" } });
        assert_eq!(path(&format!("x.{name}")).keys(&object), ["found"], "{name}");
        assert_eq!(path(name).keys(&object["x"]), ["found"], "{name}");
    }
}

/// SEMANTICS: P5
#[test]
fn rejected_with_position_and_hint() {
    let rows = [
        ("", 0, "empty"),
        ("  ", 2, "empty"),
        ("$", 1, "empty"),
        ("$ ", 1, "white space"),
        ("$*", 1, "'*'"),
        ("{}", 1, "empty"),
        (".", 1, "expected a name"),
        ("a.", 2, "expected a name"),
        ("a. b", 2, "white space"),
        ("....", 2, "expected a name"),
        ("a...b", 3, "expected a name"),
        ("a.[b]", 2, "drop the dot"),
        ("a[", 1, "unclosed '['"),
        ("a[0", 1, "unclosed '['"),
        ("a['b", 2, "unclosed quote"),
        ("a['b'", 1, "unclosed '['"),
        ("a[?(@.b", 3, "unclosed '('"),
        ("a[?(@.b].c", 3, "unclosed '('"),
        ("a[?@.b", 2, "unclosed filter"),
        ("a[?@.b == ]", 2, "not a filter"),
        ("a[?@.b=='x]", 8, "unclosed quote"),
        ("a[?match(@.b, @.c)]", 14, "a text in quotes"),
        ("a[?!search(@.b, $.c)]", 16, "a text in quotes"),
        ("a[?@.b[?search('x', value(@..c))]]", 20, "a text in quotes"),
        ("a[?match(@.b, '\\\\w{100}')]", 14, "too costly"),
        ("a[]", 2, "empty brackets"),
        ("a['']", 2, "empty"),
        ("a[b]", 2, "expected a quoted name"),
        ("a[1.5]", 2, "whole number"),
        ("a[01]", 2, "no leading zero"),
        ("a[-0]", 2, "no sign if it is 0"),
        ("a[-]", 2, "whole number"),
        ("a[9007199254740992]", 2, "too large"),
        ("a[-99999999999999999999]", 2, "too large"),
        ("a[0:01]", 4, "no leading zero"),
        ("a[0:1:99999999999999999999]", 6, "too large"),
        ("a[0:1:2:3]", 2, "a slice is start:end"),
        ("a[0:2:0]", 2, "never selects"),
        ("a[?@.b[::0]]", 7, "never selects"),
        ("a[1:x]", 4, "slice"),
        ("a['b' 'c']", 6, "expected ',' or ']'"),
        ("a]", 1, "stray ']'"),
        ("a}", 1, "stray '}'"),
        ("{.a", 0, "unclosed '{'"),
        ("{.a}b", 4, "expected '.' or '['"),
        ("a b", 1, "white space"),
        (" ключ b", 9, "white space"),
        ("a,b", 1, "unexpected ','"),
        ("a|b", 1, "unexpected '|'"),
        ("(a)", 0, "unexpected '('"),
        ("a*", 1, "'*' stands alone"),
        ("a'b'", 1, "in brackets"),
        ("a[0]b", 4, "expected '.' or '['"),
        ("@.a", 0, "'@'"),
        ("range .a[*]", 5, "white space"),
        ("{range .items[*]}{.a}{end}", 1, "templates are not supported"),
        ("{end}", 1, "templates are not supported"),
        (r#"{"\n"}"#, 1, "templates are not supported"),
        ("{.a}{.b}", 4, "templates are not supported"),
        ("a[?@.b == 'x' and @.c]", 14, "'&&'"),
        ("a[?(@.b or @.c)]", 8, "'||'"),
        ("a[?not @.b]", 3, "'!'"),
        ("a[?@.b =~ '^x']", 7, "search(@.name, 'regex')"),
        ("a[?@.b=~'^x']", 6, "match(@.name, 'regex')"),
        ("a[?@.b in ['x', 'y']]", 7, "'||'"),
        ("a[?@.b in ('x')]", 7, "'||'"),
        ("a[?@.b = 1]", 7, "'=='"),
        ("a[?@.b === 1]", 7, "'=='"),
        ("a[?@.b <> 1]", 7, "'!='"),
        ("a[?@.b == 007]", 10, "no leading zero"),
        ("a[?'ключ' == @.b && @.c and @.d]", 28, "'&&'"),
        ("a\\", 1, "nothing follows"),
    ];
    for (text, position, hint) in rows {
        let error = FieldPath::parse(text).expect_err(text);
        assert_eq!(error.position(), position, "{error}");
        assert!(error.hint().contains(hint), "{error}");
        assert_eq!(error.path(), text);
        let column = text[..position].chars().count();
        assert_eq!(error.caret(), format!("{text}\n{}^", " ".repeat(column)));
    }
}

/// SEMANTICS: P5
#[test]
fn hostile_paths_are_rejected_in_no_time() {
    for text in [
        ".a".repeat(100_000),
        format!("a[?{}@.b{}]", "(".repeat(100_000), ")".repeat(100_000)),
        "a[?@.b".repeat(100_000),
        format!("a{}", "[?@".repeat(1000) + &"]".repeat(1000)),
    ] {
        assert!(FieldPath::parse(&text).is_err());
    }
    let deepest = format!("a[?{}@.b == 1{}]", "(".repeat(6), ")".repeat(6));
    assert_eq!(path(&deepest).keys(&json!({ "a": [{ "b": 1 }] })), [""; 0]);
    assert!(FieldPath::parse(&".a".repeat(127)).is_ok());
    assert!(FieldPath::parse(&".a".repeat(128)).is_err());
}

/// SEMANTICS: P7
#[test]
fn keys_come_in_document_order_without_duplicates() {
    let text = r#"{"m":{"z":"1","a":"2","z2":"1"},"l":["b","a","b",null,{},[]],"a":1,"a":2}"#;
    assert_eq!(path("m.*").keys_in_json(text), ["1", "2"]);
    assert_eq!(path("l[*]").keys_in_json(text), ["b", "a"]);
    // The last of several fields with the same name counts, as in the decoded value.
    assert_eq!(path("a").keys_in_json(text), ["2"]);
    let twice = r#"{"a":{"b":1},"\u0061":{"c":2}}"#;
    for text in ["a.b", "a.c", "*.b", "*.c"] {
        let value: Value = serde_json::from_str(twice).unwrap();
        assert_eq!(path(text).keys_in_json(twice), path(text).keys(&value), "{text}");
    }
}

#[test]
fn keys_in_broken_json_are_none() {
    for text in ["", "{", "{\"a\":", "{\"a\":\"x", "[", "{\"a\":\"\\ud800\"}", "nonsense"] {
        assert!(path("a").keys_in_json(text).is_empty(), "{text}");
        assert!(path("..a").keys_in_json(text).is_empty(), "{text}");
    }
    let deep = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
    assert!(path(&".a".repeat(127)).keys_in_json(&deep).is_empty());
}

#[test]
fn within() {
    let rows = [
        ("metadata.labels.x", "metadata", true),
        ("metadata", "metadata", true),
        ("metadata['labels','annotations'].x", "metadata", true),
        ("metadata..x", "metadata", true),
        ("metadata[?@.a]", "metadata", true),
        ("spec.l[0].a", "spec.l[*]", true),
        ("spec.l[0].a", "spec.l[0]", true),
        ("metadata[?@.a == $.spec.b]", "metadata", false),
        ("metadata2", "metadata", false),
        ("..metadata", "metadata", false),
        ("*.a", "metadata", false),
        ("spec.l[-1]", "spec.l[0]", false),
        ("metadata", "metadata.labels", false),
        ("metadata.labels", "..labels", false),
    ];
    for (text, prefix, within) in rows {
        assert_eq!(path(text).is_within(&path(prefix)), within, "{text} {prefix}");
    }
}

#[test]
fn paths_go_to_other_threads() {
    fn sent<T: Send + Sync + 'static>() {}
    sent::<FieldPath>();
    sent::<PathError>();
}

/// SEMANTICS: B1
#[test]
fn a_search_looks_at_a_node_once_for_each_segment() {
    let mut value = json!({ "b": "deepest" });
    for at in 0..100 {
        value = json!({ "a": value, "b": at });
    }
    let value = json!({ "spec": value });
    STEPS_TAKEN.set(0);
    assert_eq!(path("spec..a..a..a..a..b").keys(&value).len(), 97);
    assert!((400..=12 * 102).contains(&STEPS_TAKEN.get()), "{}", STEPS_TAKEN.get());
}

/// SEMANTICS: B1
#[test]
fn no_more_values_are_read_than_an_index_takes() {
    struct Spec(std::cell::Cell<usize>);
    impl serde::Serialize for Spec {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..100_000).inspect(|_| self.0.set(self.0.get() + 1)))
        }
    }
    let spec = Spec(0.into());
    assert!(path("[*]").some_keys_of(&spec, 100).is_err());
    assert_eq!(spec.0.get(), 101);
    // A repeated value counts once.
    let repeated = vec!["x"; 1000];
    assert_eq!(path("[*]").some_keys_of(&repeated, 1).unwrap(), ["x"]);
    assert!(path("[*]").some_keys_of(&repeated, 0).is_err());
    let all: Vec<_> = (0..300).map(|at| at % 100).collect();
    assert_eq!(path("[*]").some_keys_of(&all, 100).unwrap().len(), 100);
    assert!(path("[*]").some_keys_of(&all, 99).is_err());
}

/// SEMANTICS: B1
#[test]
fn a_union_looks_at_each_child_once_for_each_node() {
    let value = json!({ "l": vec![json!({ "a": 1, "b": 2 }); 100_000] });
    STEPS_TAKEN.set(0);
    assert_eq!(path("l[*]['a','b','a']").select(&value).len(), 200_000);
    assert!(STEPS_TAKEN.get() < 410_000, "{}", STEPS_TAKEN.get());
}

/// Returns the keys that the query engine finds for a path.
fn by_engine(path: &FieldPath, value: &Value) -> Vec<String> {
    let query = serde_json_path::JsonPath::parse(path.canonical()).unwrap();
    scalar::distinct(query.query(value).iter().filter_map(|own| scalar::of_value(own)).collect())
}

/// SEMANTICS: B1
#[test]
fn a_filter_that_would_take_too_many_steps_selects_nothing() {
    let deep = |levels| (0..levels).fold(json!(1), |below, _| json!({ "a": below, "b": 1 }));
    let column = vec![deep(100); 100];
    let (small, large) = (json!({ "l": [deep(3)], "c": 1 }), json!({ "l": column, "c": 1 }));
    let wide = json!({ "l": vec![json!({ "k": 1, "b": { "c": 1 } }); 10_000], "c": 1 });
    for text in ["l..[?@..a..b].b", "l[?$..c].b", "l..[?@.b[?@..c] || @..a..b].b"] {
        let path = path(text);
        assert_eq!(path.some_keys_of(&small, 10).unwrap(), path.keys(&small), "{text}");
        assert_eq!(path.keys(&small), ["1"], "{text}");
        let object = if text.contains('$') { &wide } else { &large };
        assert!(path.some_keys_of(object, 10).is_err(), "{text}");
        assert!(path.keys(object).is_empty(), "{text}");
    }
    // Each of these visits each part of the object a few times.
    for text in ["l[?@..c].k", "l[?@.k == $.c].k", "l..[?@.c == 1].c", "l[?@.b[?@ == 1]].k"] {
        assert_eq!(path(text).keys(&wide), ["1"], "{text}");
    }
    let many = format!("l{}", "[*,*]".repeat(60));
    assert_eq!(path(&many).keys(&large), ["1"]);
    let many = format!("l[?@{}]", "[*,*]".repeat(60));
    assert!(path(&many).some_keys_of(&large, 10).is_err());
}

/// SEMANTICS: B1
#[test]
fn a_filter_takes_the_steps_of_what_it_reads() {
    let fields = (0..5000).map(|at| (format!("f:{at}"), json!({}))).collect::<Map<_, _>>();
    let container = |at: usize| json!({ "name": format!("c{at}"), "image": "x" });
    let pod = json!({
        "metadata": { "name": "a", "managedFields": [fields] },
        "spec": {
            "volumes": (0..100).map(|at| json!({ "name": format!("v{at}") })).collect::<Vec<_>>(),
            "containers": (0..100).map(container).collect::<Vec<_>>(),
        },
        "note": "x".repeat(100_000),
    });
    for text in [
        "spec.containers[?count($.spec.volumes[*]) > 1].name",
        "spec.containers[?$.spec.volumes[?@.name == 'v99']].name",
        "spec.containers[?$.spec.volumes[?@.name != $.metadata.name]].name",
        "spec.containers[?count($.spec.volumes[?@.name]) == length($.spec.volumes)].name",
        "spec.containers[?@.name == $.metadata.name || @.image == $.spec.containers[0].image].name",
        "spec.containers[?$.metadata.managedFields == 1 || @.image].name",
        "spec.containers[?match(@.name, 'c[0-9]+') && search(@.image, '^x$')].name",
        "spec..[?search(@.name, '\\\\d{2}')].name",
        "spec.containers[?length(@.name) == 2].name",
        "[?search(@, 'x')]",
    ] {
        let path = path(text);
        assert!(path.is_followed(&pod), "{text}");
        assert_eq!(path.keys(&pod), by_engine(&path, &pod), "{text}");
        assert_ne!(path.keys(&pod), [""; 0], "{text}");
    }
}

/// SEMANTICS: B1
#[test]
fn filters_that_read_much_of_the_root_for_each_value_are_not_run() {
    let object = |n: usize| {
        json!({
            "a": vec![1; n], "b": vec![1; n], "o": { "x": vec![1; n] }, "s": "x".repeat(n * 16),
            "l": vec![json!({ "k": 1 }); n], "nested": (0..100).fold(json!(vec![1; n]), |own, _| json!([own])),
        })
    };
    let (small, large) = (object(10), object(1000));
    for text in [
        "l[?$.a == $.b].k",
        "l[?$.a != $['b'] || @.k].k",
        "l[?$.o == $.o].k",
        "l[?length($.s) == 160].k",
        "l[?search($.s, 'x')].k",
        "l[?match($.s, 'x+')].k",
        "l[?value($..s) == 'x' || @.k].k",
        "l[?count($..*) > 1].k",
        "l[?$.a[?$.b == $.a]].k",
    ] {
        let path = path(text);
        assert!(path.is_followed(&small), "{text}");
        assert_eq!(path.keys(&small), by_engine(&path, &small), "{text}");
        STEPS_TAKEN.set(0);
        assert!(!path.is_followed(&large), "{text}");
        // The counting stops as soon as the result is known.
        assert!(STEPS_TAKEN.get() < 1_000_000, "{text} {}", STEPS_TAKEN.get());
    }
    // Each level compares everything below it.
    let (few, many) =
        (path("nested..[?@ == @]"), format!("nested..[?{}@]", "@ != @ || ".repeat(20)));
    assert!(few.is_followed(&large));
    let nested = json!({ "nested": large["nested"] });
    assert!(!path(&many).is_followed(&nested));
    // An object of a few hundred bytes takes few steps, too.
    let tiny = json!({ "l": vec![1; 500] });
    STEPS_TAKEN.set(0);
    assert!(!path("l[?count($..*) > 1]").is_followed(&tiny));
    assert!(STEPS_TAKEN.get() < 10_000, "{}", STEPS_TAKEN.get());
}

/// SEMANTICS: B1
#[test]
fn patterns_take_steps_for_each_value() {
    let list = |n: usize| json!({ "l": vec![json!({ "s": "abc" }); n] });
    for (text, few, many) in
        [("l[?match(@.s, '[a-z]+')].s", 1000, 100_000), ("l[?match(@.s, '\\\\w+')].s", 20, 200)]
    {
        let path = path(text);
        assert_eq!(path.keys(&list(few)), ["abc"], "{text}");
        assert!(!path.is_followed(&list(many)), "{text}");
    }
}

/// SEMANTICS: P3
#[test]
fn slices_take_what_the_query_engine_takes() {
    let part = |at: Option<i64>| at.map(|at| at.to_string()).unwrap_or_default();
    let bounds = || (-5..=5).map(Some).chain([None]);
    for (start, end) in bounds().flat_map(|start| bounds().map(move |end| (start, end))) {
        for step in (-3..=3).filter(|step| *step != 0).map(Some).chain([None]) {
            let path = path(&format!("l[{}:{}:{}]", part(start), part(end), part(step)));
            let query = serde_json_path::JsonPath::parse(path.canonical()).unwrap();
            for len in 0..5_usize {
                let value = json!({ "l": (0..len).collect::<Vec<_>>() });
                let found = query.query(&value).iter().map(ToString::to_string).collect::<Vec<_>>();
                assert_eq!(path.keys(&value), found, "{path} {len}");
                let own = (0..len).filter(|at| path.segments()[1].may_select_index(*at, len));
                let mut found: Vec<usize> = found.iter().map(|at| at.parse().unwrap()).collect();
                found.sort_unstable();
                assert_eq!(own.collect::<Vec<_>>(), found, "{path} {len}");
            }
        }
    }
}
