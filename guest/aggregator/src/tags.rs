//! The attributes of a batch that are labels: which values each record has, as one number, so that records alike are
//! found by it and no text is touched a second time.

use metricast_sdk::Batch;
use metricast_series::cap;

use crate::labels::{MOST, Tag};
use crate::pairs::Pairs;

/// Label values: two of the record's own, then those of its attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    items: [&'a str; MOST + 2],
    length: usize,
}

impl<'a> Values<'a> {
    /// These values, then those of `tags`.
    pub(crate) fn new<const N: usize>(own: [&'a str; N], tags: &[&'a str]) -> Self {
        let mut values = Self { items: [""; MOST + 2], length: N + tags.len() };
        values.items[..N].copy_from_slice(&own);
        values.items[N..N + tags.len()].copy_from_slice(tags);
        values
    }

    pub(crate) fn as_slice(&self) -> &[&'a str] {
        &self.items[..self.length]
    }

    /// The record's own two.
    pub(crate) fn own(&self) -> [&'a str; 2] {
        [self.items[0], self.items[1]]
    }

    /// Those of the attributes, where the record's own are two.
    pub(crate) fn tags(&self) -> &[&'a str] {
        &self.items[2..self.length]
    }

    /// The same with each attribute's value as `show` says.
    pub(crate) fn map_tags(mut self, mut show: impl FnMut(usize, &'a str) -> &'a str) -> Self {
        for (tag, value) in self.items[2..self.length].iter_mut().enumerate() {
            *value = show(tag, value);
        }
        self
    }
}

/// Combinations of values in a batch.
#[derive(Debug)]
pub(crate) struct Combinations {
    attributes: Vec<String>,
    /// By index of string, what it is as a key.
    keys: Vec<Key>,
    /// From a combination of some values and the next value, both as numbers, to the combination of all of them.
    longer: Pairs,
    /// Each combination's shorter one and last value.
    parts: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    NotSeen,
    NoLabel,
    Tag(u8),
}

/// The combination of no values; also the index of the empty string, which an attribute has that is not there.
const NONE: u32 = 0;

impl Combinations {
    pub(crate) fn new(tags: &[Tag]) -> Self {
        let attributes = tags.iter().map(|tag| tag.attribute.clone()).collect();
        Self { attributes, keys: Vec::new(), longer: Pairs::new(), parts: Vec::new() }
    }

    /// Whether no attribute is a label.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Forgets the batch before.
    pub(crate) fn begin(&mut self, batch: &Batch) {
        if !self.is_empty() {
            self.keys.clear();
            self.keys.resize(batch.strings(), Key::NotSeen);
            self.longer.clear();
            self.parts.clear();
            self.parts.push((NONE, 0));
        }
    }

    /// The combination of the record at `index` of the batch.
    pub(crate) fn of(&mut self, batch: &Batch, index: usize) -> u32 {
        let columns = batch.attribute_columns();
        let start = if index == 0 { 0 } else { columns.row_ends[index - 1] as usize };
        let mut values = [NONE; MOST];
        for at in start..columns.row_ends[index] as usize {
            if let Key::Tag(tag) = self.key(batch, columns.keys[at]) {
                values[usize::from(tag)] = columns.values[at];
            }
        }
        let count = self.attributes.len();
        values[..count].iter().fold(NONE, |combination, value| self.with(combination, *value))
    }

    /// The values of a combination, as many as there are labels.
    pub(crate) fn values<'a>(&self, batch: &'a Batch, combination: u32) -> [&'a str; MOST] {
        let (mut values, mut combination) = ([""; MOST], combination);
        for value in values[..self.attributes.len()].iter_mut().rev() {
            let (shorter, last) = self.parts[combination as usize];
            (*value, combination) = (cap::cut(batch.text(last)), shorter);
        }
        values
    }

    /// How many labels there are.
    pub(crate) fn len(&self) -> usize {
        self.attributes.len()
    }

