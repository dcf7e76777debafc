//! Labels: texts that the config gives to all documents, and attributes that it moves to `labels.*`.
//!
//! All other attributes stay under `metricast.attributes`. A dot in a label's name becomes `_`: in a document it would
//! open an object.

use std::collections::BTreeMap;
use std::fmt;

use metricast_sdk::PublishError;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// One label as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// The same in all documents.
    Fixed(String),
    /// The value of an attribute, where a record has it.
    Of(AttributeLabel),
}

/// A label with an attribute's value.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AttributeLabel {
    /// The attribute's key.
    pub attribute: String,
    /// Which values become series of a metrics backend; a document carries any value.
    #[serde(default)]
    pub allow: Vec<String>,
    /// How many values become series of a metrics backend; a document carries any value.
    #[serde(default)]
    pub max: Option<u32>,
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfLabel;
        impl<'de> Visitor<'de> for OfLabel {
            type Value = Label;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or an attribute as { attribute = \"tenant\" }")
            }

            fn visit_str<E>(self, text: &str) -> Result<Label, E> {
                Ok(Label::Fixed(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Label, A::Error> {
                AttributeLabel::deserialize(MapAccessDeserializer::new(map)).map(Label::Of)
            }
        }
        deserializer.deserialize_any(OfLabel)
    }
}

/// The labels as they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Names and values.
    pub(crate) fixed: Vec<(String, String)>,
    /// Keys of attributes, and the labels' names.
    pub(crate) moved: Vec<(String, String)>,
}

impl Labels {
    /// The name of the label that an attribute becomes.
    pub(crate) fn of_attribute(&self, key: &str) -> Option<&str> {
        self.moved.iter().find_map(|(attribute, name)| (attribute == key).then_some(name.as_str()))
    }
}

impl TryFrom<&BTreeMap<String, Label>> for Labels {
    type Error = PublishError;

    fn try_from(written: &BTreeMap<String, Label>) -> Result<Self, PublishError> {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        let mut labels = Self::default();
        for (key, label) in written {
            let fault = |what: fmt::Arguments<'_>| Err(PublishError::misconfigured(format_args!("labels.{key}"), what));
            let name = key.replace('.', "_");
            if name.is_empty() || name.contains('\0') {
                return fault(format_args!("a label has a name, without a NUL"));
            }
            if let Some(other) = names.insert(name.clone(), key) {
                return fault(format_args!(
                    "both it and {other:?} are labels.{name} in a document: name one otherwise"
                ));
            }
            match label {
                Label::Fixed(text) if text.is_empty() => return fault(format_args!("is empty: leave the key out")),
                Label::Fixed(text) => labels.fixed.push((name, text.clone())),
                Label::Of(of) if of.attribute.is_empty() => {
                    return fault(format_args!("attribute is empty: write the key of one"));
                }
                Label::Of(of) => match labels.of_attribute(&of.attribute) {
                    Some(other) => {
                        return fault(format_args!("the attribute {:?} is labels.{other} already", of.attribute));
                    }
                    None => labels.moved.push((of.attribute.clone(), name)),
                },
            }
        }
        Ok(labels)
    }
}
