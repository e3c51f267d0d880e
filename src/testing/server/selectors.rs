//! Selectors of requests.

use serde_json::Value;

use crate::{
    filter::LabelSelector,
    testing::server::{
        history::Key,
        status::{self, Outcome},
    },
};

/// The selected objects of a list, a watch or a delete of a collection.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) namespace: Option<String>,
    pub(super) labels: Option<LabelSelector>,
    pub(super) fields: FieldSelector,
}

impl Selection {
    pub(super) fn admits(&self, key: &Key, object: &Value) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
            && self.labels.as_ref().is_none_or(|own| own.matches(object))
            && self.fields.matches(object)
    }

    /// Returns whether only the namespace selects.
    pub(super) fn is_plain(&self) -> bool {
        self.labels.is_none() && self.fields.terms.is_empty()
    }
}

/// Reads the label selector of a request; an empty one selects everything.
pub(super) fn labels(text: &str) -> Outcome<Option<LabelSelector>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    LabelSelector::read(text).map(Some).map_err(|(_, why)| {
        let message = format!("unable to parse requirement: {why} in label selector \"{text}\"");
        status::bad_request(&message)
    })
}

/// A field selector, such as `metadata.name=web,spec.nodeName!=a`. It may use any path; a real server allows
/// a few per kind.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldSelector {
    terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let refuse = |term: &str| {
            status::bad_request(&format!("invalid selector: '{text}'; can't understand '{term}'"))
        };
        let mut terms = Vec::new();
        for term in split_unescaped(text).into_iter().filter(|term| !term.is_empty()) {
            let (path, equal, value) = ["!=", "==", "="]
                .iter()
                .filter_map(|operator| Some((term.find(operator)?, *operator)))
                .min_by_key(|(at, operator)| (*at, usize::MAX - operator.len()))
                .map(|(at, operator)| (&term[..at], operator != "!=", &term[at + operator.len()..]))
                .ok_or_else(|| refuse(term))?;
            if path.is_empty() {
                return Err(refuse(term));
            }
            let value = unescape(value).ok_or_else(|| refuse(term))?;
            terms.push((path.to_owned(), equal, value));
        }
        Ok(Self { terms })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|(path, equal, value)| (field(object, path) == *value) == *equal)
    }
}

/// Returns the value at a dotted path as text for comparison; a missing value is the empty text.
fn field(object: &Value, path: &str) -> String {
    let value = path.split('.').try_fold(object, |value, name| value.get(name));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn split_unescaped(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next().filter(|c| matches!(c, '\\' | ',' | '='))?),
            ',' | '=' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn field_selectors_match_any_path() {
        let object =
            json!({"metadata": {"name": "a"}, "spec": {"node": "n,1", "on": true, "count": 3}});
        let matches =
            |selector: &str| FieldSelector::parse(selector).expect(selector).matches(&object);
        for yes in [
            "",
            "metadata.name=a",
            "metadata.name==a,spec.on=true",
            "spec.node=n\\,1",
            "spec.none=",
            "spec.count!=4",
        ] {
            assert!(matches(yes), "{yes}");
        }
        for no in ["metadata.name!=a", "spec.none!=", "metadata.namespace=x"] {
            assert!(!matches(no), "{no}");
        }
        for bad in ["metadata.name", "=a", "a=b=c", "a=b\\c"] {
            assert_eq!(FieldSelector::parse(bad).expect_err(bad).code, 400, "{bad}");
        }
    }
}
