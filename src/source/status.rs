//! The `Status` with which an API server reports a failure.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    error::{Error, LONGEST},
    printed::printed,
};

/// The parts of a
/// [`Status`](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/) that a watch
/// uses. Each is read on its own, so that one invalid field doesn't hide the others, and none is longer
/// than an error.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// True if the body declares itself a `Status`. The message of anything else may be a secret.
    pub(super) quotable: bool,
    code: Option<u16>,
    reason: String,
    message: String,
    /// The name of the object that the status is about.
    name: String,
    retry_after: Option<Duration>,
}

/// A field of a `Status`, or of its `details`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
pub(super) enum Part {
    Kind,
    Code,
    Reason,
    Message,
    Details,
    Name,
    RetryAfterSeconds,
    #[serde(other)]
    Other,
}

impl Status {
    /// Reads the JSON of a `Status`. Anything else, such as a proxy's page, yields an empty `Status`.
    pub(super) fn read(json: &[u8]) -> Self {
        let mut status = Self::default();
        status.fill(None, json).map_or_else(|_| Self::default(), |()| status)
    }

    /// Reads the JSON of one part.
    pub(super) fn read_part(&mut self, part: Part, json: &[u8]) -> Result<(), serde_json::Error> {
        self.fill(Some(part), json)
    }

    fn fill(&mut self, part: Option<Part>, json: &[u8]) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(json);
        Place { status: self, part }.deserialize(&mut json)?;
        json.end()
    }

    /// Returns the error of the request named by `what`. `code` is the HTTP status, if the whole response
    /// is the failure, and `name` is the requested object, if there was one.
    pub(super) fn into_error(self, what: &str, code: Option<u16>, name: Option<&str>) -> Error {
        let code = code.or(self.code).unwrap_or_default();
        let message = if self.quotable { &*self.message } else { "" };
        let error = Error::from_status(what, code, &self.reason, message);
        // A 404 for a resource that is not served, or for a missing namespace, is not about the object. The
        // kind in the answer is not compared, and a namespace before the name is dropped: metrics-server
        // has its own names for nodes, and names a Pod `namespace/name`.
        let own = self.name.rsplit('/').next();
        let is_about_it = name.is_some() && name == own;
        let error = if code == 404 && is_about_it { error.of_missing_object() } else { error };
        error.with_retry_after(self.retry_after)
    }

    fn set(&mut self, part: Option<Part>, text: Option<&str>, number: Option<u64>) {
        let shown = || printed(text.unwrap_or_default(), LONGEST);
        match part {
            Some(Part::Kind) => self.quotable = text == Some("Status"),
            Some(Part::Code) => self.code = number.and_then(|code| u16::try_from(code).ok()),
            Some(Part::Reason) => self.reason = shown(),
            Some(Part::Message) => {
                self.message = printed(text.unwrap_or_default().trim(), LONGEST);
            }
            Some(Part::Name) => self.name = shown(),
            Some(Part::RetryAfterSeconds) => self.retry_after = number.map(Duration::from_secs),
            Some(Part::Details) => {
                self.name.clear();
                self.retry_after = None;
            }
            Some(Part::Other) | None => {}
        }
    }
}

/// The place of the next value: a part, or the whole.
struct Place<'s> {
    status: &'s mut Status,
    part: Option<Part>,
}

