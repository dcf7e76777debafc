//! A plugin's own settings as JSON, and where each of their keys stands in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use super::reader::{Place, Problems, join};

/// Key paths as plugins write them (`tls.ca`, `hosts[0]`) and the bytes of the file they stand at.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(BTreeMap<String, Range<usize>>);

impl Places {
    /// Those of these keys that are there.
    pub(super) fn of<const N: usize>(keys: [(&str, Option<&Place>); N]) -> Self {
        let there = keys.into_iter().filter_map(|(key, place)| Some((key.to_owned(), place?.span.clone())));
        Self(there.collect())
    }

    /// Adds a key.
    pub(super) fn insert(&mut self, path: String, place: Range<usize>) {
        self.0.insert(path, place);
    }

    /// Whether this very key is in the file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The place of a key, or of the nearest table or list above it that is in the file.
    pub(super) fn find(&self, path: &str) -> Option<Range<usize>> {
        self.find_also_in(&Self::default(), path)
    }

    /// The same where settings come from two tables; of two that are as near, this one's.
    pub(super) fn find_also_in(&self, other: &Self, path: &str) -> Option<Range<usize>> {
        let mut path = path;
        loop {
            if let Some(span) = self.0.get(path).or_else(|| other.0.get(path)) {
                return Some(span.clone());
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// Turns a free table into JSON; what JSON cannot say is a problem.
pub(super) fn to_json(place: &Place, table: &DeTable<'_>, problems: &mut Problems<'_>) -> (Value, Places) {
    let mut walk = Walk { prefix: &place.key, places: Places::default(), problems };
    let value = walk.table(table, "");
    (value, walk.places)
}

struct Walk<'w, 's> {
    prefix: &'w str,
    places: Places,
    problems: &'w mut Problems<'s>,
}

impl Walk<'_, '_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Value {
        let mut object = Map::new();
        for (key, value) in table {
            let path = join(path, key.get_ref());
            self.places.0.insert(path.clone(), key.span());
            object.insert(key.get_ref().clone().into_owned(), self.value(value.get_ref(), &path, key.span()));
        }
        Value::Object(object)
    }

    fn value(&mut self, value: &DeValue<'_>, path: &str, span: Range<usize>) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(date) => Value::String(date.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) => match number(value) {
                Some(number) => Value::Number(number),
                None => self.refuse(path, span, "is a number that JSON cannot hold"),
            },
            DeValue::Array(items) => self.list(items, path),
            DeValue::Table(table) => self.table(table, path),
        }
    }

    fn list(&mut self, items: &[toml::Spanned<DeValue<'_>>], path: &str) -> Value {
        let values = items.iter().enumerate().map(|(index, item)| {
            let path = format!("{path}[{index}]");
            self.places.0.insert(path.clone(), item.span());
            self.value(item.get_ref(), &path, item.span())
        });
        Value::Array(values.collect())
    }

    fn refuse(&mut self, path: &str, span: Range<usize>, message: &str) -> Value {
        self.problems.add(&Place { key: join(self.prefix, path), span }, message);
        Value::Null
    }
}

fn number(value: &DeValue<'_>) -> Option<Number> {
    match value {
        DeValue::Integer(number) => {
            let signed = i64::from_str_radix(number.as_str(), number.radix()).ok().map(Number::from);
            signed.or_else(|| u64::from_str_radix(number.as_str(), number.radix()).ok().map(Number::from))
        }
        other => Number::from_f64(other.as_float()?.as_str().parse().ok()?),
    }
}