    fn key(&mut self, batch: &Batch, key: u32) -> Key {
        let known = self.keys[key as usize];
        if known != Key::NotSeen {
            return known;
        }
        let text = batch.text(key);
        let tag = self.attributes.iter().position(|attribute| attribute == text);
        let key_is = tag.map_or(Key::NoLabel, |tag| Key::Tag(tag as u8));
        self.keys[key as usize] = key_is;
        key_is
    }

    fn with(&mut self, shorter: u32, value: u32) -> u32 {
        self.longer.get(shorter, value).unwrap_or_else(|| {
            let combination = self.parts.len() as u32;
            self.parts.push((shorter, value));
            self.longer.insert(shorter, value, combination);
            combination
        })
    }
}

/// Where the records of a batch are tallied: a place for each two strings and combination.
#[derive(Debug)]
pub(crate) struct Places {
    pairs: Pairs,
    /// By what `pairs` gives and combination, where there are any.
    combined: Pairs,
    next_pair: u32,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self { pairs: Pairs::new(), combined: Pairs::new(), next_pair: 0 }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.combined.clear();
        self.next_pair = 0;
    }

    /// The place, if there is one. Either all have a combination or none has.
    #[inline]
    pub(crate) fn get(&self, pair: [u32; 2], combination: Option<u32>) -> Option<u32> {
        let found = self.pairs.get(pair[0], pair[1])?;
        match combination {
            None => Some(found),
            Some(combination) => self.combined.get(found, combination),
        }
    }

    /// Gives a place to what has none.
    pub(crate) fn insert(&mut self, pair: [u32; 2], combination: Option<u32>, place: u32) {
        let [first, second] = pair;
        let Some(combination) = combination else {
            return self.pairs.insert(first, second, place);
        };
        let found = self.pairs.get(first, second).unwrap_or_else(|| {
            self.next_pair += 1;
            self.pairs.insert(first, second, self.next_pair);
            self.next_pair
        });
        self.combined.insert(found, combination, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricast_records::{BatchBuilder, EventMetrics, Metrics};
    use std::collections::HashMap;

    fn tag(attribute: &str) -> Tag {
        Tag { label: attribute.to_owned(), attribute: attribute.to_owned(), allow: None, max: 9 }
    }

    fn batch(attributes: &[&[(&str, &str)]]) -> Batch {
        let mut builder = BatchBuilder::new();
        for pairs in attributes {
            let attributes = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let (event_name, status) = ("a".to_owned(), "b".to_owned());
            let event = Metrics::Event(EventMetrics { event_name, status, attributes, ..EventMetrics::default() });
            builder.push(&event.as_ref(), 0.0).expect("there is room");
        }
        builder.finish()
    }

    #[test]
    fn records_with_the_same_values_have_one_combination() {
        let rows: &[&[(&str, &str)]] = &[
            &[("x", "1"), ("other", "5"), ("y", "2")],
            &[("y", "2"), ("x", "1")],
            &[("x", "2"), ("y", "1")],
            &[("x", "1")],
            &[],
            &[("x", ""), ("z", "1")],
        ];
        let batch = batch(rows);
        let mut combinations = Combinations::new(&[tag("x"), tag("y")]);
        for _ in 0..2 {
            combinations.begin(&batch);
            let of: Vec<u32> = (0..rows.len()).map(|row| combinations.of(&batch, row)).collect();
            let values: Vec<_> = of.iter().map(|of| combinations.values(&batch, *of)[..2].join("/")).collect();
            assert_eq!(values, ["1/2", "1/2", "2/1", "1/", "/", "/"]);
            assert_eq!((of[0], of[4]), (of[1], of[5]));
        }
    }

    #[test]
    fn places_are_told_apart_by_pair_and_combination() {
        for combined in [false, true] {
            let mut places = Places::new();
            for _ in 0..2 {
                places.clear();
                let mut model = HashMap::new();
                for (place, (first, second, third)) in (0..200).map(|n| (n, (n % 5, n % 3, n % 7))) {
                    let combination = combined.then_some(third);
                    let key = ([first, second], combination);
                    assert_eq!(places.get(key.0, combination), model.get(&key).copied());
                    model.entry(key).or_insert_with(|| {
                        places.insert(key.0, combination, place);
                        place
                    });
                }
            }
        }
    }
}