impl Place<'_> {
    /// Returns the part that a field stands for in this place.
    fn below(&self, field: Part) -> Part {
        use Part::{Code, Details, Kind, Message, Name, Reason, RetryAfterSeconds};
        match (self.part, field) {
            (None, Kind | Code | Reason | Message | Details)
            | (Some(Details), Name | RetryAfterSeconds) => field,
            _ => Part::Other,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.part == Some(Part::Other) {
            return IgnoredAny::deserialize(deserializer).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

/// Accepts any value: a value of the wrong type counts as missing.
impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.status.set(self.part, Some(text), None);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.status.set(self.part, None, Some(number));
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.status.set(self.part, None, None);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.status.set(self.part, None, None);
        while let Some(field) = fields.next_key()? {
            let part = Some(self.below(field));
            fields.next_value_seed(Place { status: &mut *self.status, part })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W13
    #[test]
    fn one_odd_field_hides_no_other() {
        for text in [
            r#"{"kind":"Status","status":"Failure","message":null,"reason":"Expired","code":410}"#,
            r#"{"reason":"Expired","code":410,"details":{"causes":null,"retryAfterSeconds":-1}}"#,
            r#"{"reason":"Expired","message":7,"details":[]}"#,
            r#"{"code":410}"#,
        ] {
            let error = Status::read(text.as_bytes()).into_error("watch v1/pods", None, None);
            assert!(error.is_desynced(), "{text}: {error}");
        }
    }

    /// SEMANTICS: W18
    #[test]
    fn details_ask_for_a_wait_as_the_header_does() {
        let text = br#"{"code":429,"reason":"TooManyRequests","details":{"retryAfterSeconds":7}}"#;
        let error = Status::read(text).into_error("list v1/pods", Some(429), None);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }

    /// SEMANTICS: B4
    #[test]
    fn a_body_that_is_no_status_is_not_quoted() {
        for body in [&br#"{"data":{"password":"hunter2"}}"#[..], b"hunter2\n", b"\xff"] {
            let error = Status::read(body).into_error("list v1/secrets", Some(500), None);
            assert_eq!(error.to_string(), "list v1/secrets: HTTP status 500");
        }
    }

    #[test]
    fn failures_say_what_the_server_said() {
        let read = |text: &str, code| {
            Status::read(text.as_bytes()).into_error("get v1/pods", code, Some("a"))
        };
        let body = r#"{"kind":"Status","status":"Failure","message":"pods is forbidden","reason":"Forbidden","code":403}"#;
        let error = read(body, Some(403));
        assert!(error.is_forbidden());
        assert_eq!(error.to_string(), "get v1/pods: pods is forbidden (403 Forbidden)");
        let body = r#"{"kind":"Status","status":"Failure","message":"pods \"a\" not found","reason":"NotFound","details":{"name":"a","kind":"pods"},"code":404}"#;
        assert!(read(body, Some(404)).is_not_found());
        let body = r#"{"kind":"Status","status":"Failure","message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}"#;
        assert!(read(body, Some(404)).is_not_installed());
        assert!(read("404 page not found\n", Some(404)).is_not_installed());
    }

    /// SEMANTICS: B6
    #[test]
    fn a_404_about_another_object_says_nothing_of_this_one() {
        let body = |details: &str| {
            format!(r#"{{"kind":"Status","reason":"NotFound","code":404,"details":{details}}}"#)
        };
        for (details, name, is_missing) in [
            (r#"{"name":"a","kind":"pods"}"#, Some("a"), true),
            // metrics-server uses these names for nodes and Pods.
            (r#"{"name":"a","kind":"nodemetrics"}"#, Some("a"), true),
            (r#"{"name":"default/a","kind":"pods"}"#, Some("a"), true),
            (r#"{"name":"a/b","kind":"pods"}"#, Some("a"), false),
            (r#"{"name":"shop","kind":"namespaces"}"#, Some("a"), false),
            (r#"{"name":""}"#, Some(""), true),
            ("{}", Some("a"), false),
            // A list names no object.
            (r#"{"name":"a","kind":"pods"}"#, None, false),
        ] {
            let error =
                Status::read(body(details).as_bytes()).into_error("get v1/pods", Some(404), name);
            assert_eq!(error.is_not_found(), is_missing, "{details} {name:?}");
            assert_eq!(error.is_not_installed(), !is_missing, "{details} {name:?}");
        }
    }

    /// SEMANTICS: B1, B4
    #[test]
    fn no_more_is_kept_of_a_status_than_an_error_may_say() {
        let long = r"x\n".repeat(100_000);
        let causes =
            r#"{"reason":"FieldValueInvalid","message":"no","field":"spec"},"#.repeat(10_000);
        let body = format!(
            r#"{{"kind":"Status","code":500,"message":"{long}","reason":"{long}","details":{{"name":"{long}","causes":[{}],"uid":{{}}}},"other":[{{}}]}}"#,
            causes.trim_end_matches(',')
        );
        let status = Status::read(body.as_bytes());
        for text in [&status.message, &status.reason, &status.name] {
            assert!((1..=4 * LONGEST).contains(&text.capacity()), "{}", text.capacity());
        }
        let text = status.into_error("list v1/pods", None, None).to_string();
        assert!(
            text.starts_with("list v1/pods: x\\nx") && text.chars().count() <= LONGEST,
            "{text}"
        );
    }
}
