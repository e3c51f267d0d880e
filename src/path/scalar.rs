//! The text form of scalars, used as index keys.

use std::collections::HashSet;

use foldhash::quality::RandomState;
use serde_json::{Number, Value};

/// Returns the index key of a scalar; `None` for null, objects and arrays.
pub(crate) fn of_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => of_number(number),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the key of a number, a boolean or null as written in JSON text.
pub(crate) fn of_literal(text: &str) -> Option<String> {
    // Most numbers are short integers, whose text is their key.
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let short = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if short && digits[0] != b'0' {
        return Some(text.to_owned());
    }
    of_value(&serde_json::from_str(text).ok()?)
}

pub(crate) fn of_f64(number: f64) -> Option<String> {
    number.is_finite().then(|| shorten(format!("{number:?}")))
}

pub(crate) fn of_f32(number: f32) -> Option<String> {
    number.is_finite().then(|| shorten(format!("{number:?}")))
}

/// Removes duplicates and keeps the order.
pub(crate) fn distinct<S: AsRef<str>>(mut keys: Vec<S>) -> Vec<S> {
    if keys.len() > 1 {
        let mut seen = HashSet::with_capacity_and_hasher(keys.len(), RandomState::default());
        let first: Vec<bool> = keys.iter().map(|key| seen.insert(key.as_ref())).collect();
        let mut first = first.into_iter();
        keys.retain(|_| first.next().unwrap_or(true));
    }
    keys
}

fn of_number(number: &Number) -> Option<String> {
    if let Some(number) = number.as_i64() {
        return Some(number.to_string());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.to_string());
    }
    of_f64(number.as_f64()?)
}

/// Shortens a number without changing its value: `80.0` becomes `80`, and `-0` becomes `0`.
fn shorten(mut text: String) -> String {
    if text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    if text == "-0" {
        text.remove(0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: P6
    #[test]
    fn numbers_have_their_shortest_form() {
        let rows = [
            ("80", "80"),
            ("80.0", "80"),
            ("1.5", "1.5"),
            ("1.50", "1.5"),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("-1", "-1"),
            ("8e1", "80"),
            ("0.1", "0.1"),
            ("1e300", "1e300"),
            ("1E+300", "1e300"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9007199254740993", "9007199254740993"),
            ("123456789012345678", "123456789012345678"),
            ("1234567890123456789", "1234567890123456789"),
        ];
        for (text, key) in rows {
            assert_eq!(of_literal(text).as_deref(), Some(key), "{text}");
            assert_eq!(
                of_value(&serde_json::from_str(text).unwrap()).as_deref(),
                Some(key),
                "{text}"
            );
        }
        assert_eq!(of_f32(0.1).as_deref(), Some("0.1"));
        assert_eq!(of_f64(f64::NAN), None);
    }

    /// SEMANTICS: P6
    #[test]
    fn truth_values_and_null() {
        assert_eq!(of_literal("true").as_deref(), Some("true"));
        assert_eq!(of_literal("false").as_deref(), Some("false"));
        for text in ["null", "", "-", "nul", "1x", "007"] {
            assert_eq!(of_literal(text), None, "{text}");
        }
    }

    /// SEMANTICS: P7
    #[test]
    fn duplicates_are_dropped_in_order() {
        let keys = ["b", "a", "b", "c", "a"].map(str::to_owned).to_vec();
        assert_eq!(distinct(keys), ["b", "a", "c"]);
    }
}
