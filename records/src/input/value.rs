//! A JSON value of a record's key, kept as far as it must be: text borrowed, numbers exact, the rest as JSON text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor, value};

use super::Text;

#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Whole(u64),
    /// A whole number below zero.
    Negative(i64),
    /// A number with a fraction or an exponent, or beyond 64 bits.
    Float(f64),
    Text(Text<'a>),
    /// An array or an object, as JSON text.
    Nested(String),
}

impl<'a> Value<'a> {
    /// As the value of an attribute; null is none.
    pub(super) fn into_attribute(self) -> Option<Text<'a>> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
            Self::Whole(value) => Some(Cow::Owned(value.to_string())),
            Self::Negative(value) => Some(Cow::Owned(value.to_string())),
            Self::Float(value) => Some(Cow::Owned(json_number(value))),
            Self::Text(text) => Some(text),
            Self::Nested(json) => Some(Cow::Owned(json)),
        }
    }
}

/// As a message shows it: kind and value, cut where it is long.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "the number {value}"),
            Self::Negative(value) => write!(f, "the number {value}"),
            Self::Float(value) => write!(f, "the number {}", short(*value)),
            Self::Text(text) => write!(f, "the text {}", quoted(text)),
            Self::Nested(json) if json.starts_with('[') => f.write_str("an array"),
            Self::Nested(_) => f.write_str("an object"),
        }
    }
}

/// A text in quotes, escaped, cut after 40 characters.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// A number as a message shows it: in digits, or with an exponent where those would be many.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || (1e-6..1e19).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

fn json_number(value: f64) -> String {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string(), |number| number.to_string())
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(u64::try_from(value).map_or(Value::Negative(value), Value::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        serde_json::Value::deserialize(value::SeqAccessDeserializer::new(items))
            .map(|array| Value::Nested(array.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Self::Value, A::Error> {
        serde_json::Value::deserialize(value::MapAccessDeserializer::new(entries))
            .map(|object| Value::Nested(object.to_string()))
    }
}
