//! Numbers as text that sorts by value.

use std::ops::Range;

/// Maximum number of digits; longer numbers are treated as text. No float of JSON has more digits before its
/// point.
const MOST_DIGITS: usize = 400;

/// Encodes a decimal number as text that sorts by value; returns `None` for other text.
///
/// The encoding is `1`, the number of digits before the point, and all digits. For a negative number it is
/// `0`, the same digits each subtracted from 9, and a `~`, which sorts after all digits: a longer negative
/// number is smaller.
pub(super) fn sortable(text: &str) -> Option<String> {
    let number = Number::parse(text)?;
    let integers = usize::try_from(number.point).ok().filter(|own| *own <= MOST_DIGITS)?;
    let digits = format!("{integers:04}{}", number.digits);
    if !number.is_negative {
        return Some(format!("1{digits}"));
    }
    let turned = digits.bytes().map(|digit| char::from(b'9' - (digit - b'0')));
    Some(format!("0{}~", turned.collect::<String>()))
}

/// Decodes a number encoded by `sortable` to its canonical text.
pub(super) fn written(sortable: &str) -> Option<String> {
    let (sign, digits) = match sortable.split_at_checked(1)? {
        ("0", turned) => {
            let turned = turned.strip_suffix('~')?.bytes();
            ("-", turned.map(|digit| char::from(b'9' - (digit - b'0'))).collect())
        }
        (_, digits) => ("", digits.to_owned()),
    };
    let (integers, digits) = digits.split_at_checked(4)?;
    let integers: usize = integers.parse().ok()?;
    // Trailing zeros are not in the encoding.
    let padded = format!("{digits:0<integers$}");
    let (whole, fraction) = padded.split_at(integers);
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// A decimal number: its digits without zeros at either end, and the number of digits before the point.
struct Number {
    is_negative: bool,
    digits: String,
    point: i64,
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (rest, exponent) = match rest.split_once(['e', 'E']) {
            Some((rest, exponent)) => (rest, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = match rest.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (rest, ""),
        };
        let digits = [whole, fraction].concat();
        let is_number = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || digits.len() > MOST_DIGITS {
            return None;
        }
        let Range { start, end } = significant(&digits);
        if start == end {
            return Some(Self { is_negative: false, digits: String::new(), point: 0 });
        }
        let point = exponent.checked_add(i64::try_from(whole.len()).ok()?)?;
        let point = point.checked_sub(i64::try_from(start).ok()?)?;
        if point >= 0 {
            return Some(Self { is_negative, digits: digits[start..end].to_owned(), point });
        }
        // Zeros directly after the point are significant.
        let zeros = usize::try_from(-point).ok().filter(|zeros| *zeros <= MOST_DIGITS)?;
        let digits = format!("{:0<zeros$}{}", "", &digits[start..end]);
        Some(Self { is_negative, digits, point: 0 })
    }
}

/// Returns the range of the digits without leading and trailing zeros.
fn significant(digits: &str) -> Range<usize> {
    let end = digits.trim_end_matches('0').len();
    let start = digits.len() - digits.trim_start_matches('0').len();
    start.min(end)..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_written() {
        for (text, is) in [
            ("0", "0"),
            ("-0", "0"),
            ("007", "7"),
            ("7.50", "7.5"),
            ("100", "100"),
            ("1e3", "1000"),
            ("1.25E-3", "0.00125"),
            ("-12e-1", "-1.2"),
            ("0.5", "0.5"),
            ("-1200", "-1200"),
        ] {
            assert_eq!(sortable(text).and_then(|own| written(&own)).as_deref(), Some(is), "{text}");
        }
        let long = "9".repeat(MOST_DIGITS + 1);
        for text in [
            "",
            "-",
            "1.",
            ".5",
            "+1",
            "0x10",
            "1e",
            "1e999999999999",
            "NaN",
            "1 ",
            "1_0",
            "--1",
            &long,
        ] {
            assert_eq!(sortable(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn they_sort_by_value(a in -1e9..1e9f64, b in -1e9..1e9f64, c: i64, d: i64) {
            let text = |number: f64| sortable(&number.to_string()).unwrap();
            prop_assert_eq!(text(a).cmp(&text(b)), a.total_cmp(&b));
            let text = |number: i64| sortable(&number.to_string()).unwrap();
            prop_assert_eq!(text(c).cmp(&text(d)), c.cmp(&d));
            prop_assert_eq!(written(&text(c)), Some(c.to_string()));
            prop_assert_eq!(written(&sortable(&a.to_string()).unwrap()), Some(a.to_string()));
        }

        #[test]
        fn extremes_do_too(a in prop::num::f64::NORMAL, b in prop::num::f64::NORMAL) {
            let text = |number: f64| sortable(&format!("{number:e}")).unwrap();
            prop_assert_eq!(text(a).cmp(&text(b)), a.total_cmp(&b));
        }
    }
}
