//! The text form of parsed types: parsing, printing and serde.

use std::fmt;

use serde::{Deserializer, de::Visitor};

use crate::error::Error;

/// Implements all conversions between a parsed type and its text, with the type's `parse` and `Display`.
///
/// A method that takes `impl TryInto<T, Error: Into<Error>>` then accepts text, a `T` and a `&T`.
macro_rules! has_text {
    ($type:ident, $error:ty, $expected:literal) => {
        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl TryFrom<&String> for $type {
            type Error = $error;

            fn try_from(text: &String) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<&&str> for $type {
            type Error = $error;

            fn try_from(text: &&str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl From<&$type> for $type {
            fn from(own: &$type) -> Self {
                own.clone()
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::text::deserialize(deserializer, $expected, Self::parse)
            }
        }
    };
}

pub(crate) use has_text;

/// Converts an argument: a parsed value, or text that is parsed here.
pub(crate) fn given<T>(given: impl TryInto<T, Error: Into<Error>>) -> Result<T, Error> {
    given.try_into().map_err(Into::into)
}

/// Deserializes a text with a parser. The error has the parser's message, which says what is wrong and
/// where.
pub(crate) fn deserialize<'de, D, T, E>(
    deserializer: D,
    expected: &'static str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    deserializer.deserialize_str(Text { expected, parse })
}

struct Text<T, E> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, E>,
}

impl<T, E: fmt::Display> Visitor<'_> for Text<T, E> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<R: serde::de::Error>(self, text: &str) -> Result<T, R> {
        (self.parse)(text).map_err(R::custom)
    }
}
