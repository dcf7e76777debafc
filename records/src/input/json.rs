//! One JSON object to [`Fields`], and what a person is told where the text is none.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use super::fields::{Fields, Key};
use super::value::Value;
use super::{Refusal, Text, told};

pub(super) fn parse_object(text: &str) -> Result<Fields<'_>, Refusal> {
    if let Some(what) = not_an_object(text.trim_ascii_start()) {
        return Err(Refusal(format!("a record is one JSON object, and this is {what}")));
    }
    // serde's errors carry text only: a refusal of ours is kept beside it.
    let refusal = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = Record { refusal: &refusal }.deserialize(&mut deserializer).and_then(|fields| {
        deserializer.end()?;
        Ok(fields)
    });
    fields.map_err(|error| refusal.take().unwrap_or_else(|| told::not_json(text, &error)))
}

fn not_an_object(text: &str) -> Option<&'static str> {
    let whole = |kind| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok().then_some(kind);
    match text.as_bytes().first()? {
        b'[' => Some("an array; the records of one stand on a line each"),
        b'"' => whole("a string"),
        b'n' => whole("null"),
        b't' | b'f' => whole("a boolean"),
        b'-' | b'0'..=b'9' => whole("a number"),
        _ => None,
    }
}

struct Record<'r> {
    refusal: &'r RefCell<Option<Refusal>>,
}

impl Record<'_> {
    fn refuse<T, E: serde::de::Error>(&self, result: Result<T, Refusal>) -> Result<T, E> {
        result.map_err(|refusal| {
            let error = E::custom(&refusal);
            self.refusal.replace(Some(refusal));
            error
        })
    }
}

fn insert_attributes<'a>(fields: &mut Fields<'a>, value: AttributesValue<'a>) -> Result<(), Refusal> {
    match value {
        AttributesValue::Pairs(pairs) => {
            pairs.into_iter().try_for_each(|(key, value)| fields.insert_attribute(key, value))
        }
        AttributesValue::Other(Value::Null) => Ok(()),
        AttributesValue::Other(value) => Err(Refusal(format!("attributes: must be an object, and this is {value}"))),
    }
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = Fields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        let mut attributes_seen = false;
        while let Some(key) = entries.next_key_seed(KeySeed)? {
            let inserted = match Key::named(&key) {
                Some(known) => fields.insert_known(known, entries.next_value()?),
                None if key == "attributes" => {
                    let again = std::mem::replace(&mut attributes_seen, true);
                    let value = entries.next_value()?;
                    if again {
                        Err(Refusal("attributes: the key stands twice".to_owned()))
                    } else {
                        insert_attributes(&mut fields, value)
                    }
                }
                None => fields.insert_attribute(key, entries.next_value()?),
            };
            self.refuse::<_, A::Error>(inserted)?;
        }
        Ok(fields)
    }
}

/// A key, borrowed where it has no escapes.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match <Value<'de> as serde::Deserialize>::deserialize(deserializer)? {
            Value::Text(text) => Ok(text),
            other => Err(D::Error::custom(format_args!("a key is text, and this is {other}"))),
        }
    }
}

/// The value of `attributes`: its pairs are read one by one, so that a key that stands twice is seen.
enum AttributesValue<'a> {
    Pairs(Vec<(Text<'a>, Value<'a>)>),
    Other(Value<'a>),
}

impl<'de> serde::Deserialize<'de> for AttributesValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = AttributesValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = entries.next_key_seed(KeySeed)? {
            pairs.push((key, entries.next_value()?));
        }
        Ok(AttributesValue::Pairs(pairs))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Whole(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Negative(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Float(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(AttributesValue::Other(Value::Text(text.to_owned().into())))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(AttributesValue::Other(Value::Nested("[]".to_owned())))
    }
}
