//! Selectors and filters as text: hints, equality, and conversions.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use kube::core::{Expression, Selector};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    error::{Error, PathError},
    filter::{FieldFilter, FieldSelector, LabelSelector},
    path::FieldPath,
};

fn check(error: &PathError, text: &str, position: usize, hint: &str) {
    assert!(error.hint().contains(hint), "{text}: {error}");
    assert_eq!((error.position(), error.path()), (position, text), "{error}");
}

/// SEMANTICS: P5
#[test]
fn a_field_selector_that_is_none_says_what_is_meant() {
    for (text, position, hint) in [
        ("", 0, "empty"),
        ("a", 1, "expected '='"),
        ("a=1,", 3, "nothing follows this ','"),
        ("a=1, ", 3, "nothing follows this ','"),
        ("a=1,,b=2", 4, "empty"),
        ("x>70", 1, ".matching_with()"),
        ("a=1,x >= 70", 6, ".matching_with()"),
        ("app in (a)", 4, ".labels()"),
        ("app in(a,b)", 4, ".labels()"),
        ("a=1,app  notin (a)", 9, ".labels()"),
        ("!app", 0, ".labels()"),
        ("a=1, !app", 5, ".labels()"),
        (r#"type="x""#, 5, "quotes would be part of the value"),
        ("type != 'x'", 8, "quotes would be part of the value"),
        ("a=1 and b=2", 3, "joined by ','"),
        ("a=1&&b=2", 3, "joined by ','"),
        ("a=b=c", 3, r"written '\='"),
        (r"a=\b", 2, "are escaped"),
        ("a=1,l[01]=2", 6, "no leading zero"),
        ("l[?@.a and @.b].c=1", 7, "'&&'"),
    ] {
        let error = FieldSelector::parse(text).expect_err(text);
        check(&error, text, position, hint);
        assert!(Error::from(error).is_selector());
    }
}

#[test]
fn marks_that_look_like_operators_may_be_part_of_names_and_values() {
    let object = json!({ "a>b": "it's", "in (": "\"x\"", "l": [{ "n": 5, "v": "x>7" }] });
    for text in [
        r"a\>b=it's",
        r"['a>b']=it's",
        r#"['in (']=\"x\""#,
        r"in\ \(!=x",
        "l[?@.n > 4].v=x>7",
        "l[?@.n in]=x",
    ] {
        let selector = FieldSelector::parse(text);
        match text {
            "l[?@.n in]=x" => assert!(selector.is_err()),
            _ => assert!(selector.unwrap().matches(&object), "{text}"),
        }
    }
}

/// SEMANTICS: P5
#[test]
fn a_label_selector_that_is_none_says_what_is_meant() {
    for (text, position, hint) in [
        ("", 0, "empty"),
        ("app,", 3, "nothing follows this ','"),
        ("app=web , ", 8, "nothing follows this ','"),
        ("app=web and tier=b", 8, "joined by ','"),
        ("app=web && tier=b", 8, "joined by ','"),
        ("app=a or app=b", 6, "app in (a, b)"),
        (r#"app="web""#, 4, "no quotes"),
        ("app in ('a')", 8, "no quotes"),
        ("app in a", 7, "'('"),
    ] {
        let error = LabelSelector::parse(text).expect_err(text);
        check(&error, text, position, hint);
        assert!(Error::from(error).is_selector());
    }
}

/// SEMANTICS: P5
#[test]
fn a_filter_that_is_none_says_where() {
    for (text, position, hint) in [
        ("a,", 1, "nothing follows this ','"),
        (",a", 0, "empty"),
        ("status,metadata.", 16, "expected a name"),
        ("status, metadata.uid", 8, "identifies"),
    ] {
        check(&FieldFilter::parse(text).expect_err(text), text, position, hint);
    }
    assert!(FieldFilter::parse(" ").unwrap().is_empty());
}

#[test]
fn equal_is_what_means_the_same() {
    let fields = |text: &str| FieldSelector::parse(text).unwrap();
    assert_eq!(fields("a=1,b!=2"), fields(" b != 2 , $['a'] == 1"));
    assert_ne!(fields("a=1"), fields("a!=1"));
    assert_ne!(fields("a=1"), fields("a=1,b=2"));
    let labels = |text: &str| LabelSelector::parse(text).unwrap();
    assert_eq!(labels("a in (x, y),b"), labels("b,a in (y,x,y)"));
    assert_eq!(labels("a=x"), labels("a in (x)"));
    assert_ne!(labels("a=x"), labels("a!=x"));
    let filter = |text: &str| FieldFilter::parse(text).unwrap();
    assert_eq!(filter("a,b"), FieldFilter::new(["b", "{.a}"]).unwrap());
    assert_ne!(filter("a"), filter("a,b"));
}

#[test]
fn serialized_it_is_the_text() {
    fn check<T>(text: &str, expected: &str)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug + for<'t> TryFrom<&'t str> + ToString,
    {
        let Ok(own) = T::try_from(text) else { panic!("{text}") };
        let json = serde_json::to_value(&own).unwrap();
        assert_eq!(json, own.to_string());
        assert_eq!(serde_json::from_value::<T>(json).unwrap(), own);
        let error = serde_json::from_str::<T>("7").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    check::<FieldPath>("a['b.c'][0]", "expected a field path");
    check::<FieldFilter>("a[?@.b == 'x,y'].c,['d,e'],f\\,g", "expected field paths");
    check::<FieldSelector>(r"a=x\,y,b!=\'", "expected a field selector");
    check::<LabelSelector>("app in (a, b),!c,n>4", "expected a label selector");
    for (error, what) in [
        (serde_json::from_str::<FieldSelector>(r#""a=1,""#).unwrap_err(), "(at byte 3)"),
        (serde_json::from_str::<FieldFilter>(r#""metadata""#).unwrap_err(), "identifies"),
    ] {
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn label_selectors_become_those_of_kube_and_of_objects() {
    for text in ["a=x", "a!=x", "a in (x,y)", "a notin (x,y)", "a,!b", "a=x,a=y", "a="] {
        let own = LabelSelector::parse(text).unwrap();
        let of_kube = Selector::try_from(&own).unwrap();
        assert_eq!(of_kube.to_string(), text);
        assert_eq!(LabelSelector::try_from(of_kube).unwrap(), own, "{text}");
        let of_objects = v1::LabelSelector::try_from(&own).unwrap();
        assert_eq!(LabelSelector::try_from(&of_objects).unwrap(), own, "{text}: {of_objects:?}");
    }
    let compares = LabelSelector::parse("a,b>4").unwrap();
    check(&Selector::try_from(&compares).unwrap_err(), "a,b>4", 3, "no '<' and '>'");
    check(&v1::LabelSelector::try_from(compares).unwrap_err(), "a,b>4", 3, "no '<' and '>'");
}

/// SEMANTICS: B8
#[test]
fn what_others_call_a_label_selector_is_checked() {
    let is_refused = |selector: Selector, text: &str, position, hint: &str| {
        check(&LabelSelector::try_from(selector).unwrap_err(), text, position, hint);
    };
    is_refused(Selector::default(), "", 0, "select everything");
    let value = Expression::Equal("a".into(), "x,b".into());
    is_refused(value.into(), "a=x,b", 2, "invalid label value");
    let key = [Expression::Exists("a".into()), Expression::DoesNotExist("b c".into())];
    is_refused(key.into_iter().collect(), "a,!b c", 3, "invalid label key");
    is_refused(Expression::In("a".into(), [].into()).into(), "a in ()", 6, "expected a value");
    let values = Expression::NotIn("a".into(), ["x".into(), "y)".into()].into());
    is_refused(values.into(), "a notin (x,y))", 11, "invalid label value");

    let of_objects = |operator: &str, values: Option<Vec<String>>| {
        let requirement =
            v1::LabelSelectorRequirement { key: "a".into(), operator: operator.into(), values };
        let selector = v1::LabelSelector {
            match_expressions: Some(vec![requirement]),
            ..v1::LabelSelector::default()
        };
        LabelSelector::try_from(selector)
    };
    assert!(of_objects("In", Some(vec!["x".into()])).is_ok());
    for (operator, values, hint) in [
        ("In", None, "expected a value"),
        ("Equals", None, "DoesNotExist"),
        ("Exists", Some(vec!["x".into()]), "takes no values"),
    ] {
        let error = of_objects(operator, values).unwrap_err();
        assert!(error.hint().contains(hint), "{error}");
    }
    assert!(LabelSelector::try_from(v1::LabelSelector::default()).is_err());
}
