//! One family: its descriptor, the label values of its series, and a cell for each series.

use crate::cap::{self, OTHER, SeriesLimit};
use crate::descriptor::Descriptor;
use crate::histogram::Histograms;
use crate::labels::LabelTable;
use crate::sum::Sum;

/// What the series of a family count in; row numbers are those of its labels.
pub(crate) trait Cells {
    /// Appends a cell that nothing was recorded in.
    fn grow(&mut self);
    /// Removes all cells.
    fn clear(&mut self);
}

impl Cells for Vec<u128> {
    fn grow(&mut self) {
        self.push(0);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl Cells for Vec<f64> {
    fn grow(&mut self) {
        self.push(f64::NAN);
    }

    fn clear(&mut self) {
        self.clear();
    }
}

impl Cells for Histograms {
    fn grow(&mut self) {
        self.counts.resize(self.counts.len() + self.buckets.width(), 0);
        self.sums.push(Sum::default());
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.sums.clear();
    }
}

/// A series' place in its family, and whether what asked for it found no room and was sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    const OVERFLOWED: u32 = 1 << 31;

    #[inline]
    fn row(self) -> usize {
        (self.0 & !Self::OVERFLOWED) as usize
    }

    #[inline]
    fn overflowed(self) -> bool {
        self.0 & Self::OVERFLOWED != 0
    }
}

/// A family whose cells are `C`.
#[derive(Debug, Clone)]
pub(crate) struct Family<C> {
    pub(crate) descriptor: Descriptor,
    pub(crate) labels: LabelTable,
    pub(crate) cells: C,
    /// Rows whose open labels all say [`OTHER`]: they take no room.
    others: u32,
    /// How many values were recorded in an overflow series for want of room.
    pub(crate) overflowed: u64,
}

impl<C: Cells> Family<C> {
    pub(crate) fn new(descriptor: Descriptor, cells: C) -> Self {
        let labels = LabelTable::new(descriptor.labels().len());
        Self { descriptor, labels, cells, others: 0, overflowed: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.labels = LabelTable::new(self.labels.width());
        (self.others, self.overflowed) = (0, 0);
    }

    /// Puts `labels` and `cells`, which have a row for each other, in the place of what is there.
    pub(crate) fn replace(&mut self, labels: LabelTable, cells: C, overflowed: u64) {
        self.others = (0..labels.len()).filter(|row| self.is_other(labels.row(*row))).count() as u32;
        (self.labels, self.cells, self.overflowed) = (labels, cells, overflowed);
    }

    /// The cells, to record so many `values` in the row of `slot`; those that found no room are counted.
    #[inline]
    pub(crate) fn record(&mut self, slot: Slot, values: u64) -> (&mut C, usize) {
        if slot.overflowed() {
            self.overflowed += values;
        }
        (&mut self.cells, slot.row())
    }

    /// The series of these label values; made if there is room for it, the overflow series if there is none.
    ///
    /// # Panics
    /// Where there are not as many values as labels, a mistake of the calling code.
    #[inline]
    pub(crate) fn resolve(&mut self, values: &[&str], limit: SeriesLimit) -> Slot {
        match self.find(values) {
            Some(slot) => slot,
            None => self.admit(values, limit),
        }
    }

    /// The series of these label values, if there is one.
    #[inline]
    pub(crate) fn find(&self, values: &[&str]) -> Option<Slot> {
        assert_eq!(values.len(), self.labels.width(), "a value for each label of {}", self.descriptor.name());
        self.labels.find(&cut(values)).map(Slot)
    }

    /// Makes the series of these label values stand at zero, if it is not there and there is room.
    pub(crate) fn declare(&mut self, values: &[&str], limit: SeriesLimit) {
        if self.find(values).is_none() && self.has_room(limit) {
            self.insert(cut(values));
        }
    }

    #[cold]
    fn admit(&mut self, values: &[&str], limit: SeriesLimit) -> Slot {
        if self.has_room(limit) || self.is_other(cut(values)) {
            return self.insert(cut(values));
        }
        let flags: Vec<bool> = self.descriptor.labels().iter().map(|label| label.open).collect();
        let others = cut(values).zip(flags.iter()).map(|(value, open)| if *open { OTHER } else { value });
        let Slot(row) = match self.labels.find(&others) {
            Some(row) => Slot(row),
            None => self.insert(others),
        };
        Slot(row | Slot::OVERFLOWED)
    }

    fn insert<'a>(&mut self, values: impl Iterator<Item = &'a str> + Clone) -> Slot {
        self.others += u32::from(self.is_other(values.clone()));
        self.cells.grow();
        Slot(self.labels.insert(values))
    }

    fn has_room(&self, limit: SeriesLimit) -> bool {
        self.labels.len() - self.others < limit.get()
    }

    /// Whether all open labels say [`OTHER`]; a family without any is as small as the program made it.
    fn is_other<'a>(&self, values: impl Iterator<Item = &'a str>) -> bool {
        self.descriptor.labels().iter().zip(values).all(|(label, value)| !label.open || value == OTHER)
    }
}

fn cut<'a>(values: &'a [&'a str]) -> impl Iterator<Item = &'a str> + Clone {
    values.iter().map(|value| cap::cut(value))
}
