//! The config's labels: constant ones, and those whose values are attributes of the records.
//!
//! Attributes are as many as programs like, and each value makes series: so none becomes a label by itself, and one
//! that does has at most so many values. The rest are counted together under [`OTHER`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use metricast_sdk::PublishError;
use metricast_series::cap::{OTHER, OVERFLOW_LABEL};
use metricast_series::is_label_name;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most labels whose values are attributes.
pub(crate) const MOST: usize = 8;

/// How many values a label has unless told otherwise.
const DEFAULT_MAX: u32 = 50;

/// The most values that can be asked for.
const MOST_VALUES: u32 = 10_000;

/// Labels that the metrics have, that the formats have, and that Prometheus puts on what it scrapes.
const RESERVED: [&str; 11] = [
    "event_name",
    "status",
    "operation",
    "direction",
    "outcome",
    "reason",
    OVERFLOW_LABEL,
    "le",
    "quantile",
    "job",
    "instance",
];

/// A label of every series, or of those that count records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// The same value on every series.
    Constant(String),
    /// The value of an attribute.
    Attribute(AttributeLabel),
}

/// A label whose values are those of an attribute.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AttributeLabel {
    /// Its key.
    pub attribute: String,
    /// The values that are shown; any where nothing is said.
    #[serde(default)]
    pub allow: Option<Vec<String>>,
    /// How many values are shown.
    #[serde(default)]
    pub max: Option<u32>,
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Label;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or a table such as { attribute = \"tenant\", max = 50 }")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Label, E> {
                Ok(Label::Constant(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Label, A::Error> {
                AttributeLabel::deserialize(MapAccessDeserializer::new(map)).map(Label::Attribute)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The labels as they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Names and values.
    pub(crate) constants: Vec<(String, String)>,
    pub(crate) tags: Vec<Tag>,
}

/// A label whose values are those of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) label: String,
    pub(crate) attribute: String,
    pub(crate) allow: Option<BTreeSet<String>>,
    pub(crate) max: usize,
}

impl Labels {
    /// Checks labels as they are written under `labels`.
    pub(crate) fn checked(written: &BTreeMap<String, Label>) -> Result<Self, PublishError> {
        let mut labels = Self::default();
        for (name, label) in written {
            let wrong = |what: &dyn fmt::Display| PublishError::misconfigured(format_args!("labels.{name}"), what);
            if RESERVED.contains(&name.as_str()) || name.starts_with("__") {
                return Err(wrong(&"this name is taken: by the metrics, or by Prometheus"));
            }
            if !is_label_name(name) {
                return Err(wrong(&"a label's name has letters, digits and _ only, and no digit first"));
            }
            match label {
                Label::Constant(value) if value.is_empty() => return Err(wrong(&"is empty: leave the key out")),
                Label::Constant(value) => labels.constants.push((name.clone(), value.clone())),
                Label::Attribute(label) => labels.tags.push(labels.tag(name, label)?),
            }
        }
        if labels.tags.len() > MOST {
            let what = format_args!("at most {MOST} of them can have attributes as values");
            return Err(PublishError::misconfigured("labels", what));
        }
        Ok(labels)
    }

    fn tag(&self, name: &str, label: &AttributeLabel) -> Result<Tag, PublishError> {
        let wrong = |key: &str, what: &dyn fmt::Display| {
            Err(PublishError::misconfigured(format_args!("labels.{name}.{key}"), what))
        };
        let AttributeLabel { attribute, allow, max } = label;
        if attribute.is_empty() {
            return wrong("attribute", &"is the key of an attribute, and not empty");
        }
        if let Some(earlier) = self.tags.iter().find(|tag| tag.attribute == *attribute) {
            return wrong("attribute", &format_args!("{attribute} is the label {} already", earlier.label));
        }
        if allow.as_ref().is_some_and(|allow| allow.is_empty() || allow.iter().any(String::is_empty)) {
            return wrong("allow", &"is a list of values, none of them empty; leave it out to allow any");
        }
        if max.is_some_and(|max| max == 0 || max > MOST_VALUES) {
            return wrong("max", &format_args!("must be from 1 to {MOST_VALUES}"));
        }
        let allow: Option<BTreeSet<String>> = allow.as_ref().map(|allow| allow.iter().cloned().collect());
        let default = allow.as_ref().map_or(DEFAULT_MAX as usize, BTreeSet::len);
        let max = max.map_or(default, |max| max as usize);
        Ok(Tag { label: name.to_owned(), attribute: attribute.clone(), allow, max })
    }
}

impl Tag {
    /// What a value is shown as, where so many others `shown` have it already.
    pub(crate) fn show<'a>(&self, value: &'a str, shown: &BTreeSet<String>) -> &'a str {
        let is_shown = value.is_empty() || value == OTHER || shown.contains(value);
        let is_allowed = self.allow.as_ref().is_none_or(|allow| allow.contains(value));
        if is_shown || (is_allowed && shown.len() < self.max) { value } else { OTHER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(labels: serde_json::Value) -> Result<Labels, String> {
        let written: BTreeMap<String, Label> = serde_json::from_value(labels).map_err(|error| error.to_string())?;
        Labels::checked(&written).map_err(|error| error.to_string())
    }

    #[test]
    fn a_text_is_a_constant_and_a_table_an_attribute() {
        let labels = checked(json!({
            "region": "eu",
            "tenant": { "attribute": "customer.id", "allow": ["a", "b"] },
            "zone": { "attribute": "zone" },
        }));
        let tag = |label: &str, attribute: &str, allow, max| Tag {
            label: label.into(),
            attribute: attribute.into(),
            allow,
            max,
        };
        let allowed = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        let expected = Labels {
            constants: vec![("region".into(), "eu".into())],
            tags: vec![tag("tenant", "customer.id", Some(allowed), 2), tag("zone", "zone", None, 50)],
        };
        assert_eq!(labels, Ok(expected));
    }

    #[test]
    fn what_cannot_be_names_its_key() {
        let many: BTreeMap<String, _> =
            (0..9).map(|n| (format!("l{n}"), json!({ "attribute": format!("a{n}") }))).collect();
        for (labels, expected) in [
            (json!({ "status": "x" }), "labels.status: this name is taken: by the metrics, or by Prometheus"),
            (json!({ "__name__": "x" }), "labels.__name__: this name is taken: by the metrics, or by Prometheus"),
            (json!({ "a.b": "x" }), "labels.a.b: a label's name has letters, digits and _ only, and no digit first"),
            (json!({ "a": "" }), "labels.a: is empty: leave the key out"),
            (json!({ "a": { "attribute": "" } }), "labels.a.attribute: is the key of an attribute, and not empty"),
            (
                json!({ "a": { "attribute": "x" }, "b": { "attribute": "x" } }),
                "labels.b.attribute: x is the label a already",
            ),
            (
                json!({ "a": { "attribute": "x", "allow": [] } }),
                "labels.a.allow: is a list of values, none of them empty; leave it out to allow any",
            ),
            (json!({ "a": { "attribute": "x", "max": 0 } }), "labels.a.max: must be from 1 to 10000"),
            (json!(many), "labels: at most 8 of them can have attributes as values"),
        ] {
            assert_eq!(checked(labels).expect_err("refused"), expected);
        }
        assert!(checked(json!({ "a": 5 })).expect_err("refused").contains("expected a value, or a table such as"));
        assert!(
            checked(json!({ "a": { "atribute": "x" } })).expect_err("refused").contains("unknown field `atribute`")
        );
    }

    #[test]
    fn values_beyond_list_or_cap_are_others() {
        let tag = |allow: Option<&[&str]>, max| Tag {
            label: "l".into(),
            attribute: "a".into(),
            allow: allow.map(|allow| allow.iter().map(|value| (*value).to_owned()).collect()),
            max,
        };
        let shown = BTreeSet::from(["a".to_owned()]);
        let of = |tag: &Tag| ["a", "b", "", OTHER].map(|value| tag.show(value, &shown));
        assert_eq!(of(&tag(None, 2)), ["a", "b", "", OTHER]);
        assert_eq!(of(&tag(None, 1)), ["a", OTHER, "", OTHER]);
        assert_eq!(of(&tag(Some(&["a"]), 2)), ["a", OTHER, "", OTHER]);
    }
}
