//! Exemplars: for a bucket or a counter, the labels of one record that was counted there, so that a person gets from a
//! graph to a trace.
//!
//! Only some records are taken: a place takes the next one [`SECONDS_APART`] after the last, by the times that the
//! caller gives, so that recording pays one comparison for it and a replay takes the same ones. Memory is bounded: a
//! family keeps [`MOST_KEPT`], and a place that comes later gets none.

use std::collections::BTreeMap;

/// How long a place keeps an exemplar before it takes another one, seconds.
pub const SECONDS_APART: f64 = 5.0;

/// The most exemplars of a family.
pub const MOST_KEPT: usize = 10_000;

/// The most characters that the names and values of an exemplar's labels have together
/// (OpenMetrics 1.0, "Exemplars": <https://prometheus.io/docs/specs/om/open_metrics_spec/>).
pub const MOST_CHARACTERS: usize = 128;

/// A record's labels, its value, and when it was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    labels: Vec<(String, String)>,
    value: f64,
    time: f64,
}

impl Exemplar {
    /// An exemplar with labels, a value, and a time in seconds since the Unix epoch; none where the labels are empty or
    /// have more than [`MOST_CHARACTERS`]. Cutting them would make them point at something else.
    pub fn new(labels: &[(&str, &str)], value: f64, time: f64) -> Option<Self> {
        let present = || labels.iter().filter(|(_, value)| !value.is_empty());
        let characters: usize = present().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if !(1..=MOST_CHARACTERS).contains(&characters) {
            return None;
        }
        let labels = present().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Some(Self { labels, value, time })
    }

    /// Names and values.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    pub(crate) fn time(&self) -> f64 {
        self.time
    }
}

/// The exemplars of a family: a place for each bucket of each series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exemplars {
    /// From when on each place takes another one; empty where the family has none.
    due: Vec<f64>,
    kept: BTreeMap<usize, Exemplar>,
}

impl Exemplars {
    /// Appends places that take the next record.
    pub(crate) fn grow(&mut self, places: usize) {
        self.due.resize(self.due.len() + places, f64::NEG_INFINITY);
    }

    /// Makes all of so many places take the next record.
    pub(crate) fn reset(&mut self, places: usize) {
        self.kept.clear();
        self.due.clear();
        self.grow(places);
    }

    /// Removes the rows, each of `width` places, for which `keep` has a `false`.
    pub(crate) fn keep(&mut self, width: usize, keep: &[bool]) {
        let due = std::mem::take(&mut self.due);
        let mut kept = std::mem::take(&mut self.kept);
        for (place, due) in due.into_iter().enumerate().filter(|(place, _)| keep[place / width]) {
            if let Some(exemplar) = kept.remove(&place) {
                self.kept.insert(self.due.len(), exemplar);
            }
            // There may be room now for one that found none.
            self.due.push(if due.is_finite() { due } else { f64::NEG_INFINITY });
        }
    }

    /// Whether a place takes a record of the time `time`.
    #[inline]
    pub(crate) fn is_due(&self, place: usize, time: f64) -> bool {
        self.due.get(place).is_some_and(|due| time >= *due)
    }

    /// From when on a place takes a record.
    pub(crate) fn due(&self, place: usize) -> f64 {
        self.due.get(place).copied().unwrap_or(f64::INFINITY)
    }

    /// Gives a place an exemplar of the time `time`; with none it waits all the same.
    pub(crate) fn put(&mut self, place: usize, time: f64, exemplar: Option<Exemplar>) {
        let full = self.kept.len() >= MOST_KEPT && !self.kept.contains_key(&place);
        self.due[place] = if full { f64::INFINITY } else { time + SECONDS_APART };
        if let Some(exemplar) = exemplar.filter(|_| !full) {
            self.kept.insert(place, exemplar);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The exemplar of a place.
    pub(crate) fn get(&self, place: usize) -> Option<&Exemplar> {
        self.kept.get(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> Option<Exemplar> {
        Exemplar::new(&[("trace_id", id)], 0.5, 1.0)
    }

    #[test]
    fn labels_beyond_128_characters_make_no_exemplar() {
        assert!(of(&"é".repeat(120)).is_some());
        assert_eq!(of(&"é".repeat(121)), None);
        assert_eq!(of(""), None);
        let kept = Exemplar::new(&[("trace_id", "a"), ("span_id", "")], 0.5, 1.0).expect("an exemplar");
        assert_eq!(kept.labels().collect::<Vec<_>>(), [("trace_id", "a")]);
    }

    #[test]
    fn a_place_takes_another_one_after_its_time() {
        let mut exemplars = Exemplars::default();
        assert!(!exemplars.is_due(0, 1e9), "a family without exemplars");
        exemplars.grow(2);
        assert!(exemplars.is_due(0, 100.0));
        exemplars.put(0, 100.0, of("a"));
        assert_eq!(
            [exemplars.is_due(0, 104.9), exemplars.is_due(0, 105.0), exemplars.is_due(1, 104.9)],
            [false, true, true]
        );
        exemplars.put(0, 105.0, None);
        assert_eq!(exemplars.get(0), of("a").as_ref());
    }

    #[test]
    fn a_full_family_keeps_what_it_has_until_something_goes() {
        let mut exemplars = Exemplars::default();
        exemplars.grow(MOST_KEPT + 2);
        (0..=MOST_KEPT).for_each(|place| exemplars.put(place, 100.0, of(&place.to_string())));
        assert!(exemplars.get(MOST_KEPT).is_none());
        assert!(!exemplars.is_due(MOST_KEPT, 1e9));
        exemplars.put(3, 200.0, of("new"));
        assert_eq!(exemplars.get(3), of("new").as_ref());
        let mut keep = vec![true; MOST_KEPT / 2 + 1];
        keep[0] = false;
        exemplars.keep(2, &keep);
        assert_eq!(exemplars.get(1), of("new").as_ref());
        assert!(exemplars.is_due(MOST_KEPT - 2, 100.0));
        assert!(!exemplars.is_due(1, 100.0));
    }
}
