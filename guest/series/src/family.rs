//! One family: its descriptor, the label values of its series, and a cell for each series.

use crate::cap::{self, OTHER, SeriesLimit};
use crate::cells::{Cells, keep_rows};
use crate::descriptor::Descriptor;
use crate::exemplars::Exemplars;
use crate::labels::LabelTable;

/// A series' place in its family, and whether what asked for it found no room and was sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    const OVERFLOWED: u32 = 1 << 31;

    #[inline]
    pub(crate) fn row(self) -> usize {
        (self.0 & !Self::OVERFLOWED) as usize
    }

    #[inline]
    fn overflowed(self) -> bool {
        self.0 & Self::OVERFLOWED != 0
    }
}

/// What a series is made under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    pub(crate) limit: SeriesLimit,
    /// When it starts, seconds since the Unix epoch; 0 where that is not known.
    pub(crate) time: f64,
    /// The turn of expiry that it is recorded in.
    pub(crate) turn: u32,
}

/// The series of a family; what stands in one row of each column belongs together.
#[derive(Debug, Clone)]
pub(crate) struct Rows<C> {
    pub(crate) labels: LabelTable,
    pub(crate) cells: C,
    /// When each series started, seconds since the Unix epoch; 0 where that is not known.
    pub(crate) starts: Vec<f64>,
    /// The turn in which each series was last recorded in.
    pub(crate) touched: Vec<u32>,
}

/// A family whose cells are `C`.
#[derive(Debug, Clone)]
pub(crate) struct Family<C> {
    pub(crate) descriptor: Descriptor,
    pub(crate) rows: Rows<C>,
    /// Rows whose open labels all say [`OTHER`]: they take no room.
    others: u32,
    /// How many values were recorded in an overflow series for want of room.
    pub(crate) overflowed: u64,
    pub(crate) exemplars: Exemplars,
}

impl<C: Cells> Family<C> {
    pub(crate) fn new(descriptor: Descriptor, cells: C) -> Self {
        let labels = LabelTable::new(descriptor.labels().len());
        let rows = Rows { labels, cells, starts: Vec::new(), touched: Vec::new() };
        Self { descriptor, rows, others: 0, overflowed: 0, exemplars: Exemplars::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.rows.cells.clear();
        self.rows.starts.clear();
        self.rows.touched.clear();
        self.rows.labels = LabelTable::new(self.rows.labels.width());
        (self.others, self.overflowed) = (0, 0);
        self.exemplars = Exemplars::default();
    }

    /// Puts `rows` in the place of what is there.
    pub(crate) fn replace(&mut self, rows: Rows<C>, overflowed: u64) {
        (self.rows, self.overflowed) = (rows, overflowed);
        self.count_others();
        if self.descriptor.has_exemplars() {
            self.exemplars.reset(self.rows.starts.len() * self.rows.cells.width());
        }
    }

    /// The cells, to record so many `values` in the row of `slot`; those that found no room are counted.
    #[inline]
    pub(crate) fn record(&mut self, slot: Slot, values: u64) -> (&mut C, usize) {
        if slot.overflowed() {
            self.overflowed += values;
        }
        (&mut self.rows.cells, slot.row())
    }

    /// Takes note that something was recorded in the series of `slot`.
    #[inline]
    pub(crate) fn touch(&mut self, slot: Slot, turn: u32) {
        self.rows.touched[slot.row()] = turn;
    }

    /// The series of these label values; made if there is room for it, the overflow series if there is none.
    ///
    /// # Panics
    /// Where there are not as many values as labels, a mistake of the calling code.
    #[inline]
    pub(crate) fn resolve(&mut self, values: &[&str], birth: Birth) -> Slot {
        match self.find(values) {
            Some(slot) => slot,
            None => self.admit(values, birth),
        }
    }

    /// The series of these label values, if there is one.
    #[inline]
    pub(crate) fn find(&self, values: &[&str]) -> Option<Slot> {
        let labels = &self.rows.labels;
        assert_eq!(values.len(), labels.width(), "a value for each label of {}", self.descriptor.name());
        labels.find(&cut(values)).map(Slot)
    }

    /// The series of these label values, made to stand at zero if it is not there; none where there is no room for it.
    pub(crate) fn declare(&mut self, values: &[&str], birth: Birth) -> Option<Slot> {
        match self.find(values) {
            None if self.has_room(birth.limit) => Some(self.insert(cut(values), birth)),
            found => found,
        }
    }

    /// Removes the series that nothing was recorded in since the turn `oldest`, and says whether there were any. A
    /// family whose label values the program chose keeps all.
    pub(crate) fn expire(&mut self, oldest: u32) -> bool {
        let keep: Vec<bool> = self.rows.touched.iter().map(|turn| *turn >= oldest).collect();
        if !self.descriptor.has_open_label() || keep.iter().all(|keep| *keep) {
            return false;
        }
        let mut labels = LabelTable::new(self.rows.labels.width());
        for row in (0..self.rows.labels.len()).filter(|row| keep[*row as usize]) {
            labels.insert(self.rows.labels.row(row));
        }
        self.rows.labels = labels;
        self.exemplars.keep(self.rows.cells.width(), &keep);
        self.rows.cells.keep(&keep);
        keep_rows(&mut self.rows.starts, 1, &keep);
        keep_rows(&mut self.rows.touched, 1, &keep);
        self.count_others();
        true
    }

    #[cold]
    fn admit(&mut self, values: &[&str], birth: Birth) -> Slot {
        if self.has_room(birth.limit) || self.is_other(cut(values)) {
            return self.insert(cut(values), birth);
        }
        let flags: Vec<bool> = self.descriptor.labels().iter().map(|label| label.open).collect();
        let others = cut(values).zip(flags.iter()).map(|(value, open)| if *open { OTHER } else { value });
        let Slot(row) = match self.rows.labels.find(&others) {
            Some(row) => Slot(row),
            None => self.insert(others, birth),
        };
        Slot(row | Slot::OVERFLOWED)
    }

    fn insert<'a>(&mut self, values: impl Iterator<Item = &'a str> + Clone, birth: Birth) -> Slot {
        self.others += u32::from(self.is_other(values.clone()));
        self.rows.cells.grow();
        if self.descriptor.has_exemplars() {
            self.exemplars.grow(self.rows.cells.width());
        }
        self.rows.starts.push(birth.time);
        self.rows.touched.push(birth.turn);
        Slot(self.rows.labels.insert(values))
    }

    fn has_room(&self, limit: SeriesLimit) -> bool {
        self.rows.labels.len() - self.others < limit.get()
    }

    fn count_others(&mut self) {
        let labels = &self.rows.labels;
        self.others = (0..labels.len()).filter(|row| self.is_other(labels.row(*row))).count() as u32;
    }

    /// Whether all open labels say [`OTHER`]; a family without any is as small as the program made it.
    fn is_other<'a>(&self, values: impl Iterator<Item = &'a str>) -> bool {
        self.descriptor.labels().iter().zip(values).all(|(label, value)| !label.open || value == OTHER)
    }
}

fn cut<'a>(values: &'a [&'a str]) -> impl Iterator<Item = &'a str> + Clone {
    values.iter().map(|value| cap::cut(value))
}
