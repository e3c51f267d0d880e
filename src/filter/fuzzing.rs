//! Properties of paths and filters that the fuzzer checks.
#![expect(clippy::missing_panics_doc, reason = "a panic is a finding of the fuzzer")]

use std::sync::LazyLock;

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{FieldFilter, FieldSelector, LabelSelector};
use crate::{
    document::with_tape,
    error::PathError,
    path::{FieldPath, scalar},
};

/// Small objects with everything that a path can distinguish.
static SAMPLES: LazyLock<[Value; 3]> = LazyLock::new(|| {
    let object = json!({
        "a": { "b": "x", "c": [1, 2.5, "x", null, { "b": true }], "a": { "a": "deep" } },
        "b": [{ "a": 1, "b": "x" }, { "a": "1" }, [0, [1]], "y"],
        "c.d": { "": 0, "$": "root", "@": "here", "it's": "quoted", "\"": "x" },
        "metadata": { "name": "n", "labels": { "app.kubernetes.io/name": "web" } },
    });
    [object.clone(), json!([object["b"], [[]], { "b": [{}] }, 3]), json!("scalar")]
});

/// Checks that parsing never panics. An accepted path, written and parsed again, must be equal; it must
/// select the same in each form of an object, and the same as in `serde_json_path`, unless that is too
/// costly.
pub fn path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let path = match FieldPath::parse(text) {
        Ok(path) => path,
        Err(error) => return shows_where(&error, text),
    };
    assert_eq!(FieldPath::parse(path.as_str()).as_ref(), Ok(&path));
    assert_eq!(FieldPath::parse(&format!(" {path}\n")).as_ref(), Ok(&path));
    let canonical = JsonPath::parse(path.canonical()).unwrap();
    // Text in the syntax of RFC 9535 means the same here, except for escapes.
    let own = JsonPath::parse(text).ok().filter(|_| !text.contains('\\'));
    let queries: Vec<_> = [Some(&canonical), own.as_ref()].into_iter().flatten().collect();
    // In `serde_json_path`, a search below a search takes the square of its time.
    let few_searches = path.canonical().matches("..").count() <= 3;
    for value in &*SAMPLES {
        let keys = path.keys(value);
        let is_run = few_searches && path.is_followed(value);
        assert!(is_run || !few_searches || path.has_filter() && keys.is_empty(), "{path}");
        for query in queries.iter().filter(|_| is_run) {
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

/// Checks that both ways to remove fields from text remove the same as from a value. The first line of
/// the data is paths, separated by tabs; the rest is the text.
pub fn removal(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Some((paths, text)) = text.split_once('\n') else { return };
    let Ok(filter) = FieldFilter::new(paths.split('\t')) else { return };
    let (cut, decoded) = (filter.cut(text), filter.deserialize::<Value>(text));
    // A removed field need not be valid, so the whole text may be undecodable where the rest is not.
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

fn shows_where(error: &PathError, text: &str) {
    assert!(text.is_char_boundary(error.position()), "{error}");
    assert!(error.caret().lines().count() == 2, "{error}");
}

/// Checks that an accepted selector, written and parsed again, is equal. A label selector must select
/// the same objects as a simple reader of selectors; a field selector must select the same in each form
/// of an object.
pub fn selector(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match LabelSelector::parse(text) {
        Ok(selector) => {
            assert_eq!(selector.to_string(), text);
            let twice = LabelSelector::parse(&selector.and(&selector).to_string()).unwrap();
            for (object, labels) in &*LABELLED {
                let wanted = selects(text, labels);
                assert_eq!(selector.matches(object), wanted, "{labels:?}");
                assert_eq!(twice.matches(object), wanted, "{labels:?}");
            }
        }
        Err(error) => shows_where(&error, text),
    }
    match FieldSelector::parse(text) {
        Ok(selector) => {
            let written = selector.to_string();
            assert!(text.trim_start().starts_with(&written) && written.len() >= text.trim().len());
            let again = FieldSelector::parse(&written).unwrap();
            let twice = FieldSelector::parse(&selector.and(&again).to_string()).unwrap();
            for value in &*SAMPLES {
                let (wanted, json) = (selector.matches(value), value.to_string());
                assert_eq!(selector.matches_of(value), wanted);
                assert_eq!(selector.matches_json(&json), wanted);
                assert_eq!(with_tape(&json, |tape| selector.matches_on_tape(tape)), Some(wanted));
                assert_eq!([again.matches(value), twice.matches(value)], [wanted; 2]);
            }
        }
        Err(error) => shows_where(&error, text),
    }
    let named = FieldSelector::of_name(text);
    assert!(named.matches(&json!({ "metadata": { "name": text } })));
    if !text.contains(char::is_whitespace) {
        let again = FieldSelector::parse(&named.to_string()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{named:?}"));
    }
}

type Labels = &'static [(&'static str, &'static str)];

static LABELLED: LazyLock<[(Value, Labels); 4]> = LazyLock::new(|| {
    let all: [Labels; 4] = [
        &[],
        &[("app", "web"), ("tier", "b"), ("empty", ""), ("x.io/n", "5")],
        &[("app", "db"), ("n", "-7")],
        &[("a", "a"), ("b", ""), ("in", "in")],
    ];
    all.map(|labels| {
        let map: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        (json!({ "metadata": { "labels": map } }), labels)
    })
});

/// Returns whether a valid label selector selects an object.
fn selects(selector: &str, labels: Labels) -> bool {
    let space = [' ', '\t', '\r', '\n'];
    let mut depth = 0;
    let requirements = selector.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    let value_of = |key: &str| {
        let key = key.trim_matches(space);
        labels.iter().find(|(own, _)| *own == key).map(|(_, value)| *value)
    };
    let number = |text: &str| text.trim_matches(space).parse::<i64>().ok();
    requirements.map(|own| own.trim_matches(space)).all(|own| {
        if let Some((head, set)) = own.split_once('(') {
            let (key, word) = head.trim_matches(space).rsplit_once(space).unwrap();
            let mut set = set.trim_end_matches(')').split(',').map(|own| own.trim_matches(space));
            let is_in = value_of(key).is_some_and(|value| set.any(|own| own == value));
            return is_in == (word == "in");
        }
        if let Some((key, value)) = own.split_once("!=") {
            return value_of(key) != Some(value.trim_matches(space));
        }
        if let Some((key, value)) = own.split_once('=') {
            let value = value.trim_start_matches('=').trim_matches(space);
            return value_of(key) == Some(value);
        }
        if let Some((key, bound)) = own.split_once('>') {
            return value_of(key).and_then(number) > number(bound);
        }
        if let Some((key, bound)) = own.split_once('<') {
            return value_of(key).and_then(number).is_some_and(|own| Some(own) < number(bound));
        }
        match own.strip_prefix('!') {
            Some(key) => value_of(key).is_none(),
            None => value_of(own).is_some(),
        }
    })
}
