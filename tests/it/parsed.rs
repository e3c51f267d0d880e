//! Types that are parsed from text: their common abilities.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use k8s_openapi::api::core::v1::Pod;
use kube_weir::{
    Debounce, FieldFilter, FieldPath, FieldSelector, Gvr, Index, LabelSelector, ObjectKey,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{from_value, to_value};

/// Converts a value to text and back, and to JSON and back.
fn comes_back<T>(text: &str)
where
    T: Clone + PartialEq + Debug + Display + FromStr<Err: Debug> + Serialize + DeserializeOwned,
{
    let value: T = text.parse().unwrap();
    assert_eq!(value.clone(), value);
    assert_eq!(value.to_string().parse::<T>().unwrap(), value, "by its text");
    let json = to_value(&value).unwrap();
    assert_eq!(json, value.to_string(), "text in JSON, too");
    assert_eq!(from_value::<T>(json).unwrap(), value, "by JSON");
    assert_eq!(from_value::<T>(text.into()).unwrap(), value, "however it was written");
}

#[test]
fn parsed_types_come_back_from_text_and_json() {
    comes_back::<Gvr>("apps/v1/deployments");
    comes_back::<Gvr>("autoscaling/v2,v1/horizontalpodautoscalers");
    comes_back::<FieldPath>("$.metadata.labels['a.b']");
    comes_back::<FieldFilter>("status, metadata.managedFields");
    comes_back::<FieldSelector>("spec.type=LoadBalancer,metadata.name!=x");
    comes_back::<LabelSelector>("app in (a, b),!legacy");
    comes_back::<Index<Pod>>("metadata.namespace, spec.nodeName");
    comes_back::<Debounce>("quiet 200ms, max 1s");
    comes_back::<Debounce>("1m 30s");
    comes_back::<ObjectKey>("web/shop");
}
