//! Query parameters, as form-encoded text.

use crate::testing::server::status::{self, Outcome};

/// The decoded parameters of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self { pairs: form_urlencoded::parse(text.as_bytes()).into_owned().collect() }
    }

    /// Returns the value of a parameter; an empty value counts as absent, as on a real server.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(one, value)| one == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Returns a flag, if it is set.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| !matches!(value, "0" | "false"))
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.flag(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Outcome<Option<u64>> {
        self.get(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    status::bad_request(&format!(
                        "{name}: Invalid value: \"{value}\": must be a non-negative integer"
                    ))
                })
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query =
            Query::parse("&watch=true&labelSelector=app+in+%28a%2Cb%29&limit=x&continue=&odd=50%");
        assert!(query.is_set("watch"));
        assert_eq!(query.get("labelSelector"), Some("app in (a,b)"));
        assert_eq!(query.get("continue"), None);
        assert_eq!(query.get("odd"), Some("50%"));
        assert_eq!(query.number("limit").expect_err("no number").code, 400);
    }
}
