//! Composition of JSON text.

/// Fills in `<name>`s. JSON of an API server contains no other `<`.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('<') {
        let (name, after) = from.split_once('>').expect("an end to each name");
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(before);
        filled.push_str(value.unwrap_or_else(|| panic!("no value for <{name}>")).1);
        rest = after;
    }
    filled + rest
}

/// Escapes text for a JSON string, like Go.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 5 / 4);
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Joins pieces with commas.
pub(crate) fn joined(pieces: impl IntoIterator<Item = String>) -> String {
    pieces.into_iter().collect::<Vec<_>>().join(",")
}
