//! From a record to the place where its batch tallies it, and from there to the series of the registry.

use metricast_sdk::Batch;
use metricast_series::LabelTable;

use crate::caps::Caps;
use crate::known::Known;
use crate::labels::Tag;
use crate::tags::{Combinations, Places, Values};

/// Of one kind of record, which has two label values of its own and those of its attributes.
#[derive(Debug)]
pub(crate) struct Finder<S> {
    combinations: Combinations,
    places: Places,
    known: Known<S>,
    caps: Caps,
}

impl<S> Finder<S> {
    /// `shown` are the labels of a family in which every record has a series, those of attributes last.
    pub(crate) fn new(tags: &[Tag], shown: &LabelTable) -> Self {
        Self {
            combinations: Combinations::new(tags),
            places: Places::new(),
            known: Known::new(2 + tags.len()),
            caps: Caps::new(tags, shown),
        }
    }

    /// Forgets the places of the batch before.
    pub(crate) fn begin(&mut self, batch: &Batch) {
        self.combinations.begin(batch);
        self.places.clear();
        self.known.trim();
    }

    /// Whether attributes are labels.
    pub(crate) fn has_tags(&self) -> bool {
        !self.combinations.is_empty()
    }

    /// The combination of attributes of the record at `index` of the batch.
    pub(crate) fn combination(&mut self, batch: &Batch, index: usize) -> u32 {
        self.combinations.of(batch, index)
    }

    /// The place of records alike, if there is one.
    #[inline]
    pub(crate) fn place(&self, pair: [u32; 2], combination: Option<u32>) -> Option<u32> {
        self.places.get(pair, combination)
    }

    /// Gives a place to records that have none.
    pub(crate) fn put(&mut self, pair: [u32; 2], combination: Option<u32>, place: u32) {
        self.places.insert(pair, combination, place);
    }

    /// All label values of a record, as it has them.
    pub(crate) fn values<'a>(&self, batch: &'a Batch, own: [&'a str; 2], combination: Option<u32>) -> Values<'a> {
        match combination {
            None => Values::new(own, &[]),
            Some(combination) => {
                let tags = self.combinations.values(batch, combination);
                Values::new(own, &tags[..self.combinations.len()])
            }
        }
    }

    /// Label values as they are shown.
    pub(crate) fn shown<'a>(&self, values: &Values<'a>) -> Values<'a> {
        self.caps.show(values)
    }

    /// Where the series of these label values are known. What is not known is made of the values as they are shown;
    /// `make` says with it whether a series has them.
    pub(crate) fn row(&mut self, values: &Values<'_>, make: impl FnOnce(&Values<'_>) -> (S, bool)) -> usize {
        let caps = &mut self.caps;
        self.known.row(values.as_slice(), || {
            let shown = caps.show(values);
            let (series, has_own) = make(&shown);
            if has_own {
                caps.add(shown.tags().iter().copied());
            }
            series
        })
    }

    /// The series of a row.
    pub(crate) fn series(&mut self, row: usize) -> &mut S {
        self.known.series(row)
    }
}
